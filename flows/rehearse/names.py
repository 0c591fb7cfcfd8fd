"""Which record of one side is which of the other, by names that no edit takes away."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from flows.rehearse.book import Ident, Seen
from flows.rehearse.fields import Known
from flows.rehearse.rules import Row, Value
from flows.rehearse.sides import Held
from reconcile.entities import OWNER
from reconcile.model import Entity, Side

Looked = Mapping[Side, Held]
"""Both sides at one moment, by their own keys."""

Links = Mapping[tuple[str, str], str]
"""By kind and field the kind of record whose key the field holds."""


@dataclass
class Names:
    """Gives each record a uid: that of its counterpart once the job has linked them.

    Both ends keep it from then on, whatever the ledger says later: a link that leads elsewhere
    afterwards shows as a record that became another.
    """

    ledger: Path
    links: Links = field(default_factory=dict)
    uids: dict[Known, str] = field(default_factory=dict)
    """Of the ends of links."""
    holders: Counter[Known] = field(default_factory=Counter)
    """How many had a key before, which was taken from them: the app may give it to another."""
    parted: set[tuple[str, str, str]] = field(default_factory=set)
    """Links of the ledger that lead to somebody else by now."""
    places: dict[Ident, int] = field(default_factory=dict)
    """The records in the order in which they were first seen, and of those seen at once by what
    they hold: the keys that a database makes by chance are others each time."""

    def seen(self, looked: Looked) -> Seen:
        """Both sides by uid."""
        rows: dict[str, dict[Ident, list[Row]]] = {}
        there = set(known_of(looked))
        for side, records in looked.items():
            entries: dict[Ident, list[Row]] = defaultdict(list)
            for entity, listed in records.items():
                for row in listed:
                    uid = self.uid((entity.value, side.value, row.key))
                    of = row.of and self.uid((OWNER.value, side.value, row.of))
                    links = self._named(entity.value, side.value, row, there)
                    cells = row.cells | links
                    entries[entity.value, uid].append(
                        Row(
                            row.key,
                            of,
                            cells,
                        )
                    )
            rows[side.value] = dict(entries)
            self._place(side.value, entries)
        return Seen(rows, {side.value: {} for side in Side})

    def _place(self, side: str, entries: Mapping[Ident, list[Row]]) -> None:
        new = [ident for ident in entries if ident not in self.places]

        def by_what_it_holds(ident: Ident) -> tuple[object, ...]:
            row = entries[ident][0]
            linked = {name for kind, name in self.links if kind == ident[0]}
            cells = {name: cell for name, cell in row.cells.items() if name not in linked and cell}
            owner = self.places.get((OWNER.value, row.of or ""), 0)
            return ident[0], owner, sorted(cells.items()), ident[1]

        people = [ident for ident in new if ident[0] == OWNER]
        others = [ident for ident in new if ident[0] != OWNER]
        for part in (people, others):
            for ident in sorted(part, key=by_what_it_holds):
                self.places[ident] = len(self.places) + 1

    def plain(self, looked: Looked) -> Looked:
        """Both sides without what their records name: each side does that by its own keys."""
        plain: dict[Side, Held] = {side: dict(records) for side, records in looked.items()}
        for kind, name in self.links:
            entity = Entity(kind)
            for side, records in plain.items():
                rows = records.get(entity, ())
                without = [_without(row, name) for row in rows]
                plain[side] = {**records, entity: without}
        return plain

    def _named(self, kind: str, side: str, row: Row, there: Collection[Known]) -> dict[str, Value]:
        """The records that a row names, by uid; a key that leads nowhere names none."""
        found: dict[str, Value] = {}
        for (entity, name), named in self.links.items():
            if entity != kind:
                continue
            key = row.cells.get(name) or ""
            known = (named, side, key)
            found[name] = None
            if known in there:
                found[name] = self.uid(known)
        return found

    def uid(self, known: Known) -> str:
        """The record's uid."""
        return self.uids.get(known) or self._alone(known)

    def same(self, entity: str, app_key: str, ghl_key: str) -> list[tuple[Ident, Ident]]:
        """Two records are one and the same; returns what has another ident now, and which."""
        ends = ((entity, "app", app_key), (entity, "ghl", ghl_key))
        known = [self.uids[end] for end in ends if end in self.uids]
        uid = known[0] if known else self._alone(ends[0])
        new = [end for end in ends if end not in self.uids]
        self.uids |= dict.fromkeys(new, uid)
        moved = [self._alone(end) for end in new if self._alone(end) != uid]
        for was in moved:
            self._take_place((entity, was), (entity, uid))
        return [((entity, was), (entity, uid)) for was in moved]

    def _take_place(self, was: Ident, now: Ident) -> None:
        places = [self.places[ident] for ident in (was, now) if ident in self.places]
        if places:
            self.places[now] = min(places)

    def learn(self, looked: Looked) -> list[tuple[Ident, Ident]]:
        """Take up the links of what is there; returns what has another ident now, and which."""
        there = set(known_of(looked))
        links = []
        for kind, app_key, ghl_key in self._links():
            ends = ((kind, "app", app_key), (kind, "ghl", ghl_key))
            known = (kind, app_key, ghl_key) in self.parted
            if there.issuperset(ends) and not known:
                links.append((kind, app_key, ghl_key))
        return [moved for link in links for moved in self.same(*link)]

    def free(self, known: Known) -> None:
        """The record is gone with a backup, and its key may be given to another."""
        self.uids.pop(known, None)
        self.holders[known] += 1

    def give(self, entity: str, app_key: str) -> None:
        """The app gives a key to another: what the ledger links it with is somebody else's."""
        mine = (link for link in self._links() if link[:2] == (entity, app_key))
        self.parted.update(mine)
        self.free((entity, "app", app_key))

    def take_back(self, links: Collection[tuple[str, str, str]]) -> None:
        """With a backup, whoever had these keys before has them again."""
        for kind, app_key, ghl_key in links:
            end = (kind, "app", app_key)
            across = (kind, "ghl", ghl_key)
            self.holders[end] -= 1
            if across in self.uids:
                self.uids[end] = self.uids[across]
        self.parted.difference_update(links)

    def _links(self) -> list[tuple[str, str, str]]:
        if not self.ledger.exists():
            return []
        with closing(sqlite3.connect(self.ledger)) as ledger:
            try:
                return ledger.execute("SELECT entity, app_key, ghl_key FROM link").fetchall()
            except sqlite3.OperationalError:  # no run has made it yet
                return []

    def _alone(self, known: Known) -> str:
        earlier = self.holders[known]
        name = f"{known[1]} {known[2]}"
        return f"{name} ({earlier + 1})" if earlier else name


def _without(row: Row, name: str) -> Row:
    cells = {field: value for field, value in row.cells.items() if field != name}
    return Row(row.key, row.of, cells)


def known_of(looked: Looked) -> Iterator[Known]:
    """Every record of both sides."""
    for side, records in looked.items():
        for entity, rows in records.items():
            yield from ((entity.value, side.value, row.key) for row in rows)
