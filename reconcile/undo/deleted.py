"""Brings back what a run deleted, from its archive."""

from __future__ import annotations

from collections.abc import Iterable

from reconcile.model import Cell, Cells, Entity, Operation, Outcome, Side, link_name
from reconcile.undo.compensation import Undo, created_again
from reconcile.undo.noes import noes_across
from reconcile.undo.present import Present, parent_now
from reconcile.values.mapping import EntityMap

Deleted = set[tuple[Entity, Side, str | None]]
"""Records by their keys on a side."""

GONE_ALREADY = "it was gone already"
"""What apply says of a delete that found nothing to delete: the run did not delete that record."""

_NEW_ID = (
    "contact {key} comes back with a new id: its conversations, appointments, opportunities and "
    "workflow enrolments, and what the pair file does not map, do not. GHL restores a deleted "
    "contact whole, with its id, for 60 days by hand: do that instead where it matters"
)
_NEW_KEY = (
    "{entity} {key} comes back in {where} with a new key; "
    "what the pair file does not map is not in the archive"
)


def bring_back(
    plan: Undo,
    operation: Operation,
    outcome: Outcome,
    present: Present,
    deleted: Deleted,
) -> None:
    """Create a deleted record again, with what hung on it, unless it or somebody like it is there.

    `deleted` is all that the run deleted, which comes back by its own operation.
    """
    entity, side, key = operation.entity, operation.side, operation.key or ""
    if outcome.detail.startswith(GONE_ALREADY):
        return
    parent = parent_now(operation, present)
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
            created_again(plan, operation, link_id, counterpart_key, cells, parent=parents)
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
    deleted: Deleted,
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
        create = created_again(
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
