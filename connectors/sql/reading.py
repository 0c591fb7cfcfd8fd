"""Reads one database.

Everything, from one moment and in bounded memory, or single records as they are now.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from connectors.sql import tags as tagging
from connectors.sql.gathering import (
    SeveralError,
    changed_beside,
    every_row,
    gathered,
    with_joined,
)
from connectors.sql.keys import key_among, key_is, key_text
from connectors.sql.lines import Columns, Lines, Tally, marked
from connectors.sql.plain import bits, unpadded
from connectors.sql.schema import TAGS, Layout
from connectors.sql.values import (
    Field,
    Kind,
    UnfitError,
    coerce,
    native,
    same,
    shown,
    stored_moment,
)
from reconcile.ports import Json, Page, Record, Scope, Write

ROWS = 4_000
"""Rows a page.

They are so many that a page costs nothing beside them, and so few that memory is no matter.
"""

KEYS = 500
"""Keys a statement, below the 999 parameters that old SQLite versions take."""


def needed(layout: Layout) -> list[Field]:
    """Every column that a record is made of or joined by, or that joined rows copy, once."""
    place = layout.tags.field if layout.tags else None
    roles = (*layout.key, *layout.parent, layout.version, layout.modified_at, layout.deleted, place)
    joins = layout.joins.values()
    owners = [owner for joined in joins for _, owner in joined.near_end.on]
    copied = [layout.columns[name] for joined in joins for name in joined.copied]
    every = (*layout.fields.values(), *roles, *owners, *copied)
    by_name = {field.name: field for field in every if field is not None}
    return list(by_name.values())


def expression(field: Field) -> sa.ColumnElement[Any]:
    """A column as it is selected.

    What has no JSON form, or a type of Python's that cannot hold it, is selected as text.
    """
    column: sa.ColumnElement[Any] = field.column
    textual = (field.kind is Kind.OTHER and not field.raw) or isinstance(column.type, mysql.TIME)
    if textual:
        return sa.cast(column, sa.String()).label(field.name)
    if isinstance(column, sa.Column):
        return column
    return column.label(field.name)


def _own(layout: Layout) -> list[Field]:
    """The columns of the record's own table."""
    return [field for field in needed(layout) if field.name not in layout.beside]


def visible(layout: Layout) -> list[sa.ColumnElement[bool]]:
    """The fixed filter, as conditions."""
    if layout.where is None:
        return []
    return [layout.where]


def is_deleted(layout: Layout, row: Mapping[str, Any]) -> bool:
    """Whether the soft-delete column marks the record as deleted."""
    return layout.deleted is not None and marked(layout.deleted, row[layout.deleted.name])


def record_of(layout: Layout, row: Mapping[str, Any], tags: Sequence[str] = ()) -> Record:
    """One selected row as a Record; `tags` are its tags from a join table.

    Raises UnfitError on a null key.
    """
    key = key_text(layout.key, [row[field.name] for field in layout.key])
    if key is None:
        raise UnfitError("a record without a key")
    fields: dict[str, Json] = {
        name: shown(field, row[name]) for name, field in layout.fields.items()
    }
    if layout.tags is not None:
        place = layout.tags.field
        if place is not None:
            tags = tagging.parse(layout.tags, row[place.name])
        fields[TAGS] = list(tags)
    parent = None
    if layout.parent:
        parent = key_text(layout.parent, [row[field.name] for field in layout.parent])
    return Record(
        key=key,
        fields=fields,
        parent=parent,
        version=_text(layout.version, row),
        modified_at=_text(layout.modified_at, row),
        deleted=is_deleted(layout, row),
    )


def _text(field: Field | None, row: Mapping[str, Any]) -> str | None:
    if field is None:
        return None
    text = native(field, row[field.name])
    if text is None or isinstance(text, str):
        return text
    return str(text)


def fetch(
    connection: sa.Connection,
    layout: Layout,
    condition: sa.ColumnElement[bool],
    *,
    lock: bool = False,
    lenient: bool = False,
) -> list[Mapping[str, Any]]:
    """The rows that fulfil a condition, with what is joined to them.

    They are locked until the transaction ends if so wished.

    Raises SeveralError where a join has several rows for one of them and no rule, unless `lenient`
    takes any.
    """
    statement = sa.select(*map(expression, _own(layout))).where(condition)
    if lock:
        statement = statement.with_for_update(of=layout.table)
    plain = {field.name: unpadded for field in needed(layout) if field.padded}
    plain |= {
        field.name: bits for field in needed(layout) if isinstance(field.column.type, mysql.BIT)
    }
    own_rows = [dict(row) for row in connection.execute(statement).mappings()]
    rows = with_joined(connection, layout, own_rows, lock=lock, lenient=lenient)
    for row in rows:
        if isinstance(row, SeveralError):
            raise row
    whole = [row for row in rows if not isinstance(row, SeveralError)]
    return [row | {name: convert(row[name]) for name, convert in plain.items()} for row in whole]


