"""A full read proves that it is whole, or says why it is not; it never ends short."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable
from typing import Any

import httpx
import msgspec
import pytest

from connectors.ghl.lines import Head, Row
from connectors.ghl.overlap import skipping
from connectors.ghl.sandbox import Fault
from reconcile.errors import Blocked, Expired, Forbidden, WrongLocation
from reconcile.model import Entity
from reconcile.ports import Page, Proof, Scope
from tests.connectors.ghl.fake_ghl import START, SearchOnly, answer, connector
from tests.connectors.ghl.hosted import LOCATION, Hosted, hosted, unlimited

CONTACTS = {Entity.CONTACT: ("firstName",)}
MINUTE = 60_000


def read(pages: Iterable[Page | Proof]) -> tuple[list[str], Proof]:
    """The keys in the order read, and the proof; every page counts its lines."""
    keys: list[str] = []
    *found, proof = list(pages)
    assert isinstance(proof, Proof)
    for page in found:
        assert isinstance(page, Page)
        lines = page.lines.splitlines()
        assert len(lines) == page.rows
        heads = [msgspec.json.decode(line) for line in lines]
        keys += [head.get("id") or head["_id"] for head in heads]
    return keys, proof


def sweep(side: SearchOnly, **settings: Any) -> tuple[list[str], Proof]:
    """A full read of a fake."""
    return read(connector(side, fields=CONTACTS, **settings).extract(Entity.CONTACT))


@pytest.mark.parametrize(
    "times",
    [
        pytest.param([START + n * MINUTE for n in range(30_000)], id="spread over time"),
        pytest.param(
            [1_749_999_000_000 + n for n in range(30_000)],
            id="imported within half a minute, long after",
        ),
        pytest.param(
            [START + n for n in range(900)] + [1_749_999_000_000 + n for n in range(29_100)],
            id="with a gap of years",
        ),
        pytest.param([START] * 30_000, id="all in one millisecond"),
        pytest.param(
            [START + (n % 7) * 30 * 86_400_000 for n in range(25_000)], id="in seven imports"
        ),
        pytest.param([START + n * MINUTE for n in range(1000)], id="two full pages"),
        pytest.param([START + n * MINUTE for n in range(499)], id="less than a page"),
        pytest.param([], id="none"),
    ],
)
@pytest.mark.parametrize("ranges", ["yes", "refused", "ignored"])
def test_a_full_read_shows_everything_once(times: list[int], ranges: str) -> None:
    """However contacts lie in time, and whether or not ranges work, each comes once, for 5 % and one request more at most."""
    side = SearchOnly(times, ranges=ranges)
    keys, proof = sweep(side)
    assert sorted(keys) == sorted(key for _, key in side.rows)
    assert proof == Proof(complete=True, reported_total=len(times))
    pages = math.ceil(len(times) / 500)
    assert side.requests <= math.floor(pages * 1.05) + 1


def test_independent_cursors_are_at_work() -> None:
    """With room for it, several ranges are read, each with a filter and a cursor of its own."""
    side = SearchOnly([START + n * MINUTE for n in range(60_000)])
    bodies: list[dict[str, Any]] = []

    def noted(request: httpx.Request) -> httpx.Response:
        bodies.append(msgspec.json.decode(request.content))
        return side(request)

    keys, _ = read(connector(noted, fields=CONTACTS).extract(Entity.CONTACT))
    assert len(set(keys)) == 60_000
    assert len({str(body.get("filters")) for body in bodies}) >= 5
    assert all(body["sort"] == [{"field": "dateAdded", "direction": "asc"}] for body in bodies)


@pytest.mark.parametrize("held_back", [1, 4, 12])
def test_answers_may_overtake_one_another(held_back: int) -> None:
    """A split-off range that answers long after the one it was split from does not confuse the count."""
    side = SearchOnly([START + n * MINUTE for n in range(60_000)])
    answered = threading.Condition()

    def slow_to_begin(request: httpx.Request) -> httpx.Response:
        body = msgspec.json.decode(request.content)
        begins = (
            bool(body.get("filters"))
            and "gte" in body["filters"][0]["value"]
            and "searchAfter" not in body
        )
        enough = side.requests + held_back
        with answered:
            if begins and side.requests > 2:
                answered.wait_for(lambda: side.requests >= enough, timeout=0.5)
        reply = side(request)
        with answered:
            answered.notify_all()
        return reply

    keys, proof = read(connector(slow_to_begin, fields=CONTACTS).extract(Entity.CONTACT))
    assert len(set(keys)) == len(keys) == 60_000
    assert proof == Proof(complete=True, reported_total=60_000)
    # 120 pages, and a last one for each range: how often threads split one is the scheduler's choice.
    assert side.requests <= 132


def test_without_ranges_one_cursor_reads_in_order() -> None:
    """With range_reads off there is one cursor and no filter."""
    side = SearchOnly([START + n * MINUTE for n in range(20_000)], ranges="refused")
    keys, proof = sweep(side, range_reads=False)
    assert keys == [key for _, key in side.rows]
    assert proof.complete


def test_contacts_added_while_reading_do_not_make_it_incomplete() -> None:
    """Someone adds contacts in the middle: those read are whole, and the count is GHL's latest."""
    side = SearchOnly([START + n * MINUTE for n in range(3000)])

    def grow(
        number: int, page: list[dict[str, Any]], total: int
    ) -> tuple[list[dict[str, Any]], int]:
        if number == 3:
            side.rows.append((1_750_000_000_000, "c-new"))
        return page, total

    side.spoil = grow
    keys, proof = sweep(side)
    assert proof.complete
    assert set(keys) >= {f"c{n:07d}" for n in range(3000)}


