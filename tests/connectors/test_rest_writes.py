"""What the REST connector sends so that a write takes nothing else away, and what it makes of an answer to it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from connectors.rest import (
    AuthSettings,
    EndpointSettings,
    PagerSettings,
    RestConnector,
    RestSettings,
)
from connectors.rest.auth import Unlogged
from reconcile.errors import Blocked, ConfigError, Expired, Forbidden
from reconcile.model import Entity, OpKind, Status
from reconcile.ports import Json, Proof, Reply, Write

HOST = "https://api.example.test"
Answers = Callable[[httpx.Request], httpx.Response]
Open = Callable[..., RestConnector]


@pytest.fixture
def open_api() -> Iterator[Open]:
    """Opens a connector whose requests a function answers; closes it after the test."""
    held: list[RestConnector] = []

    def opened(answers: Answers, auth: AuthSettings | None = None, **more: Any) -> RestConnector:
        people = EndpointSettings("/people", **more)
        names = ("email", "phone", *(["tags"] if people.tags else []))
        fields = {Entity.CONTACT: names}
        pager = PagerSettings("none")
        settings = RestSettings(
            HOST,
            {Entity.CONTACT: people},
            auth or AuthSettings(),
            pager,
            fields,
            requests=1_000_000,
        )
        held.append(
            RestConnector(
                settings, transport=httpx.MockTransport(answers), sleep=lambda seconds: None
            )
        )
        return held[-1]

    yield opened
    for connector in held:
        connector.close()


class People:
    """An API with one person, whose PUT takes away what it does not name; `shown` limits what an item answer shows."""

    def __init__(self, record: dict[str, Any], shown: set[str] | None = None) -> None:
        self.record = record
        self.shown = set(record) if shown is None else shown
        self.sent: list[dict[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """The answer to a request."""
        if request.method in ("PUT", "PATCH"):
            self.sent.append(json.loads(request.content))
            kept = {"id": self.record["id"]} if request.method == "PUT" else self.record
            self.record = {**kept, **self.sent[-1]}
        if request.url.path == "/people":
            return httpx.Response(200, json=[self.record])
        return httpx.Response(
            200, json={name: held for name, held in self.record.items() if name in self.shown}
        )


def ann(**more: Any) -> People:
    """One person with a member that nobody mapped."""
    return People({"id": 1, "email": "ann@example.test", "phone": "+491", "secret": "kept", **more})


def one(
    connector: RestConnector, kind: OpKind, *tags: str, version: str | None = None, **fields: Json
) -> Reply:
    """The reply to one write."""
    key = None if kind is OpKind.CREATE else "1"
    [reply] = connector.write(
        [Write("op", kind, Entity.CONTACT, key, fields=fields, tags=tags, version=version)]
    )
    return reply


# The whole record, or a part.


def test_a_change_of_tags_takes_nothing_else_away(open_api: Open) -> None:
    """Where the whole record is sent, it goes with the tags too."""
    people = ann(tags=["old"])
    reply = one(open_api(people, send="whole", tags="tags"), OpKind.ADD_TAGS, "new")
    assert reply.status is Status.DONE
    assert people.record == {**ann().record, "tags": ["old", "new"]}


def test_archiving_takes_nothing_else_away(open_api: Open) -> None:
    """Where the whole record is sent, it goes with the mark too; one that is marked already is left alone."""
    people = ann(gone=False)
    connector = open_api(people, send="whole", archive={"gone": True})
    assert [one(connector, OpKind.ARCHIVE).status for _ in range(2)] == [Status.DONE, Status.DONE]
    assert people.sent == [{**ann().record, "gone": True}]


def test_an_archive_of_another_version_is_stale(open_api: Open) -> None:
    """The whole record is archived only as the plan saw it."""
    people = ann(gone=False, v=2)
    connector = open_api(people, send="whole", archive={"gone": True}, version="v")
    assert (one(connector, OpKind.ARCHIVE, version="1").status, people.sent) == (Status.STALE, [])


@pytest.mark.parametrize(
    ("more", "body"),
    [
        ({}, {**ann().record, "email": "b@example.test"}),
        ({"update": "PATCH"}, {"email": "b@example.test"}),
        ({"send": "changed"}, {"email": "b@example.test"}),
        ({"update": "PATCH", "send": "whole"}, {**ann().record, "email": "b@example.test"}),
    ],
    ids=["put", "patch", "put changed", "patch whole"],
)
def test_put_sends_the_whole_record_unless_told(
    open_api: Open, more: dict[str, Any], body: dict[str, Any]
) -> None:
    """PUT replaces a record and PATCH changes it, so that each takes what it stands for by default."""
    people = ann()
    one(open_api(people, **more), OpKind.UPDATE, email="b@example.test")
    assert people.sent == [body]


# Tags.

VIP = {"id": 3, "name": "VIP", "colour": "red", "weight": 0.12345678901234567}


@pytest.mark.parametrize(
    ("tags", "more", "told"),
    [
        ("gold, newsletter", {}, "expected a list of tags"),
        ({"first": "gold"}, {}, "expected a list of tags"),
        ([VIP], {}, "expected tags that are texts"),
        (["gold"], {"tag_name": "name"}, "expected tags that are objects"),
        ([["gold"]], {"tag_name": "name"}, "expected tags that are objects"),
    ],
    ids=["text", "object", "objects", "texts", "lists"],
)
@pytest.mark.parametrize("update", ["PUT", "PATCH"])
def test_tags_in_another_form_are_not_read_and_not_written(
    open_api: Open, update: str, tags: Json, more: dict[str, str], told: str
) -> None:
    """Such a record is quarantined with the reason, a description tells it, and a change of its tags is refused unsent."""
    people = ann(tags=tags)
    connector = open_api(people, update=update, tags="tags", **more)
    *_, proof = connector.extract(Entity.CONTACT)
    assert isinstance(proof, Proof)
    assert told in proof.quarantined[0]
    with pytest.raises(ConfigError, match=told):
        connector.describe()
    reply = one(connector, OpKind.ADD_TAGS, "new")
    assert (reply.status, reply.code, people.sent) == (Status.REJECTED, "MALFORMED", [])
    assert told in reply.detail


@pytest.mark.parametrize("tags", [None, " ", []])
def test_blank_tags_are_none(open_api: Open, tags: Json) -> None:
    """A record without any gets its first one."""
    people = ann(tags=tags)
    assert one(open_api(people, tags="tags"), OpKind.ADD_TAGS, "new").status is Status.DONE
    assert people.record["tags"] == ["new"]


@pytest.mark.parametrize("kind", [OpKind.ADD_TAGS, OpKind.REMOVE_TAGS])
def test_tags_that_an_item_does_not_show_are_not_changed(open_api: Open, kind: OpKind) -> None:
    """Where only the list shows them, one more would be all: the change is refused with nothing sent."""
    people = ann(tags=["vip"])
    people.shown = {"id", "email", "phone"}
    reply = one(open_api(people, update="PATCH", tags="tags"), kind, "new")
    assert (reply.status, people.sent) == (Status.REJECTED, [])
    assert "does not show its tags" in reply.detail


def test_tags_that_stay_go_back_as_they_are(open_api: Open) -> None:
    """An object keeps its other members, digit by digit; a new one has a name alone."""
    people = ann(tags=[VIP, {"id": 4, "name": "old"}])
    connector = open_api(people, update="PATCH", tags="tags", tag_name="name")
    one(connector, OpKind.ADD_TAGS, "new", "vip")
    one(connector, OpKind.REMOVE_TAGS, "Old", "none")
    assert [body["tags"] for body in people.sent] == [
        [VIP, {"id": 4, "name": "old"}, {"name": "new"}],
        [VIP, {"name": "new"}],
    ]


def test_a_tag_request_answered_without_tags_claims_none(open_api: Open) -> None:
    """What neither the answer nor a read shows is not told as an empty list."""
    people = ann()
    reply = one(
        open_api(people, tags="tags", add_tags="POST /people/{key}/tags"), OpKind.ADD_TAGS, "new"
    )
    assert reply.status is Status.DONE
    assert reply.record is not None
    assert "tags" not in reply.record.fields


# Numbers.


@pytest.mark.parametrize(
    ("held", "written", "sent"),
    [
        ("12.50", "13.7500000000000000001", "13.7500000000000000001"),
        ("5", "6.5", "6.5"),
        ('"12.50"', "13.75", '"13.75"'),
        ("12.50", "007", '"007"'),
        ("12.50", "n/a", '"n/a"'),
        ("null", "13.75", '"13.75"'),
        ("true", "1", '"1"'),
    ],
)
@pytest.mark.parametrize("update", ["PUT", "PATCH"])
def test_a_number_goes_back_as_a_number(
    open_api: Open, update: str, held: str, written: str, sent: str
) -> None:
    """Text that is a number is one again, digit by digit, where the record holds a number, and nowhere else."""
    bodies: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method != "GET":
            bodies.append(request.content)
            return httpx.Response(422, json={"message": f"not {written}"})
        return httpx.Response(200, content=b'{"id":1,"phone":%s}' % held.encode())

    reply = one(open_api(answer, update=update), OpKind.UPDATE, phone=written)
    assert b'"phone":' + sent.encode() in bodies[0]
    assert written not in reply.detail or len(written) < 3


@pytest.mark.parametrize("parent", [5, "5"])
def test_a_parent_goes_as_others_are_held(open_api: Open, parent: Json) -> None:
    """A new record names its contact as the listed ones do, 5 or "5"."""
    bodies: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        row = {"id": 7, "email": "b@example.test", "phone": None, "owner": parent}
        if request.method == "GET":
            return httpx.Response(200, json=[row])
        bodies.append(json.loads(request.content))
        return httpx.Response(201, json=row)

    connector = open_api(answer, parent="owner")
    list(connector.extract(Entity.CONTACT))
    list(
        connector.write(
            [
                Write(
                    "op",
                    OpKind.CREATE,
                    Entity.CONTACT,
                    parent="5",
                    fields={"email": "b@example.test"},
                )
            ]
        )
    )
    assert bodies == [{"email": "b@example.test", "owner": parent}]


# Another record.


@pytest.mark.parametrize("kind", [OpKind.UPDATE, OpKind.ADD_TAGS, OpKind.ARCHIVE])
def test_what_came_under_another_key_is_not_sent_to_this_one(open_api: Open, kind: OpKind) -> None:
    """After a merge the API gives the record that is left: nothing of it is written to the one asked for."""
    people = ann(id=9, tags=[], gone=False)
    connector = open_api(people, tags="tags", archive={"gone": True})
    fields: dict[str, Json] = {"email": "b@example.test"} if kind is OpKind.UPDATE else {}
    reply = one(connector, kind, *(["new"] if kind is OpKind.ADD_TAGS else []), **fields)
    assert (reply.status, reply.key, people.sent) == (Status.REJECTED, "1", [])
    assert "asked for the record 1, another came: 9" in reply.detail


@pytest.mark.parametrize("read", [1, 99])
def test_an_answer_about_another_record_tells_nothing(open_api: Open, read: int) -> None:
    """The record is read back; where that gives another one too, what became of the write is not known."""

    def answer(request: httpx.Request) -> httpx.Response:
        key = read if request.method == "GET" else 99
        return httpx.Response(200, json={"id": key, "email": "b@example.test", "phone": None})

    reply = one(open_api(answer, update="PATCH"), OpKind.UPDATE, email="b@example.test")
    assert (reply.status, reply.key) == (Status.DONE if read == 1 else Status.UNCERTAIN, "1")


# What an answer shows.


@pytest.mark.parametrize("member", ["tags", "v"])
@pytest.mark.parametrize("kind", [OpKind.CREATE, OpKind.UPDATE])
def test_an_answer_without_tags_or_version_is_not_all(
    open_api: Open, member: str, kind: OpKind
) -> None:
    """What it leaves out is read."""
    whole = {"id": 1, "email": "b@example.test", "phone": None, "tags": ["a"], "v": 7}

    def answer(request: httpx.Request) -> httpx.Response:
        part = {name: held for name, held in whole.items() if name != member}
        return httpx.Response(200, json=whole if request.method == "GET" else part)

    reply = one(
        open_api(answer, update="PATCH", tags="tags", version="v"), kind, email="b@example.test"
    )
    assert reply.record is not None
    assert (reply.record.fields["tags"], reply.record.version) == (["a"], "7")


@pytest.mark.parametrize(
    ("status", "body", "became"),
    [
        (202, {"id": "job-7", "status": "queued"}, Status.UNCERTAIN),
        (202, {"id": "job-7", "email": "b@example.test"}, Status.UNCERTAIN),
        (200, {"id": "job-7", "status": "queued"}, Status.UNCERTAIN),
        (200, {"id": "7", "email": "b@example.test"}, Status.DONE),
        (201, {"id": "7"}, Status.DONE),
    ],
)
def test_a_job_is_not_a_record(open_api: Open, status: int, body: Json, became: Status) -> None:
    """An answer that only accepts a create, or shows nothing of it, names no record that cannot be read."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return (
                httpx.Response(200, json=[])
                if request.url.path == "/people"
                else httpx.Response(404, json={})
            )
        return httpx.Response(status, json=body)

    reply = one(open_api(answer), OpKind.CREATE, email="b@example.test")
    assert (reply.status, reply.key) == (became, "7" if became is Status.DONE else None)


