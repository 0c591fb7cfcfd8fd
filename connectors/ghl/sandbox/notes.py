"""Notes of a contact: no list over a location, no time of change (docs/ghl.md#notes)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from connectors.ghl.sandbox import shapes
from connectors.ghl.sandbox.answers import Answer, not_found
from connectors.ghl.sandbox.call import Call
from connectors.ghl.sandbox.contacts import save
from connectors.ghl.sandbox.dto import CREATE_NOTE, NOTE
from connectors.ghl.sandbox.nouns import Note
from connectors.ghl.sandbox.writing import Writer

NAMES = {
    "body": "body",
    "userId": "user_id",
    "title": "title",
    "color": "color",
    "pinned": "pinned",
}


def list_notes(call: Call) -> Answer:
    """GET /contacts/{contactId}/notes: all of them, newest first, no paging."""
    contact = call.contact()
    newest_first = reversed(call.state.notes_of.get(contact.id, []))
    notes = [call.state.notes[one] for one in newest_first]
    live = [shapes.note(one) for one in notes if not one.deleted]
    most = call.state.settings.notes_list_max or None
    return Answer(200, {"notes": live[:most]})


def get_note(call: Call) -> Answer:
    """GET /contacts/{contactId}/notes/{id}."""
    return Answer(200, {"note": shapes.note(_note(call))})


def create_note(call: Call) -> Answer:
    """POST /contacts/{contactId}/notes: 201.

    The contact's dateUpdated does not move (docs/ghl.md#lag), unless the settings say so.
    """
    fields = attributes(call, call.checked(CREATE_NOTE))
    contact = call.contact()
    note = Note(
        id=call.state.new_id(),
        location_id=contact.location_id,
        contact_id=contact.id,
        added=call.state.now(),
        **fields,
    )
    if call.state.settings.notes_move_updated:
        save(call, contact, {})
    return Answer(201, {"note": shapes.note(call.state.put_note(note))})


def update_note(call: Call) -> Answer:
    """PUT /contacts/{contactId}/notes/{id}.

    Partial, and nothing shows that it changed but the text.
    """
    fields = attributes(call, call.checked(NOTE))
    note = call.state.put_note(msgspec.structs.replace(_note(call), **fields))
    return Answer(200, {"note": shapes.note(note)})


def delete_note(call: Call) -> Answer:
    """DELETE /contacts/{contactId}/notes/{id}."""
    call.state.put_note(msgspec.structs.replace(_note(call), deleted=True))
    return Answer(200, shapes.done(call.version))


def _note(call: Call) -> Note:
    contact = call.contact()
    note = call.state.notes.get(call.path["id"])
    if note is None or note.deleted or note.contact_id != contact.id:
        raise not_found("Note", call.path["id"])
    return note


def attributes(call: Call, body: Mapping[str, Any]) -> dict[str, Any]:
    """A note body's attributes."""
    fields = {attr: body[wire] for wire, attr in NAMES.items() if wire in body}
    writer = Writer(call.state, call.state.location(call.home()))
    if fields.get("user_id"):
        writer.user(fields["user_id"], "userId")
    if "body" in fields:
        fields["body"] = writer.text(fields["body"])
    return fields
