"""GHL's failing answers, named: the registry behind docs/ghl.md#errors."""

from __future__ import annotations

import re
from itertools import pairwise
from urllib.parse import unquote

from connectors.http import Answer, Request
from connectors.throttle import read_quota
from reconcile.entities import Entity
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
    Unnamed,
    WrongLocation,
)

_PERSONAL = re.compile(r"\S+@\S+|\+?\d[\d\s().-]{5,}\d|\"[^\"]*\"|'[^']*'")
_LONGEST = 300
_GONE = re.compile(r"\b(?:not found|is deleted|does not exist)\b", re.IGNORECASE)
_FOLDERS = {
    **{entity.value: entity.plural for entity in Entity},
    "custom field": "customFields",
    "business": "businesses",
}
"""What a message calls a record, and the part of a path that its id follows."""


def message(answer: Answer) -> str:
    """What GHL said, as one line without anything that looks like a person's value.

    It is "" where GHL said nothing.
    """
    return _PERSONAL.sub("…", _text(answer))[:_LONGEST]


def _text(answer: Answer) -> str:
    match answer.parsed():
        case {"message": list(parts)}:
            return "; ".join(map(str, parts))
        case {"message": text}:
            return str(text or "")
    return ""


def names_record(path: str, text: str) -> bool:
    """Whether a message names, by kind and id, a record of the path.

    GHL's own message does, as in "Contact not found for id:…".

    Anything less ("Location not found", a gateway's "not found") says nothing of the record that
    was asked for.
    """
    parts = [unquote(part) for part in path.split("/")]
    ids = dict(pairwise(parts))
    for kind, folder in _FOLDERS.items():
        record_id = ids.get(folder)
        if not record_id or not re.search(rf"\b{kind}\b", text, re.IGNORECASE):
            continue
        if re.search(rf"(?<![\w-]){re.escape(record_id)}(?![\w-])", text):
            return True
    return False


LOG_IN = "renew the token: ghl-reconcile auth login"
ROTATE = (
    "make a new private integration token in GHL (Settings, Private Integrations: "
    "rotate) and put it where the pair file points"
)

_TIMED_OUT = re.compile(r"\btimed out\b|\btime-?out\b", re.IGNORECASE)
_CREDENTIALS = re.compile(
    r"token|jwt|auth|credential|session|expired|api.?key|log.?in", re.IGNORECASE
)
"""What a 401 says that is about credentials. Others are seen, too (docs/ghl.md#errors)."""


def explain(request: Request, answer: Answer, *, renewal: str = LOG_IN) -> ConnectorError | None:
    """The failure in an answer of GHL, with its trace id; None where it is what was asked for.

    `renewal` is the remedy for credentials that are refused: a private integration token is not
    renewed by a login.
    """
    error = _explain(request, answer)
    if isinstance(error, Expired):
        error.remedy = renewal
    if error is not None:
        error.status = answer.status
        error.trace_id = answer.trace_id
    return error


def _explain(request: Request, answer: Answer) -> ConnectorError | None:
    status = answer.status
    if status < 300:
        if answer.is_json or status == 204:
            return None
        return _not_json(request, answer)
    if status == 429:
        return _exhausted(request, answer)
    if status >= 500 or status == 408:
        return Transient(
            f"{request.name} was answered {status}", remedy="repeat the run when GHL answers again"
        )
    # GHL itself answers in JSON: a page is that of the CDN before it (docs/ghl.md#versions).
    if not answer.is_json:
        return _blocked(request, answer)
    by_status = {400: _bad_request, 401: _unauthorized, 403: _forbidden, 404: _missing}
    return by_status.get(status, _invalid)(request, message(answer), answer)


def _not_json(request: Request, answer: Answer) -> ConnectorError:
    return Malformed(
        (
            f"{request.name} was answered {answer.status} with "
            f"{answer.headers.get('content-type', 'no type')}, not JSON"
        ),
        remedy="a gateway answered in GHL's place: repeat the run later",
    )


def _blocked(request: Request, answer: Answer) -> ConnectorError:
    return Blocked(
        f"{request.name} was refused by a gateway in front of GHL ({answer.status})",
        remedy=(
            "check the network's egress address and the User-Agent setting; "
            "GHL's CDN refuses some clients"
        ),
    )


