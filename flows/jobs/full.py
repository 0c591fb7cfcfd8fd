"""The full run: both sides read whole, compared, planned, written and proven.

`run` and `plan` are this job.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from flows.run import Run
from flows.runner import Do, Job, Step, compare
from flows.steps import dependants, steps, suggestions, sweeps
from flows.steps.agendas import read_agendas
from reconcile.plan.plan import Plan


@dataclass(frozen=True, kw_only=True)
class Whole(Job):
    """A job about all of both sides.

    From an absence it may conclude that something is gone, as far as that is proven.
    """

    sweeps: bool = True
    """Whether all contacts of GHL are read in any case; else as the pair file's `sweep` says."""
    suggests: bool = False
    """Whether it looks for contacts that are probably one, so that a person is asked about them."""
    before: tuple[Step, ...] = (dependants.keep,)

    def plan(self, run: Run, do: Do) -> Plan:
        """The plan of both sides as they are now.

        Raises Stopped where the run has to end before there is one.
        """
        if not self.sweeps:
            do(sweeps.find_former, run)
        spools = do(steps.extract, run)
        do(steps.stage, run, spools)
        do(sweeps.complete, run)
        run.ending.check()
        do(steps.sweep_notes, run)
        compare(run, do)
        do(sweeps.look_for_new, run)
        if self.suggests:
            do(suggestions.suggest, run)
        return do(steps.make_plan, run)


@dataclass(frozen=True, kw_only=True)
class Full(Whole):
    """What a night does: it alone proves that both sides agree."""

    name: str = "nightly"
    sweeps: bool = False
    proves: bool = True
    after: tuple[Step, ...] = (read_agendas,)


FULL = Full()
PLAN = replace(FULL, name="plan", sweeps=True, writes=False)
