"""What a user declares of their database, so that everything else can be found in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from reconcile.model import Entity


@dataclass(frozen=True, slots=True)
class TagSettings:
    """Where the tags of a contact are.

    array, json, delimited: in `column` of the contact's table, as an SQL array, a JSON list or text around `delimiter`.
    table: one row a tag in the join table `table`, whose column `contact` holds the contact's key and whose column `tag`
    holds the tag, or, where `names` is another table, the `names_key` of the row whose `names_name` is the tag.
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


@dataclass(frozen=True, slots=True)
class TableSettings:
    """One entity's table or view ("table" or "schema.table") and the columns that have a meaning of their own.

    `parent` is the column (columns, for a composite key) of a task or note that holds its contact's key. `deleted` is a
    soft-delete column, true or a time once the record is deleted. `where` is SQL that every record fulfils.
    """

    table: str
    key: str | tuple[str, ...] = "id"
    parent: str | tuple[str, ...] | None = None
    modified_at: str | None = None
    version: str | None = None
    deleted: str | None = None
    tags: TagSettings | None = None
    where: str | None = None


@dataclass(frozen=True, slots=True)
class SqlSettings:
    """A database and what is in it. `url` is an SQLAlchemy URL and a secret: it is in no repr and no message.

    `fields` are the columns that the mapping uses, by entity; none given means all. `batch` is how many writes share a
    transaction. `timezone` is the IANA name of the zone in which columns without one are kept. `lock_seconds` is how
    long a write waits for another's lock.
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
    return (columns,) if isinstance(columns, str) else tuple(columns)
