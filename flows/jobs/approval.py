"""A plan that a person looks at before it is carried out: what it would do in figures alone, and the way from a yes to the writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flows import sync
from flows.opening import open_run
from flows.outcome.tell import Told, tell
from flows.run import Options
from flows.steps import steps
from flows.sync import Do, plainly
from reconcile.errors import Refused
from reconcile.plan.plan import LEDGER_ONLY, Plan

if TYPE_CHECKING:
    from flows.config import Pair


@dataclass(frozen=True, slots=True)
class Proposal:
    """A plan that waits: its report, its digest, how many operations overwrite or delete, and the limits it goes over, if any."""

    told: Told
    plan: Plan
    refusal: str = ""

    @property
    def risky(self) -> int:
        """Operations of high risk: deletions, and values that overwrite another edit."""
        return sum(group.risky for group in self.plan.groups)

    @property
    def asks(self) -> bool:
        """Whether a careful person wants to see it first."""
        return bool(self.refusal or self.risky)

    @property
    def table(self) -> list[dict[str, object]]:
        """The plan in figures: no value of a person is in it."""
        return [
            {
                "what": group.kind.value,
                "of": group.entity.value,
                "in": group.side.label,
                "how many": group.count,
                "risky": group.risky,
                "may start workflows": group.starts_workflows,
            }
            for group in self.plan.groups
            if group.kind not in LEDGER_ONLY
        ]


def propose(
    pair: Pair, job: str, do: Do = plainly, *, allowed: frozenset[str] = frozenset()
) -> Proposal:
    """Make a plan, hold it against the limits, write nothing, and give the pair's lease back."""
    with open_run(pair, Options(job, allowed)) as run:
        do(steps.recover, run)
        sync.compare(run, do)
        plan: Plan = do(steps.make_plan, run)
        refusal = ""
        try:
            do(steps.check, run, plan)
        except Refused as error:
            refusal = str(error)
        return Proposal(tell(run, "planned"), plan, refusal)


def carry_out(pair: Pair, digest: str, options: Options, do: Do = plainly) -> Told:
    """Carry out the plan of that digest as it was shown. Raises StalePlan where another run settled meanwhile, and Refused."""
    with open_run(pair, options, plan_digest=digest) as run:
        do(steps.recover, run)
        plan: Plan = do(steps.take_over, run, digest)
        do(steps.check, run, plan)
        sync.carry_out(run, plan, do)
        return tell(run, "stopped" if run.stopped else "settled")
