"""What the check says of records that a run made, and of keys under which somebody else is."""

from __future__ import annotations

from collections.abc import Iterator

from flows.rehearse.book import SIDES, Book, Ident, Seen, other


def under_keys(before: Seen, after: Seen, said: str) -> Iterator[tuple[str, Ident, str, str]]:
    """New records without a number, and keys that are another record's after the run."""
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
            if was == ident or was[0] != ident[0]:
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
