"""Carries out writes in transactions of many, each write judged alone against the row it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, StatementError

from connectors.ending import Ending
from connectors.sql import refusals
from connectors.sql.changes import Change
from connectors.sql.engine import writing_connection
from connectors.sql.gathering import SeveralError
from connectors.sql.keys import key_text
from connectors.sql.reading import fetch
from connectors.sql.readonly import why_not_now
from connectors.sql.schema import Layout
from connectors.sql.values import UnfitError, coerce
from connectors.sql.waits import Waits, limit_waits, waiting_at_most
from reconcile.model import Entity, OpKind, Status
from reconcile.ports import Reply, Write

_TRIES = 3
_PAUSE = 0.2


class _CommitFailed(Exception):
    def __init__(self, cause: DBAPIError, replies: list[Reply]) -> None:
        super().__init__()
        self.cause = cause
        self.replies = replies


class _Ended(Exception):
    """Another transaction, or a limit of the server's, ended the transaction at this write.

    None means that it ended before the first one.
    """

    def __init__(self, cause: StatementError, write: Write | None) -> None:
        super().__init__()
        self.cause = cause
        self.write = write


@dataclass(frozen=True, slots=True)
class Pauses:
    """How long may be waited: for locks, for the end of the run, between two tries.

    `usual` is a lock's time elsewhere.
    """

    waits: Waits
    ending: Ending
    sleep: Callable[[float], None]
    usual: float


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes to one database. `now` gives the instant for modified_at columns."""

    engine: sa.Engine
    layouts: Mapping[Entity, Layout]
    batch: int
    now: Callable[[], str]
    pauses: Pauses

    def write(self, writes: Sequence[Write]) -> Iterator[Reply]:
        """One Reply a Write, batch by batch, once the batch is committed."""
        for start in range(0, len(writes), self.batch):
            batch = writes[start : start + self.batch]
            # Before each batch: a server may become a replica while a run writes.
            why = why_not_now(self.engine)
            if why:
                detail = f"the database takes no writes, as {why}"
                yield from (_rejected(write, "DB_READ_ONLY", detail) for write in batch)
                continue
            yield from self._batch(batch)

    def _batch(self, writes: Sequence[Write]) -> Iterator[Reply]:
        """A batch in one transaction, without the writes that another one stood in the way of.

        Those come alone, afterwards.

        A transaction that was ended at one write is undone whole. What came before that write has
        just gone well, so it is done again at once, and what comes after it on its own: no write is
        tried more than twice because of another.
        """
        groups, aside = [list(writes)], list[list[Write]]()
        while groups:
            group = groups.pop()
            try:
                yield from self._carried_out(group, _TRIES, self.pauses.waits.first)
            except _Ended as ended:
                if ended.write is None:
                    aside.append(group)
                    continue
                at = [write.op_id for write in group].index(ended.write.op_id)
                aside.append([group[at]])
                # Taken from the end: what came before goes first.
                groups += [part for part in (group[at + 1 :], group[:at]) if part]
        if aside:
            self.pauses.sleep(_PAUSE)
        for number, group in enumerate(aside):
            yield from self._alone(group, among=len(aside) - number)

    def _alone(self, writes: Sequence[Write], *, among: int) -> list[Reply]:
        """What was in another's way once.

        It is tried again, a few times where the run has time for it, then left for the next run.
        """
        attempt = 1
        while True:
            try:
                return self._carried_out(writes, _TRIES, self.pauses.waits.share(among))
            except _Ended as ended:
                # What is held had its time already.
                waited_long = refusals.is_held(ended.cause)
                if attempt == _TRIES or waited_long or not self.pauses.waits.left:
                    code, detail = refusals.passing(ended.cause)
                    return [_skipped(write, code, detail) for write in writes]
            attempt += 1
            self.pauses.sleep(_PAUSE * attempt)

    def _carried_out(self, writes: Sequence[Write], tries: int, wait: float) -> list[Reply]:
        """One transaction.

        A failure that leaves nothing behind is repeated, or narrowed down to the write at fault.
        """
        if self.pauses.ending.over:
            return [_skipped(write, "STOPPED", self.pauses.ending.reason) for write in writes]
        try:
            return self._transaction(writes, wait)
        except _CommitFailed as failed:
            return self._uncommitted(writes, failed, tries, wait)
        except DBAPIError as error:
            if refusals.is_passing(error):
                raise _Ended(error, None) from error
            if tries > 1:
                self.pauses.sleep(_PAUSE * (_TRIES + 1 - tries))
                return self._carried_out(writes, tries - 1, wait)
            return self._given_up(writes, error, wait)

    def _transaction(self, writes: Sequence[Write], wait: float) -> list[Reply]:
        with (
            writing_connection(self.engine) as connection,
            waiting_at_most(connection, wait, self.pauses.usual),
            self._charged(),
        ):
            transaction = connection.begin()
            limit_waits(connection, wait)
            replies = self._group(connection, writes)
            try:
                transaction.commit()
            except DBAPIError as error:
                raise _CommitFailed(error, replies) from error
            return replies

    @contextmanager
    def _charged(self) -> Iterator[None]:
        """Charge the run's waits with a transaction that was ended.

        Its own work is little beside what it waited.
        """
        began = self.pauses.waits.now
        try:
            yield
        except (_Ended, _CommitFailed, DBAPIError) as error:
            if refusals.is_passing(getattr(error, "cause", error)):
                self.pauses.waits.spend(began)
            raise

    def _uncommitted(
        self, writes: Sequence[Write], failed: _CommitFailed, tries: int, wait: float
    ) -> list[Reply]:
        """A lost connection during the commit leaves it open whether it happened.

        Any other refusal undid it all.
        """
        if refusals.is_lost(failed.cause):
            return [_in_doubt(reply) for reply in failed.replies]
        if refusals.is_passing(failed.cause):
            if tries > 1:
                self.pauses.sleep(_PAUSE)
                return self._carried_out(writes, tries - 1, wait)
            if len(writes) == 1:
                return [_skipped(writes[0], *refusals.passing(failed.cause))]
            return self._halves(writes, 1, wait)
        if len(writes) == 1:
            return [_refused(writes[0], failed.cause)]
        return self._halves(writes, tries, wait)

    def _given_up(self, writes: Sequence[Write], error: DBAPIError, wait: float) -> list[Reply]:
        if refusals.is_lost(error):
            detail = "the database could not be reached"
            return [_skipped(write, "TRANSIENT", detail) for write in writes]
        if len(writes) > 1 and self.engine.dialect.name != "sqlite":
            return self._halves(writes, 1, wait)
        return [_refused(write, error) for write in writes]

    def _halves(self, writes: Sequence[Write], tries: int, wait: float) -> list[Reply]:
        middle = len(writes) // 2
        return [
            *self._carried_out(writes[:middle], tries, wait),
            *self._carried_out(writes[middle:], tries, wait),
        ]

    def _group(self, connection: sa.Connection, writes: Sequence[Write]) -> list[Reply]:
        """Writes within one savepoint.

        Where one fails, they are undone and the two halves are tried on their own.
        """
        savepoint = connection.begin_nested()
        try:
            replies = [self._one(connection, write) for write in writes]
            savepoint.commit()
            return replies
        except StatementError as error:
            if isinstance(error, DBAPIError) and refusals.is_lost(error):
                raise
            savepoint.rollback()
            if len(writes) == 1:
                return [self._refused_or_known(connection, writes[0], error)]
        middle = len(writes) // 2
        return [
            *self._group(connection, writes[:middle]),
            *self._group(connection, writes[middle:]),
        ]

    def _one(self, connection: sa.Connection, write: Write) -> Reply:
        layout = self.layouts.get(write.entity)
        if layout is None:
            return _rejected(
                write, "UNSUPPORTED", f"no table is declared for {write.entity} records"
            )
        change = Change(connection, layout, write, self.now())
        try:
            if not layout.joins:
                return change.carry_out()
            # Rows of several tables: what one of them does not take undoes the others.
            with connection.begin_nested():
                return change.carry_out()
        except SeveralError as error:
            return _rejected(write, "SEVERAL_ROWS", str(error))
        except UnfitError as error:
            return _rejected(write, "INVALID_FIELD", str(error))
        except DBAPIError as error:
            if refusals.is_passing(error):
                raise _Ended(error, write) from error
            raise

    def _refused_or_known(
        self, connection: sa.Connection, write: Write, error: StatementError
    ) -> Reply:
        """A duplicate is answered with the key of the record that is there.

        That is so where a unique constraint leads to it.
        """
        reply = _refused(write, error)
        if write.kind is OpKind.CREATE and reply.code == "DUPLICATE":
            return replace(reply, key=existing_key(connection, self.layouts[write.entity], write))
        return reply


