"""Counts the looks before writes.

It also measures for how long a record was out of sight between the two.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from reconcile.ports import Write


class Looks:
    """`longest` are the most seconds from before a look to after the write that followed.

    The window was never wider.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self.count = 0
        self.longest = 0.0

    @contextmanager
    def around(self, *writes: Write) -> Iterator[None]:
        """What happens within are looks and the write after them.

        It is so where the writes ask for a look at all.
        """
        many = sum(write.check is not None for write in writes)
        began = self._clock()
        yield
        if many:
            with self._lock:
                self.count += many
                self.longest = max(self.longest, self._clock() - began)
