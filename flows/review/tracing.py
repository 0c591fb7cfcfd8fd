"""Tells of a contested value what changed it last on each side, and when.

It also tells what stood there before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flows.outcome.explain import explanation
from flows.review.questions import Question, Shown
from reconcile.errors import StateError
from reconcile.ledger.ledger import Ledger
from reconcile.model import Side, Status

_MOST = 3
"""So many values of a side are told: the present one, and those before it."""


@dataclass(frozen=True, slots=True)
class Known:
    """A value that a side held, and from where that is known; a value of None is a blank."""

    value: str | None
    source: str


@dataclass(frozen=True, slots=True)
class Trace:
    """One side's part: what changed the value last, in a sentence.

    Its last values follow, newest first.
    """

    side: Side
    changed: str
    values: tuple[Known, ...]


def traces(ledger: Ledger, question: Question) -> tuple[Trace, ...]:
    """Both sides' traces of the value that a question is about; none where it is about none."""
    if not question.field or not all(side.value in question.values for side in Side):
        return ()
    writes = _writes(ledger, question)
    return tuple(_trace(question, side, writes) for side in Side)


def _writes(ledger: Ledger, question: Question) -> Sequence[Mapping[str, Any]]:
    """What runs wrote to the field, newest first."""
    key = question.app_key or question.ghl_key or ""
    try:
        story = explanation(ledger, question.entity, key, question.field_name)
    except StateError:
        return ()
    done = [write for write in story["writes"] if write["status"] == Status.DONE and write["at"]]
    return sorted(done, key=lambda write: str(write["at"]), reverse=True)


def _trace(question: Question, side: Side, writes: Sequence[Mapping[str, Any]]) -> Trace:
    mine = [write for write in writes if write["side"] == side]
    if question.field != question.field_name:
        # Of one element of a set, a write holds all that it added or removed.
        mine = []
    now = question.values[side.value]
    # The same value twice in a row says nothing of a change, and would push out one that does.
    values = [Known(now, "now")]
    base = question.values.get(f"base_{side.value}")
    if base != now:
        values.append(Known(base, "when both last agreed"))
    for write in mine:
        before, after = write["changed"][question.field_name]
        run = f"run {write['run_id']}, {_day(write['at'])}"
        values += [Known(after, f"written by {run}"), Known(before, f"before {run}")]
    return Trace(side, _changed(question, side, mine), _distinct(values))


def _distinct(values: Sequence[Known]) -> tuple[Known, ...]:
    """The values without those that stood before already."""
    first: dict[str | None, Known] = {}
    for known in values:
        first.setdefault(known.value, known)
    return tuple(first.values())[:_MOST]


def _changed(question: Question, side: Side, writes: Sequence[Mapping[str, Any]]) -> str:
    now = question.values[side.value]
    if writes:
        latest = writes[0]
        _, written = latest["changed"][question.field_name]
        if written == now:
            return f"by this job: run {latest['run_id']}, {_day(latest['at'])}"
    if question.values.get(f"base_{side.value}") == now:
        return "not since both last agreed"
    record = next((shown for shown in question.records if shown.side is side), None)
    return f"in {side.label}, not by this job; {_when(record)}"


def _when(record: Shown | None) -> str:
    if record is None or record.modified_at is None:
        return "when, it does not say"
    return f"the record was last changed {_day(record.modified_at)}"


def _day(moment: str) -> str:
    return f"{moment[:16].replace('T', ' ')} UTC"
