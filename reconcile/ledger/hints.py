"""When each contact's notes were last read, and what hinted since then that they changed."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from reconcile.ledger import schema
from reconcile.ledger.chunks import chunks
from reconcile.ledger.ledger import Ledger


def checked(ledger: Ledger, connection: sa.Connection, keys: Sequence[str], *, at: str) -> None:
    """Remember that these contacts' notes were read at that moment."""
    table = schema.sweep
    for chunk in chunks(keys, 1_000):
        mine = sa.and_(ledger.owns(table), table.c.contact_key.in_(chunk))
        query = sa.select(table.c.contact_key, table.c.hinted_at).where(mine)
        hinted = {row.contact_key: row.hinted_at for row in connection.execute(query)}
        connection.execute(sa.delete(table).where(mine))
        rows = []
        for key in chunk:
            moments = {"checked_at": at, "hinted_at": hinted.get(key)}
            rows.append({"pair": ledger.pair, "contact_key": key, **moments})
        connection.execute(sa.insert(table), rows)


def oldest(ledger: Ledger) -> str | None:
    """When the contact whose notes were read longest ago was read: the freshness bound."""
    table = schema.sweep
    with ledger.engine.connect() as connection:
        query = sa.select(sa.func.min(table.c.checked_at)).where(ledger.owns(table))
        return connection.execute(query).scalar_one_or_none()


def hinted(ledger: Ledger) -> list[str]:
    """Keys of the GHL contacts that a hint says changed since they were last read.

    The hint may be of what hangs on them.
    """
    table = schema.sweep
    query = sa.select(table.c.contact_key).where(
        ledger.owns(table), table.c.hinted_at > sa.func.coalesce(table.c.checked_at, "")
    )
    with ledger.engine.connect() as connection:
        return [key for (key,) in connection.execute(query.order_by(table.c.contact_key))]


def hint(ledger: Ledger, connection: sa.Connection, keys: Sequence[str], *, at: str) -> None:
    """Remember that these GHL contacts, or what hangs on them, may have changed.

    Something, such as a webhook, hinted at it at that moment.
    """
    table = schema.sweep
    for key in dict.fromkeys(keys):
        mine = (ledger.owns(table), table.c.contact_key == key)
        done = connection.execute(sa.update(table).where(*mine).values(hinted_at=at))
        if not done.rowcount:
            connection.execute(
                sa.insert(table).values(pair=ledger.pair, contact_key=key, hinted_at=at)
            )
