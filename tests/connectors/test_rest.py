"""The REST connector shows the contract's behaviour on two APIs of different shapes, and proves what it read."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import httpx
import pytest

from connectors.contract import Can, ConnectorContract, Rig, create
from connectors.ghl.sandbox import Sandbox, serve
from connectors.rest import (
    AuthSettings,
    EndpointSettings,
    PagerSettings,
    RestConnector,
    RestSettings,
)
from reconcile.errors import ConfigError, Expired
from reconcile.model import Entity, OpKind, Status
from reconcile.ports import Json, Page, Proof, Scope, Write
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
        send="changed",
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
        send="changed",
        parent="contactId",
        missing=("not found",),
    ),
    Entity.NOTE: EndpointSettings(
        path="/contacts/{parent}/notes",
        items="notes",
        envelope="note",
        wrap="",
        send="changed",
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
            sandbox.seed_task(parent, **fields)
            if entity is Entity.TASK
            else sandbox.seed_note(str(parent), **fields)
        )

    def edit(entity: Entity, key: str, fields: Mapping[str, Json]) -> None:
        hand = {
            Entity.CONTACT: sandbox.edit_contact,
            Entity.TASK: sandbox.edit_task,
            Entity.NOTE: sandbox.edit_note,
        }
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
        merge_patch=True,
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
    auth = AuthSettings(
        "client_credentials", client_id=CLIENT[0], client_secret=CLIENT[1], token_url="/oauth/token"
    )
    base = RestSettings(url, SHOP, auth, PAGER, SHOP_FIELDS, requests=1_000_000)
    return replace(base, **more)


OPEN: list[RestConnector] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    """Every connector of a test is closed after it."""
    yield
    while OPEN:
        OPEN.pop().close()


def opened(settings: RestSettings, transport: httpx.BaseTransport | None = None) -> RestConnector:
    OPEN.append(RestConnector(settings, transport=transport, sleep=lambda seconds: None))
    return OPEN[-1]


def connect(url: str, **more: Any) -> RestConnector:
    return opened(shop_settings(url, **more))


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
        entities = {
            entity: replace(declared, update="PUT", send="whole")
            for entity, declared in SHOP.items()
        }
        rig = shop_rig(shop, connect(url, entities=entities))
        yield replace(rig, can=frozenset(Can))
        rig.connector.close()


# Beyond the contract: what is proven, what is sent, what is never shown.


def proof_of(
    connector: RestConnector, entity: Entity = Entity.CONTACT
) -> tuple[list[dict[str, Any]], Proof]:
    """The lines of an extraction and its proof."""
    *pages, proof = connector.extract(entity)
    assert isinstance(proof, Proof)
    return [
        json.loads(line)
        for page in pages
        if isinstance(page, Page)
        for line in page.lines.splitlines()
    ], proof


def filled(shop: Shop, count: int = 7) -> Shop:
    """Some customers."""
    for number in range(count):
        shop.put("customers", nested(shop_sample(Entity.CONTACT, number)))
    return shop


PAGERS = {
    "page": PAGER,
    "offset": replace(PAGER, kind="offset", param="skip"),
    "cursor": replace(PAGER, kind="cursor", param="from", next="paging.next"),
    "link": replace(PAGER, kind="link"),
}


@pytest.mark.parametrize("total", ["paging.count", None])
@pytest.mark.parametrize("kind", list(PAGERS))
def test_each_way_of_paging_reads_everything(
    shop: Shop, url: str, kind: str, total: str | None
) -> None:
    """By number, offset, cursor or link, with a total or without, all seven records come, once each."""
    filled(shop).pager = kind
    lines, proof = proof_of(connect(url, pager=replace(PAGERS[kind], total=total)))
    assert [line["number"] for line in lines] == [1, 2, 3, 4, 5, 6, 7]
    assert (proof.complete, proof.reported_total) == (True, 7 if total else None)


@pytest.mark.parametrize("kind", list(PAGERS))
def test_a_server_that_gives_less_than_asked_for_loses_nothing(
    shop: Shop, url: str, kind: str
) -> None:
    """A page shorter than the size that was asked for is not taken for the last."""
    filled(shop).pager, shop.page_cap = kind, 2
    lines, proof = proof_of(connect(url, pager=replace(PAGERS[kind], size=50, total=None)))
    assert (len(lines), proof.complete) == (7, True)


@pytest.mark.parametrize("lie", [-1, 1])
@pytest.mark.parametrize("kind", list(PAGERS))
def test_a_total_that_does_not_agree_is_no_proof(shop: Shop, url: str, kind: str, lie: int) -> None:
    """One record more or less than the API says it has makes the extraction incomplete."""
    filled(shop).pager, shop.lie_about_total = kind, lie
    _, proof = proof_of(connect(url, pager=PAGERS[kind]))
    assert not proof.complete
    assert "says it has" in proof.why_incomplete


@pytest.mark.parametrize("kind", ["cursor", "link"])
def test_a_cursor_that_stands_still_is_no_proof(shop: Shop, url: str, kind: str) -> None:
    """The same cursor or link twice ends the walk, incomplete, instead of going round for ever."""
    filled(shop).pager, shop.stuck = kind, True
    lines, proof = proof_of(connect(url, pager=replace(PAGERS[kind], total=None)))
    assert [line["number"] for line in lines] == [1, 2, 3]
    assert not proof.complete


def test_a_link_to_another_host_is_not_followed(shop: Shop, url: str) -> None:
    """The credentials never leave the declared host."""
    filled(shop).pager, shop.elsewhere = "link", "http://127.0.0.2:9"
    _, proof = proof_of(connect(url, pager=PAGERS["link"]))
    assert "leads to another host" in proof.why_incomplete


@pytest.mark.parametrize("address", ["http://[", "http://[::1", "//[x]:y/"])
def test_a_link_that_is_no_address_is_no_end(shop: Shop, url: str, address: str) -> None:
    """A broken Link header makes the extraction incomplete, by name, instead of ending the run."""
    filled(shop).pager, shop.elsewhere = "link", address
    _, proof = proof_of(connect(url, pager=PAGERS["link"]))
    assert not proof.complete
    assert "is no address" in proof.why_incomplete


def test_a_fault_in_the_middle_is_no_end(shop: Shop, url: str) -> None:
    """When the API breaks after the first page, the pages so far come, and the proof says why there are no more."""
    filled(shop).fail_after = 1
    lines, proof = proof_of(connect(url))
    assert len(lines) == 3
    assert not proof.complete
    assert "503" in proof.why_incomplete


def scripted(answers: Callable[[httpx.Request], httpx.Response], **more: Any) -> RestConnector:
    """A connector whose requests are answered by a function."""
    endpoint = EndpointSettings("/people", items="rows", **more)
    child = EndpointSettings("/people/{parent}/notes", items="rows")
    settings = RestSettings(
        "https://api.example.test",
        {Entity.CONTACT: endpoint, Entity.NOTE: child},
        fields={Entity.CONTACT: ("name", "email"), Entity.NOTE: ("text",)},
        pager=PagerSettings("page", 5, total="total"),
        requests=1_000_000,
    )
    return opened(settings, httpx.MockTransport(answers))


def test_a_list_that_moves_while_it_is_read_is_no_proof() -> None:
    """A record on two pages means that another slipped through, though the number of records agrees."""
    pages = [[{"id": 1}, {"id": 2}], [{"id": 2}, {"id": 3}], []]

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(
            200, json={"rows": pages[int(request.url.params["page"]) - 1], "total": 4}
        )

    lines, proof = proof_of(scripted(answer))
    assert [line["id"] for line in lines] == [1, 2, 3]
    assert "gave the key 2 twice" in proof.why_incomplete


def test_a_total_that_changes_on_the_way_is_no_proof() -> None:
    """A deletion on an earlier page moves a record past the reader: the totals of the pages tell."""
    pages = {"1": ([{"id": 1}, {"id": 2}], 4), "2": ([{"id": 4}], 3)}

    def answer(request: httpx.Request) -> httpx.Response:
        rows, total = pages[request.url.params["page"]]
        return httpx.Response(200, json={"rows": rows, "total": total})

    _, proof = proof_of(scripted(answer))
    assert "its total went from 3 to 4" in proof.why_incomplete


def test_a_server_that_ignores_the_pager_is_not_asked_for_ever() -> None:
    """The same page again and again ends the walk after the second, incomplete, with bad records in it too."""
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params["page"])
        return httpx.Response(200, json={"rows": [{"id": 1}, {"no": "key"}], "total": 100})

    lines, proof = proof_of(scripted(answer))
    assert (len(lines), asked) == (1, ["1", "2"])
    assert "without a single new record" in proof.why_incomplete


def test_a_list_that_is_not_found_is_not_an_empty_one() -> None:
    """When a contact is there and the list under it is 404, the path is wrong: nothing is proven absent."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/notes"):
            return httpx.Response(404, json={})
        whole = request.url.path == "/people"
        return httpx.Response(200, json={"rows": [{"id": 1}], "total": 1} if whole else {"id": 1})

    lines, proof = proof_of(scripted(answer), Entity.NOTE)
    assert lines == []
    assert not proof.complete


