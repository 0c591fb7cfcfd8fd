"""What the columns of one entity mean: rows as lines and as Records, and the reasons why a row is none."""

from __future__ import annotations

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
        named = (own.key, own.parent, own.modified_at, own.version, own.deleted, own.tags)
        return tuple(name for name in named if name is not None)

    @property
    def shape(self) -> Shape:
        """A flat object a line."""
        own, label = self.settings, self.label
        shown = [*self.names, *([TAGS] if own.tags else [])]
        return Shape(
            key=((label("key"),),),
            fields={name: ((name,),) for name in shown},
            parent=((label("parent"),),) if own.parent else (),
            version=((label("version"),),) if self.version else (),
            modified_at=((label("modified_at"),),) if own.modified_at else (),
            deleted=((label("deleted"),),) if own.deleted else (),
        )

    def described(self) -> dict[str, FieldInfo]:
        """What there is to say of each native field: files tell no types."""
        own = {self.settings.parent, self.settings.modified_at, self.version, self.settings.deleted}
        described = {name: FieldInfo(writable=name not in own, label=name) for name in self.names}
        return described | ({TAGS: FieldInfo("tags", label=TAGS)} if self.settings.tags else {})

    def key_of(self, values: Values) -> str:
        """The key of a row, "" where it has none."""
        return text_of(values.get(self.settings.key)).strip()

    def fault(self, values: Values) -> str:
        """Why a row is no record, "" where it is one."""
        own = self.settings
        if not self.key_of(values):
            return f"it has no {own.key}, the key"
        if own.modified_at is not None:
            try:
                instant(values.get(own.modified_at), self.zone)
            except ValueError:
                return f"{own.modified_at} holds no time (expected ISO 8601, such as 2026-01-31T09:00:00Z)"
        return ""

    def record(self, values: Values) -> Record:
        """A row without fault as a Record."""
        own = self.settings
        fields: dict[str, Json] = {name: values.get(name) for name in self.names}
        if own.tags:
            fields[TAGS] = list(self.tags_of(values))
        version = values.get(self.version) if self.version else None
        return Record(
            key=self.key_of(values),
            fields=fields,
            parent=self._parent(values),
            version=None if version in (None, "") else text_of(version),
            modified_at=instant(values.get(own.modified_at), self.zone)
            if own.modified_at
            else None,
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

    def _parent(self, values: Values) -> str | None:
        return (
            text_of(values.get(self.settings.parent)).strip() or None
            if self.settings.parent
            else None
        )

    def is_deleted(self, values: Values) -> bool:
        """Whether a row is marked as deleted."""
        return self.settings.deleted is not None and says_deleted(
            text_of(values.get(self.settings.deleted))
        )

    def tags_of(self, values: Values) -> list[str]:
        """A row's tags: a list, a JSON list as text, or words around the delimiter."""
        held = values.get(str(self.settings.tags))
        if isinstance(held, str) and held.lstrip().startswith("["):
            held = _listed(held)
        words = (
            held if isinstance(held, list) else text_of(held).split(self.settings.tags_delimiter)
        )
        return list(dict.fromkeys(word for item in words if (word := text_of(item).strip())))

    def stored_tags(self, tags: Sequence[str], before: Json, *, listed: bool) -> Json:
        """Tags in the form in which the row had them. Raises UnfitError for one that holds the delimiter."""
        if isinstance(before, list) or (listed and before is None):
            return list(tags)
        if isinstance(before, str) and isinstance(_listed(before), list):
            return json.dumps(list(tags), ensure_ascii=False)
        if any(self.settings.tags_delimiter in tag for tag in tags):
            raise UnfitError(
                f'{TAGS}: a tag holds "{self.settings.tags_delimiter}", which stands between tags here'
            )
        return self.settings.tags_delimiter.join(tags) or None

    def stamp(self, now: str, like: Json) -> str:
        """The instant `now` in the form of an earlier value of its column: in the local zone where that names none."""
        text = text_of(like)
        try:
            naive = not text.isdecimal() and datetime.fromisoformat(text).tzinfo is None
        except ValueError:
            naive = False
        if not naive:
            return now
        local = datetime.fromisoformat(now).astimezone(self.zone).replace(tzinfo=None)
        return local.isoformat(
            sep="T" if "T" in text else " ", timespec="milliseconds" if "." in text else "seconds"
        )


def _listed(text: str) -> Json:
    try:
        held: Json = json.loads(text)
    except ValueError:
        return text
    return held if isinstance(held, list) else text


def instant(value: Json, zone: ZoneInfo) -> str | None:
    """A time as an ISO 8601 instant in UTC; None for blank. Raises ValueError for what is no time."""
    text = text_of(value).strip()
    return _moment(text, zone) if text else None


@lru_cache(maxsize=4096)
def _moment(text: str, zone: ZoneInfo) -> str:
    """Asked for the same text several times a row, and the same times stand in many rows."""
    try:
        if _COMPACT.fullmatch(text):
            moment = datetime.strptime(text.ljust(14, "0"), "%Y%m%d%H%M%S")  # noqa: DTZ007 - it gets its zone below
        elif text.isdecimal():
            if len(text) < _SHORTEST:
                raise ValueError(text)
            number = int(text)
            moment = datetime.fromtimestamp(number / 1000 if number >= _MS_FROM else number, UTC)
        else:
            moment = datetime.fromisoformat(text)
        moment = (moment.replace(tzinfo=zone) if moment.tzinfo is None else moment).astimezone(UTC)
    except (OverflowError, OSError) as error:
        raise ValueError(str(error)) from None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
