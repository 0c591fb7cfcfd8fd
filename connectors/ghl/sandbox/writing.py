"""What a write body does to a contact.

Wire names to attributes, in the forms in which GHL stores them.
"""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connectors.ghl.sandbox.answers import invalid
from connectors.ghl.sandbox.dto import V2_CHANNELS, V3_CHANNELS
from connectors.ghl.sandbox.instants import iso, parse_date, parse_instant
from connectors.ghl.sandbox.nouns import Contact, CustomField, Location, User
from connectors.ghl.sandbox.phones import e164, seeded
from connectors.ghl.sandbox.state import State

TEXTS = {
    "firstName": "first_name",
    "lastName": "last_name",
    "address1": "address1",
    "city": "city",
    "state": "state",
    "postalCode": "postal_code",
    "country": "country",
    "website": "website",
    "timezone": "timezone",
    "source": "source",
    "companyName": "company_name",
    "gender": "gender",
}
CHANNELS = {
    **dict(zip(V3_CHANNELS, V2_CHANNELS, strict=True)),
    **{name: name for name in V2_CHANNELS},
}
LISTS = ("MULTIPLE_OPTIONS", "CHECKBOX", "TEXTBOX_LIST")
NUMBERS = ("NUMERICAL", "MONETORY")
MISSING = object()


@dataclass(frozen=True, slots=True)
class Writer:
    """Turns validated bodies into attribute changes for contacts of one location.

    `lenient` keeps bad phones and dates.
    """

    state: State
    location: Location
    lenient: bool = False

    def changes(self, body: Mapping[str, Any], current: Contact | None = None) -> dict[str, Any]:
        """The attributes that this body sets; null and "" both clear, unless the settings say not.

        Raises Refusal 422 for a value GHL does not take.
        """
        body = {name: value for name, value in body.items() if self.clears(value)}
        changed: dict[str, Any] = {
            attr: body[wire] or None for wire, attr in TEXTS.items() if wire in body
        }
        if "name" in body and "firstName" not in body and "lastName" not in body:
            first, _, last = (body["name"] or "").strip().partition(" ")
            changed.update(first_name=first or None, last_name=last.strip() or None)
        if "email" in body:
            changed["email"] = self._email(body["email"])
        if "phone" in body:
            changed["phone"] = self._phone(body["phone"])
        if "dateOfBirth" in body:
            changed["date_of_birth"] = self._birth(body["dateOfBirth"])
        if "assignedTo" in body:
            changed["assigned_to"] = self.user(body["assignedTo"], "assignedTo")
        if "tags" in body:
            changed["tags"] = self.tags(body["tags"])
        changed.update(self._settings(body, current))
        if body.get("customFields"):
            changed["custom_fields"] = self.custom(
                body["customFields"], current.custom_fields if current else {}
            )
        return changed

    def tags(self, raw: list[str]) -> tuple[str, ...]:
        """Tags as contacts hold them: trimmed, single-spaced, lower-case, once each."""
        if not self.state.settings.normalise_tags:
            return tuple(dict.fromkeys(one for one in raw if one))
        return tuple(
            dict.fromkeys(clean for one in raw if (clean := " ".join(one.split()).lower()))
        )

    def clears(self, value: Any) -> bool:
        """Whether a value is one, or a blank that clears (docs/ghl.md#clearing)."""
        settings = self.state.settings
        if self.lenient or value not in (None, ""):
            return True
        if value is None:
            return settings.null_clears
        return settings.empty_clears

    def text(self, value: str | None) -> str | None:
        """The body of a task or note as it is stored (docs/ghl.md#rich-text)."""
        if value is None or self.lenient or not self.state.settings.wraps_bodies:
            return value
        lines = html.escape(value, quote=False).split("\n")
        return "".join(f"<p>{line}</p>" for line in lines)

    def user(self, user_id: str | None, name: str) -> str | None:
        """A user of this location, where it has users at all; None clears."""
        if not user_id or self.lenient:
            return user_id or None
        users = self.state.store.table(User)
        if users and not (user_id in users and self.location.id in users[user_id].location_ids):
            raise invalid(f"{name} must be a user of the location")
        return user_id

    def _email(self, value: str | None) -> str | None:
        if not value:
            return None
        if self.state.settings.lower_case_email:
            return value.lower()
        return value

    def _phone(self, value: str | None) -> str | None:
        if not value or not value.strip():
            return None
        if self.lenient:
            return seeded(value, self.location.country)
        number = e164(value, self.location.country)
        if number is None:
            raise invalid("phone must be a valid phone number")
        return number

    def _birth(self, value: str | None) -> str | None:
        if not value:
            return None
        day = parse_date(value)
        if day is None and not self.lenient:
            raise invalid("dateOfBirth must be a valid date")
        return day

    def _settings(self, body: Mapping[str, Any], current: Contact | None) -> dict[str, Any]:
        changed: dict[str, Any] = {}
        if "dnd" in body:
            changed["dnd"] = body["dnd"]
        if "dndSettings" in body:
            given = {CHANNELS[name]: dict(value) for name, value in body["dndSettings"].items()}
            changed["dnd_settings"] = self._channels(given, current.dnd_settings if current else {})
        if body.get("dnd") and self.state.settings.dnd_closes_channels:
            changed["dnd_settings"] = {name: {"status": "active"} for name in V2_CHANNELS}
        if "inboundDndSettings" in body:
            changed["inbound_dnd"] = dict(body["inboundDndSettings"])
        return changed

    def _channels(self, given: Mapping[str, Any], current: Mapping[str, Any]) -> dict[str, Any]:
        """The channels after an update.

        A no for good is lifted by the person alone (docs/ghl.md#do-not-disturb).
        """
        lasting = {name: entry for name, entry in current.items() if entry["status"] == "permanent"}
        remaining = {} if self.state.settings.replaces_dnd else current
        return {**remaining, **given, **lasting}

    def custom(self, items: list[Mapping[str, Any]], current: Mapping[str, Any]) -> dict[str, Any]:
        """The custom values by field id after a write of these items."""
        fields = self.state.fields(self.location.id)
        by_key = {field.key: field for field in fields.values()}
        merged = dict(current)
        for at, item in enumerate(items):
            field = _pick(item, fields, by_key)
            value = item.get(
                "fieldValue",
                item.get("field_value", item.get("value", MISSING) if self.lenient else MISSING),
            )
            # An unknown id, an unknown key or a value under another name is not saved, with no word
            # (docs/ghl.md#custom-fields).
            if field is None or value is MISSING or not self.clears(value):
                continue
            stored = _stored(field, value, at)
            merged.pop(field.id, None)
            if stored is not None:
                merged[field.id] = stored
        return merged