def test_a_record_without_its_key_is_quarantined() -> None:
    """What has no key cannot be linked: it is named, the others come, and the extraction is incomplete."""
    rows = {"rows": [{"id": 1, "name": "Ann"}, {"name": "Bob"}], "total": 2}
    lines, proof = proof_of(scripted(lambda request: httpx.Response(200, json=rows)))
    assert [line["id"] for line in lines] == [1]
    assert proof.quarantined == ('a record of /people has no key at "id"',)
    assert not proof.complete


def test_an_update_sends_what_changed_and_the_version(shop: Shop, url: str) -> None:
    """The body holds the written members alone, wrapped and nested; If-Match names the version."""
    filled(shop, 1)
    connector = connect(url)
    write = Write(
        "op", OpKind.UPDATE, Entity.CONTACT, "1", fields={"person.last": "Cole"}, version="1"
    )
    [reply] = connector.write([write])
    assert reply.status is Status.DONE
    [(_, _, headers, body)] = [seen for seen in shop.seen if seen[0] == "PATCH"]
    assert json.loads(body) == {"customer": {"person": {"last": "Cole"}}}
    assert headers["if-match"] == '"1"'
    assert shop.rows["customers"][1]["person"] == {"first": "Ann0", "last": "Cole"}


def test_a_lost_answer_to_an_update_is_cleared_up(shop: Shop, url: str) -> None:
    """The repeated request meets its own work as a newer version; the record holds what was wanted, so it is done."""
    filled(shop, 1).lose_updates = 1
    write = Write("op", OpKind.UPDATE, Entity.CONTACT, "1", fields={"city": "Cork"}, version="1")
    [reply] = connect(url).write([write])
    assert (reply.status, reply.record and reply.record.version) == (Status.DONE, "2")


