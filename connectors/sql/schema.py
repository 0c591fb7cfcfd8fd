"""Finds what the settings declare in the database itself.

It says of everything that is missing what is near it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa

from connectors.sql.finder import Finder
from connectors.sql.joins import (
    Joined,
    Rows,
    find_joins,
    find_rows,
    fixed_values,
    known_columns,
)
from connectors.sql.settings import NewValues, SqlSettings, TableSettings, TagSettings, names
from connectors.sql.values import FIELD_TYPES, Field, Form, Kind
from reconcile.errors import ConfigError
from reconcile.model import Entity
from reconcile.ports import FieldInfo, Shape

TAGS = "tags"
"""The native field under which a contact's tags are shown, whatever form they are kept in."""


@dataclass(frozen=True, slots=True)
class TagPlace:
    """Where tags are.

    That is `field` in the contact's table, or `contact` and `tag` in a join table, with its
    `names`.

    `links` and `named` are what selects rows of the two tables, and what new ones get. `language`:
    names are JSON with a text a language, and this one counts.
    """

    form: str
    delimiter: str = ","
    field: Field | None = None
    contact: Field | None = None
    tag: Field | None = None
    names_key: Field | None = None
    names_name: Field | None = None
    language: str | None = None
    links: Rows | None = None
    named: Rows | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """One entity's table as it was found.

    Its columns by role, and `fields` by native name (without tags).

    `joins` are the tables beside it; what is read of them is among `fields`. `fixed` are the values
    that select its records; `columns` are all that its own table has.
    """

    entity: Entity
    table: sa.Table
    key: tuple[Field, ...]
    fields: Mapping[str, Field]
    parent: tuple[Field, ...] = ()
    modified_at: Field | None = None
    version: Field | None = None
    deleted: Field | None = None
    tags: TagPlace | None = None
    where: sa.ColumnElement[bool] | None = None
    unique: tuple[tuple[str, ...], ...] = ()
    joins: Mapping[str, Joined] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    on_create: NewValues = field(default_factory=dict)
    columns: Mapping[str, Field] = field(default_factory=dict)

    @property
    def beside(self) -> Mapping[str, Joined]:
        """The joined table of each native field that is in one, the parent included."""
        return {native: joined for joined in self.joins.values() for native in joined.fields}

    @property
    def key_is_unique(self) -> bool:
        """Whether the database itself sees to it that no two records share a key."""
        return tuple(sorted(field.name for field in self.key)) in {
            tuple(sorted(columns)) for columns in self.unique
        }

    @property
    def labels(self) -> Mapping[str, str]:
        """The names of the columns that stand in a line beside the fields.

        They are key, parent, version, modified_at and deleted.
        """
        taken = {*self.fields, TAGS}
        labels = {}
        for role in ("key", "parent", "version", "modified_at", "deleted"):
            name = f"#{role}"
            while name in taken:
                name = f"#{name}"
            labels[role] = name
        return labels

    @property
    def shape(self) -> Shape:
        """A flat object a line."""
        labels = self.labels
        shown = [*self.fields]
        if self.tags:
            shown.append(TAGS)

        def place(role: str, field: object) -> tuple[tuple[str, ...], ...]:
            return ((labels[role],),) if field else ()

        return Shape(
            key=((labels["key"],),),
            fields={name: ((name,),) for name in shown},
            parent=place("parent", self.parent),
            version=place("version", self.version),
            modified_at=place("modified_at", self.modified_at),
            deleted=place("deleted", self.deleted),
        )

    def described(self) -> dict[str, FieldInfo]:
        """What there is to say of each native field."""
        roles = (self.version, self.modified_at, self.deleted, *self.parent)
        own = {field.name for field in roles if field}
        own |= self.fixed.keys()
        own |= {field.name for field in self.key if field.automatic}
        own |= {name for name, joined in self.beside.items() if joined.why_not_written(name)}
        described = {
            name: FieldInfo(
                type=FIELD_TYPES.get(field.kind, "choice" if field.choices else "text"),
                writable=not field.generated and name not in own,
                clearable=field.nullable or field.kind is Kind.TEXT,
                label=name,
                choices=field.choices,
                nullable=field.nullable,
            )
            for name, field in self.fields.items()
        }
        if self.tags:
            described[TAGS] = FieldInfo("tags", label=TAGS)
        return described


