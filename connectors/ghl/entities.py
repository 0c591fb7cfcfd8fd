"""What each kind of record is in GHL, declared once.

Its fields, and by which of GHL's ways it is read and written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from connectors.ghl import consents
from reconcile.entities import Entity, Shown
from reconcile.ports import FieldInfo, FieldType, Json, Path


@dataclass(frozen=True, slots=True)
class GhlEntity:
    """A kind of record in GHL's own terms.

    Its endpoints are those of `endpoints` that begin with its name.

    `paths` says where each native field lies, in order of preference. `info` describes those that
    may be mapped, and `codecs` names the codec of a field where its type alone does not. `match` is
    how unlinked records are matched, and `required` what GHL requires of a new one, both by native
    field; `created` is what a new one holds unless it is said. `content` tells a record that a
    create in doubt may have made.

    `dated` kinds tell when they changed, `versioned` ones also in a reply to a read by id.
    `searched` ones are read in bulk from an index of the whole location; others are told one parent
    at a time. `custom` ones have the location's own fields. `unread` are fields that a bulk read
    does not carry, with the reason; `create_only` cannot be updated. `consent` are the fields that
    say if a person may be written to, and `coarse` gives for a field that says it badly those that
    say it well; `further` names the field with further values of the same kind. `owners` hold the
    id of one of the location's users, `links` that of a record of another kind.

    What is `listed` hangs on nothing but the location, which lists it under that member, page by
    page; `members` are those under which a reply holds one of it. `added` and `updated` name when a
    record was made and changed. `unnulled` fields are cleared by "", as they may not be null.

    `apart` kinds have paths of their own, name their contact in their body, and are read by a
    cursor; others lie under their contact. `named` are fields that hold the name of something where
    GHL holds its id (see `pipelines`); one that is `within` another means something only in what
    that one holds. `custom_values` are the members that may hold a custom
    value, in order of preference.

    `spanned` kinds are read by the location's calendars, as far as that member lies in a stretch of
    time. `moments` are members with a time that may be the location's own. `rows` is the member of
    a list where that is not the kind's own name.
    """

    paths: Mapping[str, tuple[Path, ...]]
    info: Mapping[str, FieldInfo]
    match: tuple[tuple[str, ...], ...]
    scope: str
    required: tuple[str, ...] = ()
    created: Mapping[str, Json] = field(default_factory=dict)
    content: tuple[str, ...] = ()
    codecs: Mapping[str, str] = field(default_factory=dict)
    dated: bool = False
    versioned: bool = False
    searched: bool = False
    custom: bool = False
    unread: Mapping[str, str] = field(default_factory=dict)
    create_only: frozenset[str] = frozenset()
    consent: frozenset[str] = frozenset()
    coarse: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    further: Mapping[str, str] = field(default_factory=dict)
    owners: frozenset[str] = frozenset()
    listed: str = ""
    members: tuple[str, ...] = ()
    links: Mapping[str, Entity] = field(default_factory=dict)
    added: str = "dateAdded"
    updated: str = "dateUpdated"
    unnulled: frozenset[str] = frozenset()
    apart: bool = False
    named: frozenset[str] = frozenset()
    within: Mapping[str, str] = field(default_factory=dict)
    # Reads say `value`, some writes' replies say fieldValue or field_value.
    custom_values: tuple[str, ...] = ("value", "fieldValue", "field_value")
    spanned: str = ""
    moments: tuple[str, ...] = ()
    rows: str = ""

    @property
    def scopes(self) -> tuple[str, ...]:
        """What a token is asked for beside the least."""
        if self.spanned:
            return ("calendars.readonly", f"{self.scope}.readonly")
        if self.listed or self.apart:
            return (f"{self.scope}.readonly", f"{self.scope}.write")
        return ()


@dataclass(frozen=True, slots=True)
class GhlShown:
    """What is only shown, in GHL's own terms.

    The members of its list, by `KIND.list` under a contact, and the scope.
    """

    member: str
    status: tuple[str, ...]
    title: str
    start: str
    scope: str


def one(*names: str) -> tuple[Path, ...]:
    """Members at the top of an object, in order of preference."""
    return tuple((name,) for name in names)


def _plainly(*names: str) -> dict[str, tuple[Path, ...]]:
    """Fields that have one name everywhere."""
    return {name: one(name) for name in names}


_CONTACT = GhlEntity(
    paths={
        # Lists and create replies lower-case the names and keep the original in *Raw
        # (docs/ghl.md#names).
        "firstName": one("firstNameRaw", "firstName", "first_name"),
        "lastName": one("lastNameRaw", "lastName", "last_name"),
        "name": one("name", "contactName", "fullName"),
        "email": one("email"),
        "phone": one("phone"),
        "address1": one("address1", "address"),
        "city": one("city"),
        "state": one("state"),
        "postalCode": one("postalCode"),
        "country": one("country"),
        "website": one("website"),
        "timezone": one("timezone"),
        "companyName": one("companyName"),
        "source": one("source"),
        "dateOfBirth": one("dateOfBirth"),
        "gender": one("gender"),
        "assignedTo": one("assignedTo"),
        "dnd": one("dnd"),
        **consents.PATHS,
        "tags": one("tags"),
        "businessId": one("businessId"),
        "additionalEmails": one("additionalEmails"),
        "additionalPhones": one("additionalPhones"),
        "dateAdded": one("dateAdded"),
    },
    info={
        "firstName": FieldInfo(label="First name"),
        "lastName": FieldInfo(label="Last name"),
        "name": FieldInfo(label="Name"),
        "email": FieldInfo("email", label="Email"),
        "phone": FieldInfo("phone", label="Phone"),
        "address1": FieldInfo(label="Street"),
        "city": FieldInfo(label="City"),
        "state": FieldInfo(label="State"),
        # postalCode, country, companyName are not nullable in the PUT document
        # (docs/ghl.md#clearing).
        "postalCode": FieldInfo(clearable=False, label="Postal code"),
        "country": FieldInfo(clearable=False, label="Country"),
        "website": FieldInfo(label="Website"),
        "companyName": FieldInfo(clearable=False, label="Company"),
        "source": FieldInfo(label="Source"),
        "dateOfBirth": FieldInfo("date", label="Date of birth"),
        "assignedTo": FieldInfo("choice", label="Assigned to"),
        "dnd": FieldInfo("bool", clearable=False, label="Do not disturb"),
        **consents.INFO,
        "tags": FieldInfo("tags", label="Tags"),
        "businessId": FieldInfo(label="Company"),
        "additionalEmails": FieldInfo(
            "json", writable=False, clearable=False, label="Secondary emails"
        ),
        "additionalPhones": FieldInfo(
            "json", writable=False, clearable=False, label="Secondary phones"
        ),
        "dateAdded": FieldInfo("instant", writable=False, clearable=False, label="Added"),
    },
    match=(("email",), ("phone",)),
    scope="contacts",
    codecs={
        "firstName": "name",
        "lastName": "name",
        "name": "name",
        "additionalEmails": "set",
        "additionalPhones": "set",
        **dict.fromkeys(consents.INFO, "consent"),
    },
    dated=True,
    versioned=True,
    searched=True,
    custom=True,
    unread={
        "timezone": "GHL's search, by which contacts are read, does not carry it ",
        "gender": (
            "GHL takes it only when a contact is created, and its search was not seen to carry it"
        ),
    },
    create_only=frozenset({"gender"}),  # an update with it is refused (docs/ghl.md#contacts)
    consent=frozenset(consents.INFO),
    # It is often false while a channel says no (docs/ghl.md#do-not-disturb).
    coarse={"dnd": tuple(consents.INFO)},
    # Read, and never written: GHL refuses that (docs/ghl.md#phones-and-emails).
    further={"email": "additionalEmails", "phone": "additionalPhones"},
    owners=frozenset({"assignedTo"}),
    # By id: `companyName` is a text of its own (docs/ghl.md#companies).
    links={"businessId": Entity.COMPANY},
    unnulled=frozenset({"postalCode", "country", "companyName"}),  # docs/ghl.md#clearing
)

_TASK = GhlEntity(
    paths=_plainly("title", "body", "dueDate", "completed", "assignedTo", "dateAdded"),
    info={
        "title": FieldInfo(clearable=False, label="Title"),
        "body": FieldInfo(label="Body"),
        "dueDate": FieldInfo("instant", clearable=False, label="Due"),
        "completed": FieldInfo("bool", clearable=False, label="Completed"),
        "assignedTo": FieldInfo("choice", label="Assigned to"),
        "dateAdded": FieldInfo("instant", writable=False, clearable=False, label="Added"),
    },
    match=(("title", "dueDate"),),
    scope="locations/tasks",
    required=("title", "dueDate"),  # docs/ghl.md#tasks
    created={"completed": False},  # required as well, and rarely mapped
    content=("title", "body"),
    # GHL's editor stores it as HTML, its API takes plain text (docs/ghl.md#rich-text).
    codecs={"body": "html"},
    # Only tasks/search carries a task's dateUpdated: it dates the row but cannot guard a write
    # against a GET.
    dated=True,
    searched=True,
    owners=frozenset({"assignedTo"}),
)

_NOTE = GhlEntity(
    paths=_plainly("body", "title", "userId", "color", "pinned", "dateAdded"),
    info={
        "body": FieldInfo(clearable=False, label="Body"),
        "title": FieldInfo(label="Title"),
        "userId": FieldInfo("choice", label="Author"),
        "color": FieldInfo(label="Colour"),
        "pinned": FieldInfo("bool", clearable=False, label="Pinned"),
        "dateAdded": FieldInfo("instant", writable=False, clearable=False, label="Added"),
    },
    # Neither dated nor versioned: edits are found by comparing alone (docs/ghl.md#notes).
    match=(("body",),),
    scope="contacts",
    required=("body",),  # docs/ghl.md#notes
    content=("body", "title"),
    codecs={"body": "html"},
    owners=frozenset({"userId"}),
)

_COMPANY_TEXTS: Mapping[str, str] = {
    "name": "Name",
    "phone": "Phone",
    "email": "Email",
    "website": "Website",
    "address": "Street",
    "city": "City",
    "state": "State",
    "postalCode": "Postal code",
    "country": "Country",
    "description": "Description",
}
_TYPED: Mapping[str, FieldType] = {"phone": "phone", "email": "email"}

_COMPANY = GhlEntity(
    paths=_plainly(*_COMPANY_TEXTS, "createdAt"),
    info={
        # No field is nullable in the documents of an update (docs/ghl.md#companies).
        **{
            name: FieldInfo(_TYPED.get(name, "text"), clearable=False, label=label)
            for name, label in _COMPANY_TEXTS.items()
        },
        "createdAt": FieldInfo("instant", writable=False, clearable=False, label="Added"),
    },
    match=(("name",),),
    scope="businesses",
    required=("name",),
    content=("name",),
    codecs={"name": "name"},
    dated=True,
    versioned=True,
    listed="businesses",
    # GHL's spelling in the replies to writes (docs/ghl.md#companies).
    members=("business", "buiseness"),
    added="createdAt",
    updated="updatedAt",
    unnulled=frozenset(_COMPANY_TEXTS),
)

STATUSES = ("open", "won", "lost", "abandoned")
"""What an opportunity may be (docs/ghl.md#opportunities)."""

_OPPORTUNITY = GhlEntity(
    paths={
        **_plainly("name", "pipeline", "stage", "status", "monetaryValue", "assignedTo", "source"),
        "dateAdded": one("createdAt"),
    },
    info={
        "name": FieldInfo(clearable=False, label="Name"),
        "pipeline": FieldInfo("choice", clearable=False, label="Pipeline"),
        "stage": FieldInfo("choice", clearable=False, label="Stage"),
        "status": FieldInfo("choice", clearable=False, label="Status", choices=STATUSES),
        # No member of the update's document is nullable (docs/ghl.md#opportunities).
        "monetaryValue": FieldInfo("decimal", clearable=False, label="Value"),
        "assignedTo": FieldInfo("choice", clearable=False, label="Assigned to"),
        # It is shown, and neither the create nor the update takes it.
        "source": FieldInfo(writable=False, clearable=False, label="Source"),
        "dateAdded": FieldInfo("instant", writable=False, clearable=False, label="Added"),
    },
    match=(("name",),),
    scope="opportunities",
    required=("name", "pipeline"),
    created={"status": "open"},
    content=("name",),
    dated=True,
    searched=True,
    custom=True,
    owners=frozenset({"assignedTo"}),
    apart=True,
    added="createdAt",
    updated="updatedAt",
    named=frozenset({"pipeline", "stage"}),
    within={"stage": "pipeline"},
    # By the document the first; the others were seen (docs/ghl.md#opportunities).
    custom_values=("fieldValue", "fieldValueString", "fieldValueArray"),
)

_APPOINTMENT_TEXTS: Mapping[str, str] = {
    "title": "Title",
    "notes": "Notes",
    "address": "Place",
    "calendar": "Calendar",
    "status": "Status",
    "assignedTo": "Assigned to",
}
_APPOINTMENT_MOMENTS: Mapping[str, str] = {
    "startTime": "Start",
    "endTime": "End",
    "dateAdded": "Added",
}

_APPOINTMENT = GhlEntity(
    paths={
        **_plainly("title", "notes", "address", "calendar", *_APPOINTMENT_MOMENTS),
        "status": one("appointmentStatus"),
        "assignedTo": one("assignedUserId"),
    },
    # It is GHL's: nothing of it is written (docs/ghl.md#appointments).
    info={
        **{
            name: FieldInfo(writable=False, clearable=False, label=label)
            for name, label in _APPOINTMENT_TEXTS.items()
        },
        **{
            name: FieldInfo("instant", writable=False, clearable=False, label=label)
            for name, label in _APPOINTMENT_MOMENTS.items()
        },
    },
    match=(("startTime",),),
    scope="calendars/events",
    content=("title",),
    dated=True,
    owners=frozenset({"assignedTo"}),
    members=("event",),
    rows="events",
    spanned="startTime",
    moments=(*_APPOINTMENT_MOMENTS, "dateUpdated"),
)

GHL: Mapping[Entity, GhlEntity] = MappingProxyType(
    {
        Entity.COMPANY: _COMPANY,
        Entity.CONTACT: _CONTACT,
        Entity.TASK: _TASK,
        Entity.NOTE: _NOTE,
        Entity.OPPORTUNITY: _OPPORTUNITY,
        Entity.APPOINTMENT: _APPOINTMENT,
    }
)
"""Every kind of record that GHL is asked for."""

SHOWN: Mapping[Shown, GhlShown] = MappingProxyType(
    {
        Shown.APPOINTMENT: GhlShown(
            member="events",
            status=("appointmentStatus", "status"),
            title="title",
            start="startTime",
            scope="contacts",
        )
    }
)
"""Every kind that is read to be shown (docs/ghl.md#appointments)."""
