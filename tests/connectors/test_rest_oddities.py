"""What the REST connector makes of answers that look like success, or like all there is, and are not."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pytest

from connectors.contract import create
from connectors.rest import (
    AuthSettings,
    EndpointSettings,
    PagerSettings,
    RestConnector,
    RestSettings,
)
from connectors.rest.lines import form_of, instant
from flows.config import load
from flows.wiring.wiring import connect
from reconcile.errors import ConfigError, ConnectorError
from reconcile.model import Entity, OpKind, Side, Status
from reconcile.ports import Json, Page, Proof, Reply, Write
from reconcile.stage.shaping import raw_rows

HOST = "https://api.example.test"
ANN = {
    "id": 1,
    "email": "ann@example.test",
    "tags": ["Strasse"],
    "own": [{"id": 7, "value": "gold"}, {"id": 8}],
}
OWN = "own[id=7].value"
LOGIN = f"https://me:pw@{HOST.removeprefix('https://')}/login/?next=/people&key=hush"
Answers = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
def open_api() -> Iterator[Callable[..., RestConnector]]:
    """Opens a connector whose requests a function answers; closes it after the test."""
    held: list[RestConnector] = []

    def opened(
        answers: Answers, *, pager: PagerSettings | None = None, zone: str = "UTC", **more: Any
    ) -> RestConnector:
        people = EndpointSettings("/people", **more)
        fields = {Entity.CONTACT: ("email", OWN, "tags")}
        settings = RestSettings(
            HOST,
            {Entity.CONTACT: people},
            fields=fields,
            pager=pager or PagerSettings(),
            requests=1_000_000,
        )
        transport = httpx.MockTransport(answers)
        held.append(
            RestConnector(settings, timezone=zone, transport=transport, sleep=lambda seconds: None)
        )
        return held[-1]

    yield opened
    for connector in held:
        connector.close()


def read_all(connector: RestConnector) -> tuple[list[Page], Proof]:
    """The pages and the proof."""
    *pages, proof = connector.extract(Entity.CONTACT)
    assert isinstance(proof, Proof)
    return [page for page in pages if isinstance(page, Page)], proof


def one(
    connector: RestConnector, kind: OpKind, tags: tuple[str, ...] = (), **fields: Json
) -> Reply:
    """The reply to one write."""
    key = None if kind is OpKind.CREATE else "1"
    [reply] = connector.write([Write("op", kind, Entity.CONTACT, key, fields=fields, tags=tags)])
    return reply


def holding(sent: list[bytes], record: Mapping[str, Any] | bytes = ANN) -> Answers:
    """An API with one record, which takes every change and keeps none."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method != "GET":
            sent.append(request.content)
        body = record if isinstance(record, bytes) else json.dumps(record).encode()
        return httpx.Response(
            200, content=b"[" + body + b"]" if request.url.path == "/people" else body
        )

    return answer


# Redirects.


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
@pytest.mark.parametrize(
    "more", [{}, {"idempotency": "Idempotency-Key"}], ids=["plain", "idempotent"]
)
def test_a_redirect_is_no_success(
    open_api: Callable[..., RestConnector], status: int, more: dict[str, str]
) -> None:
    """A deletion is refused and a create uncertain, with the address that it leads to, without what may be secret in it."""
    connector = open_api(
        lambda request: httpx.Response(status, headers={"location": LOGIN}), **more
    )
    deleted, made = (
        one(connector, OpKind.DELETE),
        one(connector, OpKind.CREATE, email="new@example.test"),
    )
    assert (deleted.status, made.status, made.key) == (Status.REJECTED, Status.UNCERTAIN, None)
    assert f"{status}, a redirect to {HOST}/login/" in deleted.detail
    assert not any(secret in deleted.detail + made.detail for secret in ("me:pw", "hush"))
    _, proof = read_all(connector)
    assert not proof.complete
    assert "write the url and the path as the API wants them" in proof.why_incomplete


@pytest.mark.parametrize(("status", "key"), [(201, "17"), (200, None), (202, None)])
def test_only_created_has_a_location_with_the_key(
    open_api: Callable[..., RestConnector], status: int, key: str | None
) -> None:
    """Location names the new record with 201 alone: elsewhere it is a login page, or the address of a job."""
    answer = httpx.Response(status, headers={"location": "/people/17"})
    connector = open_api(
        lambda request: answer if request.method == "POST" else httpx.Response(404, json={})
    )
    reply = one(connector, OpKind.CREATE, email="new@example.test")
    assert (reply.status, reply.key) == (Status.DONE if key else Status.UNCERTAIN, key)


# Lists that go on.

