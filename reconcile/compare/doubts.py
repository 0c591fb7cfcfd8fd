"""Writes of which nobody knows whether they happened: people are asked about them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import md5
from typing import Any

import sqlalchemy as sa

from reconcile.ledger import schema
from reconcile.ledger.journal import DOUBTFUL
from reconcile.ledger.ledger import Ledger
from reconcile.ledger.runs import UNSETTLED
from reconcile.model import Operation, OpKind, Side
from reconcile.stage.stage import Stage
from reconcile.values.jsonl import operation_from, outcome_from

OPTIONS = ("happened", "never", "again")

_WORDS = {
    OpKind.CREATE: "its creation",
    OpKind.DELETE: "its deletion",
    OpKind.ARCHIVE: "its archiving",
}


@dataclass(frozen=True, slots=True)
class Doubt:
    """A write in doubt: of which run, begun when, and why it could not be found out."""

    run_id: str
    operation: Operation
    begun_at: str
    why: str = ""

    @property
    def hold_id(self) -> str:
        """The question about it."""
        return hold_id(self.run_id, self.operation.op_id)


def hold_id(run_id: str, op_id: str) -> str:
    """The id of the question about a write; planned anew by a later run, it is another question."""
    return md5(f"doubt\x1f{run_id}\x1f{op_id}".encode(), usedforsecurity=False).hexdigest()[:20]


def standing(ledger: Ledger) -> list[Doubt]:
    """All writes in doubt of runs that were settled, oldest first."""
    journal, run = schema.journal, schema.run
    # A run that is not settled yet is recovered first: after its look, perhaps nothing is in doubt.
    query = (
        sa.select(journal)
        .join(run, run.c.run_id == journal.c.run_id)
        .where(ledger.owns(run), run.c.state.not_in((*UNSETTLED, "running")), DOUBTFUL)
        .order_by(journal.c.begun_at, journal.c.op_id)
    )
    return _doubts(ledger, query)


def of_run(ledger: Ledger, run_id: str) -> list[Doubt]:
    """Those of one run, whatever its state."""
    journal = schema.journal
    query = (
        sa.select(journal)
        .where(journal.c.run_id == run_id, DOUBTFUL)
        .order_by(journal.c.begun_at, journal.c.op_id)
    )
    return _doubts(ledger, query)


def _doubts(ledger: Ledger, query: sa.Select[Any]) -> list[Doubt]:
    """The writes in doubt of these rows of the journal."""
    doubts = []
    with ledger.engine.connect() as connection:
        for row in connection.execute(query):
            operation = operation_from(json.loads(row.operation))
            doubts.append(Doubt(row.run_id, operation, row.begun_at, _why(row.outcome)))
    return doubts


def _why(outcome: str | None) -> str:
    if not outcome:
        return ""
    return outcome_from(json.loads(outcome)).detail


def by_run(doubts: Iterable[Doubt]) -> Mapping[str, frozenset[str]]:
    """The op_ids of each run."""
    op_ids_of: dict[str, set[str]] = {}
    for doubt in doubts:
        op_ids_of.setdefault(doubt.run_id, set()).add(doubt.operation.op_id)
    return {run_id: frozenset(op_ids) for run_id, op_ids in op_ids_of.items()}


def answers(ledger: Ledger) -> Mapping[str, tuple[str, str]]:
    """What people answered, as (choice, who) by question."""
    return {decision.hold_id: (decision.choice, decision.by) for decision in ledger.decisions()}


_HOLD = (
    "hold_id",
    "kind",
    "entity",
    "subject",
    "side",
    "app_key",
    "ghl_key",
    "because",
    "options",
    '"values"',
    "values_digest",
)


def ask(stage: Stage, doubts: Iterable[Doubt]) -> None:
    """Add a question about each to `hold`."""
    marks = ", ".join("?" for _ in _HOLD)
    insert = f"INSERT INTO hold ({', '.join(_HOLD)}) VALUES ({marks})"
    for doubt in doubts:
        operation = doubt.operation
        keys = {operation.side: operation.key, operation.side.other: operation.source_key}
        shown = {"sent": dict(operation.after), "run": doubt.run_id, "begun": doubt.begun_at}
        stage.rows(
            insert,
            doubt.hold_id,
            "doubt",
            operation.entity.record.value,
            operation.link_id,
            operation.side.value,
            keys[Side.APP],
            keys[Side.GHL],
            _because(doubt),
            list(OPTIONS),
            json.dumps(shown),
            operation.op_id,
        )


def _because(doubt: Doubt) -> str:
    operation = doubt.operation
    what = _WORDS.get(operation.kind, "a change of it")
    why = f" ({doubt.why})" if doubt.why else ""
    return (
        f"{what} in {operation.side.label} was begun on {doubt.begun_at[:10]}, and whether it "
        f"happened is not known: it could not be looked at{why}; nothing else is written to it "
        "meanwhile"
    )
