"""Gathers what a run has to tell, has the report written, and says with which exit code the command ends."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from reconcile.report.document import document

from flows.run import Run
from reconcile import archive, report, runs, sweep
from reconcile.report.about import About, RunState

HISTORY = 30
"""How many earlier runs a report shows as a trend."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a run came to: its report as a document, where its files lie, and the exit code (see docs/commands.md)."""

    exit_code: int
    state: str
    document: Mapping[str, Any]
    paths: Mapping[str, Path] = field(default_factory=dict)


def tell(run: Run, state: RunState, *, refusal: str = "") -> Told:
    """Write the report and the archive of a run, and remember its summary for the trends of later ones."""
    archive.load_outcomes(run.stage, run.journal)
    about = About(
        run_id=run.run_id,
        pair=run.pair.name,
        job=run.options.job,
        started_at=run.started_at,
        ended_at=run.clock(),
        state=state,
        plan=run.plan,
        replan=run.replan,
        residuals=tuple(run.residuals),
        usage={side: connector.usage() for side, connector in run.connectors.items()},
        snapshots=run.stage.snapshots,
        described=run.described,
        settlement=run.settlement,
        looked_again=run.looked_again,
        recovered=run.recovered,
        stopped=run.stopped,
        refusal=refusal,
        notes_oldest=sweep.oldest(run.ledger),
        history=tuple(dict(row.summary) for row in runs.runs(run.ledger, limit=HISTORY) if row.summary),
        versions=versions(),
        opened={row.hold_id: row.first_seen for row in run.ledger.holds()},
        recheck=run.pair.apply.recheck,
    )
    whole = document(run.stage, run.mapping, about)
    paths = report.write(run.stage, run.mapping, about, run.folder, whole=whole)
    archive.store(run.stage, run.mapping, run.folder)
    told = Told(exit_code(state, whole), state, whole, paths)
    runs.remember(
        run.ledger, run.run_id, state=None if state == "settled" else state, summary=summary(whole), at=run.clock()
    )
    return told


def exit_code(state: str, whole: Mapping[str, Any]) -> int:
    """0 both sides agree; 1 holds or skipped records remain; 2 some records failed; 3 refused."""
    if state == "refused":
        return 3
    entities = whole["entities"].values()
    if any(entity["failed"] for entity in entities):
        return 2
    return int(any(entity["holds"] or entity["left"] for entity in entities))


def summary(whole: Mapping[str, Any]) -> dict[str, Any]:
    """What the ledger keeps of a report, for trends and `history`."""
    return {
        name: whole[name] for name in ("run_id", "job", "state", "started_at", "ended_at", "entities") if name in whole
    }


def versions() -> dict[str, str]:
    """The versions that a run's result may depend on."""
    return {"python": platform.python_version()} | {
        name: version(name) for name in ("ghl-reconcile", "duckdb", "prefect")
    }
