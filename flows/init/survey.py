"""What is in a database that nobody has described yet: its tables, columns, references and a few samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from connectors.sql.engine import begin_snapshot, open_engine
from connectors.sql.settings import SqlSettings
from reconcile.errors import ConfigError, Problem
from reconcile.ports import FieldType

ROWS = 200
"""How many rows of each table are looked at."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its declared type, and what the sampled rows hold, as text and without blanks.

    `meaning` is the concept that a column of a known export holds, `strange` why it is none though it looks like one.
    `list_of` is the column with several values in each cell, of which this one is the first. `called` is what people call it,
    where its name is a path.
    """

    name: str
    type: FieldType = "text"
    samples: tuple[str, ...] = ()
    meaning: str | None = None
    strange: str = ""
    list_of: str | None = None
    called: str = ""

    @property
    def title(self) -> str:
        """What it is to be known by."""
        return self.called or self.list_of or self.name

    @property
    def distinct(self) -> tuple[str, ...]:
        """The sampled values, once each, in order."""
        return tuple(dict.fromkeys(self.samples))


@dataclass(frozen=True, slots=True)
class Table:
    """One table or view; `references` gives the table that a column refers to, where the database says so.

    `natural` means that the key is made of columns with a meaning of their own, such as an email.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    references: Mapping[str, str] = field(default_factory=dict)
    natural: bool = False

    def column(self, name: str) -> Column:
        """The column of that name. Raises KeyError where there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


def survey(url: str) -> tuple[Table, ...]:
    """Every table and view of a database, read-only. Raises ConfigError where it cannot be reached, never with the URL."""
    engine = open_engine(SqlSettings(url, {}))
    try:
        with begin_snapshot(engine) as connection:
            return tuple(_tables(connection))
    except sa.exc.SQLAlchemyError as error:
        what = f"the database cannot be read ({type(error).__name__})"
        raise ConfigError(
            [Problem("--app", what, "Check the URL, the password and that the server is up.")]
        ) from None
    finally:
        engine.dispose()


def _tables(connection: sa.Connection) -> Iterator[Table]:
    inspector = sa.inspect(connection)
    for name in sorted([*inspector.get_table_names(), *inspector.get_view_names()]):
        columns = inspector.get_columns(name)
        references = {
            key["constrained_columns"][0]: key["referred_table"]
            for key in inspector.get_foreign_keys(name)
            if len(key["constrained_columns"]) == 1
        }
        samples = _samples(connection, name, [column["name"] for column in columns])
        yield Table(
            name,
            tuple(Column(c["name"], _type(c["type"]), tuple(samples[c["name"]])) for c in columns),
            tuple(inspector.get_pk_constraint(name)["constrained_columns"] or ()),
            references,
        )


def _samples(connection: sa.Connection, table: str, columns: list[str]) -> dict[str, list[str]]:
    """Values of the first rows; a table that may not be read has none."""
    found: dict[str, list[str]] = {column: [] for column in columns}
    chosen = (
        sa.select(*(sa.column(column) for column in columns))
        .select_from(sa.table(table))
        .limit(ROWS)
    )
    try:
        with connection.begin_nested():
            rows = connection.execute(chosen).all()
    except sa.exc.DBAPIError:
        return found
    for row in rows:
        for column, value in zip(columns, row, strict=True):
            if (text := _text(value)) is not None:
                found[column].append(text)
    return found


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, bytes | memoryview):
        return None
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value).strip() or None


_TYPES: tuple[tuple[type[sa.types.TypeEngine[Any]], FieldType], ...] = (
    (sa.Boolean, "bool"),
    (sa.DateTime, "instant"),
    (sa.Date, "date"),
    (sa.Integer, "integer"),
    (sa.Numeric, "decimal"),
    (sa.ARRAY, "tags"),
    (sa.JSON, "json"),
)


def _type(declared: sa.types.TypeEngine[Any]) -> FieldType:
    return next((name for kind, name in _TYPES if isinstance(declared, kind)), "text")
