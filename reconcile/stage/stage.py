"""Loads both sides into DuckDB: wide tables of raw values, one digest a row, in bounded memory."""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from types import TracebackType
from typing import Self

import duckdb
import msgspec

from reconcile.model import Entity, Side, Snapshot
from reconcile.ports import Page, Proof, Record, Shape
from reconcile.stage.blurring import blurs
from reconcile.stage.confinement import confined
from reconcile.stage.models import render
from reconcile.stage.optimizer import dispensable
from reconcile.stage.parsing import parsed, single
from reconcile.stage.quoting import literal, quoted
from reconcile.stage.shaping import digest, raw_rows
from reconcile.stage.spooled import Bounds, Spooled, spool
from reconcile.values.codecs import raw_text
from reconcile.values.jsonl import snapshot_from, snapshot_json
from reconcile.values.mapping import EntityMap

log = logging.getLogger("reconcile.stage.stage")

_ENCODER = msgspec.json.Encoder()
_BATCH = 1_000
_USUAL_LINE = 256 * 1024  # bytes

_AT_ONCE = 2  # steps; each more holds memory of its own
_FEW = 5_000  # rows of all snapshots together
_AT_HAND = 100  # rows that need no file to come in
_SHARED = 4 << 20  # bytes of a file that two threads are through with sooner than one
_ROOMIER = "2GB"  # for a statement that does not fit into the usual limit
_ROOM = 64 << 20  # bytes that stay of what can be read again from disk

# DuckDB's hash changed between 1.1 and 1.3.
_DIGEST_KIND = "'key+' || (hash('ghl', NULL, '') >> 1)::BIGINT::VARCHAR"


