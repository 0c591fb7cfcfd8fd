"""Which keys of linked records a side may give to others: those it does not show any more."""

from __future__ import annotations

from reconcile.model import Entity, Side
from reconcile.stage.stage import Stage
from reconcile.values.mapping import Mapping


def vacant(stage: Stage, mapping: Mapping) -> frozenset[tuple[Entity, Side, str]]:
    """By kind and side the keys of links whose record is gone from what was read whole there."""
    keys: set[tuple[Entity, Side, str]] = set()
    for mapped in mapping.entities:
        entity = mapped.entity
        if not stage.has(f"moved_{entity}"):
            continue
        for side in Side:
            query = (
                f"SELECT {side}_key FROM moved_{entity} WHERE {side}_state IN ('absent', 'deleted')"
            )
            keys.update((entity, side, str(key)) for (key,) in stage.rows(query))
    return frozenset(keys)