def own_rows(connection: sa.Connection, layout: Layout, key: str) -> list[Mapping[str, Any]]:
    """The rows of a key in the record's own table, without what is joined to them."""
    statement = sa.select(*map(expression, _own(layout))).where(key_is(layout.key, key))
    return [dict(row) for row in connection.execute(statement).mappings()]


def fetch_key(
    connection: sa.Connection, layout: Layout, key: str, *, lock: bool = False
) -> Mapping[str, Any] | None:
    """The row of a key; None when there is none.

    A collation that ignores case may find another's, which is none.
    """
    condition = sa.and_(key_is(layout.key, key), *visible(layout))
    for row in fetch(connection, layout, condition, lock=lock):
        parts = [row[field.name] for field in layout.key]
        if key_text(layout.key, parts) == key:
            return row
    return None


def joined_tags(connection: sa.Connection, layout: Layout, row: Mapping[str, Any]) -> list[str]:
    """A fetched contact's tags from the join table; nothing where tags are kept otherwise."""
    if layout.tags is None or layout.tags.contact is None:
        return []
    return tagging.joined(connection, layout.tags, row[layout.key[0].name])


def read_one(connection: sa.Connection, layout: Layout, key: str) -> Record | None:
    """The record of that key, None when there is none."""
    row = fetch_key(connection, layout, key)
    if row is None:
        return None
    return record_of(layout, row, joined_tags(connection, layout, row))


def look_for(connection: sa.Connection, layout: Layout, write: Write) -> list[Record]:
    """Records that hold exactly what a create wrote, and contacts of the same email."""
    plain = {
        name: value
        for name, value in write.fields.items()
        if name in layout.fields and value not in (None, "")
    }
    emails = [
        name
        for name, value in plain.items()
        if layout.entity.spec.person and _is_email(name, value)
    ]
    conditions = [_all_as_written(layout, plain, write.parent)]
    conditions += [
        sa.func.lower(layout.fields[name].column) == str(plain[name]).lower() for name in emails
    ]
    candidates = fetch(connection, layout, _holding(layout, sa.or_(*conditions)), lenient=True)
    records = []
    for row in candidates:
        if is_deleted(layout, row):
            continue
        # SQL's comparison is wider than ours (`_holds`, and collations that ignore accents).
        if _same_email(row, plain, emails) or _same_values(layout, row, plain):
            records.append(record_of(layout, row, joined_tags(connection, layout, row)))
    return records


def _same_email(row: Mapping[str, Any], plain: Mapping[str, Json], emails: Sequence[str]) -> bool:
    return any(str(row[name]).lower() == str(plain[name]).lower() for name in emails)


def _same_values(layout: Layout, row: Mapping[str, Any], plain: Mapping[str, Json]) -> bool:
    return all(same(layout.fields[name], row[name], value) for name, value in plain.items())


