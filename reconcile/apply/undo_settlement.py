"""Settles a run that takes another one back: only the side that was written moves, so that the next run does not redo it."""

from __future__ import annotations

import json
from collections.abc import Collection
from itertools import islice
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from reconcile.apply import settle
from reconcile.baseline import differences
from reconcile.baseline.differences import Source
from reconcile.ledger import schema
from reconcile.ledger.journal import Journal
from reconcile.ledger.ledger import Ledger
from reconcile.model import Cell, Cells, Entity, Operation, OpKind, Outcome, Side, Status
from reconcile.values.jsonl import line
from reconcile.values.mapping import TAGS

UNDO = "undo"
"""The job of a run that takes another one back."""

CREATED = "created by this job"
"""How a link came about whose record this job made for the other one."""

_BATCH = 1_000
_TAGGING = (OpKind.ADD_TAGS, OpKind.REMOVE_TAGS)

Row = dict[str, Any]

Name = tuple[Entity, str]
"""A link by entity and link_id."""


def settle_journal(
    ledger: Ledger,
    connection: Connection,
    journal: Journal,
    source: Source,
    *,
    whole: Collection[Name] = (),
) -> tuple[int, int]:
    """Bring what a run's journal alone tells into the ledger, as its job asks. Returns (links new, links forgotten).

    `whole` are links of which an undo created one end again while the other one is there.
    """
    query = sa.select(schema.run.c.job).where(schema.run.c.run_id == journal.run_id)
    if connection.execute(query).scalar_one_or_none() == UNDO:
        return settle_undo(ledger, connection, journal, source, whole=whole), 0
    buried = ledger.bury_links(connection, journal.forgotten(), at=source.at)
    linked, forgotten = settle.settle_operations(ledger, connection, journal, source, codecs=None)
    return linked, forgotten + buried


def settle_undo(
    ledger: Ledger,
    connection: Connection,
    journal: Journal,
    source: Source,
    *,
    whole: Collection[Name] = (),
) -> int:
    """Advance the written side's baseline to what it now holds, and leave the other side's where it was.

    The sides then differ as they are known to differ, and neither moved. A link whose record was deleted, or created
    again without its counterpart, stays, marked as undone: its missing end becomes a question, never an operation. A link
    that is `whole` has no missing end: it loses the mark.
    Returns how many links are new.
    """
    entries, linked = journal.entries(), 0
    while batch := list(islice(entries, _BATCH)):
        for operation, outcome in batch:
            if outcome.status is Status.DONE:
                again = (
                    operation.kind is OpKind.CREATE
                    and (operation.entity, operation.link_id) in whole
                )
                how = CREATED if again else f"undone by run {source.run_id}"
                linked += _settle_one(
                    ledger, connection, operation, outcome, how=how, source=source
                )
    return linked


def _settle_one(
    ledger: Ledger,
    connection: Connection,
    operation: Operation,
    outcome: Outcome,
    *,
    how: str,
    source: Source,
) -> int:
    entity = Entity.CONTACT if operation.entity is Entity.TAG else operation.entity
    known = _row(ledger, connection, entity, operation.link_id)
    if operation.kind is OpKind.CREATE:
        row = _created(ledger, connection, entity, operation, outcome, known)
    elif operation.kind in (OpKind.DELETE, OpKind.ARCHIVE):
        row = known
    else:
        row = known and _changed(known, operation, outcome)
    if row is None:
        return 0
    side = operation.side
    row |= {
        f"{side}_digest": None,
        f"{side}_written": outcome.settled_at,
        f"{side}_edited": None,
        f"{side}_absent": 0,
    }
    if operation.kind in (OpKind.CREATE, OpKind.DELETE, OpKind.ARCHIVE):
        row |= {"how": how, "since_run": source.run_id}
    ledger.put_links(connection, [row])
    written, other = (json.loads(row[f"{at}_cells"]) for at in (side, side.other))
    if operation.kind not in (OpKind.DELETE, OpKind.ARCHIVE) and other:
        differences.put(ledger, connection, differences.undone(operation, written, other, source))
    return int(known is None)


def _row(ledger: Ledger, connection: Connection, entity: Entity, link_id: str) -> Row | None:
    table = schema.link
    query = sa.select(table).where(
        table.c.pair == ledger.pair, table.c.entity == entity.value, table.c.link_id == link_id
    )
    found = connection.execute(query).mappings().one_or_none()
    return (
        None if found is None else {name: value for name, value in found.items() if name != "pair"}
    )


def _created(
    ledger: Ledger,
    connection: Connection,
    entity: Entity,
    operation: Operation,
    outcome: Outcome,
    known: Row | None,
) -> Row | None:
    """The link of a record that is there again; None where it had none, or either key belongs to another link by now."""
    side, other = operation.side, operation.side.other
    keys = {side: outcome.key, other: operation.source_key}
    if None in keys.values() or _taken(ledger, connection, entity, keys, operation.link_id):
        return None
    cells = outcome.after if outcome.after is not None else operation.after
    row = known or _blank() | {
        "entity": entity.value,
        "link_id": operation.link_id,
        "parent": operation.parent,
    }
    return row | {
        f"{side}_key": keys[side],
        f"{other}_key": keys[other],
        f"{side}_cells": _packed(dict(cells)),
        f"{other}_cells": row[f"{other}_cells"],
        f"{side}_modified": None,
    }


def _taken(
    ledger: Ledger,
    connection: Connection,
    entity: Entity,
    keys: dict[Side, str | None],
    link_id: str,
) -> bool:
    table = schema.link
    either = sa.or_(*(table.c[f"{side}_key"] == key for side, key in keys.items()))
    query = sa.select(table.c.link_id).where(
        table.c.pair == ledger.pair, table.c.entity == entity.value, either
    )
    return any(name != link_id for (name,) in connection.execute(query))


def _blank() -> Row:
    nothing: Row = {
        f"{side}_{what}": None
        for side in Side
        for what in ("digest", "modified", "written", "edited")
    }
    known = {
        f"{side}_{what}": value for side in Side for what, value in (("absent", 0), ("cells", "{}"))
    }
    return {"codecs": None} | nothing | known


def _changed(row: Row, operation: Operation, outcome: Outcome) -> Row:
    cells: dict[str, Cell] = json.loads(row[f"{operation.side}_cells"])
    told = outcome.after or {}
    if operation.kind in _TAGGING:
        cells[TAGS] = _tags(cells.get(TAGS), operation, told)
    else:
        cells |= {name: told.get(name, cell) for name, cell in operation.after.items()}
    return row | {f"{operation.side}_cells": _packed(cells)}


def _tags(cell: Cell, operation: Operation, told: Cells) -> Cell:
    """The set, with only what was sent and took effect changed in it: another tag in the reply is somebody else's edit."""
    there, named = (set(json.loads(text or "[]")) for text in (cell, operation.after[TAGS]))
    now = set(json.loads(told[TAGS] or "[]")) if TAGS in told else None
    adding = operation.kind is OpKind.ADD_TAGS
    if now is not None:
        named = named & now if adding else named - now
    tags = sorted(there | named if adding else there - named)
    return line(tags) if tags else None


def _packed(cells: dict[str, Cell]) -> str:
    return line({name: cell for name, cell in cells.items() if cell is not None})
