"""Checks one exchange with GHL, real or pretended, against GHL's official OpenAPI documents."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

# It takes four seconds to import, and every worker collects this file.
if TYPE_CHECKING:
    from openapi_core import OpenAPI
    from openapi_core.testing import MockRequest

DOCUMENTS = Path(__file__).parents[2] / "data" / "openapi"
SERVER = "https://services.leadconnectorhq.com"
VERSIONS = {"2021-07-28": "v2", "v3": "v3"}
DESCRIBED = ("contacts", "locations", "businesses", "opportunities", "users", "oauth", "calendars")
UNDESCRIBED = "/calendars/"
"""The list of calendars is in a document that is not at hand."""


@dataclass(frozen=True, slots=True)
class Excuse:
    """A deviation that is let pass: `where` is "request" or "reply", `about` stands in the validator's message."""

    method: str
    path: str
    where: str
    about: str
    reason: str

    def covers(self, method: str, path: str, where: str, message: str) -> bool:
        """Whether it excuses this deviation."""
        return (
            self.method in ("*", method)
            and self.path in ("*", path)
            and self.where == where
            and self.about.lower() in message.lower()
        )


EXCUSES = (
    Excuse(
        "POST",
        "/contacts/search",
        "reply",
        "/dateOfBirth:",
        "search was observed to show birth dates as milliseconds (issue 314); the document has no schema of its own",
    ),
    Excuse(
        "POST",
        "/contacts/bulk/tags/update/{type}",
        "reply",
        "is not of type 'string'",
        "`responses` is typed a list of strings; the document's own example holds objects",
    ),
    Excuse(
        "POST",
        "/locations/{locationId}/tasks/search",
        "reply",
        "is not of type 'array'",
        "`tasks` is typed a list of lists; observed replies hold objects",
    ),
    Excuse(
        "PUT",
        "/contacts/{contactId}",
        "request",
        "'companyName' was unexpected",
        "companyName works on PUT though the document leaves it out (issue 314 of the documents' repository)",
    ),
    Excuse(
        "PUT",
        "/contacts/{contactId}/tasks/{taskId}",
        "request",
        "assignedTo: None",
        "assignedTo: null unassigns a task though the document types it a string",
    ),
)
UNDECLARED = {
    403: "no document declares 403, which a foreign location is answered with",
    422: "POST /contacts/search declares no 422, which a missing locationId is answered with",
    502: "gateway errors are declared nowhere",
    503: "gateway errors are declared nowhere",
    520: "gateway errors are declared nowhere",
}
FREE_FORM = {
    (
        "POST",
        "/oauth/token",
    ): "errors of /oauth/token are not enumerated, and OAuth's own form has no statusCode",
}


class Deviation(AssertionError):
    """An exchange differs from the documents in a way that nothing excuses."""


def check(
    version: str,
    method: str,
    path: str,
    request_headers: Mapping[str, str],
    request_body: bytes,
    status: int,
    response_headers: Mapping[str, str],
    response_body: bytes,
) -> bool:
    """Check a request and its reply. `version` is the Version header's value, `path` may carry a query.

    Returns False where no document at hand describes the path, True where all is well; raises
    Deviation with every unexcused difference. A refused request (400, 401, 403, 404, 422) is not held to the document:
    it was refused for not fitting.
    """
    target = urlsplit(path)
    first = target.path.strip("/").split("/")[0]
    if first not in DESCRIBED or target.path == UNDESCRIBED:
        return False
    document = _document(first, VERSIONS[version])
    template = _template(document, method, target.path)
    if template is None:
        if status == 404:
            return True
        raise Deviation(
            f"{method} {target.path} is in no document of {version}, yet it was answered {status}"
        )
    request = _request(method, target.path, target.query, request_headers, request_body)
    found = [] if status in (400, 401, 403, 404, 422) else _request_errors(document.api, request)
    faults = [f"request: {one}" for one in found if not _excused(method, template, "request", one)]
    replied = _reply_errors(document, template, request, status, response_headers, response_body)
    faults += [
        f"reply {status}: {one}" for one in replied if not _excused(method, template, "reply", one)
    ]
    if faults:
        raise Deviation(f"{method} {template} ({version}):\n  " + "\n  ".join(faults))
    return True


