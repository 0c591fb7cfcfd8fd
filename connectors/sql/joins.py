"""Tables beside a record's own: what is declared of them, found in the database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa

from connectors.sql.finder import Finder, near
from connectors.sql.settings import Copy, JoinSettings, NewValues, TableSettings, names
from connectors.sql.values import Field, UnfitError, coerce

Pairing = tuple[Field, Field]
"""A column of a joined table, and the column whose value it holds."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of one table that a record may have.

    It says `on` which columns, which `fixed` values select them, and what new ones get.

    `key` is the primary key, empty where the table has none.
    """

    table: sa.Table
    columns: Mapping[str, Field]
    on: tuple[Pairing, ...] = ()
    fixed: Mapping[str, Any] = field(default_factory=dict)
    on_create: NewValues = field(default_factory=dict)
    key: tuple[Field, ...] = ()
    modified_at: Field | None = None

    def conditions(self) -> list[sa.ColumnElement[bool]]:
        """What the fixed values ask of a row."""
        return [self.columns[name].column == value for name, value in self.fixed.items()]


@dataclass(frozen=True, slots=True)
class Link:
    """The rows between a record and the joined ones.

    `to` pairs a column of the link with one of the joined table.
    """

    rows: Rows
    to: tuple[Pairing, ...]
    on_unlink: NewValues


@dataclass(frozen=True, slots=True)
class Joined:
    """A joined table as it was found.

    `fields` are what is read of it, by native name ("join.column").

    `shared`: a row may be another record's too, so it is pointed to and never changed. `points`:
    the record's own table holds the row's key. `unique`: the database sees to it that no record has
    several rows. `order` chooses among several rows; `name` and `value` are columns of a table of
    names and values, of which each new record gets those `named`.
    """

    join: str
    rows: Rows
    fields: Mapping[str, Field]
    link: Link | None = None
    order: tuple[tuple[Field, bool], ...] = ()
    name: Field | None = None
    value: Field | None = None
    named: NewValues = field(default_factory=dict)
    find: Field | None = None
    create: bool = False
    shared: bool = False
    points: bool = False
    unique: bool = False

    @property
    def alias(self) -> str:
        """The name under which it stands beside the record's table in a SELECT."""
        return f"join_{self.join}"

    @property
    def copied(self) -> list[str]:
        """The record's columns that a new row takes values from."""
        if self.name is not None:
            return [said.column for said in self.named.values() if isinstance(said, Copy)]
        copies = of_record(self.rows.on_create)
        if self.link:
            copies += of_record(self.link.rows.on_create)
        return [copy.column for copy in copies]

    @property
    def follows(self) -> bool:
        """Whether the row that a record points to takes values from the record.

        It may be the record's key; so it is made after the record.
        """
        return self.points and not self.shared and bool(of_record(self.rows.on_create))

    @property
    def near_end(self) -> Rows:
        """The rows that name the record: the link's, where there is one."""
        if self.link:
            return self.link.rows
        return self.rows

    def part(self, native: str) -> str:
        """The column, or the name in a table of names and values, that a native field is."""
        return native.removeprefix(f"{self.join}.")

    def why_not_written(self, native: str) -> str:
        """Why a field is only read; "" where it is written."""
        column = self.part(native)
        if self.shared and self.find is None:
            return (
                f'rows of {self.rows.table.name} may be others\' too, and no "find" '
                "says how to choose one"
            )
        if self.shared and self.find is not None and self.find.name != column:
            return f"rows of {self.rows.table.name} are chosen by {self.find.name} alone"
        if self.name is None and (self.fields[native].generated or column in self._given):
            return "its value follows from which record it belongs to"
        return ""

    @property
    def _given(self) -> set[str]:
        return {*self.rows.fixed, *(own.name for own, _ in self.rows.on)}


def of_record(values: NewValues) -> list[Copy]:
    """What of the values for new rows is taken from the record that the row belongs to."""
    return [said for said in values.values() if isinstance(said, Copy) and said.of_record]


