"""Every request that the connector makes, and every reply it gets, fits GHL's own OpenAPI documents, in both versions."""

from __future__ import annotations

import httpx
import pytest

from connectors.ghl import (
    GhlConnector,
    GhlSettings,
    PrivateToken,
    apart,
    children,
    contacts,
    tags,
)
from connectors.ghl.consents import INFO
from connectors.ghl.endpoints import DIALECTS
from connectors.throttle import LocalBudget, Window
from reconcile.entities import RECORDS, Shown
from reconcile.model import Entity, OpKind, Status
from reconcile.ports import Scope, Write
from tests.connectors.ghl.hosted import LOCATION, TOKEN, VERSIONS, Hosted, hosted
from tests.connectors.ghl.openapi import UNDESCRIBED, Deviation, check

KNOWN_DEFECT = "dateOfBirth"
"""The search schema, written down from prose, says string; search was seen to answer epoch ms (docs/ghl.md#search)."""


class Checked(httpx.BaseTransport):
    """A real transport that holds each exchange against the documents."""

    def __init__(self, version: str) -> None:
        self.inner = httpx.HTTPTransport()
        self.version = version
        self.deviations: list[str] = []
        self.seen: set[str] = set()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self.inner.handle_request(request)
        body = response.read()
        path = request.url.raw_path.decode()
        try:
            described = check(
                self.version,
                request.method,
                path,
                dict(request.headers),
                request.content,
                response.status_code,
                dict(response.headers),
                body,
            )
        except Deviation as deviation:
            lines = [line for line in str(deviation).splitlines()[1:] if KNOWN_DEFECT not in line]
            self.deviations += [f"{deviation}"] if lines else []
            return response
        if not described:
            self.seen.add(f"{request.method} {request.url.path}")
        return response

    def close(self) -> None:
        self.inner.close()


def tour(host: Hosted, connector: GhlConnector) -> None:
    """Use everything that the connector can do at least once."""
    box, api = host.sandbox, connector.api
    seeded = [
        box.seed_contact(LOCATION, email=f"p{n}@example.com", firstName=f"P{n}", lastName="Q")
        for n in range(3)
    ]
    business = box.seed_business(LOCATION, "Acme")
    box.seed_appointment(seeded[0])
    connector.describe()
    made = _writes(connector, business)
    _companies(connector)
    for entity in RECORDS:
        list(connector.extract(entity))
    list(connector.extract(Entity.CONTACT, Scope(since="2020-01-01T00:00:00.000Z")))
    list(connector.extract(Entity.CONTACT, Scope(keys=(seeded[0], "AbsentAbsentAbsent00"))))
    list(contacts.of_business(api, business))
    connector.look(
        Write("l", OpKind.CREATE, Entity.CONTACT, fields={"firstName": "P1", "lastName": "Q"})
    )
    connector.look(
        Write(
            "l",
            OpKind.CREATE,
            Entity.CONTACT,
            fields={"email": "p1@example.com", "phone": "+14155550111"},
        )
    )
    connector.look(Write("l", OpKind.CREATE, Entity.TASK, parent=made, fields={"title": "Call"}))
    deal = Write("l", OpKind.CREATE, Entity.OPPORTUNITY, parent=made, fields={"name": "Roof"})
    assert connector.look(deal)
    visit = box.seed_appointment(seeded[0])
    assert connector.read(Entity.APPOINTMENT, visit, seeded[0]) is not None
    list(connector.agendas(Shown.APPOINTMENT, seeded[:1]))
    _dictionary(connector)
    assert contacts.get(api, made) is not None
    _deletes(connector, made)


def _writes(connector: GhlConnector, business: str) -> str:
    fields = {
        "firstName": "Ada",
        "email": "ada@example.com",
        "phone": "+14155550100",
        "contact.colour": "red",
        "businessId": business,
        "companyName": "Engines",
        "gender": "female",
        "dateOfBirth": "1815-12-10",
        "dnd.sms": "inactive",
    }
    made = _done(connector, Write("c", OpKind.CREATE, Entity.CONTACT, fields=fields, tags=("vip",)))
    other = _done(
        connector, Write("c2", OpKind.CREATE, Entity.CONTACT, fields={"email": "b@example.com"})
    )
    changes = {
        "city": None,
        "lastName": "King",
        "contact.colour": None,
        "country": "GB",
        "companyName": "Analytical",
        **dict.fromkeys(INFO, "active"),
    }
    _done(connector, Write("u", OpKind.UPDATE, Entity.CONTACT, made, fields=changes))
    both = [
        Write(f"t{key}", OpKind.ADD_TAGS, Entity.CONTACT, key, tags=("a", "b"))
        for key in (made, other)
    ]
    links = [
        Write(f"b{key}", OpKind.UPDATE, Entity.CONTACT, key, fields={"businessId": None})
        for key in (made, other)
    ]
    both += [Write("r", OpKind.REMOVE_TAGS, Entity.CONTACT, made, tags=("a",)), *links]
    both += [Write("a", OpKind.ADD_TAGS, Entity.CONTACT, made, tags=("alone",))]
    assert {reply.status for reply in connector.write(both)} == {Status.DONE}
    task = {
        "title": "Call",
        "dueDate": "2026-01-02T03:04:05.000Z",
        "completed": False,
        "body": None,
    }
    key = _done(connector, Write("k", OpKind.CREATE, Entity.TASK, parent=made, fields=task))
    _done(
        connector,
        Write(
            "k2",
            OpKind.UPDATE,
            Entity.TASK,
            key,
            made,
            fields={"title": "Ring", "assignedTo": None},
        ),
    )
    _done(
        connector, Write("k3", OpKind.COMPLETE, Entity.TASK, key, made, fields={"completed": True})
    )
    assert children.get(connector.api, Entity.TASK, made, key) is not None
    note = _done(
        connector,
        Write(
            "n", OpKind.CREATE, Entity.NOTE, parent=made, fields={"body": "Hello", "pinned": True}
        ),
    )
    _done(
        connector,
        Write("n2", OpKind.UPDATE, Entity.NOTE, note, made, fields={"body": "Hello again"}),
    )
    assert children.get(connector.api, Entity.NOTE, made, note) is not None
    _sales(connector, made)
    _done(connector, Write("k4", OpKind.DELETE, Entity.TASK, key, made))
    _done(connector, Write("n3", OpKind.DELETE, Entity.NOTE, note, made))
    return made


