"""What hangs on a contact: the endpoints that every such kind has, under its own name.

What is kept apart has its contact in the body, where others have it in the path.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.ghl import apart, calendars
from connectors.ghl.api import Api
from connectors.ghl.contacts import member
from connectors.ghl.entities import GHL
from connectors.ghl.lines import Row, listed, lists, with_parent
from connectors.ghl.pipelines import needs_current
from reconcile.errors import NotFound, Unnamed
from reconcile.model import Entity
from reconcile.ports import Json, Span


def of_contact(api: Api, entity: Entity, contact: str) -> list[Row]:
    """All of a contact's; none where the contact is gone."""
    if GHL[entity].apart:
        rows = [row for page in apart.pages(api, entity, contact) for row in page.rows]
        return [apart.row_with_names(api, entity, row) for row in rows]
    try:
        reply = api.call(f"{entity}.list", {"contact": contact})
    except NotFound:
        return []
    kind = GHL[entity]
    member_of_list = kind.rows or entity.plural
    items = listed(reply.body, member_of_list)
    rows = [with_parent(row, contact) for row in items]
    if not kind.spanned:
        return rows
    return [apart.row_with_names(api, entity, row) for row in rows]


def of_calendar(api: Api, entity: Entity, span: Span, calendar: str) -> list[Row]:
    """What one of the location's calendars has in a stretch of time."""
    params = calendars.params(calendar, span, location=api.location)
    reply = api.call(f"{entity}.events", params=params)
    kind = GHL[entity]
    return listed(reply.body, kind.rows)


def get(api: Api, entity: Entity, contact: str, key: str) -> dict[str, Any] | None:
    """The record as it is now; None where it, or its contact, is gone.

    Raises Unnamed for a refusal that proves neither.
    """
    try:
        parts = _parts(entity, contact, key)
        reply = api.call(f"{entity}.get", parts).json()
        names = (*GHL[entity].members, entity)
        record = apart.with_names(api, entity, member(reply, *names))
        return _under(api, entity, contact, record)
    except NotFound:
        return None
    except Unnamed:
        # A search trails: what it does not show may be there.
        if GHL[entity].apart or lists(of_contact(api, entity, contact), key):
            raise
        return None


def _under(api: Api, entity: Entity, contact: str, record: dict[str, Any]) -> dict[str, Any]:
    """What names another of its contacts hangs on this one, too, where that lists it."""
    stated = record.get("contactId")
    if not entity.spec.shared or stated in (None, contact):
        return record
    rows = of_contact(api, entity, contact)
    key = record.get("id")
    if not lists(rows, str(key)):
        return record
    return {
        **record,
        "contactId": contact,
    }


def create(api: Api, entity: Entity, contact: str, fields: Mapping[str, Json]) -> dict[str, Any]:
    """POST: without what is blank, and with what GHL requires that nobody said."""
    said = {name: value for name, value in fields.items() if value is not None}
    body: dict[str, Json] = {**GHL[entity].created, **said}
    if GHL[entity].apart:
        body |= {"contactId": contact, "locationId": api.location}
    if GHL[entity].named:
        body = api.pipelines().spelled(body, {})
    reply = api.call(f"{entity}.create", {"contact": contact}, body=body).json()
    return apart.with_names(api, entity, member(reply, entity))


def update(
    api: Api, entity: Entity, contact: str, key: str, fields: Mapping[str, Json]
) -> dict[str, Any]:
    """PUT with the changed fields alone."""
    parts, body = _parts(entity, contact, key), dict(fields)
    if GHL[entity].named:
        # In which stage an update of the pipeline alone ends is unknown: the stage goes along
        # (docs/ghl.md#opportunities).
        current: dict[str, Any] = {}
        if needs_current(fields):
            current = member(api.call(f"{entity}.get", parts).json(), entity)
        body = api.pipelines().spelled(fields, current)
    updated = member(api.call(f"{entity}.update", parts, body=body).json(), entity)
    return apart.with_names(api, entity, updated)


def delete(api: Api, entity: Entity, contact: str, key: str) -> None:
    """DELETE; what is gone already is what was asked for."""
    try:
        api.call(f"{entity}.delete", _parts(entity, contact, key))
    except NotFound:
        return
    except Unnamed:
        # "Not found" that names nothing proves nothing (docs/ghl.md#errors): it is looked for.
        if get(api, entity, contact, key) is not None:
            raise


def complete(
    api: Api, entity: Entity, contact: str, key: str, *, completed: bool
) -> dict[str, Any]:
    """PUT …/completed: completes it, or opens it again."""
    body: dict[str, Json] = {"completed": completed}
    reply = api.call(f"{entity}.complete", _parts(entity, contact, key), body=body)
    return member(reply.json(), entity)


def search(
    api: Api, entity: Entity, *, limit: int, skip: int, contacts: tuple[str, ...] = ()
) -> list[Row]:
    """One page of the search over the whole location (docs/ghl.md#tasks).

    Completed tasks and open ones come alike.
    """
    body: dict[str, Json] = {"limit": limit, "skip": skip}
    if contacts:
        body["contactId"] = list(contacts)
    return listed(api.call(f"{entity}.search", body=body).body, entity.plural)


def _parts(entity: Entity, contact: str, key: str) -> dict[str, str]:
    return {"contact": contact, entity.value: key}