class Stage:
    """One run's DuckDB file, and the folder where pages are spooled before DuckDB reads them.

    Tables, for an entity e and a side s: `raw_e_s` (key, parent, version, modified_at, deleted, r0,
    r1, ..., digest), `blur_e_s` (see `blur`), `cover_e_s` (key), the keys or parents of which a
    partial snapshot speaks, and `proven_e_s` (key), what was read by key.

    What was read lies in the file (`stage.`). What is concluded from it lies in memory, where
    DuckDB spills it when memory is short: to log and compress each small table as it is made takes
    longer than making it. `keep` puts it into the file.

    Its SQL reaches the stage's own folder, and folders `beside` it that are named.
    """

    def __init__(
        self,
        folder: Path,
        *,
        memory_limit: str = "512MB",
        threads: int = 2,
        beside: Iterable[Path] = (),
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.sql = confined(
            folder / "stage.duckdb", folders=[folder, *beside], spill=folder / "spill"
        )
        self.sql.execute(f"ATTACH ':memory:' AS work; {_SESSION}")
        self.memory_limit = memory_limit
        self.sql.execute(f"SET memory_limit = {literal(memory_limit)}")
        self.threads = threads
        self.sql.execute(f"SET threads = 1; SET disabled_optimizers = {literal(dispensable())}")
        self.sql.execute("SET preserve_insertion_order = false")
        # Freed memory goes back at once: what the allocator keeps counts in the process, not in
        # DuckDB's limit.
        self.sql.execute("SET allocator_flush_threshold = '16MB'")
        self.sql.execute("SET allocator_bulk_deallocation_flush_threshold = '32MB'")
        self.sql.execute("SET checkpoint_threshold = '64MB'")
        self.bounds = Bounds()
        self._spare: list[duckdb.DuckDBPyConnection] = []
        self.expect(folder / "stage.duckdb")
        self.snapshots = self._remembered()

    def _remembered(self) -> dict[tuple[Entity, Side], Snapshot]:
        """The snapshots that an earlier process staged in this file."""
        self.run("CREATE TABLE IF NOT EXISTS stage.snapshot (line VARCHAR)")
        lines = self.rows("SELECT line FROM snapshot")
        snapshots = [snapshot_from(json.loads(str(text))) for (text,) in lines]
        return {(snapshot.entity, snapshot.side): snapshot for snapshot in snapshots}

    def remember(self, snapshot: Snapshot) -> None:
        """Keep what a snapshot proves, also for another process."""
        self.snapshots[snapshot.entity, snapshot.side] = snapshot
        lines = [snapshot_json(known) for known in self.snapshots.values()]
        self.rows("CREATE OR REPLACE TABLE stage.snapshot AS SELECT unnest(?) AS line", lines)

    def expect(self, *files: Path) -> None:
        """Put all threads to work before a large file, and have its statements optimized.

        Of a small run a thread that finds nothing to do costs a tenth, the optimizer a sixth.
        """
        if any(file.stat().st_size > _SHARED for file in files):
            self.sql.execute(f"SET threads = {self.threads}; SET disabled_optimizers = ''")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; what was read, and what was kept, stays in it."""
        while self._spare:
            self._spare.pop().close()
        self.sql.close()

    def keep(self) -> None:
        """Put what was concluded into the file, too: another process may carry the plan out."""
        concluded = (
            "SELECT table_name FROM duckdb_tables() WHERE database_name = 'work' "
            "AND schema_name = 'main'"
        )
        for (name,) in self.rows(concluded):
            table = quoted(str(name))
            self.run(f"CREATE OR REPLACE TABLE stage.{table} AS FROM work.{table}")
        self.run("CHECKPOINT stage")  # the file alone is then the whole stage

    def some(self, *tables: str) -> set[str]:
        """Which of these tables have rows. To plan for nothing takes as long as for thousands."""
        # One EXISTS for each takes half as long again.
        first_rows = (f"(SELECT {at} FROM {table} LIMIT 1)" for at, table in enumerate(tables))
        there = self.rows(" UNION ALL ".join(first_rows))
        return {tables[int(str(at))] for (at,) in there}

    @property
    def digest_kind(self) -> str:
        """A name for the hash function of this stage's digests: stored ones count only under it."""
        (name,) = self.one(f"SELECT {_DIGEST_KIND}")
        return str(name)

    def has(self, table: str) -> bool:
        """Whether there is such a table. To go through the catalogue takes eight times as long."""
        try:
            self.sql.table(table)
        except duckdb.CatalogException:
            return False
        return True

    def run(self, statements: str) -> None:
        """Carry out SQL without a result."""
        for statement in parsed(statements):
            self._roomily(self.sql, statement)
            self.sql.fetchall()

    def make(self, model: str, **context: object) -> None:
        """Carry out a model; see `reconcile.stage.models.render` for its name and context."""
        self.run(render(model, **context))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All take effect or none. A fault leaves the stage usable, for the report to tell it."""
        self.run("BEGIN")
        try:
            yield
        except BaseException:
            self.run("ROLLBACK")
            raise
        self.run("COMMIT")

    def rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """All rows of a small result."""
        return self.sql.execute(single(query), list(values)).fetchall()

    def one(self, query: str, *values: object) -> tuple[object, ...]:
        """The one row of a result that always has one."""
        row = self.sql.execute(single(query), list(values)).fetchone()
        if row is None:
            raise AssertionError("a query for one row gave none")
        return row

    def count(self, query: str) -> int:
        """The one number a query gives."""
        (number,) = self.one(query)
        return int(str(number))

    def stream(self, query: str, batch: int = 10_000) -> Iterator[list[tuple[object, ...]]]:
        """Batches of a large result, on a cursor of its own."""
        with self._borrowed() as cursor:
            self._roomily(cursor, query)
            while rows := cursor.fetchmany(batch):
                yield rows

    def _roomily(self, sql: duckdb.DuckDBPyConnection, statement: str | duckdb.Statement) -> None:
        """Carry out one statement; where memory is short, once more with twice as much.

        A run that has written must not end because its report takes more than was thought of.
        """
        try:
            sql.execute(statement)
        except duckdb.OutOfMemoryException:
            log.warning("a statement is given more memory", extra={"limit": _ROOMIER})
            self.sql.execute(f"SET memory_limit = {literal(_ROOMIER)}")
            try:
                sql.execute(statement)
            finally:
                with suppress(duckdb.OutOfMemoryException):  # what it holds cannot go back by now
                    self.sql.execute(f"SET memory_limit = {literal(self.memory_limit)}")

    def ahead(self, queries: Iterable[str]) -> Iterator[list[tuple[object, ...]]]:
        """The rows of one query after the other, each fetched while those before it are in use."""
        with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
            coming: deque[Future[list[tuple[object, ...]]]] = deque()
            for query in queries:
                coming.append(pool.submit(self._fetched, query))
                if len(coming) > _AT_ONCE:
                    yield coming.popleft().result()
            while coming:
                yield coming.popleft().result()

    def _fetched(self, query: str) -> list[tuple[object, ...]]:
        with self._borrowed() as cursor:
            return cursor.execute(query).fetchall()

    @contextmanager
    def _borrowed(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection that is used again: making one takes longer than most statements."""
        cursor = self._spare.pop() if self._spare else self.cursor()
        try:
            yield cursor
        except BaseException:  # what it was at is not over, and would be the next one's first rows
            cursor.close()
            raise
        self._spare.append(cursor)

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A connection of its own to the same tables."""
        cursor = self.sql.cursor()
        cursor.execute(_SESSION)
        return cursor

    def together(self, *steps: Callable[[Stage], object]) -> None:
        """Carry out independent steps at the same time, each on a connection of its own.

        The first fault is raised. Most statements are over less than a DuckDB thread takes on at a
        time, so that one alone leaves the other cores idle. Where little was read, to plan the
        statements is the work, and another connection would only add to it.
        """
        if sum(snapshot.rows for snapshot in self.snapshots.values()) < _FEW:
            for step in steps:
                step(self)
            return
        with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
            for running in [pool.submit(self._beside, step) for step in steps]:
                running.result()

    def _beside(self, step: Callable[[Stage], object]) -> None:
        with self._borrowed() as cursor:
            other = copy(self)
            other.sql = cursor
            step(other)

    def let_go(self) -> None:
        """Give back the memory of the file's pages, once they are not looked through again."""
        memory = self.count(
            "SELECT sum(memory_usage_bytes) FILTER (tag <> 'BASE_TABLE') FROM duckdb_memory()"
        )
        # DuckDB gives pages back only to keep a limit: what is above this one has to go.
        self.sql.execute(f"SET memory_limit = '{memory + _ROOM}B'")
        self.sql.execute(f"SET memory_limit = {literal(self.memory_limit)}")

    def rest(self) -> None:
        """Put what lies in memory onto disk, where it stays until it is asked for.

        Before what takes long without it, or takes memory of its own: writing a large plan takes
        hours.
        """
        with suppress(duckdb.OutOfMemoryException):  # what cannot go stays
            self.sql.execute(f"SET memory_limit = '{_ROOM}B'")
        self.sql.execute(f"SET memory_limit = {literal(self.memory_limit)}")

    def drop(self, *tables: str) -> None:
        """Drop tables that served one step: what stays takes memory from those that follow."""
        for table in tables:
            self.run(f"DROP TABLE IF EXISTS {table}")

    def fill(
        self,
        table: str,
        columns: Sequence[tuple[str, str]],
        batches: Iterable[Sequence[Sequence[object]]],
    ) -> None:
        """Create `table` from batches of rows, through JSON lines, which are the fast way in."""
        rows = chain.from_iterable(batches)
        first = list(islice(rows, _AT_HAND))
        if not first:
            declared = ", ".join(f"{quoted(name)} {kind}" for name, kind in columns)
            self.run(f"CREATE OR REPLACE TABLE {table} ({declared})")
            return
        places = enumerate(columns, start=1)
        cells = [f"json[{at}]::{kind} AS {quoted(name)}" for at, (name, kind) in places]
        typed = ", ".join(cells)
        # Few rows come in as a parameter: a file would take longer than all else.
        if len(first) < _AT_HAND:
            text = _ENCODER.encode(first).decode()
            if len(text) < _USUAL_LINE:
                lines = """(SELECT unnest(from_json(?, '[["VARCHAR"]]')) AS json)"""
                self.rows(f"CREATE OR REPLACE TABLE {table} AS SELECT {typed} FROM {lines}", text)
                return
        self.read_lines(table, chain(first, rows), {"json": "VARCHAR[]"}, typed, "records = false")

    def read_lines(
        self,
        table: str,
        lines: Iterable[object],
        types: Mapping[str, str],
        selected: str,
        *settings: str,
    ) -> None:
        """Create `table` as what is `selected` from JSON lines. Members have these SQL types."""
        path = self.folder / f"{table}.ndjson"
        rest = iter(lines)
        longest = _USUAL_LINE
        with path.open("wb") as out:
            while batch := list(islice(rest, _BATCH)):
                encoded = _ENCODER.encode_lines(batch)
                longest = max(longest, *map(len, encoded.split(b"\n")))
                out.write(encoded)
        columns = ", ".join(f"{name}: {literal(kind)}" for name, kind in types.items())
        how = [
            f"columns = {{{columns}}}",
            "format = 'newline_delimited'",
            # DuckDB sets aside a multiple of the longest line that it may meet, for each thread:
            # 16 MB by default.
            f"maximum_object_size = {longest}",
            *settings,
        ]
        self.expect(path)
        source = f"read_json({literal(str(path))}, {', '.join(how)})"
        self.run(f"CREATE OR REPLACE TABLE {table} AS SELECT {selected} FROM {source}")
        path.unlink()

    # snapshots ------------------------------------------------------------------------------------

    def spool(
        self, entity: Entity, side: Side, pages: Iterator[Page | Proof], *, taken_at: str
    ) -> Spooled:
        """Read an extraction to its end onto disk, in bounded memory.

        A fault makes it incomplete, with the reason. No table is touched: both sides can read at
        once.
        """
        path = self.folder / f"{entity}_{side}.ndjson"
        return spool(path, pages, self.bounds, taken_at=taken_at)

    def load(self, mapped: EntityMap, side: Side, shape: Shape, spooled: Spooled) -> Snapshot:
        """Load spooled pages into `raw_e_s` and say what they prove."""
        name = f"{mapped.entity}_{side}"
        self.expect(spooled.path)
        self._load_as(name, mapped.native(side), shape, spooled)
        self.blur(mapped, side)
        self.run(f"CREATE OR REPLACE TABLE stage.proven_{name} (key VARCHAR)")
        snapshot = self._prove(mapped.entity, side, spooled.proof, spooled.taken_at)
        self.remember(snapshot)
        return snapshot

    def blur(self, mapped: EntityMap, side: Side) -> None:
        """Create `blur_e_s` (row: a digest, k0, k1, ...): what rows may be known by, as numbers."""
        name = f"{mapped.entity}_{side}"
        if mapped.blurred():
            self.run(
                f"CREATE OR REPLACE TABLE stage.blur_{name} "
                f"AS SELECT {blurs(mapped, side)} FROM raw_{name} r"
            )

    def load_beside(self, mapped: EntityMap, side: Side, shape: Shape, spooled: Spooled) -> None:
        """Load spooled pages into `raw_kept_e_s` and `cover_kept_e_s`, for the archive alone."""
        name = f"kept_{mapped.entity}_{side}"
        self._load_as(name, mapped.native(side), shape, spooled)

    def _load_as(self, name: str, natives: Sequence[str], shape: Shape, spooled: Spooled) -> None:
        """Create `raw_` and `cover_` with that name from spooled pages, which are then deleted."""
        rows = raw_rows(spooled.path, natives, shape)
        self.run(f"CREATE OR REPLACE TABLE stage.raw_{name} AS {rows}")
        spooled.path.unlink()
        covered = [(key,) for key in spooled.covered]
        self.fill(f"stage.cover_{name}", [("key", "VARCHAR")], [covered])

    def _prove(self, entity: Entity, side: Side, proof: Proof, taken_at: str) -> Snapshot:
        """The snapshot of what was loaded: complete only as far as every row can be trusted."""
        table = f"raw_{entity}_{side}"
        why = [proof.why_incomplete]
        rows, fingerprint = self._content(table)
        if self.count(f"SELECT count(DISTINCT key) FROM {table}") < rows:
            why += self._once_each(table)
            rows, fingerprint = self._content(table)
        if proof.quarantined:
            why.append(f"{len(proof.quarantined)} rows could not be read")
        reasons = "; ".join(filter(None, why))
        return Snapshot(
            entity=entity,
            side=side,
            rows=rows,
            complete=proof.complete and not reasons,
            taken_at=taken_at,
            fingerprint=fingerprint,
            why_incomplete=reasons,
            reported_total=proof.reported_total,
            partial=proof.partial or proof.span is not None,
            quarantined=proof.quarantined,
            spanned=proof.span is not None,
        )

    def _once_each(self, table: str) -> list[str]:
        """Leave one row a key, and say what was wrong."""
        keyless = self.count(f"SELECT count(*) FROM {table} WHERE key IS NULL")
        repeated = f"SELECT 1 FROM {table} GROUP BY key HAVING count(*) > 1"
        twice = self.count(f"SELECT count(*) FROM ({repeated})")
        self.run(
            f"CREATE OR REPLACE TABLE stage.{table} AS SELECT * FROM {table} "
            "WHERE key IS NOT NULL QUALIFY row_number() OVER (PARTITION BY key "
            "ORDER BY modified_at DESC NULLS LAST, digest) = 1"
        )
        why = []
        if keyless:
            why.append(f"{keyless} rows have no key")
        if twice:
            why.append(f"{twice} keys came more than once")
        return why

    def refresh(
        self, mapped: EntityMap, side: Side, records: Iterable[tuple[str, Record | None]]
    ) -> None:
        """Put what was read by key in place of what a bulk read showed; None takes the row out."""
        table, natives = f"raw_{mapped.entity}_{side}", mapped.native(side)
        flat = [[key, record is None, *_flat(record, natives)] for key, record in records]
        values = [f"r{at}" for at in range(len(natives))]
        columns = [
            ("key", "VARCHAR"),
            ("gone", "BOOLEAN"),
            ("parent", "VARCHAR"),
            ("version", "VARCHAR"),
            ("modified_at", "VARCHAR"),
            ("deleted", "BOOLEAN"),
            *((name, "VARCHAR") for name in values),
        ]
        self.fill("refreshed", columns, [flat])
        shown = ", ".join(["parent", "version", "modified_at", "deleted", *values])
        again = f"FROM {table} r WHERE key IN (SELECT key FROM refreshed)"
        blur = f"blur_{mapped.entity}_{side}"
        if mapped.blurred():
            self.run(f"DELETE FROM {blur} WHERE row IN (SELECT digest {again})")
        self.run(f"DELETE FROM {table} WHERE key IN (SELECT key FROM refreshed)")
        self.run(f"INSERT INTO proven_{mapped.entity}_{side} SELECT key FROM refreshed")
        self.run(
            f"INSERT INTO {table} SELECT key, {shown}, {digest(len(natives))} AS digest "
            "FROM refreshed WHERE NOT gone"
        )
        if mapped.blurred():
            self.run(f"INSERT INTO {blur} SELECT {blurs(mapped, side)} {again}")
        self.run("DROP TABLE refreshed")
        rows, fingerprint = self._content(table)
        seen = self.snapshots[mapped.entity, side]
        self.snapshots[mapped.entity, side] = replace(seen, rows=rows, fingerprint=fingerprint)

    def set_aside(self, mapped: EntityMap, side: Side, unread: Sequence[str]) -> None:
        """Remember which records could not be read, and why. What was read beside them stands."""
        if unread:
            seen = self.snapshots[mapped.entity, side]
            self.remember(replace(seen, quarantined=(*seen.quarantined, *unread)))

    def _content(self, table: str) -> tuple[int, str]:
        """How many rows a raw table has, and a name for what is in it, whatever their order."""
        rows, xor = self.one(
            f"SELECT count(*), coalesce(bit_xor(hash(key, digest)), 0)::VARCHAR FROM {table}"
        )
        return int(str(rows)), f"{rows}-{xor}"


_SESSION = "SET search_path = 'work.main,stage.main'; SET TimeZone = 'UTC'"
"""What each connection is told: tables are made in memory, or in `stage.`, and found in both."""


def _flat(record: Record | None, natives: Sequence[str]) -> list[object]:
    if record is None:
        return [None] * (4 + len(natives))
    head: list[object] = [record.parent, record.version, record.modified_at, record.deleted]
    return head + [raw_text(record.fields.get(name)) for name in natives]
