"""Remembers values that a side refused, and asks about them instead of sending them every night."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from reconcile.baseline import differences
from reconcile.baseline.differences import (
    Difference,
    Source,
    Why,
    elements,
    field_digest,
)
from reconcile.ledger import schema
from reconcile.ledger.journal import Journal
from reconcile.ledger.ledger import Ledger
from reconcile.model import Cell, Cells, Entity, Operation, OpKind, Outcome, Side, Status
from reconcile.plan.unique_values import AMONG, holders, stuck, unique_fields
from reconcile.stage.models import render
from reconcile.stage.quoting import literal
from reconcile.stage.stage import Stage
from reconcile.values.codecs import Email, Phone
from reconcile.values.jsonl import line
from reconcile.values.mapping import EntityMap
from reconcile.values.mapping import Mapping as PairMapping

WHOLE = "*"
"""The field under which a create that was refused stands in the register."""

SHARED = ("DUPLICATE", "EXISTS")
"""Another record of the side has the value: both are shown."""

AGAINST_ITS_RULES = ("INVALID_FIELD", "CONSTRAINT")
"""The side takes no such value."""

_CARRYING = (
    *(OpKind.CREATE, OpKind.UPDATE, OpKind.COMPLETE),
    *(OpKind.ADD_TAGS, OpKind.REMOVE_TAGS),
)
"""The writes that carry values."""

_Places = dict[tuple[str, str], tuple[Cell, Cell]]
"""What was sent and what is stored, by field and, of a set, by element ("" for a whole value)."""


def remember(
    ledger: Ledger, connection: Connection, journal: Journal, mapping: PairMapping, source: Source
) -> None:
    """Enter what sides refused in this run into the register, once its operations are settled."""
    refused = [entry for entry in journal.entries() if _is_refused(*entry)]
    for mapped in mapping.entities:
        mine = [entry for entry in refused if entry[0].entity.record is mapped.entity]
        operations = [operation for operation, _ in mine]
        creates = [each.link_id for each in operations if each.kind is OpKind.CREATE]
        linked = _linked(ledger, connection, mapped.entity, creates)
        register: list[Difference] = []
        for operation, outcome in mine:
            # A create that ended in a link all the same was no refusal.
            if operation.kind is OpKind.CREATE and operation.link_id in linked:
                continue
            register += _differences(mapped, operation, outcome, source)
        differences.put(ledger, connection, register)


def _is_refused(operation: Operation, outcome: Outcome) -> bool:
    if operation.kind not in _CARRYING or outcome.status is not Status.REJECTED:
        return False
    # Other codes are not about a value: where the right to write is missing, any is refused.
    return outcome.code in (*SHARED, *AGAINST_ITS_RULES)


def _differences(
    mapped: EntityMap, operation: Operation, outcome: Outcome, source: Source
) -> Iterator[Difference]:
    """What the register remembers of one refused operation."""
    other_key = outcome.key if outcome.key != operation.key else None
    reason = "another record has it" if outcome.code in SHARED else "it takes no such value"
    refused = _refused(mapped, operation, outcome)
    # Which of several the answer is about, it does not say: the next run sends each by itself.
    together = any({name for name, _ in refused} <= {*pair} for pair in mapped.joint)
    code = outcome.code if together or len(refused) == 1 else AMONG
    for (name, item), (sent, stored) in refused.items():
        digest = "" if name == WHOLE else field_digest(mapped.field(name))
        yield Difference(
            mapped.entity,
            operation.link_id,
            name,
            Why.REJECTED,
            operation.side,
            sent,
            stored,
            because=f"refused by {operation.side.label}: {reason}",
            field_digest=digest,
            run_id=source.run_id,
            at=source.at,
            item=item,
            code=code,
            other_key=other_key,
        )


def _refused(mapped: EntityMap, operation: Operation, outcome: Outcome) -> _Places:
    """What may have been refused: of a create all of it, of an update what the answer is about."""
    if operation.kind is OpKind.CREATE:
        return {(WHOLE, ""): (_sent(operation), None)}
    sent = operation.after
    if outcome.code in SHARED:
        sent = _shareable(mapped, sent)
    refused: _Places = {}
    for name, cell in sent.items():
        if mapped.field(name).by_item:
            for item, ends in elements(operation, name).items():
                refused[name, item] = ends
        else:
            refused[name, ""] = (cell, operation.before.get(name))
    return refused


def _shareable(mapped: EntityMap, sent: Cells) -> Cells:
    """What another record may have of this.

    It may be any of it where nothing is of a kind that names a record: a database has keys of which
    the pair file says nothing.
    """
    filled = {name: cell for name, cell in sent.items() if cell}
    naming = set(unique_fields(mapped))
    naming |= {field.name for field in mapped.fields if isinstance(field.codec, Email | Phone)}
    shareable = {name: cell for name, cell in filled.items() if name in naming}
    return shareable or filled


def _sent(operation: Operation) -> str:
    return line({name: cell for name, cell in operation.after.items() if cell is not None})


def _linked(
    ledger: Ledger, connection: Connection, entity: Entity, link_ids: list[str]
) -> set[str]:
    table = schema.link
    query = sa.select(table.c.link_id).where(
        ledger.owns(table),
        table.c.entity == entity.value,
        table.c.link_id.in_(link_ids),
    )
    return {str(link_id) for (link_id,) in connection.execute(query)}


def note_holders(stage: Stage, ledger: Ledger, connection: Connection) -> None:
    """Enter who was seen to have a refused value where the side named nobody.

    When that one has it no more, it is sent again.
    """
    table = schema.difference
    bound_as = ("seen_entity", "seen_link_id", "seen_field", "seen_other_key")
    rows = stage.rows(render("plan/refused_seen"))
    seen = [dict(zip(bound_as, row, strict=True)) for row in rows]
    if not seen:
        return
    update = sa.update(table).where(
        ledger.owns(table),
        table.c.entity == sa.bindparam("seen_entity"),
        table.c.link_id == sa.bindparam("seen_link_id"),
        table.c.field == sa.bindparam("seen_field"),
        table.c.kind == Why.REJECTED.value,
        table.c.other_key.is_(None),
    )
    connection.execute(update.values(other_key=sa.bindparam("seen_other_key")), seen)


# what the next run makes of it --------------------------------------------------------------------


def ask(stage: Stage, mapped: EntityMap) -> None:
    """Ask, in `judged_e` and `hold`, about values that would only be refused again."""
    entity = mapped.entity
    refused = f"difference_{entity}"
    if not stage.has(refused) or not stage.some(f"{refused} WHERE kind = 'rejected'"):
        return
    stage.fill("stuck", _STUCK, [stuck(stage, mapped)])
    stage.make(
        "plan/refused_now",
        entity=entity,
        unique_holders=holders(mapped),
        partly=_partly(stage, entity),
        shared=SHARED,
        among=AMONG,
        joint=mapped.joint,
    )
    stage.make("plan/refused_asked", entity=entity)
    stage.make("plan/refused", entity=entity)
    if stage.some(f"{refused} WHERE item <> '' AND code = {literal(AMONG)}"):
        stage.make("plan/refused_waiting", entity=entity, among=AMONG)


_STUCK = [(name, "VARCHAR") for name in ("link_id", "field", "target")]


def _partly(stage: Stage, entity: Entity) -> dict[str, bool]:
    """Of each side, whether this run may not see who has a value now."""
    snapshots = {side: stage.snapshots[entity, side] for side in Side}
    return {side.value: not snapshot.everybody for side, snapshot in snapshots.items()}


def ask_about_creates(stage: Stage, mapped: EntityMap) -> None:
    """Ask, in `operation`, `passed` and `hold`, about creates that would only be refused again."""
    entity = mapped.entity
    refused = f"difference_{entity}"
    if not stage.has(refused):
        return
    if stage.some("operation", refused) == {"operation", refused}:
        partly = _partly(stage, entity)
        stage.make(
            "plan/refused_create",
            entity=entity,
            unique_holders=holders(mapped),
            partly=partly,
            shared=SHARED,
        )
        stage.make("plan/refused_creates", entity=entity)