def test_a_lost_answer_to_a_create_is_uncertain_and_found(shop: Shop, url: str) -> None:
    """It is never sent twice; look finds what it made through the declared search, by one request."""
    shop.lose_answer = True
    connector = connect(url)
    doubtful = create(Entity.CONTACT, shop_sample(Entity.CONTACT, 1))
    [reply] = connector.write([doubtful])
    assert reply.status is Status.UNCERTAIN
    assert len(shop.rows["customers"]) == 1
    filled(shop)
    before = len(shop.seen)
    found = connector.look(doubtful)
    assert [record.fields["mail"] for record in found] == ["ann1@example.test", "ann1@example.test"]
    assert len(shop.seen) == before + 1


def test_an_idempotency_key_makes_a_create_repeatable() -> None:
    """With a declared header a create is sent again after a lost answer, under the same key."""
    keys: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers["idempotency-key"])
        return (
            httpx.Response(502)
            if len(keys) == 1
            else httpx.Response(201, json={"id": 9, "name": "Ann", "email": None})
        )

    [reply] = scripted(answer, idempotency="Idempotency-Key").write(
        [create(Entity.CONTACT, {"name": "Ann"})]
    )
    assert (reply.status, reply.key, keys) == (Status.DONE, "9", ["op", "op"])


def test_a_created_record_that_cannot_be_read_yet_is_done() -> None:
    """A create answered with its key alone, and a read that is late, is no reason to create it again."""

    def answer(request: httpx.Request) -> httpx.Response:
        return (
            httpx.Response(201, json={"id": 9})
            if request.method == "POST"
            else httpx.Response(404, json={})
        )

    [reply] = scripted(answer).write([create(Entity.CONTACT, {"name": "Ann"})])
    assert (reply.status, reply.key, reply.record) == (Status.DONE, "9", None)


def test_a_duplicate_names_the_record_that_exists() -> None:
    """409 on a create is DUPLICATE, with the key where the API tells it."""

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(
            409, json={"message": "ann@example.test is taken", "existing": {"id": 4}}
        )

    [reply] = scripted(answer, duplicate_key="existing.id").write(
        [create(Entity.CONTACT, {"email": "ann@example.test"})]
    )
    assert (reply.status, reply.code, reply.key) == (Status.REJECTED, "DUPLICATE", "4")
    assert "ann@example.test" not in reply.detail


def test_a_used_up_quota_skips_the_rest() -> None:
    """Once the API answers nothing but 429, what was not sent is skipped, not rejected."""
    connector = scripted(lambda request: httpx.Response(429, headers={"retry-after": "0"}))
    replies = list(
        connector.write([create(Entity.CONTACT, {"name": f"{n}"}, op_id=str(n)) for n in range(9)])
    )
    assert {reply.status for reply in replies} == {Status.SKIPPED}
    assert len(replies) == 9


def test_decimals_keep_their_digits() -> None:
    """A number with a fraction travels as the text it was."""
    body = b'{"rows": [{"id": 1, "name": 12345678901234567890.10}], "total": 1}'
    lines, _ = proof_of(scripted(lambda request: httpx.Response(200, content=body)))
    assert lines[0]["name"] == "12345678901234567890.10"


# Credentials.


