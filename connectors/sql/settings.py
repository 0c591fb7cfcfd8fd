"""What a user declares of their database, so that everything else can be found in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from reconcile.model import Entity


@dataclass(frozen=True, slots=True)
class Copy:
    """A value for a new row that follows from another column of the same row.

    It is taken as it is, or in one case. `of_record`: the column is one of the record that a joined
    row belongs to.
    """

    column: str
    case: Literal["as it is", "lower", "upper"] = "as it is"
    of_record: bool = False


NewValues: TypeAlias = "Mapping[str, str | Copy]"
"""Values for new rows alone, by column; "now" in a column of times is the time of the write."""


@dataclass(frozen=True, slots=True)
class TagSettings:
    """Where the tags of a contact are.

    array, json, delimited: in `column` of the contact's table, as an SQL array, a JSON list or text
    around `delimiter`. table: one row a tag in the join table `table`, whose column `contact` holds
    the contact's key and whose column `tag` holds the tag, or, where `names` is another table, the
    `names_key` of the row whose `names_name` is the tag. `fixed` selects rows of the join table and
    is written into new ones, `on_create` is written into new ones alone; `names_fixed` and
    `names_on_create` are the same of the table of names. `language` is which text of a name counts,
    where a name is JSON with a text a language.
    """

    form: Literal["array", "json", "delimited", "table"]
    column: str | None = None
    delimiter: str = ","
    table: str | None = None
    contact: str | None = None
    tag: str | None = None
    names: str | None = None
    names_key: str = "id"
    names_name: str = "name"
    language: str | None = None
    fixed: Mapping[str, str] = field(default_factory=dict)
    on_create: NewValues = field(default_factory=dict)
    names_fixed: Mapping[str, str] = field(default_factory=dict)
    names_on_create: NewValues = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """A table between a record's own and a joined one.

    `on` is its column = the record's, `to` its column = the joined one's.

    `fixed` selects its rows and is written into new ones. Unlinking sets `on_unlink`, or deletes
    the row where that is empty.
    """

    table: str
    on: Mapping[str, str]
    to: Mapping[str, str]
    fixed: Mapping[str, str] = field(default_factory=dict)
    on_create: NewValues = field(default_factory=dict)
    on_unlink: NewValues = field(default_factory=dict)
    modified_at: str | None = None


@dataclass(frozen=True, slots=True)
class JoinSettings:
    """A table that holds fields of a record beside its own table.

    A native field of it is called "join.column".

    `on` is its column = the record's column, or empty where `via` leads there. `fixed` selects
    rows, and is written into new ones. Where several rows qualify, `first` ("column" or "column
    desc", by commas) chooses; without it such a record is set aside. `name` and `value` are the
    columns of a table of names and values: each name is a field then. A row that others may use too
    (`via`, or `on` a column that is not the record's key) is never changed: with `find` the record
    is pointed to the row whose column `find` holds the value, made with `create` where there is
    none. `own`: such a row is the record's alone.
    """

    table: str
    on: Mapping[str, str] = field(default_factory=dict)
    via: LinkSettings | None = None
    fixed: Mapping[str, str] = field(default_factory=dict)
    on_create: NewValues = field(default_factory=dict)
    first: str | None = None
    name: str | None = None
    value: str | None = None
    find: str | None = None
    create: bool = False
    own: bool = False
    modified_at: str | None = None


@dataclass(frozen=True, slots=True)
class TableSettings:
    """One entity's table or view ("table" or "schema.table").

    It comes with the columns that have a meaning of their own.

    `parent` is the column (columns, for a composite key) of a task or note that holds its contact's
    key. `deleted` is a soft-delete column, true or a time once the record is deleted. `where` is
    SQL that every record fulfils. `fixed` selects records and is written into new ones, `on_create`
    is written into new ones alone. `joins` are tables beside this one, by name.
    """

    table: str
    key: str | tuple[str, ...] = "id"
    parent: str | tuple[str, ...] | None = None
    modified_at: str | None = None
    version: str | None = None
    deleted: str | None = None
    tags: TagSettings | None = None
    where: str | None = None
    fixed: Mapping[str, str] = field(default_factory=dict)
    on_create: NewValues = field(default_factory=dict)
    joins: Mapping[str, JoinSettings] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SqlSettings:
    """A database and what is in it.

    `url` is an SQLAlchemy URL and a secret: it is in no repr and no message.

    `fields` are the columns that the mapping uses, by entity; none given means all. `batch` is how
    many writes share a transaction. `timezone` is the IANA name of the zone in which columns
    without one are kept. `lock_seconds` is how long a write waits for another's lock.
    """

    url: str = field(repr=False)
    entities: Mapping[Entity, TableSettings]
    fields: Mapping[Entity, tuple[str, ...]] = field(default_factory=dict)
    batch: int = 500
    timezone: str = "UTC"
    lock_seconds: int = 10


def names(columns: str | tuple[str, ...] | None) -> tuple[str, ...]:
    """One column, several or none, as a tuple."""
    if columns is None:
        return ()
    if isinstance(columns, str):
        return (columns,)
    return tuple(columns)
