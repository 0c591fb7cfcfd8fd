"""The delta: only what changed since the watermark, or what a trigger named.

Tasks and notes go with it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from flows.clock import moment
from flows.jobs.full import FULL
from flows.run import Run
from flows.runner import Do, Job, compare
from flows.scope import Sought
from flows.steps import focus, marks, steps
from flows.steps.focus import Focus
from reconcile.errors import Refused
from reconcile.link.link import load_graves
from reconcile.plan.plan import Plan

log = logging.getLogger("flows.jobs.delta")

MOST = 1_000
"""More changed contacts than this are read more cheaply by a full run.

It is then done instead.
"""


@dataclass(frozen=True, kw_only=True)
class Delta(Job):
    """A part of both sides.

    It concludes nothing from an absence, and leaves what needs a view of everything to the full
    run.

    That is: deletions, and questions about records out of sight.
    """

    name: str = "delta"
    sought: Sought = field(default_factory=Sought)
    """What is named; empty: whatever changed."""
    seen: Focus = field(default_factory=Focus)
    """The contacts that it is about, once they are known."""

    def prepare(self, run: Run, do: Do) -> tuple[Run, Job]:
        """Find the contacts that the run is about.

        Where they are too many, it is a full run that is done.
        """
        seen = do(find, run, self.sought)
        if len(seen) <= MOST:
            return run.about(sought=self.sought), replace(self, seen=seen)
        log.warning("too much for a delta: a full run instead", extra={"contacts": len(seen)})
        return run, FULL

    def plan(self, run: Run, do: Do) -> Plan:
        """The plan of those contacts, their tasks and notes."""
        do(stage, run, self.seen)
        run.course.nowhere = tuple(self.seen.nowhere)
        compare(run, do)
        return do(steps.make_plan, run)


def find(run: Run, sought: Sought) -> Focus:
    """The contacts that this run is about. Raises Refused before the first full run."""
    if not run.ledger.state().generation:
        raise Refused(
            (
                "this pair was never reconciled as a whole, so there is nothing "
                "to compare a change with"
            ),
            remedy="do the first run with `run` or `migrate`",
            code="FIRST_RUN",
        )
    return focus.find(run, sought, since=marks.since(run) if sought.by_time else {})


def stage(run: Run, seen: Focus) -> None:
    """Stage both sides' records of those contacts, their tasks and notes."""
    focus.stage_alone(run)
    focus.stage_contacts(run, seen)
    hour = timedelta(hours=1)  # well before any index could still lag
    load_graves(run.stage, run.ledger, since=moment(datetime.fromisoformat(run.started_at) - hour))
    focus.stage_children(run)
