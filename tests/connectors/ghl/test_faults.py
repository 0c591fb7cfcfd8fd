"""Every failing answer of GHL that is known has a name, a remedy and its trace id; none repeats a person's values."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx
import pytest

from connectors.ghl.faults import explain, message, names_record
from connectors.http import Answer, Client, Request
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
    Uncertain,
    Unnamed,
    WrongLocation,
)
from reconcile.model import Entity, OpKind
from reconcile.ports import Write
from tests.connectors.ghl.fake_ghl import Script, answer, connector

REQUEST = Request("GET", "/contacts/k", endpoint="GET /contacts/{contact}")


def told(reply: httpx.Response) -> Answer:
    """An answer as the client hands it on."""
    return Answer(
        reply.status_code,
        {name.lower(): value for name, value in reply.headers.items()},
        reply.content,
    )


def said(status: int, text: Any, **more: Any) -> Answer:
    """GHL's error body."""
    return told(
        answer({"statusCode": status, "message": text, "traceId": "t-1", **more}, status=status)
    )


@pytest.mark.parametrize(
    ("reply", "kind", "code"),
    [
        (said(400, "Contact not found for id:k", error="Bad Request"), NotFound, "NOT_FOUND"),
        (said(400, "contact k is deleted"), NotFound, "NOT_FOUND"),
        (said(400, "contact is deleted"), Unnamed, "UNNAMED"),
        (said(400, "Contact not found for id:abc"), Unnamed, "UNNAMED"),
        (said(400, "User not found for id:k"), Unnamed, "UNNAMED"),
        (said(400, "Not found"), Unnamed, "UNNAMED"),
        (said(400, "Location not found"), WrongLocation, "WRONG_LOCATION"),
        (said(400, "Location not found for id:k"), WrongLocation, "WRONG_LOCATION"),
        (said(400, "This location does not allow duplicated contacts."), Duplicate, "DUPLICATE"),
        (said(400, ["locationId should not be empty"]), InvalidField, "INVALID_FIELD"),
        (said(400, "contact does not belong to location"), WrongLocation, "WRONG_LOCATION"),
        (said(400, "Invalid field colour"), InvalidField, "INVALID_FIELD"),
        (said(401, "Invalid token: access token is invalid"), Expired, "EXPIRED"),
        (said(401, "Invalid JWT"), Expired, "EXPIRED"),
        (said(401, "The token is not authorized for this scope."), Forbidden, "FORBIDDEN"),
        (
            said(401, "This authClass type is not allowed to access this scope"),
            Forbidden,
            "FORBIDDEN",
        ),
        (said(401, "version header is invalid"), InvalidField, "API_VERSION"),
        (said(401, ""), Expired, "EXPIRED"),
        (said(401, "Unauthorized"), Expired, "EXPIRED"),
        (said(401, "Command timed out"), Transient, "TRANSIENT"),
        (said(401, "token timed out"), Expired, "EXPIRED"),
        (
            said(
                401,
                "This route is not yet supported by the IAM Service. Please update your IAM config.",
            ),
            InvalidField,
            "IAM",
        ),
        (said(401, "E01 - Unauthorized request"), InvalidField, "BAD_REQUEST"),
        (said(401, "The moon is full"), ConnectorError, "UNAUTHORIZED"),
        (
            said(403, "The token does not have access to this location."),
            WrongLocation,
            "WRONG_LOCATION",
        ),
        (said(403, "Forbidden resource"), Forbidden, "FORBIDDEN"),
        (said(404, "Cannot GET /contacts/k"), InvalidField, "ROUTE"),
        (said(404, "Task not found"), Unnamed, "UNNAMED"),
        (said(404, "Contact not found for id:k"), NotFound, "NOT_FOUND"),
        (said(404, "Location not found"), WrongLocation, "WRONG_LOCATION"),
        (
            said(404, "Not Found"),
            InvalidField,
            "ROUTE",
        ),  # a gateway's: no proof that a record is gone
        (said(404, "no Route matched with those values"), InvalidField, "ROUTE"),
        (said(422, ["property gender should not exist"]), InvalidField, "INVALID_FIELD"),
        (said(422, "email must be an email"), InvalidField, "INVALID_FIELD"),
        (said(429, "Too Many Requests"), Exhausted, "EXHAUSTED_BURST"),
        (said(500, "oops"), Transient, "TRANSIENT"),
        (said(520, "oops"), Transient, "TRANSIENT"),
        (said(418, "teapot"), InvalidField, "INVALID_FIELD"),
    ],
)
def test_every_known_answer_has_a_name(
    reply: Answer, kind: type[ConnectorError], code: str
) -> None:
    """The registry behind docs/ghl.md#errors, with status and trace id kept."""
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
    error = explain(
        REQUEST, said(400, "This location does not allow duplicated contacts.", meta=meta)
    )
    assert isinstance(error, Duplicate)
    assert error.key == "c1"
    assert "ada" not in str(error)


def test_a_spent_day_is_told_from_a_burst() -> None:
    """Both are 429: the daily remainder in the headers tells them apart (docs/ghl.md#errors)."""
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


