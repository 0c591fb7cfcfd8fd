"""APPNAME in a database.

PostgreSQL, MariaDB, MySQL, SQLite, or whatever else has an SQLAlchemy dialect.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from connectors.ending import Ending
from connectors.sql.copying import can_copy, copied, keyless
from connectors.sql.engine import begin_snapshot, identity, open_engine, place_of
from connectors.sql.gathering import SeveralError
from connectors.sql.interrupting import interruptible
from connectors.sql.lines import Tally
from connectors.sql.reading import ROWS, Slice, look_for, read_one, slices, stream, visible
from connectors.sql.readonly import why_read_only
from connectors.sql.refusals import as_connector_error
from connectors.sql.rehearsal import Try, Wish, rehearse
from connectors.sql.schema import Layout, find_layouts
from connectors.sql.settings import (
    Copy,
    JoinSettings,
    LinkSettings,
    SqlSettings,
    TableSettings,
    TagSettings,
)
from connectors.sql.waits import Waits
from connectors.sql.writing import Pauses, Writer
from reconcile.errors import ConfigError, ConnectorError, Problem
from reconcile.model import Entity, OpKind, Side
from reconcile.ports import Description, Page, Proof, Record, Reply, Scope, Shape, Usage, Write

__all__ = [
    "Copy",
    "JoinSettings",
    "LinkSettings",
    "SqlConnector",
    "SqlSettings",
    "TableSettings",
    "TagSettings",
    "Try",
    "Wish",
]

_EVERYTHING = Scope()


def _clock() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class SqlConnector:
    """One database as the app side; fills reconcile.ports.Connector.

    Extractions of everything share one snapshot until an entity is asked for again or something is
    written, so that contacts, tasks and notes are seen at one moment. `clock` gives the ISO 8601
    instant that modified_at columns get, `sleep` waits before a write that met a lock is tried
    again, `ending` says when nothing is begun or waited for any more.
    """

    side = Side.APP

    def __init__(
        self,
        settings: SqlSettings,
        *,
        clock: Callable[[], str] = _clock,
        sleep: Callable[[float], None] = time.sleep,
        ending: Ending | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._ending = ending or Ending()
        self.waits = Waits(settings.lock_seconds, self._ending)
        self._sleep = sleep
        self._engine_: sa.Engine | None = None
        self._layouts_: dict[Entity, Layout] | None = None
        self._snapshot: sa.Connection | None = None
        self._pages: Generator[Page, None, None] | None = None
        self._seen: set[Entity] = set()
        self._requests = 0

    def __repr__(self) -> str:
        return f"SqlConnector({self._settings!r})"

    def describe(self) -> Description:
        """Find every declared table and column.

        Raises ConfigError with all that is missing, ConnectorError otherwise.
        """
        self._release()
        self._layouts_ = None
        layouts = self._layouts
        return Description(
            identity=identity(self._engine),
            fields={entity: layout.described() for entity, layout in layouts.items()},
            costs=dict.fromkeys(OpKind, 0.0),
            modified=frozenset(
                entity for entity, layout in layouts.items() if layout.modified_at is not None
            ),
            read_only=why_read_only(self._engine),
            places={
                entity: place_of(self._engine, layout.table) for entity, layout in layouts.items()
            },
        )

    def shape(self, entity: Entity) -> Shape:
        """A flat object a line.

        It has each field by its column's name, and what identifies and dates the record.
        """
        return self._layout(entity).shape

    def extract(self, entity: Entity, scope: Scope = _EVERYTHING) -> Iterator[Page | Proof]:
        """Pages from one read-only snapshot, then the proof.

        A fault of the database ends it with an incomplete Proof.
        """
        layout = self._layout(entity)
        try:
            self._ending.check()
            if scope == _EVERYTHING:
                yield from self._everything(layout)
            else:
                yield from self._part(layout, scope)
        except (SQLAlchemyError, self._engine.dialect.loaded_dbapi.Error) as error:
            why = str(as_connector_error(error, f"reading {layout.table.name}"))
            yield Proof(complete=False, why_incomplete=why, partial=scope != _EVERYTHING)

    def read(self, entity: Entity, key: str, parent: str | None = None) -> Record | None:
        """The record as it is now. Raises ConnectorError when the database does not answer."""
        layout = self._layout(entity)
        self._requests += 1
        try:
            with self._engine.connect() as connection:
                return read_one(connection, layout, key)
        except SQLAlchemyError as error:
            raise as_connector_error(error, f"reading one record of {layout.table.name}") from None
        except SeveralError as error:
            remedy = "say in the pair file which row counts (first), or correct the rows"
            what = f"{layout.table.name} {key}: {error}"
            raise ConnectorError(what, remedy=remedy, code="SEVERAL_ROWS") from None

    def look(self, write: Write) -> Sequence[Record]:
        """Records that hold exactly what the create wrote, and contacts of the same email."""
        layout = self._layout(write.entity)
        self._requests += 1
        try:
            with self._engine.connect() as connection:
                return look_for(connection, layout, write)
        except SQLAlchemyError as error:
            raise as_connector_error(error, f"looking into {layout.table.name}") from None

    def write(self, writes: Sequence[Write]) -> Iterator[Reply]:
        """Carry out writes in transactions of at most `batch`.

        The replies of a batch come once it is committed.
        """
        self._release()
        self._requests += len(writes)
        pauses = Pauses(self.waits, self._ending, self._sleep, self._settings.lock_seconds)
        writer = Writer(self._engine, self._layouts, self._settings.batch, self._clock, pauses)
        yield from writer.write(writes)

    def rehearse(self, wishes: Mapping[Entity, Wish]) -> list[Try]:
        """Try these writes in a transaction that is taken back.

        Raises ConnectorError when the database does not answer.
        """
        self._release()
        try:
            return rehearse(self._engine, self._layouts, wishes, self._clock())
        except SQLAlchemyError as error:
            raise as_connector_error(error, "trying writes that are taken back") from None

    def usage(self) -> Usage:
        """Statements so far; a database of one's own counts none of them against a quota."""
        return Usage(requests=self._requests)

    def close(self) -> None:
        """Release the snapshot and the connections."""
        self._release()
        if self._engine_ is not None:
            self._engine_.dispose()

    # How it is done.

    @property
    def _engine(self) -> sa.Engine:
        if self._engine_ is None:
            self._engine_ = open_engine(self._settings)
        return self._engine_

    @property
    def _layouts(self) -> dict[Entity, Layout]:
        if self._layouts_ is None:
            try:
                with self._engine.connect() as connection:
                    self._layouts_ = find_layouts(connection, self._settings)
            except SQLAlchemyError as error:
                raise as_connector_error(error, "connecting and looking at the tables") from None
        return self._layouts_

    def _layout(self, entity: Entity) -> Layout:
        layout = self._layouts.get(entity)
        if layout is None:
            what = f"no table is declared for {entity} records"
            raise ConfigError(
                [Problem(f"{entity}: table", what, "declare its table, or leave the entity out")]
            )
        return layout

    def _everything(self, layout: Layout) -> Iterator[Page | Proof]:
        tally, rows, whole = Tally(), 0, False
        try:
            connection = self._moment(layout.entity)
            with interruptible(connection, self._ending):
                total = _count(connection, layout)
                shared = _shared_keys(connection, layout)
                with closing(_pages(connection, layout, tally)) as self._pages:
                    for page in self._pages:
                        self._requests += 1
                        rows += page.rows
                        yield page
            whole = True
        finally:
            self._read_off(layout.entity, whole=whole)
        yield _proof(layout, tally, rows=rows, total=total, shared=shared)

    def _read_off(self, entity: Entity, *, whole: bool) -> None:
        """Keep the shared snapshot for the entities that are still to come.

        After a fault or an abandoned read it is not kept.
        """
        self._seen.add(entity)
        if not whole or self._seen >= set(self._layouts):
            self._release()

    def _part(self, layout: Layout, scope: Scope) -> Iterator[Page | Proof]:
        tally = Tally()
        connection = begin_snapshot(self._engine)
        try:
            with interruptible(connection, self._ending):
                for part in slices(layout, scope):
                    self._requests += 1
                    yield from stream(connection, layout, part, rows=ROWS, tally=tally)
        finally:
            connection.close()
        why = ""
        if tally.unread:
            why = f"{tally.unread} rows cannot be read"
        yield Proof(not why, why, partial=True, quarantined=tuple(tally.quarantined))

    def _moment(self, entity: Entity) -> sa.Connection:
        """The connection whose transaction all extractions share.

        A new one when this entity was read in it before.
        """
        if entity in self._seen:
            self._release()
        if self._snapshot is None:
            self._snapshot = begin_snapshot(self._engine)
        return self._snapshot

    def _release(self) -> None:
        # A read that was left in the middle ends first: a cursor that outlives its connection
        # cannot be closed in peace.
        pages, self._pages = self._pages, None
        if pages is not None:
            pages.close()
        snapshot, self._snapshot = self._snapshot, None
        self._seen = set()
        if snapshot is not None:
            snapshot.close()


