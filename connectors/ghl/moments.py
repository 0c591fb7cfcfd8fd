"""GHL's times as instants: some are the location's own, without an offset."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_DATE = len("2021-07-16")


def zone_of(name: str) -> ZoneInfo | None:
    """The zone of that name; None where there is no such zone, or no name."""
    try:
        if not name:
            return None
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def zone_told(location: object) -> str:
    """The time zone of a location as GHL tells it; "" where it names none that is known here."""
    if not isinstance(location, dict):
        return ""
    zone = zone_of(str(location.get("timezone") or ""))
    return zone.key if zone else ""


def instant(value: object, zone: ZoneInfo | None) -> str | None:
    """A time of GHL's as an instant in UTC; None where nothing says which instant it is.

    A contact's appointments have times without an offset, which are the location's own
    (docs/ghl.md#appointments). A time that the zone's clock skips in spring is none; one that it
    shows twice in autumn is taken for the first.
    """
    if not isinstance(value, str) or len(value.strip()) <= _DATE:
        return None
    try:
        at = datetime.fromisoformat(value.strip())
        moment = _located(at, zone)
    except (ValueError, OverflowError):
        return None
    if moment is None:
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _located(at: datetime, zone: ZoneInfo | None) -> datetime | None:
    if at.tzinfo is not None:
        return at.astimezone(UTC)
    if zone is None:
        return None
    # A time that the clock skips comes back as another one: Python moves it, and GHL did not say
    # that.
    moment = at.replace(tzinfo=zone).astimezone(UTC)
    shown = moment.astimezone(zone).replace(tzinfo=None)
    return moment if shown == at else None
