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


def parted(stage: Stage, mapped: EntityMap) -> bool:
    """Whether this run takes links apart by which values of these records are compared."""
    return any(stage.some(_taken_apart(codec.entity)) for _, codec in _naming(stage, mapped))


def rename_parted(stage: Stage, mapped: EntityMap) -> None:
    """Call what GHL last showed by the name that it has since its link was taken apart.

    Else GHL would seem to have moved from the record that the app had at that key to another.
    """
    for place, codec in _naming(stage, mapped):
        rows = []
        for app, ghl in stage.rows(f"SELECT app_key, ghl_key FROM {_taken_apart(codec.entity)}"):
            rows.append((str(app), codec.decode([str(ghl)], Side.GHL)))
        if rows:
            stage.fill("new_name", _NEW_NAME, [rows])
            stage.make("baseline/basecell_parted", entity=mapped.entity, place=place)
            stage.drop("new_name")


_NEW_NAME = [("was", "VARCHAR"), ("now", "VARCHAR")]


def _taken_apart(entity: Entity) -> str:
    """SQL for the links that a person took apart: both records are there."""
    return f"released_{entity} WHERE gone IS NULL"


def _naming(stage: Stage, mapped: EntityMap) -> Iterator[tuple[int, Linked]]:
    """The values of these records that name others of this run, each with its place."""
    for field in mapped.fields:
        if isinstance(field.codec, Linked) and stage.has(f"released_{field.codec.entity}"):
            yield mapped.place(field.name), field.codec


def _whole(stage: Stage, entity: Entity, side: Side) -> bool:
    snapshot = stage.snapshots[entity, side]
    return snapshot.complete and not snapshot.partial


def _there(stage: Stage, entity: Entity, side: Side) -> frozenset[str] | None:
    if not _whole(stage, entity, side):
        return None
    rows = stage.rows(f"SELECT key FROM raw_{entity}_{side} WHERE NOT deleted")
    return frozenset(str(key) for (key,) in rows)
