"""The report of a run that takes another one back: what was restored, what stays as it is, and what nothing brings back."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as Map
from typing import Any

from reconcile.codecs import Labels, Name
from reconcile.mapping import TAGS, EntityMap, Mapping
from reconcile.model import Cell, Cells, Operation, OpKind, Outcome, Status
from reconcile.report import figures
from reconcile.report.about import About
from reconcile.report.changes import failures
from reconcile.report.document import document
from reconcile.report.labels import record_entity, shown
from reconcile.report.statement import Statement
from reconcile.report.verdict import many, verdict
from reconcile.stage import Stage

_LONGEST = 80


def undone_document(
    stage: Stage,
    mapping: Mapping,
    about: About,
    entries: Iterable[tuple[Operation, Outcome | None]],
    undo: Map[str, Any],
    *,
    labels: Map[tuple[str, str, str | None], str],
) -> dict[str, Any]:
    """The report in its usual form, with `undo` beside it: `of` (the run), `left` and `lost`.

    `labels` are the names that the other run's report gave its records, by entity, side and key.

    The statement is empty: an undo looks at what the other run touched and at nothing else.
    """
    changes = [_change(mapping, operation, outcome, applied=about.wrote) for operation, outcome in entries]
    for entry in changes:
        entry["label"] = labels.get((entry["entity"], entry["side"], entry[f"{entry['side']}_key"]), entry["label"])
    whole = document(stage, mapping, about)
    whole |= {
        "changes": changes,
        "failures": failures(changes),
        "entities": figures.entities(mapping, about, Statement((), applied=about.wrote), changes, []),
        "undo": dict(undo),
    }
    whole["verdict"] = _verdict(whole)
    return whole


def _verdict(whole: dict[str, Any]) -> dict[str, Any]:
    said = verdict(whole)
    of, left = whole["undo"]["of"], len(whole["undo"]["left"])
    count = len(whole["changes"])
    if whole["state"] in ("settled", "planned"):
        done = sum(entry["status"] == "done" for entry in whole["changes"])
        would = f"Run {of} can be taken back: {many(count, 'write')}, nothing written yet"
        if not count:
            would = f"Nothing of run {of} is left to take back"
        said["headline"] = (
            would if whole["state"] == "planned" or not count else f"Run {of} taken back: {many(done, 'write')}"
        )
        said["code"] = "undone" if whole["state"] == "settled" else "planned"
    said["sentences"] = [sentence for sentence in said["sentences"] if not sentence.startswith("All ")]
    if left:
        said["sentences"].append(f"{many(left, 'thing')} that the run did {'stays' if left == 1 else 'stay'} as it is.")
    return said


def _change(mapping: Mapping, operation: Operation, outcome: Outcome | None, *, applied: bool) -> dict[str, Any]:
    mapped = mapping[record_entity(operation.entity)]
    keys = {operation.side: (outcome and outcome.key) or operation.key, operation.side.other: operation.source_key}
    members = {name: getattr(operation, name) for name in ("op_id", "because", "risk", "starts_workflows")}
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
    names = " ".join(cells.get(f.name) or "" for f in mapped.fields if isinstance(f.codec, Name)).split()
    rest = (cells.get(f.name) for f in mapped.fields if not isinstance(f.codec, Name | Labels))
    told = " ".join(names) or next((cell for cell in rest if cell), None) or operation.key or operation.source_key
    return (told or operation.link_id)[:_LONGEST]


def _fields(mapped: EntityMap, operation: Operation) -> list[dict[str, Cell]]:
    before, after = operation.before, operation.after
    if operation.kind is OpKind.REMOVE_TAGS:
        before, after = after, {TAGS: None}
    known = {each.name: each for each in mapped.fields}
    return [
        {"field": n, "before": shown(known.get(n), before.get(n)), "after": shown(known.get(n), after.get(n))}
        for n in [*known, *(name for name in {**before, **after} if name not in known)]
        if before.get(n) != after.get(n)
    ]
