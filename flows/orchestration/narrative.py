"""Tells the log of a flow run how its steps go.

Each one's beginning and end, with what it counted and without anybody's value.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from prefect.logging.handlers import APILogHandler
from prefect.runtime import flow_run

from flows.clock import took
from flows.progress import STEPS
from flows.run import PROOF, Run
from reconcile.plan.plan import Plan
from reconcile.report.verdict import many

log = logging.getLogger("ghl-reconcile.steps")
log.setLevel(logging.INFO)
# The command line shows its own progress; these lines are for Prefect's page of the run.
log.propagate = False
log.addHandler(APILogHandler())

Step = Callable[..., Any]


def narrated(step: Step, arguments: Sequence[Any], carry_out: Callable[[], Any]) -> Any:
    """Carry out a step, and log when it begins and when it ends, or that it failed."""
    words = _words(step, arguments)
    _log(words)
    began = time.monotonic()
    try:
        result = carry_out()
    except BaseException:
        _log(f"{words}: failed after {_lasted(began)}")
        raise
    counted = _counted(step.__name__, arguments, result) or "done"
    _log(f"{words}: {counted}, {_lasted(began)}")
    return result


def _lasted(began: float) -> str:
    """How long it took since then."""
    seconds = time.monotonic() - began
    if seconds >= 1:
        return took(seconds)
    return "under a second"


def _log(words: str) -> None:
    # A step that is called outside of a flow run has no page to stand on.
    if flow_run.id:
        log.info(words)


def _words(step: Step, arguments: Sequence[Any]) -> str:
    words = STEPS.get(step.__name__, step.__name__.replace("_", " "))
    again = bool(arguments) and str(getattr(arguments[0], "run_id", "")).endswith(PROOF)
    if again:
        return f"checking afterwards: {words}"
    return words


def _counted(name: str, arguments: Sequence[Any], result: Any) -> str:
    """What a step came to, in figures."""
    match name:
        case "stage":
            return _read(arguments[0])
        case "make_plan" | "take_over":
            return _planned(result)
        case "apply":
            return many(len(arguments[1]), "write")
        case "read_back":
            wrong = len(arguments[0].course.residuals)
            return f"{many(wrong, 'record')} not as written"
        case _:
            return ""


def _read(run: Run) -> str:
    """1,000 contacts of the app, 990 contacts of GHL."""
    snapshots = sorted(run.stage.snapshots.items())
    return ", ".join(
        f"{entity.counted(seen.rows)} of {side.label}" for (entity, side), seen in snapshots
    )


def _planned(plan: Plan) -> str:
    questions = sum(plan.holds.values())
    return f"{many(plan.writes, 'write')} planned, {many(questions, 'question')}"
