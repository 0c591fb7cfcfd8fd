"""Looks a database over: its tables and columns, what they refer to, and a few rows of each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.engine.interfaces import ReflectedColumn

from connectors.sql.engine import begin_snapshot, open_engine
from connectors.sql.settings import SqlSettings
from flows.init.found import Column, Table
from flows.init.references import Holds, met, with_references
from reconcile.errors import ConfigError, Problem
from reconcile.ports import FieldType

ROWS = 200
"""How many rows of each table are looked at."""
LINKS = 5_000
"""How many rows of a narrow table: it holds little a row, and rows of many kinds."""
_NARROW = 10
_KEY_BYTES = 16
_NO_TIME = "0000-00-00"
"""MySQL's default of a time that nobody gave: as good as none."""
_OF_THE_SERVER = ("information_schema", "pg_")


def survey(url: str) -> tuple[Table, ...]:
    """Every table and view of a database, read-only.

    Raises ConfigError where it cannot be reached, never with the URL.
    """
    engine = open_engine(SqlSettings(url, {}))
    try:
        with begin_snapshot(engine) as connection:
            tables = with_references(tuple(_tables(connection)))
            return tuple(
                met(
                    table,
                    tables,
                    _holder(connection),
                )
                for table in tables
            )
    except sa.exc.SQLAlchemyError as error:
        what = f"the database cannot be read ({type(error).__name__})"
        raise ConfigError(
            [
                Problem(
                    "--app",
                    what,
                    "Check the URL, the password and that the server is up.",
                )
            ]
        ) from None
    finally:
        engine.dispose()


def _holder(connection: sa.Connection) -> Holds:
    def holds(
        table: Table,
        values: Sequence[str],
    ) -> int:
        """Asks the database; a key that it takes for no value of the column is none."""
        schema, _, name = table.name.rpartition(".")
        among = sa.column(table.key[0]).in_([_untyped(value) for value in values])
        selected = sa.select(sa.func.count()).select_from(
            sa.table(
                name,
                schema=schema or None,
            )
        )
        try:
            with connection.begin_nested():
                return connection.scalar(selected.where(among)) or 0
        except sa.exc.DBAPIError:
            return 0

    return holds


def _untyped(value: str) -> sa.BindParameter[Any]:
    """A value whose type the database tells by the column: a cast would keep it from the index."""
    return sa.bindparam(None, value, type_=sa.types.NullType())


def _tables(connection: sa.Connection) -> Iterator[Table]:
    inspector = sa.inspect(connection)
    for schema in _schemas(connection, inspector):
        names = [
            *inspector.get_table_names(schema),
            *inspector.get_view_names(schema),
        ]
        for name in sorted(names):
            yield _table(connection, inspector, name, schema)


def _schemas(
    connection: sa.Connection,
    inspector: sa.Inspector,
) -> list[str | None]:
    """The schema in which names are looked up, as None, and those beside it.

    A database may have several.
    """
    if connection.dialect.name != "postgresql":
        return [None]
    named = inspector.get_schema_names()
    # Twenty and other applications have a schema for each workspace.
    others = [name for name in named if not name.startswith(_OF_THE_SERVER)]
    return [
        None,
        *sorted(name for name in others if name != inspector.default_schema_name),
    ]


def _table(
    connection: sa.Connection,
    inspector: sa.Inspector,
    name: str,
    schema: str | None,
) -> Table:
    columns = inspector.get_columns(name, schema)
    references = {
        key["constrained_columns"][0]: _named(
            key["referred_table"],
            key.get("referred_schema"),
        )
        for key in inspector.get_foreign_keys(name, schema)
        if len(key["constrained_columns"]) == 1
    }
    rows = _rows(
        connection,
        sa.table(
            name,
            schema=schema,
        ),
        [column["name"] for column in columns],
    )
    return Table(
        _named(name, schema),
        tuple(_column(column, rows) for column in columns),
        tuple(
            inspector.get_pk_constraint(
                name,
                schema,
            )["constrained_columns"]
            or ()
        ),
        references,
        rows=tuple(rows),
        declared=True,
    )


def _named(
    table: str,
    schema: str | None,
) -> str:
    if schema:
        return f"{schema}.{table}"
    return table


def _column(
    said: ReflectedColumn,
    rows: list[dict[str, str]],
) -> Column:
    name, declared = said["name"], said["type"]
    declared_default = said.get("default")
    default = declared_default is not None and _NO_TIME not in declared_default
    generated = said.get("autoincrement") is True or "computed" in said or "identity" in said
    return Column(
        name,
        _type(declared),
        tuple(row[name] for row in rows if name in row),
        required=not (said["nullable"] or default or generated),
        nullable=said["nullable"],
        default=default or generated,
        words=tuple(getattr(declared, "enums", ())),
    )


def _rows(
    connection: sa.Connection,
    table: sa.TableClause,
    columns: list[str],
) -> list[dict[str, str]]:
    """The first rows; a table that may not be read has none."""
    # The first rows of a link table may all be of another kind; those of a broad table are heavy.
    limit = LINKS if len(columns) <= _NARROW else ROWS
    selected: list[sa.ColumnClause[Any]] = [sa.column(column) for column in columns]
    chosen = sa.select(*selected).select_from(table).limit(limit)
    try:
        with connection.begin_nested():
            records = connection.execute(chosen).all()
    except sa.exc.DBAPIError:
        return []
    texts = [
        zip(
            columns,
            map(
                _text,
                row,
            ),
            strict=True,
        )
        for row in records
    ]
    return [{name: text for name, text in row if text is not None} for row in texts]


def _text(value: Any) -> str | None:
    if isinstance(value, bytes | memoryview):
        if len(value) <= _KEY_BYTES:
            return bytes(value).hex()
        return None
    if value is None:
        return None
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
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
    if (
        isinstance(
            declared,
            mysql.TINYINT,
        )
        and declared.display_width == 1
    ):
        return "bool"
    return next(
        (
            name
            for kind, name in _TYPES
            if isinstance(
                declared,
                kind,
            )
        ),
        "text",
    )
