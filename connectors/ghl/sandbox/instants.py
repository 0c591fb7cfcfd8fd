"""Dates and times as GHL writes and accepts them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
YEAR_FIRST = re.compile(r"^(\d{4})[-/._](\d{1,2})[-/._](\d{1,2})(?:[T ].*)?$")
YEAR_LAST = re.compile(r"^(\d{1,2})[-/._](\d{1,2})[-/._](\d{4})$")


def iso(ms: int) -> str:
    """Milliseconds since the epoch as 2021-07-28T10:00:00.000Z."""
    seconds, rest = divmod(ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:03d}Z"


def local(ms: int, timezone: str) -> str:
    """Milliseconds as a naive "2021-07-16 11:00:00" in a timezone.

    A contact's appointments show them so.
    """
    return (
        f"{(EPOCH + timedelta(milliseconds=ms)).astimezone(ZoneInfo(timezone)):%Y-%m-%d %H:%M:%S}"
    )


def offset(ms: int, timezone: str) -> str:
    """Milliseconds as "2023-09-25T16:00:00+05:30" in a timezone, as calendars show them."""
    moment = EPOCH + timedelta(milliseconds=ms)
    return moment.astimezone(ZoneInfo(timezone)).isoformat(timespec="seconds")


def parse_instant(value: Any) -> int | None:
    """Milliseconds since the epoch from ISO 8601 text or from a number.

    Text without an offset is in UTC. None if it is neither.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return int(value)
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        if value.isdigit() and len(value) > 8:
            return int(value)
        return None
    return _since(moment)


def _since(moment: datetime) -> int:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - EPOCH) // MILLISECOND


def parse_date(value: str) -> str | None:
    """A plain date as YYYY-MM-DD from any spelling GHL accepts.

    Y/M/D, M/D/Y, with - / . or _ (docs/ghl.md#dates).
    """
    if match := YEAR_FIRST.match(value):
        year, month, day = map(int, match.groups())
    elif match := YEAR_LAST.match(value):
        month, day, year = map(int, match.groups())
    else:
        return None
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return None


def date_ms(day: str) -> int:
    """Midnight UTC of a YYYY-MM-DD date, in milliseconds."""
    return _since(datetime.fromisoformat(day))
