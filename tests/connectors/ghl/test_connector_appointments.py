"""Appointments over real HTTP: the times of a location are its own, and a contact that cannot be read stops no other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from connectors.ghl.moments import instant
from connectors.ghl.sandbox import Fault
from reconcile.entities import Shown
from reconcile.errors import ConnectorError, Expired, InvalidField
from reconcile.model import Entity, OpKind
from reconcile.ports import Proof, Scope, ShowsAgendas, Write
from tests.connectors.ghl.hosted import LOCATION, VERSIONS, Hosted, hosted

LIST = "/contacts/{contactId}/appointments"
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture(params=VERSIONS)
def host(request: pytest.FixtureRequest) -> Iterator[Hosted]:
    """A location in Berlin, under either version; one request at a time, one attempt each."""
    with hosted(version=request.param, concurrency=1, attempts=1) as one:
        one.sandbox.add_location(LOCATION, timezone="Europe/Berlin")
        yield one


def people(host: Hosted, count: int) -> list[str]:
    """Contacts, each with one appointment at noon UTC."""
    keys = [host.sandbox.seed_contact(LOCATION, email=f"p{n}@example.com") for n in range(count)]
    for key in keys:
        noon = datetime(2026, 7, 1, 12, tzinfo=UTC).isoformat()
        host.sandbox.seed_appointment(key, title="Visit", startTime=noon)
    return keys


def test_naive_times_are_the_locations_own(host: Hosted) -> None:
    """What GHL shows as 14:00 in Berlin in summer is noon in UTC, with title and status."""
    (key,) = people(host, 1)
    raw = host.connector.api.call("appointment.list", {"contact": key}).json()
    assert raw["events"][0]["startTime"] == "2026-07-01 14:00:00"
    (agenda,) = host.connector.agendas(Shown.APPOINTMENT, [key])
    (event,) = agenda.events
    assert (event.start, event.status) == ("2026-07-01T12:00:00.000Z", "confirmed")
    assert (event.key, event.title) == (raw["events"][0]["id"], "Visit")
    assert isinstance(host.connector, ShowsAgendas)


def test_the_location_says_its_zone(host: Hosted) -> None:
    """The description names it, so that a report can show the location's times."""
    assert host.connector.describe().timezone == "Europe/Berlin"


def test_across_a_change_of_the_clock_the_instants_differ(host: Hosted) -> None:
    """Ten o'clock before and after the clock goes back is an hour apart in UTC."""
    key = host.sandbox.seed_contact(LOCATION, email="a@example.com")
    for day in (24, 26):
        at = datetime(2026, 10, day, 10, tzinfo=BERLIN).isoformat()
        host.sandbox.seed_appointment(key, startTime=at)
    (agenda,) = host.connector.agendas(Shown.APPOINTMENT, [key])
    starts = sorted(str(event.start) for event in agenda.events)
    assert starts == ["2026-10-24T08:00:00.000Z", "2026-10-26T09:00:00.000Z"]


@pytest.mark.parametrize("status", [500, 403])
def test_one_contact_that_cannot_be_read_stops_no_other(host: Hosted, status: int) -> None:
    """It comes with the reason, in its place; the others have their appointments."""
    keys = people(host, 3)
    host.sandbox.arm(fault(f"/contacts/{keys[1]}/appointments", status))
    agendas = list(host.connector.agendas(Shown.APPOINTMENT, keys))
    assert [agenda.contact for agenda in agendas] == keys
    assert [len(agenda.events) for agenda in agendas] == [1, 0, 1]
    assert keys[1] in agendas[1].failure


def test_a_contact_that_is_gone_has_none(host: Hosted) -> None:
    """GHL names it as not found: that is an answer, and no failure."""
    (agenda,) = host.connector.agendas(Shown.APPOINTMENT, ["AbsentAbsentAbsent00"])
    assert (agenda.events, agenda.failure) == ((), "")


def test_refused_credentials_end_it(host: Hosted) -> None:
    """401 for all is the token's fault."""
    keys = people(host, 2)
    other = host.another(token="pit-wrong")
    with closing(other), pytest.raises(Expired):
        list(other.agendas(Shown.APPOINTMENT, keys))


def test_a_side_that_fails_is_asked_no_further(host: Hosted) -> None:
    """After five contacts in a row that cannot be read, the side is taken to fail."""
    keys = people(host, 8)
    host.sandbox.arm(fault(LIST, 500))
    agendas = host.connector.agendas(Shown.APPOINTMENT, keys)
    failed = [next(agendas) for _ in range(4)]
    assert all(agenda.failure for agenda in failed)
    with pytest.raises(ConnectorError):
        next(agendas)


