"""The one-time load, in either direction: leg by leg over as many days as the quota takes, by the same plan, journal and settlement."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from flows import sync
from flows.jobs.cutover import Cutover, cutover
from flows.opening import open_run
from flows.outcome.tell import Told, tell, tell_refused
from flows.run import Options, Run
from flows.steps import ends, steps, suggestions
from flows.sync import Do, plainly
from reconcile.errors import Exhausted, Refused, Stopped
from reconcile.ledger import runs
from reconcile.ledger.ledger import Ledger
from reconcile.model import Entity, Side
from reconcile.plan.plan import Plan
from reconcile.values.mapping import EntityMap, Mapping
from reconcile.values.policy import OnCreate

if TYPE_CHECKING:
    from flows.config import Pair

log = logging.getLogger("flows.jobs.migrate")

Mode = Literal["match-only", "match-then-create", "create-only"]
To = Literal["ghl", "app", "both"]

PAUSE_SECONDS = 1_800.0
"""How long a migration that waits for the quota waits before it looks again: a look costs a request or two."""

NOTES_SHARE = 0.25
"""Share of the day's remaining requests that a leg reads notes with: the rest is for the load itself."""

ALLOWED = frozenset({"first-creates", "creates"})
"""What an approved migration may do beyond a nightly run: creating is what it is for. Deletions stay limited."""


@dataclass(frozen=True, slots=True)
class Move:
    """What is asked for: where records are created, and whether records that are there already are looked for first.

    What matches is linked, and from then on reconciled by the pair's own rules. match-only links and writes nothing.
    """

    to: To = "ghl"
    mode: Mode = "match-then-create"
    wait: bool = False

    @property
    def name(self) -> str:
        """What a run of it is known by in the ledger."""
        return f"{self.mode} to {self.to}"


@dataclass(frozen=True, slots=True)
class Moved:
    """What a migration came to so far: the last leg's report, the cutover report, how many legs, and whether it is complete."""

    told: Told
    report: Cutover
    legs: int
    complete: bool


def shaped(pair: Pair, move: Move) -> Pair:
    """The pair as the migration sees it: creates where the move goes, matching only where it is asked for."""
    create = OnCreate.NONE if move.mode == "match-only" else OnCreate(move.to)

    def one(mapped: EntityMap) -> EntityMap:
        match = () if move.mode == "create-only" else mapped.match
        return replace(mapped, create=create, match=match)

    return replace(pair, mapping=Mapping(tuple(one(mapped) for mapped in pair.mapping.entities)))


def begun(ledger: Ledger, move: Move) -> bool:
    """Whether this very migration was approved and began to write, and is not complete: then it goes on without being asked for again."""
    carrying = ("applying", "settled", "stopped", "recovered")
    legs = [
        row
        for row in runs.runs(ledger, limit=1_000)
        if row.job == "migrate" and row.state in carrying
    ]
    newest = next((row.summary for row in legs if row.summary.get("move") == move.name), None)
    return newest is not None and not newest.get("complete")


def propose(pair: Pair, move: Move, do: Do = plainly) -> Told:
    """Plan the whole load and write nothing: what a person looks at, and approves by its digest."""
    with open_run(shaped(pair, move), Options("migrate", writes=False)) as run:
        return sync.reconcile(run, do)


def migrate(
    pair: Pair,
    move: Move,
    do: Do = plainly,
    *,
    approved: str | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Moved:
    """Carry the load out until nothing is left to do, or until the quota is spent; with `wait`, go on when it resets.

    `approved` is the digest of the plan that was looked at: the first leg carries out exactly that. Without it the caller
    has a person's word. Raises Refused, StalePlan and Locked like a run.
    """
    legs, left, digest = 0, math.inf, approved
    while True:
        leg = _leg(pair, move, do, digest=digest)
        legs, digest = legs + 1, None
        log.info(
            "leg", extra={"leg": legs, "done": leg.done, "left": leg.left, "stopped": leg.stopped}
        )
        if leg.stopped and move.wait and not leg.asked:
            sleep(max(PAUSE_SECONDS, (leg.failure and leg.failure.until_seconds) or 0.0))
        elif leg.stopped or leg.over or leg.left >= left:
            break
        left = left if leg.stopped else leg.left
    if leg.moved is None:
        raise leg.failure or Refused("the migration could not begin")
    told, report = leg.moved
    return Moved(told, report, legs, complete=report.complete)


@dataclass(frozen=True, slots=True)
class _Leg:
    moved: tuple[Told, Cutover] | None = None
    done: int = 0
    left: int = 0
    stopped: bool = False
    linked_only: bool = False
    failure: Exhausted | None = None
    asked: bool = False
    """Whether somebody asked the job to end: then it waits for no quota."""

    @property
    def over(self) -> bool:
        """Nothing left to plan, or nothing that trying again would change."""
        return not self.stopped and (not self.left or not self.done or self.linked_only)


def _leg(pair: Pair, move: Move, do: Do, *, digest: str | None) -> _Leg:
    """One run of the migration, from reading both sides to settling what was done."""
    options = Options("migrate", ALLOWED)
    try:
        with open_run(shaped(pair, move), options, plan_digest=digest) as run:
            plan = _planned(run, digest, do)
            _checked(run, plan, do)
            runs.annotate(run.ledger, run.run_id, move=move.name)
            if move.mode == "match-only":
                do(ends.claim, run)
            else:
                sync.apply(run, plan, do)
            do(steps.settle_run, run)
            do(steps.read_back, run)
            told = tell(run, "stopped" if run.stopped else "settled")
            report = cutover(run, told)
            runs.annotate(run.ledger, run.run_id, move=move.name, complete=report.complete)
            linked_only = move.mode == "match-only"
            stopped, asked = bool(run.stopped), run.ending.asked
            return _Leg((told, report), report.done, plan.writes, stopped, linked_only, asked=asked)
    except Exhausted as failure:
        return _Leg(stopped=True, failure=failure, asked=isinstance(failure, Stopped))


def _checked(run: Run, plan: Plan, do: Do) -> None:
    try:
        do(steps.check, run, plan)
    except Refused as refusal:
        tell_refused(run, refusal)
        raise


def _planned(run: Run, digest: str | None, do: Do) -> Plan:
    """The leg's plan: the approved one as it was shown, or one of both sides as they are now."""
    do(steps.recover, run)
    if digest is not None:
        plan: Plan = do(steps.take_over, run, digest)
        return plan
    _spare(run)
    sync.compare(run, do)
    do(suggestions.suggest, run)
    made: Plan = do(steps.make_plan, run)
    return made


def _spare(run: Run) -> None:
    """Keep the reading of notes, a request a contact, from eating the quota that the load needs (facts.md section 9)."""
    described = run.described[Side.GHL]
    left = run.connectors[Side.GHL].usage().remaining_today
    if left is None or Entity.NOTE not in run.mapping or not any(described.costs.values()):
        return
    most = max(1, int(left * NOTES_SHARE))
    asked = run.pair.ghl.notes_budget
    budget = most if asked is None else min(asked, most)
    run.pair = replace(run.pair, ghl=run.pair.ghl.model_copy(update={"notes_budget": budget}))
