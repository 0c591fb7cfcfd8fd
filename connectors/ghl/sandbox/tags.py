"""Tags: on one contact, on many, and the location's dictionary (docs/ghl.md#tags)."""

from __future__ import annotations

import re

import msgspec

from connectors.ghl.sandbox import shapes
from connectors.ghl.sandbox.answers import Answer, Refusal, invalid, no_such_route
from connectors.ghl.sandbox.call import Call
from connectors.ghl.sandbox.contacts import save
from connectors.ghl.sandbox.dto import BULK_TAGS, TAG, TAGS
from connectors.ghl.sandbox.nouns import Contact, Location, Row, Tag
from connectors.ghl.sandbox.writing import Writer

FIREBASE_ID = re.compile(r"^[A-Za-z0-9]{20}$")


def add_tags(call: Call) -> Answer:
    """POST /contacts/{contactId}/tags: 201 with the whole set and what was new."""
    contact, wanted = _wanted(call)
    added = [tag for tag in wanted if tag not in contact.tags]
    if added:
        contact = save(call, contact, {"tags": (*contact.tags, *added)}, moves=_moves(call))
    return Answer(201, {"tags": list(contact.tags), "tagsAdded": added})


def remove_tags(call: Call) -> Answer:
    """DELETE /contacts/{contactId}/tags, with a JSON body: 200 with the set that is left."""
    contact, wanted = _wanted(call)
    removed = [tag for tag in wanted if tag in contact.tags]
    if removed:
        contact = save(
            call,
            contact,
            {"tags": tuple(tag for tag in contact.tags if tag not in removed)},
            moves=_moves(call),
        )
    return Answer(200, {"tags": list(contact.tags), "tagsRemoved": removed})


def _moves(call: Call) -> bool:
    return call.state.settings.tags_move_updated


def _wanted(call: Call) -> tuple[Contact, tuple[str, ...]]:
    body = call.checked(TAGS)
    contact = call.contact()
    return contact, Writer(call.state, call.state.location(contact.location_id)).tags(body["tags"])


def bulk_tags(call: Call) -> Answer:
    """POST /contacts/bulk/tags/update/{type}: 201 with one response a contact.

    Some may be errors.
    """
    adding = call.path["type"] == "add"
    if call.path["type"] not in ("add", "remove"):
        raise no_such_route("POST", f"/contacts/bulk/tags/update/{call.path['type']}")
    body = call.checked(BULK_TAGS)
    if body.get("removeAllTags") and adding:
        raise invalid("removeAllTags can only be used with remove type")
    location = call.location(body["locationId"])
    wanted = Writer(call.state, location).tags(body["tags"])
    with call.state.store.batch():
        responses = [
            _one(
                call,
                location,
                contact_id,
                _delta(wanted, adding=adding, everything=body.get("removeAllTags", False)),
            )
            for contact_id in body["contacts"]
        ]
    errors = sum(one["type"] == "error" for one in responses)
    spelling = {"succeded": True, "succeeded": True} if call.version == "v3" else {"succeded": True}
    return Answer(201, {**spelling, "errorCount": errors, "responses": responses})


def _delta(
    wanted: tuple[str, ...], *, adding: bool, everything: bool
) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
    """What to add, and what to remove (None: everything)."""
    if adding:
        return wanted, ()
    return (), None if everything else wanted


def _one(
    call: Call,
    location: Location,
    contact_id: str,
    delta: tuple[tuple[str, ...], tuple[str, ...] | None],
) -> Row:
    contact = call.state.contacts.get(contact_id)
    if not FIREBASE_ID.match(contact_id):
        return _error(contact_id, "contact id is not a valid firebase id")
    if contact is None or contact.location_id != location.id:
        return _error(contact_id, "contact does not belong to location")
    if contact.deleted:
        return _error(contact_id, "contact is deleted")
    add, remove = delta
    old = contact.tags
    removed = [tag for tag in old if remove is None or tag in remove]
    added = [tag for tag in add if tag not in old]
    if added or removed:
        save(call, contact, {"tags": (*(tag for tag in old if tag not in removed), *added)})
    return {
        "contactId": contact_id,
        "message": "Tags updated",
        "type": "success",
        "oldTags": list(old),
        "tagsAdded": added,
        "tagsRemoved": removed,
    }


def _error(contact_id: str, message: str) -> Row:
    return {"contactId": contact_id, "message": message, "type": "error"}


def list_dictionary(call: Call) -> Answer:
    """GET /locations/{locationId}/tags: all of them, no paging."""
    location = call.location(call.path["locationId"])
    return Answer(200, {"tags": [_shape(tag) for tag in call.state.live(Tag, location.id)]})


def get_dictionary_tag(call: Call) -> Answer:
    """GET /locations/{locationId}/tags/{tagId}."""
    return Answer(200, {"tag": _shape(_tag(call))})


def create_dictionary_tag(call: Call) -> Answer:
    """POST /locations/{locationId}/tags: 200 (not 201).

    Bytes are kept as sent, so that case duplicates are possible.
    """
    name = call.checked(TAG)["name"]
    location = call.location(call.path["locationId"])
    if any(tag.name == name for tag in call.state.live(Tag, location.id)):
        raise Refusal(400, "The tag name is already exist.")
    tag = call.state.put_tag(Tag(id=call.state.new_id(), location_id=location.id, name=name))
    return Answer(200, {"tag": _shape(tag)})


def rename_dictionary_tag(call: Call) -> Answer:
    """PUT /locations/{locationId}/tags/{tagId}: contacts keep the old name (docs/ghl.md#tags)."""
    name = call.checked(TAG)["name"]
    tag = call.state.put_tag(msgspec.structs.replace(_tag(call), name=name))
    return Answer(200, {"tag": _shape(tag)})


def delete_dictionary_tag(call: Call) -> Answer:
    """DELETE /locations/{locationId}/tags/{tagId}."""
    call.state.put_tag(msgspec.structs.replace(_tag(call), deleted=True))
    return Answer(200, shapes.done(call.version))


def _tag(call: Call) -> Tag:
    location = call.location(call.path["locationId"])
    tag = call.state.store.table(Tag).get(call.path["tagId"])
    if tag is None or tag.deleted or tag.location_id != location.id:
        raise Refusal(400, f"Tag not found for id:{call.path['tagId']}")
    return tag


def _shape(tag: Tag) -> Row:
    return {"id": tag.id, "name": tag.name, "locationId": tag.location_id}
