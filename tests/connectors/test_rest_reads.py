"""What the REST connector makes of a read that looks whole, of a 404 that is none, and of a list that shows less than its records."""

from __future__ import annotations

import json
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
from connectors.throttle import Quota, Window
from reconcile.errors import (
    Blocked,
    ConfigError,
    ConnectorError,
    Exhausted,
    InvalidField,
    Malformed,
)
from reconcile.model import Entity, OpKind, Status
from reconcile.ports import Json, Page, Proof, Scope
from tests.connectors.test_rest_oddities import HOST, lists, one, read_all

Answers = Callable[[httpx.Request], httpx.Response]
Open = Callable[..., RestConnector]


@pytest.fixture
def opened() -> Iterator[Open]:
    """Opens a connector whose requests a function answers; closes it after the test."""
    held: list[RestConnector] = []

    def opened(
        answers: Answers, zone: str = "UTC", url: str = HOST, tasks: Any = None, **more: Any
    ) -> RestConnector:
        auth = more.pop("auth", AuthSettings())
        entities = {Entity.CONTACT: EndpointSettings(**{"path": "/people", **more})}
        fields = {Entity.CONTACT: ("email", "phone"), Entity.TASK: ("title",)}
        declared = entities | ({Entity.TASK: tasks} if tasks else {})
        settings = RestSettings(url, declared, auth, fields=fields, requests=1_000_000)
        transport = httpx.MockTransport(answers)
        held.append(
            RestConnector(settings, timezone=zone, transport=transport, sleep=lambda seconds: None)
        )
        return held[-1]

    yield opened
    for connector in held:
        connector.close()


def rows(count: int, start: int = 0) -> list[dict[str, Any]]:
    """Some records."""
    return [
        {"id": number, "email": f"p{number}@example.test"} for number in range(start, start + count)
    ]


def keys(pages: list[Page]) -> list[int]:
    """The keys of what was read."""
    return [json.loads(line)["id"] for page in pages for line in page.lines.splitlines()]


