"""The register of known differences.

Which linked values differ, why, and up to when that reason stands.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from reconcile.ledger import schema
from reconcile.ledger.chunks import chunks
from reconcile.ledger.ledger import Ledger
from reconcile.model import Cell, Cells, Entity, Operation, OpKind, Outcome, Side, fingerprint
from reconcile.stage.models import render
from reconcile.stage.quoting import literal, quoted
from reconcile.stage.stage import Stage
from reconcile.stage.texts import text
from reconcile.values.mapping import EntityMap, Field, plain
from reconcile.values.mapping import Mapping as PairMapping

_BATCH = 500


class Why(StrEnum):
    """Why two linked values differ and nothing is written for now."""

    REJECTED = "rejected"
    DROPPED = "dropped"
    ACCEPTED = "accepted"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True)
class Difference:
    """`side` holds `stored` where the other side holds `sent`.

    It is for a reason that was seen and is remembered.

    rejected: `side` refused `sent`; `other_key` names the record on `side` that has the value,
    where the side said so.
    dropped: `side` took `sent` and shows `stored`. accepted: a person left it so. undone: an undo
    made it so.
    `item` is the tag, for tags ("" for whole values). It stands while both sides show these values
    and the field's mapping is what it was (`field_digest`); after that the value is compared as any
    other.
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


Digests = Mapping[tuple[Entity, str], str]
"""The mapping of each field of a pair, by entity and name, as `field_digest` names it."""


def digests(mapping: PairMapping) -> Digests:
    """What each field's mapping is called now."""
    fields = [(mapped.entity, field) for mapped in mapping.entities for field in mapped.fields]
    return {(entity, field.name): field_digest(field) for entity, field in fields}


_COLUMNS = (
    *("link_id", "field", "item", "kind", "side", "sent", "stored"),
    *("code", "because", "other_key", "field_digest", "run_id", "at"),
)


def load(stage: Stage, ledger: Ledger, mapped: EntityMap) -> None:
    """Create `difference_e` with the register's rows of one entity.

    `current` says that the field is mapped as it was then.
    """
    table = schema.difference
    mine = (ledger.owns(table), table.c.entity == mapped.entity.value)
    query = sa.select(*(table.c[name] for name in _COLUMNS)).where(*mine)
    now = {field.name: field_digest(field) for field in mapped.fields}
    fields = {field.name: field for field in mapped.fields}
    with ledger.engine.connect() as connection:
        entries = connection.execute(query).all()
    rows = []
    for row in entries:
        current = now.get(row.field) == row.field_digest
        rows.append((*_renewed(row._asdict(), fields), current))
    columns = [*((name, "VARCHAR") for name in _COLUMNS), ("current", "BOOLEAN")]
    stage.fill(f"stage.difference_{mapped.entity}", columns, [rows])


def _renewed(row: dict[str, Cell], fields: Mapping[str, Field]) -> list[Cell]:
    """A row of the register with its values as the codec gives them now.

    The codec may be of a newer revision.
    """
    field = fields.get(str(row["field"]))
    if field is not None and not row["item"]:
        side = Side(str(row["side"]))
        for name, end in (("sent", side.other), ("stored", side)):
            cell = row[name]
            if cell is not None:
                row[name] = field.codec.reread(cell, end)
    return [row[name] for name in _COLUMNS]


def ready(stage: Stage, mapped: EntityMap) -> None:
    """Make sure that there is a `difference_e`, without a row where nothing was loaded."""
    if stage.has(f"difference_{mapped.entity}"):
        return
    columns = [f"{quoted(name)} VARCHAR" for name in _COLUMNS]
    columns.append("current BOOLEAN")
    stage.run(f"CREATE TABLE stage.difference_{mapped.entity} ({', '.join(columns)})")