@pytest.mark.parametrize(
    ("version", "named"), [("abc", '"abc"'), ('"abc"', '"abc"'), ('W/"abc"', 'W/"abc"')]
)
def test_a_version_is_quoted_once(open_api: Open, version: str, named: str) -> None:
    """If-Match takes an entity tag as it is, and any other version in quotes."""
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("if-match", ""))
        return httpx.Response(200, json={"id": 1, "email": "b@example.test", "phone": None})

    one(
        open_api(answer, update="PATCH", if_match=True),
        OpKind.UPDATE,
        version=version,
        email="b@example.test",
    )
    assert seen[0] == named


# What is forbidden.


def updates(count: int) -> list[Write]:
    """As many writes, each of its own record."""
    fields: dict[str, Json] = {"email": "b@example.test"}
    return [
        Write(str(n), OpKind.UPDATE, Entity.CONTACT, str(n), fields=fields)
        for n in range(1, count + 1)
    ]


def locks(locked: Callable[[int], bool], refusal: httpx.Response | None = None) -> Answers:
    """An API in which some records are locked."""

    def answer(request: httpx.Request) -> httpx.Response:
        key = int(request.url.path.rpartition("/")[2])
        if not locked(key):
            return httpx.Response(200, json={"id": key, "email": "b@example.test", "phone": None})
        return refusal or httpx.Response(403, json={"message": "b@example.test is locked"})

    return answer