def holding(
    *records: dict[str, Any], shown: tuple[str, ...] = (), item: str = "/people"
) -> Answers:
    """An API with these records, whose list shows these members alone, and which gives single ones at `item`."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/people":
            cut = [
                {name: held for name, held in row.items() if not shown or name in shown}
                for row in records
            ]
            return httpx.Response(200, json=cut)
        at, _, key = request.url.path.rpartition("/")
        found = [row for row in records if str(row["id"]) == key and at == item]
        return httpx.Response(200, json=found[0]) if found else httpx.Response(404, json={})

    return answer


# A walk that ends while the last page names a further one.


def by_cursor(request: httpx.Request) -> httpx.Response:
    """Ten records, two a page, the next cursor in "meta"."""
    at = int(request.url.params.get("cursor", "0"))
    more = at < 8
    meta = {"next_cursor": str(at + 2) if more else None, "has_more": more}
    return httpx.Response(200, json={"data": rows(2, at), "meta": meta})


def filtered(request: httpx.Request) -> httpx.Response:
    """A page that is empty in the middle, and says that there is more."""
    number = int(request.url.params["page"])
    return httpx.Response(
        200, json={"data": {1: rows(2), 3: rows(2, 2)}.get(number, []), "has_more": number < 3}
    )


def counting_itself(request: httpx.Request) -> httpx.Response:
    """Two pages, each of which counts its own records."""
    page = (
        rows(2)
        if request.url.params["page"] == "1"
        else rows(3, 2)
        if request.url.params["page"] == "2"
        else []
    )
    return httpx.Response(
        200, json={"data": page, "count": len(page), "next": "/p" if len(page) == 2 else None}
    )


UNSEEN = {
    "cursor": (by_cursor, PagerSettings("cursor", 2, next="meta.nextCursor")),
    "link": (
        lists({"data": rows(2), "next": f"{HOST}/people?page=2"}, {}),
        PagerSettings("link", 2),
    ),
    "page": (filtered, PagerSettings("page", 2)),
    "total": (counting_itself, PagerSettings("page", 100, total="count")),
}


@pytest.mark.parametrize("kind", list(UNSEEN))
def test_a_walk_that_ends_before_the_last_page_is_in_doubt(opened: Open, kind: str) -> None:
    """Where the page with which it ends names a further one, nothing is proven absent."""
    answers, pager = UNSEEN[kind]
    _, proof = read_all(opened(answers, items="data", pager=pager))
    assert not proof.complete
    assert kind == "total" or 'correct "next" of the pager, or its "kind"' in proof.why_incomplete


@pytest.mark.parametrize("kind", ["cursor", "link"])
def test_a_description_tells_a_pager_that_does_not_come_on(opened: Open, kind: str) -> None:
    """One page is enough to see that its next one lies elsewhere than declared."""
    answers, pager = UNSEEN[kind]
    with pytest.raises(ConfigError, match=f'a pager of kind "{kind}" does not come to it'):
        opened(answers, items="data", pager=pager).describe()


def test_a_walk_whose_end_is_proven_is_whole(opened: Open) -> None:
    """The right place of the cursor, and a cursor that is given even with the empty page after the declared total."""
    pages, proof = read_all(
        opened(by_cursor, items="data", pager=PagerSettings("cursor", 2, next="meta.next_cursor"))
    )
    assert (keys(pages), proof.complete) == (list(range(10)), True)

    def always(request: httpx.Request) -> httpx.Response:
        at = int(request.url.params.get("cursor", "0"))
        return httpx.Response(
            200, json={"data": rows(5, at)[: 5 - at], "next": f"{at + 5}", "total": 5}
        )

    assert read_all(opened(always, items="data", pager=PagerSettings("cursor", 5, total="total")))[
        1
    ].complete


@pytest.mark.parametrize(
    "failed", [{"success": False}, {"ok": False}, {"error": "timeout"}, {"errors": ["timeout"]}]
)
def test_a_page_that_says_that_it_failed_is_no_empty_page(
    opened: Open, failed: dict[str, Json]
) -> None:
    """A 200 with an error and an empty list ends the walk in doubt; one that says that all went well does not."""

    def answer(request: httpx.Request) -> httpx.Response:
        page = {"success": True, "error": None, "data": rows(2)}
        return httpx.Response(
            200, json=page if request.url.params["page"] == "1" else {**failed, "data": []}
        )

    pages, proof = read_all(opened(answer, items="data", pager=PagerSettings("page", 2)))
    assert (keys(pages), proof.complete) == ([0, 1], False)
    assert f'in its member "{next(iter(failed))}"' in proof.why_incomplete


# A 404 that does not say that a record is gone.


def test_a_path_that_finds_no_record_is_told(opened: Open) -> None:
    """The description reads a record that the list shows; unread before, no 404 there takes a record for gone."""
    answers = holding(*rows(5), item="/v2/people")
    with pytest.raises(ConfigError, match='does not find record "0" that the list shows'):
        opened(answers).describe()
    with pytest.raises(ConnectorError, match="does not find record"):
        opened(answers).read(Entity.CONTACT, "1")
    *_, proof = opened(answers).extract(Entity.CONTACT, Scope(keys=("1", "2")))
    assert isinstance(proof, Proof)
    assert not proof.complete
    assert one(opened(answers), OpKind.DELETE).status is Status.REJECTED


def test_a_path_is_proven_by_a_record_that_is_there(opened: Open) -> None:
    """One look at the list finds such a record, or an earlier read did; it is read again at every later 404."""
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return holding(*rows(5))(request)

    connector = opened(answer)
    assert [connector.read(Entity.CONTACT, key) for key in ("98", "99")] == [None, None]
    assert asked == [
        "/people/98",
        "/people",
        "/people/0",
        "/people/1",
        "/people/2",
        "/people/99",
        "/people/0",
    ]
    asked.clear()
    other = opened(answer)
    assert [other.read(Entity.CONTACT, key) is None for key in ("1", "99")] == [False, True]
    assert asked == ["/people/1", "/people/99", "/people/1"]


def test_a_404_that_comes_for_every_record_proves_nothing(opened: Open) -> None:
    """A gateway that begins to answer in the API's place, in JSON, after records were found: nothing is gone."""
    down: list[bool] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if down and request.url.path != "/people":
            return httpx.Response(404, json={"message": "no Route matched with those values"})
        return holding(*rows(5))(request)

    connector = opened(answer)
    assert connector.read(Entity.CONTACT, "99") is None
    down.append(True)
    with pytest.raises(ConnectorError, match="does not find record"):
        connector.read(Entity.CONTACT, "1")
    assert one(connector, OpKind.DELETE).status is Status.REJECTED


