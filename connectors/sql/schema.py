"""Finds what the settings declare in the database itself, and says of everything that is missing what is near it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from connectors.sql.columns import read_table
from connectors.sql.settings import SqlSettings, TableSettings, TagSettings, names
from connectors.sql.values import FIELD_TYPES, Field, Form, Kind
from reconcile.errors import ConfigError, Problem
from reconcile.model import Entity
from reconcile.ports import FieldInfo, Shape

TAGS = "tags"
"""The native field under which a contact's tags are shown, whatever form they are kept in."""


@dataclass(frozen=True, slots=True)
class TagPlace:
    """Where tags are: `field` in the contact's table, or `contact` and `tag` in a join table, with its `names`."""

    form: str
    delimiter: str = ","
    field: Field | None = None
    contact: Field | None = None
    tag: Field | None = None
    names_key: Field | None = None
    names_name: Field | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """One entity's table as it was found: its columns by role, and `fields` by native name (without tags)."""

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

    @property
    def key_is_unique(self) -> bool:
        """Whether the database itself sees to it that no two records share a key."""
        return tuple(sorted(field.name for field in self.key)) in {
            tuple(sorted(columns)) for columns in self.unique
        }

    @property
    def labels(self) -> Mapping[str, str]:
        """The names under which key, parent, version, modified_at and deleted stand in a line beside the fields."""
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
        shown = [*self.fields, *([TAGS] if self.tags else [])]
        return Shape(
            key=((labels["key"],),),
            fields={name: ((name,),) for name in shown},
            parent=((labels["parent"],),) if self.parent else (),
            version=((labels["version"],),) if self.version else (),
            modified_at=((labels["modified_at"],),) if self.modified_at else (),
            deleted=((labels["deleted"],),) if self.deleted else (),
        )

    def described(self) -> dict[str, FieldInfo]:
        """What there is to say of each native field."""
        own = {
            field.name
            for field in (self.version, self.modified_at, self.deleted, *self.parent)
            if field
        }
        automatic = {field.name for field in self.key if field.automatic}
        described = {
            name: FieldInfo(
                type=FIELD_TYPES.get(field.kind, "choice" if field.choices else "text"),
                writable=not field.generated and name not in own | automatic,
                clearable=field.nullable or field.kind is Kind.TEXT,
                label=name,
                choices=field.choices,
                nullable=field.nullable,
            )
            for name, field in self.fields.items()
        }
        return described | ({TAGS: FieldInfo("tags", label=TAGS)} if self.tags else {})


class _Finder:
    """Looks declared names up in one database and collects every Problem instead of stopping at the first."""

    def __init__(self, connection: sa.Connection, settings: SqlSettings) -> None:
        self.connection = connection
        self.settings = settings
        self.zone = ZoneInfo(settings.timezone)
        self.problems: list[Problem] = []
        self.inspector = sa.inspect(connection)
        self._found: dict[str, Mapping[str, Field] | None] = {}

    def report(self, where: str, what: str, remedy: str) -> None:
        self.problems.append(Problem(where, what, remedy))

    def fields(self, where: str, table: str) -> Mapping[str, Field] | None:
        """The columns of a table or view by name; None, and a Problem, when there is no such table."""
        if table not in self._found:
            self._found[table] = self._reflect(where, table)
        return self._found[table]

    def _reflect(self, where: str, name: str) -> Mapping[str, Field] | None:
        for schema, bare in _splits(name):
            if self._exists(bare, schema):
                return read_table(self.connection, bare, schema, self.zone)
        schema, bare = _splits(name)[-1]
        existing = [*self.inspector.get_table_names(schema), *self.inspector.get_view_names(schema)]
        self.report(where, f"there is no table or view {name!r}", _near(bare, existing, "tables"))
        return None

    def _exists(self, bare: str, schema: str | None) -> bool:
        try:
            return self.inspector.has_table(bare, schema)
        except sa.exc.DBAPIError:
            return False

    def column(self, where: str, table: str, name: str | None) -> Field | None:
        """One column; None, and a Problem, when the table has none of that name."""
        fields = self.fields(where, table)
        if fields is None or name is None:
            return None
        if name not in fields:
            self.report(
                where, f"table {table!r} has no column {name!r}", _near(name, fields, "columns")
            )
        return fields.get(name)

    def columns(self, where: str, table: str, wanted: Iterable[str]) -> tuple[Field, ...]:
        """Several columns, those that exist."""
        found = (self.column(where, table, name) for name in wanted)
        return tuple(field for field in found if field is not None)


def _splits(name: str) -> list[tuple[str | None, str]]:
    """A name may contain a dot of its own, or a schema before it."""
    schema, _, bare = name.rpartition(".")
    return [(None, name), (schema, bare)] if schema else [(None, name)]


def _near(name: str, existing: Iterable[str], kind: str) -> str:
    known = sorted(existing)
    lower = {other.lower(): other for other in known}
    near = [
        lower[match] for match in difflib.get_close_matches(name.lower(), lower, n=3, cutoff=0.5)
    ]
    if near:
        return f"did you mean {' or '.join(repr(other) for other in near)}?"
    listed = ", ".join(known[:20]) + (" ..." if len(known) > 20 else "")
    return (
        f"the {kind} that exist are: {listed}"
        if known
        else f"there are no {kind}: is this the right database?"
    )


def find_layouts(connection: sa.Connection, settings: SqlSettings) -> dict[Entity, Layout]:
    """Every declared entity as it was found. Raises ConfigError with a Problem for each thing that was not."""
    finder = _Finder(connection, settings)
    layouts = {
        entity: _layout(finder, entity, table) for entity, table in settings.entities.items()
    }
    if finder.problems:
        raise ConfigError(finder.problems)
    return {entity: layout for entity, layout in layouts.items() if layout is not None}


