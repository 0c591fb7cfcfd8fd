"""What GHL's own fields hold, so that the short form of a field is right.

A misspelt field is found before any request.
"""

from __future__ import annotations

from collections.abc import Mapping as Map

from connectors.ghl.entities import GHL
from reconcile.model import Entity, Side
from reconcile.ports import FieldInfo, FieldType
from reconcile.values.mapping import Mapping
from reconcile.values.references import CompanyName

_BY_TYPE: Map[FieldType, str] = {
    "email": "email",
    "phone": "phone",
    "date": "date",
    "instant": "instant",
    "decimal": "decimal",
    "integer": "decimal",
    "bool": "bool",
    "tags": "tags",
}


def known(entity: Entity) -> Map[str, FieldInfo]:
    """GHL's standard fields of an entity."""
    return GHL[entity].info


def is_custom(entity: Entity, native: str) -> bool:
    """Whether `native` is the key of a custom field; which ones exist, only the location knows."""
    head, _, key = native.partition(".")
    return GHL[entity].custom and head == entity and bool(key)


def is_consent(entity: Entity, native: tuple[str, ...]) -> bool:
    """Whether a field says if a person may be written to."""
    return not GHL[entity].consent.isdisjoint(native)


ASSIGNED = "assignedTo"
"""GHL's field for whom a record is assigned to; the author of a note is another matter."""


def is_owner(entity: Entity, native: tuple[str, ...]) -> bool:
    """Whether a field holds the id of one of the location's users."""
    return not GHL[entity].owners.isdisjoint(native)


def linked(entity: Entity, native: tuple[str, ...]) -> Entity | None:
    """Of which kind the record is whose id a field holds; None where it holds none."""
    kinds = [GHL[entity].links[name] for name in native if name in GHL[entity].links]
    return kinds[0] if kinds else None


def named(mapping: Mapping) -> set[Entity]:
    """The kinds whose records are named by what GHL calls them."""
    return {
        kind
        for one in mapping.entities
        for field in one.fields
        if isinstance(field.codec, CompanyName)
        if (kind := linked(one.entity, field.ghl)) is not None
    }


def consents(entity: Entity) -> list[str]:
    """GHL's fields that say so."""
    return sorted(GHL[entity].consent)


def default_codec(entity: Entity, native: str) -> str:
    """The codec of a GHL field where the pair file names none."""
    if (by_name := GHL[entity].codecs.get(native)) is not None:
        return by_name
    info = known(entity).get(native)
    if not info:
        return "text"
    return _BY_TYPE.get(info.type, "text")


def further(entity: Entity, native: str) -> tuple[str, ...]:
    """The field that holds further values of the same kind.

    They are readable, never writable (docs/ghl.md#phones-and-emails).
    """
    name = GHL[entity].further.get(native)
    if not name:
        return ()
    return (name,)


def dated(entity: Entity, side: Side, modified_at: str | None) -> bool:
    """Whether a side tells when a record changed; GHL's notes do not (docs/ghl.md#notes)."""
    if side is Side.GHL:
        return GHL[entity].dated
    return modified_at is not None
