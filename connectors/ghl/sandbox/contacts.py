"""Contacts one by one.

Get, create, update, delete, upsert, look up a duplicate (docs/ghl.md#contacts).
"""

from __future__ import annotations

from typing import Any

import msgspec

from connectors.ghl.sandbox import shapes
from connectors.ghl.sandbox.answers import Answer, Refusal
from connectors.ghl.sandbox.call import Call
from connectors.ghl.sandbox.dto import CREATE_CONTACT, UPDATE_CONTACT, UPSERT_CONTACT
from connectors.ghl.sandbox.nouns import Contact, Location, Row
from connectors.ghl.sandbox.phones import e164
from connectors.ghl.sandbox.state import State
from connectors.ghl.sandbox.writing import Writer

NOTHING_TO_MATCH = "Pass at least one of number, email query parameter"


def get_contact(call: Call) -> Answer:
    """GET /contacts/{contactId}: as it is now, past the search index."""
    return Answer(200, {"contact": shown(call, call.contact())})


def create_contact(call: Call) -> Answer:
    """POST /contacts/: 201, or 400 naming the contact that is there already."""
    body = call.checked(CREATE_CONTACT)
    location = call.location(body["locationId"])
    changes = Writer(call.state, location).changes(body)
    refuse_duplicate(call.state, location, changes, None)
    contact = insert(call, location, changes)
    return Answer(
        201,
        {
            "contact": shapes.created(
                contact, call.version, lower=call.state.settings.lower_case_names
            )
        },
    )


def update_contact(call: Call) -> Answer:
    """PUT /contacts/{contactId}: partial, though `tags` replaces the whole set."""
    body = call.checked(UPDATE_CONTACT)
    contact = call.contact()
    location = call.state.location(contact.location_id)
    changes = Writer(call.state, location).changes(body, contact)
    if call.state.settings.refuse_shared_updates:
        refuse_duplicate(call.state, location, changes, contact)
    contact = save(call, contact, changes)
    key = "succeeded" if call.version == "v3" else "succeded"
    return Answer(200, {key: True, "contact": shown(call, contact)})


def delete_contact(call: Call) -> Answer:
    """DELETE /contacts/{contactId}: soft; reads no longer show it."""
    save(call, call.contact(), {"deleted": True})
    return Answer(200, shapes.done(call.version))


def upsert_contact(call: Call) -> Answer:
    """POST /contacts/upsert.

    Updates the first contact that matches in the location's order, else creates.
    """
    body = call.checked(UPSERT_CONTACT)
    location = call.location(body["locationId"])
    writer = Writer(call.state, location)
    changes = writer.changes(body)
    if not changes.get("email") and not changes.get("phone"):
        raise Refusal(400, NOTHING_TO_MATCH)
    fresh = location.allow_duplicates and body.get("createNewIfDuplicateAllowed", False)
    duplicate = None if fresh else match(call.state, location, changes)
    if duplicate is None:
        contact = insert(call, location, changes)
        return Answer(201, {"new": True, "contact": shown(call, contact)})
    return Answer(
        200,
        {
            "new": False,
            "contact": shown(
                call, _merge(call, duplicate[0], duplicate[1], writer.changes(body, duplicate[0]))
            ),
        },
    )


def _merge(call: Call, contact: Contact, field: str, changes: dict[str, Any]) -> Contact:
    """An upsert's update.

    Gender is discarded (#313), and so is the email or phone that did not match (#37).

    A match by a secondary email makes it the primary one, and the old primary is lost (#337).
    """
    changes.pop("gender", None)
    other = "phone" if field == "email" else "email"
    rivals = call.state.holders(contact.location_id, other, changes.get(other) or "")
    if any(rival.id != contact.id for rival in rivals):
        changes.pop(other)
    wanted = (changes.get("email") or "").casefold()
    left = tuple(one for one in contact.additional_emails if one.casefold() != wanted)
    return save(call, contact, {**changes, "additional_emails": left})


def find_duplicate(call: Call) -> Answer:
    """GET /contacts/search/duplicate: the live contact with this email, else with this number.

    Null when none.
    """
    location = call.location(call.query.get("locationId"))
    email, number = call.query.get("email"), call.query.get("number")
    if not email and not number:
        raise Refusal(400, NOTHING_TO_MATCH)
    values = {"email": email}
    if number:
        values["phone"] = e164(number, location.country)
    duplicate = match(call.state, location, values, order=("email", "phone"))
    if duplicate is None:
        return Answer(200, {"contact": None})
    return Answer(200, {"contact": shown(call, duplicate[0])})


def match(
    state: State, location: Location, values: dict[str, Any], order: tuple[str, ...] | None = None
) -> tuple[Contact, str] | None:
    """The contact that has one of these values, and the field it was matched on.

    The first field in order wins.
    """
    for field in order or location.match_order:
        value = values.get(field)
        holders = state.holders(location.id, field, value) if value else []
        if holders:
            return holders[0], field
    return None


def refuse_duplicate(
    state: State, location: Location, changes: dict[str, Any], own: Contact | None
) -> None:
    """Raise Refusal 400 where another contact holds the email or phone.

    It is raised where the location allows no duplicates.
    """
    if location.allow_duplicates:
        return
    for field in location.match_order:
        value = changes.get(field)
        rivals = state.holders(location.id, field, value) if value else []
        rival = next((one for one in rivals if own is None or one.id != own.id), None)
        if rival is not None:
            meta = {
                "contactId": rival.id,
                "contactName": shapes.full_name(rival) or "",
                "matchingField": field,
            }
            raise Refusal(400, "This location does not allow duplicated contacts.", meta=meta)


def insert(call: Call, location: Location, changes: dict[str, Any]) -> Contact:
    """Store a new contact of a location."""
    now = call.state.now()
    contact = Contact(
        id=call.state.new_id(),
        location_id=location.id,
        added=now,
        updated=now,
        **{"country": location.country, **changes},
    )
    call.state.know_tags(location.id, contact.tags)
    return call.state.put_contact(contact, extra_lag=call.extra_lag)


def save(call: Call, contact: Contact, changes: dict[str, Any], *, moves: bool = True) -> Contact:
    """Store the next version of a contact: dateUpdated moves, unless it is said otherwise."""
    updated = call.state.touch(contact) if moves else contact.updated
    after = msgspec.structs.replace(contact, **{**changes, "updated": updated})
    if "tags" in changes:
        call.state.know_tags(contact.location_id, after.tags)
    return call.state.put_contact(after, extra_lag=call.extra_lag)


def shown(call: Call, contact: Contact) -> Row:
    """A contact as GET shows it, with or without explicit nulls."""
    body = shapes.one(contact, call.version)
    if call.state.settings.explicit_nulls:
        return body
    return shapes.without_nulls(body)