def test_contacts_deleted_while_reading_are_explained_by_a_second_read() -> None:
    """A count that no longer fits is checked by one more read before it is believed."""
    side = SearchOnly([START + n * MINUTE for n in range(3000)])

    def shrink(
        number: int, page: list[dict[str, Any]], total: int
    ) -> tuple[list[dict[str, Any]], int]:
        if number == 2:
            del side.rows[-1]
        return page, total

    side.spoil = shrink
    keys, proof = sweep(side)
    assert proof.complete
    assert len(keys) == len(set(keys)) == 2999


def test_a_count_that_never_fits_is_incomplete() -> None:
    """An index that shows fewer contacts than it counts, twice, is not proof of anything."""
    side = SearchOnly([START + n * MINUTE for n in range(1200)])
    side.spoil = lambda number, page, total: (page, total + 5)
    keys, proof = sweep(side)
    assert len(set(keys)) == 1200
    assert not proof.complete
    assert "1205" in proof.why_incomplete
    assert proof.reported_total == 1205


def test_rows_that_a_page_dropped_are_found_by_the_second_read() -> None:
    """A page that silently misses rows in its middle is mended, not believed."""
    side = SearchOnly([START + n * MINUTE for n in range(2000)])
    side.spoil = lambda number, page, total: (
        (page[:100] + page[120:], total) if number == 2 else (page, total)
    )
    keys, proof = sweep(side)
    assert sorted(keys) == sorted(key for _, key in side.rows)
    assert proof.complete


def test_a_side_that_gives_no_total_is_read_to_an_empty_page() -> None:
    """Without a count, the end is a page without rows, never a short one."""
    side = SearchOnly([START + n * MINUTE for n in range(1200)])

    def untold(request: httpx.Request) -> httpx.Response:
        body = msgspec.json.decode(side(request).content)
        return answer({"contacts": body["contacts"]})

    keys, proof = read(connector(untold, fields=CONTACTS).extract(Entity.CONTACT))
    assert len(keys) == 1200
    assert proof == Proof(complete=True)


def repeat_row(
    number: int, page: list[dict[str, Any]], total: int
) -> tuple[list[dict[str, Any]], int]:
    return ([*page[:-1], page[0]], total) if number == 2 else (page, total)


def lose_cursor(
    number: int, page: list[dict[str, Any]], total: int
) -> tuple[list[dict[str, Any]], int]:
    return [{**row, "searchAfter": None} for row in page], total


def lose_id(
    number: int, page: list[dict[str, Any]], total: int
) -> tuple[list[dict[str, Any]], int]:
    return ([{**row, "id": None} for row in page], total) if number == 2 else (page, total)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (repeat_row, "returned twice"),
        (lose_cursor, "searchAfter"),
        (lose_id, "without"),
        (
            lambda number, page, total: (
                answer({"contacts": "none"}) if number == 2 else (page, total)
            ),
            "SearchPage",
        ),
        (lambda number, page, total: httpx.Response(502) if number >= 2 else (page, total), "502"),
        (
            lambda number, page, total: (
                answer({"message": "no"}, status=400) if number >= 2 else (page, total)
            ),
            "400",
        ),
    ],
)
def test_a_fault_of_a_page_or_cursor_makes_the_snapshot_incomplete(spoil: Any, why: str) -> None:
    """Whatever goes wrong after the first page, the extraction ends with the reason."""
    side = SearchOnly([START + n * MINUTE for n in range(2000)])
    side.spoil = spoil
    _, proof = sweep(side)
    assert not proof.complete
    assert why in proof.why_incomplete


