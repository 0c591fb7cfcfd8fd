"""Turns the rows of a SELECT into JSON lines, a page at a time.

It needs as little Python a row as can be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from connectors.marks import says_deleted
from connectors.sql import tags as tagging
from connectors.sql.keys import key_text
from connectors.sql.schema import TAGS, Layout
from connectors.sql.values import Field, Kind, UnfitError, field_reader, reader
from reconcile.ports import Page

_ENCODER = msgspec.json.Encoder()

Row = Sequence[Any]


@dataclass(slots=True)
class Tally:
    """What an extraction has set aside so far.

    `unread` counts the rows with a key, whose absence would mislead.
    """

    quarantined: list[str] = field(default_factory=list)
    unread: int = 0

    def set_aside(self, table: str, key: str | None, why: str) -> None:
        """Note a record that cannot be read, and why."""
        self.unread += 1
        self.quarantined.append(f"{table} {key}: {why}")


@dataclass(frozen=True, slots=True)
class Columns:
    """What a row holds: `fields` in order, and tags.

    The tags are at `tags_at`, or in `preloaded` by the contact's key.
    """

    fields: Sequence[Field]
    tags_at: int | None = None
    preloaded: Mapping[Any, list[str]] | None = None


class Lines:
    """Turns selected rows into pages; a row that cannot be read is set aside with a sentence.

    The layout's fields come first among `columns`, so that a row zipped with their names is most of
    its line.
    """

    def __init__(self, layout: Layout, columns: Columns, tally: Tally) -> None:
        self._table = layout.table.name
        self._tally = tally
        self._names = tuple(layout.fields)
        at = {column.name: number for number, column in enumerate(columns.fields)}
        self._raw = any(column.raw for column in columns.fields)
        converters = ((name, _converter(column)) for name, column in layout.fields.items())
        self._converters = [(name, convert) for name, convert in converters if convert is not None]
        self._key_label = layout.labels["key"]
        self._key = _key_reader(layout.key, at)
        self._roles = _roles(layout, at)
        self._shown = _shown(layout)
        if layout.tags is not None:
            self._roles.append((TAGS, _tag_reader(layout, columns, at)))

    def page(self, rows: Sequence[Row], *, own: bool) -> Page:
        """Some rows as a page; with `own` it covers the keys that it shows."""
        every = map(self._line, rows)
        shown = [line for line in every if line is not None]
        try:
            lines = _ENCODER.encode_lines(shown)
        except (ValueError, TypeError, OverflowError):
            # One by one only where it has to be: the page as a whole is what makes it fast.
            shown = [line for line in shown if self._encodes(line)]
            lines = _ENCODER.encode_lines(shown)
        covers: tuple[str, ...] = ()
        if own:
            covers = tuple(str(line[self._key_label]) for line in shown)
        return Page(lines, len(shown), covers)

    def _line(self, row: Row) -> dict[str, Any] | None:
        key = None
        try:
            if self._raw and bytes in map(type, row):
                row = [value.hex() if isinstance(value, bytes) else value for value in row]
            key = self._key(row)
            line = dict(zip(self._names, row, strict=False))
            for name, convert in self._converters:
                line[name] = convert(line[name])
            for name, read in self._roles:
                line[name] = read(row)
            for name, shown in self._shown:
                line[name] = line[shown]
        except UnfitError as error:
            self._set_aside(key, str(error))
            return None
        except (ValueError, TypeError, OverflowError, OSError):
            # The error's own words may hold the value.
            self._set_aside(key, "a value is not what its column says")
            return None
        if key is None:
            self._tally.quarantined.append(f"{self._table}: a row without a key")
            return None
        line[self._key_label] = key
        return line

    def _encodes(self, line: Mapping[str, Any]) -> bool:
        try:
            _ENCODER.encode(line)
        except (ValueError, TypeError, OverflowError):
            self._set_aside(
                str(line[self._key_label]), "a text is no Unicode, or a number too large"
            )
            return False
        return True

    def _set_aside(self, key: str | None, why: str) -> None:
        self._tally.set_aside(self._table, key, why)


def _converter(column: Field) -> Callable[[Any], Any] | None:
    """What a field's value needs.

    Bytes where there should be text are seen to for the whole row.
    """
    plain = column.raw and column.kind in (Kind.TEXT, Kind.INTEGER, Kind.OTHER)
    if plain:
        return None
    return field_reader(column)


def _key_reader(columns: Sequence[Field], at: Mapping[str, int]) -> Callable[[Row], str | None]:
    places = [at[column.name] for column in columns]
    if len(columns) == 1 and columns[0].kind in (Kind.TEXT, Kind.INTEGER) and not columns[0].padded:
        [place] = places

        def simple(row: Row) -> str | None:
            value = row[place]
            if value is None or type(value) is str:
                return value
            return key_text(columns, [value])

        return simple
    return lambda row: key_text(columns, [row[place] for place in places])


def _roles(layout: Layout, at: Mapping[str, int]) -> list[tuple[str, Callable[[Row], Any]]]:
    labels = layout.labels
    roles: list[tuple[str, Callable[[Row], Any]]] = []
    if layout.parent:
        roles.append((labels["parent"], _key_reader(layout.parent, at)))
    if layout.version:
        roles.append((labels["version"], _key_reader((layout.version,), at)))
    if layout.modified_at and not _shown(layout):
        roles.append((labels["modified_at"], _value_reader(layout.modified_at, at)))
    if layout.deleted:
        roles.append((labels["deleted"], _mark_reader(layout.deleted, at)))
    return roles


def _shown(layout: Layout) -> list[tuple[str, str]]:
    """Roles whose column is read as a field in the same form, and that field.

    What was converted once need not be again.
    """
    own = layout.modified_at
    shared = own and not own.zoneless and layout.fields.get(own.name) == own
    if own and shared:
        return [(layout.labels["modified_at"], own.name)]
    return []


def _value_reader(column: Field, at: Mapping[str, int]) -> Callable[[Row], Any]:
    place, convert = at[column.name], reader(column)
    if convert is None:
        return lambda row: row[place]
    return lambda row: convert(row[place])


def _mark_reader(column: Field, at: Mapping[str, int]) -> Callable[[Row], bool]:
    place = at[column.name]
    return lambda row: marked(column, row[place])


def marked(column: Field, value: Any) -> bool:
    """Whether what a soft-delete column holds says that the record is deleted."""
    convert = reader(column)
    return says_deleted(value) and (convert is None or says_deleted(convert(value)))


def _tag_reader(
    layout: Layout, columns: Columns, at: Mapping[str, int]
) -> Callable[[Row], list[str]]:
    place = layout.tags
    assert place is not None  # noqa: S101  the caller asked
    number = columns.tags_at
    if place.field is not None:
        number = at[place.field.name]
    if number is not None:
        return lambda row: tagging.parse(place, row[number])
    preloaded, key = columns.preloaded or {}, at[layout.key[0].name]
    return lambda row: tagging.parse(place, preloaded.get(row[key]))