MORE = {
    "link": ([ANN], {"link": f'<{HOST}/people?page=2>; rel="next"'}),
    "header": ([ANN], {"x-total-count": "45"}),
    "total": ({"data": [ANN], "total": 45}, {}),
    "inner total": ({"data": [ANN], "meta": {"total_count": "45"}}, {}),
    "next": ({"data": [ANN], "next": "/people?page=2"}, {}),
    "inner next": ({"data": [ANN], "links": {"next": {"href": "/people?page=2"}}}, {}),
    "more": ({"data": [ANN], "has_more": True}, {}),
}


def lists(body: Any, headers: dict[str, str]) -> Answers:
    """An API that gives the same page whatever is asked."""
    return lambda request: httpx.Response(200, json=body, headers=headers)


@pytest.mark.parametrize("body", MORE)
def test_a_list_that_goes_on_needs_a_pager(
    open_api: Callable[..., RestConnector], body: str
) -> None:
    """Without one, what shows that there is more makes the proof incomplete, and the description names the remedy."""
    answers = lists(*MORE[body])
    connector = open_api(answers, items="data" if isinstance(MORE[body][0], dict) else "")
    _, proof = read_all(connector)
    assert not proof.complete
    assert "declare how the API pages" in proof.why_incomplete
    with pytest.raises(ConfigError) as raised:
        connector.describe()
    assert [problem.where for problem in raised.value.problems] == ["app.contact"]
    assert "no pager is declared" in str(raised.value)


@pytest.mark.parametrize(
    "beside",
    [
        {"total": 1, "next": None},
        {"count": 1, "links": {"next": {"href": None}}, "has_more": False},
        {},
    ],
)
def test_a_list_that_says_that_it_ends_is_whole(
    open_api: Callable[..., RestConnector], beside: dict[str, Any]
) -> None:
    """A total that agrees and a next page that is none are no reason for doubt."""
    connector = open_api(
        lists({"data": [ANN], **beside}, {"link": f'<{HOST}/people>; rel="first"'}), items="data"
    )
    assert read_all(connector)[1].complete
    assert connector.describe().identity == f"rest:{HOST}"


@pytest.mark.parametrize("total", [None, "total"])
def test_an_empty_page_before_the_total_is_no_end(
    open_api: Callable[..., RestConnector], total: str | None
) -> None:
    """A server that filters its pages afterwards gives an empty one in the middle: its total tells, declared or not."""

    def answer(request: httpx.Request) -> httpx.Response:
        rows = {"1": [{"id": 1}, {"id": 2}], "3": [{"id": 3}]}.get(request.url.params["page"], [])
        return httpx.Response(200, json={"data": rows, "total": 3})

    _, proof = read_all(open_api(answer, items="data", pager=PagerSettings("page", 2, total=total)))
    assert not proof.complete
    assert "3 records, 2 were read" in proof.why_incomplete


def test_what_is_not_found_in_a_part_is_not_known(open_api: Callable[..., RestConnector]) -> None:
    """After a create in doubt a list that goes on proves nothing absent, and still shows what is on it."""
    connector = open_api(lists({"data": [ANN], "total": 45}, {}), items="data")
    assert [
        record.key
        for record in connector.look(create(Entity.CONTACT, {"email": "ann@example.test"}))
    ] == ["1"]
    with pytest.raises(ConnectorError, match="not all could be looked at"):
        connector.look(create(Entity.CONTACT, {"email": "bob@example.test"}))


# Marks, times, names, numbers.


@pytest.mark.parametrize(
    "mark", ["N", "off", "None", "null", "0000-00-00 00:00:00", 0, "0.0", [], None, False]
)
def test_a_word_for_no_deletes_nothing(mark: Json) -> None:
    """However a soft-delete member says no, the record is there; anything else is a yes."""
    form = form_of(EndpointSettings("/people", deleted="gone"), ())
    assert not form.record({"id": 1, "gone": mark}).deleted
    assert form.record({"id": 1, "gone": "2026-01-01"}).deleted


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-01-31T09:00:00", "2026-01-31T14:00:00.000Z"),
        ("2026-01-31T09:00:00+01:00", "2026-01-31T08:00:00.000Z"),
        (1_700_000_000, "2023-11-14T22:13:20.000Z"),
        ("1700000000", "2023-11-14T22:13:20.000Z"),
        ("1700000000.5", "2023-11-14T22:13:20.500Z"),
        ("1700000000500", "2023-11-14T22:13:20.500Z"),
        ("20260131", "2026-01-31T05:00:00.000Z"),
        ("202601310900", None),
    ],
)
def test_a_time_without_a_zone_is_the_pairs(
    open_api: Callable[..., RestConnector], written: Json, meant: str | None
) -> None:
    """It is read in the declared zone, epoch numbers as text too, and a row of digits that may be a date is no epoch."""
    record = {**ANN, "at": written}
    connector = open_api(holding([], record), modified_at="at", zone="America/New_York")
    held = connector.read(Entity.CONTACT, "1")
    assert held is not None
    assert held.modified_at == meant
    [page], _ = read_all(connector)
    assert json.loads(page.lines)["#modified_at"] == meant
    assert instant("2026-01-31T09:00:00") == "2026-01-31T09:00:00.000Z"


