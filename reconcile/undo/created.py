"""Removes what a run created."""

from __future__ import annotations

from reconcile.model import Operation, OpKind, Outcome
from reconcile.undo.compensation import Undo, inverse
from reconcile.undo.present import Present, parent_now


def remove(plan: Undo, operation: Operation, outcome: Outcome, present: Present) -> None:
    """Delete what the run created, if nothing of it changed since and nothing else hangs on it."""
    key, parent = outcome.key or "", parent_now(operation, present)
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
        inverse(plan, operation, OpKind.DELETE, parent, record, before=current, after={}, key=key)
    )
