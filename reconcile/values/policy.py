"""Declared behaviour, and the verdict it gives for each situation of a field.

Pure, total, and small enough to enumerate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from typing import Literal

from reconcile.model import Kind, Side


class Flow(StrEnum):
    """Which way a field's edits travel. A one-way field is owned by the side it comes from."""

    BOTH = "both"
    TO_GHL = "app->ghl"
    TO_APP = "ghl->app"

    @property
    def owner(self) -> Side | None:
        """The owning side of a one-way field."""
        return {Flow.TO_GHL: Side.APP, Flow.TO_APP: Side.GHL}.get(self)


class OnConflict(StrEnum):
    """What happens where both sides moved to different values."""

    HOLD = "hold"
    APP = "app"
    GHL = "ghl"
    NEWEST = "newest"
    UNION = "union"
    RESTRICT = "restrict"


class Drift(StrEnum):
    """What happens where the side that does not own a one-way field moved it."""

    REVERT = "revert"
    LEAVE = "leave"


class Blank(StrEnum):
    """Whether clearing a value on one side clears it on the other."""

    KEEP = "keep"
    CLEAR = "clear"


class OnCreate(StrEnum):
    """On which sides a record that exists only across may be created."""

    BOTH = "both"
    APP = "app"
    GHL = "ghl"
    NONE = "none"

    def allows(self, side: Side) -> bool:
        """Whether records may be created on `side`."""
        return self is OnCreate.BOTH or self.value == side.value


class OnDelete(StrEnum):
    """What happens to a record on this side when its counterpart is gone."""

    HOLD = "hold"
    MIRROR = "mirror"
    ARCHIVE = "archive"
    IGNORE = "ignore"


class OnMerge(StrEnum):
    """What happens to the counterpart of a record that was merged into another one."""

    HOLD = "hold"
    RELINK = "relink"


@dataclass(frozen=True, slots=True)
class Rule:
    """The behaviour of one field."""

    flow: Flow = Flow.BOTH
    conflict: OnConflict = OnConflict.HOLD
    drift: Drift = Drift.REVERT
    blank: Blank = Blank.KEEP
    opt_in: bool = False
    """Of a consent: whether a newer "yes" travels to a side that says no."""
    computed: bool = False
    """The value is computed of others of its record; the words alone depend on that."""

    @property
    def consent(self) -> bool:
        """Whether the field says if a person may be written to: a "no" of either side wins then."""
        return self.conflict is OnConflict.RESTRICT


TAGS = Rule(conflict=OnConflict.UNION, blank=Blank.CLEAR)
"""The default for sets: an element removed on one side is removed on the other.

Where both moved apart, it stays.
"""


About = Literal["value", "tag", "element"]


@dataclass(frozen=True, slots=True)
class Situation:
    """All that a verdict may depend on.

    Never the values themselves, so that every situation can be listed and tested.

    `app_dnd` and `ghl_dnd` are whether a side says "do not disturb", and `lasting` whether that is
    one that the person alone can lift; only of a consent (`Rule.consent`) is that known. `about` is
    what it is about: a value, one tag, or one element of another set; the words alone depend on
    that.
    """

    kind: Kind
    newer: Side | None = None
    app_blank: bool = False
    ghl_blank: bool = False
    app_dnd: bool = False
    ghl_dnd: bool = False
    lasting: bool = False
    about: About = "value"

    def blank(self, side: Side) -> bool:
        """Whether `side` holds nothing."""
        return self.app_blank if side is Side.APP else self.ghl_blank

    def dnd(self, side: Side) -> bool:
        """Whether `side` says "do not disturb"."""
        return self.app_dnd if side is Side.APP else self.ghl_dnd


@dataclass(frozen=True, slots=True)
class Agree:
    """Both sides shall hold `winner`'s value.

    `ground` is why a "yes" may travel; nothing else has one.
    """

    winner: Side
    because: str
    ground: str = ""


@dataclass(frozen=True, slots=True)
class Ask:
    """A person decides."""

    because: str


@dataclass(frozen=True, slots=True)
class Leave:
    """Both sides stay as they are."""

    because: str


Verdict = Agree | Ask | Leave


def decide(rule: Rule, situation: Situation) -> Verdict:
    """The verdict of `rule` in `situation`."""
    if rule.consent and situation.kind is not Kind.CONVERGED:
        return _restrict(rule, situation)
    return _decide(rule, situation)


def _restrict(rule: Rule, situation: Situation) -> Verdict:
    """Of a consent, the "no" of either side wins at any time.

    A "yes" travels where the rule lets it.
    """
    denying = [side for side in Side if situation.dnd(side)]
    if len(denying) == 2:
        return Leave("both sides say no, one of them for good")
    if denying:
        return _denied(rule, situation, denying[0])
    return _silent(situation)


def _denied(rule: Rule, situation: Situation, denier: Side) -> Verdict:
    """One side says no, the other one yes or nothing."""
    other, owner = denier.other, rule.flow.owner
    newly = situation.kind is _MOVED[other] and not situation.blank(other)
    if newly and owner is denier and rule.drift is Drift.LEAVE:
        return Leave(f"the field comes from {denier.label}; the rule leaves what the other holds")
    if newly and owner is not denier and not situation.lasting:
        return _opted_in(rule, other)
    if owner is other:
        return Leave(
            f"the field comes from {other.label}; but {denier.label} says no, "
            "and that is not lifted"
        )
    if newly and situation.lasting:
        return Agree(
            denier, f"{denier.label} says no for good: the person alone can lift that, not a run"
        )
    return Agree(denier, f"{denier.label} says no, and a no of either side wins")


