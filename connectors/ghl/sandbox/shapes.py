"""A contact, a task, a note as the different endpoints show them.

No two of GHL's contact shapes are the same.
"""

from __future__ import annotations

from collections.abc import Mapping

from connectors.ghl.sandbox.dto import V2_CHANNELS, V3_CHANNELS
from connectors.ghl.sandbox.instants import date_ms, iso
from connectors.ghl.sandbox.nouns import Contact, CustomField, Note, Row, Task

V3_NAMES = dict(zip(V2_CHANNELS, V3_CHANNELS, strict=True))


def done(version: str) -> Row:
    """The reply of a delete: `succeded` (sic) in v2, both spellings in v3."""
    if version == "v3":
        return {"succeeded": True, "succeded": True}
    return {"succeded": True}


def full_name(contact: Contact) -> str | None:
    """First and last name, or None for a nameless contact."""
    return " ".join(part for part in (contact.first_name, contact.last_name) if part) or None


def label(contact: Contact) -> str:
    """`contactName`: lower-cased, or the phone of a nameless contact (docs/ghl.md#names)."""
    return (full_name(contact) or contact.phone or contact.email or "").lower()


def _lower(text: str | None) -> str | None:
    if not text:
        return None
    return text.lower()


def dnd_settings(contact: Contact, version: str) -> Row:
    """Channels by the version's key names."""
    if version != "v3":
        return dict(contact.dnd_settings)
    return {V3_NAMES[name]: value for name, value in contact.dnd_settings.items()}


def custom_values(contact: Contact, dates: Mapping[str, CustomField] | None = None) -> list[Row]:
    """`{id, value}` items.

    With `dates`, fields of type DATE show epoch milliseconds, as search does.
    """
    if not contact.custom_fields:
        return []
    if dates is None:
        return [{"id": key, "value": value} for key, value in contact.custom_fields.items()]
    return [
        {"id": key, "value": date_ms(value) if key in dates else value}
        for key, value in contact.custom_fields.items()
    ]


def _person(contact: Contact) -> Row:
    return {
        "id": contact.id,
        "locationId": contact.location_id,
        "firstName": contact.first_name,
        "lastName": contact.last_name,
        "firstNameLowerCase": _lower(contact.first_name),
        "lastNameLowerCase": _lower(contact.last_name),
        "fullNameLowerCase": _lower(full_name(contact)),
        "email": contact.email,
        "phone": contact.phone,
        "city": contact.city,
        "state": contact.state,
        "postalCode": contact.postal_code,
        "country": contact.country,
        "website": contact.website,
        "source": contact.source,
        "companyName": contact.company_name,
        "assignedTo": contact.assigned_to,
        "businessId": contact.business_id,
        "type": contact.type,
        "dnd": contact.dnd,
        "tags": list(contact.tags),
        "dateAdded": iso(contact.added),
        "dateUpdated": iso(contact.updated),
        "additionalEmails": [
            {"email": one, "validEmail": None} for one in contact.additional_emails
        ],
        "additionalPhones": [
            {"phone": one, "phoneLabel": None} for one in contact.additional_phones
        ],
    }


def one(contact: Contact, version: str) -> Row:
    """GET /contacts/{id} and the reply of an update."""
    return {
        **_person(contact),
        "name": full_name(contact),
        "emailLowerCase": _lower(contact.email),
        "address1": contact.address1,
        "timezone": contact.timezone,
        "dateOfBirth": f"{contact.date_of_birth}T00:00:00.000Z" if contact.date_of_birth else None,
        "gender": contact.gender,
        "dndSettings": dnd_settings(contact, version),
        "inboundDndSettings": contact.inbound_dnd,
        "customFields": custom_values(contact),
        "attachments": [],
    }