def test_a_locked_record_stops_no_other_write(open_api: Open) -> None:
    """A 403 about one record is its own, quoted without what was sent, however many of them there are among others."""
    connector = open_api(locks(lambda key: key % 3 == 1), update="PATCH")
    replies = {reply.op_id: reply for reply in connector.write(updates(24))}
    refused = [reply for reply in replies.values() if reply.status is not Status.DONE]
    assert (len(replies), len(refused)) == (24, 8)
    assert {(reply.status, reply.code) for reply in refused} == {(Status.REJECTED, "FORBIDDEN")}
    assert all(reply.detail.endswith("answered 403: … is locked") for reply in refused)


def test_nothing_but_locked_records_ends_the_writing(open_api: Open) -> None:
    """Five in a row say that the credentials lack the right: what is not sent yet never is."""
    replies = open_api(locks(lambda key: True), update="PATCH").write(updates(50))
    assert [next(replies).status for _ in range(5)] == [Status.REJECTED] * 5
    with pytest.raises(Forbidden, match="is locked"):
        assert len(list(replies)) > 10


def test_a_gateways_page_ends_the_writing_at_once(open_api: Open) -> None:
    """A 403 without JSON is not about a record."""
    connector = open_api(
        locks(lambda key: True, httpx.Response(403, text="<html>")), update="PATCH"
    )
    with pytest.raises(Blocked):
        list(connector.write(updates(1)))


