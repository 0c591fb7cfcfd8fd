"""Records a person's answers to holds.

It checks first that each answers what the person was shown.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from reconcile.errors import ConfigError, Problem, StateError
from reconcile.ledger import acts
from reconcile.ledger.ledger import SPENT, Decision, Ledger
from reconcile.report.decisions import Decided

_LINK = "link:"

Holds = Mapping[str, Row[Any]]
Taken = Mapping[tuple[str, str], list[str]]
"""By entity and answer, the open questions that have it.

A record can be the answer to one alone.
"""


class Changed(StateError):
    """The question is not the one that was shown: a run has seen other values, or closed it."""

    code = "QUESTION_CHANGED"


@dataclass(frozen=True, slots=True)
class Recorded:
    """The act under which answers were recorded, and how many.

    No act where there was nothing new.
    """

    act_id: str | None
    count: int


def answer(
    ledger: Ledger,
    hold_id: str,
    choice: str,
    *,
    by: str,
    at: str,
    reason: str = "",
    shown: str | None = None,
) -> str:
    """Keep `choice` as the answer to a hold, and return the act's id; the next run carries it out.

    An earlier answer is replaced.

    `shown` is the values_digest of the question as the person saw it, where that may be older than
    the ledger. Raises StateError (NO_HOLD, NO_CHOICE, CHOICE_TAKEN) where there is no such hold or
    option, or where another answer names the same record, Changed where the question is another one
    now.
    """
    holds = _by_id(ledger)
    row = _checked(holds, hold_id, choice, shown)
    _refuse_taken(holds, _taken(holds, {hold_id: choice}), hold_id, choice)
    decision = Decision(hold_id, choice, row.values_digest, by, at, reason)
    return acts.record(ledger, [decision], by=by, at=at, reason=reason)


def answer_all(
    ledger: Ledger, given: Iterable[Decided], *, by: str, at: str, reason: str = ""
) -> Recorded:
    """Keep all these answers as one act, or none of them.

    What was answered so already is left as it is.

    `reason` is that of the act; each answer has its own. Raises ConfigError with each that answers
    no question, or none as it stands now.
    """
    decisions = check_all(ledger, given, by=by, at=at)
    if not decisions:
        return Recorded(None, 0)
    act_id = acts.record(ledger, decisions, by=by, at=at, reason=reason)
    return Recorded(act_id, len(decisions))


def check_all(ledger: Ledger, given: Iterable[Decided], *, by: str, at: str) -> list[Decision]:
    """The decisions that these answers are, those that are recorded already left out.

    Raises ConfigError like `answer_all`.
    """
    holds = _by_id(ledger)
    new = [each for each in given if not _answered(holds.get(each.hold_id), each)]
    taken = _taken(holds, {each.hold_id: each.choice for each in new})
    problems, decisions = [], []
    for each in new:
        try:
            row = _checked(holds, each.hold_id, each.choice, each.shown)
            _refuse_taken(holds, taken, each.hold_id, each.choice)
        except StateError as error:
            problems.append(
                Problem(each.where, error.what, f"{error.remedy}, or leave the decision empty")
            )
        else:
            decisions.append(
                Decision(each.hold_id, each.choice, row.values_digest, by, at, each.reason)
            )
    if problems:
        raise ConfigError(problems)
    return decisions


def _by_id(ledger: Ledger) -> Holds:
    return {row.hold_id: row for row in ledger.holds(only_open=False)}


def _answered(row: Row[Any] | None, given: Decided) -> bool:
    """Whether this very answer is on record, to the question as it was shown."""
    return row is not None and (row.decision, row.values_digest.removesuffix(SPENT)) == (
        given.choice,
        given.shown,
    )


def _checked(holds: Holds, hold_id: str, choice: str, shown: str | None) -> Row[Any]:
    """The hold that is answered; `choice` is one of its options."""
    row = holds.get(hold_id)
    if row is None:
        raise StateError(
            f"there is no hold {hold_id}", remedy="list them with `review`", code="NO_HOLD"
        )
    if shown not in (None, row.values_digest) or not (row.open or (shown is None and _lasts(row))):
        raise Changed(
            (
                "a run has looked at this record since the question was shown, "
                "and found it changed or settled"
            ),
            remedy="look at the question again, with `review` and its id",
        )
    options = json.loads(row.body).get("options", [])
    if choice not in options:
        if not options:
            raise StateError(
                f"hold {hold_id} cannot be answered here",
                remedy=(
                    "correct the value at its source, or the field's line in the pair file; "
                    "the question closes by itself"
                ),
                code="AT_SOURCE",
            )
        raise StateError(
            f"{choice!r} is no answer to hold {hold_id}",
            remedy=f"its options are: {', '.join(options)}",
            code="NO_CHOICE",
        )
    return row


def _lasts(row: Row[Any]) -> bool:
    """Whether a closed question has an answer that keeps it closed.

    Another answer may replace it.
    """
    return row.decision in ("keep", "leave", "ignore") and not row.values_digest.endswith(SPENT)


def _taken(holds: Holds, choices: Mapping[str, str]) -> Taken:
    """Which open questions are answered with which record, once `choices` are recorded."""
    taken = defaultdict(list)
    for row in holds.values():
        choice = choices.get(row.hold_id, row.decision)
        if row.open and choice is not None and choice.startswith(_LINK):
            taken[json.loads(row.body)["entity"], choice].append(row.hold_id)
    return taken


def _refuse_taken(holds: Holds, taken: Taken, hold_id: str, choice: str) -> None:
    """Raise StateError where the answer to another open question is the same record."""
    if not choice.startswith(_LINK):
        return
    entity = json.loads(holds[hold_id].body)["entity"]
    other = next((each for each in taken.get((entity, choice), ()) if each != hold_id), None)
    if other is not None:
        raise StateError(
            (
                f"{choice.removeprefix(_LINK)} is the answer to hold {other} as "
                "well, and is one record"
            ),
            remedy="answer that one differently first, or choose another answer here",
            code="CHOICE_TAKEN",
        )
