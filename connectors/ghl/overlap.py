"""Requests overlapped, so that latency does not cost throughput.

Their results come in the order they were asked for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from connectors.ghl.lines import Row

In = TypeVar("In")
Out = TypeVar("Out")

RAMP = 20
"""One more page is asked for ahead for each so many read.

What is asked for past the end stays under 5 %.
"""


def overlapped(work: Callable[[In], Out], items: Iterable[In], *, width: int) -> Iterator[Out]:
    """`work` on each item, `width` at a time.

    Twice as many wait, so that one slow answer does not idle the others.
    """
    flights: deque[Future[Out]] = deque()
    with ThreadPoolExecutor(max(1, width)) as pool:
        try:
            for item in items:
                flights.append(pool.submit(work, item))
                if len(flights) >= 2 * width:
                    yield flights.popleft().result()
            while flights:
                yield flights.popleft().result()
        finally:
            for flight in flights:
                flight.cancel()


def skipping(fetch: Callable[[int], list[Row]], *, width: int) -> Iterator[tuple[list[Row], bool]]:
    """Pages by skip that overlap by one row.

    They tell whether rows moved between a page and the one before.

    (docs/ghl.md#tasks: skip and limit over an unknown order, without a total.) Where the shared row
    differs, or a row comes twice, some may have been missed. The end is where nothing new comes
    after a page that is shorter than another, or where nothing new comes twice: a page may be cut
    short, and GHL may allow shorter pages than were asked for.
    """
    last, longest, read = "", 0, 0
    ends = 0  # how often in a row nothing new came: after a short page it counts twice
    short = False
    with ThreadPoolExecutor(max(1, width)) as pool:
        ahead = _Ahead(pool, fetch)
        try:
            while ends < 2:
                # After a short page nothing is asked for ahead: it is likely to be the last.
                depth = 1 if short else min(width, 1 + read // RAMP)
                rows = ahead.next(depth, stride=max(1, longest - 1))
                moved = _moved(rows, last)
                yield rows, moved
                if moved:
                    return
                news = len(rows) - bool(last)
                if news > 0:
                    ends = 0
                else:
                    ends += 1 + short
                longest = max(longest, len(rows))
                short = len(rows) < longest
                read += 1
                if rows:
                    last = rows[-1].head.key
                    ahead.advance(len(rows) - 1)
        finally:
            ahead.drop()


def _moved(rows: Sequence[Row], last: str) -> bool:
    """Whether a page does not begin with the row that the one before ended with, or has one twice.

    `last` is that row's key, empty before the first page.
    """
    keys = [row.head.key for row in rows]
    if len(set(keys)) < len(keys):
        return True
    return bool(last) and keys[:1] != [last]


class _Ahead:
    """Pages asked for before it is known that they are needed.

    They are dropped where one before them had another length.
    """

    def __init__(self, pool: ThreadPoolExecutor, fetch: Callable[[int], list[Row]]) -> None:
        self._pool = pool
        self._fetch = fetch
        self._flights: deque[tuple[int, Future[list[Row]]]] = deque()
        self._skip = 0

    def next(self, depth: int, *, stride: int) -> list[Row]:
        """The page at the present place, with `depth` pages in flight."""
        if self._flights and self._flights[0][0] != self._skip:
            self.drop()
        skip = self._skip
        if self._flights:
            skip = self._flights[-1][0] + stride
        while len(self._flights) < depth:
            self._flights.append((skip, self._pool.submit(self._fetch, skip)))
            skip += stride
        return self._flights.popleft()[1].result()

    def advance(self, rows: int) -> None:
        """Move the present place."""
        self._skip += rows

    def drop(self) -> None:
        """Forget what was asked for ahead."""
        for _, flight in self._flights:
            flight.cancel()
        self._flights.clear()
