"""What GHL keeps apart from contacts and that names its contact: one search, by a cursor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec

from connectors.ghl import calendars
from connectors.ghl.api import Api
from connectors.ghl.entities import GHL
from connectors.ghl.lines import Row, decode, rows_of
from reconcile.errors import Malformed
from reconcile.model import Entity
from reconcile.ports import Json

PAGE = 100
"""The most that GHL gives at once (docs/ghl.md#opportunities)."""

_ORDER = "added_asc"
"""By when they were made, which never changes: who is made meanwhile comes at the end."""

_DETAILS = ("notes", "tasks", "calendarEvents", "unReadConversations")
"""What the other search gives on request."""


class Meta(msgspec.Struct):
    """What a page says of itself: GHL's own count, and the two halves of the cursor."""

    total: int | None = None
    startAfter: Any = None  # noqa: N815 - GHL's spelling
    startAfterId: str | None = None  # noqa: N815 - GHL's spelling


@dataclass(frozen=True, slots=True)
class Found:
    """A page of the search."""

    rows: tuple[Row, ...]
    total: int | None


def search_params(api: Api, *, limit: int, contact: str | None = None) -> dict[str, str | int]:
    """The parameters of a search: of the whole location, or of one contact; whatever the status."""
    params: dict[str, str | int] = {api.dialect.parameter("location_id"): api.location}
    if contact:
        params[api.dialect.parameter("contact_id")] = contact
    return {**params, "status": "all", "order": _ORDER, "limit": limit}


def pages(api: Api, entity: Entity, contact: str | None = None) -> Iterator[Found]:
    """Pages to the end. Raises Malformed where the cursor stands still or a record comes twice."""
    params = search_params(api, limit=PAGE, contact=contact)
    seen: set[str] = set()
    while True:
        reply = decode(api.call(f"{entity}.search", params=params).body, _page(entity.plural))
        rows = rows_of(getattr(reply, entity.plural))
        for row in rows:
            if row.head.key in seen:
                raise Malformed(f"{entity} {row.head.key} was returned twice: the cursor went back")
            seen.add(row.head.key)
        meta: Meta = reply.meta or Meta()
        yield Found(tuple(rows), meta.total)
        # A short page alone is no end: GHL may allow shorter ones than were asked for.
        counted = meta.total is None or len(seen) >= meta.total
        if not rows or (len(rows) < PAGE and counted):
            return
        params = {**params, **_cursor(meta)}


def first(api: Api, entity: Entity) -> list[dict[str, Any]]:
    """The first row of the other search, in the form of its document: a probe alone asks for it.

    It is not read by: where its cursor comes from is unknown (docs/ghl.md#opportunities).
    """
    body: dict[str, Json] = {
        "locationId": api.location,
        "query": "",
        "limit": 1,
        "page": 1,
        "searchAfter": [],
        "additionalDetails": dict.fromkeys(_DETAILS, False),
    }
    return list(api.call(f"{entity}.find", body=body).json().get(entity.plural) or [])


def _cursor(meta: Meta) -> dict[str, str | int]:
    """Both halves: with one alone GHL begins anew (docs/ghl.md#search)."""
    if meta.startAfter is None or not meta.startAfterId:
        raise Malformed("expected startAfter and startAfterId with a page: the cursor cannot go on")
    return {"startAfter": str(meta.startAfter), "startAfterId": meta.startAfterId}


@cache
def _page(member: str) -> type[msgspec.Struct]:
    return msgspec.defstruct(
        f"{member.capitalize()}Page",
        [(member, list[msgspec.Raw]), ("meta", Meta | None, None)],
    )


def with_names(api: Api, entity: Entity, record: dict[str, Any]) -> dict[str, Any]:
    """A record with the names of what GHL holds by id. Raises Malformed for an unknown id."""
    if GHL[entity].spanned:
        return calendars.with_instants(entity, record, api.calendars(), api.zone())
    if not GHL[entity].named:
        return record
    stage = str(record.get("pipelineStageId") or record.get("pipelineId") or "")
    return api.pipelines(knowing=stage).with_names(record)


def row_with_names(api: Api, entity: Entity, row: Row) -> Row:
    """The same of a row as it came."""
    named = with_names(api, entity, msgspec.json.decode(row.raw))
    return Row(row.head, msgspec.json.encode(named))
