"""The fast way out of PostgreSQL.

The server writes the JSON lines itself, and COPY hands them over untouched.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from connectors.marks import NO, NO_MOMENT
from connectors.sql import tags as tagging
from connectors.sql.gathering import Gathered, gathered
from connectors.sql.lines import Tally
from connectors.sql.reading import ROWS, needed, visible
from connectors.sql.schema import TAGS, Layout
from connectors.sql.values import Field, Kind
from reconcile.ports import Page

_BYTES = 4_000_000
"""Bytes a page, so that a few thousand long notes do not make a page of a gigabyte."""

_OPTIONS = "(FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02')"
"""The delimiter and the quote of COPY, which then has nothing to escape.

They are control characters, and JSON text escapes every one of those.
"""

_MOMENT = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'


def can_copy(connection: sa.Connection, layout: Layout) -> bool:
    """Whether COPY gives this table exactly as reading it row by row would."""
    if connection.dialect.name != "postgresql" or connection.dialect.driver != "psycopg":
        return False
    if any(field.form != "native" for field in needed(layout)):
        return False
    place = layout.tags
    if place is None or place.field is None or place.form == "array":
        return True
    if place.form != "json" or place.field.kind is not Kind.JSON:
        return False
    # A value that is no list sets its row aside, which the server would not do.
    kind = sa.func.json_typeof(sa.cast(place.field.column, postgresql.JSON))
    odd = sa.select(sa.func.count()).select_from(layout.table)
    odd = odd.where(kind.not_in(("array", "null")))
    return connection.execute(odd).scalar_one() == 0


def copied(connection: sa.Connection, layout: Layout, tally: Tally) -> Iterator[Page]:
    """The whole table as pages, in the transaction of `connection`.

    Rows without a key are left out.
    """
    together = gathered(connection, layout, visible(layout), tally)
    lines_of_all = _compiled(_lines(layout, together))
    statement = (
        f"COPY (SELECT row_to_json(line) FROM ({lines_of_all}) AS line) TO STDOUT {_OPTIONS}"
    )
    driver: Any = connection.connection.driver_connection
    lines: list[bytes] = []
    size = 0
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        for line in copy:
            lines.append(line)
            size += len(line)
            if size >= _BYTES or len(lines) >= ROWS:
                yield Page(b"".join(lines), len(lines))
                lines, size = [], 0
    if lines:
        yield Page(b"".join(lines), len(lines))


def keyless(connection: sa.Connection, layout: Layout) -> int:
    """How many rows have no key."""
    if not any(field.nullable for field in layout.key):
        return 0
    condition = sa.or_(*(field.column.is_(None) for field in layout.key))
    rows = sa.select(sa.func.count()).select_from(layout.table)
    return connection.execute(rows.where(condition, *visible(layout))).scalar_one()


def _compiled(statement: sa.Select[Any]) -> str:
    dialect = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]
    return str(statement.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))


def _lines(layout: Layout, together: Gathered) -> sa.Select[Any]:
    labels = layout.labels
    columns = [_field(field).label(name) for name, field in layout.fields.items()]
    columns.append(_key(layout.key).label(labels["key"]))
    if layout.parent:
        columns.append(_key(layout.parent).label(labels["parent"]))
    for role in ("version", "modified_at"):
        field = getattr(layout, role)
        if field is not None:
            columns.append(sa.cast(_json(field), sa.Text).label(labels[role]))
    if layout.deleted:
        columns.append(_flag(layout.deleted).label(labels["deleted"]))
    present = [field.column.is_not(None) for field in layout.key]
    select = _with_tags(layout, columns, together.source)
    return select.where(*present, *visible(layout), *together.conditions)


def _with_tags(
    layout: Layout, columns: list[sa.Label[Any]], source: sa.FromClause
) -> sa.Select[Any]:
    if layout.tags is None:
        return sa.select(*columns).select_from(source)
    empty = sa.cast(sa.literal_column("'[]'"), postgresql.JSON)
    if layout.tags.field is not None:
        listed = _json(layout.tags.field)
        if layout.tags.form == "array":
            listed = sa.func.array_remove(listed, sa.null())
        shown = sa.func.coalesce(sa.func.to_json(listed), empty).label(TAGS)
        return sa.select(*columns, shown).select_from(source)
    together = cast("sa.Subquery", tagging.aggregated(layout, "postgresql"))
    joined = source.outerjoin(together, together.c.held_contact == layout.key[0].column)
    shown = sa.func.coalesce(together.c.held_tags, empty).label(TAGS)
    return sa.select(*columns, shown).select_from(joined)


def _key(fields: tuple[Field, ...]) -> sa.ColumnElement[Any]:
    if len(fields) == 1:
        return sa.cast(_json(fields[0]), sa.Text)
    parts: sa.ColumnElement[Any] = sa.literal_column("'['")
    for number, field in enumerate(fields):
        if number:
            parts = parts.concat(sa.literal_column("','"))
        parts = parts.concat(sa.cast(sa.func.to_json(_json(field)), sa.Text))
    return parts.concat(sa.literal_column("']'"))


def _field(field: Field) -> sa.ColumnElement[Any]:
    """A field's value: a moment without a zone stays without one."""
    if field.zoneless:
        return _text(field, field.column, _MOMENT.removesuffix('"Z"'))
    return _json(field)


