"""Which records of a kind that others name are one thing on both sides, as this run finds them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from reconcile.ledger.ledger import Ledger
from reconcile.model import Entity, Side
from reconcile.plan.creates import find_orphans
from reconcile.stage.models import render
from reconcile.stage.stage import Stage
from reconcile.stage.texts import text
from reconcile.values.mapping import EntityMap, Mapping
from reconcile.values.references import Directory, Ends, Linked


def with_directories(mapping: Mapping, ledger: Ledger) -> Mapping:
    """The mapping whose values by key know what the ledger links."""
    known: dict[Entity, Directory] = {}
    for mapped in mapping.entities:
        for field in mapped.fields:
            if not isinstance(field.codec, Linked):
                continue
            entity = field.codec.entity
            if entity not in known:
                known[entity] = Directory(entity, _linked(ledger, entity))
    if not known:
        return mapping
    entities = [_knowing(mapped, known) for mapped in mapping.entities]
    return Mapping(tuple(entities))


def _knowing(mapped: EntityMap, known: dict[Entity, Directory]) -> EntityMap:
    fields = []
    for field in mapped.fields:
        codec = field.codec
        if isinstance(codec, Linked):
            linked = replace(codec, directory=known[codec.entity])
            fields.append(replace(field, codec=linked))
        else:
            fields.append(field)
    return replace(mapped, fields=tuple(fields))


def _linked(ledger: Ledger, entity: Entity) -> Iterator[Ends]:
    for batch in ledger.links(entity, ["app_key", "ghl_key"]):
        for app_key, ghl_key in batch:
            yield {Side.APP: app_key, Side.GHL: ghl_key}


def renew(stage: Stage, mapping: Mapping, mapped: EntityMap) -> None:
    """Tell values that name records of this kind which ones are linked, or are to be created.

    What is asked about is not created, and of a link that is in doubt they are told why.
    """
    directories = mapping.directories(mapped.entity)
    if not directories:
        return
    entity = mapped.entity
    ends: list[Ends] = []
    doubts: dict[str, str] = {}
    for app, ghl, doubt in stage.rows(render("plan/ends", entity=entity)):
        ends.append({Side.APP: text(app), Side.GHL: text(ghl)})
        if doubt is not None:
            doubts[str(app)] = str(doubt)
    for side in Side:
        # Of a part of the other side, who is missing there is not known: nobody is created.
        if _whole(stage, entity, side.other) and find_orphans(stage, mapped, side):
            query = render(
                "plan/due_ends",
                entity=entity,
                side=side,
                other=side.other,
            )
            ends += [{side: str(key)} for (key,) in stage.rows(query)]
    there = {side: _there(stage, entity, side) for side in Side}
    for directory in directories:
        directory.renew(ends, there, doubts)


def _whole(stage: Stage, entity: Entity, side: Side) -> bool:
    snapshot = stage.snapshots[entity, side]
    return snapshot.complete and not snapshot.partial


def _there(stage: Stage, entity: Entity, side: Side) -> frozenset[str] | None:
    if not _whole(stage, entity, side):
        return None
    rows = stage.rows(f"SELECT key FROM raw_{entity}_{side} WHERE NOT deleted")
    return frozenset(str(key) for (key,) in rows)