@pytest.mark.parametrize(
    ("status", "message", "error"),
    [
        (401, "Invalid JWT", Expired),
        (401, "The token is not authorized for this scope.", Forbidden),
        (403, "The token does not have access to this location.", WrongLocation),
    ],
)
def test_credentials_that_can_read_nothing_stop_the_run(
    status: int, message: str, error: type[Exception]
) -> None:
    """Expired, Forbidden and WrongLocation are raised, not written into a proof."""
    side = SearchOnly([START])
    side.spoil = lambda number, page, total: answer(
        {"statusCode": status, "message": message}, status=status
    )
    with pytest.raises(error):
        sweep(side)


def populate(host: Hosted, contacts: int = 7) -> list[str]:
    """Contacts a minute apart, each with a task and a note."""
    rows = [
        {"email": f"p{n}@example.com", "firstName": f"P{n}", "dateAdded": START + n * MINUTE}
        for n in range(contacts)
    ]
    keys = host.sandbox.seed_contacts(LOCATION, rows)
    for number, key in enumerate(keys):
        host.sandbox.seed_task(key, title=f"T{number}", dateAdded=START + number)
        host.sandbox.seed_note(key, body=f"N{number}")
    return keys


EXPECTED_WITH = {
    "status": True,
    "reset_before": True,
    "reset_after": True,
    "rate_limited": True,
    "malformed": True,
    "slow": True,
    "truncated_page": True,
    "wrong_total": None,
    "stuck_cursor": None,
    "repeated_ids": None,
}
"""Fault -> whether the read must come out complete all the same; None: complete with everything, or incomplete."""


@pytest.mark.parametrize("nth", [1, 4, 7], ids=["first", "middle", "last"])
@pytest.mark.parametrize("kind", sorted(EXPECTED_WITH))
@pytest.mark.parametrize("entity", [Entity.CONTACT, Entity.TASK], ids=str)
def test_no_fault_makes_a_read_short(entity: Entity, kind: str, nth: int) -> None:
    """Each fault, at the first, a middle and the last request: all rows and a complete proof, or an incomplete one."""
    with hosted(page_size=1, task_page=2) as host:
        keys = populate(host)
        path = (
            "/contacts/search"
            if entity is Entity.CONTACT
            else "/locations/{locationId}/tasks/search"
        )
        host.sandbox.arm(Fault(kind=kind, path=path, nth=nth, seconds=0.05))  # type: ignore[arg-type]
        found, proof = read(host.connector.extract(entity))
        whole = (
            sorted(keys)
            if entity is Entity.CONTACT
            else sorted(row["id"] for row in host.sandbox.tasks(LOCATION))
        )
        if EXPECTED_WITH[kind]:
            assert proof.complete, proof
        if proof.complete:
            assert sorted(found) == whole
        else:
            assert proof.why_incomplete


@pytest.mark.parametrize("nth", [1, 3, 7])
def test_the_cdns_page_stops_the_run(nth: int) -> None:
    """A gateway that refuses the client is a named error in the proof, and reads nothing more."""
    with hosted(page_size=1) as host:
        populate(host)
        host.sandbox.arm(Fault(kind="cdn_block", path="/contacts/search", after=nth - 1))
        _, proof = read(host.connector.extract(Entity.CONTACT))
        assert not proof.complete
        assert Blocked.code in proof.why_incomplete


def test_a_day_without_quota_makes_the_snapshot_incomplete() -> None:
    """At the daily reserve reading stops, and the proof says so."""
    from connectors.ghl.sandbox import Limit

    with hosted(unlimited(pit=Limit(max=1000, daily=10)), page_size=1, daily_reserve=0.5) as host:
        populate(host)
        found, proof = read(host.connector.extract(Entity.CONTACT))
        assert "EXHAUSTED_DAY" in proof.why_incomplete
        assert len(found) <= 5
        assert len(host.sandbox.log) <= 5


def test_refused_range_filters_leave_one_cursor() -> None:
    """Where GHL refuses a filter on dateAdded, the one cursor reads everything."""
    with hosted(page_size=1) as host:
        keys = populate(host, 60)
        host.sandbox.arm(Fault(kind="refuse_filter", path="/contacts/search", field="dateAdded"))
        found, proof = read(host.connector.extract(Entity.CONTACT))
        assert proof.complete
        assert sorted(found) == sorted(keys)


def test_tasks_without_a_contact_are_read_as_such() -> None:
    """A task of no contact is no fault, and the reading is whole with it; deleted tasks are dropped (docs/ghl.md#tasks)."""
    with hosted() as host:
        populate(host, 2)
        loose = host.sandbox.seed_task(None, location_id=LOCATION, title="loose")
        gone = host.sandbox.tasks(LOCATION)[0]["id"]
        host.sandbox.delete_task(gone)
        found, proof = read(host.connector.extract(Entity.TASK))
        assert len(found) == 2
        assert gone not in found
        assert loose in found
        assert (proof.complete, proof.quarantined) == (True, ())


