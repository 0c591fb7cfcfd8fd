"""What a side gives a record by itself: it counts as typed there while the run went on."""

from __future__ import annotations

from collections.abc import Mapping

from flows.rehearse.book import Book, Cell, other
from flows.rehearse.rules import Value

Values = Mapping[str, Value]
"""A field's value on each side."""


def to_new(book: Book, cell: Cell, side: str, was: Values, now: Values) -> None:
    """Enter what a side gave a new record, unless the run may have carried it there."""
    if now[side] is None or was[other(side)] is not None:
        return
    if book.pending.get(cell):
        return
    _enter(book, cell, side, now[side])


def anew(book: Book, cell: Cell, side: str, was: Values, now: Values) -> None:
    """Enter what a side shows by now in a field that nobody can write there.

    Where the run writes what the field follows from, the field is another one: that is neither the
    run's invention nor the loss of what it showed before. It is owed across like any other value.
    """
    typed = book.pending.get(cell, {}).get(side)
    shown = typed.value if typed is not None else was[side]
    if now[side] != shown:
        _enter(book, cell, side, now[side])


def _enter(book: Book, cell: Cell, side: str, value: Value) -> None:
    entity, uid, name = cell
    book.type(
        side,
        (entity, uid),
        name,
        value,
        0,
        0.0,
        during=True,
    )
