"""Finds the links whose two sides are known to differ and were left so: unmoved, a digest alone would pass them as equal."""

from __future__ import annotations

import json
from collections.abc import Iterator

import sqlalchemy as sa

from reconcile import schema
from reconcile.ledger import Ledger
from reconcile.mapping import EntityMap, Mapping
from reconcile.model import Cell
from reconcile.stage import Stage

_BATCH = 10_000


def load_standing(stage: Stage, ledger: Ledger, mapping: Mapping) -> None:
    """Create `standing_e` (link_id) from the ledger: links that last showed another value on one side than on the other.

    The database compares whole texts; only where those differ (a field that one side has not is in both, or in neither)
    are the fields looked at.
    """
    for mapped in mapping.entities:
        batches = _batches(ledger, mapped)
        stage.fill(f"standing_{mapped.entity}", [("link_id", "VARCHAR")], batches)


def _batches(ledger: Ledger, mapped: EntityMap) -> Iterator[list[tuple[str]]]:
    link = schema.link
    query = sa.select(link.c.link_id, link.c.app_cells, link.c.ghl_cells).where(
        link.c.pair == ledger.pair, link.c.entity == mapped.entity.value, link.c.app_cells != link.c.ghl_cells
    )
    names = [field.name for field in mapped.fields if field.app and field.ghl]
    with ledger.engine.connect() as connection:
        for rows in connection.execution_options(yield_per=_BATCH).execute(query).partitions():
            yield [(link_id,) for link_id, app, ghl in rows if _differ(json.loads(app), json.loads(ghl), names)]


def _differ(app: dict[str, Cell], ghl: dict[str, Cell], names: list[str]) -> bool:
    """Whether a field that both sides have is not the same; {} is a side that has not been seen."""
    return bool(app) and bool(ghl) and any(app.get(name) != ghl.get(name) for name in names)
