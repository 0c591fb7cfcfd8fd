"""What an undo asks of both sides, the ledger and the archives before it plans."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reconcile.model import Cells, Entity, Operation, Side
from reconcile.plan.dependants import Hanging
from reconcile.ports import Record
from reconcile.stage.archive import Buried
from reconcile.values.mapping import Mapping

NEVER_READ = "were never read, so they are not archived"
"""Why the archive holds no tasks or notes of a deleted contact."""


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


def parent_now(operation: Operation, present: Present) -> str | None:
    """The key of the contact that a task or note hangs on now."""
    kind = operation.entity.parent
    if operation.parent is None or kind is None:
        return operation.parent_key
    return present.key_of(kind, operation.parent, operation.side) or operation.parent_key
