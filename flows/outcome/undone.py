"""The report of an undo: what was taken back, what stays as it is, and what nothing brings back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from collections.abc import Mapping as Map
from dataclasses import asdict
from pathlib import Path
from typing import Any

from msgspec import MsgspecError

from flows.run import Run
from flows.state.imprints import trusted
from reconcile.ledger.journal import Journal
from reconcile.model import Outcome, Status
from reconcile.plan import planfile, selection
from reconcile.report import About, kept
from reconcile.report.undone import undone_document
from reconcile.undo.compensation import Undo

NOTES = "undo.json"
"""Beside the plan: which run it takes back, what stays, and what nothing brings back."""


def keep_notes(folder: Path, undo: Undo) -> None:
    """Write them beside the plan."""
    left = [
        {**asdict(each), "entity": each.entity.value, "side": each.side.value} for each in undo.left
    ]
    text = json.dumps(
        {"of": undo.run_id, "left": left, "lost": undo.lost}, ensure_ascii=False, indent=1
    )
    (folder / NOTES).write_text(text + "\n", encoding="utf-8")


def undone(run: Run, about: About) -> dict[str, Any]:
    """The report of an undo."""
    outcomes: dict[str, Outcome] = {outcome.op_id: outcome for _, outcome in run.journal.entries()}
    approved = selection.picked(planfile.operations(run.plan_path), run.options.only)
    entries = ((operation, outcomes.get(operation.op_id)) for operation in approved)
    notes = notes_of(run)
    notes["left"] += _stays(run, notes["of"], outcomes)
    whole = undone_document(
        run.stage, run.mapping, about, entries, notes, labels=_labels(run, notes["of"])
    )
    if notes["left"] and not whole["changes"] and about.state in ("settled", "planned"):
        whole["verdict"]["headline"] = f"Nothing of run {notes['of']} can be taken back"
    return whole


def notes_of(run: Run) -> dict[str, Any]:
    """Read them again."""
    notes: dict[str, Any] = json.loads((run.folder / NOTES).read_text(encoding="utf-8"))
    return notes


def _stays(run: Run, of: str, outcomes: Map[str, Outcome]) -> Iterator[dict[str, Any]]:
    """What the plan would take back and this run did not.

    It is not in the approved part, or it changed since the plan.
    """
    planned = list(planfile.operations(run.plan_path))
    picked = {operation.op_id for operation in selection.picked(planned, run.options.only)}
    keys = {(o.link_id, o.side): o.key for o, _ in Journal(run.ledger, of).entries()}
    for operation in planned:
        outcome, key = (
            outcomes.get(operation.op_id),
            operation.key or keys.get((operation.link_id, operation.side)),
        )
        if operation.op_id not in picked:
            because = "it is not in the part that was approved"
        elif outcome is not None and outcome.status in (Status.STALE, Status.SKIPPED):
            because = f"it stays, because {outcome.detail or outcome.code}"
        else:
            continue
        yield {
            "entity": operation.entity.value,
            "side": operation.side.value,
            "key": key,
            "because": because,
        }


def _labels(run: Run, of: str) -> dict[tuple[str, str, str | None], str]:
    """What the report of the run that is taken back calls its records."""
    try:
        report = (
            trusted(run.pair, run.ledger, run.folder.parent / of, "report.json") / "report.json"
        )
        changes = kept.read(report)["changes"]
    except (OSError, MsgspecError):
        return {}
    return {
        (each["entity"], side, each[f"{side}_key"]): each["label"]
        for each in changes
        for side in ("app", "ghl")
    }
