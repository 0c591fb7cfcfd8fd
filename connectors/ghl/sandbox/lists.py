"""Lists of contacts besides search.

The deprecated GET /contacts/, by business, and linking to a business in bulk.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlencode

from connectors.ghl.sandbox import shapes
from connectors.ghl.sandbox.answers import Answer, Refusal, invalid
from connectors.ghl.sandbox.call import Call
from connectors.ghl.sandbox.contacts import save
from connectors.ghl.sandbox.dto import BULK_BUSINESS
from connectors.ghl.sandbox.nouns import Business, Contact, Row
from connectors.ghl.sandbox.search import Query, run, texts

BULK_MAX = 50


def list_contacts(call: Call) -> Answer:
    """GET /contacts/ (v2 only): newest first, 20 by default, 100 at most.

    The cursor takes both startAfter and startAfterId; with one of them alone it is page one again
    (docs/ghl.md#search).
    """
    location = call.location(call.query.get("locationId"))
    limit = call.number("limit", 20, 100)
    after, after_id = call.query.get("startAfter"), call.query.get("startAfterId")
    cursor: list[Any] | None = None
    if after and after.isdigit() and after_id:
        cursor = [int(after), after_id]
    total, contacts = _newest(call, location.id, limit, cursor)
    lower = call.state.settings.lower_case_names
    items = [shapes.listed(one, lower=lower) for one in contacts]
    return Answer(200, {"contacts": items, "meta": _meta(call, contacts, total, limit)})


def _newest(
    call: Call, location_id: str, limit: int, cursor: list[Any] | None
) -> tuple[int, list[Contact]]:
    part = _part(call)
    test = partial(_holds, part) if part else None
    return run(
        call.state.index(location_id),
        Query(
            "dateAdded",
            descending=True,
            more=(),
            limit=limit,
            page=None,
            cursor=cursor,
            test=test,
            key=part.encode(),
        ),
        {},
    )


def _part(call: Call) -> str:
    """The text that is looked for."""
    return (call.query.get("query") or "").strip().casefold()


def _holds(part: str, one: Contact) -> bool:
    return any(part in text.casefold() for text in texts(one))


def _meta(call: Call, contacts: list[Contact], total: int, limit: int) -> Row:
    meta: Row = {
        "total": total,
        "nextPageUrl": None,
        "startAfterId": None,
        "startAfter": None,
        "currentPage": 1,
        "nextPage": None,
        "prevPage": None,
    }
    if len(contacts) < limit:
        return meta
    last = contacts[-1]
    query = {**call.query, "startAfter": last.added, "startAfterId": last.id}
    return {
        **meta,
        "nextPageUrl": f"/contacts/?{urlencode(query)}",
        "startAfterId": last.id,
        "startAfter": last.added,
        "nextPage": 2,
    }


def list_by_business(call: Call) -> Answer:
    """GET /contacts/business/{businessId}: by skip, or under v3 by startAfter[].

    `count` is of all that match.
    """
    location = call.location(call.query.get("locationId"))
    business = call.state.store.table(Business).get(call.path["businessId"])
    if business is None or business.deleted or business.location_id != location.id:
        raise Refusal(400, f"Business not found for id:{call.path['businessId']}")
    part = _part(call)
    index = call.state.index(location.id)
    name = f"business {business.id} {part}".encode()
    view = index.view(name, index.by_added, _linked_to(business.id, part))
    start, limit = call.number("skip", 0, len(view.entries)), call.number("limit", 25, 100)
    after = [value for name, value in call.pairs if name in ("startAfter", "startAfter[]")]
    if call.version == "v3" and len(after) == 2 and after[0].isdigit():
        start = view.after((int(after[0]), after[1]))
    contacts = [index.rows[key] for _, key in view.entries[start : start + limit]]
    lower = call.state.settings.lower_case_names
    items = [shapes.listed(one, lower=lower) for one in contacts]
    return Answer(200, {"contacts": items, "count": len(view.entries)})


def _linked_to(business_id: str, part: str) -> Callable[[Contact], bool]:
    def linked(one: Contact) -> bool:
        return one.business_id == business_id and (not part or _holds(part, one))

    return linked


def bulk_business(call: Call) -> Answer:
    """POST /contacts/bulk/business.

    Link up to 50 contacts to a business, or unlink them with null.
    """
    body = call.checked(BULK_BUSINESS)
    location = call.location(body["locationId"])
    if len(body["ids"]) > BULK_MAX:
        raise invalid(f"ids must contain no more than {BULK_MAX} elements")
    business = call.state.store.table(Business).get(body["businessId"] or "")
    if body["businessId"] is not None and (
        business is None or business.deleted or business.location_id != location.id
    ):
        # The documents declare 200 and 422 alone for this operation.
        raise invalid(f"Business not found for id:{body['businessId']}")
    changed = []
    with call.state.store.batch():
        for contact_id in dict.fromkeys(body["ids"]):
            contact = call.state.contacts.get(contact_id)
            if contact is not None and not contact.deleted and contact.location_id == location.id:
                save(call, contact, {"business_id": body["businessId"]})
                changed.append(contact_id)
    return Answer(200, {"success": True, "ids": changed})
