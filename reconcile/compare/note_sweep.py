"""Which contacts' notes to read next: GHL tells notes one contact at a time, within a budget."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import chain
from typing import Any

import sqlalchemy as sa
from msgspec import Raw

from reconcile.ledger import schema
from reconcile.ledger.ledger import Ledger
from reconcile.link.cells import make_cells
from reconcile.model import Entity, Side
from reconcile.stage.models import render
from reconcile.stage.quoting import literal, quoted
from reconcile.stage.stage import Stage
from reconcile.values.mapping import EntityMap


def choose(stage: Stage, ledger: Ledger, mapped: EntityMap, *, budget: int | None) -> list[str]:
    """Keys of the GHL contacts whose notes to read: at most `budget`, or all without one.

    `mapped` are the notes. `models/sweep_order.sql` says who comes first.
    """
    _load_swept(stage, ledger)
    if budget is None:
        query = f"SELECT key FROM raw_{mapped.entity.parent}_ghl WHERE NOT deleted ORDER BY key"
        return [str(key) for (key,) in stage.rows(query)]
    entity = mapped.entity
    stage.make("compare/pressing_app", entity=entity)
    make_cells(stage, mapped, Side.APP, rows="pressing_app")
    _load_written(stage, ledger, mapped)
    _load_asked(stage, ledger, entity)
    snapshot = stage.snapshots[entity, Side.APP]
    whole = snapshot.complete and not snapshot.partial
    stage.make("compare/pressing", entity=entity, whole=whole, absent_runs=mapped.absent_runs)
    stage.make("compare/contacts_in_question", entity=entity)
    query = render("compare/sweep_order", entity=entity, budget=budget)
    return [str(key) for (key,) in stage.rows(query)]


def _load_swept(stage: Stage, ledger: Ledger) -> None:
    """Create `swept`: when each contact's notes were last read, and last hinted at."""
    table = schema.sweep
    columns = (table.c.contact_key, table.c.checked_at, table.c.hinted_at)
    query = sa.select(*columns).where(ledger.owns(table))
    with ledger.engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(query)]
    stage.fill("swept", [(column.name, "VARCHAR") for column in columns], [rows])


def _load_written(stage: Stage, ledger: Ledger, mapped: EntityMap) -> None:
    """Create `written` (link_id, cells): what the app last showed of notes that we wrote."""
    written = (
        f"base_{mapped.entity} b SEMI JOIN cell_{mapped.entity}_app c ON c.key = b.app_key "
        "WHERE b.app_digest IS NULL"
    )
    link_ids = stage.rows(f"SELECT b.link_id FROM {written} ORDER BY b.link_id")
    named = [str(link_id) for (link_id,) in link_ids]
    batches = ledger.link_rows(mapped.entity, named, ("link_id", "app_cells"))
    rows = chain.from_iterable(batches)
    lines = ({"link_id": link_id, "cells": Raw(str(cells).encode())} for link_id, cells in rows)
    paths = ", ".join(literal(f"$.{quoted(field.name)}") for field in mapped.fields)
    selected = f"link_id, json_extract_string(cells, [{paths}]) AS cells"
    stage.read_lines("written", lines, {"link_id": "VARCHAR", "cells": "JSON"}, selected)


def _load_asked(stage: Stage, ledger: Ledger, entity: Entity) -> None:
    """Create `asked` (subject, contact): what open questions about notes are about."""
    bodies = [json.loads(row.body) for row in ledger.holds()]
    rows = [(body["subject"], _contact(body)) for body in bodies if body["entity"] == entity]
    stage.fill("asked", [("subject", "VARCHAR"), ("contact", "VARCHAR")], [rows])


def _contact(body: Mapping[str, Any]) -> str | None:
    """The contact of one of GHL's notes that a question is about: only the question tells it."""
    if body.get("side") != Side.GHL:
        return None
    contact: str | None = body.get("values", {}).get("contact")
    return contact
