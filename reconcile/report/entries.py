"""Tells of an operation from the journal alone, where no stage names its record."""

from __future__ import annotations

from typing import Any

from reconcile.model import Cell, Cells, Operation, OpKind, Outcome, Side, Status
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
    reply = {"code": "", "detail": "", "trace_id": None}
    if outcome:
        reply = {"code": outcome.code, "detail": outcome.detail, "trace_id": outcome.trace_id}
    return {
        "op_id": operation.op_id,
        "because": operation.because,
        "risk": operation.risk,
        "starts_workflows": operation.starts_workflows,
        "entity": operation.entity.value,
        "kind": operation.kind.value,
        "side": operation.side.value,
        "label": _label(mapped, operation),
        "under": None,
        "app_key": keys[Side.APP],
        "ghl_key": keys[Side.GHL],
        "fields": _fields(mapped, operation),
        "status": _status(outcome) if applied else "planned",
        **reply,
    }


def _status(outcome: Outcome | None) -> str:
    if outcome is None:
        return "skipped"
    if outcome.status is Status.DONE:
        return "value_dropped" if outcome.code == "VALUE_DROPPED" else "done"
    if outcome.status is Status.UNCERTAIN:
        return "in_doubt"
    return outcome.status.value


def _label(mapped: EntityMap, operation: Operation) -> str:
    """What a record is called: by its name, else by its first value, else by its key."""
    cells: Cells = {**operation.before, **operation.after}
    names = [cells.get(each.name) for each in mapped.fields if isinstance(each.codec, Name)]
    called = " ".join(filter(None, names))
    others = [each for each in mapped.fields if not isinstance(each.codec, Name | Labels)]
    values = (cells.get(each.name) for each in others)
    candidates = (
        " ".join(called.split()),
        *values,
        operation.key,
        operation.source_key,
        operation.link_id,
    )
    label = next((text for text in candidates if text), "")
    return label[:_LONGEST]


def _fields(mapped: EntityMap, operation: Operation) -> list[dict[str, Cell]]:
    before, after = operation.before, operation.after
    if operation.kind is OpKind.REMOVE_TAGS:
        before, after = after, {TAGS: None}
    if after:
        # What only has to stand as it was, is no part of the change.
        before = {name: cell for name, cell in before.items() if name in after}
    known = {each.name: each for each in mapped.fields}
    # Those of the pair file in its order, then those that it does not map any more.
    names = dict.fromkeys([*known, *before, *after])
    changed = [name for name in names if before.get(name) != after.get(name)]
    parts = []
    for name in changed:
        field = known.get(name)
        was, becomes = shown(field, before.get(name)), shown(field, after.get(name))
        parts.append({"field": name, "before": was, "after": becomes})
    return parts
