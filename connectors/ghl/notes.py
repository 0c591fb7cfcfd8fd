"""The note endpoints; GHL has no bulk read of notes (facts.md section 1.4): one request a contact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.ghl.api import Api
from connectors.ghl.contacts import member
from connectors.ghl.lines import NotePage, Row, decode, lists, rows_of, with_parent
from reconcile.errors import NotFound, Unnamed
from reconcile.ports import Json


def of_contact(api: Api, contact: str) -> list[Row]:
    """All notes of a contact; none where the contact is gone."""
    try:
        answer = api.call("note.list", {"contact": contact})
    except NotFound:
        return []
    return [with_parent(row, contact) for row in rows_of(decode(answer.body, NotePage).notes)]


def get(api: Api, contact: str, note: str) -> dict[str, Any] | None:
    """The note as it is now; None where it, or its contact, is gone. Raises Unnamed for a refusal that proves neither."""
    try:
        return member(api.call("note.get", {"contact": contact, "note": note}).json(), "note")
    except NotFound:
        return None
    except Unnamed:
        if lists(of_contact(api, contact), note):
            raise
        return None


def create(api: Api, contact: str, fields: Mapping[str, Json]) -> dict[str, Any]:
    """POST: the body is required by GHL."""
    body: dict[str, Json] = {name: value for name, value in fields.items() if value is not None}
    return member(api.call("note.create", {"contact": contact}, body=body).json(), "note")


def update(api: Api, contact: str, note: str, fields: Mapping[str, Json]) -> dict[str, Any]:
    """PUT with the changed fields alone."""
    return member(
        api.call("note.update", {"contact": contact, "note": note}, body=dict(fields)).json(),
        "note",
    )


def delete(api: Api, contact: str, note: str) -> None:
    """DELETE; a note that is gone already is what was asked for."""
    try:
        api.call("note.delete", {"contact": contact, "note": note})
    except NotFound:
        return
    except Unnamed:
        if get(api, contact, note) is not None:
            raise
