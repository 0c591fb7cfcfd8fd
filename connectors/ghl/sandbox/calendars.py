"""Appointments, to be read.

They are those of a contact, or of a calendar, user or group (docs/ghl.md#appointments).
"""

from __future__ import annotations

from connectors.ghl.sandbox.answers import WRONG_LOCATION, Answer, Refusal, invalid, not_found
from connectors.ghl.sandbox.call import Call
from connectors.ghl.sandbox.instants import iso, local, offset, parse_instant
from connectors.ghl.sandbox.nouns import Appointment, Calendar, Row
from connectors.ghl.sandbox.state import State


def list_calendars(call: Call) -> Answer:
    """GET /calendars/?locationId=."""
    location = call.location(call.query.get("locationId"))
    calendars = call.state.live(Calendar, location.id)
    return Answer(
        200,
        {
            "calendars": [
                {"id": one.id, "locationId": one.location_id, "name": one.name} for one in calendars
            ]
        },
    )


def list_of_contact(call: Call) -> Answer:
    """GET /contacts/{contactId}/appointments: naive times in the location's timezone."""
    contact = call.contact()
    timezone = call.state.location(contact.location_id).timezone
    appointments = [
        one
        for one in call.state.live(Appointment, contact.location_id)
        if one.contact_id == contact.id
    ]
    return Answer(200, {"events": [event(one, timezone, naive=True) for one in appointments]})


def list_events(call: Call) -> Answer:
    """GET /calendars/events.

    Between startTime and endTime (milliseconds), of one calendar, user or group.
    """
    location = call.location(call.query.get("locationId"))
    start, end = parse_instant(_digits(call, "startTime")), parse_instant(_digits(call, "endTime"))
    if start is None or end is None:
        raise invalid(
            "startTime must be a string of milliseconds", "endTime must be a string of milliseconds"
        )
    if not any(call.query.get(name) for name in ("calendarId", "userId", "groupId")):
        raise invalid("Either of calendarId, userId or groupId is required")
    whole = call.state.settings.events_whole
    shows = _within if whole else _touches
    events = [
        event(one, location.timezone)
        for one in standing(call.state, location.id)
        if shows(one, start, end)
        if _asked(call, one)
    ]
    return Answer(200, {"events": events})


def _within(one: Appointment, start: int, end: int) -> bool:
    return start <= one.start and one.end <= end


def _touches(one: Appointment, start: int, end: int) -> bool:
    return one.start < end and one.end > start


def get_event(call: Call) -> Answer:
    """GET /calendars/events/appointments/{eventId}."""
    state = call.state
    key = call.path["eventId"]
    booked = state.store.table(Appointment)
    one = booked.get(key)
    if one is not None and not call.reaches(one.location_id):
        raise Refusal(403, WRONG_LOCATION)
    if one is None or one not in standing(state, one.location_id):
        if not state.settings.names_gone:
            raise Refusal(400, "Event not found")
        raise not_found("Appointment", key)
    location = state.location(one.location_id)
    return Answer(
        200,
        {"event": event(one, location.timezone)},
    )


def standing(state: State, location_id: str) -> list[Appointment]:
    """The live appointments of live contacts."""
    live = state.live(Appointment, location_id)
    return [one for one in live if not state.contacts[one.contact_id].deleted]


def _digits(call: Call, name: str) -> int | None:
    raw = call.query.get(name, "")
    if raw.isdigit():
        return int(raw)
    return None


def _asked(call: Call, item: Appointment) -> bool:
    calendar, user = call.query.get("calendarId"), call.query.get("userId")
    return (not calendar or item.calendar_id == calendar) and (not user or item.user_id == user)


def event(item: Appointment, timezone: str, *, naive: bool = False) -> Row:
    """An appointment as GHL shows it: under a contact its times come without an offset."""
    clock = local if naive else offset
    return {
        "id": item.id,
        "calendarId": item.calendar_id,
        "locationId": item.location_id,
        "contactId": item.contact_id,
        "title": item.title,
        **({"status": "booked"} if naive else {}),
        "appointmentStatus": item.status,
        "assignedUserId": item.user_id,
        "users": [item.user_id] if item.user_id else [],
        "notes": item.notes,
        "address": item.address,
        "startTime": clock(item.start, timezone),
        "endTime": clock(item.end, timezone),
        "dateAdded": iso(item.added),
        "dateUpdated": iso(item.updated),
    }