def test_a_gateway_without_a_route_says_nothing_of_a_record(opened: Open) -> None:
    """A 404 that is neither JSON nor empty is not the API's own, unless it says a declared word; an empty one is."""

    def saying(said: str) -> Answers:
        return lambda request: (
            httpx.Response(404, text=said) if "/1" in request.url.path else holding()(request)
        )

    with pytest.raises(Blocked):
        opened(saying("default backend - 404")).read(Entity.CONTACT, "1")
    with pytest.raises(Blocked, match='"missing"'):
        one(opened(saying("<h1>Not Found</h1>")), OpKind.DELETE)
    assert opened(saying("")).read(Entity.CONTACT, "1") is None
    assert opened(saying("Not Found"), missing=("not found",)).read(Entity.CONTACT, "1") is None


# A list that shows less than its records.


@pytest.mark.parametrize(
    ("shown", "more", "hidden"),
    [
        (("id", "email"), {}, "phone"),
        (("id", "email", "phone"), {"tags": "labels"}, "labels"),
        (("id", "email", "phone"), {"version": "rev", "modified_at": "at"}, "at, rev"),
    ],
)
def test_a_list_that_shows_less_than_its_records_is_told(
    opened: Open, shown: tuple[str, ...], more: dict[str, str], hidden: str
) -> None:
    """What a list leaves out would be taken for blank."""
    record = {
        "id": 1,
        "email": "ann@example.test",
        "phone": "+491",
        "labels": ["vip"],
        "rev": 3,
        "at": "2026-01-31",
    }
    with pytest.raises(
        ConfigError, match=f"the list does not show {hidden}, the record by its key does"
    ):
        opened(holding({"id": 0}, record, shown=shown), **more).describe()


def test_a_record_that_hides_its_tags_is_told(opened: Open) -> None:
    """Adding a tag would take away those that the list shows."""

    def answer(request: httpx.Request) -> httpx.Response:
        row = {"id": 1, "email": "ann@example.test"}
        return httpx.Response(
            200, json=[{**row, "tags": ["vip"]}] if request.url.path == "/people" else row
        )

    with pytest.raises(ConfigError, match="the list shows tags, the record by its key does not"):
        opened(answer, tags="tags").describe()


def test_blanks_that_are_left_out_are_no_difference(opened: Open) -> None:
    """An API that leaves out what is blank, in the list or in the record, hides nothing."""
    blank = {"id": 1, "email": "", "phone": None, "tags": []}
    for answers in (holding(blank, shown=("id",)), holding({"id": 1})):
        assert opened(answers, tags="tags").describe().identity == f"rest:{HOST}"


# What HTTP itself says of a part.


@pytest.mark.parametrize("status", [200, 206])
@pytest.mark.parametrize("ranged", ["items 0-1/319", "0-1/319", "items 0-1/*", "items 0-1/2"])
def test_a_part_of_a_list_is_not_all_of_it(opened: Open, status: int, ranged: str) -> None:
    """Content-Range tells the count of all; without one, 206 alone tells that there is more."""

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, json=rows(2), headers={"content-range": ranged})

    whole = ranged.endswith("/2") or (status == 200 and ranged.endswith("*"))
    assert read_all(opened(answer))[1].complete is whole


# Addresses.


