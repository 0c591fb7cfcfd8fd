"""Answers many questions in one act: which are alike, and what the answer to all will do."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from flows.review import wording
from flows.review.deciding import Changed, Recorded, answer_all
from flows.review.desk import Desk
from flows.review.questions import Question
from reconcile.errors import StateError
from reconcile.report import asking
from reconcile.report.decisions import Decided

ONE_LINK = "link"
"""The answer to several questions, each of which has one candidate: it is that one."""

_FIRST = 10
"""So many of the answers are shown one by one in a preview."""


@dataclass(frozen=True, slots=True)
class Group:
    """Questions that are alike: of the same kind, entity and field, with the same answers.

    `options` fit each of them.
    """

    kind: str
    entity: str
    field: str
    options: tuple[str, ...]
    questions: tuple[Question, ...]

    @property
    def heading(self) -> str:
        """What they are about, in a heading."""
        return wording.kind(self.questions[0])

    def apart_from(self, hold_ids: Collection[str]) -> list[Question]:
        """Its questions without these."""
        return [each for each in self.questions if each.hold_id not in hold_ids]

    @property
    def name(self) -> str:
        """What the group is called in an address."""
        words = "\x1f".join((self.heading, self.kind, self.entity, self.field, *self.options))
        return hashlib.md5(words.encode(), usedforsecurity=False).hexdigest()[:12]


def groups(questions: Iterable[Question]) -> list[Group]:
    """The groups of two and more among the questions that wait for an answer, the largest first."""
    alike: dict[tuple[str, ...], list[Question]] = defaultdict(list)
    for each in questions:
        shared = shared_options(each)
        if shared and each.answer is None:
            key = (wording.kind(each), each.kind, each.entity, each.field_name, *shared)
            alike[key].append(each)
    result = [
        Group(kind, entity, field, tuple(options), tuple(members))
        for (_, kind, entity, field, *options), members in alike.items()
        if len(members) > 1
    ]
    return sorted(result, key=lambda group: -len(group.questions))


def shared_options(question: Question) -> tuple[str, ...]:
    """A question's options as they can be given to others as well: a key is of this one alone."""
    links = [option for option in question.options if option.startswith(asking.LINK)]
    rest = [option for option in question.options if not option.startswith(asking.LINK)]
    return (*([ONE_LINK] if len(links) == 1 else []), *rest)


def choice_for(question: Question, choice: str) -> str | None:
    """What `choice` is as the answer to this question; None where it has no such option."""
    if choice == ONE_LINK:
        links = [option for option in question.options if option.startswith(asking.LINK)]
        return links[0] if len(links) == 1 else None
    return choice if choice in question.options else None


@dataclass(frozen=True, slots=True)
class Proposal:
    """Answers that were chosen and not given yet, each with its question."""

    answers: tuple[tuple[Question, str], ...]

    @property
    def digest(self) -> str:
        """A name for these answers to these questions with these values."""
        parts = sorted(f"{each.hold_id}={each.digest}={choice}" for each, choice in self.answers)
        return hashlib.md5("\x1f".join(parts).encode(), usedforsecurity=False).hexdigest()[:12]

    @property
    def replaced(self) -> int:
        """How many of the questions have an answer already, which this one replaces."""
        return sum(each.answer is not None for each, _ in self.answers)

    @property
    def counts(self) -> list[tuple[int, str]]:
        """How many, and what is done to them, the most first."""
        counted = Counter(_what(each, choice) for each, choice in self.answers)
        return [(number, what) for what, number in counted.most_common()]

    @property
    def first(self) -> list[tuple[Question, str]]:
        """The first few, each with what the next run does."""
        return [(each, wording.sentence(each, choice)) for each, choice in self.answers[:_FIRST]]

    @property
    def document(self) -> dict[str, Any]:
        """The preview as JSON."""
        return {
            "answers": len(self.answers),
            "replaced": self.replaced,
            "shown": self.digest,
            "by_kind": [{"count": number, "does": what} for number, what in self.counts],
            "first": [
                {"hold_id": each.hold_id, "label": each.label, "field": each.field, "does": does}
                for each, does in self.first
            ],
        }


def _what(question: Question, choice: str) -> str:
    about = " · ".join(part for part in (question.entity, question.field_name) if part)
    return f"{wording.kind(question)} · {about}: {wording.does(question, choice)}"


def propose(questions: Sequence[Question], choice: str) -> Proposal:
    """The same answer to each of these that can be answered here.

    Raises StateError: NOTHING_MATCHES where there is none, AT_SOURCE where none of them can be
    answered, NO_CHOICE where one has no such option: answering only the others is another act.
    """
    # What can only be corrected at its source keeps nobody from answering the rest.
    answerable = [each for each in questions if each.options]
    if not answerable:
        raise _none(questions)
    answers = [(each, choice_for(each, choice)) for each in answerable]
    lacking = [each for each, chosen in answers if chosen is None]
    if lacking or not choice:
        raise _no_choice(answerable, lacking, choice)
    return Proposal(tuple((each, chosen) for each, chosen in answers if chosen is not None))


def _none(questions: Sequence[Question]) -> StateError:
    if questions:
        return StateError(
            f"none of the {len(questions)} questions that match can be answered here",
            remedy="correct the values at their source; the questions close by themselves",
            code="AT_SOURCE",
        )
    return StateError(
        "no open question matches", remedy="list them with `review`", code="NOTHING_MATCHES"
    )


def _no_choice(
    questions: Sequence[Question], lacking: Sequence[Question], choice: str
) -> StateError:
    offered = Counter(option for each in questions for option in shared_options(each))
    fits_all = [option for option, number in offered.items() if number == len(questions)]
    kinds = ", ".join(sorted({each.kind for each in lacking}))
    what = (
        f"{len(lacking)} of {len(questions)} questions have no answer {choice!r} ({kinds})"
        if choice
        else f"an answer to {len(questions)} questions is needed"
    )
    remedy = (
        f"say --take with one of {', '.join(fits_all)}"
        if fits_all
        else "narrow them down, with --kind for example: these have no answer in common"
    )
    return StateError(what, remedy=remedy, code="NO_CHOICE")


def give(desk: Desk, proposal: Proposal, *, reason: str = "", shown: str | None = None) -> Recorded:
    """Record a proposal as one act. `shown` is the digest of the one that the person saw.

    Raises Changed where this is another, ConfigError where a run has changed a question meanwhile.
    """
    if shown not in (None, proposal.digest):
        raise Changed(
            "some of the questions came, went, changed or were answered since they were shown",
            remedy="look at the preview again",
        )
    decided = decided_of(proposal, reason)
    return answer_all(desk.ledger, decided, by=desk.by, at=desk.now(), reason=reason)


def decided_of(proposal: Proposal, reason: str) -> list[Decided]:
    """The proposal's answers as they are recorded, each to the question as it was shown."""
    return [
        Decided(each.hold_id, choice, reason, each.digest, f"{each.label} ({each.hold_id})")
        for each, choice in proposal.answers
    ]
