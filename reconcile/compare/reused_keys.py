"""Linked contacts of which an end may be another person by now: the question, and what waits."""

from __future__ import annotations

from reconcile.model import Side
from reconcile.stage.stage import Stage
from reconcile.values.codecs import Name
from reconcile.values.mapping import EntityMap, Mapping


def known_by(mapped: EntityMap) -> list[int]:
    """The places of the fields that tell people apart: those of the match rules, and names."""
    names = {name for rule in mapped.match for name in rule}
    return [
        at
        for at, field in enumerate(mapped.fields, start=1)
        if (field.name in names or isinstance(field.codec, Name)) and field.app and field.ghl
    ]


def find(stage: Stage, mapped: EntityMap) -> None:
    """Create `stranger`: linked contacts of which nobody knows whether they are whom they were."""
    places = known_by(mapped)
    snapshots = {side: stage.snapshots[mapped.entity, side] for side in Side}
    # Who was known by one value alone may just have a new one.
    enough = len(places) > 1 and stage.some(f"moved_{mapped.entity}")
    stage.make(
        "compare/stranger",
        entity=mapped.entity,
        known_places=places if enough else [],
        asked=stage.some("in_question"),
        snapshots=snapshots,
        filtered=bool(mapped.filters),
        broken_off=[
            side for side, read in snapshots.items() if not read.complete and not read.partial
        ],
    )


def release(stage: Stage, mapped: EntityMap) -> None:
    """Take apart what a person said are two people, with what hangs on them.

    Each is matched, or created across, anew.
    """
    parent = mapped.entity.parent
    if parent:
        if stage.some(f"released_{parent} WHERE gone IS NULL"):
            stage.make("compare/unlink_children", entity=mapped.entity)
        return
    (answered,) = stage.one("SELECT EXISTS (FROM decision WHERE choice = 'unlink')")
    if answered:
        stage.make("compare/unlink_strangers", entity=mapped.entity)


def leave(stage: Stage, mapping: Mapping) -> None:
    """Let what hangs on such a contact wait: no absence of it counts."""
    if not stage.some("stranger"):
        return
    for mapped in mapping.entities:
        if mapped.entity.parent:
            stage.make("compare/children_wait", entity=mapped.entity)


def draft(stage: Stage, mapped: EntityMap) -> None:
    """Add the questions to `hold`, and create `strayed_contact` for the statement."""
    names = [(place, mapped.fields[place - 1].name) for place in known_by(mapped)]
    stage.make("compare/strayed_person", entity=mapped.entity)
    stage.make("compare/strangers", entity=mapped.entity, known_by=names)
