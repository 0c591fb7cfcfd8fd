"""Says in plain sentences what each answer to a question does.

It is for the person who is about to press the button.
"""

from __future__ import annotations

from flows.review.questions import Question
from reconcile.link.suggestions import RULE
from reconcile.model import Side
from reconcile.report import asking
from reconcile.report.along import words

KINDS = {name: asking.KINDS[name].heading for name in asking.ASKED}
"""What each kind of question is called in a heading or a filter."""

AT_SOURCE = (
    "Nothing can be decided here: correct the value at its source, or the field's line in the pair "
    "file. The question closes by itself."
)
"""What is to be done about a question without an answer to choose."""


def kind(question: Question) -> str:
    """What a question is about, in a heading."""
    suggested = str(question.values.get("rule", "")).startswith(RULE)
    return asking.KINDS["suggested" if suggested else question.kind].heading


def title(question: Question, choice: str) -> str:
    """A few words for a button."""
    if choice.startswith(asking.LINK):
        return f"It is {_candidate(question, choice.removeprefix(asking.LINK))}"
    return asking.answer(question.kind, choice).button


def does(question: Question, choice: str) -> str:
    """What an answer does, in a line that fits every question of its kind."""
    if choice.startswith(asking.LINK):
        return "linked with its candidate"
    return asking.answer(question.kind, choice).does


def sentence(question: Question, choice: str) -> str:
    """What the next run does when this is the answer."""
    if choice in ("app", "ghl"):
        return _taken(question, Side(choice))
    here, across = _sides(question)
    said = asking.answer(question.kind, choice).sentence
    said = said.replace("{here}", here).replace("{across}", across)
    if choice == "delete" and question.along:
        return f"{said.removesuffix('.')}, with {words(question.along)}."
    return said


def _taken(question: Question, winner: Side) -> str:
    field = question.field or "The value"
    value = question.values.get(winner.value)
    changed = f"{field} becomes “{value}” there"
    if value is None:
        changed = f"{field} is cleared there"
    loser = winner.other.label
    loser = f"{loser[:1].upper()}{loser[1:]}"
    return f"{loser} gets {winner.label}'s value: {changed}."


def _sides(question: Question) -> tuple[str, str]:
    """The side where the record is, and the one across."""
    side = question.side or Side.APP
    return side.label, side.other.label


def _candidate(question: Question, key: str) -> str:
    return next((shown.label for shown in question.candidates if shown.key == key), key)
