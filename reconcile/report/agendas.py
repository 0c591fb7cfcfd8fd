"""Sums up what is only shown, for a report: how many, of whom, the next ones and the last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from collections.abc import Mapping as Map
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from reconcile.compare.agenda_sweep import NOTHING, Sweep
from reconcile.entities import OWNER, Shown
from reconcile.ledger.agendas import Look
from reconcile.model import Side
from reconcile.ports import Event
from reconcile.report.labels import names
from reconcile.report.verdict import many
from reconcile.stage.stage import Stage
from reconcile.values.mapping import Mapping

LISTED = 20
"""How many events, and contacts that could not be read, are listed."""

_OFF = ("cancelled", "invalid")  # they take place no more: counted, and never the next one

Row = dict[str, Any]


@dataclass(slots=True)
class Agendas:
    """What is known of a location's agendas at a moment, summed up in bounded memory."""

    now: str
    budget: int = 0
    timezone: str = ""
    sweep: Sweep = NOTHING
    oldest: str | None = None
    contacts: int = 0
    total: int = 0
    upcoming: int = 0
    unreadable: int = 0
    status: Counter[str] = field(default_factory=Counter)
    next: list[Row] = field(default_factory=list)
    last: list[Row] = field(default_factory=list)
    failures: list[Row] = field(default_factory=list)
    failed: int = 0

    def add(self, looks: Iterable[Look]) -> Agendas:
        """Count what is known of these contacts; returns itself."""
        for look in looks:
            self._count(look)
        return self

    def _count(self, look: Look) -> None:
        if look.failure:
            self.failed += 1
            if len(self.failures) < LISTED:
                row = {"contact": look.contact, "because": look.failure, "as_of": look.seen_at}
                self.failures.append(row)
        if look.seen_at is None:
            return
        self.contacts += 1
        self.oldest = min(self.oldest or look.seen_at, look.seen_at)
        self.total += len(look.events)
        self.status.update(each.status for each in look.events)
        # Without a time it is neither to come nor past, and is among the statuses all the same.
        readable = sorted(_readable(look), key=_time)
        self.unreadable += len(look.events) - len(readable)
        past = [each for each in readable if each[0] <= self.now]
        coming = readable[len(past) :]
        self.upcoming += len(coming)
        last_before: str | None = None
        if past:
            last = self._row(look, *past[-1])
            last_before = last["local"]
            self.last = sorted([*self.last, last], key=_begin, reverse=True)[:LISTED]
        rows = []
        for start, each in coming:
            if each.status not in _OFF:
                rows.append(self._row(look, start, each) | {"last": last_before})
        # Cut off at once: a location may have more events than fit into memory.
        self.next = sorted([*self.next, *rows[:LISTED]], key=_begin)[:LISTED]

    def _row(self, look: Look, start: str, each: Event) -> Row:
        zone = ZoneInfo(self.timezone or "UTC")
        local = datetime.fromisoformat(start).astimezone(zone)
        return {
            "contact": look.contact,
            "key": each.key,
            "title": each.title,
            "status": each.status,
            "start": start,
            "local": local.isoformat(timespec="minutes"),
            "as_of": look.seen_at,
        }


def _readable(look: Look) -> Iterator[tuple[str, Event]]:
    """The events whose time can be read, each with it."""
    for each in look.events:
        if each.start is not None:
            yield each.start, each


def _time(pair: tuple[str, Event]) -> tuple[str, str]:
    return pair[0], pair[1].key


def _begin(row: Row) -> tuple[str, str, str]:
    return row["start"], row["contact"], row["key"]


def content(stage: Stage, mapping: Mapping, kind: Shown, agendas: Agendas) -> Row:
    """The report's member of a kind that is only shown, with the contacts' names."""
    listed = (*agendas.next, *agendas.last, *agendas.failures)
    keys = {row["contact"] for row in listed}
    labels = names(stage, mapping, OWNER, Side.GHL, keys)
    by_frequency = sorted(agendas.status.items(), key=lambda each: (-each[1], each[0]))
    whole: Row = {
        "budget": agendas.budget,
        "tried": agendas.sweep.tried,
        "failed": agendas.sweep.failed,
        "stopped": agendas.sweep.stopped,
        "location_contacts": _location(stage, mapping),
        "known_contacts": agendas.contacts,
        "as_of": agendas.oldest,
        "timezone": agendas.timezone or None,
        "total": agendas.total,
        "upcoming": agendas.upcoming,
        "past": agendas.total - agendas.upcoming - agendas.unreadable,
        "unreadable": agendas.unreadable,
        "by_status": dict(by_frequency),
        "next": [_named(row, labels) for row in agendas.next],
        "last": [_named(row, labels) for row in agendas.last],
        "unread_contacts": agendas.failed,
        "unread": [_named(row, labels) for row in agendas.failures],
    }
    return whole | {"sentences": list(_sentences(kind, whole)), "brief": _brief(kind, whole)}


def _named(row: Row, labels: Map[str, str]) -> Row:
    return {"contact": row["contact"], "label": labels.get(row["contact"], row["contact"])} | row


def _location(stage: Stage, mapping: Mapping) -> int | None:
    """How many contacts GHL showed in this run; None where it was not asked for all of them."""
    snapshot = stage.snapshots.get((OWNER, Side.GHL))
    if OWNER not in mapping or snapshot is None or snapshot.partial:
        return None
    return stage.count(f"SELECT count(*) FROM raw_{OWNER}_ghl WHERE NOT deleted")


def _sentences(kind: Shown, whole: Row) -> Iterator[str]:
    """What was read, how old what is known is, and what is missing from it."""
    yield _reading(kind, whole)
    if whole["stopped"]:
        yield f"It stopped early: {whole['stopped']}"
    if whole["known_contacts"]:
        oldest = whole["as_of"][:10]
        known = many(whole["known_contacts"], OWNER) + _of_all(whole)
        yield f"Shown are those of {known}, each as last read; the oldest are of {oldest}."
    if whole["unread_contacts"]:
        unread = many(whole["unread_contacts"], OWNER)
        yield f"The last attempt failed for {unread}; what was seen of them before stays."
    if whole["unreadable"]:
        why = "" if whole["timezone"] else ": GHL names no time zone of the location"
        yield f"The time of {many(whole['unreadable'], kind)} cannot be read{why}."


def _reading(kind: Shown, whole: Row) -> str:
    kinds = kind.plural.capitalize()
    if not whole["budget"]:
        return f"{kinds} were not read: {kind.budget} under [ghl] is 0."
    if not whole["tried"]:
        return f"{kinds} were not read in this run."
    tried = f"{whole['tried']:,}{_of_all(whole)} contacts"
    if whole["failed"]:
        tried += f", {whole['failed']:,} of which could not be read"
    return f"Read in this run: the {kind.plural} of {tried}."


def _of_all(whole: Row) -> str:
    """Of how many contacts of the location, where that is known."""
    if whole["location_contacts"] is None:
        return ""
    return f" of {whole['location_contacts']:,}"


def _brief(kind: Shown, whole: Row) -> str:
    """One line for a terminal; none where nobody wants to know."""
    if not whole["known_contacts"] and not whole["tried"] and not whole["stopped"]:
        return ""
    parts = [f"{whole['upcoming']:,} to come", f"{whole['past']:,} past"]
    if whole["unreadable"]:
        parts.append(f"{whole['unreadable']:,} at an unreadable time")
    if whole["unread_contacts"]:
        parts.append(f"{whole['unread_contacts']:,} contacts unread")
    known = many(whole["known_contacts"], OWNER)
    return f"{kind.plural.capitalize()} of {known}: {', '.join(parts)}."
