"""What a report shows of appointments: short lists of many, times across a change of the clock, and no value in a masked copy."""

from __future__ import annotations

from typing import Any

from reconcile.ledger.agendas import Look
from reconcile.ports import Event
from reconcile.report.agendas import LISTED, Agendas
from reconcile.report.markdown import markdown
from reconcile.report.mask import masked
from reconcile.report.page import page
from tests.builders_report import report_of

NOW = "2026-10-24T12:00:00.000Z"


def look(number: int, *starts: str | None, status: str = "confirmed") -> Look:
    """A contact with appointments at these times."""
    listed = [Event(f"e{n}", status, "Visit of Ann", at) for n, at in enumerate(starts)]
    return Look(f"c{number:03}", NOW, NOW, "", tuple(listed))


def agendas(*looks: Look, zone: str = "Europe/Berlin") -> Agendas:
    """What is known of these contacts."""
    return Agendas(NOW, budget=10, timezone=zone).add(looks)


def test_the_same_hour_on_the_wall_before_and_after_the_clock_goes_back() -> None:
    """Each is shown as the location's clock shows it on that day."""
    shown = agendas(look(1, "2026-10-24T14:00:00.000Z", "2026-10-25T15:00:00.000Z"))
    assert [row["local"] for row in shown.next] == [
        "2026-10-24T16:00+02:00",
        "2026-10-25T16:00+01:00",
    ]


def test_the_lists_are_short_and_the_counts_are_whole() -> None:
    """Of many appointments the first to come and the latest past ones are listed, in the order of time."""
    many = [
        look(n, f"2026-11-{1 + n % 28:02}T10:00:00.000Z", f"2026-09-{1 + n % 28:02}T10:00:00.000Z")
        for n in range(200)
    ]
    shown = agendas(*many)
    assert (shown.total, shown.upcoming, shown.contacts) == (400, 200, 200)
    assert len(shown.next) == len(shown.last) == LISTED
    assert [row["start"][:10] for row in shown.next[:8]] == ["2026-11-01"] * 8
    assert shown.next == sorted(shown.next, key=lambda row: (row["start"], row["contact"]))
    assert shown.last[0]["start"] == "2026-09-28T10:00:00.000Z"


def test_a_cancelled_one_is_not_the_next_and_is_counted() -> None:
    """Nobody comes to it."""
    shown = agendas(look(1, "2026-11-01T10:00:00.000Z", status="cancelled"))
    assert (shown.next, shown.upcoming, shown.status) == ([], 1, {"cancelled": 1})


def test_a_contact_that_was_never_read_is_counted_as_failed_alone() -> None:
    """Nothing is known of it but why."""
    shown = agendas(Look("c1", NOW, None, "contact c1: answered 500", ()))
    assert (shown.contacts, shown.failed, shown.oldest) == (0, 1, None)


def test_without_a_zone_times_are_shown_in_utc() -> None:
    """An instant is one in any case."""
    shown = agendas(look(1, "2026-11-01T10:00:00.000Z"), zone="")
    assert shown.next[0]["local"] == "2026-11-01T10:00+00:00"


def shown_in_report() -> dict[str, Any]:
    """The member as a report has it."""
    found = agendas(look(1, "2026-11-01T10:00:00.000Z", "2026-09-01T10:00:00.000Z"))
    rows = [{"label": "Ann Lee", **row} for row in found.next]
    unread = {"contact": "c2", "label": "Bob Ray", "because": "GET: no", "as_of": None}
    return {
        "known_contacts": 1,
        "upcoming": 1,
        "past": 1,
        "unreadable": 1,
        "by_status": {"confirmed": 2},
        "timezone": "Europe/Berlin",
        "next": rows,
        "last": [{"label": "Ann Lee", **row} for row in found.last],
        "unread_contacts": 30,
        "unread": [unread],
        "stopped": "",
        "sentences": ["Read in this run: the appointments of 1 contact."],
        "brief": "",
    }


def test_the_page_shows_them_in_the_locations_time() -> None:
    """With the last one before, what could not be read, and an entry among the sections."""
    html = page(report_of(appointments=shown_in_report()))
    assert '<a href="#appointments">Appointments<span class="count">1</span>' in html
    assert "Sun 1 Nov 2026, 11:00" in html
    assert "Tue 1 Sep 2026, 12:00" in html
    assert "and 29 more" in html
    assert 'id="appointments"' not in page(report_of())


def test_a_masked_copy_names_nobody() -> None:
    """Neither the contact nor what somebody wrote into the title."""
    whole = report_of(appointments=shown_in_report())
    assert "Ann Lee" in page(whole)
    for text in (page(whole, masked=True), markdown(masked(whole))):
        assert "Ann" not in text
        assert "Bob" not in text
        assert "Visit of" not in text


def test_markdown_has_the_counts_and_the_next() -> None:
    """Short enough for a terminal."""
    text = markdown(report_of(appointments=shown_in_report()))
    assert "| to come | 1 |" in text
    assert "| 2026-11-01 11:00 | Ann Lee | Visit of Ann | confirmed | 2026-09-01 12:00 |" in text
