"""What people do to calendars and appointments in GHL's own screens."""

from __future__ import annotations

from typing import Any

import msgspec

from connectors.ghl.sandbox.calendars import event, standing
from connectors.ghl.sandbox.instants import parse_instant
from connectors.ghl.sandbox.nouns import Appointment, Calendar, Row
from connectors.ghl.sandbox.state import State

_HALF_HOUR = 1_800_000
_WIRE = {
    "title": "title",
    "appointmentStatus": "status",
    "status": "status",
    "assignedUserId": "user_id",
    "assignedTo": "user_id",
    "notes": "notes",
    "address": "address",
    "calendarId": "calendar_id",
    "contactId": "contact_id",
}


class Diary:
    """Calendars and appointments as people make, move and delete them."""

    state: State

    def seed_calendar(self, location_id: str, name: str = "Calendar") -> str:
        """Add a calendar; returns its id."""
        with self.state.lock:
            calendar = Calendar(id=self.state.new_id(), location_id=location_id, name=name)
            self.state.store.put(calendar)
            return calendar.id

    def seed_appointment(self, contact_id: str, **fields: Any) -> str:
        """Add an appointment; returns its id.

        It may have title, startTime, endTime, appointmentStatus, assignedUserId, notes, address and
        calendarId, or calendar by name: without either it is in the location's first calendar.
        """
        with self.state.lock:
            place, now = self.state.contacts[contact_id].location_id, self.state.now()
            start = parse_instant(fields.get("startTime")) or now
            said = {attr: fields[wire] for wire, attr in _WIRE.items() if wire in fields}
            usual = {
                "title": "Appointment",
                "status": "confirmed",
                "calendar_id": said.get("calendar_id") or self._calendar(place, fields),
                "contact_id": contact_id,
            }
            appointment = Appointment(
                id=fields.get("id") or self.state.new_id(),
                location_id=place,
                start=start,
                end=parse_instant(fields.get("endTime")) or start + _HALF_HOUR,
                added=now,
                updated=now,
                **{**usual, **said},
            )
            self.state.store.put(appointment)
            return appointment.id

    def edit_appointment(self, appointment_id: str, **fields: Any) -> None:
        """Change or move an appointment: fields as `seed_appointment` takes them, and contactId."""
        with self.state.lock:
            before = self.state.store.table(Appointment)[appointment_id]
            changes = {attr: fields[wire] for wire, attr in _WIRE.items() if wire in fields}
            if "startTime" in fields:
                start = parse_instant(fields["startTime"]) or before.start
                changes |= {"start": start, "end": start + before.end - before.start}
            updated = max(self.state.now(), before.updated + 1)
            self.state.store.put(msgspec.structs.replace(before, **changes, updated=updated))

    def delete_appointment(self, appointment_id: str) -> None:
        """Delete an appointment."""
        with self.state.lock:
            before = self.state.store.table(Appointment)[appointment_id]
            self.state.store.put(msgspec.structs.replace(before, deleted=True))

    def appointments(self, location_id: str) -> list[Row]:
        """The live appointments of a location as its calendars show them."""
        with self.state.lock:
            zone = self.state.location(location_id).timezone
            return [event(one, zone) for one in standing(self.state, location_id)]

    def _calendar(self, location_id: str, fields: dict[str, Any]) -> str:
        """The calendar of that name, made where there is none; without a name the first one."""
        name = fields.get("calendar")
        for one in self.state.live(Calendar, location_id):
            if name in (None, one.name):
                return one.id
        return self.seed_calendar(location_id, name or "Calendar")