@pytest.mark.parametrize("place", ["url", "path", "item", "create"])
@pytest.mark.parametrize("mark", ["?", "#"])
def test_a_query_in_an_address_is_refused(opened: Open, place: str, mark: str) -> None:
    """It would be dropped, or stand in every report: it is told without its value, with the place for it."""
    address = f"{HOST if place == 'url' else '/people'}{mark}api_key=S3cret"
    with pytest.raises(ConfigError, match="say it in `params`") as raised:
        opened(holding(), **{place: address})
    assert "S3cret" not in str(raised.value)
    assert [problem.where for problem in raised.value.problems] == [
        "app.url" if place == "url" else f"app.contact.{place}"
    ]


@pytest.mark.parametrize(
    "link",
    [
        '<{host}/v1/people?page={page}&limit=2>; rel="next"',
        '<?page={page}&limit=2>; rel="next"',
        '<{host}/v1/people?page={page}>; crossorigin; rel="next"',
        "<people?page={page}>; rel='next'",
    ],
)
def test_a_link_is_followed_with_the_key_in_the_query(opened: Open, link: str) -> None:
    """However the next address is written, its query is kept beside the key's, and it is found from where it was given."""
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.path)
        assert request.url.params["key"] == "K"
        page = int(request.url.params.get("page", "1"))
        headers = {"link": link.format(host=HOST, page=page + 1)} if page < 3 else {}
        return httpx.Response(200, json=rows(2, page * 2), headers=headers)

    auth = AuthSettings("api_key", token="K", param="key")
    pages, proof = read_all(
        opened(answer, auth=auth, url=f"{HOST}/v1", pager=PagerSettings("link", 2))
    )
    assert (keys(pages), proof.complete) == ([2, 3, 4, 5, 6, 7], True)
    assert seen == ["/v1/people"] * 3


@pytest.mark.parametrize("kind", ["none", "link"])
def test_a_link_that_cannot_be_read_is_in_doubt(opened: Open, kind: Any) -> None:
    """A header that names a next page in a form of its own says that there is one."""
    broken = lists(rows(2), {"link": f"{HOST}/people?page=2; rel=next"})
    assert not read_all(opened(broken, pager=PagerSettings(kind, 2)))[1].complete
    sound = lists(rows(2), {"link": f'<{HOST}/people?rel=next>; rel="prev next-archive"'})
    assert read_all(opened(sound, pager=PagerSettings(kind, 2)))[1].complete


# Records.


def test_another_record_than_asked_for_is_none(opened: Open) -> None:
    """A record by its key that shows another key is not the one, but what a merge left, or a neighbour."""
    with pytest.raises(Malformed, match="asked for the record 1, another came: zz"):
        opened(lists({"id": "zz"}, {})).read(Entity.CONTACT, "1")


@pytest.mark.parametrize("written", ["0001-01-01T00:00:00", "9999-12-31T23:59:59"])
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
def test_a_time_at_the_end_of_time_breaks_nothing(opened: Open, written: str, zone: str) -> None:
    """.NET's word for no time is out of reach in one zone or another: it is no time, or the one it is."""
    pages, proof = read_all(
        opened(lists([{"id": 1, "at": written}], {}), modified_at="at", zone=zone)
    )
    assert (keys(pages), proof.complete) == ([1], True)


def test_json_may_be_too_deep_and_have_a_mark_before_it(opened: Open) -> None:
    """Nesting beyond all use makes the read incomplete; a byte order mark, as some Windows APIs send, is passed over."""
    deep = b"[" * 100_000 + b"]" * 100_000
    _, proof = read_all(opened(lambda request: httpx.Response(200, content=deep)))
    assert "expected JSON" in proof.why_incomplete
    assert read_all(opened(lambda request: httpx.Response(200, content=b"\xef\xbb\xbf[]")))[
        1
    ].complete


@pytest.mark.parametrize("key", [".", ".."])
def test_a_key_that_is_a_step_changes_no_route(opened: Open, key: str) -> None:
    """A dot in a path leads to the collection, which a DELETE would empty."""
    with pytest.raises(InvalidField, match="would lead to another path"):
        opened(lists({"id": key}, {})).read(Entity.CONTACT, key)


