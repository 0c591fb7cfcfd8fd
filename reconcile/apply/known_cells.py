"""Says what the sides are known to hold once an operation is done."""

from __future__ import annotations

import json

from reconcile.model import Cell, Cells, Operation, OpKind, Outcome, Status
from reconcile.values.jsonl import line
from reconcile.values.mapping import TAGS

_TAGGING = (OpKind.ADD_TAGS, OpKind.REMOVE_TAGS)


def advance_both(
    operation: Operation, outcome: Outcome, written: dict[str, Cell], other: dict[str, Cell]
) -> None:
    """Bring what the operation changed into the cells of the `written` side and of the `other`.

    Only that: another field of the same reply may show a third party's edit, which the next run
    must still see as one; or, after a create, what the side gave the record by itself (a default,
    its date), which the other side does not have yet.
    """
    if operation.kind is OpKind.CREATE:
        # One that was there already ("EXISTS") is compared by the next run: nothing of it is
        # agreed yet.
        if outcome.status is Status.DONE:
            written |= _stored(operation.after, outcome.after or {})
            # What was not sent (it cannot be read, or comes from the other side) is agreed by
            # nobody yet.
            source = operation.source.items()
            other |= {name: cell for name, cell in source if name in operation.after}
        return
    if operation.kind in _TAGGING:
        adding = operation.kind is OpKind.ADD_TAGS
        tags = _items(operation.after[TAGS])
        other[TAGS] = _tags(other.get(TAGS), tags, adding=adding)
    else:
        for name, cell in operation.after.items():
            # Sets are carried element by element: an operation that names their source changes
            # them in part.
            if name in operation.source:
                changed = (operation.before.get(name), cell)
                other[name] = _merged(other.get(name), changed, cell)
            else:
                other[name] = cell
    advance_written(operation, outcome, written)


def advance_written(operation: Operation, outcome: Outcome, written: dict[str, Cell]) -> None:
    """Bring what an operation changed into the written side's cells; it is no create."""
    reply = outcome.after or {}
    if operation.kind in _TAGGING:
        written[TAGS] = _tags_after(operation, reply, written.get(TAGS))
        return
    for name, cell in operation.after.items():
        shown = reply.get(name, cell)
        if name in operation.source:
            changed = (operation.before.get(name), cell)
            written[name] = _merged(written.get(name), changed, shown)
        else:
            written[name] = shown


def _merged(known: Cell, changed: tuple[Cell, Cell], shown: Cell) -> Cell:
    """A set as it is known, with the elements that an operation changed and the side shows so.

    Not the whole set that was sent: what else is in it is of another operation, or still to be
    decided.
    """
    before, after = changed
    there = _items(shown)
    added = (_items(after) - _items(before)) & there
    removed = (_items(before) - _items(after)) - there
    return _set((_items(known) | added) - removed)


def _stored(sent: Cells, reply: Cells) -> dict[str, Cell]:
    """What a side holds of what was sent: as it replied, and of tags those alone that were sent."""
    stored = {name: reply.get(name, cell) for name, cell in sent.items()}
    if TAGS in sent and TAGS in reply:
        # A tag that the side adds to a new contact by itself is not known to the other one.
        shown = _items(sent[TAGS]) & _items(reply[TAGS])
        stored[TAGS] = _set(shown)
    return stored


def _tags_after(operation: Operation, reply: Cells, known: Cell) -> Cell:
    """The tags, with only what was sent and took effect changed.

    Another tag in the reply is somebody else's edit.
    """
    tags = _items(operation.after[TAGS])
    adding = operation.kind is OpKind.ADD_TAGS
    if TAGS in reply:
        there = _items(reply[TAGS])
        tags = tags & there if adding else tags - there
    return _tags(known, tags, adding=adding)


def _tags(known: Cell, tags: set[str], *, adding: bool) -> Cell:
    """The tags with these added, or taken out."""
    if adding:
        return _set(_items(known) | tags)
    return _set(_items(known) - tags)


def _items(cell: Cell) -> set[str]:
    return set(json.loads(cell or "[]"))


def _set(items: set[str]) -> Cell:
    if not items:
        return None
    return line(sorted(items))


def packed(cells: Cells) -> str:
    """Cells as the ledger keeps them: without blanks."""
    return line({name: cell for name, cell in cells.items() if cell is not None})
