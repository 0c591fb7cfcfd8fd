"""POST /contacts/search.

Filters, sort, cursor and total over the lagging index (docs/ghl.md#search).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from connectors.ghl.sandbox import filters, shapes
from connectors.ghl.sandbox.answers import Answer, Refusal, invalid
from connectors.ghl.sandbox.call import Call
from connectors.ghl.sandbox.dto import SEARCH
from connectors.ghl.sandbox.index import Order, SearchIndex
from connectors.ghl.sandbox.nouns import Business, Contact, CustomField, Row

PAGE_MAX = 500
PAGED_MAX = 10_000
# Which sort GHL applies when none is asked for is unknown; newest first is what its own screens
# show.
DEFAULT_SORT = ("dateAdded", "desc")


@dataclass(frozen=True, slots=True)
class Query:
    """A search, understood.

    `bounds` is the inclusive range of the sort field where the filters say nothing else.
    """

    field: str
    descending: bool
    more: tuple[tuple[str, bool], ...]
    limit: int
    page: int | None
    cursor: list[Any] | None
    test: filters.Test | None
    key: bytes = b""
    low: int | None = None
    high: int | None = None


def search(call: Call) -> Answer:
    """POST /contacts/search."""
    body = call.checked(SEARCH)
    location = call.location(body["locationId"])
    fields = call.state.fields(location.id)
    query = understand(body, fields)
    total, contacts = run(call.state.index(location.id), query, fields)
    return Answer(200, {"contacts": _items(call, contacts, query, fields), "total": total})


def understand(body: Mapping[str, Any], fields: Mapping[str, CustomField]) -> Query:
    """Check what the validator alone does not, and plan the search. Raises Refusal 400 or 422."""
    limit, page, cursor = body["pageLimit"], body.get("page"), body.get("searchAfter")
    if not isinstance(limit, int) or not 1 <= limit <= PAGE_MAX:
        raise invalid(
            f"pageLimit must not be {'less than 1' if limit < 1 else f'greater than {PAGE_MAX}'}"
        )
    if len(body.get("query") or "") > 75:
        raise invalid("query must be shorter than or equal to 75 characters")
    if page is not None and (not isinstance(page, int) or page < 1):
        raise invalid("page must not be less than 1")
    if page is not None and cursor:
        raise Refusal(400, "page and searchAfter can not be used together")
    if page is not None and page * limit > PAGED_MAX:
        raise Refusal(
            400, f"Only the first {PAGED_MAX} records can be read by page, use searchAfter"
        )
    if cursor and not isinstance(cursor, list):
        raise invalid("searchAfter must be an array")
    sort = _sort(body.get("sort") or [], fields)
    low, high, rest = _narrow(body.get("filters") or [], sort[0][0])
    test = _test(rest, body.get("query") or "", fields)
    key = msgspec.json.encode([sort[0][0], rest, body.get("query")])
    return Query(*sort[0], tuple(sort[1:]), limit, page, cursor or None, test, key, low, high)


def run(
    index: SearchIndex, query: Query, fields: Mapping[str, CustomField]
) -> tuple[int, list[Contact]]:
    """How many contacts match, and the page asked for."""
    order = {"dateAdded": index.by_added, "dateUpdated": index.by_updated}.get(query.field)
    if order is None or query.more:
        return _by_sorting(index, query, fields)
    if query.test is not None:
        order = index.view(query.key, order, query.test)
    span = order.between(query.low, query.high)
    return max(span[1] - span[0], 0), _slice(index, order, query, span)


def _slice(index: SearchIndex, order: Order, query: Query, span: tuple[int, int]) -> list[Contact]:
    """The page within positions `span` of an order; a cursor wins over a page number."""
    start, end = span
    skip = ((query.page or 1) - 1) * query.limit
    if query.descending:
        if query.cursor:
            end = min(end, _position(order, query.cursor, before=True))
        end -= skip
        taken = order.entries[max(end - query.limit, start) : max(end, start)][::-1]
    else:
        if query.cursor:
            start = max(start, _position(order, query.cursor, before=False))
        start += skip
        taken = order.entries[start : min(start + query.limit, end)]
    return [index.rows[key] for _, key in taken]


def _position(order: Order, cursor: list[Any], *, before: bool) -> int:
    if (
        len(cursor) != 2
        or not isinstance(cursor[0], (int, float))
        or not isinstance(cursor[1], str)
    ):
        raise Refusal(400, "Invalid searchAfter")
    after = order.after((int(cursor[0]), cursor[1]))
    at_cursor = after > 0 and order.entries[after - 1] == (int(cursor[0]), cursor[1])
    if before and at_cursor:
        return after - 1
    return after


def _by_sorting(
    index: SearchIndex, query: Query, fields: Mapping[str, CustomField]
) -> tuple[int, list[Contact]]:
    """Any other sort: all matches are sorted anew.

    Absent values come last in either direction, and ties are settled by id.
    """
    matching = [one for one in index.rows.values() if query.test is None or query.test(one)]
    matching.sort(key=lambda one: one.id)
    for name, descending in reversed(_keys(query)):
        get = filters.getter(name, fields)
        matching.sort(
            key=lambda one, get=get: _rank(get(one)),  # type: ignore[misc]
            reverse=descending,
        )
        matching.sort(key=lambda one, get=get: get(one) is None)  # type: ignore[misc]
    start = ((query.page or 1) - 1) * query.limit
    if query.cursor:
        ids = [one.id for one in matching]
        start = ids.index(query.cursor[-1]) + 1 if query.cursor[-1] in ids else len(ids)
    return len(matching), matching[start : start + query.limit]


def _keys(query: Query) -> list[tuple[str, bool]]:
    return [(query.field, query.descending), *query.more]


def _rank(value: Any) -> tuple[int, Any]:
    if value is None:
        return (0, 0)
    if isinstance(value, str):
        return (1, value.casefold())
    if isinstance(value, (int, float)):
        return (0, value)
    return (2, str(value))


def _sort(
    rows: list[Mapping[str, Any]], fields: Mapping[str, CustomField]
) -> list[tuple[str, bool]]:
    keys = []
    for row in rows or [{"field": DEFAULT_SORT[0], "direction": DEFAULT_SORT[1]}]:
        name, direction = row.get("field"), row.get("direction", "desc")
        if not isinstance(name, str) or direction not in ("asc", "desc"):
            raise invalid("sort.direction must be one of the following values: asc, desc")
        filters.getter(name, fields)
        keys.append((name, direction == "desc"))
    return keys


def _narrow(rows: list[Any], field: str) -> tuple[int | None, int | None, list[Any]]:
    """Ranges on an instant that is also the sort field become bounds.

    They then cost two bisections.
    """
    low: int | None = None
    high: int | None = None
    rest = []
    for row in rows:
        if (
            field not in ("dateAdded", "dateUpdated")
            or row.get("field") != field
            or row.get("operator") != "range"
        ):
            rest.append(row)
            continue
        for key, bound in filters.parse_range(field, row.get("value")).items():
            if key in ("gt", "gte"):
                low = max(bound + (key == "gt"), low if low is not None else bound)
            else:
                high = min(bound - (key == "lt"), high if high is not None else bound)
    return low, high, rest


def _test(rows: list[Any], text: str, fields: Mapping[str, CustomField]) -> filters.Test | None:
    tests = [filters.every(rows, fields)] if rows else []
    if part := text.strip().casefold():
        tests.append(lambda one: any(part in value.casefold() for value in texts(one)))
    if not tests:
        return None
    return lambda one: all(test(one) for test in tests)


def texts(contact: Contact) -> Iterator[str]:
    """What a text query looks at: full name, email, phone, company."""
    yield from (
        one
        for one in (shapes.full_name(contact), contact.email, contact.phone, contact.company_name)
        if one
    )


def _items(
    call: Call, contacts: list[Contact], query: Query, fields: Mapping[str, CustomField]
) -> list[Row]:
    dates = {key: field for key, field in fields.items() if field.data_type == "DATE"}
    businesses = call.state.store.table(Business)
    getters = [filters.getter(name, fields) for name, _ in _keys(query)]
    items = []
    for contact in contacts:
        business = businesses.get(contact.business_id or "")
        item = shapes.search_item(contact, call.version, dates, business.name if business else None)
        if call.state.settings.inbound_in_search:
            item["inboundDndSettings"] = contact.inbound_dnd
        if call.state.settings.older_search:
            item = shapes.older(item)
        if not call.state.settings.explicit_nulls:
            item = shapes.without_nulls(item)
        item["searchAfter"] = [*(get(contact) for get in getters), contact.id]
        items.append(item)
    return items
