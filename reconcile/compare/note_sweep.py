"""Which contacts' notes to read next: GHL tells notes one contact at a time, so a run reads what matters most within a budget."""

from __future__ import annotations

import json

import sqlalchemy as sa
from msgspec import Raw

from reconcile.ledger import schema
from reconcile.ledger.ledger import Ledger
from reconcile.link.cells import make_cells
from reconcile.model import Entity, Side
from reconcile.stage.quoting import literal, quoted
from reconcile.stage.stage import Stage
from reconcile.values.mapping import EntityMap

# A note of the app that is no longer as it was last settled. One that this job wrote has no digest: its values are compared.
_MOVED = """
CREATE OR REPLACE TABLE pressing_app AS
SELECT r.digest AS row FROM raw_note_app r LEFT JOIN base_note b ON b.app_key = r.key AND b.app_digest = r.digest
WHERE b.app_key IS NULL AND NOT r.deleted;
"""

# The contacts, by the app's key or by link, that have a note which was written, edited, moved or deleted in the app. Who was
# looked at since and left as it is (no rule makes it, a value is missing) presses nobody any more.
_PRESSING = """
CREATE OR REPLACE TABLE pressing AS
WITH changed AS (
    SELECT c.parent, b.parent AS link FROM cell_note_app c JOIN base_note b ON b.app_key = c.key LEFT JOIN written w USING (link_id)
    WHERE NOT c.excluded AND (b.app_digest IS NOT NULL OR c.cells IS DISTINCT FROM w.cells)
), created AS (
    SELECT c.parent FROM cell_note_app c ANTI JOIN base_note b ON b.app_key = c.key
    LEFT JOIN base_contact o ON o.app_key = c.parent LEFT JOIN swept s ON s.contact_key = o.ghl_key
    WHERE NOT c.excluded AND (c.modified_at < s.checked_at) IS NOT TRUE
), deleted AS (
    SELECT b.parent AS link FROM base_note b LEFT JOIN raw_note_app r ON r.key = b.app_key
    WHERE {whole} AND (r.key IS NULL OR r.deleted) AND b.app_absent < {absent_runs}
)
SELECT DISTINCT o.ghl_key AS key FROM base_contact o
WHERE o.app_key IN (SELECT parent FROM changed UNION ALL SELECT parent FROM created)
    OR o.link_id IN (SELECT link FROM changed UNION ALL SELECT link FROM deleted);
CREATE OR REPLACE TABLE contacts_in_question AS
SELECT DISTINCT o.ghl_key AS key FROM asked a JOIN base_note b ON a.subject = b.link_id JOIN base_contact o ON o.link_id = b.parent
UNION SELECT o.ghl_key FROM asked a JOIN raw_note_app r ON r.key = a.subject JOIN base_contact o ON o.app_key = r.parent
UNION SELECT contact FROM asked WHERE contact IS NOT NULL;
"""

_ORDER = """
SELECT g.key FROM raw_contact_ghl g LEFT JOIN swept s ON s.contact_key = g.key
WHERE NOT g.deleted
ORDER BY g.key NOT IN (FROM pressing), g.key NOT IN (FROM contacts_in_question), (s.hinted_at > coalesce(s.checked_at, '')) IS NOT TRUE,
    s.checked_at IS NOT NULL, (g.modified_at > s.checked_at) IS NOT TRUE, s.checked_at, g.key
"""


def choose(stage: Stage, ledger: Ledger, mapped: EntityMap, *, budget: int | None) -> list[str]:
    """Keys of the GHL contacts whose notes to read; all of them where there is no budget.

    `mapped` are the notes. Within a budget those come first of whom a note was changed in the app, as that change could not be
    carried without; then those of open questions, those that were hinted at, those never read, and those read longest ago.
    """
    _load_swept(stage, ledger)
    if budget is None:
        return [
            str(key)
            for (key,) in stage.rows(
                "SELECT key FROM raw_contact_ghl WHERE NOT deleted ORDER BY key"
            )
        ]
    stage.run(_MOVED)
    make_cells(stage, mapped, Side.APP, rows="pressing_app")
    _load_written(stage, ledger, mapped)
    _load_asked(stage, ledger)
    snapshot = stage.snapshots[Entity.NOTE, Side.APP]
    whole = str(snapshot.complete and not snapshot.partial).lower()
    stage.run(_PRESSING.format(whole=whole, absent_runs=mapped.absent_runs))
    return [str(key) for (key,) in stage.rows(f"{_ORDER} LIMIT {budget:d}")]


def _load_swept(stage: Stage, ledger: Ledger) -> None:
    """Create `swept`: when each contact's notes were last read, and when something hinted at them."""
    table = schema.sweep
    query = sa.select(table.c.contact_key, table.c.checked_at, table.c.hinted_at).where(
        table.c.pair == ledger.pair
    )
    with ledger.engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(query)]
    stage.fill(
        "swept",
        [("contact_key", "VARCHAR"), ("checked_at", "VARCHAR"), ("hinted_at", "VARCHAR")],
        [rows],
    )


def _load_written(stage: Stage, ledger: Ledger, mapped: EntityMap) -> None:
    """Create `written` (link_id, cells): what the app last showed of the notes that this job wrote there, or that wait for something."""
    query = "SELECT link_id FROM base_note b SEMI JOIN cell_note_app c ON c.key = b.app_key WHERE b.app_digest IS NULL ORDER BY 1"
    named = [str(link_id) for (link_id,) in stage.rows(query)]
    rows = (
        row
        for batch in ledger.link_rows(mapped.entity, named, ("link_id", "app_cells"))
        for row in batch
    )
    lines = ({"link_id": link_id, "cells": Raw(str(cells).encode())} for link_id, cells in rows)
    paths = ", ".join(literal(f"$.{quoted(field.name)}") for field in mapped.fields)
    selected = f"link_id, json_extract_string(cells, [{paths}]) AS cells"
    stage.read_lines("written", lines, {"link_id": "VARCHAR", "cells": "JSON"}, selected)


def _load_asked(stage: Stage, ledger: Ledger) -> None:
    """Create `asked` (subject, contact): what open questions about notes are about; of GHL's notes the contact alone says it."""
    rows = []
    for body in (json.loads(row.body) for row in ledger.holds()):
        if body["entity"] == Entity.NOTE:
            contact = (
                body.get("values", {}).get("contact") if body.get("side") == Side.GHL else None
            )
            rows.append((body["subject"], contact))
    stage.fill("asked", [("subject", "VARCHAR"), ("contact", "VARCHAR")], [rows])
