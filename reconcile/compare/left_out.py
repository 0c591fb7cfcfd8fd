"""Linked contacts that a rule leaves out, with what hangs on them, until it lets them in."""

from __future__ import annotations

from reconcile.link.cells import make_known
from reconcile.model import Side
from reconcile.stage.stage import Stage
from reconcile.values.mapping import EntityMap


def find(stage: Stage, mapped: EntityMap) -> None:
    """Create `left_out`.

    Every linked row is looked at: whether a rule leaves a record out shows in no digest of it.
    """
    entity = mapped.entity
    names = {rule.field for rule in mapped.filters}
    filtered = bool(names) and bool(stage.some(f"base_{entity}"))
    if filtered:
        for side in Side:
            make_known(stage, mapped, side, names=names)
    stage.make("compare/left_out", entity=entity, filtered=filtered)
    if filtered:
        stage.drop(*(f"known_{entity}_{side}" for side in Side))
