"""Request bodies as GHL's validator takes them.

Unknown property, missing, wrong type or null each give their message.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from connectors.ghl.sandbox.instants import parse_instant

Type = Literal[
    "string",
    "boolean",
    "number",
    "strings",
    "email",
    "instant",
    "object",
    "objects",
    "any",
    "dnd",
    "inbound",
]
EMAIL = re.compile(r"^[^@\s,;<>()\[\]\\\"]+@[^@\s.,;]+(\.[^@\s.,;]+)+$")
STATUSES = ("active", "inactive", "permanent")
V2_CHANNELS = ("Call", "Email", "SMS", "WhatsApp", "GMB", "FB")
V3_CHANNELS = ("call", "email", "sms", "whatsApp", "gmb", "fb")


@dataclass(frozen=True, slots=True)
class Prop:
    """One property: its type, whether it must be there, whether it may be null."""

    type: Type = "string"
    required: bool = False
    nullable: bool = False


Dto: TypeAlias = Mapping[str, Prop]
TEXT, TEXT_OR_NULL, NEEDED = Prop(), Prop(nullable=True), Prop(required=True)

PERSON: Dto = {
    **dict.fromkeys(
        (
            "firstName",
            "lastName",
            "name",
            "phone",
            "address1",
            "city",
            "state",
            "website",
            "timezone",
            "dateOfBirth",
        ),
        TEXT_OR_NULL,
    ),
    "email": Prop("email", nullable=True),
    "postalCode": TEXT,
    "country": TEXT,
    "dnd": Prop("boolean"),
    "dndSettings": Prop("dnd"),
    "inboundDndSettings": Prop("inbound"),
    "tags": Prop("strings"),
    "customFields": Prop("objects"),
    "source": TEXT,
    "assignedTo": TEXT,
}
CREATE_CONTACT: Dto = {**PERSON, "locationId": NEEDED, "gender": TEXT, "companyName": TEXT_OR_NULL}
UPSERT_CONTACT: Dto = {**CREATE_CONTACT, "createNewIfDuplicateAllowed": Prop("boolean")}
# companyName is not in the published DTO of PUT, yet it works there (docs/ghl.md#contacts).
UPDATE_CONTACT: Dto = {
    **PERSON,
    **dict.fromkeys(("source", "assignedTo", "companyName"), TEXT_OR_NULL),
}
SEARCH: Dto = {
    "locationId": NEEDED,
    "pageLimit": Prop("number", required=True),
    "page": Prop("number"),
    "searchAfter": Prop("any"),
    "filters": Prop("objects"),
    "sort": Prop("objects"),
    "query": TEXT,
    # The wrong cursor keys are taken and ignored: the first page again, with 200
    # (docs/ghl.md#search).
    "startAfter": Prop("any"),
    "startAfterId": Prop("any"),
}
BULK_TAGS: Dto = {
    "contacts": Prop("strings", required=True),
    "tags": Prop("strings", required=True),
    "locationId": NEEDED,
    "removeAllTags": Prop("boolean"),
}
BULK_BUSINESS: Dto = {
    "locationId": NEEDED,
    "ids": Prop("strings", required=True),
    "businessId": Prop(required=True, nullable=True),
}
TAGS: Dto = {"tags": Prop("strings", required=True)}
TAG: Dto = {"name": NEEDED}
CREATE_TASK: Dto = {
    "title": NEEDED,
    "dueDate": Prop("instant", required=True),
    "completed": Prop("boolean", required=True),
    "body": TEXT,
    "assignedTo": TEXT_OR_NULL,
}
UPDATE_TASK: Dto = {
    "title": TEXT,
    "dueDate": Prop("instant"),
    "completed": Prop("boolean"),
    "body": TEXT,
    # Not nullable in the DTO; null unassigns in practice (docs/ghl.md#clearing).
    "assignedTo": TEXT_OR_NULL,
}
COMPLETE_TASK: Dto = {"completed": Prop("boolean", required=True)}
SEARCH_TASKS: Dto = {
    "contactId": Prop("strings"),
    "completed": Prop("boolean"),
    "assignedTo": Prop("strings"),
    "query": TEXT,
    "limit": Prop("number"),
    "skip": Prop("number"),
    "businessId": TEXT,
    # In use, though not in the published DTO (docs/ghl.md#tasks).
    "count": Prop("boolean"),
    "overdue": Prop("boolean"),
    "dueDate": Prop("object"),
    "sortKey": TEXT,
    "sortDirection": Prop("any"),
}
NOTE: Dto = {"userId": TEXT, "body": TEXT, "title": TEXT, "color": TEXT, "pinned": Prop("boolean")}
CREATE_NOTE: Dto = {**NOTE, "body": NEEDED}
UPDATE_OPPORTUNITY: Dto = {
    **dict.fromkeys(("pipelineId", "name", "pipelineStageId", "status", "assignedTo"), TEXT),
    "monetaryValue": Prop("number"),
    "customFields": Prop("objects"),
}
CREATE_OPPORTUNITY: Dto = {
    **UPDATE_OPPORTUNITY,
    **dict.fromkeys(("pipelineId", "locationId", "name", "status", "contactId"), NEEDED),
}
OPPORTUNITY_STATUS: Dto = {"status": NEEDED, "lostReasonId": TEXT}
SEARCH_OPPORTUNITIES: Dto = {
    "locationId": NEEDED,
    "limit": Prop("number", required=True),
    "query": TEXT,
    "page": Prop("number"),
    "searchAfter": Prop("any"),
    "additionalDetails": Prop("object"),
    # In use, though not in the published DTO (docs/ghl.md#opportunities).
    "filters": Prop("objects"),
    "sort": Prop("objects"),
}
FIELD: Dto = {
    "name": NEEDED,
    "placeholder": TEXT,
    "acceptedFormat": Prop("any"),
    "isMultipleFile": Prop("boolean"),
    "maxNumberOfFiles": Prop("number"),
    "textBoxListOptions": Prop("any"),
    "options": Prop("strings"),
    "position": Prop("number"),
    "model": TEXT,
}
CREATE_FIELD: Dto = {**FIELD, "dataType": NEEDED}
BUSINESS: Dto = {
    **dict.fromkeys(
        (
            "name",
            "phone",
            "website",
            "address",
            "city",
            "postalCode",
            "state",
            "country",
            "description",
        ),
        TEXT,
    ),
    "email": Prop("email"),
}
CREATE_BUSINESS: Dto = {**BUSINESS, "name": NEEDED, "locationId": NEEDED}
FOLLOWERS: Dto = {"followers": Prop("strings", required=True)}


def problems(dto: Dto, body: Mapping[str, Any], version: str) -> list[str]:
    """Every reason why this body is refused, in the validator's words; empty when it passes."""
    reasons = [f"property {name} should not exist" for name in body if name not in dto]
    for name, prop in dto.items():
        if name in body:
            reasons += _value(name, prop, body[name], version)
        elif prop.required:
            reasons += _missing(name, prop)
    return reasons