@dataclass(frozen=True, slots=True)
class _Document:
    api: OpenAPI
    paths: Mapping[str, Any]


@lru_cache
def _document(name: str, version: str) -> _Document:
    from openapi_core import OpenAPI

    raw = json.loads((DOCUMENTS / f"{name}.{version}.json").read_bytes())
    for operations in raw["paths"].values():
        for operation in operations.values():
            _close(raw, operation)
    return _Document(OpenAPI.from_dict(raw), raw["paths"])


def _close(raw: dict[str, Any], operation: Any) -> None:
    """GHL refuses unknown members of a body ("property X should not exist"), which the documents do not say."""
    for content in (
        operation.get("requestBody", {}).get("content", {}).values()
        if isinstance(operation, dict)
        else ()
    ):
        schema = content["schema"]
        if "$ref" in schema:
            schema = raw["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
        if schema.get("properties"):
            schema["additionalProperties"] = False


def _template(document: _Document, method: str, path: str) -> str | None:
    parts = path.strip("/").split("/")
    found = []
    for template, operations in document.paths.items():
        wanted = template.strip("/").split("/")
        if method.lower() in operations and len(wanted) == len(parts):
            fits = [
                want.startswith("{") or want == part
                for want, part in zip(wanted, parts, strict=True)
            ]
            if all(fits):
                found.append((sum(want.startswith("{") for want in wanted), template))
    return min(found)[1] if found else None


def _request(
    method: str, path: str, query: str, headers: Mapping[str, str], body: bytes
) -> MockRequest:
    from openapi_core.testing import MockRequest

    kind = next(
        (value for name, value in headers.items() if name.lower() == "content-type"),
        "application/json",
    )
    args = dict(parse_qsl(query, keep_blank_values=True))
    return MockRequest(
        SERVER,
        method.lower(),
        path,
        args=args,
        headers=dict(headers),
        data=body,
        content_type=kind.split(";")[0],
    )


def _request_errors(api: OpenAPI, request: MockRequest) -> list[str]:
    return [text for error in api.iter_request_errors(request) for text in _texts(error)]


def _reply_errors(
    document: _Document,
    template: str,
    request: MockRequest,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
) -> list[str]:
    from openapi_core.testing import MockResponse

    declared = document.paths[template][request.method]["responses"]
    content = declared.get(str(status), {}).get("content")
    if str(status) not in declared or content is None:
        return _undeclared(
            request.method.upper(), template, status, body, declared=str(status) in declared
        )
    if (request.method.upper(), template) in FREE_FORM and status >= 400:
        return []
    kind = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
    response = MockResponse(
        body, status_code=status, headers=dict(headers), content_type=kind.split(";")[0]
    )
    return [
        text
        for error in document.api.iter_response_errors(request, response)
        for text in _texts(error)
    ]


def _undeclared(
    method: str, template: str, status: int, body: bytes, *, declared: bool
) -> list[str]:
    if not declared and status not in UNDECLARED:
        return [f"status {status} is not declared for {method} {template}"]
    if status >= 500 or body.startswith(b"<!DOCTYPE"):
        return []
    parsed = json.loads(body)
    if parsed.get("statusCode") != status or not isinstance(parsed.get("message"), (str, list)):
        return [f"an error must hold statusCode {status} and a message, found {parsed}"]
    return []


def _texts(error: BaseException) -> list[str]:
    """The innermost messages of an openapi-core error."""
    cause: BaseException | None = error
    while cause is not None:
        if nested := getattr(cause, "schema_errors", None):
            return [
                f"{'/'.join(str(part) for part in one.absolute_path)}: {one.message}"
                for one in nested
            ]
        error, cause = cause, cause.__cause__
    return [str(error)]


def _excused(method: str, template: str, where: str, message: str) -> bool:
    return any(one.covers(method, template, where, message) for one in EXCUSES)
