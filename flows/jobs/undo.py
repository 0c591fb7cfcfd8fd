"""The undo: a plan that takes a run back, from its journal and archive.

It goes through the same course as any other plan.
"""

from __future__ import annotations

from dataclasses import dataclass

from flows.outcome.tell import Write
from flows.outcome.undone import undone
from flows.run import Run
from flows.runner import Do, Job, Step
from flows.steps import undo
from reconcile.apply.undo_settlement import UNDO
from reconcile.plan.plan import Plan


@dataclass(frozen=True, kw_only=True)
class Undo(Job):
    """What a run did, field by field and record by record, as far as nobody changed it since."""

    name: str = UNDO
    of: str = ""
    """The run that is taken back; empty where its undo is planned and approved already."""
    gate: Step = undo.check
    apply: Step = undo.apply
    settle: Step = undo.settle_undo
    report: Write = undone

    def plan(self, run: Run, do: Do) -> Plan:
        """The plan, of what both sides hold now. Raises StateError where there is no such run."""
        return do(undo.make_plan, run, self.of)