def find_joins(
    finder: Finder,
    where: str,
    declared: TableSettings,
    wanted: Iterable[str],
) -> dict[str, Joined]:
    """Every declared join by its name, with the fields that are `wanted` of it.

    They are all columns where nothing is wanted.
    """
    listed = list(wanted)
    joins = {}
    for name, settings in declared.joins.items():
        chosen = [native for native in listed if native.startswith(f"{name}.")]
        joined = _Search(finder, f"{where}: join.{name}", declared, settings).joined(name)
        if joined is not None:
            search = _Search(finder, f"{where}: join.{name}", declared, settings)
            fields = search.fields(joined, chosen, everything=not listed)
            joins[name] = replace(joined, fields=fields)
    return joins


@dataclass(frozen=True, slots=True)
class _Search:
    """One declared join, looked up."""

    finder: Finder
    where: str
    declared: TableSettings
    settings: JoinSettings

    def joined(self, name: str) -> Joined | None:
        """The join without its fields; None where something of it is not there, which is noted."""
        before = len(self.finder.problems)
        self._check()
        settings = self.settings
        link = self._link()
        # In a table of names and values `on_create` says which names a new record gets.
        new = {} if settings.name else settings.on_create
        on = {} if link else settings.on
        rows = self._rows(settings.table, on, settings.fixed, new)
        if rows is None or len(self.finder.problems) > before:
            return None
        points = link is None and not self._by_key(rows)
        shared = (link is not None or points) and not settings.own
        if shared and of_record(rows.on_create):
            self.finder.report(
                f"{self.where}: on_create",
                f"a row of {settings.table!r} may be others' too, so no record gives its values",
                "write a value, or own = true where the row is the record's alone",
            )
        rows = replace(rows, modified_at=self._column(settings.table, settings.modified_at))
        near_end = link.rows if link else rows
        joined = Joined(
            name,
            rows,
            {},
            link=link,
            order=self._order(near_end),
            name=self._column(settings.table, settings.name),
            value=self._column(settings.table, settings.value),
            named=settings.on_create if settings.name else {},
            find=self._column(settings.table, settings.find),
            create=settings.create,
            shared=shared,
            points=points,
            unique=self._unique(near_end),
        )
        if len(self.finder.problems) == before:
            return joined
        return None

    def fields(
        self,
        joined: Joined,
        chosen: Iterable[str],
        *,
        everything: bool,
    ) -> dict[str, Field]:
        """The native fields that are read of it."""
        if joined.value is not None:
            return {native: self._shown(joined, native, joined.value) for native in chosen}
        if everything:
            chosen = [f"{joined.join}.{column}" for column in joined.rows.columns]
        fields = {}
        for native in chosen:
            field = self._column(self.settings.table, joined.part(native))
            if field is not None:
                fields[native] = self._shown(joined, native, field)
        return fields

    def _shown(
        self,
        joined: Joined,
        native: str,
        field: Field,
    ) -> Field:
        """A field as the SELECT beside the record's own columns has it.

        Under its native name, which no column has.
        """
        quote = self.finder.connection.dialect.identifier_preparer.quote_identifier
        column: Any = sa.literal_column(f"{quote(joined.alias)}.{quote(native)}", field.column.type)
        return replace(field, name=native, column=column, default=False, automatic=False)

    def _check(self) -> None:
        settings, report = self.settings, self.finder.report
        if bool(settings.on) == bool(settings.via):
            report(self.where, "it is joined by on or via", "write one of the two")
        if bool(settings.name) != bool(settings.value):
            report(
                self.where, "a table of names and values needs both columns", "write name and value"
            )
        if settings.name and (settings.via or settings.find):
            report(
                self.where,
                "a table of names and values is joined by on alone",
                "take via and find away",
            )
        if settings.create and not settings.find:
            report(
                self.where,
                "create without find makes a row for each record",
                "name the column to find",
            )

    def _by_key(self, rows: Rows) -> bool:
        """Whether the joined table holds the record's key.

        Its rows then belong to the record.
        """
        return {field.name for _, field in rows.on} == set(names(self.declared.key))

    def _unique(self, rows: Rows) -> bool:
        """Whether a constraint keeps a record from having several rows."""
        given = {*rows.fixed}
        given |= {own.name for own, _ in rows.on}
        if self.settings.name:
            given.add(self.settings.name)
        table = self.settings.via.table if self.settings.via else self.settings.table
        return any(given >= set(columns) for columns in self.finder.unique(table))

    def _link(self) -> Link | None:
        via = self.settings.via
        if via is None:
            return None
        rows = self._rows(via.table, via.on, via.fixed, via.on_create)
        to = self._pairs(via.table, via.to, self.settings.table)
        known_columns(self.finder, self.where, via.table, via.on_unlink)
        if not via.on or not via.to:
            self.finder.report(
                f"{self.where}.via", "it needs on and to", "name the columns of both ends"
            )
        stamp = self._column(via.table, via.modified_at)
        if rows is None:
            return None
        return Link(replace(rows, modified_at=stamp), to, via.on_unlink)

    def _rows(
        self,
        table: str,
        on: Mapping[str, str],
        fixed: Mapping[str, str],
        new: NewValues,
    ) -> Rows | None:
        rows = find_rows(self.finder, self.where, table, fixed, new, self.declared.table)
        on_ = self._pairs(table, on, self.declared.table)
        if rows is None:
            return None
        return replace(rows, on=on_)

    def _pairs(
        self,
        table: str,
        said: Mapping[str, str],
        other: str,
    ) -> tuple[Pairing, ...]:
        pairs = (
            (self._column(table, own), self._column(other, name)) for own, name in said.items()
        )
        return tuple((own, field) for own, field in pairs if own is not None and field is not None)

    def _column(
        self,
        table: str,
        name: str | None,
    ) -> Field | None:
        return self.finder.column(self.where, table, name)

    def _order(self, rows: Rows) -> tuple[tuple[Field, bool], ...]:
        """What `first` says: columns of the table that names the record.

        Each comes with whether it goes down.
        """
        return tuple(self._ordered(rows, self.settings.first or ""))

    def _ordered(
        self,
        rows: Rows,
        first: str,
    ) -> Iterator[tuple[Field, bool]]:
        for part in filter(None, map(str.strip, first.split(","))):
            name, _, rest = part.partition(" ")
            way = rest.strip().lower()
            if way not in ("", "asc", "desc"):
                self.finder.report(
                    f"{self.where}: first",
                    f'"{part}" is no column',
                    'write "column" or "column desc"',
                )
            elif name in rows.columns:
                yield rows.columns[name], way == "desc"
            else:
                what = f"table {rows.table.name!r} has no column {name!r}"
                self.finder.report(
                    f"{self.where}: first", what, near(name, rows.columns, "columns")
                )


