"""What a location is made of: its settings, custom fields and users (docs/ghl.md#location)."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from connectors.ghl.sandbox import shapes
from connectors.ghl.sandbox.answers import Answer, Refusal, invalid
from connectors.ghl.sandbox.call import Call
from connectors.ghl.sandbox.dto import CREATE_FIELD, FIELD
from connectors.ghl.sandbox.nouns import CustomField, Location, Row, User
from connectors.ghl.sandbox.state import State

DATA_TYPES = (
    "TEXT",
    "LARGE_TEXT",
    "NUMERICAL",
    "PHONE",
    "MONETORY",
    "CHECKBOX",
    "SINGLE_OPTIONS",
    "MULTIPLE_OPTIONS",
    "FLOAT",
    "TIME",
    "DATE",
    "TEXTBOX_LIST",
    "FILE_UPLOAD",
    "SIGNATURE",
    "RADIO",
    "EMAIL",
)
NOT_SLUG = re.compile(r"[^a-z0-9]+")


def get_location(call: Call) -> Answer:
    """GET /locations/{locationId}."""
    return Answer(200, {"location": _location(call.location(call.path["locationId"]))})


def _location(location: Location) -> Row:
    return {
        "id": location.id,
        "companyId": location.company_id,
        "name": location.name,
        "country": location.country,
        "timezone": location.timezone,
        "email": None,
        "phone": None,
        "settings": {
            "allowDuplicateContact": location.allow_duplicates,
            "allowDuplicateOpportunity": location.allow_duplicate_opportunities,
            "allowFacebookNameMerge": False,
            "disableContactTimezone": False,
        },
    }


def list_fields(call: Call) -> Answer:
    """GET /locations/{locationId}/customFields?model=contact|opportunity|all."""
    location = call.location(call.path["locationId"])
    model = call.query.get("model", "contact")
    if model not in ("contact", "opportunity", "all"):
        raise invalid("model must be one of the following values: contact, opportunity, all")
    fields = call.state.live(CustomField, location.id)
    return Answer(
        200, {"customFields": [_field(one) for one in fields if model in (one.model, "all")]}
    )


def get_field(call: Call) -> Answer:
    """GET /locations/{locationId}/customFields/{id}."""
    return Answer(200, {"customField": _field(_custom_field(call))})


def create_field(call: Call) -> Answer:
    """POST /locations/{locationId}/customFields: 201. The key is made from the name."""
    body = call.checked(CREATE_FIELD)
    location = call.location(call.path["locationId"])
    if body["dataType"] not in DATA_TYPES:
        raise invalid(f"dataType must be one of the following values: {', '.join(DATA_TYPES)}")
    options = body.get("options", body.get("textBoxListOptions", []))
    picklist = tuple(one if isinstance(one, str) else str(one.get("label", "")) for one in options)
    field = CustomField(
        id=call.state.new_id(),
        location_id=location.id,
        name=body["name"],
        key=free_key(call.state, location.id, body["name"], body.get("model", "contact")),
        data_type=body["dataType"],
        model=body.get("model", "contact"),
        picklist=picklist,
        placeholder=body.get("placeholder", ""),
        position=body.get("position", 0),
    )
    call.state.store.put(field)
    return Answer(201, {"customField": _field(field)})


def update_field(call: Call) -> Answer:
    """PUT /locations/{locationId}/customFields/{id}.

    The type cannot change, the key does not follow the name.
    """
    body = call.checked(FIELD)
    field = _custom_field(call)
    changes: dict[str, Any] = {
        name: body[name] for name in ("name", "placeholder", "position") if name in body
    }
    if "options" in body:
        changes["picklist"] = tuple(body["options"])
    field = msgspec.structs.replace(field, **changes)
    call.state.store.put(field)
    return Answer(200, {"customField": _field(field)})


def delete_field(call: Call) -> Answer:
    """DELETE /locations/{locationId}/customFields/{id}."""
    call.state.store.put(msgspec.structs.replace(_custom_field(call), deleted=True))
    return Answer(200, shapes.done(call.version))


def free_key(state: State, location_id: str, name: str, model: str = "contact") -> str:
    """A field key such as contact.shirt_size that the location does not have yet."""
    base = f"{model}.{NOT_SLUG.sub('_', name.lower()).strip('_')}"
    taken = {one.key for one in state.live(CustomField, location_id)}
    return next(
        key
        for number in range(len(taken) + 1)
        if (key := f"{base}_{number}" if number else base) not in taken
    )


def _custom_field(call: Call) -> CustomField:
    location = call.location(call.path["locationId"])
    field = call.state.store.table(CustomField).get(call.path["id"])
    if field is None or field.deleted or field.location_id != location.id:
        raise Refusal(400, f"Custom field not found for id:{call.path['id']}")
    return field


def _field(field: CustomField) -> Row:
    options = {"picklistOptions": list(field.picklist)} if field.picklist else {}
    return {
        "id": field.id,
        "name": field.name,
        "fieldKey": field.key,
        "placeholder": field.placeholder,
        "dataType": field.data_type,
        "position": field.position,
        "locationId": field.location_id,
        "model": field.model,
        **options,
    }


def list_users(call: Call) -> Answer:
    """GET /users/?locationId= (v2 only)."""
    location = call.location(call.query.get("locationId"))
    return Answer(200, {"users": [_user(one) for one in _users(call, location)]})


def search_users(call: Call) -> Answer:
    """GET /users/search?companyId=&locationId=&skip=&limit=&query=."""
    if not call.query.get("companyId"):
        raise invalid("companyId must be a string", "companyId should not be empty")
    location = call.location(call.query.get("locationId") or call.home())
    if location.company_id != call.query["companyId"]:
        raise Refusal(403, "The token does not have access to this company.")
    part = call.query.get("query", "").casefold()
    users = [
        one
        for one in _users(call, location)
        if part in f"{one.first_name} {one.last_name} {one.email}".casefold()
    ]
    skip, limit = call.number("skip", 0, len(users)), call.number("limit", 25, 100)
    return Answer(
        200, {"users": [_user(one) for one in users[skip : skip + limit]], "count": len(users)}
    )


def _users(call: Call, location: Location) -> list[User]:
    return [one for one in call.state.store.table(User).values() if location.id in one.location_ids]


def _user(user: User) -> Row:
    return {
        "id": user.id,
        "name": f"{user.first_name} {user.last_name}".strip(),
        "firstName": user.first_name,
        "lastName": user.last_name,
        "email": user.email,
        "phone": user.phone,
        "extension": "",
        "permissions": {},
        "roles": {"type": "account", "role": "user", "locationIds": list(user.location_ids)},
        "deleted": False,
    }
