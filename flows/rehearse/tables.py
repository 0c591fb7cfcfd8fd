"""Copies the tables that a pair file names from any database into an SQLite file."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from connectors.sql.engine import begin_snapshot, open_engine
from connectors.sql.settings import SqlSettings
from reconcile.entities import OWNER, RECORDS

_NAMED = ("table", "names")
"""The keys of a pair file under which a table's name stands."""

_UUID = (
    "lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2)"
    " || '-8' || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))"
)
"""What SQLite gives a new row where the database's own default makes a UUID."""

ROWS = 1_000
"""Rows that are read and written together."""


def copy_tables(url: str, app: Mapping[str, Any], target: Path, *, timezone: str) -> dict[str, Any]:
    """Copy every table that `app` names to an SQLite file, with its keys and constraints.

    Returns `app` as it is for the copy: an SQLite file has no schemas, so a name loses its own, and
    an array becomes a list in JSON. Nothing is written where `url` leads; all is read at one
    moment. Times without a zone are those of `timezone`. An SQLite file is copied whole, its
    triggers with it.
    """
    source = open_engine(SqlSettings(url, {}))
    try:
        if source.dialect.name == "sqlite":
            copy_file(str(source.url.database), target)
            return dict(app)
        names = _names(app)
        metadata, tables = _tables(source, names)
        engine = sa.create_engine(
            f"sqlite:///{target}", poolclass=sa.NullPool, hide_parameters=True
        )
        metadata.create_all(engine)
        _copy_rows(
            source,
            engine,
            tables,
            ZoneInfo(timezone),
        )
        renamed: dict[str, Any] = _renamed(app, names)
        return renamed
    finally:
        source.dispose()


def copy_file(source: str, target: Path) -> None:
    """An SQLite file at one moment, whoever else uses it."""
    with (
        closing(sqlite3.connect(f"{Path(source).as_uri()}?mode=ro", uri=True)) as read,
        closing(sqlite3.connect(target)) as target_db,
    ):
        read.backup(target_db)


def let_read_on(target: Path) -> None:
    """Let whoever reads the copy keep nobody from writing to it, as a server does."""
    with closing(sqlite3.connect(target)) as copy:
        copy.execute("PRAGMA journal_mode=WAL")


def keep_only(target: Path, app: Mapping[str, Any], keys: Collection[str]) -> None:
    """Take out of a copy all contacts but those of these keys, and what hangs on them."""
    owner = app[OWNER.value]
    key = single(owner.get("key", "id"))
    if key is None:
        return
    with closing(sqlite3.connect(target)) as copy, copy:
        copy.execute("CREATE TEMP TABLE kept (key TEXT PRIMARY KEY)")
        copy.executemany("INSERT INTO kept VALUES (?)", [(one,) for one in keys])
        table = _quoted(owner["table"])
        kept = "IN (SELECT key FROM kept)"
        copy.execute(f"DELETE FROM {table} WHERE NOT CAST({_quoted(key)} AS TEXT) {kept}")
        for entity in RECORDS:
            child = app.get(entity.value)
            parent = single(child.get("parent")) if child else None
            if child is None or entity.parent is not OWNER or parent is None or "." in parent:
                continue
            column = f"CAST({_quoted(parent)} AS TEXT)"
            copy.execute(
                f"DELETE FROM {_quoted(child['table'])} WHERE {column} IS NOT NULL"
                f" AND NOT {column} {kept}"
            )
        copy.execute("DROP TABLE kept")


def single(columns: Any) -> str | None:
    """The one column of a key; None where there are several, or none."""
    listed = [columns] if isinstance(columns, str) else list(columns or ())
    return str(listed[0]) if len(listed) == 1 else None


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def names_of(app: Any) -> set[str]:
    """The tables that a pair file names."""
    return set(_named(app))


def _names(app: Any) -> dict[str, str]:
    """Every table that is named, with the name of its copy."""
    reflected = sorted(names_of(app))
    plain = [name.rpartition(".")[2] for name in reflected]
    return {
        name: short if plain.count(short) == 1 else name.replace(".", "_")
        for name, short in zip(reflected, plain, strict=True)
    }


