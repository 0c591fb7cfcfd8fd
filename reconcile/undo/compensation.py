"""What an undo consists of: operations that take others back, and what stays as the run left it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

from reconcile.model import Cells, Entity, Operation, OpKind, Side
from reconcile.ports import Record

NOT_MAPPED = "no longer in the pair file"
"""Why something stays that the pair file maps no more."""


@dataclass(frozen=True, slots=True)
class Left:
    """Something that the run did and that is not taken back, with the reason."""

    entity: Entity
    side: Side
    key: str | None
    because: str


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


def inverse(
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
    """What takes an operation back, on the record as it was read just now."""
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


def created_again(
    plan: Undo,
    operation: Operation,
    link_id: str,
    other: str | None,
    cells: Cells,
    *,
    parent: tuple[str | None, str | None],
    entity: Entity | None = None,
) -> Operation:
    """The create of a record that is gone; `parent` is the link and the key of what it hangs on."""
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
