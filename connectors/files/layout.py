"""What the columns of one entity mean.

Rows as lines and as Records, and the reasons why a row is none.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from connectors.files.parts import UnfitError, text_of
from connectors.files.settings import FileSettings
from connectors.marks import says_deleted
from reconcile.model import Entity
from reconcile.ports import FieldInfo, Json, Record, Shape

TAGS = "tags"
"""The native field under which a contact's tags are shown, whatever the column is called."""

Values = Mapping[str, Json]
_MS_FROM = 100_000_000_000
"""Epoch numbers from here on are milliseconds: as seconds they would lie after the year 5000."""
_SHORTEST = 9
"""Digits of an epoch number: fewer are a date, YYYYMMDD, or no time."""
_VIEW = re.compile(r"(?P<column>.*)\[(?P<part>0|1:)\]", re.DOTALL)
"""The first value of a list, or the further ones.

The names of the two views of a column that holds several.
"""
_COMPACT = re.compile(r"(1[89]|2[01])\d{6}(\d{6})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Layout:
    """One entity's columns by role; `names` are the native fields, without tags."""

    entity: Entity
    settings: FileSettings
    names: tuple[str, ...]
    zone: ZoneInfo

    def label(self, role: str) -> str:
        """The member under which a role stands in a line beside the fields."""
        name = f"#{role}"
        while name in self.names:
            name = f"#{name}"
        return name

    @property
    def version(self) -> str | None:
        """The column that tells versions apart."""
        return self.settings.version or self.settings.modified_at

    @property
    def declared(self) -> tuple[str, ...]:
        """The columns that the settings name, which must be there."""
        own = self.settings
        roles = (
            own.parent,
            own.modified_at,
            own.version,
            own.deleted,
            own.tags,
        )
        named = (*own.keys, *own.lists, *roles)
        return tuple(name for name in named if name is not None)

    @property
    def shape(self) -> Shape:
        """A flat object a line."""
        own = self.settings
        shown = list(self.names)
        if own.tags:
            shown.append(TAGS)

        def place(role: str, column: str | None) -> tuple[tuple[str, ...], ...]:
            return ((self.label(role),),) if column else ()

        return Shape(
            key=((self.label("key"),),),
            fields={name: ((name,),) for name in shown},
            parent=place("parent", own.parent),
            version=place("version", self.version),
            modified_at=place("modified_at", own.modified_at),
            deleted=place("deleted", own.deleted),
        )

    def described(self) -> dict[str, FieldInfo]:
        """What there is to say of each native field: files tell no types."""
        own = self.settings
        fixed = {own.parent, own.modified_at, self.version, own.deleted}
        described: dict[str, FieldInfo] = {}
        for name in self.names:
            further = self.part(name)[1] == "1:"
            writable = bool(own.keys) and not further and name not in fixed
            described[name] = FieldInfo(
                writable=writable,
                label=name,
            )
        if own.tags:
            described[TAGS] = FieldInfo(
                "tags",
                writable=bool(own.keys),
                label=TAGS,
            )
        return described

    def key_of(self, values: Values) -> str:
        """The key of a row, "" where it has none.

        One column gives it plain, several give a JSON list, and no column gives a hash of the row.
        """
        keys = self.settings.keys
        if not keys:
            shown = sorted(
                (name, text_of(value)) for name, value in values.items() if value is not None
            )
            return hashlib.sha256(json.dumps(shown).encode()).hexdigest()[:32]
        parts = [text_of(values.get(name)).strip() for name in keys]
        if len(parts) == 1:
            return parts[0]
        if any(parts):
            return json.dumps(parts, separators=(",", ":"), ensure_ascii=False)
        return ""

    def part(self, name: str) -> tuple[str, str]:
        """The column of a native field, and which of its values it is.

        "0" is the first, "1:" are the further ones, and "" is all.
        """
        match = _VIEW.fullmatch(name)
        if match is None or match["column"] not in self.settings.lists:
            return name, ""
        return match["column"], match["part"]

    def value(self, values: Values, name: str) -> Json:
        """What a row holds of a native field."""
        column, part = self.part(name)
        if column not in self.settings.lists:
            return values.get(column)
        words = self.words_of(values, column)
        if part == "0":
            return words[0] if words else None
        if part:
            words = words[1:]
        return list(words) or None

    def words_of(self, values: Values, column: str) -> list[str]:
        """The values of a cell that holds several."""
        return _parted(values.get(column), self.settings.lists[column])

    def stored_words(self, words: Sequence[str], column: str, *, listed: bool) -> Json:
        """Several values in the form of their column.

        Raises UnfitError for one that holds what stands between them.
        """
        if listed:
            return list(words)
        delimiter = self.settings.lists[column]
        if any((delimiter.strip() or delimiter) in word for word in words):
            raise UnfitError(f'a value holds "{delimiter}", which stands between values here')
        return delimiter.join(words) or None

    def fault(self, values: Values) -> str:
        """Why a row is no record, "" where it is one."""
        own = self.settings
        if not self.key_of(values):
            return f"it has no {' and no '.join(own.keys)}, the key"
        if own.modified_at is not None:
            try:
                instant(values.get(own.modified_at), self.zone)
            except ValueError:
                return (
                    f"{own.modified_at} holds no time (expected ISO 8601, "
                    "such as 2026-01-31T09:00:00Z)"
                )
        return ""

    def record(self, values: Values) -> Record:
        """A row without fault as a Record."""
        own = self.settings
        fields: dict[str, Json] = {name: self.value(values, name) for name in self.names}
        if own.tags:
            fields[TAGS] = list(self.tags_of(values))
        modified_at = None
        if own.modified_at:
            modified_at = instant(values.get(own.modified_at), self.zone)
        return Record(
            key=self.key_of(values),
            fields=fields,
            parent=self._parent(values),
            version=self._version(values),
            modified_at=modified_at,
            deleted=self.is_deleted(values),
        )

    def line(self, record: Record) -> dict[str, Json]:
        """A Record as the object of its line."""
        own, label = self.settings, self.label
        line: dict[str, Json] = {**record.fields, label("key"): record.key}
        if own.parent:
            line[label("parent")] = record.parent
        if self.version:
            line[label("version")] = record.version
        if own.modified_at:
            line[label("modified_at")] = record.modified_at
        if own.deleted:
            line[label("deleted")] = record.deleted
        return line

    def _version(self, values: Values) -> str | None:
        if not self.version:
            return None
        version = values.get(self.version)
        return None if version in (None, "") else text_of(version)

    def _parent(self, values: Values) -> str | None:
        if not self.settings.parent:
            return None
        return text_of(values.get(self.settings.parent)).strip() or None

    def is_deleted(self, values: Values) -> bool:
        """Whether a row is marked as deleted."""
        return self.settings.deleted is not None and says_deleted(
            text_of(values.get(self.settings.deleted))
        )

    def tags_of(self, values: Values) -> list[str]:
        """A row's tags: a list, a JSON list as text, or words around the delimiter."""
        return [tag for tag in self._all_tags(values) if tag not in self.settings.tags_except]

    def _all_tags(self, values: Values) -> list[str]:
        value = values.get(str(self.settings.tags))
        if isinstance(value, str) and value.lstrip().startswith("["):
            value = _listed(value)
        return _parted(value, self.settings.tags_delimiter, quoted=self.settings.tags_quoted)

    def stored_tags(self, tags: Sequence[str], before: Values, *, listed: bool) -> Json:
        """Tags in the form in which the row had them, with those that stay in the file alone.

        Raises UnfitError for one that holds the delimiter.
        """
        own = self.settings
        current = before.get(str(own.tags))
        excepted = [tag for tag in self._all_tags(before) if tag in own.tags_except]
        after = list(dict.fromkeys([*excepted, *tags]))
        if isinstance(current, list) or (listed and current is None):
            return list(after)
        if isinstance(current, str) and isinstance(_listed(current), list):
            return json.dumps(after, ensure_ascii=False)
        if own.tags_quoted:
            doubled = [tag.replace('"', '""') for tag in after]
            quoted = [f'"{tag}"' for tag in doubled]
            return own.tags_delimiter.join(quoted) or None
        between = own.tags_delimiter.strip() or own.tags_delimiter
        if any(between in tag for tag in after):
            what = f'a tag holds "{own.tags_delimiter}", which stands between tags here'
            raise UnfitError(f"{TAGS}: {what}")
        return own.tags_delimiter.join(after) or None

    def stamp(self, now: str, like: Json) -> str:
        """The instant `now` in the form of an earlier value of its column.

        It is in the local zone where that value names none.
        """
        text = text_of(like)
        try:
            naive = not text.isdecimal() and datetime.fromisoformat(text).tzinfo is None
        except ValueError:
            naive = False
        if not naive:
            return now
        local = datetime.fromisoformat(now).astimezone(self.zone).replace(tzinfo=None)
        separator = "T" if "T" in text else " "
        precision = "milliseconds" if "." in text else "seconds"
        return local.isoformat(separator, precision)


def _parted(value: Json, delimiter: str, *, quoted: bool = False) -> list[str]:
    """The values in a list, or in a text that holds several, once each.

    With `quoted` they are cells of CSV.
    """
    around = delimiter.strip() or delimiter
    items: Sequence[Json]
    if isinstance(value, list):
        items = value
    elif quoted:
        reader = csv.reader([text_of(value)], delimiter=around, skipinitialspace=True)
        items = next(reader, [])
    else:
        items = text_of(value).split(around)
    words: dict[str, None] = {}
    for item in items:
        word = text_of(item).strip()
        if word:
            words[word] = None
    return list(words)


def _listed(text: str) -> Json:
    try:
        value: Json = json.loads(text)
    except ValueError:
        return text
    if isinstance(value, list):
        return value
    return text


def instant(value: Json, zone: ZoneInfo) -> str | None:
    """A time as an ISO 8601 instant in UTC; None for blank.

    Raises ValueError for what is no time.
    """
    text = text_of(value).strip()
    if not text:
        return None
    return _moment(text, zone)


@lru_cache(maxsize=4096)
def _moment(text: str, zone: ZoneInfo) -> str:
    """Asked for the same text several times a row, and the same times stand in many rows."""
    try:
        if _COMPACT.fullmatch(text):
            # It gets its zone below.
            moment = datetime.strptime(text.ljust(14, "0"), "%Y%m%d%H%M%S")  # noqa: DTZ007
        elif text.isdecimal():
            if len(text) < _SHORTEST:
                raise ValueError(text)
            number = int(text)
            seconds = number / 1000 if number >= _MS_FROM else number
            moment = datetime.fromtimestamp(seconds, UTC)
        else:
            moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        moment = moment.astimezone(UTC)
    except (OverflowError, OSError) as error:
        raise ValueError(str(error)) from None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
