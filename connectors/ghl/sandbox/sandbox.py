"""The sandbox itself.

The state with what stands around it, and direct access that bypasses HTTP and limits.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import msgspec

from connectors.ghl.sandbox import shapes
from connectors.ghl.sandbox.diary import Diary
from connectors.ghl.sandbox.faults import Fault, FaultBox
from connectors.ghl.sandbox.instants import iso, parse_instant
from connectors.ghl.sandbox.limits import Quotas
from connectors.ghl.sandbox.nouns import (
    Business,
    Client,
    Contact,
    CustomField,
    Location,
    Note,
    Row,
    Task,
    Token,
    User,
)
from connectors.ghl.sandbox.people import People
from connectors.ghl.sandbox.requestlog import RequestRecord
from connectors.ghl.sandbox.sales import Sales
from connectors.ghl.sandbox.schema import free_key
from connectors.ghl.sandbox.settings import Settings, TokenKind
from connectors.ghl.sandbox.state import State
from connectors.ghl.sandbox.writing import Writer

DEFAULTS = Settings()
FIRST_LOCATION, FIRST_TOKEN = "sandboxLocation00001", "pit-sandbox"
FIRST_CLIENT, FIRST_SECRET = "sandbox-client", "sandbox-secret"
LOG_LENGTH = 100_000
COMPANY = "sandboxCompany000001"
ALL_SCOPES = (
    "contacts.readonly",
    "contacts.write",
    "locations.readonly",
    "locations/customFields.readonly",
    "locations/customFields.write",
    "locations/tags.readonly",
    "locations/tags.write",
    "locations/tasks.readonly",
    "users.readonly",
    "opportunities.readonly",
    "opportunities.write",
    "businesses.readonly",
    "businesses.write",
    "calendars.readonly",
    "calendars/events.readonly",
    "oauth.readonly",
    "oauth.write",
)


class Sandbox(People, Sales, Diary):
    """A GHL look-alike. With `path` it is durable; the same path opened again holds what it held.

    Safe to use from several threads. `clock` gives seconds since the epoch. After a restart search
    sees everything.
    """

    def __init__(
        self,
        settings: Settings = DEFAULTS,
        *,
        path: Path | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self.state = State(settings, path, clock)
        self.quotas = Quotas()
        self.faults = FaultBox(settings.faults)
        self.log: deque[RequestRecord] = deque(maxlen=LOG_LENGTH)

    def close(self) -> None:
        """Close the file, if there is one."""
        self.state.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    # -- locations and who may reach them

    def add_location(self, location_id: str, **settings: Any) -> str:
        """Add a location, or change one that exists.

        It may have name, company_id, country, timezone, allow_duplicates, match_order,
        allow_duplicate_opportunities and installed.
        """
        current = self.state.store.table(Location).get(location_id)
        chosen: dict[str, Any] = {
            "name": "Sandbox location",
            "company_id": COMPANY,
            "country": self.settings.country,
            "timezone": self.settings.timezone,
            "allow_duplicates": self.settings.allow_duplicates,
            "match_order": self.settings.match_order,
            "allow_duplicate_opportunities": self.settings.allow_duplicate_opportunities,
            **(msgspec.structs.asdict(current) if current else {}),
            **settings,
            "id": location_id,
        }
        with self.state.lock:
            self.state.store.put(Location(**chosen))
        return location_id

    @property
    def locations(self) -> list[str]:
        """The ids of all that it has."""
        return list(self.state.store.table(Location))

    def add_token(
        self,
        token: str,
        location_id: str | None,
        *,
        scopes: Iterable[str] | None = None,
        kind: TokenKind = "pit",
        client: str | None = None,
        expires_in: float | None = None,
        company_id: str = COMPANY,
    ) -> str:
        """Add an access token; `scopes` None means all.

        Tokens of one client share a quota; by default the kind is the client.
        """
        expires = None if expires_in is None else self.state.now() + int(expires_in * 1000)
        record = Token(
            id=token,
            kind=kind,
            client=client or kind,
            location_id=location_id,
            company_id=company_id,
            scopes=None if scopes is None else tuple(scopes),
            expires=expires,
        )
        with self.state.lock:
            self.state.store.put(record)
        return token

    def revoke_token(self, token: str) -> None:
        """From now on the token answers 401."""
        with self.state.lock:
            self.state.store.put(
                msgspec.structs.replace(self.state.store.table(Token)[token], revoked=True)
            )

    def add_client(
        self,
        client_id: str,
        client_secret: str,
        *,
        scopes: Iterable[str] = ALL_SCOPES,
        redirect_uris: Iterable[str] = (),
        company_id: str = COMPANY,
    ) -> str:
        """Add a marketplace app for OAuth; without `redirect_uris` any redirect URI is taken."""
        with self.state.lock:
            self.state.store.put(
                Client(
                    id=client_id,
                    secret=client_secret,
                    company_id=company_id,
                    scopes=tuple(scopes),
                    redirect_uris=tuple(redirect_uris),
                )
            )
        return client_id

    def furnish(self) -> list[str]:
        """Give an empty sandbox a location, a token and a client.

        Returns lines that name each location, token and client.
        """
        table = self.state.store.table
        if not table(Location):
            self.add_location(FIRST_LOCATION)
            self.add_token(FIRST_TOKEN, FIRST_LOCATION)
            self.add_client(FIRST_CLIENT, FIRST_SECRET)
        return [
            *(
                f"location {one.id} ({one.name}, {one.country}, {one.timezone})"
                for one in table(Location).values()
            ),
            *(
                f"token {one.id} ({one.kind})"
                for one in table(Token).values()
                if one.expires is None
            ),
            *(f"oauth client {one.id} secret {one.secret}" for one in table(Client).values()),
        ]

    # -- seeding

    @contextmanager
    def bulk(self) -> Iterator[None]:
        """Seed inside it to write everything in one transaction."""
        with self.state.bulk():
            yield

    def seed_contact(self, location_id: str, **fields: Any) -> str:
        """Add a contact that search shows at once; returns its id.

        `fields` are in write shape (firstName, phone, tags, customFields by id or key ...), also
        id, businessId, type, additionalEmails, additionalPhones (texts), and dateAdded, dateUpdated
        (ISO 8601 or milliseconds).
        """
        with self.state.lock:
            return self._seed_contact(self.state.location(location_id), fields).id

    def seed_contacts(self, location_id: str, rows: Iterable[Mapping[str, Any]]) -> list[str]:
        """Add many contacts in one transaction; returns their ids in order."""
        with self.state.bulk():
            location = self.state.location(location_id)
            return [self._seed_contact(location, row).id for row in rows]

    def _seed_contact(self, location: Location, row: Mapping[str, Any]) -> Contact:
        changes = Writer(self.state, location, lenient=True).changes(row)
        changes.update(_unwritable(row))
        added = _instant(row, "dateAdded", self.state.now())
        contact = Contact(
            id=row.get("id") or self.state.new_id(),
            location_id=location.id,
            added=added,
            updated=_instant(row, "dateUpdated", added),
            **{"country": location.country, **changes},
        )
        self.state.know_tags(location.id, contact.tags)
        return self.state.put_contact(contact, at_once=True)

    def seed_task(
        self, contact_id: str | None, *, location_id: str | None = None, **fields: Any
    ) -> str:
        """Add a task: title, body, dueDate, completed, assignedTo, dateAdded, dateUpdated.

        No contact: name the location. `also` are further contacts.
        """
        with self.state.lock:
            place = self.state.contacts[contact_id].location_id if contact_id else location_id
            added = _instant(fields, "dateAdded", self.state.now())
            task = Task(
                id=fields.get("id") or self.state.new_id(),
                location_id=place or "",
                contact_id=contact_id,
                title=fields.get("title", "Call back"),
                body=fields.get("body"),
                assigned_to=fields.get("assignedTo"),
                due_date=iso(_instant(fields, "dueDate", added + 86_400_000)),
                completed=fields.get("completed", False),
                added=added,
                updated=_instant(fields, "dateUpdated", added),
                also=tuple(fields.get("also", ())),
            )
            return self.state.put_task(task).id

    def seed_note(self, contact_id: str, **fields: Any) -> str:
        """Add a note: body, userId, title, color, pinned, dateAdded."""
        with self.state.lock:
            note = Note(
                id=fields.get("id") or self.state.new_id(),
                location_id=self.state.contacts[contact_id].location_id,
                contact_id=contact_id,
                body=fields.get("body", ""),
                user_id=fields.get("userId"),
                title=fields.get("title"),
                color=fields.get("color"),
                pinned=fields.get("pinned", False),
                added=_instant(fields, "dateAdded", self.state.now()),
            )
            return self.state.put_note(note).id

    def seed_custom_field(
        self,
        location_id: str,
        name: str,
        data_type: str = "TEXT",
        *,
        picklist: Iterable[str] = (),
        model: str = "contact",
        id: str = "",  # noqa: A002 - GHL's word
        key: str = "",
    ) -> Row:
        """Add a custom field; returns its `id` and `fieldKey`, new ones unless they are given."""
        with self.state.lock:
            key = key or free_key(self.state, location_id, name, model)
            field = CustomField(
                id=id or self.state.new_id(),
                location_id=location_id,
                name=name,
                key=key,
                data_type=data_type,
                model=model,
                picklist=tuple(picklist),
            )
            self.state.store.put(field)
            return {"id": field.id, "fieldKey": key}

    def seed_user(self, location_id: str, **fields: Any) -> str:
        """Add a user of a location: id, firstName, lastName, email, phone."""
        with self.state.lock:
            user = User(
                id=fields.get("id") or self.state.new_id(),
                company_id=self.state.location(location_id).company_id,
                location_ids=(location_id,),
                first_name=fields.get("firstName", "Sam"),
                last_name=fields.get("lastName", "Sandbox"),
                email=fields.get("email", "sam@example.com"),
                phone=fields.get("phone", ""),
            )
            self.state.store.put(user)
            return user.id

    def seed_business(self, location_id: str, name: str, **fields: Any) -> str:
        """Add a business with its texts by wire name."""
        with self.state.lock:
            now = self.state.now()
            business = Business(
                id=fields.pop("id", None) or self.state.new_hex(),
                location_id=location_id,
                name=name,
                added=now,
                updated=now,
                fields=fields,
            )
            self.state.store.put(business)
            return business.id

    # -- looking

    def contacts(self, location_id: str, *, deleted: bool = False) -> list[Row]:
        """The live contacts as GET shows them, past the lag.

        With `deleted` the deleted ones instead.
        """
        with self.state.lock:
            contacts = [
                one for one in self.state.contacts.values() if one.location_id == location_id
            ]
            return [shapes.one(one, "v2") for one in contacts if one.deleted == deleted]

    def tasks(self, location_id: str) -> list[Row]:
        """The live tasks of a location, with dateAdded and dateUpdated."""
        with self.state.lock:
            tasks = [
                one for one in self.state.live(Task, location_id) if self._stands(one.contact_id)
            ]
            return [
                {**shapes.task(one), "dateAdded": iso(one.added), "dateUpdated": iso(one.updated)}
                for one in tasks
            ]

    def notes(self, location_id: str) -> list[Row]:
        """The live notes of a location."""
        with self.state.lock:
            notes = self.state.live(Note, location_id)
            return [shapes.note(one) for one in notes if self._stands(one.contact_id)]

    def _stands(self, contact_id: str | None) -> bool:
        return contact_id is None or not self.state.contacts[contact_id].deleted

    def max_in_window(self, location_id: str) -> int:
        """The most requests that ever arrived for a location within one rate-limit window."""
        return self.quotas.max_in_window(location_id)

    def spend(self, location_id: str, requests: int, *, client: str = "pit") -> None:
        """Take from today's quota of a client on a location.

        Other work with the same token would do so.
        """
        with self.state.lock:
            self.quotas.spend(client, location_id, requests, self.state.clock())

    def catch_up(self) -> None:
        """Let search see every write at once, as if the lag had passed."""
        self.state.catch_up()

    def arm(self, *faults: Fault) -> None:
        """Switch faults on."""
        with self.state.lock:
            for fault in faults:
                self.faults.arm(fault)


def _instant(row: Mapping[str, Any], name: str, default: int) -> int:
    if row.get(name) is None:
        return default
    instant = parse_instant(row[name])
    if instant is None:
        raise ValueError(f"{name} must be ISO 8601 or milliseconds, found {row[name]!r}")
    return instant


def _unwritable(row: Mapping[str, Any]) -> dict[str, Any]:
    """What only direct access may set: the business link, the type, secondary emails and phones."""
    changes: dict[str, Any] = {}
    for wire, attr in (("businessId", "business_id"), ("type", "type")):
        if wire in row:
            changes[attr] = row[wire]
    lists = {"additionalEmails": "additional_emails", "additionalPhones": "additional_phones"}
    for wire, attr in lists.items():
        if wire in row:
            changes[attr] = tuple(row[wire])
    return changes
