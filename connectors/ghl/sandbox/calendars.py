"""Appointments, to be read.

They are those of a contact, or of a calendar, user or group (docs/ghl.md#appointments).
"""

from __future__ import annotations

from connectors.ghl.sandbox.answers import Answer, invalid
from connectors.ghl.sandbox.call import Call
from connectors.ghl.sandbox.instants import iso, local, parse_instant
from connectors.ghl.sandbox.nouns import Appointment, Calendar, Row


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
    return Answer(200, {"events": [_event(one, timezone) for one in appointments]})


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
    events = [
        one
        for one in call.state.live(Appointment, location.id)
        if one.start < end and one.end > start
    ]
    return Answer(200, {"events": [_event(one, None) for one in events if _asked(call, one)]})


def _digits(call: Call, name: str) -> int | None:
    raw = call.query.get(name, "")
    return int(raw) if raw.isdigit() else None


def _asked(call: Call, item: Appointment) -> bool:
    calendar, user = call.query.get("calendarId"), call.query.get("userId")
    return (not calendar or item.calendar_id == calendar) and (not user or item.user_id == user)


def _event(item: Appointment, timezone: str | None) -> Row:
    return {
        "id": item.id,
        "calendarId": item.calendar_id,
        "locationId": item.location_id,
        "contactId": item.contact_id,
        "title": item.title,
        "status": "booked",
        "appointmentStatus": item.status,
        "assignedUserId": item.user_id,
        "users": [item.user_id] if item.user_id else [],
        "notes": item.notes,
        "address": item.address,
        "startTime": local(item.start, timezone) if timezone else iso(item.start),
        "endTime": local(item.end, timezone) if timezone else iso(item.end),
        "dateAdded": iso(item.added),
        "dateUpdated": iso(item.updated),
    }
