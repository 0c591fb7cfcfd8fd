"""The full run: both sides read whole, compared, planned, written and proven.

`run` and `plan` are this job.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from flows.run import Run
from flows.runner import Do, Job, Step, compare
from flows.steps import dependants, steps, suggestions
from flows.steps.agendas import read_agendas
from reconcile.plan.plan import Plan


@dataclass(frozen=True, kw_only=True)
class Whole(Job):
    """A job about all of both sides.

    From an absence it may conclude that something is gone, as far as that is proven.
    """

    suggests: bool = False
    """Whether it looks for contacts that are probably one, so that a person is asked about them."""
    before: tuple[Step, ...] = (dependants.keep,)

    def plan(self, run: Run, do: Do) -> Plan:
        """The plan of both sides as they are now.

        Raises Stopped where the run has to end before there is one.
        """
        spools = do(steps.extract, run)
        do(steps.stage, run, spools)
        run.ending.check()
        do(steps.sweep_notes, run)
        compare(run, do)
        if self.suggests:
            do(suggestions.suggest, run)
        return do(steps.make_plan, run)


@dataclass(frozen=True, kw_only=True)
class Full(Whole):
    """What a night does: it alone proves that both sides agree."""

    name: str = "nightly"
    proves: bool = True
    after: tuple[Step, ...] = (read_agendas,)


FULL = Full()
PLAN = replace(FULL, name="plan", writes=False)
