"""A full read of all contacts that proves its completeness.

Enough cursors are at work that latency costs no throughput.

One cursor over /contacts/search is sequential: at 300 ms it makes 3 requests a second where 10 are
allowed. So the first cursor's range of dateAdded is split in two, and again, while threads are
idle; each half has a cursor of its own. A split costs at most one short page more, and splits stop
where they would cost more than 5 % of the pages. Where GHL refuses the range filter, or does not
honour it, the one cursor goes on alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeAlias

from connectors.ghl.lines import Row, SearchPage, join, rows_of
from reconcile.errors import (
    ConnectorError,
    Expired,
    Forbidden,
    InvalidField,
    Malformed,
    WrongLocation,
)
from reconcile.ports import Page, Proof

Fetch: TypeAlias = Callable[[list[dict[str, Any]], list[Any] | None], SearchPage]
"""(filters, searchAfter or None) -> one page of contacts, sorted by dateAdded, oldest first."""

OVERHEAD = 0.05
"""How many more requests than ceil(N / page size) range reads may cost."""

FATAL = (Expired, Forbidden, WrongLocation)
"""Nothing further can be read with these credentials.

The run stops, rather than going on with an incomplete snapshot.
"""


@dataclass(slots=True, eq=False)
class Span:
    """Contacts added from `low` (included) to `high` (excluded), in epoch ms; None is open.

    `total` is GHL's own count of them. `asked_high` is the bound that the request in flight was
    sent with, `counted_high` the one that the count was made with; `spacing` is ms per contact on
    the last page; `split_off` holds the counts, once known, of what was split off, by its low end.
    """

    low: int | None = None
    high: int | None = None
    after: list[Any] | None = None
    at: int | None = None
    spacing: float = 0.0
    total: int | None = None
    read: int = 0
    asked_high: int | None = None
    parent: Span | None = None
    split_off: dict[int, int | None] = field(default_factory=dict)
    counted_high: int | None = None
    flying: bool = False
    done: bool = False

    @property
    def filters(self) -> list[dict[str, Any]]:
        """The span as GHL's filter (docs/ghl.md#search)."""
        bounds = {"gte": self.low, "lt": self.high}
        value = {name: _iso(bound) for name, bound in bounds.items() if bound is not None}
        if not value:
            return []
        return [{"field": "dateAdded", "operator": "range", "value": value}]

    def count(self, total: int) -> None:
        """Take GHL's count of what was asked for, where that is counted.

        What has been split off of that since is taken away from it.
        """
        self.counted_high = self.asked_high
        lost = [count or 0 for low, count in self.split_off.items() if self._counted(low)]
        self.total = total - sum(lost)

    def lose(self, low: int, total: int) -> None:
        """Learn how many contacts lie in the span that was split off at `low`."""
        self.split_off[low] = total
        if self.total is not None and self._counted(low):
            self.total -= total

    def _counted(self, low: int) -> bool:
        return self.counted_high is None or low < self.counted_high


