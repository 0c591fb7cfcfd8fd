"""The REST connector shows the contract's behaviour on two APIs of different shapes, and proves what it read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from connectors.ghl.sandbox import Sandbox, serve
from connectors.rest import AuthSettings, EndpointSettings, PagerSettings, RestConnector, RestSettings
from reconcile.model import Entity
from reconcile.ports import Json
from tests.connectors.contract import Can, ConnectorContract, Rig
from tests.connectors.ghl.hosted import LOCATION, TOKEN, unlimited
from tests.connectors.ghl.test_connector_contract import sample as ghl_sample
from tests.connectors.shop_api import CLIENT, Shop, app_of, served

# The sandbox, declared as if it were any API.

GHL = {
    Entity.CONTACT: EndpointSettings(
        path="/contacts/search",
        method="POST",
        params={"locationId": LOCATION},
        items="contacts",
        item="/contacts/{key}",
        create="/contacts/",
        constants={"locationId": LOCATION},
        envelope="contact",
        wrap="",
        modified_at="dateUpdated",
        tags="tags",
        add_tags="POST /contacts/{key}/tags",
        remove_tags="DELETE /contacts/{key}/tags",
        missing=("not found",),
        duplicate=("duplicated contacts",),
        duplicate_key="meta.contactId",
        pager=PagerSettings("cursor", 3, "pageLimit", "searchAfter", "@last.searchAfter", "total"),
    ),
    Entity.TASK: EndpointSettings(
        path="/contacts/{parent}/tasks",
        items="tasks",
        envelope="task",
        wrap="",
        parent="contactId",
        missing=("not found",),
    ),
    Entity.NOTE: EndpointSettings(
        path="/contacts/{parent}/notes",
        items="notes",
        envelope="note",
        wrap="",
        parent="contactId",
        missing=("not found",),
    ),
}
GHL_FIELDS = {
    Entity.CONTACT: ("lastName", "email", "phone", "city", "tags"),
    Entity.TASK: ("title", "dueDate", "completed"),
    Entity.NOTE: ("body",),
}


def ghl_rig(sandbox: Sandbox, url: str) -> Rig:
    settings = RestSettings(
        url,
        GHL,
        AuthSettings("bearer", token=TOKEN),
        fields=GHL_FIELDS,
        headers={"Version": "2021-07-28"},
        requests=1_000_000,
    )

    def seed(entity: Entity, fields: Mapping[str, Json], parent: str | None) -> str:
        if entity is Entity.CONTACT:
            return sandbox.seed_contact(LOCATION, **fields)
        return (
            sandbox.seed_task(parent, **fields) if entity is Entity.TASK else sandbox.seed_note(str(parent), **fields)
        )

    def edit(entity: Entity, key: str, fields: Mapping[str, Json]) -> None:
        hand = {Entity.CONTACT: sandbox.edit_contact, Entity.TASK: sandbox.edit_task, Entity.NOTE: sandbox.edit_note}
        hand[entity](key, **fields)

    def remove(entity: Entity, key: str) -> None:
        hand = {Entity.CONTACT: sandbox.delete_contact, Entity.TASK: sandbox.delete_task}
        hand[entity](key)

    def sample(entity: Entity, number: int) -> dict[str, Json]:
        names = GHL_FIELDS[entity]
        return {name: value for name, value in ghl_sample(entity, number).items() if name in names}

    return Rig(
        connector=RestConnector(settings, sleep=lambda seconds: None),
        sample=sample,
        text={Entity.CONTACT: "city", Entity.TASK: "title", Entity.NOTE: "body"},
        seed=seed,
        edit=edit,
        remove=remove,
        can=frozenset(Can) - {Can.GUARD, Can.VERSIONS, Can.ARCHIVE},
        bad={Entity.CONTACT: {"email": "not-an-email-address"}},
        completed={"completed": True},
        absent="AbsentAbsentAbsent00",
    )


class TestSandboxAsRest(ConnectorContract):
    @pytest.fixture
    def rig(self) -> Iterator[Rig]:
        sandbox = Sandbox(unlimited())
        sandbox.add_location(LOCATION)
        sandbox.add_token(TOKEN, LOCATION)
        with serve(sandbox) as url:
            rig = ghl_rig(sandbox, url)
            yield rig
            rig.connector.close()
        sandbox.close()


# The shop, which is shaped otherwise.

NAMES = {Entity.CONTACT: "customers", Entity.TASK: "todos", Entity.NOTE: "remarks"}
PAGER = PagerSettings("page", 3, "per", "page", None, "paging.count")
SHOP_FIELDS = {
    Entity.CONTACT: ("person.first", "person.last", "mail", "city", "visits", "tags"),
    Entity.TASK: ("headline", "state", "until"),
    Entity.NOTE: ("words",),
}


def endpoint(entity: Entity, **more: Any) -> EndpointSettings:
    name = NAMES[entity]
    return EndpointSettings(
        path=f"/v1/{name}",
        items="data.rows",
        key="number",
        update="PATCH",
        envelope=name.removesuffix("s"),
        modified_at="meta.changed",
        version="meta.revision",
        if_match=True,
        **more,
    )


SHOP = {
    Entity.CONTACT: endpoint(
        Entity.CONTACT,
        tags="labels",
        tag_name="text",
        deleted="archived",
        archive={"archived": True},
        search={"mail": "mail"},
    ),
    Entity.TASK: endpoint(Entity.TASK, parent="owner"),
    Entity.NOTE: endpoint(Entity.NOTE, parent="owner"),
}


def shop_settings(url: str, **more: Any) -> RestSettings:
    auth = AuthSettings("client_credentials", client_id=CLIENT[0], client_secret=CLIENT[1], token_url="/oauth/token")
    base = RestSettings(url, SHOP, auth, PAGER, SHOP_FIELDS, requests=1_000_000)
    return replace(base, **more)


def connect(url: str, **more: Any) -> RestConnector:
    return RestConnector(shop_settings(url, **more), sleep=lambda seconds: None)


def shop_sample(entity: Entity, number: int) -> dict[str, Json]:
    match entity:
        case Entity.CONTACT:
            mail = f"ann{number}@example.test"
            return {
                "person.first": f"Ann{number}",
                "person.last": "Lee",
                "mail": mail,
                "city": f"Town {number}",
                "visits": 2,
            }
        case Entity.TASK:
            return {"headline": f"call {number}", "state": "open", "until": "2026-01-02"}
        case _:
            return {"words": f"note {number}"}


def nested(fields: Mapping[str, Json]) -> dict[str, Any]:
    """The same fields as the shop's own screens would send them."""
    members: dict[str, Any] = {}
    for name, value in fields.items():
        outer, _, inner = name.partition(".")
        if inner:
            members.setdefault(outer, {})[inner] = value
        else:
            members[outer] = value
    return members


