"""What people do to a location in GHL's own screens while the job is not looking.

Edit, delete, restore, merge.
"""

from __future__ import annotations

from typing import Any

import msgspec

from connectors.ghl.sandbox import businesses
from connectors.ghl.sandbox.instants import iso, parse_instant
from connectors.ghl.sandbox.nouns import Appointment, Business, Contact, Row
from connectors.ghl.sandbox.state import State
from connectors.ghl.sandbox.writing import Writer

TASK_FIELDS = {
    "title": "title",
    "body": "body",
    "completed": "completed",
    "assignedTo": "assigned_to",
}
SOCIAL = ("facebook", "instagram")
"""Sources of contacts that GHL merges on its own."""
NOTE_FIELDS = {
    "body": "body",
    "title": "title",
    "color": "color",
    "pinned": "pinned",
    "userId": "user_id",
}


class People:
    """Edits by third parties.

    Search sees them after the lag, and dateUpdated moves, as with any other write.
    """

    state: State

    def edit_contact(self, contact_id: str, **fields: Any) -> None:
        """Change a contact: fields in write shape.

        `tags` is the whole set, `businessId` links, None clears.
        """
        with self.state.lock:
            contact = self.state.contact(contact_id)
            location = self.state.location(contact.location_id)
            changes = Writer(self.state, location, lenient=True).changes(fields, contact)
            if "businessId" in fields:
                changes["business_id"] = fields["businessId"]
            self._save(contact, changes)
            self._merge_social(contact_id)

    def _merge_social(self, contact_id: str) -> None:
        """A contact of Facebook or Instagram goes into the one whose email or phone it now has.

        GHL does that by itself where duplicates are not allowed (docs/ghl.md#merging).
        """
        contact = self.state.contact(contact_id)
        location = self.state.location(contact.location_id)
        if location.allow_duplicates or (contact.source or "").casefold() not in SOCIAL:
            return
        for field in location.match_order:
            value = getattr(contact, field)
            holders = self.state.holders(location.id, field, value) if value else []
            master = next((one.id for one in holders if one.id != contact_id), None)
            if master is not None:
                self.merge_contacts(master, contact_id)
                return

    def tag_contact(
        self, contact_id: str, *, add: tuple[str, ...] = (), remove: tuple[str, ...] = ()
    ) -> None:
        """Add and remove tags."""
        with self.state.lock:
            contact = self.state.contact(contact_id)
            writer = Writer(self.state, self.state.location(contact.location_id))
            gone = writer.tags(list(remove))
            left = [tag for tag in contact.tags if tag not in gone]
            self._save(contact, {"tags": writer.tags([*left, *add])})

    def delete_contact(self, contact_id: str) -> None:
        """Delete a contact; its tasks and notes go out of sight with it."""
        with self.state.lock:
            self._save(self.state.contact(contact_id), {"deleted": True})

    def restore_contact(self, contact_id: str) -> None:
        """Restore a deleted contact: it keeps its id, its tasks and its notes."""
        with self.state.lock:
            self._save(self.state.contacts[contact_id], {"deleted": False, "merged_into": None})

    def merge_contacts(self, master_id: str, loser_id: str) -> None:
        """Merge two contacts: the master keeps its values and takes what it lacks.

        It takes the loser's tags, secondary values, tasks, notes, opportunities and appointments.

        The loser is deleted, and nothing in the API says where it went (docs/ghl.md#merging).
        """
        with self.state.lock, self.state.store.batch():
            master, loser = self.state.contact(master_id), self.state.contact(loser_id)
            self._save(loser, {"deleted": True, "merged_into": master_id})
            self._save(master, _merged(master, loser))
            for task_id in list(self.state.tasks_of.get(loser_id, ())):
                task = self.state.tasks[task_id]
                first, *also = dict.fromkeys(
                    master_id if each == loser_id else each for each in task.contacts
                )
                self.state.put_task(
                    msgspec.structs.replace(task, contact_id=first, also=tuple(filter(None, also)))
                )
            for one in list(self.state.opportunities.values()):
                if one.contact_id == loser_id:
                    self.state.put_opportunity(msgspec.structs.replace(one, contact_id=master_id))
            for booked in self.state.live(Appointment, loser.location_id):
                if booked.contact_id == loser_id:
                    self.state.store.put(msgspec.structs.replace(booked, contact_id=master_id))
            for note_id in list(self.state.notes_of.get(loser_id, ())):
                self.state.put_note(
                    msgspec.structs.replace(self.state.notes[note_id], contact_id=master_id)
                )

    def edit_task(self, task_id: str, **fields: Any) -> None:
        """Change a task: title, body, dueDate, completed, assignedTo."""
        with self.state.lock:
            task = self.state.tasks[task_id]
            changes: dict[str, Any] = {
                attr: fields[wire] for wire, attr in TASK_FIELDS.items() if wire in fields
            }
            if "dueDate" in fields:
                changes["due_date"] = iso(parse_instant(fields["dueDate"]) or 0)
            updated = max(self.state.now(), task.updated + 1)
            self.state.put_task(msgspec.structs.replace(task, **changes, updated=updated))

    def delete_task(self, task_id: str) -> None:
        """Delete a task."""
        with self.state.lock:
            task = self.state.tasks[task_id]
            updated = max(self.state.now(), task.updated + 1)
            self.state.put_task(msgspec.structs.replace(task, deleted=True, updated=updated))

    def edit_note(self, note_id: str, **fields: Any) -> None:
        """Change a note: body, title, color, pinned, userId."""
        changes = {attr: fields[wire] for wire, attr in NOTE_FIELDS.items() if wire in fields}
        with self.state.lock:
            self.state.put_note(msgspec.structs.replace(self.state.notes[note_id], **changes))

    def delete_note(self, note_id: str) -> None:
        """Delete a note."""
        with self.state.lock:
            self.state.put_note(msgspec.structs.replace(self.state.notes[note_id], deleted=True))

    def edit_business(self, business_id: str, **fields: Any) -> None:
        """Change a business: its name, and its other texts by wire name."""
        with self.state.lock:
            business = self._business(business_id)
            others = {name: text for name, text in fields.items() if name != "name"}
            changed = msgspec.structs.replace(
                business,
                name=fields.get("name", business.name),
                fields={**business.fields, **others},
                updated=max(self.state.now(), business.updated + 1),
            )
            self.state.store.put(changed)

    def delete_business(self, business_id: str) -> None:
        """Delete a business; its contacts stay as they are."""
        with self.state.lock:
            business = self._business(business_id)
            self.state.store.put(msgspec.structs.replace(business, deleted=True))

    def businesses(self, location_id: str) -> list[Row]:
        """The live businesses of a location as GET shows them."""
        with self.state.lock:
            return [businesses.shape(one) for one in self.state.live(Business, location_id)]

    def _business(self, business_id: str) -> Business:
        return self.state.store.table(Business)[business_id]

    def _save(self, contact: Contact, changes: dict[str, Any]) -> None:
        after = msgspec.structs.replace(
            contact, **{**changes, "updated": self.state.touch(contact)}
        )
        self.state.know_tags(contact.location_id, after.tags)
        self.state.put_contact(after)


def _merged(master: Contact, loser: Contact) -> dict[str, Any]:
    mine, theirs = msgspec.structs.asdict(master), msgspec.structs.asdict(loser)
    changes = {
        name: theirs[name]
        for name, value in mine.items()
        if value is None and name != "merged_into"
    }
    emails = (
        one
        for one in (loser.email, *loser.additional_emails)
        if one and one != changes.get("email", master.email)
    )
    phones = (
        one
        for one in (loser.phone, *loser.additional_phones)
        if one and one != changes.get("phone", master.phone)
    )
    return {
        **changes,
        "tags": tuple(dict.fromkeys((*master.tags, *loser.tags))),
        "custom_fields": {**loser.custom_fields, **master.custom_fields},
        "additional_emails": tuple(dict.fromkeys((*master.additional_emails, *emails))),
        "additional_phones": tuple(dict.fromkeys((*master.additional_phones, *phones))),
    }
