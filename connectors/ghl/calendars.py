"""The location's calendars, and what of them a record shows: its calendar's name and its times."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from connectors.ghl.entities import GHL
from connectors.ghl.moments import instant, zone_of
from reconcile.errors import Malformed
from reconcile.model import Entity
from reconcile.ports import Span

_LONGEST = timedelta(days=1)


def names(reply: Mapping[str, Any]) -> dict[str, str]:
    """The calendars' names by their ids. Raises Malformed for another reply."""
    listed = reply.get("calendars")
    if not isinstance(listed, list):
        raise Malformed("expected a list of calendars, found something else")
    named: dict[str, str] = {}
    for each in listed:
        if not isinstance(each, dict) or not each.get("id"):
            raise Malformed("expected a calendar with an id, found one without")
        named[each["id"]] = str(each.get("name") or "")
    return named


def params(calendar: str, span: Span, *, location: str) -> dict[str, str | int]:
    """The parameters that ask for what a calendar has in a stretch of time.

    Whether GHL goes by the start or the end of what it shows is unknown: a day more is asked for
    than is concluded from (docs/ghl.md#appointments).
    """
    since = datetime.fromisoformat(span.since)
    until = datetime.fromisoformat(span.until)
    return {
        "locationId": location,
        "calendarId": calendar,
        "startTime": _milliseconds(since),
        "endTime": _milliseconds(until + _LONGEST),
    }


def _milliseconds(at: datetime) -> str:
    seconds = at.timestamp()
    return str(int(seconds * 1000))


def span_of(field: str, *, now: float, past: int, ahead: int) -> Span:
    """From so many days before a moment (epoch seconds) until so many after it."""
    exactly = datetime.fromtimestamp(now, UTC)
    at = exactly.replace(microsecond=0)
    since = at - timedelta(days=past)
    until = at + timedelta(days=ahead)
    return Span(
        field,
        since=since.isoformat(),
        until=until.isoformat(),
    )


def within(span: Span, raw: bytes) -> bool:
    """Whether a record as `with_instants` gives it stands in a stretch of time."""
    moment = msgspec.json.decode(raw).get(span.field)
    if moment is None:
        return False
    at = datetime.fromisoformat(moment)
    since = datetime.fromisoformat(span.since)
    until = datetime.fromisoformat(span.until)
    return since <= at < until


def with_instants(
    entity: Entity, record: dict[str, Any], calendars: Mapping[str, str], zone: str
) -> dict[str, Any]:
    """A record with its calendar's name and its times as instants.

    Raises Malformed for a time of which nothing says which instant it is: read as blank, it would
    be lost.
    """
    clock = zone_of(zone)
    moments: dict[str, str] = {}
    for name in GHL[entity].moments:
        value = record.get(name)
        if value is None:
            continue
        moment = instant(value, clock)
        if moment is None:
            raise Malformed(f"its {name} is no moment of the location's clock")
        moments[name] = moment
    key = record.get("calendarId")
    calendar = calendars.get(str(key))
    return {
        **record,
        **moments,
        "calendar": calendar,
    }
