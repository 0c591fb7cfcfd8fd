"""Records that a create in doubt may have made, found without writing."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from connectors.ghl import children, contacts, located
from connectors.ghl.api import Api
from connectors.ghl.entities import GHL
from connectors.ghl.lines import Row
from connectors.ghl.shapes import record
from reconcile.errors import InvalidField
from reconcile.model import Entity
from reconcile.ports import Json, Record, Shape, Write
from reconcile.values import markup

_ADDED = "dateAdded"

SKEW_SECONDS = 120.0
"""How far GHL's clock may be from ours, and how long a slow create may take."""


class Finder:
    """Looks for what a Write may have made.

    `clock` gives epoch seconds; the search index trails by at most `lag_seconds`.
    """

    def __init__(
        self,
        api: Api,
        *,
        shapes: Callable[[Entity], Shape],
        clock: Callable[[], float],
        sleep: Callable[[float], None] = time.sleep,
        lag_seconds: float = 0.0,
    ) -> None:
        self._api = api
        self._sleep = sleep
        self._lag_seconds = lag_seconds
        self._indexed = False
        self._shapes = shapes
        self._clock = clock
        self._ours: set[str] = set()

    def claim(self, key: str) -> None:
        """Note that a record was made by another write: it is not what this one may have made."""
        self._ours.add(key)

    def stirred(self) -> None:
        """Note that something is about to be written, which the search index will show later."""
        self._indexed = False

    def look(self, write: Write) -> Sequence[Record]:
        """Contacts with the write's email or phone (its name where it has neither).

        What hangs on a contact is what has its content.

        By name alone, and for what is kept apart, GHL has but its search, whose index trails, as a
        list may: what is not found at once is looked for once more after that.
        """
        records = self._candidates(write)
        if not records and not self._indexed and _in_an_index(write):
            self._sleep(self._lag_seconds)
            self._indexed = True
            records = self._candidates(write)
        return records

    def _candidates(self, write: Write) -> Sequence[Record]:
        if write.entity.spec.set_of:
            raise InvalidField(
                f"there is no {write.entity} to look for", remedy="this is a fault of the plan"
            )
        kind = GHL[write.entity]
        if kind.listed:
            pages = located.every(self._api, write.entity)
            rows = [row for page in pages for row in page]
            return self._same(write, rows, kind.content)
        if not write.entity.parent:
            return self._contacts(write)
        if not write.parent:
            return []
        there = children.of_contact(self._api, write.entity, write.parent)
        return self._same(write, there, kind.content)

    def created_by(self, write: Write) -> tuple[Sequence[Record], bool]:
        """What `look` finds that no other write made and that is not older.

        It also gives whether GHL says that it is new.
        """
        oldest = self._clock() - SKEW_SECONDS
        young = []
        dated = True
        for item in self._candidates(write):
            if item.key in self._ours:
                continue
            added = _added(item)
            dated = dated and added is not None
            if added is None or added >= oldest:
                young.append(item)
        return young, dated

    def _contacts(self, write: Write) -> list[Record]:
        email = _text(write.fields.get("email"))
        phone = _text(write.fields.get("phone"))
        name = _name(write)
        items: list[dict[str, Any] | None] = []
        if email:
            items.append(contacts.duplicate(self._api, email=email))
        if phone:
            items.append(contacts.duplicate(self._api, number=phone))
        if name and not email and not phone:
            items += [item for item in contacts.find(self._api, name) if _same_name(item, name)]
        shape = self._dated(write.entity)
        records = [record(item, shape) for item in items if item is not None]
        by_key = {item.key: item for item in records}  # email and phone may lead to the same one
        return list(by_key.values())

    def _same(self, write: Write, rows: Sequence[Row], names: tuple[str, ...]) -> list[Record]:
        shape = self._dated(write.entity)
        texts = {name: plain(write.fields.get(name)) for name in names}
        wanted = {name: text for name, text in texts.items() if text}
        matches: list[Record] = []
        if not wanted:  # a create of nothing would be found in every record
            return matches
        for row in rows:
            item: dict[str, Any] = msgspec.json.decode(row.raw)
            if all(plain(item.get(name)) == text for name, text in wanted.items()):
                matches.append(record(item, shape, parent=write.parent))
        return matches

    def _dated(self, entity: Entity) -> Shape:
        shape = self._shapes(entity)
        added = ((GHL[entity].added,),)
        return dataclasses.replace(shape, fields={**shape.fields, _ADDED: added})


def _added(candidate: Record) -> float | None:
    """When the record was added, epoch seconds.

    None where GHL does not say, as for a contact's tasks.
    """
    added = candidate.fields.get(_ADDED)
    if not isinstance(added, str):
        return None
    try:
        moment = datetime.fromisoformat(added)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp()


def plain(value: Json) -> str:
    """A text without markup and with single spaces, as the codec reads it.

    GHL's editor wraps bodies in HTML (docs/ghl.md#rich-text).
    """
    return " ".join(markup.plain(str(value or "")).split())


def _in_an_index(write: Write) -> bool:
    """Whether what it may have made is shown by an index alone, which may trail."""
    if write.entity.parent:
        return GHL[write.entity].apart
    return bool(GHL[write.entity].listed) or _by_name_alone(write)


def _by_name_alone(write: Write) -> bool:
    if _text(write.fields.get("email")) or _text(write.fields.get("phone")):
        return False
    return _name(write) is not None


def _text(value: Json) -> str | None:
    if isinstance(value, str) and value.strip():
        return value
    return None


def _name(write: Write) -> str | None:
    parts = [_text(write.fields.get(part)) for part in ("firstName", "lastName")]
    both = " ".join(part for part in parts if part)
    return _text(write.fields.get("name")) or _text(both)


def _same_name(item: dict[str, Any], name: str) -> bool:
    # Without "Raw" they are in lower case in some answers (docs/ghl.md#names).
    first = item.get("firstNameRaw") or item.get("firstName") or ""
    last = item.get("lastNameRaw") or item.get("lastName") or ""
    stated = (item.get("name"), item.get("contactName"), f"{first} {last}".strip())
    return name.casefold() in {str(text or "").casefold() for text in stated}
