"""Which contacts' notes to read next: GHL tells notes one contact at a time, so a run reads what matters most within a budget."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from reconcile import schema
from reconcile.ledger import Ledger
from reconcile.stage import Stage

# Evidence first: notes across that have no counterpart yet or moved, a hint (a webhook), a contact changed since; then by age.
_ORDER = """
WITH moved AS (
    SELECT r.parent AS app_key FROM raw_note_app r LEFT JOIN base_note b ON b.app_key = r.key AND b.app_digest = r.digest WHERE b.app_key IS NULL
)
SELECT g.key FROM raw_contact_ghl g LEFT JOIN base_contact b ON b.ghl_key = g.key LEFT JOIN swept s ON s.contact_key = g.key
WHERE NOT g.deleted
ORDER BY (b.app_key IN (SELECT app_key FROM moved)) IS NOT TRUE, (s.hinted_at > coalesce(s.checked_at, '')) IS NOT TRUE,
    s.checked_at IS NOT NULL, (g.modified_at > s.checked_at) IS NOT TRUE, s.checked_at, g.key
"""


def choose(stage: Stage, ledger: Ledger, *, budget: int | None) -> list[str]:
    """Keys of the GHL contacts whose notes to read, most pressing first; all of them where there is no budget."""
    table = schema.sweep
    query = sa.select(table.c.contact_key, table.c.checked_at, table.c.hinted_at).where(table.c.pair == ledger.pair)
    with ledger.engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(query)]
    stage.fill("swept", [("contact_key", "VARCHAR"), ("checked_at", "VARCHAR"), ("hinted_at", "VARCHAR")], [rows])
    limit = "" if budget is None else f" LIMIT {budget:d}"
    return [str(key) for (key,) in stage.rows(_ORDER + limit)]


def checked(ledger: Ledger, connection: sa.Connection, keys: Sequence[str], *, at: str) -> None:
    """Remember that these contacts' notes were read at that moment."""
    table = schema.sweep
    for start in range(0, len(keys), 1_000):
        chunk = list(keys[start : start + 1_000])
        mine = sa.and_(table.c.pair == ledger.pair, table.c.contact_key.in_(chunk))
        known = connection.execute(sa.select(table.c.contact_key, table.c.hinted_at).where(mine))
        hinted = {row.contact_key: row.hinted_at for row in known}
        connection.execute(sa.delete(table).where(mine))
        rows = [
            {"pair": ledger.pair, "contact_key": key, "checked_at": at, "hinted_at": hinted.get(key)} for key in chunk
        ]
        connection.execute(sa.insert(table), rows)


def oldest(ledger: Ledger) -> str | None:
    """When the contact whose notes were read longest ago was read: the freshness bound."""
    table = schema.sweep
    with ledger.engine.connect() as connection:
        query = sa.select(sa.func.min(table.c.checked_at)).where(table.c.pair == ledger.pair)
        return connection.execute(query).scalar_one_or_none()


def hinted(ledger: Ledger) -> list[str]:
    """Keys of the GHL contacts of which something hinted, since they were last read, that they or theirs changed."""
    table = schema.sweep
    query = sa.select(table.c.contact_key).where(
        table.c.pair == ledger.pair, table.c.hinted_at > sa.func.coalesce(table.c.checked_at, "")
    )
    with ledger.engine.connect() as connection:
        return [key for (key,) in connection.execute(query.order_by(table.c.contact_key))]


def hint(ledger: Ledger, connection: sa.Connection, keys: Sequence[str], *, at: str) -> None:
    """Remember that something (a webhook) hinted at that moment that these GHL contacts, or theirs, changed."""
    table = schema.sweep
    for key in dict.fromkeys(keys):
        mine = (table.c.pair == ledger.pair, table.c.contact_key == key)
        done = connection.execute(sa.update(table).where(*mine).values(hinted_at=at))
        if not done.rowcount:
            connection.execute(sa.insert(table).values(pair=ledger.pair, contact_key=key, hinted_at=at))