PAIR = """\
pair = "acme"
timezone = "America/New_York"
[app]
connector = "rest"
url = "http://127.0.0.1:9"
headers = { X-Key = "hush" }
[app.contact]
path = "/people"
modified_at = "at"
[ghl]
location = "x"
token = "env:TOKEN"
[contact]
match = ["email"]
[contact.fields]
email = "email"
"""


def test_a_pair_gives_its_zone_and_hides_its_headers(tmp_path: Path) -> None:
    """The connector of a pair reads times in the pair's zone, and its repr shows the headers' names alone."""
    (tmp_path / "acme.toml").write_text(PAIR)
    with connect(load(tmp_path / "acme.toml", environ={"TOKEN": "t"})) as sides:
        app = sides[Side.APP]
        assert isinstance(app, RestConnector)
        form = app._form(Entity.CONTACT)
        assert (
            form.record({"id": 1, "at": "2026-01-31T09:00:00"}).modified_at
            == "2026-01-31T14:00:00.000Z"
        )
        assert "hush" not in repr(app)
        assert "X-Key" in repr(app)


@pytest.mark.parametrize("place", ["app.url", "app.auth.token_url"])
def test_a_password_in_a_url_is_refused(place: str) -> None:
    """A URL is shown and stored, so that credentials in it are a problem, told without them, with the place for them."""
    bad = "https://svc:S3cret@api.example.test"
    url, token_url = (bad, "") if place == "app.url" else (HOST, bad)
    settings = RestSettings(url, {}, AuthSettings(token_url=token_url))
    with pytest.raises(ConfigError) as raised:
        RestConnector(settings)
    assert [problem.where for problem in raised.value.problems] == [place]
    assert "app.auth" in str(raised.value)
    assert "S3cret" not in f"{raised.value} {settings.url and repr(RestSettings(bad, {}))}"


def test_a_list_member_is_found_by_its_number(open_api: Callable[..., RestConnector]) -> None:
    """A read by key finds what a bulk read finds."""
    connector = open_api(holding([]))
    [page], _ = read_all(connector)
    with tempfile.NamedTemporaryFile(suffix=".ndjson") as spool:
        spool.write(page.lines)
        spool.flush()
        [row] = duckdb.sql(
            raw_rows(Path(spool.name), [OWN], connector.shape(Entity.CONTACT))
        ).fetchall()
    held = connector.read(Entity.CONTACT, "1")
    assert held is not None
    assert "gold" in row
    assert held.fields[OWN] == "gold"


@pytest.mark.parametrize("name", [7, "7"])
@pytest.mark.parametrize("read_before", [True, False])
def test_a_list_member_keeps_the_form_of_its_name(
    open_api: Callable[..., RestConnector], name: Json, read_before: bool
) -> None:
    """What is written names the member as the API does, as a number or as text, in a part of the record or in the whole.

    The other members of the list go with it: an API takes a list that it is sent for the whole one.
    """
    record = {**ANN, "own": [{"id": 8, "value": "x"}, {"id": name, "value": "gold"}]}
    sent: list[bytes] = []
    changed, whole = (
        open_api(holding(sent, record), update="PATCH"),
        open_api(holding(sent, record)),
    )
    for connector in (changed, whole):
        if read_before:
            read_all(connector)
        one(connector, OpKind.UPDATE, **{OWN: "silver"})
    member = {"id": name, "value": "silver"}
    assert [json.loads(body)["own"] for body in sent] == [[{"id": 8, "value": "x"}, member]] * 2


def test_a_whole_record_goes_back_digit_by_digit(open_api: Callable[..., RestConnector]) -> None:
    """Numbers that nobody changed are numbers again, with all their digits."""
    numbers = b'"price":12.50,"far":0.1234567890123456789,"big":1e400,"geo":{"lat":52.520008},"n":18446744073709551616'
    sent: list[bytes] = []
    connector = open_api(
        holding(sent, b'{"id":1,"email":"a@example.test",' + numbers + b"}"), send="whole"
    )
    one(connector, OpKind.UPDATE, email="b@example.test")
    assert sent == [b'{"id":1,"email":"b@example.test",' + numbers + b"}"]


def test_tags_are_compared_as_the_core_compares_them(
    open_api: Callable[..., RestConnector],
) -> None:
    """Letter case is none, but "Straße" and "Strasse" are two tags: adding one adds it, removing one leaves the other."""
    sent: list[bytes] = []
    connector = open_api(holding(sent), tags="tags")
    one(connector, OpKind.ADD_TAGS, tags=("straße", "STRASSE"))
    one(connector, OpKind.REMOVE_TAGS, tags=("straße",))
    assert [json.loads(body)["tags"] for body in sent] == [["Strasse", "straße"]]