@pytest.mark.parametrize("id_of", ["aB3-x_9", "1234567890", "q1/../x"])
def test_a_record_is_named_by_its_whole_id(id_of: str) -> None:
    """An id that looks like a phone number, or that the path had to quote, is known again; a part of one is not."""
    path = f"/contacts/{quote(id_of, safe='')}"
    assert names_record(path, f"Contact not found for id:{id_of}")
    assert not names_record(path, f"Contact not found for id:{id_of}0")
    assert not names_record(path, f"Location not found for id:{id_of}")


@pytest.mark.parametrize(
    ("tasks", "there"),
    [([], False), ([{"id": "t1"}], True), ([{"id": "t1", "deleted": True}], False)],
)
def test_a_task_that_is_not_named_is_looked_for_in_its_contacts_list(
    tasks: list[Any], there: bool
) -> None:
    """A refusal that names no task proves nothing; the list of its contact does."""
    unnamed = answer({"statusCode": 400, "message": "Task not found"}, status=400)
    ghl = connector(
        Script(
            {
                ("GET", "/contacts/c1/tasks/t1"): [unnamed],
                ("GET", "/contacts/c1/tasks"): [answer({"tasks": tasks})],
            }
        )
    )
    if not there:
        assert ghl.read(Entity.TASK, "t1", "c1") is None
    else:
        with pytest.raises(Unnamed):
            ghl.read(Entity.TASK, "t1", "c1")


@pytest.mark.parametrize(
    ("entity", "path"), [(Entity.CONTACT, "/contacts/c1"), (Entity.NOTE, "/contacts/c1/notes/n1")]
)
def test_a_gateways_not_found_is_no_proof_that_a_record_is_gone(entity: Entity, path: str) -> None:
    """Whatever answers "Location not found" says nothing of the record, by key or in a list."""
    nowhere = answer({"statusCode": 400, "message": "Location not found"}, status=400)
    ghl = connector(Script({("GET", path): [nowhere], ("GET", "/contacts/c1/notes"): [nowhere]}))
    key, parent = ("c1", None) if entity is Entity.CONTACT else ("n1", "c1")
    with pytest.raises(WrongLocation):
        ghl.read(entity, key, parent)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("contact is deleted", "NOT_FOUND"),
        ("Contact not found", "NOT_FOUND"),
        ("tag not found", "INVALID_FIELD"),
        ("Location not found", "INVALID_FIELD"),
        ("contact id is not a valid firebase id", "INVALID_FIELD"),
        ("contact does not belong to location", "INVALID_FIELD"),
    ],
)
def test_an_item_of_a_tag_batch_is_gone_only_where_it_says_so_of_the_contact(
    said: str, code: str
) -> None:
    """The item names its contact by id; what is said of anything else is an ordinary refusal."""
    item = {"contactId": "c1", "type": "error", "message": said}
    bulk = answer(
        {"succeded": False, "errorCount": 2, "responses": [item, {**item, "contactId": "c2"}]},
        status=201,
    )
    ghl = connector(
        Script({("POST", "/contacts/bulk/tags/update/add"): [bulk]}),
        fields={Entity.CONTACT: ("email", "tags")},
    )
    writes = [
        Write(key, OpKind.ADD_TAGS, Entity.CONTACT, key, tags=("vip",)) for key in ("c1", "c2")
    ]
    assert {reply.code for reply in ghl.write(writes)} == {code}


@pytest.mark.parametrize("value", ["\u00b2", "-1", "1e9", "9" * 400, "soon", "nan"])
def test_a_senseless_wait_is_no_wait(value: str) -> None:
    """A waiting time that is no number of a day at most is not kept, and ends nothing."""
    headers = {
        "retry-after": value,
        "x-ratelimit-daily-remaining": "0",
        "x-ratelimit-daily-reset": value,
    }
    for day in (headers, headers | {"x-ratelimit-daily-remaining": "5"}):
        error = explain(REQUEST, Answer(429, day, b"{}"))
        assert isinstance(error, Exhausted)
        assert error.until_seconds is None


def test_the_remedy_for_a_refused_token_fits_its_kind() -> None:
    """A private integration token is not renewed by a login: its remedy is a new one; an OAuth token's is the login."""
    refused = said(401, "Invalid JWT")
    assert "auth login" in explain(REQUEST, refused).remedy  # type: ignore[union-attr]
    ghl = connector(lambda request: answer({"message": "Invalid JWT"}, status=401))
    with pytest.raises(Expired) as caught:
        ghl.describe()
    assert "auth login" not in caught.value.remedy
    assert "private integration" in caught.value.remedy.lower()


@pytest.mark.parametrize("replay", [True, False])
def test_p7_a_time_out_that_a_401_tells_is_sent_again_where_that_is_safe(replay: bool) -> None:
    """`Command timed out` with status 401 is a gateway's time-out: a read is repeated, a create left in doubt, no token renewed."""
    replies = [answer({"message": "Command timed out"}, status=401), answer({"contact": {}})]
    script = Script({("GET", "/x"): list(replies)})
    client = Client(
        "http://ghl.invalid",
        explain=explain,
        transport=httpx.MockTransport(script),
        sleep=lambda _: None,
    )
    request = Request("GET", "/x", endpoint="GET /x", replay=replay)
    if replay:
        assert client.send(request).status == 200
    else:
        with pytest.raises(Uncertain):
            client.send(request)
    assert len(script.asked) == (2 if replay else 1)
