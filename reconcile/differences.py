"""The register of known differences: which linked values differ, why, and up to when that reason stands."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from reconcile import schema
from reconcile.ledger import Ledger
from reconcile.mapping import EntityMap, Field, plain
from reconcile.model import Cell, Entity, Side, fingerprint
from reconcile.stage import Stage

_BATCH = 500


class Why(StrEnum):
    """Why two linked values differ and nothing is written for now."""

    REJECTED = "rejected"
    DROPPED = "dropped"
    ACCEPTED = "accepted"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True)
class Difference:
    """`side` holds `stored` where the other side holds `sent`, for a reason that was seen and is remembered.

    rejected: `side` refused `sent`; `other_key` names the record on `side` that has the value, where the side said so.
    dropped: `side` took `sent` and shows `stored`. accepted: a person left it so. undone: an undo made it so.
    `item` is the tag, for tags ("" for whole values). It stands while both sides show these values and the field's
    mapping is what it was (`field_digest`); after that the value is compared as any other.
    """

    entity: Entity
    link_id: str
    field: str
    kind: Why
    side: Side
    sent: Cell
    stored: Cell
    because: str
    field_digest: str
    run_id: str
    at: str
    item: str = ""
    code: str = ""
    other_key: str | None = None


def field_digest(field: Field) -> str:
    """A name for a field's mapping: it changes when anything in it does."""
    return fingerprint(json.dumps(plain(field), sort_keys=True))


_COLUMNS = (
    *("link_id", "field", "item", "kind", "side", "sent", "stored"),
    *("code", "because", "other_key", "field_digest", "run_id", "at"),
)


def load(stage: Stage, ledger: Ledger, mapped: EntityMap) -> None:
    """Create `difference_e`: the register's rows of one entity, with `current`: the field is mapped as it was then."""
    table = schema.difference
    mine = (table.c.pair == ledger.pair, table.c.entity == mapped.entity.value)
    query = sa.select(*(table.c[name] for name in _COLUMNS)).where(*mine)
    now = {field.name: field_digest(field) for field in mapped.fields}
    with ledger.engine.connect() as connection:
        rows = [(*row, now.get(row.field) == row.field_digest) for row in connection.execute(query)]
    columns = [*((name, "VARCHAR") for name in _COLUMNS), ("current", "BOOLEAN")]
    stage.fill(f"stage.difference_{mapped.entity}", columns, [rows])


def put(ledger: Ledger, connection: Connection, found: Iterable[Difference]) -> None:
    """Enter differences, inside a settlement; each replaces what was known of the same value."""
    rows = [_row(ledger, each) for each in found]
    table = schema.difference
    names = ("pair", "entity", "link_id", "field", "item")
    same = sa.and_(*(table.c[name] == sa.bindparam(f"old_{name}") for name in names))
    for start in range(0, len(rows), _BATCH):
        batch = rows[start : start + _BATCH]
        connection.execute(
            sa.delete(table).where(same), [{f"old_{name}": row[name] for name in names} for row in batch]
        )
        connection.execute(sa.insert(table), batch)


def _row(ledger: Ledger, each: Difference) -> dict[str, object]:
    members = {name: getattr(each, name) for name in _COLUMNS}
    kinds = {"kind": each.kind.value, "side": each.side.value}
    return {"pair": ledger.pair, "entity": each.entity.value} | members | kinds


def forget(ledger: Ledger, connection: Connection, entity: Entity, names: Sequence[tuple[str, str, str]]) -> None:
    """Strike (link_id, field, item) out of the register, inside a settlement: equal by now, or changed since."""
    table = schema.difference
    mine = (table.c.pair == ledger.pair, table.c.entity == entity.value)
    named = tuple(table.c[name] == sa.bindparam(f"old_{name}") for name in ("link_id", "field", "item"))
    for start in range(0, len(names), _BATCH):
        batch = names[start : start + _BATCH]
        rows = [{"old_link_id": link_id, "old_field": field, "old_item": item} for link_id, field, item in batch]
        connection.execute(sa.delete(table).where(*mine, *named), rows)
