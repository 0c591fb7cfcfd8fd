"""What a handler gives back: an answer, or a refusal in GHL's words (docs/ghl.md#errors)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

NAMES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    422: "Unprocessable Entity",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
}
WRONG_LOCATION = "The token does not have access to this location."


@dataclass(slots=True)
class Answer:
    """A status with a JSON object, or with `raw` bytes of another type."""

    status: int
    body: dict[str, Any]
    raw: bytes | None = None
    content_type: str = "application/json; charset=utf-8"


class Refusal(Exception):
    """A request that is not carried out: status and message as GHL words them.

    `extra` members join the body.
    """

    def __init__(self, status: int, message: str | list[str], **extra: Any) -> None:
        super().__init__(str(message))
        self.status = status
        self.message = message
        self.extra = extra

    def answer(self) -> Answer:
        """The refusal as an answer."""
        body: dict[str, Any] = {"statusCode": self.status, "message": self.message}
        if self.status in NAMES and "meta" not in self.extra:
            body["error"] = NAMES[self.status]
        return Answer(self.status, {**body, **self.extra})


class OAuthRefusal(Exception):
    """A token request that is not carried out, in the words of RFC 6749."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.body = {
            "error": error,
            "error_description": description,
            "statusCode": status,
            "message": description,
        }
        self.status = status

    def answer(self) -> Answer:
        """The refusal as an answer."""
        return Answer(self.status, dict(self.body))


def not_found(noun: str, key: str) -> Refusal:
    """A missing or deleted record: 400, not 404 (docs/ghl.md#errors)."""
    return Refusal(400, f"{noun} not found for id:{key}")


def invalid(*messages: str) -> Refusal:
    """A body or parameter that the validator does not accept: 422 with a list of messages."""
    return Refusal(422, list(messages))


def no_such_route(method: str, path: str) -> Refusal:
    """No operation there in this version of the API."""
    return Refusal(404, f"Cannot {method} {path}")


def down(status: int, message: str = "") -> Answer:
    """A server error.

    500, and what has a message, is in the API's own JSON. The rest is the HTML page of the CDN
    before it.
    """
    if message:
        return Refusal(status, message).answer()
    if status == 500:
        return Refusal(500, "Internal server error").answer()
    page = (
        f"<!DOCTYPE html><html><head><title>{status}: error</title></head><body>Error code "
        f"{status}</body></html>"
    )
    return Answer(status, {}, raw=page.encode(), content_type="text/html; charset=UTF-8")


def blocked() -> Answer:
    """The CDN's answer to a client that it does not like (observed: HTTP 403, error 1010)."""
    page = (
        "<!DOCTYPE html><html><head><title>Access denied | services.leadconnectorhq.com used "
        "Cloudflare to restrict access</title></head><body><h1>Error 1010</h1><p>The owner of this "
        "website has banned your access based on your browser's signature.</p></body></html>"
    )
    return Answer(403, {}, raw=page.encode(), content_type="text/html; charset=UTF-8")
