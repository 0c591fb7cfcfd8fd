"""Which webhooks were taken already, so that each counts once however often it is delivered."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from reconcile.ledger import hints, schema
from reconcile.ledger.ledger import Ledger


def take(
    ledger: Ledger, webhook_id: str, contacts: Sequence[str], *, at: str, forget_before: str
) -> bool:
    """Keep what a delivery hints at, and that it came, in one transaction.

    It is False, and nothing is kept, where the delivery came before.

    Deliveries from before `forget_before` are forgotten: whoever sends one of those again has to be
    refused by its age.
    """
    table = schema.delivery
    try:
        with ledger.transaction() as connection:
            connection.execute(
                sa.delete(table).where(ledger.owns(table), table.c.at < forget_before)
            )
            connection.execute(
                sa.insert(table).values(pair=ledger.pair, webhook_id=webhook_id, at=at)
            )
            hints.hint(ledger, connection, contacts, at=at)
    except sa.exc.IntegrityError:
        return False
    return True
