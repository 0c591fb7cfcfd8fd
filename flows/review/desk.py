"""What an answer is given at: the ledger, what the runs' reports say of it, and a clock."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from flows.outcome.links import NO_LINKS, Links
from flows.outcome.sought import Sources
from flows.review.questions import Evidence, Question, questions
from reconcile.ledger.ledger import Ledger
from reconcile.plan.limits import Limits

_USUAL = Limits()


@dataclass(frozen=True, slots=True)
class Desk:
    """The ledger (no lease is taken, so runs go on), the runs' reports, who decides, and a clock.

    `fields` are those that the pair file maps, where it is known. `sources` opens what is asked why
    a record is as it is, where there is a pair file.
    """

    ledger: Ledger
    evidence: Evidence
    by: str
    now: Callable[[], str]
    fields: tuple[str, ...] = ()
    links: Links = NO_LINKS
    limits: Limits = _USUAL
    sources: Callable[[], AbstractContextManager[Sources]] | None = None

    def questions(self) -> list[Question]:
        """All open questions, as they are now."""
        return questions(self.ledger, self.evidence, now=self.now())

    def question(self, hold_id: str) -> Question | None:
        """One of them."""
        return next((each for each in self.questions() if each.hold_id == hold_id), None)