def _layout(finder: _Finder, entity: Entity, declared: TableSettings) -> Layout | None:
    found = finder.fields(f"{entity}: table", declared.table)
    tags = _tag_place(finder, entity, declared)
    if found is None:
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
    layout = Layout(
        entity=entity,
        table=next(iter(found.values())).column.table,
        key=key,
        fields=_chosen(finder, entity, declared, tags),
        parent=finder.columns(f"{entity}: parent", declared.table, names(declared.parent)),
        modified_at=_dated(finder.connection, _as_moment(one("modified_at", declared.modified_at))),
        version=one("version", declared.version),
        deleted=_dated(finder.connection, one("deleted", declared.deleted)),
        tags=tags,
        where=_condition(finder, entity, declared),
        unique=_unique(finder, declared.table),
    )
    if entity.parent and not declared.parent:
        finder.report(
            f"{entity}: parent",
            "no parent column is declared",
            f"name the column of {declared.table!r} that holds the contact's key",
        )
    return layout


def _condition(
    finder: _Finder, entity: Entity, declared: TableSettings
) -> sa.ColumnElement[bool] | None:
    """The fixed filter, tried once: what it says is the user's SQL, in which a colon is a colon."""
    found = finder.fields(f"{entity}: table", declared.table)
    if not declared.where or not found:
        return None
    condition: sa.ColumnElement[bool] = sa.literal_column(f"({declared.where})")
    table = next(iter(found.values())).column.table
    try:
        with finder.connection.begin_nested():
            finder.connection.execute(
                sa.select(sa.literal_column("1")).select_from(table).where(condition).limit(1)
            ).first()
    except sa.exc.DBAPIError as error:
        why = str(error.orig).strip().splitlines()[0]
        finder.report(
            f"{entity}: where", f"the database does not take this condition: {why}", "correct it"
        )
        return None
    return condition


def _chosen(
    finder: _Finder, entity: Entity, declared: TableSettings, tags: TagPlace | None
) -> Mapping[str, Field]:
    """The columns that the mapping uses, all of them where it says nothing; tags are a field of their own."""
    found = finder.fields("", declared.table) or {}
    wanted = finder.settings.fields.get(entity, ())
    if wanted:
        wanted = tuple(name for name in wanted if name != TAGS or tags is None)
        fields = finder.columns(f"{entity}: fields", declared.table, wanted)
    else:
        hidden = {TAGS if tags else "", tags.field.name if tags and tags.field else ""}
        fields = tuple(field for name, field in found.items() if name not in hidden)
    return {field.name: _dated(finder.connection, field) or field for field in fields}


def _tag_place(finder: _Finder, entity: Entity, declared: TableSettings) -> TagPlace | None:
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


def _joined(finder: _Finder, where: str, tags: TagSettings) -> TagPlace | None:
    if not (tags.table and tags.contact and tags.tag):
        finder.report(
            where, "a join table needs table, contact and tag", "name the table and its two columns"
        )
        return None
    return TagPlace(
        tags.form,
        contact=finder.column(where, tags.table, tags.contact),
        tag=finder.column(where, tags.table, tags.tag),
        names_key=finder.column(where, tags.names, tags.names_key) if tags.names else None,
        names_name=finder.column(where, tags.names, tags.names_name) if tags.names else None,
    )


def _unique(finder: _Finder, name: str) -> tuple[tuple[str, ...], ...]:
    """The column sets that no two rows may share."""
    table = next(iter((finder.fields("", name) or {}).values())).column.table
    found = [
        tuple(
            finder.inspector.get_pk_constraint(table.name, table.schema).get(
                "constrained_columns", ()
            )
        )
    ]
    try:
        constraints = finder.inspector.get_unique_constraints(table.name, table.schema)
        indexes = finder.inspector.get_indexes(table.name, table.schema)
    except (NotImplementedError, sa.exc.SQLAlchemyError):
        return tuple(columns for columns in found if columns)
    found += [tuple(constraint["column_names"]) for constraint in constraints]
    whole = [index for index in indexes if index["unique"] and not _partial(index)]
    found += [tuple(str(column) for column in index["column_names"]) for index in whole]
    return tuple(dict.fromkeys(columns for columns in found if columns))


def _partial(index: Any) -> bool:
    options = index.get("dialect_options", {})
    return None in index["column_names"] or any(option.endswith("_where") for option in options)


def _as_moment(field: Field | None) -> Field | None:
    """A column that is said to hold a time does so, though it be declared as text or as a number."""
    if field is None or field.kind not in (
        Kind.TEXT,
        Kind.INTEGER,
        Kind.FLOAT,
        Kind.DECIMAL,
        Kind.OTHER,
    ):
        return field
    return replace(field, kind=Kind.LOCAL, form="sql")


def _dated(connection: sa.Connection, field: Field | None) -> Field | None:
    """A moment that the database keeps as text or a number is written in the form in which it is found."""
    if field is None or field.kind is not Kind.LOCAL or field.form == "native":
        return field
    sample = connection.execute(
        sa.select(field.column).where(field.column.is_not(None)).limit(1)
    ).scalar()
    return replace(field, form=_form(sample))


def _form(sample: Any) -> Form:
    if isinstance(sample, int | float):
        return "epoch_ms" if abs(sample) >= 100_000_000_000 else "epoch"
    return "iso" if isinstance(sample, str) and "T" in sample else "sql"
