"""Says that the run has to end to whatever waits, reads or tries again.

It ends at a signal, or because its time is over.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from reconcile.errors import Stopped

SLICE = 0.1
"""Seconds after which a wait looks again.

A signal's handler may take no lock, so nothing wakes it.
"""

GRACE = 30.0
"""Seconds in which a run that has to end looks up what it left in doubt."""

OVER = "the time given to the run is over; the rest is planned again on the next run"


def _nobody(reason: str, seconds: float) -> None:
    """Where nobody looks on."""


class Ending:
    """The end of one run.

    `seconds` is how long it may take, counted on a clock that nobody sets; None: as long as it
    takes.
    """

    def __init__(
        self,
        seconds: float | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._until = math.inf if seconds is None else clock() + seconds
        self._grace_until = -math.inf
        self._requested = ""
        self.watch: Callable[[str, float], None] = _nobody
        """Who is told of each wait: for what, and for how many seconds."""

    def ask(self, why: str) -> None:
        """End the run as soon as can be. Safe in a signal's handler."""
        self._requested = self._requested or why

    @property
    def requested(self) -> bool:
        """Whether somebody asked for the end."""
        return bool(self._requested)

    @property
    def reason(self) -> str:
        """Why the run has to end; "" while it may go on."""
        if self._requested:
            return self._requested
        return OVER if self._clock() >= self._until else ""

    @property
    def left(self) -> float:
        """Seconds that anything may still wait; 0.0 once the run has to end."""
        now = self._clock()
        until = -math.inf if self._requested else self._until
        return max(0.0, max(until, self._grace_until) - now)

    @property
    def over(self) -> bool:
        """Whether nothing further may be begun."""
        return self.left <= 0

    def check(self) -> None:
        """Raise Stopped where the run has to end."""
        if self.over:
            raise Stopped(self.reason or OVER)

    def sleep(self, seconds: float) -> None:
        """Wait. Raises Stopped as soon as the run has to end."""
        self._wait(seconds, self._sleep, "a lock")

    def rest(self, seconds: float, reason: str) -> None:
        """Wait, and tell people why. Raises Stopped as soon as the run has to end."""
        self._wait(seconds, self._sleep, reason)

    def by(self, sleep: Callable[[float], None], reason: str = "") -> Callable[[float], None]:
        """The same with another way to wait; `reason` is what for, as people are told."""
        return lambda seconds: self._wait(seconds, sleep, reason or "another try")

    def _wait(self, seconds: float, sleep: Callable[[float], None], reason: str) -> None:
        self.check()
        self.watch(reason, seconds)
        rest = seconds
        while rest > 0:
            sleep(min(rest, SLICE))
            rest -= SLICE
            self.check()

    @contextmanager
    def grace(self, seconds: float = GRACE) -> Iterator[None]:
        """Let what is done within take that long though the run has to end.

        That is for looking up what is in doubt.
        """
        before = self._grace_until
        self._grace_until = self._clock() + seconds
        try:
            yield
        finally:
            self._grace_until = before