class Sweep:
    """One full read.

    `fetch` is called from up to `width` threads; `now` (epoch seconds) bounds the newest span.
    """

    def __init__(self, fetch: Fetch, *, page_size: int, width: int, now: float) -> None:
        self._fetch = fetch
        self._page_size = page_size
        self._width = width
        self._now = int(now * 1000)
        self._spans = [Span()]
        self._seen: set[str] = set()
        self._sent = 0
        self._pages_due = 0
        self._ranges_work: bool | None = None

    def pages(self) -> Iterator[Page | Proof]:
        """Pages as they come, from several spans in turn, then the Proof."""
        try:
            yield from self._sweep()
            yield from self._settle()
        except FATAL:
            raise
        except ConnectorError as error:
            yield Proof(
                complete=False, why_incomplete=f"{len(self._seen)} contacts read, then: {error}"
            )

    def _sweep(self) -> Iterator[Page]:
        flights: dict[Future[SearchPage], Span] = {}
        with ThreadPoolExecutor(self._width) as pool:
            try:
                self._launch(pool, flights)
                while flights:
                    landed, _ = wait(flights, return_when=FIRST_COMPLETED)
                    for future in landed:
                        rows = self._land(flights.pop(future), future)
                        self._launch(pool, flights)
                        if rows:
                            yield Page(join(rows), len(rows))
            finally:
                for future in flights:
                    future.cancel()

    def _launch(self, pool: ThreadPoolExecutor, flights: dict[Future[SearchPage], Span]) -> None:
        while len(flights) < self._width:
            span = self._next_span()
            if span is None:
                return
            span.flying, span.asked_high = True, span.high
            self._sent += 1
            flights[pool.submit(self._fetch, span.filters, span.after)] = span

    def _next_span(self) -> Span | None:
        waiting = [span for span in self._spans if not span.flying and not span.done]
        if self._ranges_work is None and self._probing():
            # Unproven: the first filtered request goes alone.
            waiting = [span for span in waiting if not span.filters]
        if waiting:
            return waiting[0]
        return self._split()

    def _probing(self) -> bool:
        return any(span.flying and span.filters for span in self._spans)

    def _split(self) -> Span | None:
        unproven = self._ranges_work is None and len(self._spans) > 1
        if self._ranges_work is False or unproven:
            return None
        going_on = [span for span in self._spans if not span.done]
        widest = max(going_on, key=self._pages_left, default=None)
        if widest is None or widest.at is None or self._pages_left(widest) < 2:
            return None
        if not self._affordable():
            return None
        middle = self._middle(widest, widest.at)
        if middle <= widest.at + 1:  # all that is left was added in the same moment
            return None
        later = Span(low=middle, high=widest.high, parent=widest)
        widest.high, widest.split_off[middle] = middle, None
        self._spans.append(later)
        return later

    def _middle(self, span: Span, at: int) -> int:
        """Where half of what is unread should lie.

        It takes the rest to be as dense as the last page, but never goes past the middle of the
        time.
        """
        high = self._now if span.high is None else span.high
        unread = (span.total or 0) - span.read
        if span.flying:
            unread += self._page_size
        half_of_the_records = at + int(span.spacing * unread / 2)
        half_of_the_time = (at + high) // 2
        return min(half_of_the_time, half_of_the_records)

    def _pages_left(self, span: Span) -> int:
        if span.done or span.total is None:
            return 0
        pages = math.ceil((span.total - span.read) / self._page_size)
        if span.flying:
            return max(0, pages - 1)
        return max(1, pages)  # where the count says all is read, one page finds the end

    def _affordable(self) -> bool:
        # One more page for the new span, and one that finds the old one empty where the split was
        # lopsided.
        expected = self._sent + sum(self._pages_left(span) for span in self._spans) + 2
        return expected <= math.floor(self._pages_due * (1 + OVERHEAD))

    def _land(self, span: Span, future: Future[SearchPage]) -> list[Row]:
        span.flying = False
        try:
            page = future.result()
            rows = rows_of(page.contacts)
        except InvalidField:
            if not span.filters or self._ranges_work:
                raise
            self._give_up_ranges()
            return []
        if span.parent and not self._honoured(span, rows):
            self._give_up_ranges()
            return []
        self._count(span, page.total)
        return self._advance(span, rows)

    def _honoured(self, span: Span, rows: list[Row]) -> bool:
        if self._ranges_work:
            return True
        low = span.low or 0
        high = math.inf if span.high is None else span.high
        times = [position(row) for row in rows]
        self._ranges_work = all(at is not None and low <= at < high for at in times)
        return self._ranges_work

    def _give_up_ranges(self) -> None:
        self._ranges_work = False
        # What the others read is seen already; the first one goes on from where it is, to the end.
        first = self._spans[0]
        first.high = None
        first.done = False
        first.total = first.counted_high = None
        first.split_off.clear()
        self._spans = [first]

    def _count(self, span: Span, total: int | None) -> None:
        if total is None:
            return
        if span.parent is None and span.total is None:
            self._pages_due = math.ceil(total / self._page_size)
        if span.parent is not None and span.low is not None and span.total is None:
            span.parent.lose(span.low, total)
        span.count(total)

    def _advance(self, span: Span, rows: list[Row]) -> list[Row]:
        if not rows:
            span.done = True
            return rows
        inside = [row for row in rows if span.high is None or (position(row) or 0) < span.high]
        remember(self._seen, inside)
        span.read += len(inside)
        if inside:  # without ranges the span goes on from the last row inside
            span.after = next_cursor(inside[-1], span.after)
            span.at = position(inside[-1])
            span.spacing = ((span.at or 0) - (position(inside[0]) or 0)) / len(inside)
        crossed = len(inside) < len(rows)
        span.done = crossed or is_last(len(rows), self._page_size, span.read, span.total)
        if not span.done and span.after is None:
            raise Malformed(
                "expected searchAfter on the last contact of a page, found none: "
                "the cursor cannot go on"
            )
        return inside

    def _settle(self) -> Iterator[Page | Proof]:
        """Compare with GHL's own count.

        Where they differ, read once more what was missed, and only then believe it.
        """
        if all(span.total is None for span in self._spans):
            yield Proof(complete=True)  # no count to compare with: read until an empty page
            return
        total = sum(span.total or 0 for span in self._spans)
        if total == len(self._seen):
            yield Proof(complete=True, reported_total=total)
            return
        again: set[str] = set()
        count = total
        for page in single(self._fetch, page_size=self._page_size):
            if page.total is not None:
                count = page.total
            rows = rows_of(page.contacts)
            remember(again, rows)
            missed = [row for row in rows if row.head.key not in self._seen]
            self._seen.update(row.head.key for row in missed)
            if missed:
                yield Page(join(missed), len(missed))
        if len(again) == count:
            yield Proof(complete=True, reported_total=count)
            return
        why = (
            f"GHL counts {count} contacts, a second read found {len(again)}: "
            "its index may be catching up"
        )
        yield Proof(complete=False, why_incomplete=why, reported_total=count)


