"""Carries out every job.

Recover, plan, ask the gate, write chunk by chunk, settle, read back, prove, tell.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from flows.opening import open_run
from flows.outcome.tell import Told, Write, reconciled, tell, tell_refused
from flows.progress import CURRENT
from flows.run import PROOF, Canary, Options, Run
from flows.steps import ends, steps
from flows.steps.canary import NOT_WANTED, watch
from reconcile.apply.apply import chunks
from reconcile.apply.canary import first
from reconcile.errors import ConnectorError, Refused
from reconcile.plan.plan import LEDGER_ONLY, Plan
from reconcile.report.about import RunState
from reconcile.report.account import Began

if TYPE_CHECKING:
    from flows.config import Pair

Step = Callable[..., Any]
"""A plain function over a Run; the gate is given the plan, too, and `apply` a chunk of it."""

Result = TypeVar("Result")


class Do(Protocol):
    """How a step is carried out: called plainly, or as a Prefect task.

    The same function does the same either way.
    """

    def __call__(self, step: Callable[..., Result], *arguments: Any) -> Result:
        """Carry out a step; what it returns and raises comes through."""


def plainly(step: Callable[..., Result], *arguments: Any) -> Result:
    """Carry out a step by calling it, having said which one it is."""
    say_step(step, arguments)
    return step(*arguments)


def say_step(step: Step, arguments: Sequence[Any]) -> None:
    """Let whoever looks on know which step begins, and note when for the report.

    Every way to carry a step out begins so.
    """
    run = next((each for each in arguments if isinstance(each, Run)), None)
    if run is None:
        CURRENT.step(step.__name__)
        return
    says = CURRENT.step(step.__name__, again=run.run_id.endswith(PROOF))
    if says:
        run.course.steps.append(Began(says, run.clock()))


@dataclass(frozen=True, kw_only=True)
class Job(ABC):
    """What a kind of run has of its own.

    All else is the same for every job, and stands in `carry_out`.
    """

    name: str
    """What the ledger, the reports and the folders call its runs."""
    writes: bool = True
    """Whether the plan is carried out; else the run ends with it."""
    approved: str = ""
    """The digest of a plan that a person approved.

    That one is carried out as it was shown, and none is made.
    """
    gate: Step = steps.check
    """Raises Refused, with every limit that the plan goes over."""
    before: tuple[Step, ...] = ()
    """What is done right before the first write."""
    apply: Step = steps.apply
    """Writes a chunk of the plan."""
    settle: Step = steps.settle_run
    """Advances the ledger to what is known, in one transaction."""
    proves: bool = False
    """Whether both sides are read once more in the end.

    The pair file or the caller asks for it.
    """
    after: tuple[Step, ...] = ()
    """What comes last of all.

    What is only shown takes no request from what is written or proven.
    """
    unwritten: tuple[Step, ...] = ()
    """What a run does that writes nothing, once it has a plan."""
    ends: RunState = "planned"
    """The state in which it leaves such a run."""
    report: Write = reconciled
    """How its report is made."""

    @property
    def links_only(self) -> bool:
        """Whether links enter the ledger, and nothing is sent."""
        return False

    def prepare(self, run: Run, _do: Do) -> tuple[Run, Job]:
        """Find out what the run is about.

        Returns it with its scope, and the job that is done: this one, or another.
        """
        return run, self

    @abstractmethod
    def plan(self, run: Run, do: Do) -> Plan:
        """Make the plan, of whatever the run is about."""


def run_job(
    pair: Pair,
    job: Job,
    do: Do = plainly,
    *,
    options: Options = Options(),  # noqa: B008 - frozen
) -> Told:
    """Carry out a job on a pair, under its lease.

    What ends with an error leaves a report all the same.

    Raises Locked where another run holds the pair, StateError where the ledger cannot be opened,
    and what `carry_out` raises.
    """
    named = replace(options, job=job.name)
    with open_run(pair, named, plan_digest=job.approved or None) as run:
        return carry_out(run, job, do)


def carry_out(run: Run, job: Job, do: Do = plainly) -> Told:
    """Carry out a job in a run that is open.

    Raises Refused where the gate stops it, before anything is written.

    Raises Stopped where the run has to end before there is a plan, and StalePlan where an approved
    one fits no more.
    """
    run, job, plan = planned(run, job, do)
    if not job.writes:
        if job.ends == "planned":
            # Nothing is refused yet: the report says which limits stand in the plan's way.
            weighed(run, job, plan, do)
        for step in job.unwritten:
            do(step, run)
        return tell(run, job.ends, write=job.report)
    refusal = weighed(run, job, plan, do)
    if refusal:
        tell_refused(run, refusal, write=job.report)
        raise refusal
    write(run, job, plan, do)
    # Settled before anything is read again: if that fails, what was done is known all the same.
    do(job.settle, run)
    do(steps.read_back, run)
    if job.proves:
        prove(run, job, do)
    for step in job.after:
        do(step, run)
    ended: RunState = "stopped" if run.course.stopped else "settled"
    return tell(run, ended, write=job.report)


def planned(run: Run, job: Job, do: Do) -> tuple[Run, Job, Plan]:
    """Finish what earlier runs left, find out what this one is about, and have its plan.

    A new one, or the approved one.
    """
    # First of all: a plan made over writes in doubt would take what they left for edits of people.
    do(steps.recover, run)
    run, job = job.prepare(run, do)
    if job.approved:
        return run, job, do(steps.take_over, run, job.approved)
    return run, job, job.plan(run, do)


def compare(run: Run, do: Do) -> None:
    """From what is staged of both sides to what differs.

    Raises Stopped where the run has to end before that is known.
    """
    for step in (steps.link, steps.canary, steps.diff):
        run.ending.check()
        do(step, run)
    run.ending.check()


def weighed(run: Run, job: Job, plan: Plan, do: Do) -> Refused | None:
    """What stands against the plan at the job's gate; None where nothing does."""
    try:
        do(job.gate, run, plan)
    except Refused as refusal:
        return refusal
    return None


