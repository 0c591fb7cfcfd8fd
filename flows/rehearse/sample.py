"""Chooses the people of a rehearsal, each with whoever may be the same person across."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from random import Random

from connectors.ghl.shapes import first
from reconcile.errors import ConnectorError
from reconcile.model import Entity, Side
from reconcile.ports import Connector, Page, Proof, Record, Shape
from reconcile.values.codecs import raw_text
from reconcile.values.mapping import EntityMap

Known = tuple[Side, str]
"""A contact, by its side and its key there."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The keys of the people who take part, by side, and how many there are on each."""

    keys: Mapping[Side, frozenset[str]]
    of: Mapping[Side, int]

    @property
    def whole(self) -> bool:
        """Whether everybody takes part."""
        return all(len(self.keys[side]) == self.of[side] for side in Side)


def records_of(connector: Connector, entity: Entity) -> Iterator[Record]:
    """All records of a side that are not deleted. Raises ConnectorError where some are unread."""
    shape = connector.shape(entity)
    for page in pages_of(connector, entity):
        yield from _records(page, shape)


def pages_of(connector: Connector, entity: Entity) -> Iterator[Page]:
    """All pages of a side. Raises ConnectorError where some records are unread."""
    for part in connector.extract(entity):
        if not isinstance(part, Proof):
            yield part
        elif not part.complete:
            raise ConnectorError(
                f"{connector.side.label}'s {entity.plural} could not be read whole: "
                f"{part.why_incomplete}",
                remedy="correct what is said there, or try again",
                code="INCOMPLETE",
            )


def _records(page: Page, shape: Shape) -> Iterator[Record]:
    for line in page.lines.splitlines():
        entry = json.loads(line)
        if first(entry, shape.deleted) is True:
            continue
        fields = {name: first(entry, paths) for name, paths in shape.fields.items()}
        key, parent = (raw_text(first(entry, paths)) for paths in (shape.key, shape.parent))
        yield Record(str(key), fields, parent)


def choose(
    people: EntityMap,
    held: Mapping[Side, Iterable[Record]],
    dice: Random,
    most: int | None,
) -> Sample:
    """At most so many people: those that a match rule takes for one are in or out together."""
    keys: dict[Side, set[str]] = {side: set() for side in Side}
    groups = _groups(people, held)
    everybody = [side for group in groups for side, _ in group]
    counts = {side: everybody.count(side) for side in Side}
    chosen = groups
    if most is not None and most < len(groups):
        chosen = dice.sample(groups, most)
    for group in chosen:
        for side, key in group:
            keys[side].add(key)
    return Sample({side: frozenset(entry) for side, entry in keys.items()}, counts)


def _groups(people: EntityMap, held: Mapping[Side, Iterable[Record]]) -> list[list[Known]]:
    """Everybody, in groups of those who share the values of a match rule."""
    above: dict[Known, Known] = {}

    def top(one: Known) -> Known:
        while above[one] != one:
            above[one] = above[above[one]]
            one = above[one]
        return one

    first: dict[tuple[str | None, ...], Known] = {}
    for side, records in held.items():
        for entry in records:
            one = (side, entry.key)
            above[one] = one
            cells = people.decode(entry, side)
            for number, rule in enumerate(people.match):
                values = tuple(cells[name] for name in rule)
                if all(values):
                    above[top(one)] = top(first.setdefault((str(number), *values), one))
    groups: dict[Known, list[Known]] = defaultdict(list)
    for one in above:
        groups[top(one)].append(one)
    return list(groups.values())
