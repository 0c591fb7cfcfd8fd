"""What a JSON API's refusal means, and what it means for the Write behind it.

No value of a record gets into a message.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from connectors.http import Answer, Request
from connectors.rest.places import find, parse, words
from connectors.rest.settings import EndpointSettings
from connectors.statuses import explain_status
from reconcile.errors import (
    Blocked,
    ConnectorError,
    Duplicate,
    Exhausted,
    Expired,
    InvalidField,
    Malformed,
    NotFound,
    Stale,
    Transient,
    Uncertain,
    WrongLocation,
)
from reconcile.model import OpKind, Status
from reconcile.ports import Reply, Write

FATAL = (Expired, WrongLocation, Blocked)
"""No other write would fare better: the run stops with the error itself."""

FORBIDDEN_MAX = 5
"""So many writes forbidden in a row, none done between them, are no locked records.

The credentials lack the right to write.
"""

_MESSAGES = ("message", "error.message", "error_description", "detail", "title", "error", "errors")
_LONGEST = 200
# Decimals as the text that they are sent as.
_SENT = msgspec.json.Decoder(float_hook=str)


def explain(endpoints: list[EndpointSettings]) -> Any:
    """The Explain of an API.

    What a status alone tells, made more exact by the words that the endpoints declare.
    """
    missing = {word.lower() for endpoint in endpoints for word in endpoint.missing}
    duplicate = {word.lower() for endpoint in endpoints for word in endpoint.duplicate}
    keys = [parse(endpoint.duplicate_key) for endpoint in endpoints if endpoint.duplicate_key]

    def named(request: Request, answer: Answer) -> ConnectorError | None:
        error = explain_status(request, answer)
        if error is None or not 400 <= answer.status < 500 or answer.status in (401, 408, 429):
            return error
        if isinstance(error, Blocked):
            return _in_plain_words(error, answer, missing)
        said = _said(answer)
        error = _again(
            _kind(request, answer.status, said.lower(), missing, duplicate) or type(error),
            error,
            request,
            said,
        )
        if isinstance(error, Duplicate):
            duplicate_key = next(
                (value for key in keys if (value := find(answer.parsed(), key)) is not None), None
            )
            error.key = None if duplicate_key is None else str(duplicate_key)
        return error

    return named


def _in_plain_words(error: Blocked, answer: Answer, missing: set[str]) -> ConnectorError:
    """A 404 that is not JSON is the API's own where it says a declared word.

    Else it is a gateway's, which knows of no record.
    """
    if answer.status != 404:
        return error
    said = answer.body.decode(errors="replace").lower()
    if any(word in said for word in missing):
        return NotFound(error.what, status=error.status, trace_id=error.trace_id)
    error.remedy = (
        "see who answers there; if it is the API, of a record that is gone, "
        'name its words in "missing"'
    )
    return error


def _kind(
    request: Request, status: int, said: str, missing: set[str], duplicate: set[str]
) -> type[ConnectorError] | None:
    if status == 403:
        return None
    if status in (412, 428) or (status == 409 and request.method in ("PUT", "PATCH", "DELETE")):
        return Stale
    if any(word in said for word in duplicate):
        return Duplicate
    if any(word in said for word in missing):
        return NotFound
    return None


def _again(
    kind: type[ConnectorError], error: ConnectorError, request: Request, said: str
) -> ConnectorError:
    what = f"{error.what}: {blanked(said, request)}" if said else error.what
    return kind(what, remedy=error.remedy, status=error.status, trace_id=error.trace_id)


def _said(answer: Answer) -> str:
    body = answer.parsed()
    message = next((value for name in _MESSAGES if (value := find(body, parse(name)))), None)
    if isinstance(message, list | dict):
        return "; ".join(words(message))
    if message is None:
        return ""
    return str(message)


def blanked(said: str, request: Request) -> str:
    """A message without the values that were sent: they may be a person's."""
    sent = {
        *words(_SENT.decode(msgspec.json.encode(request.body))),
        *map(str, request.params.values()),
    }
    for word in sorted(sent, key=len, reverse=True):
        if len(word) > 2:
            said = re.sub(re.escape(word), "…", said, flags=re.IGNORECASE)
    return said[:_LONGEST]


def reply_to(write: Write, error: ConnectorError) -> Reply:
    """The Reply for a write whose request ended in `error`."""
    key = error.key if isinstance(error, Duplicate) else write.key
    if isinstance(error, NotFound) and write.kind is OpKind.DELETE:
        return Reply(write.op_id, Status.DONE, key=key, trace_id=error.trace_id)
    return Reply(
        write.op_id,
        _status(write, error),
        key=key,
        code=error.code,
        detail=error.what,
        trace_id=error.trace_id,
    )


def _status(write: Write, error: ConnectorError) -> Status:
    if isinstance(error, Exhausted) or error.code == "UNSENT":
        return Status.SKIPPED
    if isinstance(error, Stale) or (
        isinstance(error, NotFound) and write.kind is not OpKind.CREATE
    ):
        return Status.STALE
    if isinstance(error, Uncertain | Transient | Malformed) or _may_have_made(write, error):
        return Status.UNCERTAIN
    return Status.REJECTED


def _may_have_made(write: Write, error: ConnectorError) -> bool:
    """Whether a create was answered with a redirect.

    Some APIs do so after they carried it out.
    """
    return write.kind is OpKind.CREATE and error.status is not None and 300 <= error.status < 400


def skipped(write: Write, error: ConnectorError) -> Reply:
    """The Reply for a write that was never sent, because `error` ended the sending."""
    return Reply(write.op_id, Status.SKIPPED, key=write.key, code=error.code, detail=error.what)


def unsupported(what: str, remedy: str) -> InvalidField:
    """The error for a kind of write that the API was not declared to take."""
    return InvalidField(what, remedy=remedy, code="UNSUPPORTED")
