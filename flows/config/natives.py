"""What GHL's own fields hold, so that the short form of a field is right and a misspelt one is found before any request."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.ghl.shapes import FIELD_INFO
from reconcile.model import Entity, Side
from reconcile.ports import FieldInfo, FieldType

CUSTOM = "contact."
"""What the key of a contact's custom field begins with."""

_BY_NAME: Mapping[tuple[Entity, str], str] = {
    (Entity.CONTACT, "firstName"): "name",
    (Entity.CONTACT, "lastName"): "name",
    (Entity.CONTACT, "name"): "name",
    (Entity.CONTACT, "additionalEmails"): "set",
    (Entity.CONTACT, "additionalPhones"): "set",
    # GHL's editor stores both as HTML, its API takes plain text (facts.md section 6: help centre).
    (Entity.TASK, "body"): "html",
    (Entity.NOTE, "body"): "html",
}
_BY_TYPE: Mapping[FieldType, str] = {
    "email": "email",
    "phone": "phone",
    "date": "date",
    "instant": "instant",
    "decimal": "decimal",
    "integer": "decimal",
    "bool": "bool",
    "tags": "tags",
}
CONSENT = frozenset({"dnd"})
"""Fields of a contact that say "do not disturb" with true; `dndSettings`, by channel, can not be mapped."""
_FURTHER = {"email": "additionalEmails", "phone": "additionalPhones"}
_MODIFIED = frozenset({Entity.CONTACT, Entity.TASK})


def known(entity: Entity) -> Mapping[str, FieldInfo]:
    """GHL's standard fields of an entity."""
    return FIELD_INFO[entity]


def is_custom(entity: Entity, native: str) -> bool:
    """Whether `native` is the key of a custom field; which ones exist, only the location knows."""
    return entity is Entity.CONTACT and native.startswith(CUSTOM) and len(native) > len(CUSTOM)


def is_consent(entity: Entity, native: tuple[str, ...]) -> bool:
    """Whether a field says that a person does not want to be written to."""
    return entity is Entity.CONTACT and not CONSENT.isdisjoint(native)


def default_codec(entity: Entity, native: str) -> str:
    """The codec of a GHL field where the pair file names none."""
    if (by_name := _BY_NAME.get((entity, native))) is not None:
        return by_name
    info = known(entity).get(native)
    return _BY_TYPE.get(info.type, "text") if info else "text"


def further(entity: Entity, native: str) -> tuple[str, ...]:
    """The field that holds further values of the same kind: they are readable, never writable (facts.md section 6)."""
    name = _FURTHER.get(native) if entity is Entity.CONTACT else None
    return (name,) if name else ()


def dated(entity: Entity, side: Side, modified_at: str | None) -> bool:
    """Whether a side tells when a record changed; GHL's notes do not (facts.md section 1.4)."""
    return entity in _MODIFIED if side is Side.GHL else modified_at is not None
