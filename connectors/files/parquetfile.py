"""Parquet through DuckDB.

Typed columns stay typed, rows that nobody touched keep their values, no further library needed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb

from connectors.files.encoding import is_damaged
from connectors.files.parts import BrokenFileError, Part, State, UnfitError, text_of
from connectors.files.settings import FileSettings
from reconcile.ports import Json
from reconcile.stage.confinement import confined

_ROWS = 2_000
_ROW = "#row"
_EXACT = 2**53
"""Whole numbers below it are each a fraction of their own."""


class ParquetSheet:
    """One Parquet file. Raises BrokenFileError where it is none."""

    def __init__(self, content: bytes, name: str, settings: FileSettings) -> None:
        self._content = content
        self._name = name
        with self._opened() as (sql, file):
            described = sql.execute("DESCRIBE SELECT * FROM read_parquet(?)", [file]).fetchall()
        self._types = {str(column): str(kind) for column, kind, *_ in described}
        self.columns: tuple[str, ...] = tuple(self._types)
        self.fixed = ""

    def parts(self) -> Iterator[Part]:
        """Every row, counted from 1; one with bytes that are no text says so."""
        with self._opened() as (sql, file):
            cursor = sql.execute("SELECT * FROM read_parquet(?)", [file])
            row = 0
            while rows := cursor.fetchmany(_ROWS):
                for values in rows:
                    row += 1
                    yield self._part(row, values)

    def fit(self, column: str, value: Json, part: Part | None) -> Json:
        """The value as its column's type reads it back."""
        if value in (None, ""):
            return None
        kind = self._types[column]
        if is_damaged(text_of(value)):
            raise UnfitError("it holds half a character, which no file can hold")
        if kind == "VARCHAR" and "\x00" not in text_of(value):
            return text_of(value)
        try:
            with confined() as sql:
                row = sql.execute(f"SELECT CAST(? AS {kind})", [_bound(value, kind)]).fetchone()
        except (duckdb.Error, ValueError):
            raise UnfitError(f"its column is of the type {kind}, the value is not") from None
        return _plain(row[0] if row else None)

    def lists(self, column: str) -> bool:
        """Whether the column's type is a list."""
        return self._types[column].endswith("[]")

    def dump(self, parts: Sequence[Part]) -> bytes:
        """The file with its rows as they are now, in the same order and of the same types."""
        numbered = "row_number() OVER ()"
        with self._opened() as (sql, file):
            sql.execute(
                f'CREATE TABLE held AS SELECT {numbered} AS "{_ROW}", * FROM read_parquet(?)',
                [file],
            ).fetchall()
            last = max((part.line for part in parts), default=0)
            for part in parts:
                if part.state is State.NEW:
                    last += 1
                    self._insert(sql, last, part)
                elif part.state is State.CHANGED:
                    self._update(sql, part)
                elif part.state is State.GONE:
                    sql.execute(f'DELETE FROM held WHERE "{_ROW}" = ?', [part.line]).fetchall()
            out = Path(file).with_name("out.parquet")
            ordered = f'SELECT * EXCLUDE ("{_ROW}") FROM held ORDER BY "{_ROW}"'
            sql.execute(
                f"COPY ({ordered}) TO '{str(out).replace(chr(39), chr(39) * 2)}' (FORMAT parquet)"
            ).fetchall()
            return out.read_bytes()

    # How it is done.

    @contextmanager
    def _opened(self) -> Iterator[tuple[duckdb.DuckDBPyConnection, str]]:
        """A connection, and the content as a file of its own.

        What is read is what was fetched, whatever happens since.
        """
        with (
            tempfile.TemporaryDirectory(prefix="ghl-reconcile-") as folder,
            confined(folders=[Path(folder)]) as sql,
        ):
            file = Path(folder) / "in.parquet"
            file.write_bytes(self._content)
            sql.execute("SET threads = 1; SET TimeZone = 'UTC'").fetchall()
            try:
                yield sql, str(file)
            except duckdb.Error as error:
                what = (
                    f"{self._name} is not a Parquet file that can be read ({type(error).__name__})"
                )
                raise BrokenFileError(what, "write it again, or restore it from a backup") from None

    def _part(self, row: int, values: Sequence[Any]) -> Part:
        try:
            plain = {name: _plain(value) for name, value in zip(self.columns, values, strict=True)}
        except UnfitError as error:
            return Part(row, why=str(error))
        return Part(row, None, plain)

    def _insert(self, sql: duckdb.DuckDBPyConnection, row: int, part: Part) -> None:
        columns, places = [f'"{_ROW}"'], ["?"]
        bound: list[Any] = [row]
        for name, value in (part.values or {}).items():
            if value is None:
                continue
            kind = self._types[name]
            columns.append(_quoted(name))
            places.append(f"CAST(? AS {kind})")
            bound.append(_bound(value, kind))
        statement = f"INSERT INTO held ({', '.join(columns)}) VALUES ({', '.join(places)})"
        sql.execute(statement, bound).fetchall()

    def _update(self, sql: duckdb.DuckDBPyConnection, part: Part) -> None:
        values = part.values or {}
        places: list[str] = []
        bound: list[Any] = []
        for name in self.columns:
            if name not in part.touched:
                continue
            kind = self._types[name]
            places.append(f"{_quoted(name)} = CAST(? AS {kind})")
            bound.append(_bound(values.get(name), kind))
        if not places:
            return
        statement = f'UPDATE held SET {", ".join(places)} WHERE "{_ROW}" = ?'
        sql.execute(statement, [*bound, part.line]).fetchall()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _bound(value: Json, kind: str) -> Any:
    if value in (None, ""):
        return None
    if kind.endswith("[]") and isinstance(value, list):
        return value
    return text_of(value)


def _plain(value: Any) -> Json:
    """A value of DuckDB's as JSON.

    Moments as ISO 8601, decimals and fractions as text, bytes where they are text.

    pandas makes fractions of whole numbers, and "not a number" of blanks, where a column has any
    blank: they are what they were.
    """
    if value is None or isinstance(value, str | bool | int):
        return value if value != "" else None
    if isinstance(value, datetime | date | time):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise UnfitError("it holds bytes that are no text") from None
    if isinstance(value, float) and (
        value != value or (value.is_integer() and abs(value) < _EXACT)
    ):
        if value != value:
            return None
        return int(value)
    if isinstance(value, float | Decimal | UUID | timedelta):
        return str(value)
    raise UnfitError(f"it holds a value of the kind {type(value).__name__}")
