"""Tells of an operation from the journal alone, where no stage names its record."""

from __future__ import annotations

from typing import Any

from reconcile.model import Cell, Cells, Operation, OpKind, Outcome, Status
from reconcile.report.labels import shown
from reconcile.values.codecs import Labels, Name
from reconcile.values.mapping import TAGS, EntityMap, Mapping

_LONGEST = 80


def entry(
    mapping: Mapping, operation: Operation, outcome: Outcome | None, *, applied: bool
) -> dict[str, Any]:
    """One operation in the form that a report's changes have."""
    mapped = mapping[operation.entity.record]
    keys = {
        operation.side: (outcome and outcome.key) or operation.key,
        operation.side.other: operation.source_key,
    }
    members = {
        name: getattr(operation, name) for name in ("op_id", "because", "risk", "starts_workflows")
    }
    return {
        **members,
        "entity": operation.entity.value,
        "kind": operation.kind.value,
        "side": operation.side.value,
        "label": _label(mapped, operation),
        "under": None,
        "app_key": keys[operation.side if operation.side == "app" else operation.side.other],
        "ghl_key": keys[operation.side if operation.side == "ghl" else operation.side.other],
        "fields": _fields(mapped, operation),
        "status": _status(outcome) if applied else "planned",
        "code": outcome.code if outcome else "",
        "detail": outcome.detail if outcome else "",
        "trace_id": outcome.trace_id if outcome else None,
    }


def _status(outcome: Outcome | None) -> str:
    if outcome is None:
        return "skipped"
    if outcome.status is Status.DONE:
        return "value_dropped" if outcome.code == "VALUE_DROPPED" else "done"
    return "in_doubt" if outcome.status is Status.UNCERTAIN else outcome.status.value


def _label(mapped: EntityMap, operation: Operation) -> str:
    cells: Cells = {**operation.before, **operation.after}
    names = " ".join(
        cells.get(f.name) or "" for f in mapped.fields if isinstance(f.codec, Name)
    ).split()
    rest = (cells.get(f.name) for f in mapped.fields if not isinstance(f.codec, Name | Labels))
    label = (
        " ".join(names)
        or next((cell for cell in rest if cell), None)
        or operation.key
        or operation.source_key
    )
    return (label or operation.link_id)[:_LONGEST]


def _fields(mapped: EntityMap, operation: Operation) -> list[dict[str, Cell]]:
    before, after = operation.before, operation.after
    if operation.kind is OpKind.REMOVE_TAGS:
        before, after = after, {TAGS: None}
    known = {each.name: each for each in mapped.fields}
    return [
        {
            "field": n,
            "before": shown(known.get(n), before.get(n)),
            "after": shown(known.get(n), after.get(n)),
        }
        for n in [*known, *(name for name in {**before, **after} if name not in known)]
        if before.get(n) != after.get(n)
    ]
