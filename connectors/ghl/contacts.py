"""The contacts endpoints.

Search, one, duplicates, by business, create, update, delete, upsert, business link.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from connectors.ghl.api import Api
from connectors.ghl.lines import Row, SearchPage, decode, fresh, rows_of
from reconcile.errors import Malformed, NotFound
from reconcile.ports import Json

BUSINESS_PAGE = 100
SORT: list[Json] = [{"field": "dateAdded", "direction": "asc"}]
"""The stable order: dateAdded never changes (docs/ghl.md#search).

By dateUpdated, rows would move between pages.
"""


class BusinessPage(msgspec.Struct):
    """A reply of GET /contacts/business/{id} or of the deprecated GET /contacts/."""

    contacts: list[msgspec.Raw]
    count: int | None = None


def search(
    api: Api, *, page_size: int, filters: list[Any] | None = None, after: list[Any] | None = None
) -> SearchPage:
    """One page of POST /contacts/search, oldest first (docs/ghl.md#search)."""
    body: dict[str, Json] = {"locationId": api.location, "pageLimit": page_size, "sort": SORT}
    if filters:
        body["filters"] = filters
    if after is not None:
        body["searchAfter"] = after
    page: SearchPage = decode(api.call("contact.search", body=body).body, SearchPage)
    return page


def find(api: Api, query: str, *, page_size: int = 20) -> list[dict[str, Any]]:
    """Contacts that GHL's own text search finds for a name.

    At most 75 characters are sent (docs/ghl.md#search).
    """
    newest: list[Json] = [{"field": "dateAdded", "direction": "desc"}]
    body: dict[str, Json] = {
        "locationId": api.location,
        "pageLimit": page_size,
        "query": query[:75],
        "sort": newest,
    }
    items = decode(api.call("contact.search", body=body).body, SearchPage).contacts
    return [msgspec.json.decode(item) for item in items]


def duplicate(
    api: Api, *, email: str | None = None, number: str | None = None
) -> dict[str, Any] | None:
    """GHL's own duplicate search by one identity; None where there is no match."""
    params: dict[str, str | int] = {"locationId": api.location}
    if email:
        params["email"] = email
    if number:
        params["number"] = number
    contact = api.call("contact.duplicate", params=params).json().get("contact")
    return contact if isinstance(contact, dict) else None


def get(api: Api, contact: str) -> dict[str, Any] | None:
    """The contact as it is now, past the search index.

    None where GHL says that there is none (400 or 404).
    """
    try:
        return member(api.call("contact.get", {"contact": contact}).json(), "contact")
    except NotFound:
        return None


def of_business(api: Api, business: str) -> Iterator[list[Row]]:
    """All contacts of a business, by skip and limit, until a page brings nothing new."""
    seen: set[str] = set()
    while True:
        params: dict[str, str | int] = {
            "locationId": api.location,
            "limit": BUSINESS_PAGE,
            "skip": len(seen),
        }
        answer = api.call("contact.business", {"business": business}, params=params)
        page = decode(answer.body, BusinessPage)
        # To an empty page, not to a short one: GHL may allow shorter pages than were asked for.
        rows = fresh(rows_of(page.contacts), seen)
        if not rows:
            return
        yield rows


def create(api: Api, fields: Mapping[str, Json]) -> dict[str, Any]:
    """POST /contacts/: the contact as GHL says it now is.

    Raises Duplicate with the key of the one that exists.
    """
    reply = api.call("contact.create", body={**fields, "locationId": api.location}).json()
    return member(reply, "contact")


def update(api: Api, contact: str, fields: Mapping[str, Json]) -> dict[str, Any] | None:
    """PUT with the changed fields alone.

    Never tags (PUT replaces them all), never locationId (422).
    """
    reply = api.call("contact.update", {"contact": contact}, body=dict(fields)).json()
    updated = reply.get("contact")
    return updated if isinstance(updated, dict) else None


def delete(api: Api, contact: str) -> None:
    """DELETE; a contact that is gone already is what was asked for."""
    try:
        api.call("contact.delete", {"contact": contact})
    except NotFound:
        return


def link_business(api: Api, contacts: Sequence[str], business: str | None) -> set[str]:
    """Link up to 50 contacts to a business, or unlink them (None); the ids that GHL says it did."""
    body: dict[str, Json] = {
        "locationId": api.location,
        "ids": list(contacts),
        "businessId": business,
    }
    reply = api.call("bulk.business", body=body).json()
    return {str(done) for done in reply.get("ids") or []}


def member(reply: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The object under the first of these names that has one. Raises Malformed where none has."""
    for name in names:
        item = reply.get(name)
        if isinstance(item, dict):
            return item
    members = ", ".join(sorted(reply)) or "an empty object"
    raise Malformed(f"expected a reply with {names[0]!r}, found {members}")
