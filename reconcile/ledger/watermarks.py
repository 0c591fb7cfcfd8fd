"""Up to when each side of a pair has been looked at for changes.

The next look need not read what lies before.
"""

from __future__ import annotations

import sqlalchemy as sa

from reconcile.ledger import schema
from reconcile.ledger.ledger import Ledger
from reconcile.model import Side


def get(ledger: Ledger, side: Side) -> str | None:
    """The moment (ISO 8601, UTC) before which every change of that side is settled.

    None where it never was.
    """
    table = schema.watermark
    query = sa.select(table.c.at).where(ledger.owns(table), table.c.side == side.value)
    with ledger.engine.connect() as connection:
        return connection.execute(query).scalar_one_or_none()


def put(ledger: Ledger, connection: sa.Connection, side: Side, at: str) -> None:
    """Move the watermark to `at`, inside a settlement.

    It also moves back, where the clock was set back since.

    A mark in the future would hide every change until then.
    """
    table = schema.watermark
    mine = (ledger.owns(table), table.c.side == side.value)
    known = connection.execute(sa.select(table.c.at).where(*mine)).scalar_one_or_none()
    if known is None:
        connection.execute(sa.insert(table).values(pair=ledger.pair, side=side.value, at=at))
    elif known != at:
        connection.execute(sa.update(table).where(*mine).values(at=at))