def _holding(layout: Layout, condition: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """A condition on all fields as one on the record's own table.

    Joined fields are not selected beside it here.
    """
    if not layout.joins:
        return sa.and_(condition, *visible(layout))
    keys = [field.column for field in layout.key]
    matches = sa.select(*keys).select_from(every_row(layout)).where(condition, *visible(layout))
    columns = keys[0] if len(keys) == 1 else sa.tuple_(*keys)
    return columns.in_(matches)


def _is_email(name: str, value: Json) -> bool:
    return "mail" in name.lower() and isinstance(value, str) and "@" in value


def _all_as_written(
    layout: Layout, plain: Mapping[str, Json], parent: str | None
) -> sa.ColumnElement[bool]:
    conditions = [_holds(layout.fields[name], value) for name, value in plain.items()]
    if layout.parent and parent is not None:
        conditions.append(key_is(layout.parent, parent))
    if conditions:
        return sa.and_(*conditions)
    return sa.false()


def _holds(field: Field, value: Json) -> sa.ColumnElement[bool]:
    """A condition that keeps every row that holds the value.

    What SQL cannot compare is compared afterwards.
    """
    inexact = field.kind in (Kind.FLOAT, Kind.JSON, Kind.ARRAY, Kind.OTHER, Kind.DECIMAL)
    converted = field.raw and field.kind is not Kind.TEXT
    if inexact or converted:
        return field.column.is_not(None)
    try:
        return sa.and_(field.column == coerce(field, value))
    except UnfitError:
        return sa.false()


# Whole tables.


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of a table: what its rows fulfil, and what of the scope they cover.

    `own`: a contact covers itself.
    """

    condition: sa.ColumnElement[bool] | None = None
    covers: tuple[str, ...] = ()
    own: bool = False


def slices(layout: Layout, scope: Scope) -> Iterator[Slice]:
    """The statements that a scope takes, each with what it covers wholly."""
    contact = not layout.entity.parent
    since = _since(layout, scope.since)
    # With a time, a key that brings no row may be an unchanged record: only what comes is covered.
    own = contact and since is not None
    if scope.keys is not None:
        for chunk in _chunks(scope.keys):
            condition = _both(key_among(layout.key, chunk), since)
            covers = chunk if contact and since is None else ()
            yield Slice(condition, covers, own=own)
    elif scope.parents is not None and layout.parent:
        for chunk in _chunks(scope.parents):
            condition = _both(key_among(layout.parent, chunk), since)
            covers = chunk if since is None else ()
            yield Slice(condition, covers)
    else:
        yield Slice(since, own=own)


def _chunks(keys: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    distinct = tuple(dict.fromkeys(keys))
    for start in range(0, len(distinct), KEYS):
        yield distinct[start : start + KEYS]


def _both(
    condition: sa.ColumnElement[bool], other: sa.ColumnElement[bool] | None
) -> sa.ColumnElement[bool]:
    if other is None:
        return condition
    return sa.and_(condition, other)


def _since(layout: Layout, since: str | None) -> sa.ColumnElement[bool] | None:
    if since is None or layout.modified_at is None:
        return None
    # A row without a time may have changed at any.
    changed = [layout.modified_at.column.is_(None), _from(layout.modified_at, since)]
    changed += [changed_beside(one, partial(_from, since=since)) for one in layout.joins.values()]
    return sa.or_(*changed)


def _from(stamp: Field, since: str) -> sa.ColumnElement[bool]:
    moment: sa.ColumnElement[bool] = stamp.column >= stored_moment(stamp, since)
    return moment


def select_for(
    connection: sa.Connection, layout: Layout, tally: Tally
) -> tuple[sa.Select[Any], Columns]:
    """The SELECT of a whole table, with joined tables.

    It has the tags of the join table where the database can do that.
    """
    together = gathered(connection, layout, visible(layout), tally)
    select = sa.select(*map(expression, needed(layout)))
    select = select.where(*visible(layout), *together.conditions)
    return _with_tags(connection, layout, select, needed(layout), together.source)


def _with_tags(
    connection: sa.Connection,
    layout: Layout,
    select: sa.Select[Any],
    columns: list[Field],
    source: sa.FromClause,
) -> tuple[sa.Select[Any], Columns]:
    if layout.tags is None or layout.tags.contact is None:
        return select.select_from(source), Columns(columns)
    aggregate = tagging.aggregated(layout, connection.dialect.name)
    if aggregate is None:
        preloaded = tagging.all_joined(connection, layout.tags)
        return select.select_from(source), Columns(columns, preloaded=preloaded)
    joined = source.outerjoin(aggregate, aggregate.c.held_contact == layout.key[0].column)
    select = select.add_columns(aggregate.c.held_tags).select_from(joined)
    return select, Columns(columns, tags_at=len(columns))


def stream(
    connection: sa.Connection, layout: Layout, part: Slice, *, rows: int, tally: Tally
) -> Iterator[Page]:
    """The pages of a slice, read through a server-side cursor where the driver has one."""
    if part.condition is not None and layout.joins:
        yield from _few(connection, layout, part, tally)
        return
    select, columns = select_for(connection, layout, tally)
    if part.condition is not None:
        select = select.where(part.condition)
    lines = Lines(layout, columns, tally)
    with connection.execute(select, execution_options={"yield_per": rows}) as result:
        pages = (lines.page(chunk, own=part.own) for chunk in result.partitions(rows))
        yield from _covering(pages, part)


def _covering(pages: Iterable[Page], part: Slice) -> Iterator[Page]:
    covers = part.covers
    for page in pages:
        yield Page(page.lines, page.rows, covers or page.covers)
        covers = ()
    if covers:
        yield Page(b"", 0, covers)


def _few(connection: sa.Connection, layout: Layout, part: Slice, tally: Tally) -> Iterator[Page]:
    """The pages of some records.

    What is joined to them is looked up for these alone, not for the whole table.
    """
    assert part.condition is not None  # noqa: S101  the caller asked
    columns = needed(layout)
    own = sa.select(*map(expression, _own(layout))).where(_holding(layout, part.condition))
    select, shown = _with_tags(connection, layout, own, _own(layout), layout.table)
    tags_at = None if shown.tags_at is None else len(columns)
    lines = Lines(layout, Columns(columns, tags_at, shown.preloaded), tally)
    rows = connection.execute(select).all()
    pages = []
    for start in range(0, len(rows), KEYS):
        chunk = _joined_rows(connection, layout, rows[start : start + KEYS], tally)
        pages.append(lines.page(chunk, own=part.own))
    yield from _covering(pages, part)


def _joined_rows(
    connection: sa.Connection, layout: Layout, chunk: Sequence[Sequence[Any]], tally: Tally
) -> list[tuple[Any, ...]]:
    """Rows of a record's own table (and its tags) with the joined columns at their places."""
    own = [field.name for field in _own(layout)]
    columns = needed(layout)
    owners = [dict(zip(own, row, strict=False)) for row in chunk]
    joined_rows = with_joined(connection, layout, owners)
    whole: list[tuple[Any, ...]] = []
    for row, owner, joined in zip(chunk, owners, joined_rows, strict=True):
        if isinstance(joined, SeveralError):
            key = key_text(layout.key, [owner[field.name] for field in layout.key])
            tally.set_aside(layout.table.name, key, str(joined))
        else:
            tags = row[len(own) :]
            whole.append((*(joined[field.name] for field in columns), *tags))
    return whole
