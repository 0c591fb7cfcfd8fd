"""Questions that share a record are one tangle: which of its records are one is answered once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from flows.review.questions import Question, Shown
from flows.review.together import Proposal
from reconcile.errors import StateError
from reconcile.model import Side
from reconcile.report import asking

WHICH = ("ambiguous", "duplicate")
"""Kinds of questions that ask which record is which."""

OTHERS = {
    "create": "each is a record of its own",
    "ignore": "leave them out",
    "": "ask about them again after the next run",
}
"""What can be done with the records of a tangle that are not one of the two."""

_NONE = "none"

End = tuple[str, str, str]
"""Entity, side and key of a record."""


@dataclass(frozen=True, slots=True)
class Couple:
    """Two records that a question offers to link: by key, and as people call them."""

    app_key: str
    ghl_key: str
    app: str
    ghl: str

    @property
    def name(self) -> str:
        """What a form calls it."""
        return f"{self.app_key} {self.ghl_key}"


@dataclass(frozen=True, slots=True)
class Tangle:
    """Questions about which record is which that share records, oldest first."""

    questions: tuple[Question, ...]

    @property
    def records(self) -> tuple[Shown, ...]:
        """Every record that one of them speaks of, once; those of the app first."""
        known: dict[tuple[Side, str], Shown] = {}
        for each in self.questions:
            for shown in (*each.records, *each.candidates):
                known.setdefault((shown.side, shown.key), shown)
        return tuple(sorted(known.values(), key=lambda shown: (shown.side, shown.label)))

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields in which any of the records has a value."""
        names = {name for shown in self.records for name in shown.values}
        return tuple(sorted(names))

    @property
    def couples(self) -> tuple[Couple, ...]:
        """Every two records that one of the questions offers to link."""
        labels = {(shown.side, shown.key): shown.label for shown in self.records}
        couples = {}
        for each in self.questions:
            for app_key, ghl_key in _links(each):
                app = labels.get((Side.APP, app_key), app_key)
                ghl = labels.get((Side.GHL, ghl_key), ghl_key)
                couples[app_key, ghl_key] = Couple(app_key, ghl_key, app, ghl)
        return tuple(couples.values())

    def settle(self, couple: str, others: str) -> Proposal:
        """One answer for all: these two are one (or none are), and this is done with the others.

        The question about the other end of the link closes by itself. Raises StateError (NO_CHOICE)
        where the tangle has no such couple, or where nothing would be answered.
        """
        chosen = next((each for each in self.couples if each.name == couple), None)
        if others not in OTHERS or (chosen is None and couple != _NONE):
            raise StateError(
                "that is no answer to these questions", remedy="choose again", code="NO_CHOICE"
            )
        ends = {(Side.APP, chosen.app_key), (Side.GHL, chosen.ghl_key)} if chosen else set()
        answers = []
        for each in self.questions:
            link = _link_to(each, chosen)
            if link is not None:
                answers.append((each, link))
            # The question about the other end of the link is left alone: it closes with the link.
            elif others in each.options and others and (each.side, _own_key(each)) not in ends:
                answers.append((each, others))
        if not answers:
            raise StateError(
                "nothing would be answered",
                remedy="say which two are one, or what is done with the others",
                code="NO_CHOICE",
            )
        return Proposal(tuple(answers))


def _own_key(question: Question) -> str:
    """The key of the record that a question is about."""
    own = question.app_key if question.side is Side.APP else question.ghl_key
    return own or ""


def _links(question: Question) -> Iterable[tuple[str, str]]:
    """The links that a question offers, as (app_key, ghl_key)."""
    own = _own_key(question)
    for option in question.options:
        if option.startswith(asking.LINK):
            other = option.removeprefix(asking.LINK)
            yield (own, other) if question.side is Side.APP else (other, own)


def _link_to(question: Question, couple: Couple | None) -> str | None:
    """The option that makes these two one, where this question offers it."""
    if couple is None or (couple.app_key, couple.ghl_key) not in _links(question):
        return None
    other = couple.ghl_key if question.side is Side.APP else couple.app_key
    return f"{asking.LINK}{other}"


def _ends(question: Question) -> Iterable[End]:
    for shown in (*question.records, *question.candidates):
        yield question.entity, shown.side, shown.key
    if question.side is not None:
        yield question.entity, question.side, _own_key(question)
    for app_key, ghl_key in _links(question):
        yield question.entity, Side.APP, app_key
        yield question.entity, Side.GHL, ghl_key


def tangles(questions: Sequence[Question]) -> list[Tangle]:
    """The tangles among the questions: two and more, with a record in common at each step."""
    which = [each for each in questions if each.kind in WHICH]
    by_end: dict[End, list[str]] = defaultdict(list)
    for each in which:
        for end in _ends(each):
            by_end[end].append(each.hold_id)
    known = {each.hold_id: each for each in which}
    neighbours: dict[str, set[str]] = defaultdict(set)
    for hold_ids in by_end.values():
        for hold_id in hold_ids:
            neighbours[hold_id].update(hold_ids)
    seen: set[str] = set()
    result = []
    for each in which:
        members = _reached(each.hold_id, neighbours, seen)
        if len(members) > 1:
            result.append(Tangle(tuple(known[name] for name in known if name in members)))
    return result


def _reached(start: str, neighbours: dict[str, set[str]], seen: set[str]) -> set[str]:
    """All that are reached from one of them, step by step; nothing for one that was seen before."""
    members: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            members.add(name)
            waiting += neighbours[name]
    return members


def tangle_of(questions: Sequence[Question], hold_id: str) -> Tangle | None:
    """The tangle that a question is in, if it is in one."""
    for tangle in tangles(questions):
        if any(each.hold_id == hold_id for each in tangle.questions):
            return tangle
    return None