@pytest.mark.parametrize(
    ("text", "zone", "at"),
    [
        ("2026-07-16 11:00:00", BERLIN, "2026-07-16T09:00:00.000Z"),
        ("2026-01-16T11:00", BERLIN, "2026-01-16T10:00:00.000Z"),
        ("2026-07-16T11:00:00+05:30", None, "2026-07-16T05:30:00.000Z"),
        ("2026-07-16T11:00:00.000Z", BERLIN, "2026-07-16T11:00:00.000Z"),
        # The clock goes back: the first of two, and the one after them.
        ("2026-10-25 02:30:00", BERLIN, "2026-10-25T00:30:00.000Z"),
        ("2026-10-25 03:30:00", BERLIN, "2026-10-25T02:30:00.000Z"),
        # The clock goes forward: no clock shows that time.
        ("2026-03-29 02:30:00", BERLIN, None),
        ("2026-07-16 11:00:00", None, None),
        ("2026-07-16", BERLIN, None),
        ("soon", BERLIN, None),
        ("2026-13-40 99:00:00", BERLIN, None),
        ("0001-01-01 00:00:00", ZoneInfo("Asia/Tokyo"), None),
        (None, BERLIN, None),
        (1784192400000, BERLIN, None),
    ],
)
def test_a_time_is_an_instant_or_none(text: object, zone: ZoneInfo | None, at: str | None) -> None:
    """Nothing is guessed: without an offset it takes a zone, and a time on that zone's clock."""
    assert instant(text, zone) == at


def fault(path: str, status: int) -> Fault:
    """A failing answer to every request for these appointments."""
    return Fault("status", "GET", path, status=status, message="not for you")


def test_a_whole_read_asks_each_calendar_once_and_says_which_days(host: Hosted) -> None:
    """Two calendars are two requests with the days as milliseconds; what is past them is not shown."""
    key = host.sandbox.seed_contact(LOCATION, email="a@example.com")
    calls = host.sandbox.seed_calendar(LOCATION, "Calls")
    host.sandbox.seed_calendar(LOCATION, "Visits")
    today = datetime.now(UTC).replace(microsecond=0)
    for days in (-40, -1, 300, 400):
        start = (today + timedelta(days=days)).isoformat()
        host.sandbox.seed_appointment(key, id=f"in{days}", startTime=start, calendarId=calls)
    reads = host.connector.extract(Entity.APPOINTMENT)
    *pages, proof = list(reads)
    shown = [json.loads(line) for page in pages for line in page.lines.splitlines()]
    assert {row["id"] for row in shown} == {"in-1", "in300"}
    assert {row["calendar"] for row in shown} == {"Calls"}
    assert isinstance(proof, Proof)
    assert proof.span is not None
    assert (proof.complete, proof.span.field) == (True, "startTime")
    of_contact = list(host.connector.extract(Entity.APPOINTMENT, Scope(parents=(key,))))
    rows = [json.loads(line) for page in of_contact[:-1] for line in page.lines.splitlines()]
    assert {row["id"] for row in rows} == {"in-1", "in300"}, "a delta brings no more than a night"
    counted = host.connector.usage().by_endpoint
    assert (counted["calendar.list"], counted["appointment.events"]) == (1, 2)


def test_an_appointment_reads_alike_by_calendar_by_contact_and_by_id(host: Hosted) -> None:
    """With an offset or without one, its times are the same instants, so that no read looks like an edit."""
    key = host.sandbox.seed_contact(LOCATION, email="a@example.com")
    start = (datetime.now(UTC) + timedelta(days=3)).isoformat(timespec="seconds")
    visit = host.sandbox.seed_appointment(key, title="Visit", startTime=start)
    found = [
        next(iter(host.connector.extract(Entity.APPOINTMENT, scope))).lines
        for scope in (Scope(), Scope(parents=(key,)), Scope(keys=(visit,)))
    ]
    names = ("id", "contactId", "title", "appointmentStatus", "startTime", "endTime", "calendar")
    rows = [[json.loads(lines)[name] for name in names] for lines in found]
    assert rows[0] == rows[1] == rows[2]
    assert rows[0][4].endswith("Z")


def test_nothing_of_an_appointment_is_ever_sent(host: Hosted) -> None:
    """The connector refuses such a write, whoever asks for it."""
    write = Write("op", OpKind.DELETE, Entity.APPOINTMENT, "v1", "c1")
    with pytest.raises(InvalidField, match="never written"):
        list(host.connector.write([write]))
