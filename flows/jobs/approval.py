"""A plan that a person looks at before it is carried out.

What it would do in figures alone, and the way from a yes to the writes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from flows import runner
from flows.jobs.full import FULL
from flows.jobs.undo import Undo
from flows.opening import open_run
from flows.outcome.tell import Told, tell
from flows.run import Options, Run
from flows.runner import Do, Job, plainly
from reconcile.apply.undo_settlement import UNDO
from reconcile.ledger import runs
from reconcile.plan.plan import LEDGER_ONLY, Plan

if TYPE_CHECKING:
    from flows.config import Pair


@dataclass(frozen=True, slots=True)
class Proposal:
    """A plan that waits: its report, its digest, and what speaks for caution.

    That is how many operations overwrite or delete, and the limits it goes over, if any.
    """

    result: Told
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
    pair: Pair, job: Job = FULL, do: Do = plainly, *, allowed: frozenset[str] = frozenset()
) -> Proposal:
    """Make a job's plan and hold it against the limits.

    It writes nothing, and gives the pair's lease back.
    """
    with open_run(pair, Options(job.name, allowed)) as run:
        run, job, plan = runner.planned(run, job, do)
        refusal = runner.weighed(run, job, plan, do)
        return Proposal(tell(run, "planned", write=job.report), plan, str(refusal or ""))


def carry_out(pair: Pair, digest: str, options: Options, do: Do = plainly) -> Told:
    """Carry out the plan of that digest as it was shown, or the part of it that `options` names.

    Raises StalePlan where another run settled meanwhile, and Refused where a limit stops it.
    """
    with open_run(pair, options, plan_digest=digest) as run:
        return runner.carry_out(run, job_of(run, digest), do)


def job_of(run: Run, digest: str) -> Job:
    """The job that carries out the plan of that digest, which this run made."""
    row = runs.find(run.ledger, run_id=run.run_id)
    job = Undo() if row is not None and row.job == UNDO else FULL
    return replace(job, approved=digest)
