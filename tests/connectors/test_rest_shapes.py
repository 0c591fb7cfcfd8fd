"""What real APIs do in forms of their own: a contact in a list, links of a create, labels by id, properties on request, pages in a header."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from connectors.contract import create
from connectors.rest import (
    AuthSettings,
    EndpointSettings,
    PagerSettings,
    RestConnector,
    RestSettings,
)
from connectors.rest.places import filled_in, find_all, merge, parse
from reconcile.model import Entity, OpKind, Status
from reconcile.ports import Page, Proof, Record, Write
from tests.connectors.api_stubs import TOKEN, Airtable, HubSpot, Kinto, Pipedrive, Stub
from tests.connectors.shop_api import served

BEARER = AuthSettings("bearer", token=TOKEN)


@contextmanager
def connected(
    stub: Stub,
    settings: dict[Entity, EndpointSettings],
    fields: dict[Entity, tuple[str, ...]],
    **more: Any,
) -> Iterator[RestConnector]:
    """A connector on a stub that is served."""
    more = {"auth": BEARER, "requests": 10_000, **more}
    with served(stub.app()) as url:
        connector = RestConnector(RestSettings(url, settings, fields=fields, **more))
        yield connector
        connector.close()


def extracted(connector: RestConnector, entity: Entity) -> tuple[int, Proof]:
    *pages, proof = connector.extract(entity)
    assert isinstance(proof, Proof)
    return sum(page.rows for page in pages if isinstance(page, Page)), proof


def record(connector: RestConnector, entity: Entity, key: str) -> Record:
    held = connector.read(entity, key)
    assert held is not None
    return held


TODO = EndpointSettings(
    "/v0/appBase/Todos",
    items="records",
    update="PATCH",
    merge_patch=True,
    parent="fields.Person",
    create_link={"fields": {"Person": ["{parent}"]}},
)


def test_a_contact_that_stands_in_a_list() -> None:
    """The contact of a linked record is the one in its list; a new record names it in the declared form."""
    stub = Airtable()
    stub.put("Todos", "t1", {"id": "t1", "fields": {"Title": "Visit", "Person": ["p1"]}})
    with connected(stub, {Entity.TASK: TODO}, {Entity.TASK: ("fields.Title",)}) as connector:
        assert record(connector, Entity.TASK, "t1").parent == "p1"
        [reply] = connector.write([create(Entity.TASK, {"fields.Title": "Call"}, parent="p2")])
        assert (reply.status, reply.record and reply.record.parent) == (Status.DONE, "p2")
    posted = [body for method, _, body in stub.seen if method == "POST"]
    assert posted == [{"fields": {"Title": "Call", "Person": ["p2"]}}]


def test_a_record_of_several_contacts_is_set_aside() -> None:
    """Which of two contacts a task is to belong to is not guessed: it is told, and the extraction is not all there is."""
    stub = Airtable()
    stub.put("Todos", "t1", {"id": "t1", "fields": {"Title": "Visit", "Person": ["p1", "p2"]}})
    stub.put("Todos", "t2", {"id": "t2", "fields": {"Title": "Call", "Person": ["p1"]}})
    with connected(stub, {Entity.TASK: TODO}, {Entity.TASK: ("fields.Title",)}) as connector:
        rows, proof = extracted(connector, Entity.TASK)
    assert (rows, proof.complete) == (1, False)
    assert "names 2 contacts" in proof.quarantined[0]


PERSON = EndpointSettings(
    "/api/v2/persons",
    items="data",
    envelope="data",
    wrap="",
    update="PATCH",
    tags="label_ids",
    tag_ids={"Customer": 5, "VIP": 6},
)
KEY = AuthSettings("api_key", token=TOKEN, header="x-api-token")


def _person(**more: Any) -> Pipedrive:
    stub = Pipedrive()
    stub.put(
        "persons", "1", {"id": 1, "name": "Ann Lee", "label_ids": [5], "is_deleted": False, **more}
    )
    return stub


def test_labels_by_their_ids() -> None:
    """A label's id is read as its name and written as the number that it is."""
    stub = _person()
    with connected(
        stub, {Entity.CONTACT: PERSON}, {Entity.CONTACT: ("name", "tags")}, auth=KEY
    ) as connector:
        assert record(connector, Entity.CONTACT, "1").fields["tags"] == ["Customer"]
        for kind, tags, after in (
            (OpKind.ADD_TAGS, ("vip",), [5, 6]),
            (OpKind.REMOVE_TAGS, ("customer",), [6]),
        ):
            [reply] = connector.write([Write("op", kind, Entity.CONTACT, "1", tags=tags)])
            assert reply.status is Status.DONE
            assert stub.rows["persons"]["1"]["label_ids"] == after
        assert "label_ids" in stub.seen[-1][2] or stub.seen[-1][0] == "GET"


