"""Keeps a run that lost its lease from committing.

Another one knows more by then, and would be written over.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from reconcile.errors import Locked
from reconcile.ledger import schema

_REMEDY = (
    "nothing to do: the next run settles what this one had begun; "
    "see why this one stood still for minutes, or who set the clock"
)


_HOLDER = (
    sa.select(schema.lease.c.holder)
    .where(schema.lease.c.pair == sa.bindparam("of"))
    .with_for_update()
)
"""Made once: a run commits for each write."""


def check_held(connection: Connection, pair: str, holder: str) -> None:
    """Raise Locked where the pair's lease is not this holder's.

    The last statement of a transaction, and it holds the row: nobody takes the lease between this
    look and the commit.
    """
    owner = connection.execute(_HOLDER, {"of": pair}).scalar_one_or_none()
    if owner != holder:
        raise Locked(
            f"the lease was lost: {owner or 'nobody'} holds pair {pair!r} now", remedy=_REMEDY
        )