def _companies(connector: GhlConnector) -> None:
    fields = {"name": "Brown", "email": "hi@brown.example", "city": "Cork", "phone": None}
    key = _done(connector, Write("o", OpKind.CREATE, Entity.COMPANY, fields=fields))
    changes = {"city": None, "country": "IE"}
    _done(connector, Write("o2", OpKind.UPDATE, Entity.COMPANY, key, fields=changes))
    found = connector.read(Entity.COMPANY, key)
    assert found is not None
    assert found.fields["city"] in (None, "")
    brown = Write("l", OpKind.CREATE, Entity.COMPANY, fields={"name": "Brown"})
    assert [each.key for each in connector.look(brown)] == [key]
    _done(connector, Write("o3", OpKind.DELETE, Entity.COMPANY, key))
    assert connector.read(Entity.COMPANY, key) is None


def _sales(connector: GhlConnector, made: str) -> None:
    """Opportunities made, moved and deleted; one stays."""
    kind, roof = Entity.OPPORTUNITY, {"name": "Roof", "pipeline": "Sales", "monetaryValue": "5.50"}
    more = {"stage": "Signed", "status": "won", "opportunity.plan": "gold", "monetaryValue": "7"}
    wall = {"name": "Wall", "pipeline": "Repairs"}
    key = _done(connector, Write("o", OpKind.CREATE, kind, parent=made, fields=roof))
    _done(connector, Write("o2", OpKind.UPDATE, kind, key, made, fields=more))
    other = _done(connector, Write("o3", OpKind.CREATE, kind, parent=made, fields=wall))
    _done(connector, Write("o4", OpKind.DELETE, kind, other, made))
    assert len(apart.first(connector.api, kind)) <= 1


def _done(connector: GhlConnector, write: Write) -> str:
    (reply,) = connector.write([write])
    assert reply.status is Status.DONE, reply
    return str(reply.key)


def _dictionary(connector: GhlConnector) -> None:
    tag, *_ = tags.dictionary(connector.api)
    tags.undefine(connector.api, tag["id"])
    assert tag["name"] not in {held["name"] for held in tags.dictionary(connector.api)}


def _deletes(connector: GhlConnector, made: str) -> None:
    _done(connector, Write("d", OpKind.DELETE, Entity.CONTACT, made))
    _done(connector, Write("d2", OpKind.DELETE, Entity.CONTACT, made))
    (reply,) = connector.write(
        [Write("d3", OpKind.UPDATE, Entity.CONTACT, made, fields={"city": "X"})]
    )
    assert (reply.status, reply.code) == (Status.REJECTED, "NOT_FOUND")


@pytest.mark.parametrize("version", VERSIONS)
def test_every_exchange_fits_the_documents(version: str) -> None:
    """A tour through everything the connector does leaves no deviation, and misses no endpoint of the table."""
    with hosted() as host:
        host.sandbox.seed_custom_field(LOCATION, "Colour")
        host.sandbox.seed_custom_field(LOCATION, "Plan", model="opportunity")
        host.sandbox.seed_pipeline(LOCATION, "Sales", ["New", "Signed"])
        host.sandbox.seed_pipeline(LOCATION, "Repairs", ["Asked", "Done"])
        transport = Checked(version)
        connector = GhlConnector(
            GhlSettings(location=LOCATION, url=host.url, version=version),  # type: ignore[arg-type]
            auth=PrivateToken(TOKEN),
            budget=LocalBudget(Window(limit=1_000_000)),
            transport=transport,
        )
        tour(host, connector)
        used = set(connector.usage().by_endpoint)
        connector.close()
    assert transport.deviations == []
    assert transport.seen == {f"GET {UNDESCRIBED}"}
    offered = {name for name in DIALECTS[version].endpoints if not name.startswith("oauth.")}
    assert offered - used == set()
