"""Reads the columns of one table or view: what each holds, may hold, and makes by itself."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.types import _Binary

from connectors.sql.values import Field, Kind


def read_table(
    connection: sa.Connection, name: str, schema: str | None, zone: ZoneInfo
) -> Mapping[str, Field]:
    """The columns of an existing table or view, with what the database says of each."""
    if connection.dialect.name == "sqlite":
        return _sqlite_table(connection, name, schema, zone)
    with warnings.catch_warnings():
        # A type that SQLAlchemy does not know is read as text: nothing to warn of.
        warnings.simplefilter("ignore", sa.exc.SAWarning)
        table = sa.Table(
            name, sa.MetaData(), schema=schema, autoload_with=connection, resolve_fks=False
        )
    choices = _checked_choices(connection, name, schema)
    fields = {}
    for column in table.columns:
        kind = _kind(column.type, connection.dialect.name)
        plain = _undressed(column.type)
        fields[column.name] = Field(
            name=column.name,
            column=column,
            kind=kind,
            zone=zone,
            nullable=bool(column.nullable),
            generated=column.computed is not None
            or bool(column.identity and column.identity.always),
            automatic=_automatic(column),
            default=column.server_default is not None,
            length=getattr(column.type, "length", None) if kind is Kind.TEXT else None,
            choices=_choices(plain) or choices.get(column.name, ()),
            padded=isinstance(plain, sa.CHAR),
            unsigned=isinstance(plain, mysql.BIT) or bool(getattr(plain, "unsigned", False)),
        )
    return fields


def _undressed(type_: Any) -> Any:
    """What a PostgreSQL domain is made of."""
    while isinstance(type_, postgresql.DOMAIN):
        type_ = type_.data_type
    return type_


def _choices(type_: Any) -> tuple[str, ...]:
    if isinstance(type_, mysql.SET):
        return tuple(type_.values)
    if isinstance(type_, sa.Enum):
        return tuple(type_.enums)
    return ()


def _automatic(column: sa.Column[Any]) -> bool:
    """Whether the database makes the value when an insert leaves it out.

    It does so for most keys.
    """
    if column.identity is not None or column.server_default is not None:
        return True
    return column.autoincrement is True


_KINDS: tuple[tuple[type[Any], Kind], ...] = (
    (sa.Enum, Kind.TEXT),
    (mysql.SET, Kind.ARRAY),
    (sa.Boolean, Kind.BOOL),
    (sa.Integer, Kind.INTEGER),
    (sa.Float, Kind.FLOAT),
    (sa.Numeric, Kind.DECIMAL),
    (mysql.TIMESTAMP, Kind.INSTANT),
    (sa.DateTime, Kind.LOCAL),
    (sa.Date, Kind.DATE),
    (sa.Time, Kind.TIME),
    (sa.Uuid, Kind.UUID),
    (_Binary, Kind.BYTES),
    (sa.JSON, Kind.JSON),
    (sa.ARRAY, Kind.ARRAY),
    (sa.String, Kind.TEXT),
)


def _kind(type_: Any, dialect: str) -> Kind:
    if dialect in ("mysql", "mariadb"):
        if isinstance(type_, mysql.TINYINT) and type_.display_width == 1:
            return Kind.BOOL
        if isinstance(type_, mysql.BIT):
            if type_.length in (None, 1):
                return Kind.BOOL
            return Kind.INTEGER
    type_ = _undressed(type_)
    kind = next((kind for known, kind in _KINDS if isinstance(type_, known)), Kind.OTHER)
    if kind is Kind.LOCAL and type_.timezone:
        return Kind.INSTANT
    return kind


_LISTED = re.compile(
    r"^\W*\"?`?(\w+)`?\"?\)*(?:::[\w ]+)?\s*(?:in\s*\(|=\s*any\s*\()(.+)$",
    re.IGNORECASE | re.DOTALL,
)


def _checked_choices(
    connection: sa.Connection, name: str, schema: str | None
) -> Mapping[str, tuple[str, ...]]:
    """The values that CHECK (column IN ('a', 'b')) constraints allow, by column.

    Other checks say nothing here.
    """
    try:
        checks = sa.inspect(connection).get_check_constraints(name, schema)
    except (NotImplementedError, sa.exc.SQLAlchemyError):
        return {}
    choices: dict[str, tuple[str, ...]] = {}
    for check in checks:
        match = _LISTED.match(check["sqltext"])
        if match and not re.search(r"\b(or|and)\b", re.sub("'[^']*'", "", match[2]), re.IGNORECASE):
            texts = re.findall(r"'((?:[^'\\]|''|\\.)*)'", match[2])
            choices[match[1]] = tuple(text.replace("''", "'").replace("\\'", "'") for text in texts)
    return choices


_DECLARED: tuple[tuple[str, Kind], ...] = (
    ("BOOL", Kind.BOOL),
    ("DATETIME", Kind.LOCAL),
    ("TIMESTAMP", Kind.LOCAL),
    ("DATE", Kind.DATE),
    ("TIME", Kind.TIME),
    ("JSON", Kind.JSON),
    ("UUID", Kind.TEXT),
    ("DEC", Kind.DECIMAL),
    ("NUM", Kind.DECIMAL),
    ("MONEY", Kind.DECIMAL),
    ("POINT", Kind.TEXT),
    ("INT", Kind.INTEGER),
    ("CHAR", Kind.TEXT),
    ("CLOB", Kind.TEXT),
    ("TEXT", Kind.TEXT),
    ("REAL", Kind.FLOAT),
    ("FLOA", Kind.FLOAT),
    ("DOUB", Kind.FLOAT),
    ("BLOB", Kind.BYTES),
)
"""What a declared SQLite type is taken for: the first word that it contains.

SQLite itself stores anything anywhere.
"""


def _sqlite_table(
    connection: sa.Connection, name: str, schema: str | None, zone: ZoneInfo
) -> Mapping[str, Field]:
    quote = connection.dialect.identifier_preparer.quote_identifier
    prefix = f"{quote(schema)}." if schema else ""
    rows = connection.exec_driver_sql(f"PRAGMA {prefix}table_xinfo({quote(name)})").mappings().all()
    choices = _checked_choices(connection, name, schema)
    table = sa.Table(
        name,
        sa.MetaData(),
        *(sa.Column(row["name"], sa.types.NullType()) for row in rows),
        schema=schema,
    )
    keys = [row for row in rows if row["pk"]]
    fields = {}
    for row in rows:
        declared = row["type"].upper()
        kind = next((kind for word, kind in _DECLARED if word in declared), Kind.OTHER)
        length = re.search(r"CHAR\w*\s*\((\d+)\)", declared)
        fields[row["name"]] = Field(
            name=row["name"],
            column=table.columns[row["name"]],
            kind=kind,
            zone=zone,
            form="sql" if kind is Kind.LOCAL else "native",
            raw=True,
            nullable=not row["notnull"],
            generated=row["hidden"] in (2, 3),
            automatic=(declared == "INTEGER" and len(keys) == 1 and bool(row["pk"]))
            or row["dflt_value"] is not None,
            default=row["dflt_value"] is not None,
            length=int(length[1]) if length else None,
            choices=choices.get(row["name"], ()),
        )
    return fields
