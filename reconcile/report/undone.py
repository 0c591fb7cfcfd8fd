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
from reconcile.report.tally import Sieve
from reconcile.report.totals import totals
from reconcile.report.verdict import by_count, many, verdict
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
    named = (_named(each, labels) for each in report_entries)
    repeated = Sieve()
    changes = Changes.of(repeated.watched(named), stage.folder)
    whole = document(stage, mapping, about)
    state = Statement((), applied=about.wrote)
    entities = figures.entities(mapping, about, state, changes, [], repeated)
    whole |= {
        "changes": changes,
        "failures": failures(changes),
        "entities": entities,
        "totals": totals(changes, entities, repeated),
        "undo": dict(undo),
    }
    whole["verdict"] = _verdict(whole)
    return whole


def _named(each: dict[str, Any], labels: Map[tuple[str, str, str | None], str]) -> dict[str, Any]:
    """The entry with the name that the other run's report gave its record."""
    side = each["side"]
    record = (each["entity"], side, each[f"{side}_key"])
    return each | {"label": labels.get(record, each["label"])}


def _verdict(whole: dict[str, Any]) -> dict[str, Any]:
    words = verdict(whole)
    if whole["state"] in ("settled", "planned"):
        words["headline"] = _headline(whole)
        words["code"] = "undone" if whole["state"] == "settled" else "planned"
    # "All records that were read are accounted for": an undo reads none but those that it touches.
    sentences = [each for each in words["sentences"] if not each.startswith("All ")]
    left = len(whole["undo"]["left"])
    if left:
        stay = by_count(left, "stays", "stay")
        sentences.append(f"{many(left, 'thing')} that the run did {stay} as it is.")
    words["sentences"] = sentences
    return words


def _headline(whole: dict[str, Any]) -> str:
    of, count = whole["undo"]["of"], len(whole["changes"])
    if not count:
        return f"Nothing of run {of} is left to take back"
    if whole["state"] == "planned":
        return f"Run {of} can be taken back: {many(count, 'write')}, nothing written yet"
    done = sum(each["status"] == "done" for each in whole["changes"])
    return f"Run {of} taken back: {many(done, 'write')}"