def test_a_label_without_a_name_or_an_id() -> None:
    """A label that is not declared makes its record unreadable; a tag that has no id is refused, with the reason."""
    stub = _person(label_ids=[5, 99])
    with connected(
        stub, {Entity.CONTACT: PERSON}, {Entity.CONTACT: ("name", "tags")}, auth=KEY
    ) as connector:
        _, proof = extracted(connector, Entity.CONTACT)
        assert (proof.complete, "the tag 99" in proof.quarantined[0]) == (False, True)
        stub.rows["persons"]["1"]["label_ids"] = [5]
        [reply] = connector.write(
            [Write("op", OpKind.ADD_TAGS, Entity.CONTACT, "1", tags=("new",))]
        )
        assert (reply.status, reply.code) == (Status.REJECTED, "INVALID_FIELD")
        assert "no id is declared" in reply.detail
        assert stub.rows["persons"]["1"]["label_ids"] == [5]


def test_one_record_is_asked_for_what_the_list_shows() -> None:
    """Without `item_params` the doctor says what a record by its key does not show; with them it is compared and read."""
    stub = HubSpot()
    stub.put("contacts", "1", {"properties": {"firstname": "Ann"}, "updatedAt": stub.stamp()})
    asked = {"properties": "firstname"}
    endpoint = EndpointSettings(
        "/crm/v3/objects/contacts", items="results", params=asked, item_params=asked
    )
    fields = {Entity.CONTACT: ("properties.firstname",)}
    with connected(stub, {Entity.CONTACT: endpoint}, fields) as connector:
        assert "properties.firstname" in connector.describe().fields[Entity.CONTACT]
        assert record(connector, Entity.CONTACT, "1").fields["properties.firstname"] == "Ann"


@pytest.mark.parametrize(("header", "rows"), [("Next-Page", 5), ("Elsewhere", 2)])
def test_the_next_page_in_a_header_of_its_own(header: str, rows: int) -> None:
    """All pages are read by the declared header; by another one they are not, and the total in Kinto's header says so."""
    stub = Kinto()
    for number in range(5):
        stub.put(
            "people", f"k{number}", {"id": f"k{number}", "last_modified": number, "name": "Ann"}
        )
    endpoint = EndpointSettings(
        "/v1/buckets/crm/collections/people/records", items="data", envelope="data"
    )
    pager = PagerSettings("link", next=header, size=2, size_param="_limit")
    auth = AuthSettings("basic", user="user", password=TOKEN)
    with connected(
        stub, {Entity.CONTACT: endpoint}, {Entity.CONTACT: ("name",)}, pager=pager, auth=auth
    ) as connector:
        read, proof = extracted(connector, Entity.CONTACT)
    assert (read, proof.complete) == (rows, rows == 5)


class Django(Airtable):
    """Pages as Django's REST framework names them: the next one's address stands in `next`, null on the last."""

    def __init__(self, place: Any) -> None:
        super().__init__()
        self.place = place

    def many(self, request: Request, body: Any) -> Response:
        table = self.table(request)
        begin = int(request.query_params.get("offset", 0))
        size = int(request.query_params["limit"])
        rows = list(table.values())
        following = None
        if begin + size < len(rows):
            address = request.url.include_query_params(offset=begin + size)
            following = self.place(str(address))
        page = {"count": len(rows), "next": following, "results": rows[begin : begin + size]}
        return JSONResponse(page)


@pytest.mark.parametrize(
    ("place", "rows", "why"),
    [
        (lambda address: address, 5, ""),
        (lambda address: {"href": address}, 5, ""),
        (lambda address: f"?{address.partition('?')[2]}", 5, ""),
        (lambda address: "https://elsewhere.example/people", 2, "another host"),
        (lambda address: 2, 0, "expected an address"),
    ],
)
def test_the_next_page_in_the_answer(place: Any, rows: int, why: str) -> None:
    """The address of the next page is followed, whole, relative or in an object; to another host, or a number, it is not."""
    stub = Django(place)
    for number in range(5):
        stub.put("people", str(number), {"id": number, "name": "Ann"})
    endpoint = EndpointSettings("/v0/appBase/people", items="results")
    pager = PagerSettings("body_link", size=2, size_param="limit")
    fields = {Entity.CONTACT: ("name",)}
    with connected(stub, {Entity.CONTACT: endpoint}, fields, pager=pager) as connector:
        read, proof = extracted(connector, Entity.CONTACT)
    assert (read, proof.complete) == (rows, rows == 5)
    assert why in proof.why_incomplete


def test_places_in_lists_and_templates() -> None:
    """Every value on the way through lists is found, a template is filled at every depth, and bodies are merged."""
    held = {"a": [{"b": [{"c": 1}, {"c": None}]}, {"b": {"c": "2"}}], "d": ""}
    assert find_all(held, parse("a.b.c")) == [1, "2"]
    assert find_all(held, parse("d")) == []
    assert filled_in({"x": [{"y": "{p}", "z": "p"}]}, "{p}", 7) == {"x": [{"y": 7, "z": "p"}]}
    body: dict[str, Any] = {"fields": {"Title": "x"}}
    merge(body, {"fields": {"Person": ["p"]}, "more": 1})
    assert body == {"fields": {"Title": "x", "Person": ["p"]}, "more": 1}
