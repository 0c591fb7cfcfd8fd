"""All that is kept between runs: links, baselines, runs, holds, decisions, the sweep, the lease."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine, Row

from reconcile.entities import PARENTS
from reconcile.errors import Locked, StateError
from reconcile.ledger import schema
from reconcile.ledger.chunks import chunks
from reconcile.ledger.engine import open_engine
from reconcile.ledger.fence import check_held
from reconcile.model import Entity, Side

_BATCH = 5_000
_MIGRATIONS = Path(__file__).parent / "migrations"
_MIGRATING = 7_241_655  # the advisory lock's number: any, but the same for all
_WAY_BACK = "install that version or later; or put back a backup from before (`ledger restore`)"


@dataclass(frozen=True, slots=True)
class PairState:
    """What the ledger knows of a pair as a whole. With generation 0, nothing was ever settled."""

    generation: int = 0
    app_identity: str | None = None
    ghl_identity: str | None = None
    mapping_digest: str | None = None
    digest_kind: str | None = None
    codecs: str | None = None
    known: str | None = None


SPENT = "-spent"
"""What ends the values_digest of a decision that counts no more."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A person's answer, one of a hold's options. It counts while `values_digest` is the same."""

    hold_id: str
    choice: str
    values_digest: str
    by: str
    at: str
    reason: str


