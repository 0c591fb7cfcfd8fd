"""Reads what hangs on contacts that are about to be deleted, where the run had not read it.

An undo can bring back only what was kept.
"""

from __future__ import annotations

import logging

from flows.run import Run
from flows.steps import steps
from reconcile.entities import OWNER
from reconcile.errors import ConnectorError
from reconcile.model import Entity, OpKind, Side
from reconcile.ports import Scope

log = logging.getLogger("flows.steps.dependants")


def keep(run: Run) -> int:
    """Bring the tasks and notes of contacts that the plan deletes into the archive.

    Returns how many contacts were looked at.

    Deleting a GHL contact takes its tasks and notes with it for good, and a notes budget may have
    left them unread. What cannot be read is logged, and does not stop the run: its limits have
    passed the deletion.
    """
    doomed: dict[Side, list[str]] = {side: [] for side in Side}
    for operation in steps.operations(run):
        if operation.kind is OpKind.DELETE and operation.entity is OWNER and operation.key:
            doomed[operation.side].append(operation.key)
    looked_at = 0
    for side, keys in doomed.items():
        if not keys:
            continue
        for entity in OWNER.children:
            if entity in run.mapping:
                looked_at += _keep(run, entity, side, keys)
    return looked_at


def _keep(run: Run, entity: Entity, side: Side, contacts: list[str]) -> int:
    snapshot = run.stage.snapshots[entity, side]
    if snapshot.complete and not snapshot.partial:  # then the archive has them all
        return 0
    covered = {str(key) for (key,) in run.stage.rows(f"SELECT key FROM cover_{entity}_{side}")}
    unread = tuple(sorted(set(contacts) - covered))
    if not unread:
        return 0
    try:
        pages = run.connectors[side].extract(entity, Scope(parents=unread))
        spooled = run.stage.spool(entity, side, pages, taken_at=run.clock())
        shape = run.connectors[side].shape(entity)
        # Beside the snapshot, not into it: the plan was made of that, and stays explained by it.
        run.stage.load_beside(run.mapping[entity], side, shape, spooled)
    except ConnectorError as error:
        log.warning(
            "not kept before a deletion",
            extra={"entity": entity, "side": side, "error": error.code},
        )
        return 0
    if not spooled.proof.complete:
        log.warning("not all kept before a deletion", extra={"entity": entity, "side": side})
    return len(spooled.covered)