def test_one_token_serves_all_and_is_renewed_once(shop: Shop, url: str) -> None:
    """Client credentials are exchanged once; when the token is refused, once more."""
    filled(shop)
    connector = connect(url)
    assert proof_of(connector)[1].complete
    assert shop.tokens == 1
    shop.valid.clear()
    assert proof_of(connector)[1].complete
    assert shop.tokens == 2


def test_wrong_client_credentials_are_expired_without_the_secret(shop: Shop, url: str) -> None:
    """A refused client says so, and neither the error nor any repr holds a secret."""
    auth = AuthSettings(
        "client_credentials", client_id="me", client_secret="hush-hush", token_url="/oauth/token"
    )
    connector = connect(url, auth=auth)
    with pytest.raises(Expired) as raised:
        connector.describe()
    assert "hush-hush" not in f"{raised.value} {connector!r} {connector._settings!r}"


@pytest.mark.parametrize("param", [None, "api_key"])
def test_an_api_key_goes_in_a_header_or_in_the_query(
    shop: Shop, url: str, caplog: pytest.LogCaptureFixture, param: str | None
) -> None:
    """Either way it opens the API, and no log line holds it."""
    filled(shop).key = "sesame-key"
    caplog.set_level(logging.DEBUG)
    connector = connect(url, auth=AuthSettings("api_key", token="sesame-key", param=param))
    assert proof_of(connector)[1].complete
    connector.close()
    assert "sesame-key" not in "\n".join(record.getMessage() for record in caplog.records)


@pytest.mark.parametrize(
    ("auth", "header"),
    [
        (AuthSettings("bearer", token="abc"), "Bearer abc"),
        (
            AuthSettings("basic", user="Aladdin", password="open sesame"),
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        ),
    ],
)
def test_bearer_and_basic_are_headers(auth: AuthSettings, header: str) -> None:
    """The forms of RFC 6750 and RFC 7617."""
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["authorization"])
        return httpx.Response(200, json={"rows": [], "total": 0})

    base = scripted(answer)._settings
    connector = opened(replace(base, auth=auth), httpx.MockTransport(answer))
    assert proof_of(connector)[1].complete
    assert seen == [header]


# What a user declared wrongly.


def test_every_wrong_place_is_reported_at_once(shop: Shop, url: str) -> None:
    """A list that is not where it was said to be, and a path that is none, are problems of one error."""
    filled(shop)
    wrong = {
        Entity.CONTACT: replace(SHOP[Entity.CONTACT], items="data.people"),
        Entity.TASK: replace(SHOP[Entity.TASK], version="a..b"),
        Entity.NOTE: replace(SHOP[Entity.NOTE], path="/v1/nothing"),
    }
    with pytest.raises(ConfigError) as raised:
        connect(url, entities=wrong).describe()
    assert [problem.where for problem in raised.value.problems] == [
        "app.contact",
        "app.task",
        "app.note",
    ]
    assert 'expected a list at "data.people", found NoneType' in raised.value.problems[0].what


def test_fields_are_found_where_no_mapping_names_them(shop: Shop, url: str) -> None:
    """Without a mapping, the members of the first records are the fields, nested ones by their dotted path."""
    filled(shop)
    described = connect(url, fields={}).describe().fields[Entity.CONTACT]
    assert {"person.first", "person.last", "mail", "visits", "tags"} <= set(described)
    assert described["visits"].type == "integer"


def test_a_description_asks_for_one_page_of_each() -> None:
    """However many contacts there are, three are read by their keys, and lists under them are sampled under these alone."""
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        rows = [{"id": number} for number in range(5)] if request.url.path == "/people" else []
        return httpx.Response(200, json={"rows": rows, "total": 1000})

    scripted(answer).describe()
    three = [f"/people/{number}" for number in range(3)]
    assert asked == ["/people", *three, "/people", *(f"{path}/notes" for path in three)]


def test_since_is_the_apis_parameter_where_declared() -> None:
    """The instant is sent along, and what the API gives too much is left out all the same, but what carries no time."""
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params.get("after", ""))
        rows = [
            {"id": 1, "at": "2026-01-01T00:00:00+01:00"},
            {"id": 2, "at": "2026-02-01T00:00:00Z"},
            {"id": 3, "at": None},
        ]
        return httpx.Response(200, json={"rows": rows, "total": 3})

    connector = scripted(answer, since="after", modified_at="at")
    *pages, proof = connector.extract(Entity.CONTACT, Scope(since="2026-01-15T00:00:00Z"))
    assert [page.covers for page in pages if isinstance(page, Page)] == [("2", "3")]
    assert isinstance(proof, Proof)
    assert (proof.partial, proof.complete) == (True, True)
    assert asked == ["2026-01-15T00:00:00Z"]