class Ledger:
    """One pair's view of the ledger database, safe for several processes, each with its own."""

    def __init__(self, url: str, pair: str) -> None:
        self.pair = pair
        self.held_by = ""
        """The holder whose lease every transaction that writes needs; "" where none is needed."""
        self.engine = open_engine(url)
        try:
            _migrate(self.engine)
        except StateError:
            self.engine.dispose()
            raise
        except sa.exc.SQLAlchemyError as error:
            self.engine.dispose()
            raise StateError(
                f"the ledger cannot be opened: {type(error).__name__}",
                remedy="check the `ledger` setting of the pair file and the rights of its user",
                code="LEDGER",
            ) from error

    def owns(self, table: sa.Table) -> sa.ColumnElement[bool]:
        """SQL for which rows of a table are this pair's: others may stand in the same one."""
        return table.c.pair == self.pair

    def close(self) -> None:
        """Give back every connection."""
        self.engine.dispose()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A transaction that writes: all of it or nothing.

        Raises Locked where the lease it needs is another's by its end.
        """
        with self.engine.connect().execution_options(writes=True) as connection, connection.begin():
            yield connection
            if self.held_by:
                check_held(connection, self.pair, self.held_by)

    def streaming(self) -> AbstractContextManager[Connection]:
        """A connection whose results come as they are asked for: a million rows, perhaps."""
        return self.engine.connect().execution_options(stream_results=True, yield_per=_BATCH)

    def state(self) -> PairState:
        """What is known of the pair; the default where it was never settled."""
        query = sa.select(schema.pair).where(self.owns(schema.pair))
        with self.engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return PairState()
        return PairState(*(getattr(row, column.name) for column in fields(PairState)))

    def advance(self, connection: Connection, state: PairState) -> None:
        """Replace the pair's state, inside a settlement."""
        table = schema.pair
        values = asdict(state)
        done = connection.execute(sa.update(table).where(self.owns(table)).values(values))
        if done.rowcount == 0:
            connection.execute(sa.insert(table).values(pair=self.pair, **values))

    # links ----------------------------------------------------------------------------------------

    def links(self, entity: Entity, columns: Sequence[str]) -> Iterator[list[tuple[Any, ...]]]:
        """Batches of link rows with the given columns, streamed."""
        table = schema.link
        selected = [table.c[name] for name in columns]
        query = sa.select(*selected).where(self.owns(table), table.c.entity == entity.value)
        with self.streaming() as connection:
            for batch in connection.execute(query).partitions():
                yield [tuple(row) for row in batch]

    def link_rows(
        self, entity: Entity, link_ids: Sequence[str], columns: Sequence[str]
    ) -> Iterator[Sequence[Row[tuple[object, ...]]]]:
        """Batches of the named links' rows."""
        table = schema.link
        selected = [table.c[name] for name in columns]
        with self.engine.connect() as connection:
            for chunk in chunks(link_ids, _BATCH):
                query = sa.select(*selected).where(
                    self.owns(table),
                    table.c.entity == entity.value,
                    table.c.link_id.in_(chunk),
                )
                yield connection.execute(query).all()  # in one go: row by row takes twice as long

    def put_links(self, connection: Connection, rows: Sequence[Mapping[str, object]]) -> None:
        """Insert or replace whole link rows (all columns but pair)."""
        if not rows:
            return
        table = schema.link
        names = [(str(row["entity"]), str(row["link_id"])) for row in rows]
        for entity, ids in _by_entity(names):
            there = (self.owns(table), table.c.entity == entity, table.c.link_id.in_(ids))
            connection.execute(sa.delete(table).where(*there))
        connection.execute(sa.insert(table), [{"pair": self.pair, **row} for row in rows])

    def bury_links(
        self, connection: Connection, names: Sequence[tuple[str, str]], *, at: str
    ) -> int:
        """Forget links, with a contact's tasks and notes, and remember their keys as gone."""
        link = schema.link
        buried = 0
        self._drop_answers(connection, names)
        for entity, ids in _by_entity(names):
            named = (self.owns(link), link.c.entity == entity, link.c.link_id.in_(ids))
            buried += self._bury(connection, sa.and_(*named), at)
            if Entity(entity).children:
                hanging = sa.and_(self.owns(link), link.c.parent.in_(ids))
                buried += self._bury(connection, hanging, at)
        return buried

    def _bury(self, connection: Connection, which: sa.ColumnElement[bool], at: str) -> int:
        """Forget the links that a condition names; returns how many."""
        link = schema.link
        named = (link.c.entity, link.c.link_id, link.c.app_key, link.c.ghl_key)
        rows = connection.execute(sa.select(*named).where(which)).all()
        if not rows:
            return 0
        self._remember_gone(connection, rows, at)
        self._forget_differences(connection, [(row.entity, row.link_id) for row in rows])
        connection.execute(sa.delete(link).where(which))
        return len(rows)

    def _remember_gone(self, connection: Connection, links: Iterable[Row[Any]], at: str) -> None:
        """Remember both ends of each link as gone: a key that is gone again is gone since now."""
        graves = schema.grave
        ends: list[dict[str, object]] = []
        for row in links:
            about = {"pair": self.pair, "entity": row.entity, "at": at}
            app, ghl = row.app_key, row.ghl_key
            ends.append(about | {"side": "app", "key": app, "other_key": ghl})
            ends.append(about | {"side": "ghl", "key": ghl, "other_key": app})
        of_end = ("pair", "entity", "side", "key")
        same = [graves.c[name] == sa.bindparam(f"old_{name}") for name in of_end]
        known = [{f"old_{name}": end[name] for name in of_end} for end in ends]
        connection.execute(sa.delete(graves).where(*same), known)
        connection.execute(sa.insert(graves), ends)

    def _forget_differences(self, connection: Connection, names: Sequence[tuple[str, str]]) -> None:
        """Strike what was known of the values of links that are no more."""
        table = schema.difference
        for entity, ids in _by_entity(names):
            named = (self.owns(table), table.c.entity == entity, table.c.link_id.in_(ids))
            connection.execute(sa.delete(table).where(*named))

    def graves(self, *, since: str) -> list[tuple[str, str, str, str]]:
        """(entity, side, key, at) of records whose link was forgotten since then."""
        table = schema.grave
        columns = (table.c.entity, table.c.side, table.c.key, table.c.at)
        query = sa.select(*columns).where(self.owns(table), table.c.at >= since)
        with self.engine.connect() as connection:
            return [(row.entity, row.side, row.key, row.at) for row in connection.execute(query)]

    def parted(self, entity: Entity) -> list[tuple[str, str]]:
        """(app key, GHL key) of records that were once linked, as far as that is remembered."""
        table = schema.grave
        ends = {
            Side.APP: (table.c.key, table.c.other_key),
            Side.GHL: (table.c.other_key, table.c.key),
        }
        mine = (self.owns(table), table.c.entity == entity.value, table.c.other_key.is_not(None))
        queries = []
        for side, keys in ends.items():
            queries.append(sa.select(*keys).where(*mine, table.c.side == side.value))
        with self.engine.connect() as connection:
            rows = connection.execute(sa.union(*queries)).all()
        return sorted((str(app_key), str(ghl_key)) for app_key, ghl_key in rows)

    def insert_links(
        self,
        connection: Connection,
        names: Sequence[str],
        batches: Iterable[Sequence[Sequence[object]]],
    ) -> int:
        """Insert many link rows that are not there yet, each a tuple of the columns `names`.

        Returns how many. The driver takes the tuples as they are: SQLAlchemy's own way takes as
        long again as the database does.
        """
        mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"
        columns = ("pair", *names)
        marks = ", ".join(mark for _ in columns)
        statement = f"INSERT INTO link ({', '.join(columns)}) VALUES ({marks})"
        inserted = 0
        for batch in batches:
            connection.exec_driver_sql(statement, [(self.pair, *row) for row in batch])
            inserted += len(batch)
        return inserted

    def add_links(self, connection: Connection, rows: Sequence[Mapping[str, object]]) -> None:
        """Insert those of the link rows whose link_id is not there yet."""
        table = schema.link
        wanted = [str(row["link_id"]) for row in rows]
        query = sa.select(table.c.entity, table.c.link_id).where(
            self.owns(table), table.c.link_id.in_(wanted)
        )
        there = {(entity, link_id) for entity, link_id in connection.execute(query)}
        new = [row for row in rows if (row["entity"], row["link_id"]) not in there]
        if new:
            connection.execute(sa.insert(table), [{"pair": self.pair, **row} for row in new])

    def _drop_answers(self, connection: Connection, names: Sequence[tuple[str, str]]) -> None:
        """Forget questions about lost ends of former links: a second loss is a new question."""
        table = schema.hold
        hold_ids = [_delete_hold(entity, link_id) for entity, link_id in names]
        for chunk in chunks(hold_ids, _BATCH):
            asked_so = (self.owns(table), table.c.hold_id.in_(chunk))
            connection.execute(sa.delete(table).where(*asked_so))

    def linked(self) -> dict[str, int]:
        """How many links there are, by entity."""
        table = schema.link
        query = sa.select(table.c.entity, sa.func.count()).where(self.owns(table))
        with self.engine.connect() as connection:
            rows = connection.execute(query.group_by(table.c.entity)).all()
        return {str(entity): int(count) for entity, count in rows}

    def linked_keys(self, entity: Entity, side: str, keys: Sequence[str]) -> set[str]:
        """Those of the keys that are linked."""
        table = schema.link
        column = table.c[f"{side}_key"]
        query = sa.select(column).where(
            self.owns(table), table.c.entity == entity.value, column.in_(list(keys))
        )
        with self.engine.connect() as connection:
            return {key for (key,) in connection.execute(query)}

    def key_of(self, link_id: str, side: str) -> str | None:
        """A linked contact's key on a side."""
        table = schema.link
        query = sa.select(table.c[f"{side}_key"]).where(
            self.owns(table),
            table.c.entity.in_(PARENTS),
            table.c.link_id == link_id,
        )
        with self.engine.connect() as connection:
            return connection.execute(query).scalar_one_or_none()

    # holds ----------------------------------------------------------------------------------------

    def holds(self, *, only_open: bool = True) -> list[Row[tuple[object, ...]]]:
        """Hold rows, oldest first."""
        table = schema.hold
        query = (
            sa.select(table).where(self.owns(table)).order_by(table.c.first_seen, table.c.hold_id)
        )
        if only_open:
            query = query.where(table.c.open)
        with self.engine.connect() as connection:
            return list(connection.execute(query))

    def decisions(self) -> list[Decision]:
        """Every decision that counts."""
        table = schema.hold
        counts = sa.not_(table.c.values_digest.endswith(SPENT))
        query = sa.select(table).where(self.owns(table), table.c.decision.is_not(None), counts)
        with self.engine.connect() as connection:
            return [_decision(row) for row in connection.execute(query)]

    def decide(self, *decisions: Decision) -> None:
        """Record a person's answers, all or none. Raises StateError where no hold asks so."""
        with self.transaction() as connection:
            self.decide_within(connection, decisions)

    def decide_within(self, connection: Connection, decisions: Iterable[Decision]) -> None:
        """The same, inside a transaction."""
        table = schema.hold
        for decision in decisions:
            same_question = (
                self.owns(table),
                table.c.hold_id == decision.hold_id,
                table.c.values_digest == decision.values_digest,
            )
            answer = {
                "decision": decision.choice,
                "decided_by": decision.by,
                "decided_at": decision.at,
                "reason": decision.reason,
            }
            done = connection.execute(sa.update(table).where(*same_question).values(answer))
            if done.rowcount == 0:
                raise StateError(
                    f"there is no hold {decision.hold_id} about these values",
                    remedy="list the questions with `review`",
                    code="NO_HOLD",
                )

    # the lease ------------------------------------------------------------------------------------

    def acquire(self, holder: str, *, now: str, until: str) -> None:
        """Take or renew the pair's lease. Raises Locked while another holder's has not expired.

        One that runs longer than any does was written by a clock that was ahead: it is cut to
        `until`. Who is there renews it.
        """
        table = schema.lease
        lease = {"holder": holder, "expires_at": until}
        with self.transaction() as connection:
            ahead = (
                self.owns(table),
                table.c.holder != holder,
                table.c.expires_at > until,
            )
            connection.execute(sa.update(table).where(*ahead).values(expires_at=until))
        with self.transaction() as connection:
            # Taken in the update itself: of two that find it free, the database lets one.
            free = sa.or_(table.c.holder == holder, table.c.expires_at <= now)
            take = sa.update(table).where(self.owns(table), free).values(lease)
            if connection.execute(take).rowcount:
                return
            row = connection.execute(sa.select(table).where(self.owns(table))).one_or_none()
            if row is not None:
                raise Locked(
                    f"pair {self.pair!r} is being run by {row.holder} until {row.expires_at}",
                    remedy="wait for it to end, or for its lease to expire if it was killed",
                )
            try:
                connection.execute(sa.insert(table).values(pair=self.pair, **lease))
            except sa.exc.IntegrityError as error:
                raise Locked(
                    f"pair {self.pair!r} was taken by another run just now",
                    remedy="wait for it to end",
                ) from error

    def moment(self) -> datetime | None:
        """The server's time, as its clients' may differ. None for a file, which one machine has."""
        if self.engine.dialect.name != "postgresql":
            return None
        with self.engine.connect() as connection:
            now: datetime = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
        return now

    def release(self, holder: str) -> None:
        """Give the lease back, if it is still this holder's."""
        table = schema.lease
        with self.transaction() as connection:
            connection.execute(sa.delete(table).where(self.owns(table), table.c.holder == holder))


