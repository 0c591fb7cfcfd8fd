"""Linked records of which an end may be another's by now: the question, and what waits."""

from __future__ import annotations

from reconcile.model import Side
from reconcile.stage.stage import Stage
from reconcile.values.codecs import Name
from reconcile.values.mapping import EntityMap, Mapping


def known_by(mapped: EntityMap) -> list[int]:
    """The places of the fields that tell one from another: those of the match rules, and names."""
    names = {name for rule in mapped.match for name in rule}
    return [
        at
        for at, field in enumerate(mapped.fields, start=1)
        if (field.name in names or isinstance(field.codec, Name)) and field.app and field.ghl
    ]


def _known_besides(mapped: EntityMap) -> list[int]:
    """The places of all other fields, of what is no person: it may get another name by itself."""
    if mapped.entity.spec.person:
        return []
    known = known_by(mapped)
    both = [at for at, field in enumerate(mapped.fields, start=1) if field.app and field.ghl]
    return [at for at in both if at not in known]


def find(stage: Stage, mapped: EntityMap) -> None:
    """Create `stranger_e`: linked records of which nobody knows whether they are what they were.

    It is made of what hangs on nothing.
    """
    entity = mapped.entity
    snapshots = {side: stage.snapshots[entity, side] for side in Side}
    broken_off = [
        side for side, read in snapshots.items() if not read.complete and not read.partial
    ]
    stage.make(
        "compare/stranger",
        entity=entity,
        known_places=known_by(mapped) if stage.some(f"moved_{entity}") else [],
        other_places=_known_besides(mapped),
        asked=stage.some("in_question"),
        snapshots=snapshots,
        filtered=bool(mapped.filters),
        broken_off=broken_off,
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
    for mapped in mapping.entities:
        parent = mapped.entity.parent
        if parent and stage.some(f"stranger_{parent}"):
            stage.make("compare/children_wait", entity=mapped.entity)


def draft(stage: Stage, mapped: EntityMap) -> None:
    """Add the questions to `hold`, and create `strayed_e` for the statement."""
    names = [(place, mapped.fields[place - 1].name) for place in known_by(mapped)]
    stage.make("compare/strayed_person", entity=mapped.entity)
    stage.make("compare/strangers", entity=mapped.entity, known_by=names)
