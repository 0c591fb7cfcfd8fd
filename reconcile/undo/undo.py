"""Plans how to take a run back, from its journal, its archive, and what both sides hold now."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from reconcile.entities import SPECS
from reconcile.model import (
    Cell,
    Cells,
    Entity,
    Operation,
    OpKind,
    Outcome,
    Side,
    Status,
    fingerprint,
    link_name,
)
from reconcile.plan import phases
from reconcile.plan.dependants import Hanging
from reconcile.plan.plan import LEDGER_ONLY, Group
from reconcile.plan.unique_values import in_turn
from reconcile.ports import Record
from reconcile.stage.archive import Buried
from reconcile.undo.noes import noes_across
from reconcile.values import consent
from reconcile.values.jsonl import line
from reconcile.values.mapping import TAGS, EntityMap, Mapping

Journaled = tuple[Operation, Outcome]

_ORDER = {entity: at for at, entity in enumerate(SPECS)}
_OPPOSITE = {OpKind.ADD_TAGS: OpKind.REMOVE_TAGS, OpKind.REMOVE_TAGS: OpKind.ADD_TAGS}

GONE_ALREADY = "it was gone already"
"""What apply says of a delete that found nothing to delete: the run did not delete that record."""

NEVER_READ = "were never read, so they are not archived"
NOT_MAPPED = "no longer in the pair file"

_ARCHIVED = "it was archived, not deleted: take the mark away by hand"
_STAYS = "it stays: it is there in the place of a contact that the run deleted"

_STAYS_NO = "a no that the run passed on stays: an undo opts nobody in"

_NEW_ID = (
    "contact {key} comes back with a new id: its conversations, appointments, opportunities and "
    "workflow enrolments, and what the pair file does not map, do not. GHL restores a deleted "
    "contact whole, with its id, for 60 days by hand: do that instead where it matters"
)
_NEW_KEY = (
    "{entity} {key} comes back in {where} with a new key; "
    "what the pair file does not map is not in the archive"
)


@dataclass(frozen=True, slots=True)
class Left:
    """Something that the run did and that is not taken back, with the reason."""

    entity: Entity
    side: Side
    key: str | None
    because: str


@dataclass(frozen=True, slots=True)
class Present:
    """How to learn what is so now. All of it only looks.

    `read`: a record by side, entity, key and its contact's key. `children`: what hangs on a
    contact. `key_of`: a linked record's key by entity, link_id and side. `link_of`: the link_id of
    a key that is linked. `buried`: what the archive holds of a deleted contact's tasks or notes, or
    why it holds none. `twin`: who else has the identity of these cells: by which fields, and that
    key.
    """

    mapping: Mapping
    read: Callable[[Side, Entity, str, str | None], Record | None]
    children: Callable[[Side, str], Hanging]
    key_of: Callable[[Entity, str, Side], str | None]
    link_of: Callable[[Entity, Side, str], str | None]
    buried: Callable[[Side, Entity, str], Sequence[Buried] | str]
    twin: Callable[[Entity, Side, Cells], tuple[str, str] | None]


@dataclass(slots=True)
class Undo:
    """What taking a run back comes to: operations in order, what stays, and what is lost.

    `barred` are deleted contacts that do not come back, by link_id and side; `in_place` is who is
    there instead.
    """

    run_id: str
    operations: list[Operation] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    barred: set[tuple[str | None, Side]] = field(default_factory=set)
    in_place: set[tuple[Side, str | None]] = field(default_factory=set)

    def leave(self, operation: Operation, key: str | None, because: str) -> None:
        """Note that what an operation did stays."""
        self.left.append(Left(operation.entity, operation.side, key, because))


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
    deleted: set[tuple[Entity, Side, str | None]],
) -> None:
    if operation.kind not in LEDGER_ONLY and not _mapped(operation.entity, present.mapping):
        plan.leave(operation, outcome.key or operation.key, NOT_MAPPED)
        return
    match operation.kind:
        case OpKind.UPDATE | OpKind.COMPLETE:
            _restore_fields(plan, operation, outcome, present)
        case OpKind.ADD_TAGS | OpKind.REMOVE_TAGS:
            _restore_tags(plan, operation, present)
        case OpKind.CREATE:
            _remove(plan, operation, outcome, present)
        case OpKind.DELETE:
            _bring_back(plan, operation, outcome, present, deleted)
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


# overwritten fields -------------------------------------------------------------------------------


def _restore_fields(plan: Undo, operation: Operation, outcome: Outcome, present: Present) -> None:
    parent = _parent(operation, present)
    record = present.read(operation.side, operation.entity, operation.key or "", parent)
    if record is None or record.deleted:
        plan.leave(operation, operation.key, "it is gone since")
        return
    current = present.mapping[operation.entity].decode(record, operation.side)
    written = _written(operation, outcome)
    if unmapped := sorted(written.keys() - current.keys()):
        plan.leave(operation, operation.key, f"{NOT_MAPPED}: {', '.join(unmapped)}")
    loose = consent.loosened_back(operation, current, present.mapping[operation.entity].consents)
    if loose:
        plan.leave(operation, operation.key, f"{_STAYS_NO}: {', '.join(loose)}")
    changed = []
    back: dict[str, Cell] = {}
    for name, cell in written.items():
        if name not in current or name in loose:
            continue
        before = operation.before.get(name)
        # What it wrote, or what was there before: nobody else touched the field since.
        if current[name] not in (cell, before):
            changed.append(name)
        elif current[name] != before:
            back[name] = before
    if changed:
        names = ", ".join(sorted(changed))
        plan.leave(operation, operation.key, f"changed since by somebody else: {names}")
    if back:
        before_undo = {name: current[name] for name in back}
        inverse = _inverse(
            plan, operation, operation.kind, parent, record, before=before_undo, after=back
        )
        plan.operations.append(inverse)


def _written(operation: Operation, outcome: Outcome) -> Cells:
    """What the operation wrote: what the side replied, else what was sent."""
    reply = outcome.after or {}
    return {name: reply.get(name, cell) for name, cell in operation.after.items()}


def _restore_tags(plan: Undo, operation: Operation, present: Present) -> None:
    record = present.read(operation.side, operation.entity.record, operation.key or "", None)
    if record is None or record.deleted:
        plan.leave(operation, operation.key, "it is gone since")
        return
    field = present.mapping[operation.entity.record].field(TAGS)
    current = set(json.loads(field.decode(record.fields, operation.side) or "[]"))
    tags = set(json.loads(operation.after[TAGS] or "[]"))
    adding = operation.kind is OpKind.ADD_TAGS
    due = tags & current if adding else tags - current
    if due:
        kind, after = _OPPOSITE[operation.kind], {TAGS: line(sorted(due))}
        plan.operations.append(
            _inverse(plan, operation, kind, None, record, before={}, after=after)
        )


# created records ----------------------------------------------------------------------------------


def _remove(plan: Undo, operation: Operation, outcome: Outcome, present: Present) -> None:
    key, parent = outcome.key or "", _parent(operation, present)
    record = present.read(operation.side, operation.entity, key, parent)
    if record is None or record.deleted:
        plan.leave(operation, key, "it is gone already")
        return
    current = present.mapping[operation.entity].decode(record, operation.side)
    written = operation.after if outcome.after is None else outcome.after
    shown = [name for name in written if name in current]
    changed = sorted(name for name in shown if current[name] != written[name])
    if changed:
        plan.leave(operation, key, f"it stays, because it changed since: {', '.join(changed)}")
        return
    if operation.entity.children:
        deletes = [o for o in plan.operations if o.kind is OpKind.DELETE]
        going = {(o.entity, o.key) for o in deletes if o.side is operation.side}
        if why := present.children(operation.side, key).staying(going):
            plan.leave(operation, key, f"it stays, because {why}")
            return
    plan.operations.append(
        _inverse(plan, operation, OpKind.DELETE, parent, record, before=current, after={}, key=key)
    )


# deleted records ----------------------------------------------------------------------------------


def _bring_back(
    plan: Undo,
    operation: Operation,
    outcome: Outcome,
    present: Present,
    deleted: set[tuple[Entity, Side, str | None]],
) -> None:
    entity, side, key = operation.entity, operation.side, operation.key or ""
    if outcome.detail.startswith(GONE_ALREADY):
        return
    parent = _parent(operation, present)
    cells = _writable(present.mapping[entity], operation.before, side)
    cells |= noes_across(operation, cells, present.mapping[entity], present.read)
    keys = (key, present.key_of(entity, operation.link_id, side))
    there = _there(present, entity, side, keys, parent)
    if there is not None:
        under = "" if there == key else f", as {there}"
        plan.leave(operation, key, f"it is there again{under}")
    elif _another(present, entity, side.other, operation.source_key, operation.link_id):
        counterpart = f"its counterpart {operation.source_key}"
        plan.leave(operation, key, f"{counterpart} is linked to another record since")
        plan.barred.add((operation.link_id, side))
        return
    elif not entity.parent and (twin := present.twin(entity, side, cells)):
        plan.leave(operation, key, there_again(*twin))
        plan.barred.add((operation.link_id, side))
        plan.in_place.add((side, twin[1]))
        return
    else:
        link_id, counterpart_key = operation.link_id, operation.source_key
        parents = (operation.parent, parent)
        plan.operations.append(
            _create(plan, operation, link_id, counterpart_key, cells, parent=parents)
        )
        loss = _NEW_ID if entity.spec.person and side is Side.GHL else _NEW_KEY
        plan.lost.append(loss.format(entity=entity, key=key, where=side.label))
    for child in entity.children:
        if child in present.mapping:
            _bring_back_children(plan, operation, child, present, deleted, there=there)


def there_again(fields: str, key: str) -> str:
    """Why a deleted contact does not come back, though its key is gone."""
    return f"somebody with the same {fields} is there again, as {key}"


def _there(
    present: Present, entity: Entity, side: Side, keys: Iterable[str | None], parent: str | None
) -> str | None:
    """Which of the keys a record is there under.

    A task or note whose contact is gone is gone with it.
    """
    if entity.parent and not parent:
        return None
    for key in dict.fromkeys(keys):
        record = present.read(side, entity, key, parent) if key else None
        if record is not None and not record.deleted:
            return key
    return None


def _bring_back_children(
    plan: Undo,
    contact: Operation,
    entity: Entity,
    present: Present,
    deleted: set[tuple[Entity, Side, str | None]],
    *,
    there: str | None,
) -> None:
    """The tasks or notes that went with their contact, from the archive.

    `there` is its key where it is back already.
    """
    if there == contact.key:
        return
    side = contact.side
    buried = present.buried(side, entity, contact.key or "")
    if isinstance(buried, str):
        plan.lost.append(f"the {entity.plural} of contact {contact.key} in {side.label} {buried}")
        return
    for one in buried:
        link_id = one.link_id or link_name(entity, side, one.key)
        if (entity, side, one.key) in deleted:
            continue
        if _another(present, entity, side.other, one.other_key, link_id):
            continue
        if there and (one.link_id is None or _back(present, entity, side, link_id, there)):
            continue
        cells = _writable(present.mapping[entity], one.cells, side)
        parents = (contact.link_id, there)
        create = _create(
            plan, contact, link_id, one.other_key, cells, parent=parents, entity=entity
        )
        plan.operations.append(create)


def _back(present: Present, entity: Entity, side: Side, link_id: str, contact: str) -> bool:
    return (
        _there(present, entity, side, (present.key_of(entity, link_id, side),), contact) is not None
    )


def _another(present: Present, entity: Entity, side: Side, key: str | None, link_id: str) -> bool:
    """Whether the counterpart is linked to something else by now."""
    return key is not None and present.link_of(entity, side, key) not in (None, link_id)


def _writable(mapped: EntityMap, cells: Cells, side: Side) -> dict[str, Cell]:
    """The cells that a create on `side` can carry."""
    names = {each.name for each in mapped.fields if each.native(side)}
    return {name: cell for name, cell in cells.items() if cell is not None and name in names}


# operations ---------------------------------------------------------------------------------------


def _parent(operation: Operation, present: Present) -> str | None:
    """The key of the contact that a task or note hangs on now."""
    kind = operation.entity.parent
    if operation.parent is None or kind is None:
        return operation.parent_key
    return present.key_of(kind, operation.parent, operation.side) or operation.parent_key


def _inverse(
    plan: Undo,
    operation: Operation,
    kind: OpKind,
    parent: str | None,
    record: Record,
    *,
    before: Cells,
    after: Cells,
    key: str | None = None,
) -> Operation:
    return dataclasses.replace(
        operation,
        op_id="",
        kind=kind,
        because=_because(plan, operation),
        key=key or operation.key,
        parent_key=parent,
        source={},
        grounds={},
        before=before,
        after=after,
        guard=record.version,
        risk="high",
        starts_workflows=operation.side is Side.GHL and kind is not OpKind.DELETE,
    )


def _create(
    plan: Undo,
    operation: Operation,
    link_id: str,
    other: str | None,
    cells: Cells,
    *,
    parent: tuple[str | None, str | None],
    entity: Entity | None = None,
) -> Operation:
    return Operation(
        "",
        OpKind.CREATE,
        entity or operation.entity,
        operation.side,
        link_id,
        _because(plan, operation),
        source_key=other,
        parent=parent[0],
        parent_key=parent[1],
        after=cells,
        risk="high",
        starts_workflows=operation.side is Side.GHL,
    )


def _because(plan: Undo, operation: Operation) -> str:
    did = operation.kind.value.replace("_", " ")
    return f"takes back the {did} of run {plan.run_id} ({operation.because})"


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
