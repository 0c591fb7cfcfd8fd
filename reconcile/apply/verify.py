"""Proves that a run did what it says: reads back by key, past any index that lags."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from reconcile.apply.apply import Desk
from reconcile.errors import ConnectorError
from reconcile.model import Entity, Operation, OpKind, Outcome, Status
from reconcile.patience import Patience, unread
from reconcile.values.mapping import TAGS


@dataclass(frozen=True, slots=True)
class Residual:
    """Something that a write should have changed and did not, with the reason if it is known."""

    op_id: str
    entity: Entity
    key: str | None
    fields: tuple[str, ...]
    because: str


def read_back(desk: Desk, entries: Iterable[tuple[Operation, Outcome]]) -> Iterator[Residual]:
    """Read every written record again; yield what is not as written, and what cannot be read."""
    patience = Patience()
    for operation, outcome in entries:
        # What made room for another record's value was written once more after that.
        if outcome.status is not Status.DONE or operation.makes_room:
            continue
        try:
            residual = _look(desk, operation, outcome)
        except ConnectorError as error:
            patience.spend(error)
            key = outcome.key or operation.key
            why = unread(operation.entity, key or "", error)
            residual = Residual(operation.op_id, operation.entity, key, (), why)
        else:
            patience.renew()
        if residual is not None:
            yield residual


def _look(desk: Desk, operation: Operation, outcome: Outcome) -> Residual | None:
    entity = operation.entity.record
    key = outcome.key or operation.key
    parent = desk.contact_of(operation)
    record = desk.connectors[operation.side].read(entity, key or "", parent)
    deleting = operation.kind in (OpKind.DELETE, OpKind.ARCHIVE)
    if record is None or record.deleted:
        if deleting:
            return None
        return Residual(operation.op_id, entity, key, (), "the record is gone again")
    if deleting:
        return Residual(operation.op_id, entity, key, (), "the record is still there")
    # It names only the tags that it adds or takes out, and the reply to the write was compared
    # with those (`_dropped` in apply.py).
    if TAGS in operation.after and operation.entity is Entity.TAG:
        return None
    current = desk.mapping[entity].decode(record, operation.side)
    differing = [name for name, cell in operation.after.items() if current.get(name) != cell]
    if not differing:
        return None
    reason = outcome.detail or "changed by somebody else since it was written"
    return Residual(operation.op_id, entity, key, tuple(sorted(differing)), reason)
