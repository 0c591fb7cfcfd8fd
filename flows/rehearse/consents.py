"""What the check says of a consent: the "no" of either side wins, and no run lifts it unasked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from flows.rehearse.book import SIDES, Typed, other
from flows.rehearse.rules import ALLOWED, DENIED, PERMANENT, Rule, Value

NOES = frozenset({DENIED, PERMANENT})
"""What forbids to write to a person."""


@dataclass(frozen=True, slots=True)
class Said:
    """One channel of one person: what each side said before the night, says now, what was typed.

    `decided`: somebody answered a question about it. `named`: the report says that the sides
    differ. `agreed`: the run said that both sides agree.
    """

    rule: Rule
    was: Mapping[str, Value]
    now: Mapping[str, Value]
    there: frozenset[str]
    """The sides on which the person was before the night."""
    typed: Mapping[str, Typed]
    decided: bool
    named: bool
    agreed: bool

    @property
    def denying(self) -> tuple[str, ...]:
        """The sides that say no now."""
        return tuple(side for side in SIDES if self.now[side] in NOES)

    @property
    def settled(self) -> bool:
        """Whether nothing is owed any longer: both sides say no, or neither does."""
        return len(self.denying) != 1


def broken(said: Said) -> Iterator[tuple[str, str]]:
    """The kind and the words of everything that must never be."""
    for side in SIDES:
        if side not in said.there or said.decided:
            continue
        changed = f"{side}: {said.was[side]!r} became {said.now[side]!r}"
        if _lifted(said, side):
            across = said.now[other(side)]
            yield "loosened", f"{changed}, across is {across!r}"
        if _made_up(said, side):
            yield "invented", f"{changed}, and nobody had said no"
    if said.settled or _left(said):
        return
    (denier,) = said.denying
    apart = f"{denier} says no, and {other(denier)} does not"
    if not (said.named or said.decided):
        yield "unmentioned", apart
    if said.agreed:
        yield "agree", apart


def _lifted(said: Said, side: str) -> bool:
    """Whether a no is gone, or silence became a yes, and no person did it."""
    was = said.was[side]
    now = said.now[side]
    mine = said.typed.get(side)
    theirs = said.typed.get(other(side))
    denied = was in NOES or (mine is not None and mine.value in NOES)
    lifted = denied and now not in NOES
    raised = was is None and now == ALLOWED
    if not (lifted or raised):
        return False
    by_hand = mine is not None and mine.value == now
    travelled = said.rule.opt_in and theirs is not None and theirs.value == ALLOWED
    return not (by_hand or travelled)


def _made_up(said: Said, side: str) -> bool:
    """Whether a no came that nobody had said."""
    was = said.was[side]
    now = said.now[side]
    if now not in NOES or was in NOES:
        return False
    words = [one.value for one in said.typed.values()]
    words.append(said.was[other(side)])
    return not NOES.intersection(words)


def _left(said: Said) -> bool:
    """Whether one side may say no alone: by a one-way rule, or until the next run."""
    (denier,) = said.denying
    rule = said.rule
    if rule.owner == other(denier):
        return True
    if rule.owner and rule.leaves:
        return True
    return any(one.during for one in said.typed.values())
