"""What hangs on nothing but the location: the endpoints that every such kind has, by its name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import msgspec

from connectors.ghl.api import Api
from connectors.ghl.contacts import member
from connectors.ghl.entities import GHL
from connectors.ghl.lines import Row, fresh, listed
from connectors.ghl.overlap import skipping
from connectors.http import Answer
from reconcile.errors import NotFound, Transient
from reconcile.model import Entity
from reconcile.ports import Json

PAGE = 100
"""What GHL lists at once unless it is told (docs/ghl.md#companies)."""

SWEEPS = 5
"""How often a list is read whose rows move between its pages."""


def page(api: Api, entity: Entity, skip: int) -> list[Row]:
    """One page of the location's list, from a place on."""
    params: dict[str, str | int] = {"locationId": api.location, "limit": PAGE, "skip": skip}
    return listed(api.call(f"{entity}.list", params=params).body, GHL[entity].listed)


def every(api: Api, entity: Entity, *, width: int = 1) -> Iterator[list[Row]]:
    """All that the list shows, each once.

    Its order is not told: it is read again where rows moved between pages. Raises Transient where
    they never come to rest.
    """
    seen: set[str] = set()
    for _ in range(SWEEPS):
        moved = False
        for rows, shifted in skipping(partial(page, api, entity), width=width):
            moved = moved or shifted
            live = [row for row in fresh(rows, seen) if not row.head.deleted]
            if live:
                yield live
        if not moved:
            return
    raise Transient(
        f"{entity.plural} kept moving between pages through {SWEEPS} reads",
        remedy="repeat the run when nobody adds or deletes any",
    )


def names(api: Api, entity: Entity) -> Iterator[tuple[str, str]]:
    """The id and the name of each that the list shows."""
    for rows in every(api, entity):
        for row in rows:
            yield row.head.key, str(msgspec.json.decode(row.raw).get("name") or "")


def get(api: Api, entity: Entity, key: str) -> dict[str, Any] | None:
    """The record as it is now; None where GHL says that there is none."""
    try:
        return _record(api.call(f"{entity}.get", {entity.value: key}), entity)
    except NotFound:
        return None


def create(api: Api, entity: Entity, fields: Mapping[str, Json]) -> dict[str, Any]:
    """POST: the record as GHL says it now is."""
    body: dict[str, Json] = {**GHL[entity].created, **fields, "locationId": api.location}
    return _record(api.call(f"{entity}.create", body=body), entity)


def update(api: Api, entity: Entity, key: str, fields: Mapping[str, Json]) -> dict[str, Any]:
    """PUT with the changed fields alone."""
    return _record(api.call(f"{entity}.update", {entity.value: key}, body=dict(fields)), entity)


def delete(api: Api, entity: Entity, key: str) -> None:
    """DELETE; what is gone already is what was asked for."""
    try:
        api.call(f"{entity}.delete", {entity.value: key})
    except NotFound:
        return


def _record(answer: Answer, entity: Entity) -> dict[str, Any]:
    """The record in an answer, under whichever of its names."""
    return member(answer.json(), *GHL[entity].members)
