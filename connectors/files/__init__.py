"""APPNAME in files: CSV, JSON lines, Parquet or Excel, in a folder or behind an fsspec URL.

Every value is what stands there.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec

from connectors.files.changes import may_be
from connectors.files.layout import Layout, instant
from connectors.files.library import Library
from connectors.files.parts import BrokenFileError
from connectors.files.settings import FileFormat, FileSettings, FilesSettings
from connectors.files.shelf import records, surveyed
from connectors.files.storage import bare
from connectors.files.writing import Writer
from reconcile.errors import ConfigError, Malformed, Problem
from reconcile.model import Entity, OpKind, Side
from reconcile.ports import Description, Page, Proof, Record, Reply, Scope, Shape, Usage, Write

__all__ = ["FileFormat", "FileSettings", "FilesConnector", "FilesSettings"]

_EVERYTHING = Scope()
_ROWS = 1_000
_ENCODER = msgspec.json.Encoder()
_UTC = ZoneInfo("UTC")


def _clock() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class FilesConnector:
    """Files as the app side; fills reconcile.ports.Connector.

    pandas is not used: it guesses types (leading zeros, "NA", dates) and cannot write a file back
    as it was. An extraction holds each file once, as bytes. Writing and reading single rows hold
    all rows: for files that fit into memory several times. `clock` gives the ISO 8601 instant that
    modified_at columns get, `unique` makes keys.
    """

    side = Side.APP

    def __init__(
        self,
        settings: FilesSettings,
        *,
        clock: Callable[[], str] = _clock,
        unique: Callable[[], str] = lambda: str(uuid.uuid4()),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings = settings
        self._library = Library(settings, sleep)
        self._writer = Writer(self._library, clock, unique)
        self._layouts: dict[Entity, Layout] = {}

    def __repr__(self) -> str:
        return bare(f"FilesConnector({self._settings!r})")

    def describe(self) -> Description:
        """Open every file and find every declared column.

        Raises ConfigError with all that is missing or broken.
        """
        self._layouts.clear()
        entities = self._settings.entities
        problems = [problem for entity in entities for problem in self._library.problems(entity)]
        if problems:
            raise ConfigError(problems)
        return Description(
            identity=self._library.identity(),
            fields={entity: self._layout(entity).described() for entity in entities},
            costs=dict.fromkeys(OpKind, 0.0),
            modified=frozenset(entity for entity, file in entities.items() if file.modified_at),
            places=self._library.places(),
        )

    def shape(self, entity: Entity) -> Shape:
        """A flat object a line.

        It has each field by its column's name, and what identifies and dates the record.
        """
        return self._layout(entity).shape

    def extract(self, entity: Entity, scope: Scope = _EVERYTHING) -> Iterator[Page | Proof]:
        """Pages, then the proof.

        A row that cannot be read, or a key that stands twice, is quarantined: then it is not all.
        """
        partly = scope != _EVERYTHING
        try:
            layout = self._layout(entity)
            volumes = self._library.open(entity)
            survey = surveyed(volumes, layout)
            every = (layout.record(part.values or {}) for _, part in records(volumes, layout))
            # Of rows with one key nobody can say which is the record.
            single = (record for record in every if record.key not in survey.doubles)
            shown = (record for record in single if _within(record, scope))
            yield from _pages(layout, shown, scope)
        except (BrokenFileError, ConfigError) as error:
            yield Proof(complete=False, why_incomplete=str(error), partial=partly)
            return
        why = ""
        if survey.unread:
            why = f"{survey.unread} rows cannot be taken as they are"
        yield Proof(not why, why, partial=partly, quarantined=tuple(survey.quarantined))

    def read(self, entity: Entity, key: str, parent: str | None = None) -> Record | None:
        """The record as it is now.

        Raises Malformed where its file cannot be read, or its key stands more than once.
        """
        self._declared(entity)
        try:
            shelf = self._library.shelf(entity)
        except BrokenFileError as error:
            raise Malformed(error.what, remedy=error.remedy) from None
        if key in shelf.doubles:
            raise Malformed(
                f"the key of this {entity} stands more than once",
                remedy="give each row a key of its own",
            )
        entry = shelf.find(key)
        if entry is None:
            return None
        return shelf.layout.record(entry[1].values or {})

    def look(self, write: Write) -> Sequence[Record]:
        """Rows that hold exactly what the create wrote, and contacts of the same email."""
        self._declared(write.entity)
        try:
            shelf = self._library.shelf(write.entity)
        except BrokenFileError as error:
            raise Malformed(error.what, remedy=error.remedy) from None
        rows = [part.values or {} for _, part in records(shelf.volumes, shelf.layout)]
        matches = [
            shelf.layout.record(values) for values in rows if may_be(shelf.layout, values, write)
        ]
        return [record for record in matches if not record.deleted]

    def write(self, writes: Sequence[Write]) -> Iterator[Reply]:
        """Carry out writes, each file replaced in one step.

        The replies of a file come once it is in place.
        """
        yield from self._writer.write(writes)

    def usage(self) -> Usage:
        """How many times a file was read; files count nothing against a quota."""
        return Usage(requests=self._library.reads)

    def close(self) -> None:
        """Let go of what is in memory; no file is held open."""
        for entity in self._settings.entities:
            self._library.forget(entity)

    # How it is done.

    def _declared(self, entity: Entity) -> None:
        if entity not in self._settings.entities:
            what = f"no file is declared for {entity} records"
            raise ConfigError(
                [Problem(f"app.{entity}", what, "declare its path, or leave the entity out")]
            )

    def _layout(self, entity: Entity) -> Layout:
        self._declared(entity)
        if entity not in self._layouts:
            try:
                self._layouts[entity] = self._library.layout(entity)
            except BrokenFileError as error:
                raise ConfigError([Problem(f"app.{entity}", error.what, error.remedy)]) from None
        return self._layouts[entity]


def _within(record: Record, scope: Scope) -> bool:
    if scope.since is not None:
        since = instant(scope.since, _UTC)
        if record.modified_at and since is not None and record.modified_at < since:
            return False
    if scope.keys is not None and record.key not in scope.keys:
        return False
    return scope.parents is None or record.parent in scope.parents


def _pages(layout: Layout, shown: Iterator[Record], scope: Scope) -> Iterator[Page]:
    """Pages of at most _ROWS, the first with what the scope covers wholly."""
    child = layout.entity.parent is not None
    covers: tuple[str, ...] = ()
    if scope.since is None:
        covers = tuple((scope.parents if child else scope.keys) or ())
    # With a time, what did not change is left out: a contact that is shown covers itself alone.
    own = not child and scope.since is not None
    rows: list[Record] = []
    for record in shown:
        rows.append(record)
        if len(rows) == _ROWS:
            yield _page(layout, rows, covers, own=own)
            rows, covers = [], ()
    if rows or covers:
        yield _page(layout, rows, covers, own=own)


def _page(layout: Layout, rows: Sequence[Record], covers: tuple[str, ...], *, own: bool) -> Page:
    lines = _ENCODER.encode_lines([layout.line(record) for record in rows])
    if own:
        covers = tuple(record.key for record in rows)
    return Page(lines, len(rows), covers)
