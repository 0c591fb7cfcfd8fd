"""Intents and results in order.

What was about to happen is written down before it happens, what happened after.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import sqlalchemy as sa

from reconcile.ledger import schema
from reconcile.ledger.ledger import Ledger
from reconcile.model import Operation, Outcome, Status
from reconcile.values.jsonl import operation_from, operation_json, outcome_from, outcome_json

_BATCH = 1_000


_FORGOTTEN = "forgotten"
"""The status of a link that a run forgot before it wrote: a change of the ledger, no write."""

_LINKED = "linked"
"""The status of a link that a run made before it wrote: no write either."""

_OF_LINKS = (_FORGOTTEN, _LINKED)

DOUBTFUL = sa.or_(
    schema.journal.c.status.is_(None), schema.journal.c.status == Status.UNCERTAIN.value
)
"""SQL for whether an operation was begun and not ended, or ended without a certain answer."""


class Journal:
    """One run's journal in the ledger; with `only`, those operations of it alone."""

    def __init__(self, ledger: Ledger, run_id: str, *, only: frozenset[str] | None = None) -> None:
        self.ledger = ledger
        self.run_id = run_id
        table = schema.journal
        self._mine = table.c.run_id == run_id
        if only is not None:
            self._mine = sa.and_(self._mine, table.c.op_id.in_(sorted(only)))

    def begin(self, operations: Sequence[Operation], now: str) -> None:
        """Commit the intent to carry these out; from here until `end` each is in doubt."""
        self._insert([self._row(operation, now) for operation in operations])

    def forget(self, operations: Sequence[Operation], now: str) -> None:
        """Commit that these links are forgotten, before anything is made in their place.

        A run that is killed after such a create is settled from here alone: the former link would
        still claim the record.
        """
        self._note(operations, _FORGOTTEN, now)

    def link(self, operations: Sequence[Operation], now: str) -> None:
        """Commit that these records are one, before anything is written.

        What is deleted after a run was killed would else be new, and be made again.
        """
        self._note(operations, _LINKED, now)

    def _note(self, operations: Sequence[Operation], status: str, now: str) -> None:
        ended = {"status": status, "ended_at": now}
        self._insert([self._row(operation, now) | ended for operation in operations])

    def forgotten(self) -> list[tuple[str, str]]:
        """(entity, link_id) of the links that the run forgot."""
        operations = self._noted(_FORGOTTEN)
        return [(operation.entity.value, operation.link_id) for operation in operations]

    def linked(self) -> Iterator[Operation]:
        """The links that the run made and did not come to settle, streamed: a million, perhaps."""
        return self._noted(_LINKED)

    def _noted(self, status: str) -> Iterator[Operation]:
        table = schema.journal
        query = sa.select(table.c.operation).where(self._mine, table.c.status == status)
        with self.ledger.streaming() as connection:
            for (line,) in connection.execute(query):
                yield operation_from(json.loads(line))

    def links_settled(self, connection: sa.Connection) -> None:
        """Strike out what `link` noted, inside a settlement: the links themselves are there now."""
        table = schema.journal
        connection.execute(sa.delete(table).where(self._mine, table.c.status == _LINKED))

    def _row(self, operation: Operation, now: str) -> dict[str, str]:
        about = {"run_id": self.run_id, "op_id": operation.op_id, "link_id": operation.link_id}
        return about | {"operation": operation_json(operation), "begun_at": now}

    def _insert(self, rows: Sequence[Mapping[str, str]]) -> None:
        if not rows:
            return
        table = schema.journal
        # What was skipped may be begun again: the later attempt takes its place.
        op_ids = [row["op_id"] for row in rows]
        again = (table.c.run_id == self.run_id, table.c.op_id.in_(op_ids))
        with self.ledger.transaction() as connection:
            connection.execute(sa.delete(table).where(*again))
            connection.execute(sa.insert(table), rows)

    def end(self, outcome: Outcome, now: str) -> None:
        """Commit what became of one operation."""
        table = schema.journal
        mine = (table.c.run_id == self.run_id, table.c.op_id == outcome.op_id)
        ended = {
            "status": outcome.status.value,
            "outcome": outcome_json(replace(outcome, settled_at=now)),
            "ended_at": now,
        }
        with self.ledger.transaction() as connection:
            connection.execute(sa.update(table).where(*mine).values(ended))

    def known(self, op_ids: Sequence[str]) -> dict[str, Status | None]:
        """Those of the operations that were begun before, with their status (None: in doubt)."""
        table = schema.journal
        named = (table.c.run_id == self.run_id, table.c.op_id.in_(list(op_ids)))
        query = sa.select(table.c.op_id, table.c.status).where(*named)
        with self.ledger.engine.connect() as connection:
            rows = connection.execute(query).all()
        return {op_id: Status(status) if status else None for op_id, status in rows}

    def in_doubt(self) -> list[Operation]:
        """Operations without a certain end, in the order they were begun.

        They were begun and not ended, or ended without a certain answer.
        """
        table = schema.journal
        query = (
            sa.select(table.c.operation)
            .where(self._mine, DOUBTFUL)
            .order_by(table.c.begun_at, table.c.op_id)
        )
        with self.ledger.engine.connect() as connection:
            return [operation_from(json.loads(line)) for (line,) in connection.execute(query)]

    def stale(self) -> list[Operation]:
        """Operations whose record was another one when they were written: somebody edited it."""
        table = schema.journal
        query = sa.select(table.c.operation).where(self._mine, table.c.status == Status.STALE.value)
        with self.ledger.engine.connect() as connection:
            return [operation_from(json.loads(line)) for (line,) in connection.execute(query)]

    def entries(self) -> Iterator[tuple[Operation, Outcome]]:
        """Every ended write with its outcome, streamed in a stable order."""
        table = schema.journal
        query = (
            sa.select(table.c.operation, table.c.outcome)
            .where(self._mine, table.c.status.not_in(_OF_LINKS))
            .order_by(table.c.ended_at, table.c.op_id)
        )
        with self.ledger.streaming() as connection:
            for line, outcome in connection.execute(query):
                yield operation_from(json.loads(line)), outcome_from(json.loads(outcome))

    def outcomes(self) -> Iterator[Outcome]:
        """What became of every ended operation, streamed; in no order."""
        table = schema.journal
        query = sa.select(table.c.outcome).where(self._mine, table.c.status.not_in(_OF_LINKS))
        with self.ledger.streaming() as connection:
            for (outcome,) in connection.execute(query):
                yield outcome_from(json.loads(outcome))

    def summary(self) -> Mapping[str, int]:
        """How many writes ended in each status; "in_doubt" for those that did not."""
        table = schema.journal
        # SQL's NOT IN leaves NULL out, which is what stands for a write in doubt.
        a_write = sa.or_(table.c.status.is_(None), table.c.status.not_in(_OF_LINKS))
        mine = (table.c.run_id == self.run_id, a_write)
        query = sa.select(table.c.status, sa.func.count()).where(*mine).group_by(table.c.status)
        with self.ledger.engine.connect() as connection:
            return {status or "in_doubt": count for status, count in connection.execute(query)}
