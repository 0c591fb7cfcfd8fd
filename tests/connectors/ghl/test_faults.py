"""Every failing answer of GHL that is known has a name, a remedy and its trace id; none repeats a person's values."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from connectors.ghl.faults import explain, message
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
from tests.connectors.ghl.fake_ghl import answer

REQUEST = Request("GET", "/contacts/k", endpoint="GET /contacts/{contact}")


def told(reply: httpx.Response) -> Answer:
    """An answer as the client hands it on."""
    return Answer(reply.status_code, {name.lower(): value for name, value in reply.headers.items()}, reply.content)


def said(status: int, text: Any, **more: Any) -> Answer:
    """GHL's error body."""
    return told(answer({"statusCode": status, "message": text, "traceId": "t-1", **more}, status=status))


@pytest.mark.parametrize(
    ("reply", "kind", "code"),
    [
        (said(400, "Contact not found for id:abc", error="Bad Request"), NotFound, "NOT_FOUND"),
        (said(400, "contact is deleted"), NotFound, "NOT_FOUND"),
        (said(400, "This location does not allow duplicated contacts."), Duplicate, "DUPLICATE"),
        (said(400, ["locationId should not be empty"]), InvalidField, "INVALID_FIELD"),
        (said(400, "contact does not belong to location"), WrongLocation, "WRONG_LOCATION"),
        (said(400, "Invalid field colour"), InvalidField, "INVALID_FIELD"),
        (said(401, "Invalid token: access token is invalid"), Expired, "EXPIRED"),
        (said(401, "Invalid JWT"), Expired, "EXPIRED"),
        (said(401, "The token is not authorized for this scope."), Forbidden, "FORBIDDEN"),
        (said(401, "This authClass type is not allowed to access this scope"), Forbidden, "FORBIDDEN"),
        (said(401, "version header is invalid"), InvalidField, "API_VERSION"),
        (said(403, "The token does not have access to this location."), WrongLocation, "WRONG_LOCATION"),
        (said(403, "Forbidden resource"), Forbidden, "FORBIDDEN"),
        (said(404, "Cannot GET /contacts/k"), InvalidField, "ROUTE"),
        (said(404, "Task not found"), NotFound, "NOT_FOUND"),
        (said(404, "Not Found"), InvalidField, "ROUTE"),  # a gateway's: no proof that a record is gone
        (said(404, "no Route matched with those values"), InvalidField, "ROUTE"),
        (said(422, ["property gender should not exist"]), InvalidField, "INVALID_FIELD"),
        (said(422, "email must be an email"), InvalidField, "INVALID_FIELD"),
        (said(429, "Too Many Requests"), Exhausted, "EXHAUSTED_BURST"),
        (said(500, "oops"), Transient, "TRANSIENT"),
        (said(520, "oops"), Transient, "TRANSIENT"),
        (said(418, "teapot"), InvalidField, "INVALID_FIELD"),
    ],
)
def test_every_known_answer_has_a_name(reply: Answer, kind: type[ConnectorError], code: str) -> None:
    """The registry behind facts.md section 3, with status and trace id kept."""
    error = explain(REQUEST, reply)
    assert type(error) is kind
    assert (error.code, error.status, error.trace_id) == (code, reply.status, "t-1")


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (told(httpx.Response(403, text="<html>error code: 1010</html>")), Blocked),
        (told(httpx.Response(404, text="<html>")), Blocked),
        (told(httpx.Response(200, text="<!DOCTYPE html>")), Malformed),
        (told(httpx.Response(200, text='{"contact": {"id"')), Malformed),
        (told(httpx.Response(503, text="<html>")), Transient),
    ],
)
def test_answers_that_are_not_ghls_own(reply: Answer, kind: type[ConnectorError]) -> None:
    """What is not JSON comes from a gateway, or was cut off on its way."""
    assert type(explain(REQUEST, reply)) is kind


def test_a_good_answer_is_no_error() -> None:
    """200, 201 and an empty 204 pass."""
    for reply in (answer({}), answer({}, status=201), httpx.Response(204)):
        assert explain(REQUEST, told(reply)) is None


def test_a_duplicate_names_the_contact() -> None:
    """The id stands in meta; the name beside it is never repeated."""
    meta = {"contactId": "c1", "contactName": "ada lovelace", "matchingField": "email"}
    error = explain(REQUEST, said(400, "This location does not allow duplicated contacts.", meta=meta))
    assert isinstance(error, Duplicate)
    assert error.key == "c1"
    assert "ada" not in str(error)


def test_a_spent_day_is_told_from_a_burst() -> None:
    """Both are 429: the daily remainder in the headers tells them apart (facts.md section 3)."""
    day = {"x-ratelimit-daily-remaining": "0", "x-ratelimit-daily-reset": "3600000"}
    error = explain(REQUEST, told(answer({}, status=429, **day)))
    assert isinstance(error, Exhausted)
    assert (error.code, error.until_seconds) == ("EXHAUSTED_DAY", 3600.0)
    burst = explain(REQUEST, told(answer({}, status=429, **{"retry-after": "3"})))
    assert isinstance(burst, Exhausted)
    assert (burst.code, burst.until_seconds) == ("EXHAUSTED_BURST", 3.0)


@pytest.mark.parametrize(
    "text",
    [
        "email ada@example.com is invalid",
        "phone +1 (415) 555-0100 is invalid",
        'value "Ada Lovelace" is not allowed',
        "value 'Ada Lovelace' is not allowed",
    ],
)
def test_a_persons_values_are_taken_out(text: str) -> None:
    """Names of fields stay, what looks like a value does not."""
    shown = message(said(422, [text]))
    assert "…" in shown
    assert not any(part in shown for part in ("ada@", "555", "Lovelace"))


def test_a_long_message_is_cut() -> None:
    """A page of text is no message."""
    assert len(message(said(422, "x" * 5000))) <= 300


@pytest.mark.parametrize("body", [["bad"], "Bad Request", 5, None])
def test_an_error_whose_body_is_no_object_is_a_failure_as_any(body: Any) -> None:
    """A gateway may answer JSON of any kind: it fails one request, not the run."""
    error = explain(REQUEST, told(answer(body, status=400)))
    assert type(error) is InvalidField
