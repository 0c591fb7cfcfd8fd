"""What a user declares of their files, so that everything else can be found in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from reconcile.model import Entity

FileFormat = Literal["csv", "jsonl", "parquet", "excel"]
NewKey = Literal["auto", "uuid", "integer", "none"]

SUFFIXES: Mapping[FileFormat, tuple[str, ...]] = {
    "csv": (".csv", ".tsv", ".txt"),
    "jsonl": (".jsonl", ".ndjson"),
    "parquet": (".parquet", ".pq"),
    "excel": (".xlsx", ".xlsm"),
}
"""The names that count as files of a format where a folder is declared."""


@dataclass(frozen=True, slots=True)
class FileSettings:
    """One entity: a file, a folder of files, a pattern, or an fsspec URL.

    A pattern is such as "people-*.csv". An fsspec URL may be that of any of these.

    key, parent, modified_at, version, deleted, tags are columns. `version` is `modified_at` where
    none is declared.
    key: a column, or a list of columns that name a row together; an empty list means that the file
    has no key: the whole row is one, an edit looks like another row, and the file is read and never
    written. `new_key` is how keys of new rows are made: auto means the next whole number where all
    keys are whole numbers, else a UUID; none means that they are not made: a new row has to bring a
    value for its key, such as an email. `deleted` is a soft-delete column: a row counts as deleted
    where it is set, to anything but a no. Several tags in a text stand between `tags_delimiter`s,
    or as a JSON list; `tags_quoted` means that each stands in quotes; `tags_except` are tags that
    stay in the file alone.
    lists: columns whose cells hold several values, each with what stands between them. Such a
    column "x" is a list; "x[0]" is its first value, "x[1:]" are the further ones, which are not
    written.
    `delimiter` and `encoding` (CSV, JSON lines) are detected where not declared, `sheet` (Excel) is
    the first one.
    header (CSV, Excel): the line with the names of the columns, counted from 1; by default the
    first that is not blank.
    footer (CSV, Excel): what ends the file and is no record: how many lines, each with one cell, or
    the text with which the first of them begins, such as "Total". A file that does not end so is
    not taken: it may be cut off.
    """

    path: str
    key: str | tuple[str, ...] = "id"
    parent: str | None = None
    modified_at: str | None = None
    version: str | None = None
    deleted: str | None = None
    tags: str | None = None
    tags_delimiter: str = ","
    tags_quoted: bool = False
    tags_except: tuple[str, ...] = ()
    lists: Mapping[str, str] = field(default_factory=dict)
    delimiter: str | None = None
    encoding: str | None = None
    sheet: str | None = None
    header: int | None = None
    footer: int | str | None = None
    new_key: NewKey = "auto"

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns of the key; none where the whole row is one."""
        if isinstance(self.key, str):
            return (self.key,)
        return tuple(self.key)


@dataclass(frozen=True, slots=True)
class FilesSettings:
    """Files of one format and what is in them.

    `folder` is what paths are relative to. `fields` are the columns that the mapping uses, by
    entity; none given means all. `timezone` is the IANA name of the zone of times without one.
    `backups` is how many earlier versions of a file are kept beside it; `lock_seconds` is how long
    a write waits for another run's.
    """

    format: FileFormat
    entities: Mapping[Entity, FileSettings]
    folder: Path = Path()
    fields: Mapping[Entity, tuple[str, ...]] = field(default_factory=dict)
    timezone: str = "UTC"
    backups: int = 3
    lock_seconds: float = 10.0
