"""Makes one new row: values that were given, and values for new rows alone.

It makes a key where the database makes none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from connectors.sql.joins import Rows
from connectors.sql.keys import new_key, text_key
from connectors.sql.plain import plain
from connectors.sql.settings import Copy, NewValues
from connectors.sql.values import Field, Kind, UnfitError, coerce, stored_moment

NOW = "now"
_MOMENTS = (Kind.INSTANT, Kind.LOCAL, Kind.DATE)


def filled(
    columns: Mapping[str, Field],
    declared: NewValues,
    given: Mapping[str, Any],
    now: str,
    record: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What `on_create` adds to the values of a new row; `now` is an ISO 8601 instant.

    `record` is the row of the record that a joined row belongs to.

    Raises UnfitError for what does not fit.
    """
    added: dict[str, Any] = {}
    for name, said in declared.items():
        if given.get(name) is not None:
            continue
        source: Mapping[str, Any] = {**given, **added}
        if isinstance(said, Copy) and said.of_record:
            source = record or {}
        value = new_value(columns[name], said, source, now)
        if value is not None:
            added[name] = value
    return added


def new_value(
    field: Field,
    said: str | Copy,
    given: Mapping[str, Any],
    now: str,
) -> Any:
    """One value for a new row as its column takes it."""
    try:
        if isinstance(said, Copy):
            return coerce(field, _copied(said, given))
        if said == NOW and field.kind in _MOMENTS:
            if field.kind is Kind.DATE:
                return coerce(field, now)
            return stored_moment(field, now)
        return coerce(field, said)
    except UnfitError as error:
        raise UnfitError(f"{field.name}: {error}") from None


def _copied(
    said: Copy,
    given: Mapping[str, Any],
) -> str | None:
    value = given.get(said.column)
    if value is None:
        return None
    text = str(plain(value))
    match said.case:
        case "lower":
            return text.lower()
        case "upper":
            return text.upper()
        case _:
            return text


def missing_keys(
    connection: sa.Connection,
    key: Sequence[Field],
    values: Mapping[str, Any],
) -> dict[str, Any]:
    """Keys that neither the values nor the database give, made up where the column can hold one."""
    returns = connection.dialect.insert_returning
    missing = [field for field in key if values.get(field.name) is None]
    unmade = [field for field in missing if not field.automatic or (field.default and not returns)]
    return {field.name: new_key(field, uuid4()) for field in unmade if text_key(field)}


def key_ahead(
    field: Field,
    owner: Field,
) -> Any:
    """A key for a row that is made after the record that points to it by `owner`.

    None where the database makes it, and the record can wait for it.
    """
    waits = field.automatic and (owner.nullable or owner.default)
    if waits or not text_key(field):
        return None
    return new_key(field, uuid4())


def new_row(
    connection: sa.Connection,
    rows: Rows,
    values: Mapping[str, Any],
    now: str,
    record: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Insert a row with what was given, what selects it, what new rows get, and a key.

    `record` is the row of the record that it belongs to. Returns all its values that are known.
    """
    given = {name: value for name, value in values.items() if value is not None}
    whole = {**given, **rows.fixed}
    whole |= filled(rows.columns, rows.on_create, whole, now, record)
    stamp = rows.modified_at
    if stamp is not None and stamp.name not in whole:
        whole[stamp.name] = stored_moment(stamp, now)
    whole |= missing_keys(connection, rows.key, whole)
    key = inserted(connection, rows.table, whole, rows.key) or []
    for field, value in zip(rows.key, key, strict=False):
        whole[field.name] = value
    return whole


def inserted(
    connection: sa.Connection,
    table: sa.Table,
    values: Mapping[str, Any],
    wanted: Sequence[Field],
) -> list[Any] | None:
    """Insert a row and give the wanted columns of it.

    None where the database does not say what it became.
    """
    stored = {name: bound(table.columns[name], value) for name, value in values.items()}
    statement = sa.insert(table).values(stored)
    if wanted and connection.dialect.insert_returning:  # a table without a key has none to tell
        columns = [field.column for field in wanted]
        row = connection.execute(statement.returning(*columns)).first()
        if row is None or None in row:  # it is a view
            _insert_nothing(connection, table)
        # A view's trigger may answer nothing.
        return list(row) if row else None
    result = connection.execute(statement)
    # One column at most is made by such a database, and lastrowid is that one.
    return [values.get(field.name, result.lastrowid or None) for field in wanted]


def _insert_nothing(connection: sa.Connection, table: sa.Table) -> None:
    """Have SQLite refuse a view without a trigger: with RETURNING it takes the row and drops it."""
    if connection.dialect.name == "sqlite":
        nothing = sa.select(sa.null()).where(sa.false())
        connection.execute(sa.insert(table).from_select(list(table.columns)[:1], nothing))


def bound(column: sa.Column[Any], value: Any) -> Any:
    """A JSON column takes None for the JSON null; what is meant is SQL's."""
    if value is None and isinstance(column.type, sa.JSON):
        return sa.null()
    return value