def existing_key(connection: sa.Connection, layout: Layout, write: Write) -> str | None:
    """The key of the one record that shares the values of a unique constraint with a create."""
    for columns in layout.unique:
        if not set(columns) <= set(layout.fields):
            continue
        values = {name: write.fields.get(name) for name in columns}
        if any(value in (None, "") for value in values.values()):  # unique constraints let null be
            continue
        conditions = []
        for name, value in values.items():
            field = layout.fields[name]
            conditions.append(field.column == coerce(field, value))
        rows = fetch(connection, layout, sa.and_(*conditions))
        if len(rows) == 1:
            return key_text(layout.key, [rows[0][field.name] for field in layout.key])
    return None


def _rejected(write: Write, code: str, detail: str) -> Reply:
    return Reply(write.op_id, Status.REJECTED, key=write.key, code=code, detail=detail)


def _refused(write: Write, error: StatementError) -> Reply:
    deleting = write.kind is OpKind.DELETE
    return _rejected(write, *refusals.explain(error, deleting=deleting))


def _skipped(write: Write, code: str, detail: str) -> Reply:
    return Reply(write.op_id, Status.SKIPPED, key=write.key, code=code, detail=detail)


def _in_doubt(reply: Reply) -> Reply:
    if reply.status is not Status.DONE:
        return reply
    detail = "the connection was lost while the transaction was being committed"
    return Reply(reply.op_id, Status.UNCERTAIN, key=reply.key, code="UNCERTAIN", detail=detail)
