"""GHL's failing answers, named: the registry behind facts.md section 3."""

from __future__ import annotations

import re
from typing import Any

from connectors.http import Answer, Request
from reconcile.errors import (
    Blocked,
    ConnectorError,
    Duplicate,
    Exhausted,
    Expired,
    Forbidden,
    InvalidField,
    Malformed,
    NotFound,
    Transient,
    WrongLocation,
)

_PERSONAL = re.compile(r"\S+@\S+|\+?\d[\d\s().-]{5,}\d|\"[^\"]*\"|'[^']*'")
_LONGEST = 300
_RECORD_GONE = re.compile(r"\b(?:contact|task|note)\b.*\b(?:not found|is deleted)\b", re.IGNORECASE)
"""What a 404 says that is about a record. A missing record is a 400 as a rule; a gateway's 404 is no proof of anything."""


def message(answer: Answer) -> str:
    """What GHL said, as one line without anything that looks like a person's value; "" where it said nothing."""
    body = answer.parsed()
    said: Any = body.get("message") if isinstance(body, dict) else None
    text = "; ".join(str(part) for part in said) if isinstance(said, list) else str(said or "")
    return _PERSONAL.sub("…", text)[:_LONGEST]


def explain(request: Request, answer: Answer) -> ConnectorError | None:
    """The failure in an answer of GHL, with its trace id; None where it is what was asked for."""
    error = _explain(request, answer)
    if error is not None:
        error.status = answer.status
        error.trace_id = answer.trace_id
    return error


def _explain(request: Request, answer: Answer) -> ConnectorError | None:
    status = answer.status
    if status < 300:
        return None if answer.is_json or status == 204 else _not_json(request, answer)
    if status == 429:
        return _exhausted(request, answer)
    if status >= 500 or status == 408:
        return Transient(f"{request.name} was answered {status}", remedy="repeat the run when GHL answers again")
    if not answer.is_json:
        return _blocked(request, answer)
    by_status = {400: _bad_request, 401: _unauthorized, 403: _forbidden, 404: _missing}
    return by_status.get(status, _invalid)(request, message(answer), answer)


def _not_json(request: Request, answer: Answer) -> ConnectorError:
    return Malformed(
        f"{request.name} was answered {answer.status} with {answer.headers.get('content-type', 'no type')}, not JSON",
        remedy="a gateway answered in GHL's place: repeat the run later",
    )


def _blocked(request: Request, answer: Answer) -> ConnectorError:
    return Blocked(
        f"{request.name} was refused by a gateway in front of GHL ({answer.status})",
        remedy="check the network's egress address and the User-Agent setting; GHL's CDN refuses some clients",
    )


def _exhausted(request: Request, answer: Answer) -> ConnectorError:
    left = answer.headers.get("x-ratelimit-daily-remaining", "")
    day = left.strip() == "0"
    error = Exhausted(
        f"{request.name} was refused: {'the daily quota is spent' if day else 'too many requests'}",
        remedy="run again after the quota resets" if day else "another integration may be using this location's quota",
        code="EXHAUSTED_DAY" if day else "EXHAUSTED_BURST",
    )
    wait = answer.headers.get("retry-after", "")
    reset = answer.headers.get("x-ratelimit-daily-reset", "")
    if day and reset.isdigit():
        error.until_seconds = int(reset) / 1000
    elif wait.isdigit():
        error.until_seconds = float(wait)
    return error


def _bad_request(request: Request, said: str, answer: Answer) -> ConnectorError:
    lower = said.lower()
    body = answer.parsed()
    meta = body.get("meta") if isinstance(body, dict) else None
    if "duplicate" in lower or (isinstance(meta, dict) and meta.get("contactId")):
        error = Duplicate(f"{request.name}: {said}", remedy="link the record to the one that exists")
        error.key = meta.get("contactId") if isinstance(meta, dict) else None
        return error
    if "not found" in lower or "is deleted" in lower:
        return NotFound(f"{request.name}: {said}")
    if "does not belong to" in lower and "location" in lower:
        return _wrong_location(request, said)
    return _invalid(request, said, answer)


def _unauthorized(request: Request, said: str, answer: Answer) -> ConnectorError:  # noqa: ARG001 - one signature
    lower = said.lower()
    if "scope" in lower:
        return Forbidden(
            f"{request.name}: the token lacks the scope ({said})",
            remedy="add the scope to the integration in GHL and authorise again",
        )
    if "version header" in lower:
        return InvalidField(f"{request.name}: {said}", remedy="set version to 2021-07-28 or v3", code="API_VERSION")
    return Expired(f"{request.name}: {said or 'unauthorized'}", remedy="renew the token: ghl-reconcile auth login")


def _forbidden(request: Request, said: str, answer: Answer) -> ConnectorError:
    if "location" in said.lower():
        return _wrong_location(request, said)
    if "1010" in said or "cloudflare" in said.lower():
        return _blocked(request, answer)
    return Forbidden(
        f"{request.name}: {said or 'forbidden'}", remedy="check the token's scopes and its user's role in GHL"
    )


def _wrong_location(request: Request, said: str) -> ConnectorError:
    return WrongLocation(
        f"{request.name}: {said}", remedy="use a token of the configured location, or correct the location"
    )


def _missing(request: Request, said: str, answer: Answer) -> ConnectorError:
    if not _RECORD_GONE.search(said):  # the router's own 404, or a gateway's: no such route, or not under this version
        return InvalidField(
            f"{request.name} is not served ({answer.status})",
            remedy="check the url and version settings: GHL answers 404 for a route of another version",
            code="ROUTE",
        )
    return NotFound(f"{request.name}: {said}")


def _invalid(request: Request, said: str, answer: Answer) -> ConnectorError:
    return InvalidField(
        f"{request.name} was answered {answer.status}: {said or 'no reason given'}",
        remedy="correct the value in the other system, or leave the field out of the mapping",
    )