def find_rows(
    finder: Finder,
    where: str,
    table: str,
    fixed: Mapping[str, str],
    new: NewValues,
    owner: str | None = None,
) -> Rows | None:
    """The rows of a table that fixed values select.

    None where there is no such table, which is noted. `owner` is the table of the records that its
    rows belong to.
    """
    columns = finder.fields(where, table)
    if columns is None:
        return None
    known_columns(finder, where, table, new, owner)
    reflected = next(iter(columns.values())).column.table
    keyed = finder.inspector.get_pk_constraint(reflected.name, reflected.schema)
    key = [columns[name] for name in keyed.get("constrained_columns") or ()]
    values = fixed_values(finder, where, table, fixed)
    return Rows(reflected, columns, fixed=values, on_create=new, key=tuple(key))


def fixed_values(
    finder: Finder,
    where: str,
    table: str,
    fixed: Mapping[str, str],
) -> dict[str, Any]:
    """Values that select rows, as their columns take them."""
    values = {}
    for name, text in fixed.items():
        field = finder.column(f"{where}: fixed", table, name)
        if field is None:
            continue
        try:
            values[name] = coerce(field, text)
        except UnfitError as error:
            finder.report(
                f"{where}: fixed", f"{name}: {error}", "write a value that the column can hold"
            )
    return values


def known_columns(
    finder: Finder,
    where: str,
    table: str,
    values: NewValues,
    owner: str | None = None,
) -> None:
    """Note each column of `on_create` that the table, or the record's own, does not have."""
    said = f"{where}: on_create"
    for name, value in values.items():
        finder.column(said, table, name)
        if not isinstance(value, Copy):
            continue
        if not value.of_record:
            finder.column(said, table, value.column)
        elif owner is not None:
            finder.column(said, owner, value.column)
        else:
            finder.report(said, f"{name}: no joined row is made here", "write copy, or a value")