def restore(stage: Stage, mapped: EntityMap, relation: str) -> None:
    """Create `difference_e` from an archived one, with what is `current` under this mapping."""
    now = []
    for each in mapped.fields:
        name, digest = literal(each.name), literal(field_digest(each))
        now.append(f"{{'field': {name}, 'digest': {digest}}}")
    current = f"list_contains([{', '.join(now)}], {{'field': field, 'digest': field_digest}})"
    stage.run(
        f"CREATE OR REPLACE TABLE stage.difference_{mapped.entity} AS "
        f"SELECT * REPLACE ({current} AS current) FROM {relation}"
    )


def put(ledger: Ledger, connection: Connection, differences: Iterable[Difference]) -> None:
    """Enter differences, inside a settlement; each replaces what was known of the same value.

    Of several of one value the last counts: one that changes places with another is first cleared
    and then set, and a side may drop both.
    """
    table = schema.difference
    names = ("pair", "entity", "link_id", "field", "item")
    same = [table.c[name] == sa.bindparam(f"old_{name}") for name in names]
    latest = {}
    for each in differences:
        row = _row(ledger, each)
        latest[tuple(row[name] for name in names)] = row
    for batch in chunks(list(latest.values()), _BATCH):
        replaced = [{f"old_{name}": row[name] for name in names} for row in batch]
        connection.execute(sa.delete(table).where(*same), replaced)
        connection.execute(sa.insert(table), batch)


def _row(ledger: Ledger, each: Difference) -> dict[str, object]:
    members = {name: getattr(each, name) for name in _COLUMNS}
    kinds = {"kind": each.kind.value, "side": each.side.value}
    return {"pair": ledger.pair, "entity": each.entity.value} | members | kinds


def forget(
    ledger: Ledger, connection: Connection, entity: Entity, names: Sequence[tuple[str, str, str]]
) -> None:
    """Strike (link_id, field, item) out of the register, inside a settlement.

    They are equal by now, or changed since.
    """
    table = schema.difference
    mine = (ledger.owns(table), table.c.entity == entity.value)
    bound_as = ("old_link_id", "old_field", "old_item")
    named = [
        table.c.link_id == sa.bindparam("old_link_id"),
        table.c.field == sa.bindparam("old_field"),
        table.c.item == sa.bindparam("old_item"),
    ]
    delete = sa.delete(table).where(*mine, *named)
    for batch in chunks(names, _BATCH):
        connection.execute(delete, [dict(zip(bound_as, place, strict=True)) for place in batch])


# where differences come from ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Source:
    """The run that a difference is known from, and how its fields were mapped.

    It also tells which of them are compared by element.
    """

    digests: Digests
    by_item: frozenset[tuple[Entity, str]]
    run_id: str
    at: str

    def difference(
        self,
        operation: Operation,
        field: str,
        kind: Why,
        values: tuple[Cell, Cell],
        *,
        because: str,
        code: str = "",
        item: str = "",
    ) -> Difference:
        """A difference that an operation leaves.

        `values` are what was sent (the other side's) and what is stored.
        """
        entity = _entity(operation)
        return Difference(
            entity=entity,
            link_id=operation.link_id,
            field=field,
            kind=kind,
            side=operation.side,
            sent=values[0],
            stored=values[1],
            because=because,
            field_digest=self.digests.get((entity, field), ""),
            run_id=self.run_id,
            at=self.at,
            item=item,
            code=code,
        )


def source(mapping: PairMapping, run_id: str, at: str) -> Source:
    """Where the differences come from that a run under this mapping leaves."""
    fields = [(mapped.entity, field) for mapped in mapping.entities for field in mapped.fields]
    by_item = frozenset((entity, field.name) for entity, field in fields if field.by_item)
    return Source(digests(mapping), by_item, run_id, at)


def _entity(operation: Operation) -> Entity:
    return operation.entity.record


def dropped(operation: Operation, outcome: Outcome, source: Source) -> Iterator[Difference]:
    """What a side took and shows otherwise."""
    if outcome.code != "VALUE_DROPPED" or outcome.after is None:
        return
    because = f"sent to {operation.side.label}, which stores another value"
    for field, values, item in _apart(operation, outcome.after, source):
        yield source.difference(
            operation, field, Why.DROPPED, values, because=because, code=outcome.code, item=item
        )