def _missing(name: str, prop: Prop) -> list[str]:
    empty = [f"{name} should not be empty"] if prop.type in ("string", "instant") else []
    return [*empty, f"{name} must be {NOUNS[prop.type]}"]


NOUNS: Mapping[Type, str] = {
    "string": "a string",
    "boolean": "a boolean value",
    "number": "a number conforming to the specified constraints",
    "strings": "an array",
    "email": "an email",
    "instant": "a valid ISO 8601 date string",
    "object": "an object",
    "objects": "an array",
    "any": "given",
    "dnd": "an object",
    "inbound": "an object",
}


def _value(name: str, prop: Prop, value: Any, version: str) -> list[str]:
    if value is None:
        if prop.nullable:
            return []
        return [f"{name} must be {NOUNS[prop.type]}"]
    if prop.type in ("dnd", "inbound") and isinstance(value, dict):
        return _channels(name, prop.type, value, version)
    if _has_type(prop.type, value):
        if prop.required and value == "":
            return [f"{name} should not be empty"]
        return []
    return [_complaint(name, prop.type, value)]


def _has_type(kind: Type, value: Any) -> bool:
    match kind:
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "number":
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        case "strings":
            return isinstance(value, list) and all(isinstance(one, str) for one in value)
        case "objects":
            return isinstance(value, list) and all(isinstance(one, dict) for one in value)
        case "email":
            return isinstance(value, str) and (value == "" or EMAIL.match(value) is not None)
        case "instant":
            return isinstance(value, str) and parse_instant(value) is not None
        case "object":
            return isinstance(value, dict)
        case _:
            return kind == "any"


def _complaint(name: str, kind: Type, value: Any) -> str:
    if kind == "strings" and isinstance(value, list):
        return f"each value in {name} must be a string"
    return f"{name} must be {NOUNS[kind]}"


def _channels(name: str, kind: Type, settings: Mapping[str, Any], version: str) -> list[str]:
    known = ("all",) if kind == "inbound" else V3_CHANNELS if version == "v3" else V2_CHANNELS
    allowed = STATUSES[:2] if kind == "inbound" else STATUSES
    foreign = [
        f"{name}.property {channel} should not exist"
        for channel in settings
        if channel not in known
    ]
    statuses = {
        one: value.get("status") if isinstance(value, dict) else None
        for one, value in settings.items()
    }
    wrong = [
        f"{name}.{one}.status must be one of the following values: {', '.join(allowed)}"
        for one, status in statuses.items()
        if one in known and status not in allowed
    ]
    return foreign + wrong
