"""Businesses of a location (docs/ghl.md#location)."""

from __future__ import annotations

import msgspec

from connectors.ghl.sandbox.answers import WRONG_LOCATION, Answer, Refusal
from connectors.ghl.sandbox.call import Call
from connectors.ghl.sandbox.contacts import save
from connectors.ghl.sandbox.dto import BUSINESS, CREATE_BUSINESS
from connectors.ghl.sandbox.instants import iso
from connectors.ghl.sandbox.nouns import Business, Row

FIELDS = (
    "phone",
    "email",
    "website",
    "address",
    "city",
    "description",
    "state",
    "postalCode",
    "country",
)


def list_businesses(call: Call) -> Answer:
    """GET /businesses/?locationId=&limit=100&skip=0."""
    settings = call.state.settings
    location = call.location(call.query.get("locationId"))
    businesses = call.state.live(Business, location.id)
    if settings.companies_late:
        shown_until = call.state.now() - int(settings.lag_seconds * 1000)
        businesses = [one for one in businesses if one.added <= shown_until]
    skip = call.number("skip", 0, len(businesses))
    limit = call.number("limit", 100, 100)
    page = businesses[skip : skip + limit]
    return Answer(200, {"businesses": [shape(one) for one in page]})


def get_business(call: Call) -> Answer:
    """GET /businesses/{businessId}."""
    return Answer(200, {"business": shape(_business(call))})


def create_business(call: Call) -> Answer:
    """POST /businesses/: 201 with `buiseness` (sic)."""
    body = call.checked(CREATE_BUSINESS)
    location, now = call.location(body["locationId"]), call.state.now()
    fields = {name: body[name] for name in FIELDS if name in body}
    business = Business(
        id=call.state.new_hex(),
        location_id=location.id,
        name=body["name"],
        added=now,
        updated=now,
        fields=fields,
    )
    call.state.store.put(business)
    return Answer(201, {"success": True, "buiseness": shape(business)})


def update_business(call: Call) -> Answer:
    """PUT /businesses/{businessId}: `{success, buiseness}` (sic)."""
    body = call.checked(BUSINESS)
    current = _business(call)
    business = msgspec.structs.replace(
        current,
        name=body.get("name", current.name),
        fields={**current.fields, **_given(call, body)},
        updated=max(call.state.now(), current.updated + 1),
    )
    call.state.store.put(business)
    return Answer(200, {"success": True, "buiseness": shape(business)})


def delete_business(call: Call) -> Answer:
    """DELETE /businesses/{businessId}."""
    current = _business(call)
    call.state.store.put(msgspec.structs.replace(current, deleted=True))
    if call.state.settings.unlinks_deleted:
        for contact in list(call.state.contacts.values()):
            if contact.business_id == current.id:
                save(call, contact, {"business_id": None})
    return Answer(200, {"success": True})


def _given(call: Call, body: Row) -> Row:
    """The texts that a body sets: a blank clears, unless the settings say not."""
    keeps = not call.state.settings.empty_clears
    return {
        name: body[name] for name in FIELDS if name in body and not (keeps and body[name] == "")
    }


def _business(call: Call) -> Business:
    business = call.state.store.table(Business).get(call.path["businessId"])
    if business is not None and not call.reaches(business.location_id):
        raise Refusal(403, WRONG_LOCATION)
    if business is None or business.deleted:
        raise Refusal(400, f"Business not found for id:{call.path['businessId']}")
    return business


def shape(business: Business) -> Row:
    """A business as GET shows it."""
    return {
        "id": business.id,
        "name": business.name,
        "locationId": business.location_id,
        **{name: business.fields.get(name) for name in FIELDS},
        "createdAt": iso(business.added),
        "updatedAt": iso(business.updated),
    }
