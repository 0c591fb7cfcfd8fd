"""Records a person's answer to a hold, after checking that it answers what the person was shown."""

from __future__ import annotations

import json

from reconcile.errors import StateError
from reconcile.ledger import Decision, Ledger


class Changed(StateError):
    """The question is not the one that was shown: a run has seen other values, or closed it."""

    code = "QUESTION_CHANGED"


def answer(
    ledger: Ledger, hold_id: str, choice: str, *, by: str, at: str, reason: str = "", shown: str | None = None
) -> None:
    """Keep `choice` as the answer to a hold; the next run carries it out. An earlier answer is replaced.

    `shown` is the values_digest of the question as the person saw it, where that may be older than the ledger. Raises
    StateError (NO_HOLD, NO_CHOICE) where there is no such hold or option, Changed where the question is another one now.
    """
    row = next((row for row in ledger.holds(only_open=False) if row.hold_id == hold_id), None)
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
    ledger.decide(Decision(hold_id, choice, row.values_digest, by, at, reason))