def test_a_parent_that_is_no_key_is_quarantined(opened: Open) -> None:
    """An object where the contact's key should be is told, not taken for a key."""
    people = holding({"id": 5})
    tasks = lists([{"id": 7, "person": {"id": 5}}, {"id": 8, "person": 5}], {})
    connector = opened(
        lambda request: (people if "people" in request.url.path else tasks)(request),
        tasks=EndpointSettings("/todos", parent="person"),
    )
    *pages, proof = connector.extract(Entity.TASK)
    assert isinstance(proof, Proof)
    assert keys([page for page in pages if isinstance(page, Page)]) == [8]
    assert proof.quarantined == ('a record of /todos has no key at "person", but dict',)


def test_tasks_of_nobody_cannot_be_asked_for_by_contact(opened: Open) -> None:
    """A flat list whose records name no contact says nothing of one contact's tasks, not that there are none."""
    connector = opened(lists([{"id": 7}], {}), tasks=EndpointSettings("/todos"))
    with pytest.raises(ConfigError, match='say in "parent"'):
        list(connector.extract(Entity.TASK, Scope(parents=("5",))))


# Pauses, and pages past the end.


def test_a_pause_of_a_day_ends_the_run() -> None:
    """What is longer than a run waits is told with its length, for a 429 and a 503 alike; a short one is waited for."""
    for asked in (
        Quota(refused=True, retry_after=86_400.0),
        Quota(overloaded=True, retry_after=86_400.0),
    ):
        window = Window()
        window.take("a", 1000.0, reserve=0.0)
        window.answer("a", 1000.0, asked)
        with pytest.raises(Exhausted, match="a pause of 86390 seconds") as raised:
            window.take("b", 1010.0, reserve=0.0)
        assert raised.value.until_seconds == 86_390.0
        assert window.take("b", 86_400.0 + 990.0, reserve=0.0) == 10.0


def test_a_read_that_is_told_to_wait_a_day_ends(opened: Open) -> None:
    """It is incomplete after one request, and says for how long."""
    connector = opened(
        lambda request: httpx.Response(429, json={}, headers={"retry-after": "86400"})
    )
    _, proof = read_all(connector)
    assert "the side asks for a pause" in proof.why_incomplete
    assert connector.usage().requests == 1


@pytest.mark.parametrize("total", ["count", None])
@pytest.mark.parametrize("lie", [0, 1])
def test_no_page_after_the_last_is_the_end(opened: Open, total: str | None, lie: int) -> None:
    """Django REST framework answers 404 past the end: that is the end where the total agrees, else a fault."""

    def answer(request: httpx.Request) -> httpx.Response:
        page = int(request.url.params["page"])
        if page > 2:
            return httpx.Response(404, json={"detail": "Invalid page."})
        return httpx.Response(200, json={"count": 4 + lie, "results": rows(2, page * 2)})

    pages, proof = read_all(
        opened(answer, items="results", pager=PagerSettings("page", 2, total=total))
    )
    assert (len(keys(pages)), proof.complete) == (4, not lie)


def test_no_list_at_all_may_be_an_empty_one(opened: Open) -> None:
    """A null beside a total of 0, and 204, are a list without records; a null alone is not."""
    assert read_all(opened(lists({"d": None, "total": 0}, {}), items="d"))[1].complete
    assert read_all(opened(lambda request: httpx.Response(204)))[1].complete
    assert not read_all(opened(lists({"d": None}, {}), items="d"))[1].complete


@pytest.mark.parametrize(("first", "status"), [(502, Status.UNCERTAIN), (201, Status.REJECTED)])
def test_a_duplicate_after_a_lost_create_may_be_its_own(
    opened: Open, first: int, status: Status
) -> None:
    """A repeated create that meets a record nobody names is uncertain; one that was never lost is refused."""
    answers = iter([first] if first == 502 else [])

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(next(answers, 409), json={"message": "in progress"})

    reply = one(
        opened(answer, idempotency="Idempotency-Key"), OpKind.CREATE, email="new@example.test"
    )
    assert reply.status is status
