"""One clock for all: the machine's own, moved to where the soak wants it, so that nights lie a day apart and waiting takes no time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, tzinfo
from typing import Any, Self

import connectors.sql
import flows.clock
import flows.state.leases
from connectors.ghl import GhlConnector


class Clock:
    """Seconds since the epoch. `ahead` is how far it is before the machine's; sleeping moves it on."""

    def __init__(self, ahead: float = 0.0) -> None:
        self.ahead = ahead
        self.step = 0.0
        """What the job's machine is off by, and GHL and people are not."""
        self._lock = threading.Lock()

    def __call__(self) -> float:
        return time.time() + self.ahead

    def job(self) -> float:
        """The time on the machine that the job runs on."""
        return self() + self.step

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.ahead += max(seconds, 0.0)
        time.sleep(0)

    def moment(self) -> datetime:
        """The time for people and the application: UTC, without a zone."""
        return datetime.fromtimestamp(self(), UTC).replace(tzinfo=None)


@contextmanager
def moved(clock: Clock) -> Iterator[None]:
    """Show the job this clock in place of the machine's, as a moved clock of the machine would."""

    class Moved(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls.fromtimestamp(clock.job(), tz)

    waits: dict[str, Any] = GhlConnector.__init__.__kwdefaults__ or {}
    before = dict(waits)
    modules: tuple[Any, ...] = (flows.clock, flows.state.leases, connectors.sql)
    for module in modules:
        module.datetime = Moved
    waits.update(clock=clock.job, sleep=clock.sleep)
    try:
        yield
    finally:
        waits.update(before)
        for module in modules:
            module.datetime = datetime