def write(run: Run, job: Job, plan: Plan, do: Do) -> None:
    """Write chunk by chunk until the plan is done or the run has to stop.

    What is left is planned again next time.
    """
    if job.links_only:
        do(ends.claim, run)
        return
    for step in job.before:
        do(step, run)
    do(steps.begin_apply, run)
    if run.options.canary:
        begin_with_few(run, job, run.options.canary, do)
    for chunk in chunks(steps.operations(run), run.pair.apply.chunk):
        if steps.must_stop(run):
            break
        do(job.apply, run, chunk)  # what the first few had is known, and not sent again
        written = sum(operation.kind not in LEDGER_ONLY for operation in chunk)
        CURRENT.count("writes", written, total=plan.writes)
    steps.must_stop(run)  # also in the last chunk: then nothing is read back
    do(steps.resolve_doubts, run)


def begin_with_few(run: Run, job: Job, canary: Canary, do: Do) -> None:
    """Carry out the first few writes of each kind, and stop unless somebody wants the rest.

    They are shown what the side did by itself with what was written.
    """
    few = list(first(steps.operations(run), canary.few))
    for chunk in chunks(few, run.pair.apply.chunk):
        if steps.must_stop(run):
            return
        do(job.apply, run, chunk)
    seen = do(watch, run, few)
    if not steps.must_stop(run) and not canary.goes_on(seen):
        run.course.stopped = NOT_WANTED


def prove(run: Run, job: Job, do: Do) -> None:
    """Read both sides anew and plan again.

    What is still to do, with its reasons, is the convergence certificate.
    """
    if run.verify_mode != "full" or run.course.stopped:
        return
    try:
        with run.again() as second:
            run.course.replan = job.plan(second, do)
    except (ConnectorError, Refused) as error:
        # All is written and settled: what was done has to be told.
        what = "both sides could not be read again, so nothing proves that they agree: "
        run.halt(error, what=what)