def _named(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, member in value.items():
            if name in _NAMED and isinstance(member, str):
                yield member
            else:
                yield from _named(member)


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if not isinstance(value, Mapping):
        return value
    changed = {}
    for name, member in value.items():
        if name in _NAMED and isinstance(member, str):
            changed[name] = names[member]
        elif name == "form" and member == "array":
            changed[name] = "json"
        else:
            changed[name] = _renamed(member, names)
    return changed


# What the tables are.


def _tables(
    source: sa.Engine, names: Mapping[str, str]
) -> tuple[sa.MetaData, dict[sa.Table, sa.Table]]:
    """The tables of the copy, and from which each is made."""
    reflected = sa.MetaData()
    originals = {}
    for name in names:
        schema, _, table = name.rpartition(".")
        originals[name] = sa.Table(
            table, reflected, schema=schema or None, autoload_with=source, resolve_fks=False
        )
    metadata = sa.MetaData()
    copies = {
        original: _copy_of(original, names[name], metadata) for name, original in originals.items()
    }
    foreign_keys(copies)
    return metadata, copies


def _copy_of(original: sa.Table, name: str, metadata: sa.MetaData) -> sa.Table:
    keys = list(original.primary_key.columns)
    columns = [_column(column, alone=keys == [column]) for column in original.columns]
    constraints = [sa.UniqueConstraint(*names) for names in unique_columns(original)]
    return sa.Table(name, metadata, *columns, *constraints)


def unique_columns(original: sa.Table) -> list[tuple[str, ...]]:
    """The columns of which no two rows may hold the same."""
    unique = [
        tuple(column.name for column in constraint.columns)
        for constraint in original.constraints
        if isinstance(constraint, sa.UniqueConstraint)
    ]
    unique += [
        tuple(column.name for column in index.columns)
        for index in original.indexes
        if index.unique and len(index.columns) == len(index.expressions) and not _partial(index)
    ]
    return sorted(set(unique))


def _partial(index: sa.Index) -> bool:
    return any(options.get("where") is not None for options in index.dialect_options.values())


def _column(column: sa.Column[Any], *, alone: bool) -> sa.Column[Any]:
    kind = _kind(column)
    default = _default(column)
    if alone and isinstance(kind, sa.Integer):
        return sa.Column(
            column.name,
            sa.Integer,
            primary_key=True,
        )  # SQLite counts in no other
    given = column.server_default is not None or column.identity is not None
    nullable = bool(column.nullable) or (given and default is None and not column.primary_key)
    return sa.Column(
        column.name,
        kind,
        primary_key=column.primary_key,
        nullable=nullable and not column.primary_key,
        server_default=None if default is None else sa.text(default),
    )


_KINDS: tuple[tuple[type[Any], type[sa.types.TypeEngine[Any]]], ...] = (
    (sa.Boolean, sa.Boolean),
    (sa.DateTime, sa.DateTime),
    (sa.Date, sa.Date),
    (sa.Time, sa.Time),
    (sa.LargeBinary, sa.LargeBinary),
)
"""What SQLite keeps as it is."""


def _kind(column: sa.Column[Any]) -> sa.types.TypeEngine[Any]:
    match column.type:
        case sa.Enum() | sa.Uuid():
            return sa.String(80)
        case sa.JSON() | sa.ARRAY():
            return sa.JSON(none_as_null=True)
        case sa.Integer():
            return _whole(column.type)
        case sa.Numeric() as number:
            return sa.Numeric(number.precision, number.scale)
        case sa.Text():
            return sa.Text()
        case sa.String() as text:
            return sa.String(text.length)
    kept = (kind() for original, kind in _KINDS if isinstance(column.type, original))
    return next(kept, sa.Text())


def _whole(kind: sa.types.TypeEngine[Any]) -> sa.types.TypeEngine[Any]:
    # MySQL's truth value is a number of one digit.
    return (
        sa.Boolean()
        if getattr(
            kind,
            "display_width",
            None,
        )
        == 1
        else sa.Integer()
    )


_CAST = re.compile(r"::[\w\s\"\[\]().]+$")
_PLAIN = re.compile(r"^(?:'(?:[^']|'')*'|-?\d+(?:\.\d+)?|true|false|null)$", re.IGNORECASE)


def _default(column: sa.Column[Any]) -> str | None:
    """The default of a new row in SQLite's words; None where it has none that can be said."""
    said = column.server_default
    if not isinstance(said, sa.DefaultClause):
        return None
    text = _CAST.sub(
        "",
        str(
            getattr(
                said.arg,
                "text",
                said.arg,
            )
        ).strip(),
    )
    if _PLAIN.match(text):
        return text
    lower = text.lower()
    if "uuid" in lower:
        return f"({_UUID})"
    return "CURRENT_TIMESTAMP" if "now" in lower or "current_timestamp" in lower else None


def foreign_keys(copies: Mapping[sa.Table, sa.Table]) -> None:
    """The foreign keys between tables that are both copied."""
    by_name = {(one.schema, one.name): copy for one, copy in copies.items()}
    for original, copy in copies.items():
        for constraint in original.foreign_key_constraints:
            place = constraint.elements[0].target_fullname.split(".")
            other = by_name.get((".".join(place[:-2]) or original.schema, place[-2]))
            if other is None:
                continue
            targets = [
                f"{other.fullname}.{one.target_fullname.split('.')[-1]}"
                for one in constraint.elements
            ]
            copy.append_constraint(
                sa.ForeignKeyConstraint(
                    list(constraint.column_keys), targets, ondelete=constraint.ondelete
                )
            )


# What stands in them.


def _copy_rows(
    source: sa.Engine,
    target: sa.Engine,
    tables: Mapping[sa.Table, sa.Table],
    zone: ZoneInfo,
) -> None:
    connection = begin_snapshot(source)
    try:
        with target.begin() as target_db:
            for original, copy in tables.items():
                streamed = connection.execution_options(yield_per=ROWS)
                for rows in streamed.execute(sa.select(original)).mappings().partitions():
                    target_db.execute(
                        sa.insert(copy),
                        [
                            _row(
                                dict(row),
                                copy,
                                zone,
                            )
                            for row in rows
                        ],
                    )
    finally:
        connection.close()


def _row(row: Mapping[str, Any], copy: sa.Table, zone: ZoneInfo) -> dict[str, Any]:
    return {name: _value(value, copy.c[name], zone) for name, value in row.items()}


def _value(value: Any, column: sa.Column[Any], zone: ZoneInfo) -> Any:
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(zone).replace(tzinfo=None)
    if value is None or not isinstance(column.type, sa.String):
        return bool(value) if isinstance(column.type, sa.Boolean) and value is not None else value
    if isinstance(value, set | frozenset | list | dict):
        return json.dumps(sorted(value) if isinstance(value, set | frozenset) else value)
    return value if isinstance(value, str) else str(value)