def test_what_is_written_and_cannot_be_read_back_is_uncertain(open_api: Open) -> None:
    """A refusal of the read after the write does not say that the write was refused."""

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(403, json={}) if request.method == "GET" else httpx.Response(204)

    assert (
        one(open_api(answer, update="PATCH"), OpKind.UPDATE, email="b@example.test").status
        is Status.UNCERTAIN
    )


# Credentials.


@pytest.mark.parametrize("status", [400, 401, 403])
def test_refused_client_credentials_are_expired(open_api: Open, status: int) -> None:
    """The token endpoint refuses a client with 400 as well as with 401 (RFC 6749 section 5.2)."""
    auth = AuthSettings(
        "client_credentials", client_id="me", client_secret="hush-hush", token_url="/token"
    )
    connector = open_api(
        lambda request: httpx.Response(status, json={"error": "invalid_client"}), auth
    )
    with pytest.raises(Expired, match="client id") as raised:
        list(connector.write(updates(1)))
    assert "hush-hush" not in str(raised.value)


@pytest.mark.parametrize("written", ["s3c+r/t= x", "s3c%2Br%2Ft%3D%20x", "s3c%2Br%2Ft%3D+x"])
def test_no_form_of_a_key_is_logged(written: str) -> None:
    """A key that travels in the query is taken out of a log line as it is and as a query writes it."""
    record = logging.LogRecord(
        "httpx", logging.INFO, "", 0, "GET %s", (f"{HOST}/people?key={written}&page=1",), None
    )
    assert Unlogged("s3c+r/t= x").filter(record)
    assert record.getMessage() == f"GET {HOST}/people?key=…&page=1"
