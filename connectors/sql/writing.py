"""Carries out writes in transactions of many, each write judged alone against the row it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, StatementError

from connectors.sql import refusals
from connectors.sql.changes import Change
from connectors.sql.engine import writing_connection
from connectors.sql.keys import key_text
from connectors.sql.reading import fetch
from connectors.sql.schema import Layout
from connectors.sql.values import UnfitError, coerce
from reconcile.model import Entity, OpKind, Status
from reconcile.ports import Reply, Write

_TRIES = 3


class _CommitFailed(Exception):
    def __init__(self, cause: DBAPIError, replies: list[Reply]) -> None:
        super().__init__()
        self.cause = cause
        self.replies = replies


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes to one database. `now` gives the instant for modified_at columns, `sleep` waits between two tries."""

    engine: sa.Engine
    layouts: Mapping[Entity, Layout]
    batch: int
    now: Callable[[], str]
    sleep: Callable[[float], None]

    def write(self, writes: Sequence[Write]) -> Iterator[Reply]:
        """One Reply a Write, batch by batch, once the batch is committed."""
        for start in range(0, len(writes), self.batch):
            yield from self._carried_out(writes[start : start + self.batch], _TRIES)

    def _carried_out(self, writes: Sequence[Write], tries: int) -> list[Reply]:
        """One transaction; a failure that leaves nothing behind is repeated, or narrowed down to the write at fault."""
        try:
            return self._transaction(writes)
        except _CommitFailed as failed:
            return self._uncommitted(writes, failed, tries)
        except DBAPIError as error:
            if tries > 1:
                self.sleep(0.2 * (_TRIES + 1 - tries))
                return self._carried_out(writes, tries - 1)
            return self._given_up(writes, error)

    def _transaction(self, writes: Sequence[Write]) -> list[Reply]:
        with writing_connection(self.engine) as connection:
            transaction = connection.begin()
            replies = self._group(connection, writes)
            try:
                transaction.commit()
            except DBAPIError as error:
                raise _CommitFailed(error, replies) from error
            return replies

    def _uncommitted(self, writes: Sequence[Write], failed: _CommitFailed, tries: int) -> list[Reply]:
        """A lost connection during the commit leaves it open whether it happened; any other refusal undid it all."""
        if refusals.is_lost(failed.cause):
            return [_in_doubt(reply) for reply in failed.replies]
        if refusals.is_locked(failed.cause) and tries > 1:
            self.sleep(0.2)
            return self._carried_out(writes, tries - 1)
        if len(writes) == 1:
            return [_refused(writes[0], failed.cause)]
        return self._halves(writes, tries)

    def _given_up(self, writes: Sequence[Write], error: DBAPIError) -> list[Reply]:
        if refusals.is_lost(error):
            detail = "the database could not be reached"
            return [
                Reply(write.op_id, Status.SKIPPED, key=write.key, code="TRANSIENT", detail=detail) for write in writes
            ]
        if len(writes) > 1 and self.engine.dialect.name != "sqlite":
            return self._halves(writes, 1)
        return [_refused(write, error) for write in writes]

    def _halves(self, writes: Sequence[Write], tries: int) -> list[Reply]:
        middle = len(writes) // 2
        return [*self._carried_out(writes[:middle], tries), *self._carried_out(writes[middle:], tries)]

    def _group(self, connection: sa.Connection, writes: Sequence[Write]) -> list[Reply]:
        """Writes within one savepoint; where one fails, they are undone and the two halves are tried on their own."""
        savepoint = connection.begin_nested()
        try:
            replies = [self._one(connection, write) for write in writes]
            savepoint.commit()
            return replies
        except StatementError as error:
            if isinstance(error, DBAPIError) and (refusals.is_lost(error) or refusals.is_locked(error)):
                raise
            savepoint.rollback()
            if len(writes) == 1:
                return [self._refused_or_known(connection, writes[0], error)]
        middle = len(writes) // 2
        return [*self._group(connection, writes[:middle]), *self._group(connection, writes[middle:])]

    def _one(self, connection: sa.Connection, write: Write) -> Reply:
        layout = self.layouts.get(write.entity)
        if layout is None:
            return _rejected(write, "UNSUPPORTED", f"no table is declared for {write.entity} records")
        try:
            return Change(connection, layout, write, self.now()).carry_out()
        except UnfitError as error:
            return _rejected(write, "INVALID_FIELD", str(error))

    def _refused_or_known(self, connection: sa.Connection, write: Write, error: StatementError) -> Reply:
        """A duplicate is answered with the key of the record that is there, where a unique constraint leads to it."""
        reply = _refused(write, error)
        if write.kind is OpKind.CREATE and reply.code == "DUPLICATE":
            return replace(reply, key=existing_key(connection, self.layouts[write.entity], write))
        return reply


def existing_key(connection: sa.Connection, layout: Layout, write: Write) -> str | None:
    """The key of the one record that shares the values of a unique constraint with a create."""
    for columns in layout.unique:
        values = {name: write.fields.get(name) for name in columns}
        if not set(columns) <= set(layout.fields) or any(value in (None, "") for value in values.values()):
            continue
        conditions = [layout.fields[name].column == coerce(layout.fields[name], values[name]) for name in columns]
        rows = fetch(connection, layout, sa.and_(*conditions))
        if len(rows) == 1:
            return key_text(layout.key, [rows[0][field.name] for field in layout.key])
    return None


def _rejected(write: Write, code: str, detail: str) -> Reply:
    return Reply(write.op_id, Status.REJECTED, key=write.key, code=code, detail=detail)


def _refused(write: Write, error: StatementError) -> Reply:
    return _rejected(write, *refusals.explain(error))


def _in_doubt(reply: Reply) -> Reply:
    if reply.status is not Status.DONE:
        return reply
    detail = "the connection was lost while the transaction was being committed"
    return Reply(reply.op_id, Status.UNCERTAIN, key=reply.key, code="UNCERTAIN", detail=detail)
