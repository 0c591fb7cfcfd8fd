"""Which records of a kind that others name are one thing on both sides, as this run finds them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from reconcile.ledger.ledger import Ledger
from reconcile.model import Entity, Side
from reconcile.plan.creates import find_orphans
from reconcile.stage.models import render
from reconcile.stage.stage import Stage
from reconcile.values.mapping import EntityMap, Mapping
from reconcile.values.references import Directory, Ends, Linked


def with_directories(mapping: Mapping, ledger: Ledger) -> Mapping:
    """The mapping whose values by key know what the ledger links."""
    named = {
        field.codec.entity
        for mapped in mapping.entities
        for field in mapped.fields
        if isinstance(field.codec, Linked)
    }
    if not named:
        return mapping
    known = {entity: Directory(entity, _linked(ledger, entity)) for entity in named}
    return Mapping(tuple(_knowing(mapped, known) for mapped in mapping.entities))


def _knowing(mapped: EntityMap, known: dict[Entity, Directory]) -> EntityMap:
    fields = tuple(
        replace(field, codec=replace(field.codec, directory=known[field.codec.entity]))
        if isinstance(field.codec, Linked)
        else field
        for field in mapped.fields
    )
    return replace(mapped, fields=fields)


def _linked(ledger: Ledger, entity: Entity) -> Iterator[Ends]:
    for batch in ledger.links(entity, ["app_key", "ghl_key"]):
        for app_key, ghl_key in batch:
            yield {Side.APP: app_key, Side.GHL: ghl_key}


def renew(stage: Stage, mapping: Mapping, mapped: EntityMap) -> None:
    """Tell values that name records of this kind which ones are linked, or are to be created.

    What is asked about is neither.
    """
    directories = mapping.directories(mapped.entity)
    if not directories:
        return
    rows = stage.rows(render("plan/ends", entity=mapped.entity))
    ends: list[Ends] = [{Side.APP: _text(app), Side.GHL: _text(ghl)} for app, ghl in rows]
    for side in Side:
        if _whole(stage, mapped.entity, side.other) and find_orphans(stage, mapped, side):
            query = render("plan/due_ends", entity=mapped.entity, side=side, other=side.other)
            due = stage.rows(query)
            ends += [{side: str(key)} for (key,) in due]
    there = {side: _there(stage, mapped.entity, side) for side in Side}
    for directory in directories:
        directory.renew(ends, there)


def _text(key: object) -> str | None:
    return None if key is None else str(key)


def _whole(stage: Stage, entity: Entity, side: Side) -> bool:
    snapshot = stage.snapshots[entity, side]
    return snapshot.complete and not snapshot.partial


def _there(stage: Stage, entity: Entity, side: Side) -> frozenset[str] | None:
    if not _whole(stage, entity, side):
        return None
    rows = stage.rows(f"SELECT key FROM raw_{entity}_{side} WHERE NOT deleted")
    return frozenset(str(key) for (key,) in rows)
