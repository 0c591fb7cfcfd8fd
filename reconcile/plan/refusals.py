"""Remembers values that a side refused, as another record has them, and asks about both records."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from reconcile.baseline import differences
from reconcile.baseline.differences import Difference, Source, Why, field_digest
from reconcile.ledger import schema
from reconcile.ledger.journal import Journal
from reconcile.ledger.ledger import Ledger
from reconcile.model import Entity, Operation, OpKind, Outcome, Side, Status
from reconcile.plan.unique_values import holders, unique_fields
from reconcile.stage.stage import Stage
from reconcile.values.jsonl import line
from reconcile.values.mapping import EntityMap
from reconcile.values.mapping import Mapping as PairMapping

WHOLE = "*"
"""The field under which a create that was refused stands in the register."""

_CODES = ("DUPLICATE", "EXISTS")


def remember(
    ledger: Ledger, connection: Connection, journal: Journal, mapping: PairMapping, source: Source
) -> None:
    """Enter what sides refused in this run into the register, once its operations are settled."""
    mapped = mapping[Entity.CONTACT]
    refused = [entry for entry in journal.entries() if _is_refused(*entry)]
    creates = [operation.link_id for operation, _ in refused if operation.kind is OpKind.CREATE]
    linked = _linked(ledger, connection, creates)
    register: list[Difference] = []
    for operation, outcome in refused:
        # A create that ended in a link all the same was no refusal.
        if operation.kind is OpKind.CREATE and operation.link_id in linked:
            continue
        register += _differences(mapped, operation, outcome, source)
    differences.put(ledger, connection, register)


def _differences(
    mapped: EntityMap, operation: Operation, outcome: Outcome, source: Source
) -> Iterator[Difference]:
    """What the register remembers of one refused operation."""
    other_key = outcome.key if outcome.key != operation.key else None
    for field, sent, digest in _values(mapped, operation):
        yield Difference(
            Entity.CONTACT,
            operation.link_id,
            field,
            Why.REJECTED,
            operation.side,
            sent,
            operation.before.get(field),
            because=f"refused by {operation.side.label}: another record has it",
            field_digest=digest,
            run_id=source.run_id,
            at=source.at,
            code=outcome.code,
            other_key=other_key,
        )


_WRITES = (OpKind.CREATE, OpKind.UPDATE)


def _is_refused(operation: Operation, outcome: Outcome) -> bool:
    contact = operation.entity is Entity.CONTACT and operation.kind in _WRITES
    return contact and outcome.status is Status.REJECTED and outcome.code in _CODES


def _values(mapped: EntityMap, operation: Operation) -> Iterator[tuple[str, str, str]]:
    """(field, what was sent, the field's mapping) of what may have been refused."""
    if operation.kind is OpKind.CREATE:
        yield WHOLE, _sent(operation), ""
        return
    for name, cell in operation.after.items():
        if cell is not None and name in unique_fields(mapped):
            yield name, cell, field_digest(mapped.field(name))


def _sent(operation: Operation) -> str:
    return line({name: cell for name, cell in operation.after.items() if cell is not None})


def _linked(ledger: Ledger, connection: Connection, link_ids: list[str]) -> set[str]:
    table = schema.link
    query = sa.select(table.c.link_id).where(
        table.c.pair == ledger.pair,
        table.c.entity == Entity.CONTACT.value,
        table.c.link_id.in_(link_ids),
    )
    return {str(link_id) for (link_id,) in connection.execute(query)}


# what the next run makes of it --------------------------------------------------------------------


def ask(stage: Stage, mapped: EntityMap) -> None:
    """Ask, in `judged_e` and `hold`, about values that would only be refused again."""
    entity = mapped.entity
    refused = f"difference_{entity}"
    if not unique_fields(mapped) or not stage.has(refused) or not stage.some(refused):
        return
    stage.make(
        "plan/refused_now",
        entity=entity,
        unique_holders=holders(mapped),
        partly=_partly(stage, entity),
    )
    stage.make("plan/refused_asked", entity=entity)
    stage.make("plan/refused", entity=entity)


def _partly(stage: Stage, entity: Entity) -> dict[str, bool]:
    """Of each side, whether this run may not see who has a value now."""
    snapshots = {side: stage.snapshots[entity, side] for side in Side}
    return {
        side.value: snapshot.partial or not snapshot.complete
        for side, snapshot in snapshots.items()
    }


def ask_about_creates(stage: Stage, mapped: EntityMap) -> None:
    """Ask, in `operation`, `passed` and `hold`, about creates that would only be refused again.

    Another record has the email or phone of each.
    """
    entity = mapped.entity
    refused = f"difference_{entity}"
    if entity is not Entity.CONTACT or not stage.has(refused):
        return
    if stage.some("operation", refused) == {"operation", refused}:
        stage.make("plan/refused_create", entity=entity, partly=_partly(stage, entity))
        stage.make("plan/refused_creates", entity=entity)
