"""The trigger's job: only what changed since the watermark, or what a trigger named, by the same plan, gate, apply and settlement."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from flows import sync
from flows.clock import moment
from flows.outcome.tell import Told, tell, tell_refused
from flows.run import Run
from flows.scope import Sought
from flows.steps import focus, steps
from flows.steps.focus import Focus
from flows.sync import Do, plainly
from reconcile import pipeline
from reconcile.errors import Refused
from reconcile.ledger import watermarks
from reconcile.link.link import load_graves
from reconcile.model import Side
from reconcile.plan.plan import Plan

log = logging.getLogger("flows.jobs.delta")

OVERLAP = timedelta(minutes=10)
"""How far behind the watermark a look by time begins: GHL's index trails by up to a minute, and clocks differ."""

MOST = 1_000
"""More changed contacts than this are read more cheaply by a full run, which is then done instead."""


def reconcile(run: Run, sought: Sought = Sought(), do: Do = plainly) -> Told:  # noqa: B008 - frozen
    """Bring what changed, and nothing else, into agreement. Raises Refused like a full run, and before the first one.

    What needs a view of everything is left to the full run: deletions, and questions about records out of sight.
    """
    do(steps.recover, run)
    run.sought = sought
    seen = do(find, run, sought)
    if len(seen) > MOST:
        log.warning("too much for a delta: a full run instead", extra={"contacts": len(seen)})
        run.sought = None
        return sync.reconcile(run, do)
    do(stage, run, seen)
    run.nowhere = tuple(seen.nowhere)
    do(compare_part, run)
    plan = do(steps.make_plan, run)
    try:
        do(steps.check, run, plan)
    except Refused as refusal:
        tell_refused(run, refusal)
        raise
    carry_out(run, plan, do)
    return tell(run, "stopped" if run.stopped else "settled")


def find(run: Run, sought: Sought) -> Focus:
    """The contacts that this run is about."""
    if not run.ledger.state().generation:
        raise Refused(
            "this pair was never reconciled as a whole, so there is nothing to compare a change with",
            remedy="do the first run with `run` or `migrate`",
            code="FIRST_RUN",
        )
    return focus.find(run, sought, since=since(run) if sought.by_time else {})


def since(run: Run) -> dict[Side, str]:
    """The moment from which each side is asked for changes: its watermark less the overlap."""
    marks = {side: watermarks.get(run.ledger, side) for side in run.connectors}
    missing = [side.label for side, mark in marks.items() if mark is None]
    if missing:
        raise Refused(
            f"{' and '.join(missing)} was never read whole and settled, so what changed since then is not known",
            remedy="do a full run first, or name what changed",
            code="NO_WATERMARK",
        )
    ahead = [
        side.label
        for side, mark in marks.items()
        if str(mark) > moment(_at(run.started_at) + OVERLAP)
    ]
    if ahead:
        raise Refused(
            f"{' and '.join(ahead)} was last looked at later than this machine's clock says it is, so the clock was set back",
            remedy="correct the clock; if it is right, do a full run: it starts the counting anew",
            code="CLOCK_BACK",
        )
    return {
        side: moment(datetime.fromisoformat(str(mark)) - OVERLAP) for side, mark in marks.items()
    }


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def stage(run: Run, seen: Focus) -> None:
    """Stage both sides' records of those contacts, their tasks and notes."""
    focus.stage_contacts(run, seen)
    load_graves(
        run.stage,
        run.ledger,
        since=moment(datetime.fromisoformat(run.started_at) - timedelta(hours=1)),
    )
    focus.stage_children(run)


def compare_part(run: Run) -> None:
    """Link and compare what is staged; look again by key where a bulk read is no proof."""
    _link(run)
    steps.canary(run, _link)
    _compare(run)
    run.looked_again = pipeline.look_again(
        run.stage, run.mapping, run.connectors, lags=run.lags, most=run.limits.max_confirm
    )
    if run.looked_again:
        _link(run)
        _compare(run)


_LEFT = """
UPDATE absence_{e} SET action = 'not_checked', because = 'missing where a part was read; a full run decides what that means'
WHERE action NOT IN ('not_checked')
"""


def _link(run: Run) -> None:
    focus.link(run, run.mapping)


def _compare(run: Run) -> None:
    """The comparison of a full run, except that nothing is concluded from an absence."""
    pipeline.diff(run.stage, run.mapping)
    for mapped in run.mapping.entities:
        run.stage.run(_LEFT.format(e=mapped.entity))


def carry_out(run: Run, plan: Plan, do: Do = plainly) -> None:
    """Apply the plan, settle what was looked at, and read back what was written."""
    sync.apply(run, plan, do)
    do(steps.settle_run, run)
    do(steps.read_back, run)