def _opted_in(rule: Rule, mover: Side) -> Verdict:
    said = f"{mover.label} says yes since, {mover.other.label} still says no"
    if rule.opt_in:
        return Agree(mover, said, ground=f"changed in {mover.label}, not in {mover.other.label}")
    return Ask(f"{said}: a no is not lifted unasked")


def _silent(situation: Situation) -> Verdict:
    """One side says yes, the other one nothing.

    That is no yes, and a merge may have brought the other's there.
    """
    silent = Side.APP if situation.app_blank else Side.GHL
    speaker = silent.other.label
    return Leave(f"{speaker} says yes, {silent.label} nothing, and silence is not made a yes")


_MOVED = {Side.APP: Kind.APP_MOVED, Side.GHL: Kind.GHL_MOVED}


def _decide(rule: Rule, situation: Situation) -> Verdict:
    match situation.kind:
        case Kind.STANDING:
            return _standing(rule, situation)
        case Kind.APP_MOVED:
            return _moved(rule, situation, Side.APP)
        case Kind.GHL_MOVED:
            return _moved(rule, situation, Side.GHL)
        case Kind.CONFLICT:
            return _both_moved(rule, situation)
        case Kind.CONVERGED:
            return Leave("both sides hold the same value")


def _standing(rule: Rule, situation: Situation) -> Verdict:
    """The sides differ as before and neither moved.

    It is left where a rule wants it so, and asked about where none does.
    """
    owner = rule.flow.owner
    if owner is not None and rule.drift is Drift.LEAVE:
        return Leave(f"{_origin(rule, owner)}; the rule leaves what {owner.other.label} holds")
    if rule.blank is Blank.KEEP:
        # Of a one-way field only the owner's blank counts: the other side's would be filled.
        for side in Side:
            if situation.blank(side) and owner in (None, side):
                return Leave(f"blank in {side.label}, and a blank does not clear a value")
    return Ask("the sides differ, neither moved, and nothing on record says why")


def _moved(rule: Rule, situation: Situation, mover: Side) -> Verdict:
    owner = rule.flow.owner
    if owner is None or owner is mover:
        return _agree(rule, situation, mover, _moved_because(situation, mover))
    drifted = f"changed in {mover.label}, but {_origin(rule, owner)}"
    if rule.drift is Drift.LEAVE:
        return Leave(f"{drifted}; the rule leaves it")
    return _agree(rule, situation, owner, f"{drifted}: restored")


def _origin(rule: Rule, owner: Side) -> str:
    """Why a field that flows one way is not taken from the other side."""
    if rule.computed:
        return f"the field is computed in {owner.label}"
    return f"the field comes from {owner.label}"


def _moved_because(situation: Situation, mover: Side) -> str:
    """Where the other side is blank nothing need have changed.

    A first run finds one side filled and the other not.
    """
    other = mover.other
    there = situation.blank(other) and not situation.blank(mover)
    if there and situation.about == "value":
        return f"filled in {mover.label}, blank in {other.label}"
    if there and situation.about == "tag":
        return f"in {mover.label}, not in {other.label}"
    return f"changed in {mover.label}, not in {other.label}"


def _both_moved(rule: Rule, situation: Situation) -> Verdict:
    owner = rule.flow.owner
    if owner is not None:
        return _agree(rule, situation, owner, f"changed on both sides; {_origin(rule, owner)}")
    filled = Side.GHL if situation.app_blank else Side.APP
    if rule.conflict is OnConflict.UNION:
        # Of one element: the side that has it still, or again, has the word.
        return Agree(filled, "changed on both sides; what either holds is kept")
    if rule.blank is Blank.KEEP and situation.app_blank != situation.ghl_blank:
        cleared = f"cleared in {filled.other.label}, changed in {filled.label}"
        return Agree(filled, f"{cleared}; a blank does not clear a value")
    match rule.conflict:
        case OnConflict.APP | OnConflict.GHL:
            winner = Side(rule.conflict.value)
            return _agree(
                rule, situation, winner, f"changed on both sides; the rule prefers {winner.label}"
            )
        case OnConflict.NEWEST if situation.newer is not None:
            newer = situation.newer
            return _agree(
                rule, situation, newer, f"changed on both sides; {newer.label} was changed last"
            )
        case OnConflict.NEWEST:
            return Ask(
                "changed on both sides to different values, and which came last is not known"
            )
    return Ask("changed on both sides to different values")


def _agree(rule: Rule, situation: Situation, winner: Side, because: str) -> Verdict:
    if rule.blank is Blank.KEEP and situation.blank(winner):
        return Leave(f"{because}; but it is blank there, and a blank does not clear a value")
    return Agree(winner, because)


def situations(*, consent: bool = False, about: About = "value") -> Iterator[Situation]:
    """Every situation there is.

    The set engine looks verdicts up in it, instead of calling Python for each field.

    With `consent` those in which a side says "do not disturb", which a blank does not, for good or
    not; `about` is what they are all about.
    """
    # (blank, dnd): a blank says nothing, and so no "do not disturb" either.
    states = [(False, False), (True, False)]
    if consent:
        states = [(False, False), (False, True), (True, False)]
    for kind, newer, app, ghl in product(Kind, (None, *Side), states, states):
        (app_blank, app_dnd), (ghl_blank, ghl_dnd) = app, ghl
        # Two yeses, or two blanks, are equal.
        if consent and kind is not Kind.CONVERGED and app == ghl and not app_dnd:
            continue
        lastings = (False, True) if app_dnd or ghl_dnd else (False,)
        for lasting in lastings:
            yield Situation(
                kind, newer, app_blank, ghl_blank, app_dnd, ghl_dnd, lasting=lasting, about=about
            )