def is_last(rows: int, page_size: int, read: int, total: int | None) -> bool:
    """Whether a page ends its span: it is empty, or short where GHL's own count is reached.

    The count alone is no end: it falls when someone who was read already is deleted, and a full
    page would be missed.
    """
    return rows == 0 or (rows < page_size and total is not None and read >= total)


def single(
    fetch: Fetch, *, page_size: int, filters: list[dict[str, Any]] | None = None
) -> Iterator[SearchPage]:
    """Pages of one cursor to the end."""
    after: list[Any] | None = None
    read = 0
    while True:
        page = fetch(filters or [], after)
        yield page
        read += len(page.contacts)
        if is_last(len(page.contacts), page_size, read, page.total):
            return
        after = next_cursor(rows_of(page.contacts[-1:])[0], after)
        if after is None:
            raise Malformed(
                "expected searchAfter on the last contact of a page, found none: "
                "the cursor cannot go on"
            )


def next_cursor(last: Row, before: list[Any] | None) -> list[Any] | None:
    """The last contact's searchAfter.

    Raises Malformed where it is the one that was sent: the cursor is stuck.
    """
    cursor = last.head.searchAfter
    if cursor is not None and cursor == before:
        raise Malformed("the search cursor does not advance: GHL returned the one it was sent")
    return cursor


def remember(seen: set[str], rows: Iterable[Row]) -> None:
    """Note the rows' ids. Raises Malformed on one that was read before (docs/ghl.md#search)."""
    for row in rows:
        if row.head.key in seen:
            raise Malformed(
                f"contact {row.head.key} was returned twice: the search cursor went back"
            )
        seen.add(row.head.key)


def position(row: Row) -> int | None:
    """The row's place in the order of dateAdded, epoch ms: the first member of its searchAfter."""
    match row.head.searchAfter:
        case [int() | float() as milliseconds, *_]:
            return int(milliseconds)
    return None


def _iso(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