def _pick(
    item: Mapping[str, Any], fields: Mapping[str, CustomField], by_key: Mapping[str, CustomField]
) -> CustomField | None:
    if str(item.get("id")) in fields:
        return fields[str(item["id"])]
    # A key is taken with and without the kind in front, and in place of the id.
    key = str(item.get("key") or item.get("id") or "")
    return by_key.get(key) or by_key.get(f"contact.{key}")


def _stored(field: CustomField, value: Any, at: int) -> Any:
    if value is None or value == "" or value == []:
        return None
    if field.data_type in LISTS:
        if isinstance(value, list):
            return [str(one) for one in value]
        if isinstance(value, dict):
            return value
        return [str(value)]
    if field.data_type in NUMBERS:
        return _number(value, at)
    if field.data_type == "DATE":
        return _day(value, at)
    if isinstance(value, (str, dict, list)):
        return value
    return str(value)


def _number(value: Any, at: int) -> float | int:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise invalid(f"customFields.{at}.field_value must be a number") from None
    if isinstance(value, bool) or not math.isfinite(number):
        raise invalid(f"customFields.{at}.field_value must be a number")
    if number.is_integer():
        return int(number)
    return number


def _day(value: Any, at: int) -> str:
    """A custom date loses its time part, with no word (docs/ghl.md#dates)."""
    if isinstance(value, str) and (day := parse_date(value)):
        return day
    instant = parse_instant(value)
    if instant is None:
        raise invalid(f"customFields.{at}.field_value must be a valid date")
    return iso(instant)[:10]