def _decision(row: Row[Any]) -> Decision:
    return Decision(
        row.hold_id,
        row.decision,
        row.values_digest,
        row.decided_by,
        row.decided_at,
        row.reason or "",
    )


def _by_entity(names: Sequence[tuple[str, str]]) -> Iterator[tuple[str, list[str]]]:
    """Chunks of link_ids with their entity."""
    for entity in sorted({entity for entity, _ in names}):
        ids = [link_id for kind, link_id in names if kind == entity]
        for chunk in chunks(ids, _BATCH):
            yield entity, chunk


def _delete_hold(entity: str, link_id: str) -> str:
    """The hold_id that `compare/absence_now.sql` gives the question about a missing end."""
    recipe = f"delete\x1f{entity}\x1f{link_id}"
    return hashlib.md5(recipe.encode(), usedforsecurity=False).hexdigest()[:20]


def _migrate(engine: Engine) -> None:
    """Bring the tables to the newest version. Raises StateError where they are newer still."""
    if _version(engine) == newest():
        return
    # A fifth of the start-up of a small run.
    from alembic import command
    from alembic.config import Config
    from alembic.util.exc import CommandError

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        # Two workers that open a new ledger at once would both make its tables.
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATING})")
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise StateError(
                "the ledger was made by a newer version of ghl-reconcile",
                remedy=_WAY_BACK,
                code="LEDGER",
            ) from error


def newest() -> str:
    """The version of the ledger's tables after every migration. They are numbered in order."""
    files = (_MIGRATIONS / "versions").glob("[0-9]*.py")
    return max(path.name.partition("_")[0] for path in files)


def _version(engine: Engine) -> str | None:
    """The version of the tables, None where there are none."""
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table("ledger_version"):
            return None
        query = sa.text("SELECT version_num FROM ledger_version")
        return connection.execute(query).scalar_one_or_none()