def _exhausted(request: Request, answer: Answer) -> ConnectorError:
    quota = read_quota(answer.status, answer.headers)
    left = answer.headers.get("x-ratelimit-daily-remaining", "")
    if left.strip() != "0":
        burst = Exhausted(
            f"{request.name} was refused: too many requests",
            remedy="another integration may be using this location's quota",
            code="EXHAUSTED_BURST",
        )
        burst.until_seconds = quota.retry_after
        return burst
    day = Exhausted(
        f"{request.name} was refused: the daily quota is spent",
        remedy="run again after the quota resets",
        code="EXHAUSTED_DAY",
    )
    day.until_seconds = quota.day_resets_in
    if day.until_seconds is None:
        day.until_seconds = quota.retry_after
    return day


def _bad_request(request: Request, said: str, answer: Answer) -> ConnectorError:
    lower = said.lower()
    existing = None
    match answer.parsed():
        case {"meta": {"contactId": contact}}:
            existing = contact
    # A duplicate is a 400 that names the contact that is there (docs/ghl.md#errors).
    if "duplicate" in lower or existing:
        error = Duplicate(
            f"{request.name}: {said}", remedy="link the record to the one that exists"
        )
        error.key = existing
        return error
    if "does not belong to" in lower and "location" in lower:
        return _wrong_location(request, said)
    return _gone(request, said, answer) or _invalid(request, said, answer)


def _gone(request: Request, said: str, answer: Answer) -> ConnectorError | None:
    """What "not found" is proof of.

    It proves that the record is gone where the message names it, else nothing.
    """
    text = _text(answer)
    if not _GONE.search(text):
        return None
    if names_record(request.path, text):
        return NotFound(f"{request.name}: {said}")
    if re.search(r"\blocation\b", text, re.IGNORECASE):
        return _wrong_location(request, said)
    return Unnamed(
        f"{request.name}: {said}",
        remedy=(
            "repeat the run; GHL names the record that it does not find, "
            "so this may be the answer of a gateway"
        ),
    )


def _unauthorized(
    request: Request,
    said: str,
    answer: Answer,  # noqa: ARG001 - one signature
) -> ConnectorError:
    # Not every 401 is about the token (docs/ghl.md#errors). "Expired" stops the run and asks for a
    # login: it is concluded only where nothing else explains the words.
    lower = said.lower()
    if "scope" in lower:
        return Forbidden(
            f"{request.name}: the token lacks the scope ({said})",
            remedy="add the scope to the integration in GHL and authorise again",
        )
    if "version header" in lower:
        return InvalidField(
            f"{request.name}: {said}", remedy="set version to 2021-07-28 or v3", code="API_VERSION"
        )
    if _TIMED_OUT.search(said) and not _CREDENTIALS.search(said):
        return Transient(
            f"{request.name} was answered 401: {said}",
            remedy="repeat the run when GHL answers again",
        )
    if re.search(r"\bIAM\b", said):
        return InvalidField(
            f"{request.name}: {said}",
            remedy="GHL does not serve this to this kind of token: use an OAuth app",
            code="IAM",
        )
    if re.search(r"\bE01\b", said):
        return InvalidField(
            f"{request.name}: {said}",
            remedy="GHL misses a parameter, or does not know the path: report it",
            code="BAD_REQUEST",
        )
    if said and not _CREDENTIALS.search(said):
        return ConnectorError(
            f"{request.name} was answered 401: {said}",
            remedy=(
                "the credentials may be good: run doctor; if it stays, "
                "ask GHL's support with the trace id"
            ),
            code="UNAUTHORIZED",
        )
    return Expired(f"{request.name}: {said or 'unauthorized'}")


def _forbidden(request: Request, said: str, answer: Answer) -> ConnectorError:
    if "location" in said.lower():
        return _wrong_location(request, said)
    if "1010" in said or "cloudflare" in said.lower():
        return _blocked(request, answer)
    return Forbidden(
        f"{request.name}: {said or 'forbidden'}",
        remedy="check the token's scopes and its user's role in GHL",
    )


def _wrong_location(request: Request, said: str) -> ConnectorError:
    return WrongLocation(
        f"{request.name}: {said}",
        remedy="use a token of the configured location, or correct the location",
    )


def _missing(request: Request, said: str, answer: Answer) -> ConnectorError:
    error = _gone(request, said, answer)
    kinds = "|".join(_FOLDERS)
    if error is not None and re.search(rf"\b(?:{kinds}|location)\b", said, re.IGNORECASE):
        return error
    # The router's own 404, or a gateway's: no such route, or not under this version.
    return InvalidField(
        f"{request.name} is not served ({answer.status})",
        remedy="check the url and version settings: GHL answers 404 for a route of another version",
        code="ROUTE",
    )


def _invalid(request: Request, said: str, answer: Answer) -> ConnectorError:
    return InvalidField(
        f"{request.name} was answered {answer.status}: {said or 'no reason given'}",
        remedy="correct the value in the other system, or leave the field out of the mapping",
    )
