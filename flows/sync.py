"""The job, top to bottom: extract, stage, link, diff, plan, check, apply, settle, verify, report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flows.outcome.tell import Told, tell, tell_refused
from flows.progress import CURRENT
from flows.run import PROOF, Run
from flows.steps import dependants, steps, suggestions
from flows.steps.appointments import read_appointments
from reconcile.apply.apply import chunks
from reconcile.errors import ConnectorError, Refused
from reconcile.plan.plan import Plan

Do = Callable[..., Any]
"""How a step is carried out: called plainly, or as a Prefect task. The same function does the same either way."""


def plainly(step: Callable[..., Any], *arguments: Any) -> Any:
    """Carry out a step by calling it, having said which one it is."""
    say_step(step, arguments)
    return step(*arguments)


def say_step(step: Callable[..., Any], arguments: Sequence[Any]) -> None:
    """Let whoever looks on know which step begins."""
    again = bool(arguments) and str(getattr(arguments[0], "run_id", "")).endswith(PROOF)
    CURRENT.step(step.__name__, again=again)


def reconcile(run: Run, do: Do = plainly) -> Told:
    """One run of one pair. Raises Refused where a limit stops it before anything is written; the report is made all the same."""
    do(steps.recover, run)
    compare(run, do)
    do(suggestions.suggest, run)
    plan = do(steps.make_plan, run)
    if not run.options.writes:
        do(suggestions.keep, run)
        if run.options.job != "audit":
            return tell(run, "planned")
        do(read_appointments, run)
        return tell(run, "audit")
    try:
        do(steps.check, run, plan)
    except Refused as refusal:
        tell_refused(run, refusal)
        raise
    carry_out(run, plan, do)
    return tell(run, "stopped" if run.stopped else "settled")


def compare(run: Run, do: Do = plainly) -> None:
    """From two sides to what differs between them. Raises Stopped where the run has to end before that is known."""
    spools = do(steps.extract, run)
    do(steps.stage, run, spools)
    for step in (steps.sweep_notes, steps.link, steps.canary, steps.diff):
        run.ending.check()
        do(step, run)
    run.ending.check()


def carry_out(run: Run, plan: Plan, do: Do = plainly) -> None:
    """Apply a plan that passed the check, settle what became of it, and prove it."""
    do(dependants.keep, run)
    apply(run, plan, do)
    do(steps.settle_run, run)
    do(steps.read_back, run)
    prove(run, do)
    # Last of all: what is only shown takes no request from what is written or proven.
    do(read_appointments, run)


def apply(run: Run, plan: Plan, do: Do = plainly) -> None:
    """Write chunk by chunk until the plan is done or the run has to stop; what is left is planned again next time."""
    do(steps.begin_apply, run)
    for chunk in chunks(steps.operations(run), run.pair.apply.chunk):
        if steps.must_stop(run):
            break
        do(steps.apply, run, chunk)
        CURRENT.count("writes", len(chunk), total=plan.writes)
    steps.must_stop(run)  # also in the last chunk: then nothing is read back
    do(steps.resolve_doubts, run)


def prove(run: Run, do: Do = plainly) -> None:
    """Read both sides anew and plan again: what is still to do, with its reasons, is the convergence certificate."""
    if run.verify_mode == "full" and not run.stopped:
        try:
            with run.again() as second:
                compare(second, do)
                run.replan = do(steps.make_plan, second)
        except (
            ConnectorError,
            Refused,
        ) as error:  # all is written and settled by now: what was done has to be told
            run.halt(
                error,
                what="both sides could not be read again, so nothing proves that they agree: ",
            )
