"""The live state of a sandbox.

The stored records with the look-ups and the lagging indexes that go with them.
"""

from __future__ import annotations

import random
import string
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from connectors.ghl.sandbox.answers import Refusal, not_found
from connectors.ghl.sandbox.index import SearchIndex
from connectors.ghl.sandbox.nouns import (
    Contact,
    CustomField,
    Location,
    Note,
    Noun,
    Opportunity,
    Tag,
    Task,
)
from connectors.ghl.sandbox.settings import Settings
from connectors.ghl.sandbox.store import Store

N = TypeVar("N", bound=Noun)
LETTERS = (string.ascii_letters + string.digits).encode()
# One table look-up a letter; the first eight letters come a little more often, which an id does not
# mind.
ID_TABLE = bytes(LETTERS[byte % len(LETTERS)] for byte in range(256))
Keys = dict[str, tuple[str, ...]]


class State:
    """Every change goes through `put_contact` or `put`.

    `lock` is held around each request and each direct access.
    """

    def __init__(self, settings: Settings, path: Path | None, clock: Callable[[], float]) -> None:
        self.settings = settings
        self.clock = clock
        self.lock = threading.RLock()
        self.store = Store(path)
        self.contacts = self.store.table(Contact)
        self.tasks = self.store.table(Task)
        self.notes = self.store.table(Note)
        self.opportunities = self.store.table(Opportunity)
        self.tasks_of: dict[str | None, list[str]] = defaultdict(list)
        self.notes_of: dict[str, list[str]] = defaultdict(list)
        self._emails: dict[str, Keys] = defaultdict(dict)
        self._phones: dict[str, Keys] = defaultdict(dict)
        self.task_views: dict[str, tuple[int, bytes, list[Task]]] = {}
        self._indexes: dict[str, SearchIndex] = defaultdict(SearchIndex)
        self._tag_names: dict[str, set[str]] = defaultdict(set)
        self._trailing: dict[str, list[tuple[float, Opportunity | None]]] = defaultdict(list)
        # Ids are no secrets, and a seed makes them repeatable.
        self._dice = random.Random(settings.seed)  # noqa: S311
        self._revision = 0
        self.task_changes = 0
        self._restore()

    def _restore(self) -> None:
        count = len(self.contacts) + len(self.tasks) + len(self.notes) + len(self.opportunities)
        if count and self.settings.seed is not None:
            self._dice.seed(f"{self.settings.seed}/{count}")
        by_location: dict[str, list[Contact]] = defaultdict(list)
        for contact in self.contacts.values():
            self._link(contact)
            by_location[contact.location_id].append(contact)
            self._revision = max(self._revision, contact.revision)
        for location_id, contacts in by_location.items():
            self._indexes[location_id].load(contacts)
            self._indexes[location_id].settle()
        for task in self.tasks.values():
            for key in task.contacts:
                self.tasks_of[key].append(task.id)
        for note in self.notes.values():
            self.notes_of[note.contact_id].append(note.id)
        for tag in self.store.table(Tag).values():
            if not tag.deleted:
                self._tag_names[tag.location_id].add(tag.name.casefold())

    def now(self) -> int:
        """The clock in milliseconds."""
        return int(self.clock() * 1000)

    def new_id(self) -> str:
        """Twenty letters and digits, as contact, task and note ids look, that nothing has yet.

        Records may have come with ids of their own, from a look-alike of the same seed.
        """
        tables = (self.contacts, self.tasks, self.notes, self.opportunities)
        while True:
            new = self._dice.randbytes(20).translate(ID_TABLE).decode()
            if not any(new in table for table in tables):
                return new

    def new_hex(self, digits: int = 24) -> str:
        """Hexadecimal digits, as business ids (24) and trace ids look."""
        return f"{self._dice.getrandbits(digits * 4):0{digits}x}"

    def new_trace_id(self) -> str:
        """A trace id as replies carry it."""
        digits = self.new_hex(32)
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))

    @contextmanager
    def bulk(self) -> Iterator[None]:
        """Take many direct changes as one transaction; search shows them at once."""
        with self.lock, self.store.batch():
            try:
                yield
            finally:
                for index in self._indexes.values():
                    index.settle()

    # -- contacts

    def put_contact(
        self, contact: Contact, *, extra_lag: float = 0.0, at_once: bool = False
    ) -> Contact:
        """Store the next version of a contact; search shows it after the lag, or `at_once`."""
        self._revision += 1
        self.task_changes += 1
        contact = msgspec.structs.replace(contact, revision=self._revision)
        if old := self.contacts.get(contact.id):
            self._unlink(old)
        self._link(contact)
        self.store.put(contact)
        index = self._indexes[contact.location_id]
        if at_once:
            index.load((contact,))
        else:
            index.schedule(contact, self.clock() + self.settings.lag_seconds + extra_lag)
        return contact

    def touch(self, old: Contact) -> int:
        """The `updated` of the version after `old`: the clock, though always later than before."""
        return max(self.now(), old.updated + 1)

    def index(self, location_id: str) -> SearchIndex:
        """The search index of a location as of now."""
        index = self._indexes[location_id]
        index.catch_up(self.clock())
        return index

    def catch_up(self) -> None:
        """Let every search index see every write, as if the lag had passed."""
        with self.lock:
            for index in self._indexes.values():
                index.catch_up(float("inf"))
            self._trailing.clear()

    def contact(self, contact_id: str) -> Contact:
        """A live contact. Raises Refusal 400 for a missing or deleted one."""
        contact = self.contacts.get(contact_id)
        if contact is None or contact.deleted:
            raise not_found("Contact", contact_id)
        return contact

    def holders(self, location_id: str, field: str, value: str) -> list[Contact]:
        """Live contacts that have this email, in any case, or this E.164 phone.

        Primary holders come first, then the oldest.
        """
        keys = self._emails if field == "email" else self._phones
        wanted = value.casefold() if field == "email" else value
        contacts = [self.contacts[one] for one in keys[location_id].get(wanted, ())]
        return sorted(
            contacts,
            key=lambda one: ((getattr(one, field) or "").casefold() != wanted, one.added, one.id),
        )

    def _link(self, contact: Contact) -> None:
        if contact.deleted:
            return
        for keys, value in self._keys(contact):
            keys[value] = (*keys.get(value, ()), contact.id)

    def _unlink(self, contact: Contact) -> None:
        if contact.deleted:
            return
        for keys, value in self._keys(contact):
            left = tuple(one for one in keys.get(value, ()) if one != contact.id)
            if left:
                keys[value] = left
            else:
                keys.pop(value, None)

    def _keys(self, contact: Contact) -> Iterator[tuple[Keys, str]]:
        emails, phones = self._emails[contact.location_id], self._phones[contact.location_id]
        own_emails = filter(None, (contact.email, *contact.additional_emails))
        for email in {one.casefold() for one in own_emails}:
            yield emails, email
        own_phones = filter(None, (contact.phone, *contact.additional_phones))
        for phone in set(own_phones):
            yield phones, phone

    # -- the rest

    def put_task(self, task: Task) -> Task:
        """Store a task under its contacts."""
        old = self.tasks.get(task.id)
        before = () if old is None else old.contacts
        for contact in before:
            if contact not in task.contacts:
                self.tasks_of[contact].remove(task.id)
        for contact in task.contacts:
            if contact not in before:
                self.tasks_of[contact].append(task.id)
        self.store.put(task)
        self.task_changes += 1
        return task

    def put_note(self, note: Note) -> Note:
        """Store a note under its contact."""
        old = self.notes.get(note.id)
        if old is not None and old.contact_id != note.contact_id:
            self.notes_of[old.contact_id].remove(note.id)
        if old is None or old.contact_id != note.contact_id:
            self.notes_of[note.contact_id].append(note.id)
        self.store.put(note)
        return note

    def put_opportunity(self, opportunity: Opportunity, *, at_once: bool = False) -> Opportunity:
        """Store an opportunity; search shows it after the lag, or `at_once`."""
        if not at_once:
            until = self.clock() + self.settings.lag_seconds
            before = self.opportunities.get(opportunity.id)
            self._trailing[opportunity.id].append((until, before))
        self.store.put(opportunity)
        return opportunity

    def indexed_opportunities(self, location_id: str) -> list[Opportunity]:
        """What search knows by now of a location's opportunities, oldest first."""
        indexed = (self._indexed(one) for one in list(self.opportunities.values()))
        live = [one for one in indexed if one is not None and _lives(one, location_id)]
        return sorted(live, key=lambda one: (one.added, one.id))

    def _indexed(self, now: Opportunity) -> Opportunity | None:
        """How search shows an opportunity: as it was before the first change that it lacks."""
        waiting = [each for each in self._trailing.get(now.id, ()) if each[0] > self.clock()]
        if waiting:
            self._trailing[now.id] = waiting
            return waiting[0][1]
        self._trailing.pop(now.id, None)
        return now

    def know_tags(self, location_id: str, names: Iterable[str]) -> None:
        """Add tags to the location's dictionary (docs/ghl.md#tags).

        Those that it holds already, in any case, are left out.
        """
        for name in names:
            if name.casefold() not in self._tag_names[location_id]:
                self.put_tag(Tag(id=self.new_id(), location_id=location_id, name=name))

    def put_tag(self, tag: Tag) -> Tag:
        """Store a dictionary entry."""
        renamed = tag.id in self.store.table(Tag)
        self.store.put(tag)
        self._tag_names[tag.location_id].add(tag.name.casefold())
        if renamed:
            left = {one.name.casefold() for one in self.live(Tag, tag.location_id)}
            self._tag_names[tag.location_id] = left
        return tag

    def live(self, kind: type[N], location_id: str) -> list[N]:
        """All records of a kind that a location holds and that are not deleted.

        They come in the order they were made.
        """
        return [one for one in self.store.table(kind).values() if _lives(one, location_id)]

    def fields(self, location_id: str) -> dict[str, CustomField]:
        """The location's contact custom fields, by id."""
        return {one.id: one for one in self.live(CustomField, location_id)}

    def location(self, location_id: str) -> Location:
        """A location. Raises Refusal 400 when there is none."""
        location = self.store.table(Location).get(location_id)
        if location is None:
            raise Refusal(400, f"Location not found for id:{location_id}")
        return location


def _lives(record: Noun, location_id: str) -> bool:
    return getattr(record, "location_id", None) == location_id and not getattr(
        record, "deleted", False
    )
