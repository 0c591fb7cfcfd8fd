"""What a location says of itself: settings, custom fields, users."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from connectors.ghl.api import Api
from connectors.ghl.contacts import member
from reconcile.entities import OWNER, Entity
from reconcile.errors import Forbidden, InvalidField, Malformed, NotFound
from reconcile.ports import FieldInfo
from reconcile.ports import FieldType as Type

TYPES: Mapping[str, Type] = {
    "TEXT": "text",
    "LARGE_TEXT": "text",
    "NUMERICAL": "decimal",
    "MONETORY": "decimal",
    "MONETARY": "decimal",
    "PHONE": "phone",
    "EMAIL": "email",
    "DATE": "date",
    "SINGLE_OPTIONS": "choice",
    "RADIO": "choice",
    "MULTIPLE_OPTIONS": "json",
    "CHECKBOX": "json",
    "TEXTBOX_LIST": "json",
    "FILE_UPLOAD": "json",
    "SIGNATURE": "json",
}
"""GHL's dataType to a field type; MONETORY is GHL's own spelling.

A type that is not listed is read as text.
"""

_USER_PAGE = 100
_MOST_USER_PAGES = 100

_READ_ONLY = frozenset({"FILE_UPLOAD", "SIGNATURE"})


@dataclass(frozen=True, slots=True)
class CustomField:
    """A custom field of one kind of record: `key` is "contact.xyz"."""

    id: str
    key: str
    info: FieldInfo
    entity: Entity


def custom_fields(api: Api, *entities: Entity) -> list[CustomField]:
    """All custom fields of these kinds, of contacts unless told, in one request."""
    kinds = entities or (OWNER,)
    model = "all"
    if len(kinds) == 1:
        model = kinds[0].value
    # In each run: a write under an unknown id is taken and not saved (docs/ghl.md#custom-fields).
    items = api.call("field.list", params={"model": model}).json().get("customFields") or []
    fields = []
    for item in items:
        if not isinstance(item, dict):
            continue
        kind = item.get("model") or kinds[0]
        fields += [_custom(item, entity) for entity in kinds if entity == kind]
    return fields


def _custom(item: Mapping[str, Any], entity: Entity) -> CustomField:
    kind = str(item.get("dataType") or "TEXT").upper()
    choices = tuple(_choice(option) for option in item.get("picklistOptions") or [])
    info = FieldInfo(
        TYPES.get(kind, "text"),
        writable=kind not in _READ_ONLY,
        label=str(item.get("name") or ""),
        choices=choices,
    )
    if not item.get("id"):
        members = ", ".join(sorted(item)[:5]) or "nothing"
        raise Malformed(f"expected a custom field with an id, found one with {members}")
    key = str(item["id"])
    return CustomField(key, str(item.get("fieldKey") or key), info, entity)


def _choice(option: Any) -> str:
    if isinstance(option, dict):
        return str(option.get("name") or option.get("value") or option.get("label"))
    return str(option)


def location(api: Api) -> dict[str, Any]:
    """The location with its settings: timezone, country, settings.allowDuplicateContact."""
    return member(api.call("location.get").json(), "location")


@dataclass(frozen=True, slots=True)
class User:
    """Somebody whom the location's records may belong to."""

    id: str
    email: str


def users(api: Api, company: str | None = None) -> list[User] | None:
    """The location's users; None where the token may not list them (users.readonly is optional)."""
    try:
        listed = list(_listed_users(api, company))
    except (Forbidden, NotFound):
        return None
    except InvalidField as error:
        if error.code not in ("ROUTE", "UNNAMED"):
            raise
        return None  # the list is a help alone, and GHL is taking it away (docs/ghl.md#location)
    return [
        User(str(each["id"]), str(each.get("email") or ""))
        for each in listed
        if isinstance(each, dict) and each.get("id") and each.get("deleted") is not True
    ]


def _listed_users(api: Api, company: str | None) -> Iterator[Any]:
    """Each user as GHL tells them: v2 lists all at once, v3 searches a page at a time."""
    params: dict[str, str | int] = {"locationId": api.location}
    if api.dialect.version != "v3":
        yield from api.call("user.list", params=params).json().get("users") or []
        return
    if company:
        params["companyId"] = company
    for page in range(_MOST_USER_PAGES):
        params |= {"skip": page * _USER_PAGE, "limit": _USER_PAGE}
        listed = api.call("user.list", params=params).json().get("users") or []
        yield from listed
        if len(listed) < _USER_PAGE:
            return
