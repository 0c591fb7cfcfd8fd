"""A migration as a person asks for it.

A proposal, then leg by leg over as many days as the quota takes.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flows.jobs.migrate import ALLOWED, Migrate, Move, shaped
from flows.opening import open_run
from flows.outcome.cutover import Cutover, cutover
from flows.outcome.tell import Told
from flows.run import Options
from flows.runner import Do, carry_out, plainly, run_job
from reconcile.errors import Exhausted, Refused, Stopped
from reconcile.ledger import runs
from reconcile.ledger.ledger import Ledger

if TYPE_CHECKING:
    from flows.config import Pair

log = logging.getLogger("flows.jobs.legs")

PAUSE_SECONDS = 1_800.0
"""How long a migration that waits for the quota waits before it looks again.

A look costs a request or two.
"""


@dataclass(frozen=True, slots=True)
class Moved:
    """What a migration came to so far.

    The last leg's report, the cutover report, how many legs, and whether it is complete.
    """

    result: Told
    report: Cutover
    legs: int
    complete: bool


def begun(pair: Pair, move: Move) -> bool:
    """Whether this very migration was approved and began to write, and is not complete.

    Then it goes on without being asked for again.
    """
    carrying = ("applying", "settled", "stopped", "recovered")
    with closing(Ledger(pair.ledger_url.get_secret_value(), pair.name)) as ledger:
        rows = runs.runs(ledger, limit=1_000)
    for row in rows:  # newest first
        if row.job != "migrate" or row.state not in carrying:
            continue
        if row.summary.get("move") == move.name:
            return not row.summary.get("complete")
    return False


def propose(pair: Pair, move: Move, do: Do = plainly) -> Told:
    """Plan the whole load and write nothing: what a person looks at, and approves by its digest."""
    return run_job(shaped(pair, move), Migrate(move=move, writes=False), do)


def migrate(
    pair: Pair,
    move: Move,
    do: Do = plainly,
    *,
    approved: str | None = None,
    by: str = "",
    sleep: Callable[[float], None] = time.sleep,
) -> Moved:
    """Carry the load out until nothing is left to do, or until the quota is spent.

    With `wait`, go on when it resets.

    `approved` is the digest of the plan that was looked at: the first leg carries out exactly that.
    Without it the caller has a person's word. `by` names that person. Raises Refused, StalePlan and
    Locked like a run.
    """
    legs, left, digest = 0, math.inf, approved or ""
    while True:
        leg = _leg(pair, Migrate(move=move, approved=digest), do, by)
        legs, digest = legs + 1, ""
        log.info(
            "leg", extra={"leg": legs, "done": leg.done, "left": leg.left, "stopped": leg.stopped}
        )
        if leg.stopped and move.wait and not leg.interrupted:
            until = leg.failure.until_seconds if leg.failure else None
            sleep(max(PAUSE_SECONDS, until or 0.0))
        elif leg.stopped or leg.over or leg.left >= left:
            # Where nothing became less, another leg would do the same again, for ever.
            break
        if not leg.stopped:
            left = leg.left
    if leg.moved is None:
        raise leg.failure or Refused("the migration could not begin")
    result, report = leg.moved
    return Moved(result, report, legs, complete=report.complete)


@dataclass(frozen=True, slots=True)
class _Leg:
    moved: tuple[Told, Cutover] | None = None
    done: int = 0
    left: int = 0
    stopped: bool = False
    linked_only: bool = False
    failure: Exhausted | None = None
    interrupted: bool = False
    """Whether somebody asked the job to end: then it waits for no quota."""

    @property
    def over(self) -> bool:
        """Nothing left to plan, or nothing that trying again would change."""
        return not self.stopped and (not self.left or not self.done or self.linked_only)


def _leg(pair: Pair, job: Migrate, do: Do, by: str) -> _Leg:
    """One run of the migration, from reading both sides to settling what was done."""
    options = Options(job.name, ALLOWED, by=by, unseen=bool(by) and not job.approved)
    try:
        with open_run(shaped(pair, job.move), options, plan_digest=job.approved or None) as run:
            result = carry_out(run, job, do)
            report = cutover(run, result)
            runs.annotate(run.ledger, run.run_id, move=job.move.name, complete=report.complete)
            return _Leg(
                moved=(result, report),
                done=report.done,
                left=report.planned,
                stopped=bool(run.course.stopped),
                linked_only=job.links_only,
                interrupted=run.ending.requested,
            )
    except Exhausted as failure:
        return _Leg(stopped=True, failure=failure, interrupted=isinstance(failure, Stopped))
