"""Puts back what a run overwrote: the values of a record, and its tags."""

from __future__ import annotations

import json

from reconcile.model import Cell, Cells, Operation, OpKind, Outcome
from reconcile.undo.compensation import NOT_MAPPED, Undo, inverse
from reconcile.undo.present import Present, parent_now
from reconcile.values import consent
from reconcile.values.jsonl import line
from reconcile.values.mapping import TAGS, EntityMap

_OPPOSITE = {OpKind.ADD_TAGS: OpKind.REMOVE_TAGS, OpKind.REMOVE_TAGS: OpKind.ADD_TAGS}

_GONE = "it is gone since"
_STAYS_NO = "a no that the run passed on stays: an undo opts nobody in"


def restore_fields(plan: Undo, operation: Operation, outcome: Outcome, present: Present) -> None:
    """Put back each value that the record still holds as the run wrote it."""
    parent = parent_now(operation, present)
    record = present.read(operation.side, operation.entity, operation.key or "", parent)
    if record is None or record.deleted:
        plan.leave(operation, operation.key, _GONE)
        return
    mapped = present.mapping[operation.entity]
    current = mapped.decode(record, operation.side)
    written = _written(operation, outcome)
    if unmapped := sorted(written.keys() - current.keys()):
        plan.leave(operation, operation.key, f"{NOT_MAPPED}: {', '.join(unmapped)}")
    loose = consent.loosened_back(operation, current, mapped.consents)
    if loose:
        plan.leave(operation, operation.key, f"{_STAYS_NO}: {', '.join(loose)}")
    known = {name: cell for name, cell in written.items() if name in current and name not in loose}
    changed = _changed_since(mapped, operation, known, current)
    back: dict[str, Cell] = {}
    for name in known:
        if name in changed:
            continue
        before = operation.before.get(name)
        if current[name] != before:
            back[name] = before
    if changed:
        names = ", ".join(sorted(changed))
        plan.leave(operation, operation.key, f"changed since by somebody else: {names}")
    if back:
        concerned = back.keys() | {
            name for pair in mapped.joint if back.keys() & pair for name in pair
        }
        before_undo = {name: current[name] for name in current if name in concerned}
        kind = operation.kind
        plan.operations.append(
            inverse(plan, operation, kind, parent, record, before=before_undo, after=back)
        )


def _changed_since(
    mapped: EntityMap, operation: Operation, written: Cells, current: Cells
) -> set[str]:
    """The fields that somebody else changed since, with what says something only together with one.

    GHL would choose a deal's stage where its pipeline alone went back.
    """
    changed = set()
    for name, cell in written.items():
        # What it wrote, or what was there before: nobody else touched the field since.
        if current[name] not in (cell, operation.before.get(name)):
            changed.add(name)
    for pair in mapped.joint:
        # What the run left alone beside the other stands in what it expected to find.
        beside = {name for name in pair if name in operation.before and name not in written}
        moved = any(current.get(name) != operation.before[name] for name in beside)
        if moved or not changed.isdisjoint(pair):
            changed |= written.keys() & set(pair)
    return changed


def _written(operation: Operation, outcome: Outcome) -> Cells:
    """What the operation wrote: what the side replied, else what was sent."""
    reply = outcome.after or {}
    return {name: reply.get(name, cell) for name, cell in operation.after.items()}


def restore_tags(plan: Undo, operation: Operation, present: Present) -> None:
    """Take back the tags that the run added and are there, or removed and are not."""
    record = present.read(operation.side, operation.entity.record, operation.key or "", None)
    if record is None or record.deleted:
        plan.leave(operation, operation.key, _GONE)
        return
    field = present.mapping[operation.entity.record].field(TAGS)
    current = set(json.loads(field.decode(record.fields, operation.side) or "[]"))
    tags = set(json.loads(operation.after[TAGS] or "[]"))
    adding = operation.kind is OpKind.ADD_TAGS
    due = tags & current if adding else tags - current
    if due:
        kind, after = _OPPOSITE[operation.kind], {TAGS: line(sorted(due))}
        plan.operations.append(inverse(plan, operation, kind, None, record, before={}, after=after))
