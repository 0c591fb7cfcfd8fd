"""The wall clock: moments as the ledger writes them, and names of runs that sort by them."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Clock:
    """A clock to go by in place of the machine's: `seconds` since the epoch, and how to wait."""

    seconds: Callable[[], float]
    sleep: Callable[[float], None]


MACHINE = Clock(time.time, time.sleep)

_CLOCKS = [MACHINE]


@contextmanager
def going_by(clock: Clock) -> Iterator[None]:
    """Let every run that is opened within go by this clock, as `rehearse` does."""
    _CLOCKS.append(clock)
    try:
        yield
    finally:
        _CLOCKS.remove(clock)


def clock() -> Clock:
    """The clock that runs go by: the machine's, unless `going_by` says another one."""
    return _CLOCKS[-1]


def present() -> datetime:
    """The present moment in UTC."""
    return datetime.fromtimestamp(clock().seconds(), UTC)


def now() -> str:
    """The present moment as ISO 8601 in UTC, to the millisecond."""
    return moment(present())


def moment(at: datetime) -> str:
    """An aware moment as the ledger writes it: it sorts as text."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def new_run_id(job: str) -> str:
    """A name for a run: it sorts by time, and two runs started in the same second differ."""
    return f"{present():%Y%m%dT%H%M%S}-{job}-{secrets.token_hex(2)}"


def took(seconds: float) -> str:
    """How long something takes, for people: 42 s, 7 min, 3 h 05 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest:02} min"
