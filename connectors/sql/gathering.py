"""Reads what a record has in joined tables.

Beside the whole table in one statement, or for a few records at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from connectors.sql.joins import Joined
from connectors.sql.keys import key_text
from connectors.sql.lines import Tally
from connectors.sql.schema import Layout
from connectors.sql.values import Field, UnfitError

Row = Mapping[str, Any]

NAME, VALUE = "#name", "#value"
"""Under which labels a row of a table of names and values has them."""


class SeveralError(UnfitError):
    """A record has several rows in a joined table, and nothing says which one counts."""


def several(joined: Joined, name: str = "") -> str:
    """Why a record with several rows is set aside."""
    rows = "several rows"
    if name:
        rows += f" of the name {name}"
    return (
        f"{joined.join}: {rows} of {joined.near_end.table.name} belong to it, "
        'and no "first" chooses'
    )


# Beside a whole table.


@dataclass(frozen=True, slots=True)
class Gathered:
    """What a whole table is selected from.

    It comes with what its rows have to fulfil so that each stands there once.
    """

    source: sa.FromClause
    conditions: tuple[sa.ColumnElement[bool], ...] = ()


def gathered(
    connection: sa.Connection,
    layout: Layout,
    conditions: Sequence[sa.ColumnElement[bool]],
    tally: Tally,
) -> Gathered:
    """The table with all that is joined to it.

    Records of which a join has several rows, without a rule, are put into `tally`.
    """
    source: sa.FromClause = layout.table
    apart: list[sa.ColumnElement[bool]] = []
    seen: set[str] = set()
    for joined in _read(layout):
        # Ranking the rows of a whole table costs a sort: it is done where some record needs it.
        repeated = None if joined.unique else _repeated(joined)
        if repeated is not None and connection.execute(repeated.limit(1)).first() is None:
            repeated = None
        if repeated is not None and not joined.order:
            condition = _belongs(joined, repeated.subquery(f"odd_{joined.join}"))
            _set_aside(connection, layout, joined, (condition, *conditions), tally, seen)
            apart.append(sa.not_(condition))
        beside = _beside(joined, ranked=repeated is not None and bool(joined.order))
        source = source.outerjoin(beside, _same(joined, beside))
    return Gathered(source, tuple(apart))


def every_row(layout: Layout) -> sa.FromClause:
    """The table with every row that is joined to it.

    So a record may stand there more than once.
    """
    source: sa.FromClause = layout.table
    for joined in _read(layout):
        beside = _beside(joined, ranked=False)
        source = source.outerjoin(beside, _same(joined, beside))
    return source


def changed_beside(
    joined: Joined,
    changed: Callable[[Field], sa.ColumnElement[bool]],
) -> sa.ColumnElement[bool]:
    """That a joined row, or the link to it, was changed; false where neither has a time."""
    ends = [joined.rows]
    if joined.link is not None:
        ends.append(joined.link.rows)
    times = [changed(end.modified_at) for end in ends if end.modified_at is not None]
    if not times or not joined.fields:
        return sa.false()
    changed_rows = _rows(joined, _on(joined)).where(sa.or_(*times))
    return _belongs(joined, changed_rows.subquery(f"changed_{joined.join}"))


def _read(layout: Layout) -> list[Joined]:
    return [joined for joined in layout.joins.values() if joined.fields]


def _same(joined: Joined, beside: sa.FromClause) -> sa.ColumnElement[bool]:
    pairs = enumerate(joined.near_end.on)
    equal = [beside.c[f"on_{number}"] == owner.column for number, (_, owner) in pairs]
    return sa.and_(*equal)


def _belongs(joined: Joined, rows: sa.Subquery) -> sa.ColumnElement[bool]:
    matching: sa.Select[Any] = (
        sa.select(sa.literal_column("1")).select_from(rows).where(_same(joined, rows))
    )
    return sa.exists(matching)


def _repeated(joined: Joined) -> sa.Select[Any]:
    """The records that have several rows."""
    return _rows(joined, _on(joined)).group_by(*_by(joined)).having(sa.func.count() > 1)


def _by(joined: Joined) -> list[sa.Column[Any]]:
    """The columns of which one row is chosen: the record, and in a table of names the name."""
    by = [own.column for own, _ in joined.near_end.on]
    if joined.name is not None:
        by.append(joined.name.column)
    return by


def _on(joined: Joined) -> list[sa.Label[Any]]:
    return [own.column.label(f"on_{number}") for number, (own, _) in enumerate(joined.near_end.on)]


def _rows(joined: Joined, columns: Iterable[sa.ColumnElement[Any]]) -> sa.Select[Any]:
    """The rows that may belong to some record.

    Those that the fixed values select, in the names that are read.
    """
    rows, link = joined.rows, joined.link
    source: sa.FromClause = rows.table
    conditions = rows.conditions()
    if link is not None:
        ends = sa.and_(*(own.column == far.column for own, far in link.to))
        source = link.rows.table.join(rows.table, ends)
        conditions += link.rows.conditions()
    if joined.name is not None:
        parts = [joined.part(native) for native in joined.fields]
        conditions.append(joined.name.column.in_(parts))
    return sa.select(*columns).select_from(source).where(*conditions)


def _order(joined: Joined) -> list[sa.ColumnElement[Any]]:
    ways = [field.column.desc() if down else field.column.asc() for field, down in joined.order]
    # Ties are broken by the key, or the same night would choose otherwise when it is repeated.
    return [*ways, *(field.column for field in joined.near_end.key)]


def _beside(
    joined: Joined,
    *,
    ranked: bool,
) -> sa.Subquery:
    """At most one row a record, with each field under its native name."""
    if joined.name is None or joined.value is None:
        shown = [_column(joined, native).label(native) for native in joined.fields]
        return _first(joined, [*_on(joined), *shown], ranked=ranked).subquery(joined.alias)
    pairs = [joined.name.column.label(NAME), joined.value.column.label(VALUE)]
    rows = _first(joined, [*_on(joined), *pairs], ranked=ranked).subquery(f"{joined.alias}_rows")
    on = [rows.c[f"on_{number}"] for number, _ in enumerate(joined.near_end.on)]
    values = [
        sa.func.max(sa.case((rows.c[NAME] == joined.part(native), rows.c[VALUE]))).label(native)
        for native in joined.fields
    ]
    return sa.select(*on, *values).group_by(*on).subquery(joined.alias)


def _first(
    joined: Joined,
    columns: list[sa.Label[Any]],
    *,
    ranked: bool,
) -> sa.Select[Any]:
    if not ranked:
        return _rows(joined, columns)
    position = sa.func.row_number().over(partition_by=_by(joined), order_by=_order(joined))
    ranked_columns = [*columns, position.label("#rank")]
    rows = _rows(joined, ranked_columns).subquery(f"{joined.alias}_ranked")
    shown = [rows.c[column.name] for column in columns]
    return sa.select(*shown).where(rows.c["#rank"] == 1)


def _column(joined: Joined, native: str) -> sa.ColumnElement[Any]:
    return joined.rows.columns[joined.part(native)].column


def _set_aside(
    connection: sa.Connection,
    layout: Layout,
    joined: Joined,
    conditions: Iterable[sa.ColumnElement[bool]],
    tally: Tally,
    seen: set[str],
) -> None:
    statement = sa.select(*(field.column for field in layout.key)).where(*conditions)
    for row in connection.execute(statement):
        key = key_text(layout.key, list(row)) or ""
        if key not in seen:
            tally.set_aside(layout.table.name, key, several(joined))
        seen.add(key)


# For a few records.


def rows_beside(
    connection: sa.Connection,
    joined: Joined,
    owners: Sequence[Row],
    *,
    lock: bool = False,
) -> list[list[Row]]:
    """The rows of each of these records (rows of its own table), in the order that `first` says.

    A row has its fields under their native names, what leads to it under "on_0" and so on, its key
    under "key_0", the key of what a link leads to under "to_0", and a name and its value under NAME
    and VALUE.
    """
    pairs = joined.near_end.on
    wanted = [tuple(owner[field.name] for _, field in pairs) for owner in owners]
    whole = [values for values in wanted if None not in values]
    named = list(dict.fromkeys(whole))
    if not named:
        return [[] for _ in owners]
    statement = _rows(joined, _selected(joined)).where(_among(joined, named))
    statement = statement.order_by(*_order(joined))
    if lock:
        # A row that is only pointed to is not changed: two records may be written at once.
        only_pointed_to = joined.shared and joined.link is None
        statement = statement.with_for_update(of=joined.near_end.table, read=only_pointed_to)
    matches: dict[tuple[Any, ...], list[Row]] = {}
    for row in connection.execute(statement).mappings():
        place = tuple(row[f"on_{number}"] for number, _ in enumerate(pairs))
        matches.setdefault(place, []).append(dict(row))
    return [matches.get(values, []) for values in wanted]


def _selected(joined: Joined) -> list[sa.ColumnElement[Any]]:
    columns: list[sa.ColumnElement[Any]] = list(_on(joined))
    for number, field in enumerate(joined.near_end.key):
        columns.append(field.column.label(f"key_{number}"))
    if joined.link is not None:
        for number, (own, _) in enumerate(joined.link.to):
            columns.append(own.column.label(f"to_{number}"))
    if joined.name is not None and joined.value is not None:
        columns.append(joined.name.column.label(NAME))
        columns.append(joined.value.column.label(VALUE))
        return columns
    columns += [_column(joined, native).label(native) for native in joined.fields]
    return columns


def _among(
    joined: Joined,
    named: Sequence[tuple[Any, ...]],
) -> sa.ColumnElement[bool]:
    columns = [own.column for own, _ in joined.near_end.on]
    if len(columns) == 1:
        return columns[0].in_([values[0] for values in named])
    each = (sa.and_(*map(sa.ColumnElement.__eq__, columns, values)) for values in named)
    return sa.or_(sa.false(), *each)


def chosen(
    joined: Joined,
    rows: Sequence[Row],
    *,
    lenient: bool = False,
) -> dict[str, Row]:
    """The row that each native field is read from; none for a field that has no row.

    Raises SeveralError, unless `lenient`.
    """
    if joined.name is None:
        if len(rows) > 1 and not joined.order and not lenient:
            raise SeveralError(several(joined))
        if not rows:
            return {}
        return dict.fromkeys(joined.fields, rows[0])
    by_field: dict[str, Row] = {}
    for row in rows:
        native = f"{joined.join}.{row[NAME]}"
        if native in by_field and not joined.order and not lenient:
            raise SeveralError(several(joined, row[NAME]))
        by_field.setdefault(native, row)
    return by_field


def values_of(
    joined: Joined,
    rows: Mapping[str, Row],
) -> dict[str, Any]:
    """What the fields hold; None where there is no row."""
    values = {}
    for native in joined.fields:
        label = native if joined.name is None else VALUE
        row = rows.get(native)
        values[native] = None if row is None else row[label]
    return values


def with_joined(
    connection: sa.Connection,
    layout: Layout,
    owners: Sequence[Row],
    *,
    lock: bool = False,
    lenient: bool = False,
) -> list[dict[str, Any] | SeveralError]:
    """Rows of a record's own table with what is joined to each, or why one cannot be read."""
    whole: list[dict[str, Any] | SeveralError] = [dict(owner) for owner in owners]
    for joined in _read(layout):
        for at, rows in enumerate(rows_beside(connection, joined, owners, lock=lock)):
            row = whole[at]
            if isinstance(row, SeveralError):
                continue
            try:
                row |= values_of(joined, chosen(joined, rows, lenient=lenient))
            except SeveralError as error:
                whole[at] = error
    return whole
