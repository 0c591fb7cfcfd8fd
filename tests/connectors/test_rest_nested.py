"""A change inside an object or a list takes nothing beside it away, whether the API merges what it is sent or replaces it."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest

from connectors.rest import EndpointSettings, PagerSettings, RestConnector, RestSettings
from reconcile.model import Entity, OpKind, Status
from reconcile.ports import Json, Reply, Write
from tests.connectors.shop_api import merge

ANN: Mapping[str, Any] = {
    "id": 1,
    "address": {"city": "Rome", "zip": "00184", "geo": {"lat": 41.89, "lon": 12.49}},
    "emails": [
        {"type": "work", "value": "ann@work.test"},
        {"type": "home", "value": "ann@home.test", "main": True},
    ],
    "meta": {"tags": ["old"], "owner": 7, "hidden": False, "revision": 3},
}
FIELDS = ("address.city", "address.geo.lat", "emails[type=work].value")


class Person:
    """An API with one person; its PATCH replaces each member that it is sent, or merges objects into what is there."""

    def __init__(self, *, merges: bool = False, drops: str = "", hides: str = "") -> None:
        self.record: dict[str, Any] = copy.deepcopy(dict(ANN))
        self.merges = merges
        self.drops = drops
        self.hides = hides
        self.seen: list[tuple[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """The answer to a request."""
        body = json.loads(request.content) if request.content else None
        self.seen.append((request.method, body))
        if request.method == "PATCH":
            if self.merges:
                merge(self.record, body)
            else:
                self.record |= body
            self.record["address"].pop(self.drops, None)
            shown = copy.deepcopy(self.record)
            shown["address"].pop(self.hides, None)
            return httpx.Response(200, json=shown)
        return httpx.Response(
            200, json=[self.record] if request.url.path == "/people" else self.record
        )

    @property
    def methods(self) -> list[str]:
        """What was asked, by verb."""
        return [method for method, _ in self.seen]


def opened(person: Person, **more: Any) -> RestConnector:
    """A connector to that API, whose updates are PATCH."""
    settings = RestSettings(
        "https://api.example.test",
        {Entity.CONTACT: EndpointSettings("/people", update="PATCH", **more)},
        pager=PagerSettings("none"),
        fields={Entity.CONTACT: (*FIELDS, *(["tags"] if "tags" in more else []))},
        requests=1_000_000,
    )
    return RestConnector(
        settings, transport=httpx.MockTransport(person), sleep=lambda seconds: None
    )


def write(
    connector: RestConnector, kind: OpKind, *tags: str, version: str | None = None, **fields: Json
) -> Reply:
    """The reply to one write."""
    named = {name.replace("__", "."): value for name, value in fields.items()}
    [reply] = connector.write(
        [Write("op", kind, Entity.CONTACT, "1", fields=named, tags=tags, version=version)]
    )
    return reply


@pytest.fixture(params=[(False, False), (True, False), (True, True), (False, True)], ids=str)
def either(request: pytest.FixtureRequest) -> Iterator[tuple[Person, RestConnector]]:
    """An API that replaces or merges, and a connector that is told that it merges, or not: also where that is wrong."""
    merges, told = request.param
    person = Person(merges=merges)
    connector = opened(person, merge_patch=told, tags="meta.tags", archive={"meta.hidden": True})
    yield person, connector
    connector.close()


def expected(place: str, value: Json) -> dict[str, Any]:
    """Ann, with one member of an object changed."""
    record: dict[str, Any] = copy.deepcopy(dict(ANN))
    *way, last = place.split(".")
    holder = record
    for step in way:
        holder = holder[step]
    holder[last] = value
    return record


@pytest.mark.parametrize(
    ("place", "value"),
    [("address.city", "Cork"), ("address.city", None), ("address.geo.lat", 51.9)],
)
def test_a_change_in_an_object_takes_nothing_beside_it_away(
    either: tuple[Person, RestConnector], place: str, value: Json
) -> None:
    """Its siblings stay, at every depth, whether the value is changed or cleared."""
    person, connector = either
    [reply] = connector.write(
        [Write("op", OpKind.UPDATE, Entity.CONTACT, "1", fields={place: value})]
    )
    assert reply.status is Status.DONE
    assert person.record == expected(place, value)


def test_a_change_in_a_list_takes_no_other_member_away(
    either: tuple[Person, RestConnector],
) -> None:
    """The second address stays, with all that it says: a list is replaced as a whole, also by a merge patch."""
    person, connector = either
    fields = {"emails[type=work].value": "new@work.test"}
    [reply] = connector.write([Write("op", OpKind.UPDATE, Entity.CONTACT, "1", fields=fields)])
    assert reply.status is Status.DONE
    work = {"type": "work", "value": "new@work.test"}
    assert person.record == {**ANN, "emails": [work, ANN["emails"][1]]}


def test_tags_and_archive_marks_in_an_object_take_nothing_away(
    either: tuple[Person, RestConnector],
) -> None:
    """What lies beside the tags, and beside the mark of an archived record, stays."""
    person, connector = either
    assert write(connector, OpKind.ADD_TAGS, "new").status is Status.DONE
    assert person.record == expected("meta.tags", ["old", "new"])
    assert write(connector, OpKind.ARCHIVE).status is Status.DONE
    assert person.record["meta"] == {**ANN["meta"], "tags": ["old", "new"], "hidden": True}


@pytest.mark.parametrize("merges", [False, True])
def test_a_version_in_an_object_takes_nothing_away(merges: bool) -> None:
    """The version that a write names lies beside other members: they go with it."""
    person = Person(merges=merges)
    connector = opened(person, version="meta.revision", version_member="meta.revision")
    assert write(connector, OpKind.UPDATE, version="3", address__city="Cork").status is Status.DONE
    assert person.record == expected("address.city", "Cork")
    connector.close()


@pytest.mark.parametrize("told", [False, True])
def test_what_is_lost_all_the_same_is_told(told: bool) -> None:
    """Where the API takes a sibling away whatever it is sent, the write is refused by name, and nobody hears that it is done."""
    person = Person(drops="zip")
    connector = opened(person, merge_patch=told)
    reply = write(connector, OpKind.UPDATE, address__city="Cork")
    assert (reply.status, reply.code) == (Status.REJECTED, "SIBLINGS_LOST")
    assert "address.zip" in reply.detail
    connector.close()


@pytest.mark.parametrize("told", [False, True])
def test_what_an_answer_does_not_show_is_not_lost(told: bool) -> None:
    """An answer that shows less than there is claims nothing: the record is read before anything is said of it."""
    person = Person(merges=True, hides="zip")
    connector = opened(person, merge_patch=told)
    assert write(connector, OpKind.UPDATE, address__city="Cork").status is Status.DONE
    assert person.record == expected("address.city", "Cork")
    connector.close()


def test_an_api_that_merges_is_looked_at_once() -> None:
    """Told that it merges, the connector sees that once, and then sends what changed alone, without a read before it."""
    person = Person(merges=True)
    connector = opened(person, merge_patch=True)
    for city in ("Cork", "Bath"):
        write(connector, OpKind.UPDATE, address__city=city)
    sent = [body for method, body in person.seen if method == "PATCH"]
    assert sent == [{"address": {"city": "Cork"}}, {"address": {"city": "Bath"}}]
    assert person.methods == ["GET", "PATCH", "PATCH"]
    connector.close()


def test_a_record_that_moved_meanwhile_is_stale() -> None:
    """What the plan expected is compared with what was read before the write, as for a whole record."""
    person = Person()
    connector = opened(person)
    expects = {"address.city": "Oslo"}
    wanted = Write(
        "op", OpKind.UPDATE, Entity.CONTACT, "1", fields={"address.city": "Cork"}, expected=expects
    )
    [reply] = connector.write([wanted])
    assert (reply.status, person.methods.count("PATCH")) == (Status.STALE, 0)
    connector.close()


@pytest.mark.parametrize(
    ("more", "updates"),
    [({}, 2.0), ({"merge_patch": True}, 2.0), ({"send": "whole"}, 2.0)],
    ids=["nested", "merging, with a list", "whole"],
)
def test_the_read_before_a_change_is_in_its_costs(more: dict[str, Any], updates: float) -> None:
    """A look at the record before each update counts as a request; creates and deletes need none."""
    connector = opened(Person(), **more)
    costs = connector.describe().costs
    assert (costs[OpKind.UPDATE], costs[OpKind.CREATE], costs[OpKind.DELETE]) == (updates, 1.0, 1.0)
    connector.close()