def created(contact: Contact, version: str, *, lower: bool) -> Row:
    """The reply of a create.

    Names in lower case with the original in *Raw, where that quirk is on.
    """
    body = {
        **one(contact, version),
        "deleted": False,
        "bounceEmail": False,
        "unsubscribeEmail": False,
    }
    if version != "v3":
        day = contact.date_of_birth
        body |= {"offers": [], "products": [], "birthMonth": int(day[5:7]) if day else None}
        body |= {"birthDay": int(day[8:10]) if day else None}
    else:
        body = {
            name: value
            for name, value in body.items()
            if name not in ("deleted", "bounceEmail", "unsubscribeEmail")
        }
    if lower:
        return _lowered(body)
    return body


def listed(contact: Contact, *, lower: bool) -> Row:
    """An item of the deprecated list, and of the list by business."""
    body = {
        **_person(contact),
        "contactName": label(contact),
        "address1": contact.address1,
        "timezone": contact.timezone,
        "dateOfBirth": f"{contact.date_of_birth}T00:00:00.000Z" if contact.date_of_birth else None,
        "customFields": custom_values(contact),
        "followers": [],
        "attributions": [],
    }
    for name in ("firstNameLowerCase", "lastNameLowerCase", "fullNameLowerCase"):
        del body[name]
    if lower:
        return _lowered(body)
    return body


def _lowered(body: Row) -> Row:
    for name in ("firstName", "lastName"):
        body[f"{name}Raw"] = body[name]
        body[name] = _lower(body[name])
    return body


def search_item(
    contact: Contact, version: str, dates: Mapping[str, CustomField], business: str | None
) -> Row:
    """An item of POST /contacts/search, without its `searchAfter`.

    Address, no timezone, birth date in milliseconds.
    """
    body = {
        **_person(contact),
        "address": contact.address1,
        "dateOfBirth": date_ms(contact.date_of_birth) if contact.date_of_birth else None,
        "dndSettings": dnd_settings(contact, version),
        "customFields": custom_values(contact, dates),
        "businessName": business,
        "phoneLabel": None,
        "validEmail": None,
        "followers": [],
        "opportunities": [],
    }
    del body["fullNameLowerCase"]
    return body


def older(body: Row) -> Row:
    """An item of search as GHL's older document shows it.

    Names in lower case alone, no birth date, no custom fields.
    """
    return {name: value for name, value in body.items() if name not in _LATER}


_LATER = ("firstName", "lastName", "dateOfBirth", "customFields")


def without_nulls(body: Row) -> Row:
    """The same without members that are null: GHL was seen both ways (docs/ghl.md#names)."""
    return {name: value for name, value in body.items() if value is not None}


def task(item: Task, contact_id: str | None = None) -> Row:
    """A task as the per-contact endpoints show it, under one of its contacts.

    No dateAdded, no dateUpdated (docs/ghl.md#tasks).
    """
    return {
        "id": item.id,
        "title": item.title,
        "body": item.body,
        "assignedTo": item.assigned_to,
        "dueDate": item.due_date,
        "completed": item.completed,
        "contactId": contact_id or item.contact_id,
    }


def task_search_item(item: Task, contact: Contact | None) -> Row:
    """A task as the location-wide search shows it: `_id`, both dates, `deleted`."""
    shown = task(item, contact.id if contact else None)
    body = {name: value for name, value in shown.items() if name != "id"}
    if item.contact_id is None:
        del body["contactId"]
    return {
        "_id": item.id,
        **body,
        "locationId": item.location_id,
        "dateAdded": iso(item.added),
        "dateUpdated": iso(item.updated),
        "deleted": item.deleted,
        "assignedToUserDetails": None,
        "contactDetails": {"firstName": contact.first_name, "lastName": contact.last_name}
        if contact
        else None,
    }


def note(item: Note) -> Row:
    """A note: no time of its last change (docs/ghl.md#notes)."""
    return {
        "id": item.id,
        "body": item.body,
        "userId": item.user_id,
        "dateAdded": iso(item.added),
        "contactId": item.contact_id,
        "title": item.title,
        "color": item.color,
        "pinned": item.pinned,
    }