def find_layouts(connection: sa.Connection, settings: SqlSettings) -> dict[Entity, Layout]:
    """Every declared entity as it was found.

    Raises ConfigError with a Problem for each thing that was not.
    """
    finder = Finder(connection, settings)
    layouts = {
        entity: _layout(finder, entity, table) for entity, table in settings.entities.items()
    }
    if finder.problems:
        raise ConfigError(finder.problems)
    return {entity: layout for entity, layout in layouts.items() if layout is not None}


def _layout(finder: Finder, entity: Entity, declared: TableSettings) -> Layout | None:
    columns = finder.fields(f"{entity}: table", declared.table)
    tags = _tag_place(finder, entity, declared)
    if columns is None:
        return None

    def one(role: str, name: str | None) -> Field | None:
        return finder.column(f"{entity}: {role}", declared.table, name)

    if not names(declared.key):
        finder.report(
            f"{entity}: key",
            "no key column is declared",
            "name the column that identifies a record",
        )
    key = finder.columns(f"{entity}: key", declared.table, names(declared.key))
    mapped = finder.settings.fields.get(entity, ())
    beside = (*mapped, *names(declared.parent)) if mapped else ()
    joins = find_joins(finder, f"{entity}", declared, beside)
    fixed = fixed_values(finder, f"{entity}", declared.table, declared.fixed)
    known_columns(finder, f"{entity}", declared.table, declared.on_create)
    layout = Layout(
        entity=entity,
        table=next(iter(columns.values())).column.table,
        key=key,
        fields=_chosen(finder, entity, declared, tags, joins),
        parent=_parent(finder, entity, declared, joins),
        modified_at=_dated(finder.connection, _as_moment(one("modified_at", declared.modified_at))),
        version=one("version", declared.version),
        deleted=_dated(finder.connection, one("deleted", declared.deleted)),
        tags=tags,
        where=_selected(fixed, columns, _condition(finder, entity, declared)),
        unique=finder.unique(declared.table),
        joins=joins,
        fixed=fixed,
        on_create=declared.on_create,
        columns=columns,
    )
    if entity.parent and not declared.parent:
        finder.report(
            f"{entity}: parent",
            "no parent column is declared",
            f"name the column of {declared.table!r} that holds the contact's key",
        )
    return layout


def _parent(
    finder: Finder, entity: Entity, declared: TableSettings, joins: Mapping[str, Joined]
) -> tuple[Field, ...]:
    """The columns with the contact's key, in the table itself or in one that is joined."""
    own = finder.fields(f"{entity}: table", declared.table) or {}
    beside = {name: field for joined in joins.values() for name, field in joined.fields.items()}
    wanted = names(declared.parent)
    if all(name in beside and name not in own for name in wanted):
        return tuple(beside[name] for name in wanted)
    return finder.columns(f"{entity}: parent", declared.table, wanted)


def _selected(
    fixed: Mapping[str, Any],
    columns: Mapping[str, Field],
    where: sa.ColumnElement[bool] | None,
) -> sa.ColumnElement[bool] | None:
    """What every record fulfils: the fixed values and the user's condition."""
    conditions: list[sa.ColumnElement[bool]] = [
        columns[name].column == value for name, value in fixed.items()
    ]
    if where is not None:
        conditions.append(where)
    if not conditions:
        return None
    return sa.and_(*conditions)


def _condition(
    finder: Finder, entity: Entity, declared: TableSettings
) -> sa.ColumnElement[bool] | None:
    """The fixed filter, tried once: what it says is the user's SQL, in which a colon is a colon."""
    columns = finder.fields(f"{entity}: table", declared.table)
    if not declared.where or not columns:
        return None
    condition: sa.ColumnElement[bool] = sa.literal_column(f"({declared.where})")
    table = next(iter(columns.values())).column.table
    nothing: sa.ColumnElement[int] = sa.literal_column("1")
    one_row: sa.Select[Any] = sa.select(nothing).select_from(table).where(condition).limit(1)
    try:
        # PostgreSQL takes nothing more in a transaction that had an error, but after a savepoint.
        with finder.connection.begin_nested():
            finder.connection.execute(one_row).first()
    except sa.exc.DBAPIError as error:
        why = str(error.orig).strip().splitlines()[0]
        finder.report(
            f"{entity}: where", f"the database does not take this condition: {why}", "correct it"
        )
        return None
    return condition


