"""GHL's many shapes of one record, as paths for DuckDB and as the same reading in Python.

Search, GET, list, write reply, webhook and v3 differ in names and casing (facts.md sections 1.2, 1.3, 6): each field
lists its paths in order of preference, and the first value that is not null wins.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from reconcile.errors import InvalidField, Malformed
from reconcile.model import Entity
from reconcile.ports import FieldInfo, Item, Json, Path, Record, Shape


def _one(*names: str) -> tuple[Path, ...]:
    return tuple((name,) for name in names)


_CONTACT: dict[str, tuple[Path, ...]] = {
    # Lists and create replies lower-case the names and keep the original in *Raw (facts.md section 6: observed).
    "firstName": _one("firstNameRaw", "firstName", "first_name"),
    "lastName": _one("lastNameRaw", "lastName", "last_name"),
    "name": _one("name", "contactName", "fullName"),
    "email": _one("email"),
    "phone": _one("phone"),
    "address1": _one("address1", "address"),
    "city": _one("city"),
    "state": _one("state"),
    "postalCode": _one("postalCode"),
    "country": _one("country"),
    "website": _one("website"),
    "timezone": _one("timezone"),
    "companyName": _one("companyName"),
    "source": _one("source"),
    "dateOfBirth": _one("dateOfBirth"),
    "gender": _one("gender"),
    "assignedTo": _one("assignedTo"),
    "dnd": _one("dnd"),
    "tags": _one("tags"),
    "businessId": _one("businessId"),
    "additionalEmails": _one("additionalEmails"),
    "additionalPhones": _one("additionalPhones"),
    "dateAdded": _one("dateAdded"),
}
_TASK: dict[str, tuple[Path, ...]] = {
    name: _one(name)
    for name in ("title", "body", "dueDate", "completed", "assignedTo", "dateAdded")
}
_NOTE: dict[str, tuple[Path, ...]] = {
    name: _one(name) for name in ("body", "title", "userId", "color", "pinned", "dateAdded")
}
NATIVE: Mapping[Entity, Mapping[str, tuple[Path, ...]]] = {
    Entity.CONTACT: _CONTACT,
    Entity.TASK: _TASK,
    Entity.NOTE: _NOTE,
}

FIELD_INFO: Mapping[Entity, Mapping[str, FieldInfo]] = {
    Entity.CONTACT: {
        "firstName": FieldInfo(label="First name"),
        "lastName": FieldInfo(label="Last name"),
        "name": FieldInfo(label="Name"),
        "email": FieldInfo("email", label="Email"),
        "phone": FieldInfo("phone", label="Phone"),
        "address1": FieldInfo(label="Street"),
        "city": FieldInfo(label="City"),
        "state": FieldInfo(label="State"),
        # postalCode, country, companyName are not nullable in the PUT document (facts.md section 6).
        "postalCode": FieldInfo(clearable=False, label="Postal code"),
        "country": FieldInfo(clearable=False, label="Country"),
        "website": FieldInfo(label="Website"),
        "companyName": FieldInfo(clearable=False, label="Company"),
        "source": FieldInfo(label="Source"),
        "dateOfBirth": FieldInfo("date", label="Date of birth"),
        "assignedTo": FieldInfo("choice", label="Assigned to"),
        "dnd": FieldInfo("bool", clearable=False, label="Do not disturb"),
        "tags": FieldInfo("tags", label="Tags"),
        "businessId": FieldInfo(label="Business"),
        "additionalEmails": FieldInfo(
            "json", writable=False, clearable=False, label="Secondary emails"
        ),
        "additionalPhones": FieldInfo(
            "json", writable=False, clearable=False, label="Secondary phones"
        ),
        "dateAdded": FieldInfo("instant", writable=False, clearable=False, label="Added"),
    },
    Entity.TASK: {
        "title": FieldInfo(clearable=False, label="Title"),
        "body": FieldInfo(label="Body"),
        "dueDate": FieldInfo("instant", clearable=False, label="Due"),
        "completed": FieldInfo("bool", clearable=False, label="Completed"),
        "assignedTo": FieldInfo("choice", label="Assigned to"),
        "dateAdded": FieldInfo("instant", writable=False, clearable=False, label="Added"),
    },
    Entity.NOTE: {
        "body": FieldInfo(clearable=False, label="Body"),
        "title": FieldInfo(label="Title"),
        "userId": FieldInfo("choice", label="Author"),
        "color": FieldInfo(label="Colour"),
        "pinned": FieldInfo("bool", clearable=False, label="Pinned"),
        "dateAdded": FieldInfo("instant", writable=False, clearable=False, label="Added"),
    },
}

UNREAD: Mapping[str, str] = {
    "timezone": "GHL's search, by which contacts are read, does not carry it (facts.md section 1.2: observed)",
    "gender": "GHL takes it only when a contact is created, and its search was not seen to carry it",
}
"""Fields of a contact that a bulk read does not show: mapped, each would be taken for one that somebody cleared."""

CREATE_ONLY = frozenset({"gender"})
_CUSTOM_VALUES = ("value", "fieldValue", "field_value")


def custom_paths(field_id: str) -> tuple[Path, ...]:
    """Where a custom field's value lies: reads say `value`, some writes' replies say fieldValue or field_value."""
    return tuple(("customFields", Item("id", field_id), name) for name in _CUSTOM_VALUES)


def shape_of(entity: Entity, names: Iterable[str], custom: Mapping[str, str]) -> Shape:
    """The Shape of `names`; `custom` maps a custom field's key ("contact.xyz") to its id.

    Raises InvalidField for a name that is neither, with the nearest ones that exist.
    """
    fields = {name: _paths(entity, name, custom) for name in names}
    key = _one("id", "_id")
    if entity is Entity.CONTACT:
        updated = _one("dateUpdated")
        return Shape(key, fields, version=updated, modified_at=updated, deleted=_one("deleted"))
    # Only tasks/search carries a task's dateUpdated: it dates the row but cannot guard a write against a GET.
    modified_at = _one("dateUpdated") if entity is Entity.TASK else ()
    return Shape(
        key, fields, parent=_one("contactId"), modified_at=modified_at, deleted=_one("deleted")
    )


def _paths(entity: Entity, name: str, custom: Mapping[str, str]) -> tuple[Path, ...]:
    if name in NATIVE[entity]:
        return NATIVE[entity][name]
    if entity is Entity.CONTACT and name in custom:
        return custom_paths(custom[name])
    known = [*NATIVE[entity], *(custom if entity is Entity.CONTACT else ())]
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    raise InvalidField(
        f"GHL has no {entity} field {name!r}"
        + (f"; near matches: {', '.join(near)}" if near else ""),
        remedy="name a field that `doctor` lists, or create the custom field in GHL first",
        code="UNKNOWN_FIELD",
    )


def record(found: Mapping[str, Any], shape: Shape, *, parent: str | None = None) -> Record:
    """One JSON object in any of GHL's shapes as a Record: the twin of what DuckDB does with a Shape.

    `parent` stands in where the object does not name its contact. Raises Malformed for an object without a key.
    """
    key = _first(found, shape.key)
    if not isinstance(key, str) or not key:
        raise Malformed(
            f"expected a record with an id, found one with {', '.join(sorted(found)[:5]) or 'nothing'}"
        )
    stated = _first(found, shape.parent)
    version = _first(found, shape.version)
    return Record(
        key=key,
        fields={name: _first(found, paths) for name, paths in shape.fields.items()},
        parent=stated if isinstance(stated, str) else parent,
        version=None if version is None else str(version),
        modified_at=instant(_first(found, shape.modified_at)),
        deleted=_first(found, shape.deleted) is True,
    )


def instant(value: Json) -> str | None:
    """A time as ISO 8601: text as it is, epoch milliseconds converted."""
    if isinstance(value, str) or value is None:
        return value or None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return (
            datetime.fromtimestamp(value / 1000, UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z")
        )
    return None


def _first(found: Any, paths: Iterable[Path]) -> Json:
    for path in paths:
        value: Json = _walk(found, path)
        if value is not None:
            return value
    return None


def _walk(value: Any, path: Path) -> Any:
    for step in path:
        if isinstance(step, Item):
            items = value if isinstance(value, list) else []
            value = next(
                (
                    item
                    for item in items
                    if isinstance(item, dict) and item.get(step.where) == step.equals
                ),
                None,
            )
        else:
            value = value.get(step) if isinstance(value, dict) else None
        if value is None:
            return None
    return value
