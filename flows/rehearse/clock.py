"""One clock for all of a rehearsal.

It is the machine's, moved, so that nights lie a day apart and waiting takes no time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from flows import clock as flows_clock


class Moving:
    """Seconds since the epoch.

    `ahead` is how far it is before the machine's; sleeping moves it on. `step` is what the job's
    machine is off by, and GHL and people are not.
    """

    def __init__(self, ahead: float = 0.0) -> None:
        self.ahead = ahead
        self.step = 0.0
        self._lock = threading.Lock()

    def __call__(self) -> float:
        """The time for everybody but the job."""
        return time.time() + self.ahead

    def job(self) -> float:
        """The time on the machine that the job runs on."""
        return self() + self.step

    def sleep(self, seconds: float) -> None:
        """Let so many seconds pass."""
        with self._lock:
            self.ahead += max(seconds, 0.0)
        time.sleep(0)

    def moment(self) -> datetime:
        """The time for people and the application: UTC, without a zone."""
        return datetime.fromtimestamp(self(), UTC).replace(tzinfo=None)


@contextmanager
def moved(clock: Moving) -> Iterator[None]:
    """Let the runs that are opened within go by this clock."""
    with flows_clock.going_by(flows_clock.Clock(clock.job, clock.sleep)):
        yield
