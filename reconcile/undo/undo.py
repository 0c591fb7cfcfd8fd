"""Plans how to take a run back, from its journal, its archive, and what both sides hold now."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import assert_never

from reconcile.entities import SPECS
from reconcile.model import Entity, Operation, OpKind, Outcome, Side, Status, fingerprint
from reconcile.plan import phases
from reconcile.plan.plan import LEDGER_ONLY, Group
from reconcile.plan.unique_values import in_turn
from reconcile.undo import created, overwritten
from reconcile.undo.compensation import NOT_MAPPED, Undo
from reconcile.undo.deleted import Deleted, bring_back
from reconcile.undo.present import Present
from reconcile.values.jsonl import line
from reconcile.values.mapping import TAGS, Mapping

Journaled = tuple[Operation, Outcome]

_ORDER = {entity: at for at, entity in enumerate(SPECS)}

_ARCHIVED = "it was archived, not deleted: take the mark away by hand"
_STAYS = "it stays: it is there in the place of a contact that the run deleted"


def undo(run_id: str, entries: Iterable[Journaled], present: Present) -> Undo:
    """The compensating plan of a run. Raises ConnectorError where a side cannot be read.

    A field is restored only where the record still holds what the run wrote; a record that the
    run created is deleted only if nothing of it changed since and nothing else hangs on it; a
    deleted one is created again, with its tags, tasks and notes.
    """
    plan = Undo(run_id)
    done = _shortened(entry for entry in entries if entry[1].status is Status.DONE)
    deleted = {(o.entity, o.side, o.key) for o, _ in done if o.kind is OpKind.DELETE}
    # Tasks and notes before contacts: a contact goes only where everything that hangs on it goes
    # too.
    for operation, outcome in sorted(done, key=lambda entry: -_ORDER[entry[0].entity]):
        _take_back(plan, operation, outcome, present, deleted)
    remaining = [each for each in plan.operations if not _falls_away(plan, each)]
    plan.operations = _in_order(remaining)
    started = sum(operation.starts_workflows for operation, _ in done)
    if started:
        writes = f"{started} of the run's writes may have started GHL workflows"
        plan.lost.append(f"{writes}; what those did stays")
    return plan


def _in_order(operations: Sequence[Operation]) -> list[Operation]:
    """The operations with their ids, in the order in which they can be carried out."""
    turned = in_turn(operations)
    creates = [o for o in turned if o.kind is OpKind.CREATE and o.entity.children]
    back = {(create.link_id, create.side) for create in creates}
    return sorted((_numbered(operation, back) for operation in turned), key=_place)


def _shortened(done: Iterable[Journaled]) -> list[Journaled]:
    """Without detours: a value that was cleared for a moment goes from the old to the new one."""
    shortened: list[Journaled] = []
    cleared: dict[tuple[str, Side, tuple[str, ...]], Journaled] = {}
    for operation, outcome in done:
        what = (operation.link_id, operation.side, tuple(operation.after))
        if operation.makes_room:
            cleared[what] = (operation, outcome)
            continue
        detour = cleared.pop(what, None) if operation.turn else None
        before = detour[0].before if detour else operation.before
        shortened.append((dataclasses.replace(operation, before=before), outcome))
    return [*shortened, *cleared.values()]


def _take_back(
    plan: Undo,
    operation: Operation,
    outcome: Outcome,
    present: Present,
    deleted: Deleted,
) -> None:
    if operation.kind not in LEDGER_ONLY and not _mapped(operation.entity, present.mapping):
        plan.leave(operation, outcome.key or operation.key, NOT_MAPPED)
        return
    match operation.kind:
        case OpKind.UPDATE | OpKind.COMPLETE:
            overwritten.restore_fields(plan, operation, outcome, present)
        case OpKind.ADD_TAGS | OpKind.REMOVE_TAGS:
            overwritten.restore_tags(plan, operation, present)
        case OpKind.CREATE:
            created.remove(plan, operation, outcome, present)
        case OpKind.DELETE:
            bring_back(plan, operation, outcome, present, deleted)
        case OpKind.ARCHIVE:
            plan.leave(operation, operation.key, _ARCHIVED)
        case OpKind.ADOPT | OpKind.FORGET:
            return
        case _:
            assert_never(operation.kind)


def _mapped(entity: Entity, mapping: Mapping) -> bool:
    if entity.spec.set_of:
        return mapping[entity.record].has_tags
    return entity in mapping


def _falls_away(plan: Undo, operation: Operation) -> bool:
    """Whether an operation makes no sense, because a deleted contact does not come back.

    What it is about is left then.
    """
    if operation.kind is OpKind.CREATE and (operation.parent, operation.side) in plan.barred:
        plan.leave(operation, None, "its contact does not come back")
        return True
    if operation.kind is OpKind.DELETE and (operation.side, operation.key) in plan.in_place:
        plan.leave(operation, operation.key, _STAYS)
        return True
    return False


# the plan's order ---------------------------------------------------------------------------------


def _numbered(operation: Operation, back: set[tuple[str, Side]]) -> Operation:
    """The operation with its op_id.

    Under a contact that comes back itself, its key is known only then.
    """
    parent = None if (operation.parent, operation.side) in back else operation.parent_key
    texts = [line(dict(cells)) for cells in (operation.before, operation.after)]
    kind, entity, side = operation.kind.value, operation.entity.value, operation.side.value
    op_id = fingerprint("undo", kind, entity, side, operation.link_id, operation.key, *texts)
    return dataclasses.replace(operation, op_id=op_id, parent_key=parent)


def _place(operation: Operation) -> tuple[int, int, int, str, str, str]:
    return (
        phases.of(operation.kind, operation.entity),
        _ORDER[operation.entity],
        operation.turn,
        operation.side,
        operation.link_id,
        operation.kind,
    )


def groups(operations: Iterable[Operation]) -> tuple[Group, ...]:
    """Operations by entity, side and kind, in the order they come."""
    members: dict[tuple[Entity, Side, OpKind], list[Operation]] = {}
    for operation in operations:
        name = (operation.entity, operation.side, operation.kind)
        members.setdefault(name, []).append(operation)
    return tuple(_group(name, those) for name, those in members.items())


def _group(name: tuple[Entity, Side, OpKind], members: Sequence[Operation]) -> Group:
    deltas: list[int] = []
    if name[0] is Entity.TAG:
        deltas = sorted(Counter(operation.after.get(TAGS) for operation in members).values())
    return Group(
        *name,
        count=len(members),
        risky=sum(operation.risk == "high" for operation in members),
        starts_workflows=sum(operation.starts_workflows for operation in members),
        deltas=tuple(deltas),
    )