@pytest.mark.parametrize("contacts", [0, 1, 3, 5, 9])
def test_shorter_pages_than_asked_for_are_no_end(contacts: int) -> None:
    """Where GHL caps the page below what was asked, reading goes on until nothing new comes."""
    with hosted(unlimited(tasks_page_max=3), task_page=10) as host:
        populate(host, contacts)
        found, proof = read(host.connector.extract(Entity.TASK))
        assert len(found) == contacts
        assert proof.complete


def test_pages_of_tasks_are_asked_for_ahead() -> None:
    """Many pages are overlapped, come in order, and cost at most a few requests past the end."""
    rows = [Row(Head(id=f"t{number}"), b"{}") for number in range(10_000)]
    asked: list[int] = []

    def fetch(skip: int) -> list[Row]:
        asked.append(skip)
        return rows[skip : skip + 100]

    found = [
        row.head.key for page, moved in skipping(fetch, width=5) for row in page[1:] if not moved
    ]
    assert found == [row.head.key for row in rows[1:]]
    assert len(asked) <= 1.07 * 100


def test_tasks_that_move_while_they_are_read_are_read_again() -> None:
    """A task added in front shifts every page; a second read finds what slipped through."""
    with hosted(task_page=3) as host:
        (key, *_) = populate(host, 10)
        pages = host.connector.extract(Entity.TASK)
        first = next(pages)
        assert isinstance(first, Page)
        host.sandbox.seed_task(key, title="new")
        keys, proof = read(pages)
        assert proof.complete
        assert len(set(keys)) == len(keys) == 11 - first.rows


def test_notes_of_everyone_are_read_contact_by_contact() -> None:
    """Without parents, notes of all contacts that search finds are read."""
    with hosted() as host:
        populate(host, 5)
        found, proof = read(host.connector.extract(Entity.NOTE))
        assert len(found) == 5
        assert proof.complete
        assert not proof.partial


@pytest.mark.parametrize(
    ("status", "message"), [(500, ""), (403, ""), (403, "Forbidden"), (401, "Invalid token")]
)
def test_one_contact_whose_notes_cannot_be_read_stops_no_other(status: int, message: str) -> None:
    """Its notes are not covered, and it is named with the request and GHL's trace id; everyone else's notes are read."""
    with hosted() as host:
        people = populate(host, 5)
        host.sandbox.arm(
            Fault("status", path=f"/contacts/{people[1]}/notes", status=status, message=message)
        )
        pages = list(host.connector.extract(Entity.NOTE, Scope(parents=tuple(people))))
        covered = [key for page in pages if isinstance(page, Page) for key in page.covers]
        proof = pages[-1]
        assert isinstance(proof, Proof)
        assert covered == [people[0], *people[2:]]
        (said,) = proof.quarantined
        assert people[1] in said
        assert "/notes" in said
        assert ("trace id" in said) == bool(message or status == 500)  # a gateway's page has none
        assert proof.partial


def test_notes_that_nobody_may_read_are_a_failure_of_the_side() -> None:
    """Where one contact after the other is refused, the credentials lack the right to notes: that ends the reading."""
    with hosted() as host:
        people = populate(host, 8)
        host.sandbox.arm(Fault("status", path="/contacts/*/notes", status=403, message="Forbidden"))
        with pytest.raises(Forbidden):
            list(host.connector.extract(Entity.NOTE, Scope(parents=tuple(people))))


def test_a_business_narrows_the_run() -> None:
    """With business_ids, its contacts and their tasks and notes are read, and nothing is said of others."""
    with hosted() as host:
        keys = populate(host, 4)
        business = host.sandbox.seed_business(LOCATION, "Acme")
        for key in keys[:2]:
            host.sandbox.edit_contact(key, businessId=business)
        host.sandbox.catch_up()
        narrowed = host.another(business_ids=(business,))
        for entity in (Entity.CONTACT, Entity.TASK, Entity.NOTE):
            pages = list(narrowed.extract(entity))
            covered = {key for page in pages if isinstance(page, Page) for key in page.covers}
            assert covered == set(keys[:2])
            assert read(pages)[1] == Proof(complete=True, partial=True)
        narrowed.close()


def test_a_vanished_contact_among_given_keys_is_covered_and_absent() -> None:
    """A key that GHL no longer knows is covered without a row."""
    with hosted() as host:
        keys = populate(host, 2)
        host.sandbox.delete_contact(keys[0])
        (page, proof) = host.connector.extract(Entity.CONTACT, Scope(keys=tuple(keys)))
        assert isinstance(page, Page)
        assert page.rows == 1
        assert page.covers == tuple(keys)
        assert proof == Proof(complete=True, partial=True)
