"""Writes what a record has in joined tables.

Its own rows are changed in place, rows that others may use are only pointed to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from connectors.sql.gathering import NAME, Row, chosen, rows_beside
from connectors.sql.inserting import bound, key_ahead, new_row, new_value
from connectors.sql.joins import Joined, Link, Rows
from connectors.sql.schema import Layout
from connectors.sql.values import UnfitError, stored_moment

Values = Mapping[str, Any]
"""Values as their columns take them, by native name; None is blank."""


_NOWHERE = (None, 0, "", "0")
"""What applications write into a column that points to no row."""


@dataclass(frozen=True, slots=True)
class JoinedRows:
    """The rows beside one record, inside a transaction that is open and holds their locks.

    `now` is for columns of times.

    Raises UnfitError where a value leads to no row: the caller takes back what was done by then.
    """

    connection: sa.Connection
    layout: Layout
    now: str

    def pointed(self, values: Values) -> dict[str, Any]:
        """The columns of a new record that point to joined rows, which are looked for or made.

        One that takes values from the record is made after it: here it gets its key.
        """
        columns: dict[str, Any] = {}
        for joined, own in self._of_new(values):
            if not joined.points or not self._is_made(joined, own):
                continue
            if joined.follows:
                columns |= self._ahead(joined)
            else:
                columns |= self._point(joined, own)
        return columns

    def create(
        self,
        record: Row,
        values: Values,
    ) -> dict[str, Any]:
        """Make the rows of a new record; `record` is its own row.

        Gives what its own columns become where the database made the key of what they point to.
        """
        columns: dict[str, Any] = {}
        for joined, own in self._of_new(values):
            if joined.follows and self._is_made(joined, own):
                columns |= self._behind(joined, record, own)
            elif joined.points:
                continue
            elif joined.name is not None:
                self._create_named(joined, record, own)
            elif any(value is not None for value in own.values()):
                self._write(joined, record, own, existing={})
        return columns

    def update(
        self,
        record: Row,
        values: Values,
    ) -> dict[str, Any]:
        """Bring the rows of a record to these values.

        Gives what its own columns become where they point to other rows.
        """
        columns: dict[str, Any] = {}
        for joined, own in self._by_join(values):
            [rows] = rows_beside(self.connection, joined, [record], lock=True)
            existing = chosen(joined, rows)
            if joined.points and not existing:
                self._check_astray(joined, record)
            if joined.points and (joined.shared or not existing):
                columns |= self._pointed(joined, record, own, existing=existing)
            else:
                self._write(joined, record, own, existing=existing)
        return columns

    def remove(self, record: Row) -> None:
        """Delete the rows that name a record, before it is deleted itself.

        Its own ones and its links, nobody else's.
        """
        for joined in self.layout.joins.values():
            if joined.follows:
                self._let_go(joined, record)
            elif joined.points:
                continue
            rows = joined.near_end
            conditions = [*self._of(rows, record), *rows.conditions()]
            if joined.name is not None:
                known = {joined.part(native) for native in joined.fields} | {*joined.named}
                conditions.append(joined.name.column.in_(sorted(known)))
            self.connection.execute(sa.delete(rows.table).where(*conditions))

    # How it is done.

    def _by_join(self, values: Values) -> list[tuple[Joined, dict[str, Any]]]:
        grouped: dict[str, dict[str, Any]] = {}
        beside = self.layout.beside
        for native, value in values.items():
            own = grouped.setdefault(beside[native].join, {})
            own[native] = value
        return [(self.layout.joins[name], own) for name, own in grouped.items()]

    def _of_new(self, values: Values) -> list[tuple[Joined, dict[str, Any]]]:
        """Every join, with what a new record has in it."""
        given = {joined.join: own for joined, own in self._by_join(values)}
        return [(joined, given.get(name, {})) for name, joined in self.layout.joins.items()]

    def _is_made(
        self,
        joined: Joined,
        values: Values,
    ) -> bool:
        """Whether a new record points to a row: it has a value there, or cannot be without one."""
        if any(value not in (None, "") for value in values.values()):
            return True
        said = {*self.layout.fixed, *self.layout.on_create}
        owners = [owner for _, owner in joined.rows.on if owner.name not in said]
        return not joined.shared and not all(one.nullable or one.default for one in owners)

    def _of(
        self,
        rows: Rows,
        record: Row,
    ) -> list[sa.ColumnElement[bool]]:
        return [own.column == record[owner.name] for own, owner in rows.on]

    def _write(
        self,
        joined: Joined,
        record: Row,
        values: Values,
        *,
        existing: Mapping[str, Row],
    ) -> None:
        if joined.link is not None:
            self._relink(joined, joined.link, record, values, existing)
            return
        if joined.name is not None:
            self._write_named(joined, record, values, existing)
            return
        parts = {joined.part(native): value for native, value in values.items()}
        if existing:
            row = next(iter(existing.values()))
            self._change(joined.rows, row, parts)
        elif any(value not in (None, "") for value in parts.values()):
            self._insert(joined.rows, record, parts)

    def _write_named(
        self,
        joined: Joined,
        record: Row,
        values: Values,
        existing: Mapping[str, Row],
    ) -> None:
        assert joined.name is not None  # noqa: S101  the caller asked
        assert joined.value is not None  # noqa: S101
        for native, value in values.items():
            if native in existing:
                self._change(joined.rows, existing[native], {joined.value.name: value})
            elif value not in (None, ""):
                named = {joined.name.name: joined.part(native), joined.value.name: value}
                self._insert(joined.rows, record, named)

    def _create_named(
        self,
        joined: Joined,
        record: Row,
        values: Values,
    ) -> None:
        """The names of a new record: those with a value, and those that every new record gets."""
        assert joined.value is not None  # noqa: S101  the caller asked
        first = {
            f"{joined.join}.{name}": new_value(joined.value, said, record, self.now)
            for name, said in joined.named.items()
        }
        given = {native: value for native, value in values.items() if value is not None}
        self._write_named(joined, record, {**first, **given}, {})

    def _change(
        self,
        rows: Rows,
        row: Row,
        values: Values,
        *,
        more: Sequence[sa.ColumnElement[bool]] = (),
    ) -> None:
        """Set columns of one row, which is locked."""
        after = dict(values)
        stamp = rows.modified_at
        if stamp is not None:
            after.setdefault(stamp.name, stored_moment(stamp, self.now))
        stored = {name: bound(rows.table.columns[name], value) for name, value in after.items()}
        change = sa.update(rows.table).where(*self._is(rows, row), *more).values(stored)
        self.connection.execute(change)

    def _is(
        self,
        rows: Rows,
        row: Row,
    ) -> list[sa.ColumnElement[bool]]:
        """That it is this row: by its key, or by all that selects it where the table has none."""
        if rows.key:
            return [field.column == row[f"key_{n}"] for n, field in enumerate(rows.key)]
        conditions = [own.column == row[f"on_{n}"] for n, (own, _) in enumerate(rows.on)]
        conditions += rows.conditions()
        for joined in self.layout.joins.values():
            if joined.rows is rows and joined.name is not None:
                conditions.append(joined.name.column == row[NAME])
                break
        return conditions

    def _insert(
        self,
        rows: Rows,
        record: Row | None,
        values: Values,
    ) -> dict[str, Any]:
        """A new row of a record's (or of nobody's, where `record` is None); its values."""
        if record is not None:
            ends = {own.name: record[owner.name] for own, owner in rows.on}
            values = {**values, **ends}
        return new_row(self.connection, rows, values, self.now, record)

    # Rows of its own that it points to, and that refer back to it.

    def _ahead(self, joined: Joined) -> dict[str, Any]:
        """The keys of a row that is made after the record, in the columns that point to it."""
        ends = [(own, owner) for own, owner in joined.rows.on if own in joined.rows.key]
        keys = {owner.name: key_ahead(own, owner) for own, owner in ends}
        return {name: key for name, key in keys.items() if key is not None}

    def _behind(
        self,
        joined: Joined,
        record: Row,
        values: Values,
    ) -> dict[str, Any]:
        """Make the row after the record; gives the columns that did not know its key before."""
        parts = {joined.part(native): value for native, value in values.items()}
        known = [pair for pair in joined.rows.on if record[pair[1].name] not in _NOWHERE]
        ends = {own.name: record[owner.name] for own, owner in known}
        row = new_row(self.connection, joined.rows, {**parts, **ends}, self.now, record)
        late = [pair for pair in joined.rows.on if pair not in known]
        return {owner.name: row[own.name] for own, owner in late}

    def _let_go(
        self,
        joined: Joined,
        record: Row,
    ) -> None:
        """Have a record that is deleted point nowhere, where it can, before its row is deleted."""
        columns = {owner.name: None for _, owner in joined.rows.on if owner.nullable}
        if columns:
            is_it = [field.column == record[field.name] for field in self.layout.key]
            table = self.layout.table
            self.connection.execute(sa.update(table).where(*is_it).values(columns))

    # Rows that others may use too.

    def _pointed(
        self,
        joined: Joined,
        record: Row,
        values: Values,
        *,
        existing: Mapping[str, Row],
    ) -> dict[str, Any]:
        """What the columns become that point to a joined row."""
        if all(value in (None, "") for value in values.values()):
            unset = {owner.name: None for _, owner in joined.rows.on}
            return unset if existing else {}
        return self._point(joined, values, record)

    def _point(
        self,
        joined: Joined,
        values: Values,
        record: Row | None = None,
    ) -> dict[str, Any]:
        """The columns that point to a row with these values."""
        parts = {joined.part(native): value for native, value in values.items()}
        if joined.shared:
            target = self._target(joined, parts)
        else:
            target = new_row(self.connection, joined.rows, parts, self.now, record)
        return {owner.name: target[own.name] for own, owner in joined.rows.on}

    def _check_astray(
        self,
        joined: Joined,
        record: Row,
    ) -> None:
        """Raise UnfitError where a record points to a row that is not there.

        What that was is nobody's to replace.
        """
        ends = [record[owner.name] for _, owner in joined.rows.on]
        if not all(end in _NOWHERE for end in ends):
            table = joined.rows.table.name
            what = "the row that it points to is not there; correct or clear that first"
            raise UnfitError(f"{joined.join}: {table}: {what}")

    def _target(
        self,
        joined: Joined,
        parts: Values,
    ) -> Row:
        """The row that holds a value, made where there is none and the pair file says so."""
        find = joined.find
        if find is None or set(parts) != {find.name}:
            raise UnfitError(
                f"{joined.join}: {joined.why_not_written(f'{joined.join}.{next(iter(parts))}')}"
            )
        value = parts[find.name]
        # What points to the row is needed of it: the link's far ends, or its own.
        if joined.link:
            wanted = [far for _, far in joined.link.to]
        else:
            wanted = [own for own, _ in joined.rows.on]
        columns = {field.name: field.column for field in (find, *wanted)}
        conditions = [find.column == value, *joined.rows.conditions()]
        statement = sa.select(*columns.values()).where(*conditions)
        rows = [dict(row) for row in self.connection.execute(statement).mappings()]
        exact = [row for row in rows if row[find.name] == value]
        candidates = exact or rows
        if len(candidates) == 1:
            return candidates[0]
        table = joined.rows.table.name
        if len(candidates) > 1:
            raise UnfitError(
                f"{joined.join}: several rows of {table} have this {find.name}, so none is chosen"
            )
        if not joined.create:
            raise UnfitError(
                f"{joined.join}: no row of {table} has this {find.name}; "
                "add it there, or write create = true"
            )
        return self._insert(joined.rows, None, parts)

    def _relink(
        self,
        joined: Joined,
        link: Link,
        record: Row,
        values: Values,
        existing: Mapping[str, Row],
    ) -> None:
        parts = {joined.part(native): value for native, value in values.items()}
        row = next(iter(existing.values()), None)
        if all(value in (None, "") for value in parts.values()):
            if row is not None:
                self._unlink(link, row)
            return
        target = self._target(joined, parts)
        ends = {own.name: target[far.name] for own, far in link.to}
        if row is None:
            self._insert(link.rows, record, ends)
        else:
            self._change(link.rows, row, ends, more=self._leads_to(link, row))

    def _unlink(
        self,
        link: Link,
        row: Row,
    ) -> None:
        """Take one link away: as the pair file says, or by deleting its row.

        What it led to stays.
        """
        is_it = [*self._is(link.rows, row), *self._leads_to(link, row)]
        if not link.on_unlink:
            self.connection.execute(sa.delete(link.rows.table).where(*is_it))
            return
        columns = link.rows.columns
        after = {
            name: new_value(columns[name], said, {}, self.now)
            for name, said in link.on_unlink.items()
        }
        self.connection.execute(sa.update(link.rows.table).where(*is_it).values(after))

    def _leads_to(
        self,
        link: Link,
        row: Row,
    ) -> list[sa.ColumnElement[bool]]:
        return [own.column == row[f"to_{n}"] for n, (own, _) in enumerate(link.to)]
