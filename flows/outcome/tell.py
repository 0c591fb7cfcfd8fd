"""Gathers what a run has to tell, and has the report written.

It says with which exit code the command ends.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from msgspec import MsgspecError

from flows import errors
from flows.outcome import alerts, metrics, notify
from flows.outcome.alerts import Alert
from flows.outcome.approved import approvals
from flows.outcome.health import CARRYING
from flows.progress import CURRENT
from flows.run import Run
from flows.state import imprints
from flows.state.stores import keep
from reconcile import report
from reconcile.compare.agenda_sweep import NOTHING
from reconcile.entities import Shown
from reconcile.errors import Exhausted, Refused, Stopped
from reconcile.ledger import agendas, hints, runs
from reconcile.ledger.journal import Journal
from reconcile.model import Side
from reconcile.report import kept
from reconcile.report.about import About, RunState
from reconcile.report.agendas import Agendas
from reconcile.report.document import document
from reconcile.report.figures import requested
from reconcile.report.verdict import apart, unread
from reconcile.stage import archive

HISTORY = 30
"""How many earlier runs a report shows as a trend."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a run came to.

    Its report as a document, where its files lie, and the exit code (see docs/commands.md).
    """

    exit_code: int
    state: str
    document: Mapping[str, Any]
    paths: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Alerted:
    """The alerts of a run, and the summary of the one before it that they are new against."""

    raised: Sequence[Alert]
    last: Mapping[str, Any] | None


Write = Callable[[Run, About], dict[str, Any]]
"""How a run's report is made of what it has to tell."""


def reconciled(run: Run, about: About) -> dict[str, Any]:
    """The report of a run that compared both sides."""
    return document(run.stage, run.mapping, about)


def about_of(run: Run, state: RunState, *, refusal: str = "") -> About:
    """A run as its report sees it."""
    return About(
        run_id=run.run_id,
        pair=run.pair.name,
        job=run.options.job,
        started_at=run.started_at,
        ended_at=run.clock(),
        state=state,
        plan=run.course.plan,
        replan=run.course.replan,
        residuals=tuple(run.course.residuals),
        usage={side: connector.usage() for side, connector in run.connectors.items()},
        snapshots=run.stage.snapshots,
        described=run.known,
        settlement=run.course.settlement,
        looked_again=run.course.looked_again,
        interrupted={name: Journal(run.ledger, name).entries for name in _settled_here(run)},
        stopped=run.course.stopped,
        refusal=refusal,
        notes_oldest=hints.oldest(run.ledger),
        history=tuple(
            dict(row.summary)
            for row in runs.runs(run.ledger, limit=HISTORY)
            if "entities" in row.summary
        ),
        versions=versions(),
        opened={row.hold_id: row.first_seen for row in run.ledger.holds()},
        recheck=run.pair.apply.recheck,
        nowhere=run.course.nowhere,
        breaches=run.course.breaches,
        agendas={kind: _agendas(run, kind) for kind in Shown},
        steps=tuple(run.course.steps),
        approvals=approvals(run),
    )


def _agendas(run: Run, kind: Shown) -> Agendas:
    """What is known of a kind that is only shown, from this run and earlier ones."""
    described = run.known.get(Side.GHL)
    known = Agendas(
        now=run.started_at,
        budget=getattr(run.pair.ghl, kind.budget),
        timezone=described.timezone if described else "",
        sweep=run.course.agendas.get(kind, NOTHING),
    )
    return known.add(agendas.looks(run.ledger))


def _settled_here(run: Run) -> tuple[str, ...]:
    """The interrupted runs that this one settled, also when it made the plan.

    The report of what is applied replaces the plan's.
    """
    try:
        before = kept.read(run.folder / "report.json")["interrupted"]
    except (OSError, MsgspecError, KeyError):
        before = []
    return tuple(dict.fromkeys([*(each["run_id"] for each in before), *run.course.recovered]))


def tell(run: Run, state: RunState, *, refusal: str = "", write: Write = reconciled) -> Told:
    """Write the report and the archive of a run, and raise its alerts.

    Its summary is remembered for the trends of later ones.
    """
    CURRENT.step("tell")
    run.stage.rest()
    archive.load_outcomes(run.stage, run.journal)
    about = about_of(run, state, refusal=refusal)
    whole = write(run, about)
    brief, alerted = _alerted(run, whole)  # before it is written: the report lists its alerts
    paths = report.write_document(whole, run.folder)
    ghl = run.described[Side.GHL]
    location = {name: getattr(ghl, name) for name in archive.TOLD}
    archive.store(run.stage, run.mapping, run.folder, location=location)
    waits = state in ("planned", "refused")  # for a person, who may say yes to it
    if waits:
        run.stage.keep()
    imprints.take(run.ledger, run.folder, stage=waits)
    keep(run.pair, run.folder, stage=waits)
    code = max(exit_code(state, whole), alerts.exit_code(alerted.raised), 2 * run.course.fault)
    result = Told(code, state, whole, paths)
    # "settled" is what settling marked it as, in the transaction that advanced the ledger.
    settled = None if state == "settled" else state
    # When the report says that it ended, so that `history` tells of the same time.
    ended_at = str(whole["ended_at"])
    brief["exit_code"] = code
    runs.remember(run.ledger, run.run_id, state=settled, summary=brief, at=ended_at)
    _tell_outside(run, result, alerted)
    CURRENT.end()
    return result