def _chosen(
    finder: Finder,
    entity: Entity,
    declared: TableSettings,
    tags: TagPlace | None,
    joins: Mapping[str, Joined],
) -> Mapping[str, Field]:
    """The columns that the mapping uses, all of them where it says nothing.

    Tags are a field of their own.
    """
    columns = finder.fields("", declared.table) or {}
    wanted = finder.settings.fields.get(entity, ())
    beside = {name: field for joined in joins.values() for name, field in joined.fields.items()}
    if wanted:
        wanted = tuple(name for name in wanted if name != TAGS or tags is None)
        joined = {name for name in wanted if name not in columns and _of_join(name, declared)}
        own = (name for name in wanted if name not in joined)
        fields = finder.columns(f"{entity}: fields", declared.table, own)
        fields += tuple(beside[name] for name in wanted if name in joined and name in beside)
    else:
        hidden = set()
        if tags:
            hidden.add(TAGS)
        if tags and tags.field:
            hidden.add(tags.field.name)
        fields = tuple(field for name, field in columns.items() if name not in hidden)
        fields += tuple(beside.values())
    dated = {
        field.name: _dated(finder.connection, field) for field in fields if field.name in columns
    }
    return {field.name: dated.get(field.name) or field for field in fields}


def _of_join(native: str, declared: TableSettings) -> bool:
    return native.partition(".")[0] in declared.joins


def _tag_place(finder: Finder, entity: Entity, declared: TableSettings) -> TagPlace | None:
    tags = declared.tags
    if tags is None:
        return None
    where = f"{entity}: tags"
    if tags.form == "table":
        return _joined(finder, where, tags)
    if tags.column is None:
        finder.report(
            where,
            "no tag column is declared",
            f"name the column of {declared.table!r} that holds the tags",
        )
    column = finder.column(where, declared.table, tags.column)
    if column is not None and tags.form == "array" and column.kind is not Kind.ARRAY:
        finder.report(
            where,
            f"column {column.name!r} is not an array",
            'declare the form "json" or "delimited"',
        )
    return TagPlace(tags.form, tags.delimiter, field=column)


def _joined(finder: Finder, where: str, tags: TagSettings) -> TagPlace | None:
    if not (tags.table and tags.contact and tags.tag):
        finder.report(
            where, "a join table needs table, contact and tag", "name the table and its two columns"
        )
        return None
    place = TagPlace(
        tags.form,
        contact=finder.column(where, tags.table, tags.contact),
        tag=finder.column(where, tags.table, tags.tag),
        language=tags.language,
        links=find_rows(finder, where, tags.table, tags.fixed, tags.on_create),
    )
    if not tags.names:
        return place
    return replace(
        place,
        names_key=finder.column(where, tags.names, tags.names_key),
        names_name=finder.column(where, tags.names, tags.names_name),
        named=find_rows(finder, where, tags.names, tags.names_fixed, tags.names_on_create),
    )


def _as_moment(field: Field | None) -> Field | None:
    """A column that is said to hold a time does so.

    It may be declared as text or as a number.
    """
    untyped = (Kind.TEXT, Kind.INTEGER, Kind.FLOAT, Kind.DECIMAL, Kind.OTHER)
    if field is None or field.kind not in untyped:
        return field
    return replace(field, kind=Kind.LOCAL, form="sql")


def _dated(connection: sa.Connection, field: Field | None) -> Field | None:
    """A moment that the database keeps as text or a number.

    It is written in the form in which it is found.
    """
    if field is None or field.kind is not Kind.LOCAL or field.form == "native":
        return field
    one_value = sa.select(field.column).where(field.column.is_not(None)).limit(1)
    sample = connection.execute(one_value).scalar()
    return replace(field, form=_form(sample))


def _form(sample: Any) -> Form:
    if isinstance(sample, int | float):
        if abs(sample) >= 100_000_000_000:
            return "epoch_ms"
        return "epoch"
    if isinstance(sample, str) and "T" in sample:
        return "iso"
    return "sql"
