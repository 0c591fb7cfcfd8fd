"""The search index of one location.

It shows each contact as it was before writes younger than the lag.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable

from connectors.ghl.sandbox.nouns import Contact

Entry = tuple[int, str]


class Order:
    """Contacts by one instant and id; appended in bulk it sorts itself when it is next read."""

    def __init__(self, entries: list[Entry] | None = None) -> None:
        self._entries: list[Entry] = entries or []
        self._sorted = True

    @property
    def entries(self) -> list[Entry]:
        """Ascending (milliseconds, id)."""
        self.sort()
        return self._entries

    def sort(self) -> None:
        """Put what was added in bulk in its place."""
        if not self._sorted:
            self._entries.sort()
            self._sorted = True

    def add(self, entry: Entry, *, bulk: bool = False) -> None:
        """Put an entry in its place; with `bulk` at the end, to be sorted later."""
        if bulk or not self._sorted:
            self._entries.append(entry)
            self._sorted = False
        else:
            insort(self._entries, entry)

    def remove(self, entry: Entry) -> None:
        """Take out an entry that is there."""
        del self.entries[bisect_left(self.entries, entry)]

    def between(self, low: int | None, high: int | None) -> tuple[int, int]:
        """Positions of the entries with low <= milliseconds <= high."""
        start, end = 0, len(self.entries)
        if low is not None:
            start = bisect_left(self.entries, (low, ""))
        if high is not None:
            end = bisect_left(self.entries, (high + 1, ""))
        return start, end

    def after(self, entry: Entry) -> int:
        """Position of the first entry greater than this one."""
        return bisect_right(self.entries, entry)


class SearchIndex:
    """What /contacts/search sees of a location."""

    def __init__(self) -> None:
        self.rows: dict[str, Contact] = {}
        self.by_added = Order()
        self.by_updated = Order()
        self._due: list[tuple[float, int, Contact]] = []
        self._gone: dict[str, int] = {}
        self._view: tuple[bytes, Order] | None = None

    def load(self, contacts: Iterable[Contact]) -> None:
        """Show these at once."""
        for contact in contacts:
            self._show(contact, bulk=True)

    def settle(self) -> None:
        """Sort what was loaded, so that the next search need not."""
        self.by_added.sort()
        self.by_updated.sort()

    def schedule(self, contact: Contact, due: float) -> None:
        """Show this version of a contact once the clock has passed `due`."""
        heapq.heappush(self._due, (due, contact.revision, contact))

    def catch_up(self, now: float) -> None:
        """Show every version that is due."""
        while self._due and self._due[0][0] <= now:
            self._show(heapq.heappop(self._due)[2])

    def view(self, key: bytes, order: Order, test: Callable[[Contact], bool]) -> Order:
        """The entries of an order that pass a test.

        Kept for the next page of the same search, until a row changes.
        """
        if self._view is None or self._view[0] != key:
            self._view = (
                key,
                Order([entry for entry in order.entries if test(self.rows[entry[1]])]),
            )
        return self._view[1]

    def pending(self) -> int:
        """How many writes the index has not seen yet."""
        return len(self._due)

    def _show(self, contact: Contact, *, bulk: bool = False) -> None:
        shown = self.rows.get(contact.id)
        self._view = None
        if contact.revision < (shown.revision if shown else self._gone.get(contact.id, -1)):
            return
        if shown is not None:
            self._hide(shown, contact)
        if contact.deleted:
            self.rows.pop(contact.id, None)
            self._gone[contact.id] = contact.revision
            return
        self.rows[contact.id] = contact
        if shown is None or shown.added != contact.added:
            self.by_added.add((contact.added, contact.id), bulk=bulk)
        if shown is None or shown.updated != contact.updated:
            self.by_updated.add((contact.updated, contact.id), bulk=bulk)

    def _hide(self, shown: Contact, now: Contact) -> None:
        if now.deleted or shown.added != now.added:
            self.by_added.remove((shown.added, shown.id))
        if now.deleted or shown.updated != now.updated:
            self.by_updated.remove((shown.updated, shown.id))
