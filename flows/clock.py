"""The wall clock: moments as the ledger writes them, and names of runs that sort by them."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime


def now() -> str:
    """The present moment as ISO 8601 in UTC, to the millisecond."""
    return moment(datetime.now(UTC))


def moment(at: datetime) -> str:
    """An aware moment as the ledger writes it: it sorts as text."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def new_run_id(job: str) -> str:
    """A name for a run: it sorts by time, and two runs started in the same second differ."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{job}-{secrets.token_hex(2)}"


def took(seconds: float) -> str:
    """How long something takes, for people: 42 s, 7 min, 3 h 05 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest:02} min"
