"""Links that an undo left with one end.

What a side lacks of them is no deletion that a person did.
"""

from __future__ import annotations

import sqlalchemy as sa

from reconcile.apply.undo_settlement import UNDO
from reconcile.ledger import schema
from reconcile.ledger.ledger import Ledger
from reconcile.model import Entity, Side
from reconcile.stage.models import render
from reconcile.stage.stage import Stage


def missing(stage: Stage, ledger: Ledger) -> dict[tuple[Entity, Side], int]:
    """Of how many links each side lacks the record, where the link is marked by an undo.

    Empty where none is.
    """
    link, undo = schema.link, schema.run
    ever = sa.exists().where(ledger.owns(undo), undo.c.job == UNDO)
    marked = sa.select(link.c.entity, link.c.link_id).where(
        ledger.owns(link), link.c.how.like("undone by %"), ever
    )
    with ledger.engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(marked)]
    stage.fill("undone", [("entity", "VARCHAR"), ("link_id", "VARCHAR")], [rows])
    if not rows:
        return {}
    return {
        (entity, side): stage.count(render("undo/undone_missing", entity=entity, side=side))
        for entity, side in stage.snapshots
    }