def tell_refused(run: Run, refusal: Refused, *, write: Write = reconciled) -> None:
    """The same of a run that a limit stopped; the refusal says where its report lies."""
    result = tell(run, "refused", refusal=str(refusal), write=write)
    refusal.add_note(f"{errors.REPORT}{result.paths['html']}")


def tell_failure(run: Run, error: Exception) -> Told:
    """Write the report of a run that an error ended before it came to a plan.

    It has the reason, what was read and what it cost.

    It asks neither side anything, and archives nothing: there is nothing to try another pair file
    on.
    """
    states: dict[type, RunState] = {Refused: "refused", Exhausted: "stopped", Stopped: "stopped"}
    state = states.get(type(error), "failed")
    # A plan that was broken off is none: the report would show a part of it as the whole.
    run.stage.run("DROP TABLE IF EXISTS planned")
    refusal = ""
    run.course.stopped = errors.reason(error)
    if state == "refused":
        refusal = str(error)
        run.course.stopped = ""
    about = about_of(run, state, refusal=refusal)
    whole = document(run.stage, run.pair.mapping, about)
    brief, alerted = _alerted(run, whole)
    paths = report.write_document(whole, run.folder)
    imprints.take(run.ledger, run.folder)
    keep(run.pair, run.folder)
    brief["exit_code"] = 3
    runs.remember(run.ledger, run.run_id, state=state, summary=brief, at=str(whole["ended_at"]))
    result = Told(3, state, whole, paths)
    _tell_outside(run, result, alerted)
    return result


def _alerted(run: Run, whole: dict[str, Any]) -> tuple[dict[str, Any], Alerted]:
    """What the ledger keeps of the report, and the alerts that it gives reason for.

    The alerts are told and entered in both. A delta is measured by deltas alone, and all else by
    all else: that a part is well says nothing of the whole. Nor does a plan or an audit say that a
    run which carries something is well again.
    """
    brief = summary(whole)
    if run.course.flow_run:
        brief["flow_run"] = run.course.flow_run
    deltas = run.options.job == runs.DELTA
    earlier = [
        dict(row.summary)
        for row in runs.runs(run.ledger, limit=HISTORY, deltas=deltas)
        if "entities" in row.summary and row.run_id != run.run_id
    ]
    if run.options.job in CARRYING:
        earlier = [one for one in earlier if one["job"] in CARRYING]
    raised = alerts.raised(brief, earlier, run.pair.alerts)
    whole["alerts"] = [asdict(alert) for alert in raised]
    brief["alerts"] = [alert.name for alert in raised if alert.name != alerts.RECOVERED]
    alerts.log_all(run.pair.name, run.run_id, raised)
    return brief, Alerted(raised, earlier[0] if earlier else None)


def _tell_outside(run: Run, result: Told, alerted: Alerted) -> None:
    """Tell monitors and people, once everything else of the run is done and kept.

    What a person starts to look at something tells nobody.
    """
    if run.options.job not in CARRYING:
        return
    metrics.tell(result.document, result.exit_code, run.pair.metrics)
    if not run.pair.alerts.notify:
        return
    digested = runs.last_noting(run.ledger, notify.DIGESTED)
    if notify.tell_of(run, alerted.raised, alerted.last, digested=digested):
        runs.annotate(run.ledger, run.run_id, **{notify.DIGESTED: True})


def exit_code(state: str, whole: Mapping[str, Any]) -> int:
    """The exit code of a run.

    0: both sides agree. 1: questions remain, or values of which that cannot be said, or it stopped.
    2: something was not written or read. 3: refused.

    What a plan or an audit would write is no difference that it left.
    """
    if state == "refused":
        return 3
    entities = whole["entities"].values()
    missing = unread(whole)
    unbalanced = whole["verdict"]["code"] == "unbalanced"
    failed = any(entity["failed"] for entity in entities)
    not_whole = any(not each["quarantined"] for each in missing)
    if unbalanced or failed or not_whole:
        return 2
    differing = set(apart(whole))
    if state in ("planned", "audit"):
        differing -= {"pending"}
    questions = any(entity["holds"] or entity["left"] for entity in entities)
    if state == "stopped" or missing or whole["nowhere"] or differing or questions:
        return 1
    return 0


def summary(whole: Mapping[str, Any]) -> dict[str, Any]:
    """What the ledger keeps of a report, for trends and `history`."""
    names = ("run_id", "job", "state", "started_at", "ended_at", "totals", "approvals", "entities")
    rows = {
        f"{each['entity']}.{each['side']}": each["rows"]
        for each in whole["provenance"]["snapshots"]
        if each["complete"] and (each["as_of"] or not each["partial"])
    }
    brief = {name: whole[name] for name in names if name in whole} | {"rows": rows}
    if "usage" in whole:
        brief["requests"] = requested(whole["usage"])
    if "undo" in whole:
        brief["undoes"] = whole["undo"]["of"]
    return brief


def versions() -> dict[str, str]:
    """The versions that a run's result may depend on."""
    return {"python": platform.python_version()} | {
        name: version(name) for name in ("ghl-reconcile", "duckdb", "prefect")
    }
