"""Carries out the first few writes of a plan, and waits to see what GHL makes of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from flows.run import Run
from reconcile.apply.canary import Stirred, changes
from reconcile.errors import ConnectorError, Stopped
from reconcile.model import Operation, Status
from reconcile.ports import Json, ShowsWhole

NOT_WANTED = "the first few writes were looked at, and the rest was not wanted"


@dataclass(frozen=True, slots=True)
class Watched:
    """A record of the first few: the operation that wrote it, its key, and how it was right after."""

    operation: Operation
    key: str
    parent: str | None
    then: Mapping[str, Json]


def watch(run: Run, few: Sequence[Operation]) -> list[Stirred]:
    """Look at what the first few writes made, wait, and look again.

    A record that cannot be read is left out; so is one of a side that does not show its records
    whole. A run that has to end meanwhile ends as any other.
    """
    watched = list(_written(run, few))
    canary = run.options.canary
    if not watched or canary is None:
        return []
    try:
        run.ending.rest(canary.seconds, "what GHL makes of the first writes")
    except Stopped as stopped:
        run.course.stopped = run.course.stopped or str(stopped)
        return []
    return list(_stirred(run, watched))


def _written(run: Run, few: Sequence[Operation]) -> Iterator[Watched]:
    done = {
        operation.op_id: outcome
        for operation, outcome in run.journal.entries()
        if outcome.status is Status.DONE
    }
    for operation in few:
        outcome = done.get(operation.op_id)
        key = (outcome.key or operation.key) if outcome else None
        if key is None:
            continue
        parent = operation.parent_key
        if operation.parent and parent is None:
            parent = run.desk.created.key_of(operation.parent, operation.side)
        whole = _whole(run, operation, key, parent)
        if whole is not None:
            yield Watched(operation, key, parent, whole)


def _stirred(run: Run, watched: Sequence[Watched]) -> Iterator[Stirred]:
    seen: set[tuple[str, str]] = set()
    for each in watched:
        operation = each.operation
        record = operation.entity.record
        if (record, each.key) in seen:
            continue
        seen.add((record, each.key))
        now = _whole(run, operation, each.key, each.parent)
        if now is None:
            continue
        differing = changes(each.then, now)
        if differing:
            yield Stirred(record, operation.side, each.key, differing)


def _whole(
    run: Run, operation: Operation, key: str, parent: str | None
) -> Mapping[str, Json] | None:
    side = run.connectors[operation.side]
    if not isinstance(side, ShowsWhole):
        return None
    try:
        return side.whole(operation.entity.record, key, parent)
    except ConnectorError:
        return None
