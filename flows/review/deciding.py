"""Records a person's answers to holds, after checking that each answers what the person was shown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Row

from reconcile.errors import ConfigError, Problem, StateError
from reconcile.ledger.ledger import SPENT, Decision, Ledger
from reconcile.report.decisions import Decided

_LINK = "link:"

Holds = Mapping[str, Row[Any]]


class Changed(StateError):
    """The question is not the one that was shown: a run has seen other values, or closed it."""

    code = "QUESTION_CHANGED"


def answer(
    ledger: Ledger,
    hold_id: str,
    choice: str,
    *,
    by: str,
    at: str,
    reason: str = "",
    shown: str | None = None,
) -> None:
    """Keep `choice` as the answer to a hold; the next run carries it out. An earlier answer is replaced.

    `shown` is the values_digest of the question as the person saw it, where that may be older than the ledger. Raises
    StateError (NO_HOLD, NO_CHOICE, CHOICE_TAKEN) where there is no such hold or option, or where another answer names the
    same record, Changed where the question is another one now.
    """
    holds = _by_id(ledger)
    row = _checked(holds, hold_id, choice, shown)
    _refuse_taken(holds, {hold_id: choice}, hold_id)
    ledger.decide(Decision(hold_id, choice, row.values_digest, by, at, reason))


def answer_all(ledger: Ledger, given: Iterable[Decided], *, by: str, at: str) -> int:
    """Keep all answers of a file, or none of them; returns how many are new. What was answered so already is left as it is.

    Raises ConfigError with each row that answers no question, or none as it stands now.
    """
    holds = _by_id(ledger)
    new = [each for each in given if not _answered(holds.get(each.hold_id), each)]
    choices = {each.hold_id: each.choice for each in new}
    problems, decisions = [], []
    for each in new:
        try:
            row = _checked(holds, each.hold_id, each.choice, each.shown)
            _refuse_taken(holds, choices, each.hold_id)
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
    ledger.decide(*decisions)
    return len(decisions)


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
            "a run has looked at this record since the question was shown, and found it changed or settled",
            remedy="look at the question again",
        )
    options = json.loads(row.body).get("options", [])
    if choice not in options:
        known = ", ".join(options) or "none; correct the value at its source"
        raise StateError(
            f"{choice!r} is no answer to hold {hold_id}",
            remedy=f"its options are: {known}",
            code="NO_CHOICE",
        )
    return row


def _lasts(row: Row[Any]) -> bool:
    """Whether a closed question has an answer that keeps it closed, which may be replaced by another."""
    return row.decision in ("keep", "leave", "ignore") and not row.values_digest.endswith(SPENT)


def _refuse_taken(holds: Holds, choices: Mapping[str, str], hold_id: str) -> None:
    """Raise StateError where the answer to another open question is the same record. `choices` are about to be recorded."""
    choice, entity = choices[hold_id], json.loads(holds[hold_id].body)["entity"]
    for other in holds.values() if choice.startswith(_LINK) else ():
        same = other.open and choices.get(other.hold_id, other.decision) == choice
        if same and other.hold_id != hold_id and json.loads(other.body)["entity"] == entity:
            raise StateError(
                f"{choice.removeprefix(_LINK)} is the answer to hold {other.hold_id} as well, and is one record",
                remedy="answer that one differently first, or choose another answer here",
                code="CHOICE_TAKEN",
            )
