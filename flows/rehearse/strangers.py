"""What the check says of records that a run made, and of keys under which somebody else is."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from flows.rehearse.book import SIDES, Book, Ident, Seen, other
from flows.rehearse.rules import Row
from reconcile.model import Entity


def alike(before: Seen, after: Seen) -> set[tuple[str, Ident]]:
    """What is no person, and differs in one value from whom its key is after the run.

    Nothing tells it from one that was renamed (docs/tasks/resolve.md).
    """
    namesakes = set()
    for side in SIDES:
        owners = dict(_owners(before, side))
        for key, ident in _owners(after, side):
            was = owners.get(key, ident)
            if was == ident or was[0] != ident[0] or not _nameable(was[0]):
                continue
            row, now = before.row(side, was), after.row(side, ident)
            if row is not None and now is not None and _differ(row, now) == 1:
                namesakes.add((side, was))
    return namesakes


def _nameable(kind: str) -> bool:
    """Whether a name alone may tell one record of a kind from another."""
    entity = Entity(kind)
    return entity.parent is None and not entity.spec.person


def _differ(one: Row, another: Row) -> int:
    """In how many values two records differ."""
    names = one.cells.keys() | another.cells.keys()
    return sum(one.cells.get(name) != another.cells.get(name) for name in names)


def under_keys(
    before: Seen, after: Seen, said: str, alike: Collection[tuple[str, Ident]] = ()
) -> Iterator[tuple[str, Ident, str, str]]:
    """New records without a number, and keys that are another record's after the run.

    Those `alike` are left out: see there.
    """
    for side in SIDES:
        known = before.strays[side]
        for key, row in after.strays[side].items():
            if key in known:
                continue
            cells = {name: value for name, value in row.cells.items() if value}
            yield "stray", (side, key), "", f"{cells} ({said})"
        owners = dict(_owners(before, side))
        for key, ident in _owners(after, side):
            was = owners.get(key, ident)
            if was == ident or was[0] != ident[0] or (side, was) in alike:
                continue
            what = f"{side}'s {key} was {was[1]} before the run"
            yield "stranger", ident, side, f"{what} ({said})"


def _owners(seen: Seen, side: str) -> Iterator[tuple[str, Ident]]:
    """Whose each key of a side is."""
    for ident, rows in seen.rows[side].items():
        for row in rows:
            yield row.key, ident


def renamed(ident: Ident, side: str, before: Seen, after: Seen, book: Book) -> Iterator[str]:
    """The fields of a record that a run changed, while nobody across could have typed them."""
    was = before.row(side, ident)
    now = after.row(side, ident)
    if was is None or now is None:
        return
    if before.row(other(side), ident) is not None:
        return
    for name, value in now.cells.items():
        earlier = was.cells.get(name)
        if not value or not earlier or value == earlier:
            continue
        cell = (*ident, name)
        typed = book.pending.get(cell, {}).get(side)
        if typed is None or typed.value != value:
            yield name
