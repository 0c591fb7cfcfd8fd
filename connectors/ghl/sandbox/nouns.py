"""What a sandbox holds.

Immutable records, so that the lagging index may keep an older one while the store has the next.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

Json: TypeAlias = Any
Row: TypeAlias = dict[str, Any]


class Noun(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A stored record; `id` is unique within its kind.

    Instants are milliseconds since the epoch.
    """

    id: str


class Location(Noun, frozen=True, kw_only=True, omit_defaults=True):
    """A sub-account and the settings of it that change how contacts behave.

    `installed` says whether the agency's marketplace app may work in it.
    """

    company_id: str
    name: str
    country: str
    timezone: str
    allow_duplicates: bool
    match_order: tuple[str, ...]
    allow_duplicate_opportunities: bool = False
    installed: bool = True


class Token(Noun, frozen=True, kw_only=True, omit_defaults=True):
    """An access token; `id` is the token itself.

    `scopes` None means all, `expires` None means never.
    """

    kind: str
    client: str
    location_id: str | None = None
    company_id: str | None = None
    scopes: tuple[str, ...] | None = None
    expires: int | None = None
    revoked: bool = False


class Client(Noun, frozen=True, kw_only=True, omit_defaults=True):
    """A marketplace app; `id` is its client id."""

    secret: str
    company_id: str
    scopes: tuple[str, ...]
    redirect_uris: tuple[str, ...] = ()


class Grant(Noun, frozen=True, kw_only=True, omit_defaults=True):
    """An authorization code or a refresh token.

    Once used, `successor` holds the reply that it led to.
    """

    kind: str
    client: str
    expires: int
    scopes: tuple[str, ...]
    user_type: str
    location_id: str | None = None
    company_id: str | None = None
    redirect_uri: str | None = None
    challenge: str | None = None
    used: int | None = None
    successor: Row | None = None


class Contact(Noun, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A contact.

    Custom field values are by field id, do-not-disturb settings by v2 channel name. The birth date
    is YYYY-MM-DD.
    """

    location_id: str
    added: int
    updated: int
    revision: int = 0
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    phone: str | None = None
    address1: str | None = None
    city: str | None = None
    state: str | None = None
    postal_code: str | None = None
    country: str | None = None
    website: str | None = None
    timezone: str | None = None
    source: str | None = None
    date_of_birth: str | None = None
    assigned_to: str | None = None
    company_name: str | None = None
    gender: str | None = None
    business_id: str | None = None
    type: str = "lead"
    dnd: bool = False
    dnd_settings: Row = {}
    inbound_dnd: Row = {}
    tags: tuple[str, ...] = ()
    custom_fields: Row = {}
    additional_emails: tuple[str, ...] = ()
    additional_phones: tuple[str, ...] = ()
    deleted: bool = False
    merged_into: str | None = None


class Task(Noun, frozen=True, kw_only=True, omit_defaults=True):
    """A task (docs/ghl.md#tasks).

    `contact_id` is None for one that hangs on another kind of object. `also` are further contacts
    that it is linked to.
    """

    location_id: str
    contact_id: str | None
    title: str
    due_date: str
    completed: bool
    added: int
    updated: int
    body: str | None = None
    assigned_to: str | None = None
    also: tuple[str, ...] = ()
    deleted: bool = False

    @property
    def contacts(self) -> tuple[str | None, ...]:
        """All that it is linked to, the first one first."""
        return (self.contact_id, *self.also)


class Note(Noun, frozen=True, kw_only=True, omit_defaults=True):
    """A note of a contact. GHL shows no time of its last change, so none is kept."""

    location_id: str
    contact_id: str
    body: str
    added: int
    user_id: str | None = None
    title: str | None = None
    color: str | None = None
    pinned: bool = False
    deleted: bool = False


class Pipeline(Noun, frozen=True, kw_only=True, omit_defaults=True):
    """A pipeline of a location; `stages` are the ids and names of its steps, in order."""

    location_id: str
    name: str
    stages: tuple[tuple[str, str], ...]
    deleted: bool = False


class Opportunity(Noun, frozen=True, kw_only=True, omit_defaults=True):
    """An opportunity of a contact (docs/ghl.md#opportunities).

    Custom field values are by field id.
    """

    location_id: str
    contact_id: str
    name: str
    pipeline_id: str
    stage_id: str
    added: int
    updated: int
    staged: int
    status: str = "open"
    value: float = 0
    assigned_to: str | None = None
    source: str | None = None
    lost_reason_id: str | None = None
    custom_fields: Row = {}
    deleted: bool = False


class Tag(Noun, frozen=True, kw_only=True, omit_defaults=True):
    """An entry of a location's tag dictionary: `name` keeps the bytes as they were sent."""

    location_id: str
    name: str
    deleted: bool = False


class CustomField(Noun, frozen=True, kw_only=True, omit_defaults=True):
    """A custom field; `key` is the full key such as contact.shirt_size."""

    location_id: str
    name: str
    key: str
    data_type: str
    model: str = "contact"
    picklist: tuple[str, ...] = ()
    placeholder: str = ""
    position: float = 0
    deleted: bool = False


class User(Noun, frozen=True, kw_only=True, omit_defaults=True):
    """A person who works in locations."""

    company_id: str
    location_ids: tuple[str, ...]
    first_name: str
    last_name: str
    email: str
    phone: str = ""


class Business(Noun, frozen=True, kw_only=True, omit_defaults=True):
    """A business that contacts may be linked to; `fields` are its texts by wire name."""

    location_id: str
    name: str
    added: int
    updated: int
    fields: Row = {}
    deleted: bool = False


class Calendar(Noun, frozen=True, kw_only=True, omit_defaults=True):
    """A calendar of a location."""

    location_id: str
    name: str


class Appointment(Noun, frozen=True, kw_only=True, omit_defaults=True):
    """An appointment: start and end in milliseconds, shown in the location's timezone."""

    location_id: str
    calendar_id: str
    contact_id: str
    title: str
    start: int
    end: int
    status: str
    added: int
    updated: int
    user_id: str | None = None
    notes: str | None = None
    address: str | None = None
    deleted: bool = False


KINDS: tuple[type[Noun], ...] = (
    Location,
    Token,
    Client,
    Grant,
    Contact,
    Task,
    Note,
    Pipeline,
    Opportunity,
    Tag,
    CustomField,
    User,
    Business,
    Calendar,
    Appointment,
)
