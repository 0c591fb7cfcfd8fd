"""Settles a run that takes another one back: only the side that was written moves.

The next run would redo it otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from itertools import islice
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from reconcile.apply.known_cells import advance_written, packed
from reconcile.apply.settle import blank_link
from reconcile.apply.settle_operations import (
    CREATED,
    Link,
    Name,
    links_named,
    name_of,
    settle_operations,
)
from reconcile.baseline import differences
from reconcile.baseline.differences import Source
from reconcile.ledger import schema
from reconcile.ledger.journal import Journal
from reconcile.ledger.ledger import Ledger
from reconcile.model import Entity, Operation, OpKind, Outcome, Side, Status

UNDO = "undo"
"""The job of a run that takes another one back."""

_BATCH = 1_000
_REMOVING = (OpKind.DELETE, OpKind.ARCHIVE)


def settle_journal(
    ledger: Ledger,
    connection: Connection,
    journal: Journal,
    source: Source,
    *,
    whole: Collection[Name] = (),
) -> tuple[int, int]:
    """Bring what a run's journal alone tells into the ledger, as its job asks.

    Returns (links new, links forgotten).

    `whole` are links of which an undo created one end again while the other one is there.
    """
    query = sa.select(schema.run.c.job).where(schema.run.c.run_id == journal.run_id)
    if connection.execute(query).scalar_one_or_none() == UNDO:
        return settle_undo(ledger, connection, journal, source, whole=whole), 0
    buried = ledger.bury_links(connection, journal.forgotten(), at=source.at)
    known = _link(ledger, connection, journal)
    linked, forgotten = settle_operations(ledger, connection, journal, source, codecs=None)
    return known + linked, forgotten + buried


def _link(ledger: Ledger, connection: Connection, journal: Journal) -> int:
    """Enter the links that a killed run had made, without a baseline: nobody knows what it saw."""
    count = 0
    operations = journal.linked()
    while batch := list(islice(operations, _BATCH)):
        links = [_linked(operation, journal.run_id) for operation in batch]
        ledger.add_links(connection, links)
        count += len(batch)
    journal.links_settled(connection)
    return count


def _linked(operation: Operation, run_id: str) -> dict[str, Any]:
    return blank_link(operation.entity, run_id) | {
        "link_id": operation.link_id,
        "app_key": operation.source_key,
        "ghl_key": operation.key,
        "parent": operation.parent,
        "how": operation.because,
    }


def settle_undo(
    ledger: Ledger,
    connection: Connection,
    journal: Journal,
    source: Source,
    *,
    whole: Collection[Name] = (),
) -> int:
    """Advance the written side's baseline to what it now holds, and leave the other side's.

    The sides then differ as they are known to differ, and neither moved. A link whose record was
    deleted, or created again without its counterpart, stays, marked as undone: its missing end
    becomes a question, never an operation. A link that is `whole` has no missing end: it loses the
    mark. Returns how many links are new.
    """
    entries = journal.entries()
    linked = 0
    while batch := list(islice(entries, _BATCH)):
        for operation, outcome in batch:
            if outcome.status is not Status.DONE:
                continue
            how = f"undone by run {source.run_id}"
            if operation.kind is OpKind.CREATE and name_of(operation) in whole:
                how = CREATED
            linked += _settle_one(ledger, connection, operation, outcome, how, source)
    return linked


def _settle_one(
    ledger: Ledger,
    connection: Connection,
    operation: Operation,
    outcome: Outcome,
    how: str,
    source: Source,
) -> int:
    """Change the link of one operation; 1 where it is new."""
    name = name_of(operation)
    known = links_named(ledger, connection, [name]).get(name)
    if operation.kind is OpKind.CREATE:
        link = _created(ledger, connection, operation, outcome, known)
    elif known is None or operation.kind in _REMOVING:
        link = known
    else:
        link = _changed(known, operation, outcome)
    if link is None:
        return 0
    side = operation.side
    link |= {
        f"{side}_digest": None,
        f"{side}_written": outcome.settled_at,
        f"{side}_edited": None,
        f"{side}_absent": 0,
    }
    if operation.kind is OpKind.CREATE or operation.kind in _REMOVING:
        link |= {"how": how, "since_run": source.run_id}
    ledger.put_links(connection, [link])
    written = json.loads(link[f"{side}_cells"])
    other = json.loads(link[f"{side.other}_cells"])
    # Of a link without a counterpart there is nothing to differ from.
    if operation.kind not in _REMOVING and other:
        left_over = differences.undone(operation, written, other, source)
        differences.put(ledger, connection, left_over)
    return int(known is None)


def _created(
    ledger: Ledger,
    connection: Connection,
    operation: Operation,
    outcome: Outcome,
    known: Link | None,
) -> Link | None:
    """The link of a record that is there again.

    None where it had none, or either key belongs to another link by now.
    """
    entity, link_id = name_of(operation)
    side, other = operation.side, operation.side.other
    keys = {side: outcome.key, other: operation.source_key}
    if None in keys.values() or _taken(ledger, connection, entity, keys, link_id):
        return None
    cells = operation.after if outcome.after is None else outcome.after
    link = known or _blank(operation)
    return link | {
        f"{side}_key": keys[side],
        f"{other}_key": keys[other],
        f"{side}_cells": packed(cells),
        f"{side}_modified": None,
    }


def _blank(operation: Operation) -> Link:
    entity, link_id = name_of(operation)
    return blank_link(entity, "") | {"link_id": link_id, "parent": operation.parent}


def _taken(
    ledger: Ledger,
    connection: Connection,
    entity: Entity,
    keys: Mapping[Side, str | None],
    link_id: str,
) -> bool:
    """Whether a key belongs to another link."""
    table = schema.link
    either = sa.or_(*(table.c[f"{side}_key"] == key for side, key in keys.items()))
    query = sa.select(table.c.link_id).where(
        ledger.owns(table), table.c.entity == entity.value, either
    )
    return any(name != link_id for (name,) in connection.execute(query))


def _changed(link: Link, operation: Operation, outcome: Outcome) -> Link:
    cells = json.loads(link[f"{operation.side}_cells"])
    advance_written(operation, outcome, cells)
    return link | {f"{operation.side}_cells": packed(cells)}