def shop_rig(shop: Shop, connector: RestConnector) -> Rig:
    def seed(entity: Entity, fields: Mapping[str, Json], parent: str | None) -> str:
        owner = {} if parent is None else {"owner": int(parent)}
        return str(shop.put(NAMES[entity], {**nested(fields), **owner}))

    return Rig(
        connector=connector,
        sample=shop_sample,
        text={Entity.CONTACT: "person.first", Entity.TASK: "headline", Entity.NOTE: "words"},
        seed=seed,
        edit=lambda entity, key, fields: shop.edit(NAMES[entity], int(key), nested(fields)),
        remove=lambda entity, key: shop.rows[NAMES[entity]].pop(int(key), None) and None,
        can=frozenset(Can) - {Can.GUARD},
        bad={Entity.CONTACT: {"visits": "not a number"}},
        completed={"state": "done"},
        absent="999999",
    )


@pytest.fixture(scope="module")
def host() -> Iterator[tuple[Shop, str]]:
    """One served shop for all tests; `shop` empties it."""
    shop = Shop()
    with served(app_of(shop)) as url:
        yield shop, url


@pytest.fixture
def shop(host: tuple[Shop, str]) -> Shop:
    host[0].__init__()  # type: ignore[misc]
    return host[0]


@pytest.fixture
def url(host: tuple[Shop, str]) -> str:
    return host[1]


class TestShop(ConnectorContract):
    @pytest.fixture
    def rig(self, shop: Shop, url: str) -> Iterator[Rig]:  # type: ignore[override]
        rig = shop_rig(shop, connect(url))
        yield rig
        rig.connector.close()


class TestShopByWholeRecords(ConnectorContract):
    @pytest.fixture
    def rig(self, shop: Shop, url: str) -> Iterator[Rig]:  # type: ignore[override]
        entities = {entity: replace(declared, update="PUT", send="whole") for entity, declared in SHOP.items()}
        rig = shop_rig(shop, connect(url, entities=entities))
        yield replace(rig, can=frozenset(Can))
        rig.connector.close()
