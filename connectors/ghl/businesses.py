"""The businesses of a location, to which contacts are linked by id."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from connectors.ghl.api import Api
from connectors.ghl.contacts import member
from reconcile.errors import NotFound


def every(api: Api, *, limit: int = 100) -> Iterator[dict[str, Any]]:
    """All businesses of the location, by skip and limit, until a page brings nothing new."""
    seen: set[str] = set()
    while True:
        params: dict[str, str | int] = {
            "locationId": api.location,
            "limit": limit,
            "skip": len(seen),
        }
        page = api.call("business.list", params=params).json().get("businesses") or []
        fresh = [item for item in page if item.get("id") not in seen]
        if not fresh:
            return
        seen.update(item["id"] for item in fresh)
        yield from fresh


def get(api: Api, business: str) -> dict[str, Any] | None:
    """One business; None where there is none."""
    try:
        return member(api.call("business.get", {"business": business}).json(), "business")
    except NotFound:
        return None
