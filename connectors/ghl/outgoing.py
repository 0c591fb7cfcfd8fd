"""A Write's native fields as the body that GHL accepts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connectors.ghl import consents
from connectors.ghl.entities import GHL
from reconcile.errors import InvalidField
from reconcile.model import Entity, OpKind
from reconcile.ports import Json, Write

LINKED = "businessId"
"""Not in any contact body: it is set through the bulk business endpoint (docs/ghl.md#contacts)."""


@dataclass(frozen=True, slots=True)
class Spelling:
    """How this location wants a body spelled.

    Custom field key to id, the key of a custom value, what clears a field.

    `read_only` are the keys of the custom fields that take no plain value: files and signatures.
    """

    custom: Mapping[str, str]
    custom_value: str
    clear: Json = None
    read_only: frozenset[str] = frozenset()
    version: str = ""
    whole_dnd: bool = True


def body_of(
    write: Write, spelling: Spelling, current: Mapping[str, Any] | None = None
) -> dict[str, Json]:
    """The fields that a create or update sends, without the business link.

    `current` is the contact as it is, where one of its consents is written. Raises InvalidField for
    a field that this operation can never set, naming the field.
    """
    creating = write.kind is OpKind.CREATE
    channels = consents.written(write.fields)
    body = consents.members(channels, spelling.version, current or {}, whole=spelling.whole_dnd)
    custom: list[Json] = []
    for name, value in write.fields.items():
        if name == LINKED or name in consents.INFO or (creating and value is None):
            continue
        _check(write, name, spelling)
        if name in spelling.custom:
            cleared = spelling.clear if value is None else value
            custom.append({"id": spelling.custom[name], spelling.custom_value: cleared})
            continue
        known = GHL[write.entity].info.get(name)
        if value is None:
            value = _cleared(write.entity, name, spelling)
        elif known and known.type == "decimal":
            value = _number(value)
        body[name] = value
    if custom:
        body["customFields"] = custom
    return body


def _number(value: Json) -> Json:
    """A decimal as the number that GHL asks for; what is none, GHL refuses."""
    number = value
    if isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            return value
    if isinstance(number, float) and number.is_integer():
        return int(number)
    return number


def _cleared(entity: Entity, name: str, spelling: Spelling) -> Json:
    if name in GHL[entity].unnulled:
        return ""
    return spelling.clear


def _check(write: Write, name: str, spelling: Spelling) -> None:
    known = GHL[write.entity].info.get(name)
    updating = write.kind is not OpKind.CREATE
    if name in spelling.read_only or (known is not None and not known.writable):
        raise InvalidField(
            f"GHL does not let {name} be written",
            remedy="map it one way, from GHL",
            code="READ_ONLY",
        )
    if updating and name in GHL[write.entity].create_only:
        raise InvalidField(
            f"GHL sets {name} only when {write.entity.indefinite} is created",
            remedy="map it one way, from GHL",
            code="CREATE_ONLY",
        )
    if updating and known is not None and known.type == "tags":
        raise InvalidField(
            "an update never carries tags: GHL would replace them all",
            remedy="plan ADD_TAGS and REMOVE_TAGS",
            code="TAGS",
        )
