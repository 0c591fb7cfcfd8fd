"""Says in plain sentences what each answer to a question does, for the person who is about to press the button."""

from __future__ import annotations

from flows.review.questions import Question
from reconcile.model import Side
from reconcile.suggest import RULE

_TITLES = {
    "app": "Take the app's value",
    "ghl": "Take GHL's value",
    "leave": "Leave both as they are",
    "create": "It is a record of its own",
    "ignore": "Leave it out",
    "delete": "Delete it too",
    "restore": "Bring it back",
    "relink": "Look for its counterpart anew",
    "keep": "Keep it alone",
    "unlink": "Take the two apart",
}

_MOVED = {
    "unlink": "The link between the two is dropped, and neither is written to or deleted. The run after that looks for a "
    "counterpart of each under the contact it hangs on now, and where there is none, creates one if the pair file lets it.",
    "keep": "Both records stay as they are and stay linked, but changes of either are not carried across. "
    "It is asked again once one of them is moved.",
}
"""What becomes of a task or note that was moved to another contact."""

KINDS = {
    "conflict": "Both sides changed",
    "ambiguous": "More than one match",
    "duplicate": "Twice on one side",
    "delete": "Gone from one side",
    "unsyncable": "Cannot be carried across",
    "flapping": "Changes back and forth",
}
"""What each kind of question is called in a heading or a filter."""


def kind(question: Question) -> str:
    """What a question is about, in a heading."""
    return "Probably the same" if str(question.values.get("rule", "")).startswith(RULE) else KINDS[question.kind]


def title(question: Question, choice: str) -> str:
    """A few words for a button."""
    if choice.startswith("link:"):
        return f"It is {_candidate(question, choice.removeprefix('link:'))}"
    if choice == "keep" and _moved(question):
        return "Keep them linked"
    return _TITLES.get(choice, choice)


def sentence(question: Question, choice: str) -> str:
    """What the next run does when this is the answer."""
    if choice.startswith("link:"):
        key = choice.removeprefix("link:")
        return f"It is linked with {key}; from then on the two records are kept in agreement."
    if choice in ("app", "ghl"):
        return _taken(question, Side(choice))
    if _moved(question) and choice in _MOVED:
        return _MOVED[choice]
    here, across = _sides(question)
    return {
        "leave": "Nothing is written, and the difference is accepted. A later change on one side travels as usual.",
        "create": f"A new record is created in {across}, with what this one holds.",
        "ignore": "Nothing is written to it, in this run or a later one. It is asked again only if other candidates turn up.",
        "delete": f"The record that is left in {here} is deleted too.",
        "restore": f"The link to the lost record is dropped, and this one is created again in {across}.",
        "relink": f"The link to the lost record is dropped, and its counterpart is looked for anew in {across}.",
        "keep": f"The record stays in {here} as it is, without a counterpart.",
    }.get(choice, "The next run carries it out.")


def _moved(question: Question) -> bool:
    """Whether it is about a task or note that hangs on another contact than its counterpart does."""
    return "unlink" in question.options


def _taken(question: Question, winner: Side) -> str:
    field, value = question.field or "The value", question.values.get(winner.value)
    changed = f"{field} is cleared there" if value is None else f"{field} becomes “{value}” there"
    loser = winner.other.label
    return f"{loser[:1].upper()}{loser[1:]} gets {winner.label}'s value: {changed}."


def _sides(question: Question) -> tuple[str, str]:
    """The side where the record is, and the one across."""
    side = question.side or Side.APP
    return side.label, side.other.label


def _candidate(question: Question, key: str) -> str:
    return next((shown.label for shown in question.candidates if shown.key == key), key)