def _apart(
    operation: Operation, current: Cells, source: Source
) -> Iterator[tuple[str, tuple[Cell, Cell], str]]:
    """(field, (sent, stored), item) of what was sent and is held otherwise."""
    for name, cell in operation.after.items():
        if name not in current or current[name] == cell:
            continue
        if (_entity(operation), name) not in source.by_item:
            yield name, (cell, current[name]), ""
            continue
        there = _words(current[name])
        for item, (sent, stored) in elements(operation, name).items():
            if (item in there) is (sent is None):
                yield name, (sent, stored), item


def elements(operation: Operation, name: str) -> dict[str, tuple[Cell, Cell]]:
    """(sent, stored) of each element of a set that an operation was to add, or to take out."""
    added = {item: (item, None) for item in sorted(_added(operation, name))}
    return added | {item: (None, item) for item in sorted(_removed(operation, name))}


def _added(operation: Operation, name: str) -> set[str]:
    """The elements that an operation was to add to a set."""
    if operation.kind is OpKind.REMOVE_TAGS:
        return set()
    return _words(operation.after[name]) - _words(operation.before.get(name))


def _removed(operation: Operation, name: str) -> set[str]:
    """The elements that an operation was to take out of a set."""
    if operation.kind is OpKind.REMOVE_TAGS:
        return _words(operation.after[name])
    return _words(operation.before.get(name)) - _words(operation.after[name])


def _words(cell: Cell) -> set[str]:
    return set(json.loads(cell or "[]"))


def undone(
    operation: Operation, written: Cells, other: Cells, source: Source
) -> Iterator[Difference]:
    """What an undo brought back on one side alone.

    `written` is what that side holds now, `other` what the other one does.
    """
    because = f"taken back by run {source.run_id}"
    # A record that was made again may differ in any field, else in what the operation wrote alone.
    names = [*operation.after]
    if operation.kind is OpKind.CREATE:
        names = [*{**written, **other}]
    for name in names:
        mine, theirs = written.get(name), other.get(name)
        if (_entity(operation), name) in source.by_item:
            for item in sorted(_words(mine) ^ _words(theirs)):
                values = (item, None) if item in _words(theirs) else (None, item)
                yield source.difference(
                    operation, name, Why.UNDONE, values, because=because, item=item
                )
        elif mine != theirs:
            yield source.difference(operation, name, Why.UNDONE, (theirs, mine), because=because)


def accepted(stage: Stage, mapped: EntityMap, source: Source) -> Iterator[Difference]:
    """What a person said shall stay as it is."""
    entity = mapped.entity
    for batch in stage.stream(render("baseline/accepted", entity=entity)):
        for link_id, field, item, app, ghl, because in batch:
            yield Difference(
                entity=entity,
                link_id=str(link_id),
                field=str(field),
                kind=Why.ACCEPTED,
                side=Side.GHL,
                sent=text(app),
                stored=text(ghl),
                because=str(because),
                field_digest=source.digests.get((entity, str(field)), ""),
                run_id=source.run_id,
                at=source.at,
                item=str(item),
            )


def void(stage: Stage, mapped: EntityMap) -> list[tuple[str, str, str]]:
    """(link_id, field, item) of what the register says and this run did not find so any more."""
    rows = stage.rows(render("baseline/void", entity=mapped.entity))
    return [(str(link), str(field), str(item)) for link, field, item in rows]


def settle(
    stage: Stage, ledger: Ledger, connection: Connection, mapped: EntityMap, source: Source
) -> None:
    """Bring the register up to what this run compared.

    What its writes leave comes after, from the journal.
    """
    # What is void goes first: an answer of this run may be about the very same value.
    forget(ledger, connection, mapped.entity, void(stage, mapped))
    put(ledger, connection, accepted(stage, mapped, source))
