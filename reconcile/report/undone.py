"""The report of a run that takes another one back."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as Map
from typing import Any

from reconcile.model import Operation, Outcome
from reconcile.report import figures
from reconcile.report.about import About
from reconcile.report.changes import failures
from reconcile.report.document import document
from reconcile.report.entries import entry
from reconcile.report.kept import Changes
from reconcile.report.statement import Statement
from reconcile.report.totals import totals
from reconcile.report.verdict import many, verdict
from reconcile.stage.stage import Stage
from reconcile.values.mapping import Mapping


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
    report_entries = (
        entry(mapping, operation, outcome, applied=about.wrote) for operation, outcome in entries
    )
    changes = Changes.of((_named(each, labels) for each in report_entries), stage.folder)
    whole = document(stage, mapping, about)
    entities = figures.entities(mapping, about, Statement((), applied=about.wrote), changes, [])
    whole |= {
        "changes": changes,
        "failures": failures(changes),
        "entities": entities,
        "totals": totals(changes, entities),
        "undo": dict(undo),
    }
    whole["verdict"] = _verdict(whole)
    return whole


def _named(each: dict[str, Any], labels: Map[tuple[str, str, str | None], str]) -> dict[str, Any]:
    return each | {
        "label": labels.get(
            (each["entity"], each["side"], each[f"{each['side']}_key"]), each["label"]
        )
    }


def _verdict(whole: dict[str, Any]) -> dict[str, Any]:
    said = verdict(whole)
    of, left = whole["undo"]["of"], len(whole["undo"]["left"])
    count = len(whole["changes"])
    if whole["state"] in ("settled", "planned"):
        done = sum(each["status"] == "done" for each in whole["changes"])
        would = f"Run {of} can be taken back: {many(count, 'write')}, nothing written yet"
        if not count:
            would = f"Nothing of run {of} is left to take back"
        said["headline"] = (
            would
            if whole["state"] == "planned" or not count
            else f"Run {of} taken back: {many(done, 'write')}"
        )
        said["code"] = "undone" if whole["state"] == "settled" else "planned"
    said["sentences"] = [
        sentence for sentence in said["sentences"] if not sentence.startswith("All ")
    ]
    if left:
        said["sentences"].append(
            f"{many(left, 'thing')} that the run did {'stays' if left == 1 else 'stay'} as it is."
        )
    return said