def _json(field: Field) -> sa.ColumnElement[Any]:
    """A column as what row_to_json shows in the form that reading it row by row gives."""
    column: sa.ColumnElement[Any] = field.column
    match field.kind:
        case Kind.INSTANT | Kind.LOCAL:
            return _moment(field)
        case Kind.DECIMAL | Kind.OTHER | Kind.TIME:
            return sa.cast(column, sa.Text)
        case Kind.TEXT if field.padded:
            return sa.cast(column, sa.Text)  # the cast takes the spaces off
        case Kind.BYTES:
            return sa.func.encode(column, "hex")
        case Kind.JSON:
            # The json type keeps line breaks between its tokens; a JSON string can hold none, so
            # they can go.
            breaks: sa.ColumnElement[str] = sa.literal_column(r"E'[\n\r]'")
            one_line = sa.func.regexp_replace(sa.cast(column, sa.Text), breaks, " ", "g")
            return sa.cast(one_line, postgresql.JSON)
        case _:
            return column


def _moment(field: Field) -> sa.ColumnElement[Any]:
    column: sa.ColumnElement[Any] = field.column
    if field.kind is Kind.LOCAL and field.zone.key != "UTC":
        column = column.op("AT TIME ZONE")(field.zone.key).op("AT TIME ZONE")("UTC")
    elif field.kind is Kind.INSTANT:
        column = column.op("AT TIME ZONE")("UTC")
    return _text(field, column, _MOMENT)


def _text(field: Field, moment: sa.ColumnElement[Any], form: str) -> sa.ColumnElement[Any]:
    """A moment in that form.

    What Python's own type cannot hold (infinity, BC) is PostgreSQL's text, as the driver gives it.
    """
    zone = "Z" if form.endswith('"Z"') else ""
    formed = sa.func.regexp_replace(sa.func.to_char(moment, form), f"[.]000000{zone}$", zone)
    in_range = sa.and_(
        field.column >= sa.literal_column("'0001-01-01'"),
        field.column < sa.literal_column("'10000-01-01'"),
    )
    return sa.case((in_range, formed), else_=sa.cast(field.column, sa.Text))


def _flag(field: Field) -> sa.ColumnElement[bool]:
    """What `says_deleted` says, in SQL: both readings of a table have to agree on who is gone."""
    match field.kind:
        case Kind.BOOL:
            return sa.func.coalesce(field.column, sa.false())
        case Kind.INTEGER | Kind.DECIMAL | Kind.FLOAT:
            return sa.func.coalesce(field.column, 0) != 0
        case Kind.TEXT | Kind.OTHER | Kind.JSON | Kind.ARRAY:
            filled = sa.func.coalesce(sa.cast(field.column, sa.Text), "")
            text = sa.func.lower(sa.func.btrim(filled))
            zero = text.op("~", is_comparison=True)("^[-+]?0+([.]0*)?$")
            return sa.and_(text.not_in(NO), sa.not_(text.startswith(NO_MOMENT)), sa.not_(zero))
        case _:
            return field.column.is_not(None)