def _pages(connection: sa.Connection, layout: Layout, tally: Tally) -> Generator[Page, None, None]:
    """A whole table, by the fastest way that the database has."""
    if not can_copy(connection, layout):
        yield from stream(connection, layout, Slice(), rows=ROWS, tally=tally)
        return
    yield from copied(connection, layout, tally)
    tally.quarantined += [f"{layout.table.name}: a row without a key"] * keyless(connection, layout)


def _count(connection: sa.Connection, layout: Layout) -> int:
    rows = sa.select(sa.func.count()).select_from(layout.table).where(*visible(layout))
    return connection.execute(rows).scalar_one()


def _shared_keys(connection: sa.Connection, layout: Layout) -> int:
    """How many keys stand for more than one row.

    Nothing to look for where the database forbids it.
    """
    if layout.key_is_unique:
        return 0
    columns = [field.column for field in layout.key]
    present = [column.is_not(None) for column in columns]  # those without a key count as unread
    keyed = sa.select(*columns).where(*visible(layout), *present)
    groups = keyed.group_by(*columns).having(sa.func.count() > 1).subquery()
    return connection.execute(sa.select(sa.func.count()).select_from(groups)).scalar_one()


def _proof(layout: Layout, tally: Tally, *, rows: int, total: int, shared: int) -> Proof:
    name, why = layout.table.name, ""
    if shared:
        keys = ", ".join(field.name for field in layout.key)
        why = f"{shared} keys of {name} stand for more than one row each, so {keys} is no key"
    elif tally.unread:
        why = f"{tally.unread} rows of {name} cannot be read"
    elif rows + len(tally.quarantined) != total:
        why = f"{name} changed while it was read: {total} rows were counted, {rows} were read"
    return Proof(not why, why, reported_total=total, quarantined=tuple(tally.quarantined))
