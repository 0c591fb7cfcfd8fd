"""Records a person's answer to a hold, after checking that it answers what the person was shown."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Row

from reconcile.errors import StateError
from reconcile.ledger import Decision, Ledger

_LINK = "link:"


class Changed(StateError):
    """The question is not the one that was shown: a run has seen other values, or closed it."""

    code = "QUESTION_CHANGED"


def answer(
    ledger: Ledger, hold_id: str, choice: str, *, by: str, at: str, reason: str = "", shown: str | None = None
) -> None:
    """Keep `choice` as the answer to a hold; the next run carries it out. An earlier answer is replaced.

    `shown` is the values_digest of the question as the person saw it, where that may be older than the ledger. Raises
    StateError (NO_HOLD, NO_CHOICE, CHOICE_TAKEN) where there is no such hold or option, or where another answer names the
    same record, Changed where the question is another one now.
    """
    rows = ledger.holds(only_open=False)
    row = next((row for row in rows if row.hold_id == hold_id), None)
    if row is None:
        raise StateError(f"there is no hold {hold_id}", remedy="list them with `review`", code="NO_HOLD")
    if shown is not None and (shown != row.values_digest or not row.open):
        raise Changed(
            "a run has looked at this record since the question was shown, and found it changed or settled",
            remedy="look at the question again",
        )
    options = json.loads(row.body).get("options", [])
    if choice not in options:
        known = ", ".join(options) or "none; correct the value at its source"
        raise StateError(
            f"{choice!r} is no answer to hold {hold_id}", remedy=f"its options are: {known}", code="NO_CHOICE"
        )
    taken = (
        next((other for other in rows if _gives_away(other, choice, row)), None) if choice.startswith(_LINK) else None
    )
    if taken is not None:
        raise StateError(
            f"{choice.removeprefix(_LINK)} is the answer to hold {taken.hold_id} already, by {taken.decided_by}, and is one record",
            remedy="answer that one differently first, or choose another answer here",
            code="CHOICE_TAKEN",
        )
    ledger.decide(Decision(hold_id, choice, row.values_digest, by, at, reason))


def _gives_away(other: Row[Any], choice: str, mine: Row[Any]) -> bool:
    """Whether another open question has the same record for its answer."""
    if other.hold_id == mine.hold_id or not other.open or other.decision != choice:
        return False
    return bool(json.loads(other.body)["entity"] == json.loads(mine.body)["entity"])
