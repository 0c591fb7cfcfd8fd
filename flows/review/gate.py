"""Lets in only the person who was given the address.

The session's token, this machine's name, and forms of this page alone.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass, field

from starlette.requests import Request

_MOST_BYTES = 16_384
FORM_TYPE = "application/x-www-form-urlencoded"


def _token() -> str:
    return secrets.token_urlsafe(24)


@dataclass(frozen=True, slots=True)
class Gate:
    """One session. `token` stands in the path, `form_token` in every form.

    `hosts` are the Host headers that are answered, each with its port: a name that an attacker's
    DNS points at this machine is not among them.
    """

    hosts: Collection[str]
    token: str = field(default_factory=_token)
    form_token: str = field(default_factory=_token)

    def refusal(self, request: Request) -> tuple[int, str] | None:
        """The status and the sentence to refuse a request with; None where it may pass."""
        if request.headers.get("host") not in self.hosts:
            return 421, "This address is not served here."
        if not secrets.compare_digest(
            request.path_params.get("token", "").encode(), self.token.encode()
        ):
            return (
                404,
                "There is no such page. The address that `review --web` printed is the only one.",
            )
        if (
            request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
            and request.method == "POST"
        ):
            return 403, "This form was not sent from this page."
        origin = request.headers.get("origin")
        if request.method == "POST" and origin not in (
            None,
            f"{request.url.scheme}://{request.headers['host']}",
        ):
            return 403, "This form was not sent from this page."
        return None

    def refusal_of_form(self, request: Request) -> tuple[int, str] | None:
        """The same for what a form says of itself, before its body is read."""
        if request.headers.get("content-type", "").partition(";")[0].strip() != FORM_TYPE:
            return 415, "This is not a form of this page."
        length = request.headers.get("content-length", "")
        if not length.isdecimal() or int(length) > _MOST_BYTES:
            return 413, "The answer is too long; a reason of a few lines is enough."
        return None

    def knows(self, form_token: object) -> bool:
        """Whether a form carries this session's token."""
        return isinstance(form_token, str) and secrets.compare_digest(
            form_token.encode(), self.form_token.encode()
        )
