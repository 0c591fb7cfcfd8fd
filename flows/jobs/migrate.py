"""The one-time load, in either direction.

A full run that creates on the side that the load goes to.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from flows.jobs.full import Whole
from flows.run import Run
from flows.runner import Do, Job, Step
from flows.steps import suggestions
from reconcile.entities import SWEPT
from reconcile.ledger import runs
from reconcile.model import Side
from reconcile.values.mapping import EntityMap, Mapping
from reconcile.values.policy import OnCreate

if TYPE_CHECKING:
    from flows.config import Pair

Mode = Literal["match-only", "match-then-create", "create-only"]
To = Literal["ghl", "app", "both"]

NOTES_SHARE = 0.25
"""Share of the day's remaining requests that a leg reads notes with.

The rest is for the load itself.
"""

ALLOWED = frozenset({"first-creates", "creates"})
"""What an approved migration may do beyond a nightly run: creating is what it is for.

Deletions stay limited.
"""


@dataclass(frozen=True, slots=True)
class Move:
    """What is asked for: where records are created.

    It also says whether records that are there already are looked for first.

    What matches is linked, and from then on reconciled by the pair's own rules. match-only links
    and writes nothing.
    """

    to: To = "ghl"
    mode: Mode = "match-then-create"
    wait: bool = False

    @property
    def name(self) -> str:
        """What a run of it is known by in the ledger."""
        return f"{self.mode} to {self.to}"


@dataclass(frozen=True, kw_only=True)
class Migrate(Whole):
    """One leg of a load: what it could not do for want of quota, the next one plans again."""

    name: str = "migrate"
    move: Move = Move()
    suggests: bool = True
    unwritten: tuple[Step, ...] = (suggestions.keep,)

    @property
    def links_only(self) -> bool:
        """Whether it links what matches, and sends nothing."""
        return self.move.mode == "match-only"

    def prepare(self, run: Run, _do: Do) -> tuple[Run, Job]:
        """Note which load it is, and keep requests for it."""
        if self.writes:  # by that the next call knows which load it goes on with
            runs.annotate(run.ledger, run.run_id, move=self.move.name)
        if self.writes and not self.approved:
            run = _spared(run)
        return run, self


def shaped(pair: Pair, move: Move) -> Pair:
    """The pair as the migration sees it.

    Creates where the move goes, matching only where it is asked for.
    """
    create = OnCreate.NONE if move.mode == "match-only" else OnCreate(move.to)

    def one(mapped: EntityMap) -> EntityMap:
        match = () if move.mode == "create-only" else mapped.match
        return replace(mapped, create=create, match=match)

    return replace(pair, mapping=Mapping(tuple(one(mapped) for mapped in pair.mapping.entities)))


def _spared(run: Run) -> Run:
    """Keep the reading of notes, a request a contact, from eating up the quota.

    The load needs it (docs/ghl.md#request-budget).
    """
    described = run.described[Side.GHL]
    left = run.connectors[Side.GHL].usage().remaining_today
    swept = [entity for entity in SWEPT if entity in run.mapping]
    if left is None or not swept or not any(described.costs.values()):
        return run
    most = max(1, int(left * NOTES_SHARE))
    budgets = {}
    for entity in swept:
        budget = getattr(run.pair.ghl, entity.budget)
        budgets[entity.budget] = most if budget is None else min(budget, most)
    ghl = run.pair.ghl.model_copy(update=budgets)
    return run.about(pair=replace(run.pair, ghl=ghl))
