"""The one table of operations: method, path, scope, versions, who may call, and what answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from connectors.ghl.sandbox import (
    businesses,
    calendars,
    contacts,
    lists,
    notes,
    oauth,
    opportunities,
    schema,
    search,
    tags,
    tasks,
)
from connectors.ghl.sandbox.answers import Answer
from connectors.ghl.sandbox.call import Call

READ, WRITE = "contacts.readonly", "contacts.write"
_READ_OPPORTUNITIES, _WRITE_OPPORTUNITIES = "opportunities.readonly", "opportunities.write"


@dataclass(frozen=True, slots=True)
class Operation:
    """`scope` None: any token.

    `only` "v2" or "v3": published in that one alone. `access`: location, agency, both, open.
    """

    method: str
    path: str
    handler: Callable[[Call], Answer]
    scope: str | None = None
    only: str | None = None
    access: str = "location"


TABLE: tuple[Operation, ...] = (
    Operation("POST", "/contacts/search", search.search, READ),
    Operation("GET", "/contacts/search/duplicate", contacts.find_duplicate, READ),
    Operation("POST", "/contacts/upsert", contacts.upsert_contact, WRITE),
    Operation("GET", "/contacts/business/{businessId}", lists.list_by_business, READ),
    Operation("POST", "/contacts/bulk/business", lists.bulk_business),
    Operation("POST", "/contacts/bulk/tags/update/{type}", tags.bulk_tags),
    Operation("GET", "/contacts/", lists.list_contacts, READ, only="v2"),
    Operation("POST", "/contacts/", contacts.create_contact, WRITE),
    Operation("GET", "/contacts/{contactId}", contacts.get_contact, READ),
    Operation("PUT", "/contacts/{contactId}", contacts.update_contact, WRITE),
    Operation("DELETE", "/contacts/{contactId}", contacts.delete_contact, WRITE),
    Operation("GET", "/contacts/{contactId}/tasks", tasks.list_tasks, READ),
    Operation("POST", "/contacts/{contactId}/tasks", tasks.create_task, WRITE),
    Operation("GET", "/contacts/{contactId}/tasks/{taskId}", tasks.get_task, READ),
    Operation("PUT", "/contacts/{contactId}/tasks/{taskId}", tasks.update_task, WRITE),
    Operation("DELETE", "/contacts/{contactId}/tasks/{taskId}", tasks.delete_task, WRITE),
    Operation("PUT", "/contacts/{contactId}/tasks/{taskId}/completed", tasks.complete_task, WRITE),
    Operation("GET", "/contacts/{contactId}/notes", notes.list_notes, READ),
    Operation("POST", "/contacts/{contactId}/notes", notes.create_note, WRITE),
    Operation("GET", "/contacts/{contactId}/notes/{id}", notes.get_note, READ),
    Operation("PUT", "/contacts/{contactId}/notes/{id}", notes.update_note, WRITE),
    Operation("DELETE", "/contacts/{contactId}/notes/{id}", notes.delete_note, WRITE),
    Operation("POST", "/contacts/{contactId}/tags", tags.add_tags, WRITE),
    Operation("DELETE", "/contacts/{contactId}/tags", tags.remove_tags, WRITE),
    Operation("GET", "/contacts/{contactId}/appointments", calendars.list_of_contact, READ),
    Operation("GET", "/opportunities/pipelines", opportunities.pipelines, _READ_OPPORTUNITIES),
    Operation("GET", "/opportunities/search", opportunities.listed, _READ_OPPORTUNITIES),
    Operation("POST", "/opportunities/search", opportunities.searched, _READ_OPPORTUNITIES),
    Operation("POST", "/opportunities/", opportunities.create, _WRITE_OPPORTUNITIES),
    Operation("GET", "/opportunities/{id}", opportunities.get, _READ_OPPORTUNITIES),
    Operation("PUT", "/opportunities/{id}", opportunities.update, _WRITE_OPPORTUNITIES),
    Operation("PUT", "/opportunities/{id}/status", opportunities.set_status, _WRITE_OPPORTUNITIES),
    Operation("DELETE", "/opportunities/{id}", opportunities.delete, _WRITE_OPPORTUNITIES),
    Operation("GET", "/calendars/", calendars.list_calendars, "calendars.readonly"),
    Operation("GET", "/calendars/events", calendars.list_events, "calendars/events.readonly"),
    Operation(
        "GET",
        "/calendars/events/appointments/{eventId}",
        calendars.get_event,
        "calendars/events.readonly",
    ),
    Operation(
        "GET", "/locations/{locationId}", schema.get_location, "locations.readonly", access="both"
    ),
    Operation(
        "POST",
        "/locations/{locationId}/tasks/search",
        tasks.search_tasks,
        "locations/tasks.readonly",
    ),
    Operation(
        "GET", "/locations/{locationId}/tags", tags.list_dictionary, "locations/tags.readonly"
    ),
    Operation(
        "POST", "/locations/{locationId}/tags", tags.create_dictionary_tag, "locations/tags.write"
    ),
    Operation("GET", "/locations/{locationId}/tags/{tagId}", tags.get_dictionary_tag),
    Operation("PUT", "/locations/{locationId}/tags/{tagId}", tags.rename_dictionary_tag),
    Operation("DELETE", "/locations/{locationId}/tags/{tagId}", tags.delete_dictionary_tag),
    Operation(
        "GET",
        "/locations/{locationId}/customFields",
        schema.list_fields,
        "locations/customFields.readonly",
    ),
    Operation(
        "POST",
        "/locations/{locationId}/customFields",
        schema.create_field,
        "locations/customFields.write",
    ),
    Operation("GET", "/locations/{locationId}/customFields/{id}", schema.get_field),
    Operation("PUT", "/locations/{locationId}/customFields/{id}", schema.update_field),
    Operation("DELETE", "/locations/{locationId}/customFields/{id}", schema.delete_field),
    Operation("GET", "/businesses/", businesses.list_businesses, "businesses.readonly"),
    Operation("POST", "/businesses/", businesses.create_business, "businesses.write"),
    Operation("GET", "/businesses/{businessId}", businesses.get_business, "businesses.readonly"),
    Operation("PUT", "/businesses/{businessId}", businesses.update_business, "businesses.write"),
    Operation("DELETE", "/businesses/{businessId}", businesses.delete_business, "businesses.write"),
    Operation("GET", "/users/", schema.list_users, "users.readonly", only="v2"),
    Operation("GET", "/users/search", schema.search_users, "users.readonly"),
    Operation("POST", "/oauth/token", oauth.token, access="open"),
    Operation(
        "POST",
        "/oauth/locationToken",
        oauth.location_token,
        "oauth.write",
        only="v2",
        access="agency",
    ),
    Operation(
        "POST",
        "/oauth/location-token",
        oauth.location_token,
        "oauth.write",
        only="v3",
        access="agency",
    ),
    Operation(
        "GET",
        "/oauth/installedLocations",
        oauth.installed,
        "oauth.readonly",
        only="v2",
        access="agency",
    ),
    Operation(
        "GET",
        "/oauth/installed-locations",
        oauth.installed,
        "oauth.readonly",
        only="v3",
        access="agency",
    ),
)


def _segments(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.split("/") if part)


_BY_SIZE: dict[tuple[str, int], list[tuple[tuple[str, ...], Operation]]] = {}
for _operation in TABLE:
    _parts = _segments(_operation.path)
    _BY_SIZE.setdefault((_operation.method, len(_parts)), []).append((_parts, _operation))


def find(method: str, path: str) -> tuple[Operation, dict[str, str]] | None:
    """The operation at a path with its path parameters.

    The table's order decides, a trailing slash does not matter.
    """
    parts = _segments(path)
    for pattern, operation in _BY_SIZE.get((method, len(parts)), ()):
        if all(want[0] == "{" or want == part for want, part in zip(pattern, parts, strict=True)):
            named = {
                want[1:-1]: part
                for want, part in zip(pattern, parts, strict=True)
                if want[0] == "{"
            }
            return operation, named
    return None
