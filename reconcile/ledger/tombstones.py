"""Remembers by what an erased person would be known again, without a value of theirs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from reconcile.ledger import schema
from reconcile.ledger.ledger import Ledger

Trait = tuple[str, str, str]
"""(entity, what, value): a key, where `what` is "app" or "ghl", or the identity under the match
rule that `what` names."""


def digest(salt: str, trait: Trait) -> str:
    """The salted SHA-256 of a trait, in hexadecimal; `compare/erased_again.sql` makes the same."""
    return hashlib.sha256("\x1f".join((salt, *trait)).encode()).hexdigest()


def put(
    ledger: Ledger, connection: Connection, traits: Iterable[Trait], *, salt: str, at: str
) -> int:
    """Remember these; those that are known stay as they are. Returns how many are new.

    `salt` is taken where the pair has none yet: all its digests have the same, so that one pass
    finds a record among them.
    """
    table = schema.tombstone
    mine = ledger.owns(table)
    known = sa.select(table.c.salt).where(mine).limit(1)
    salt = connection.execute(known).scalar_one_or_none() or salt
    there = set(connection.execute(sa.select(table.c.digest).where(mine)).scalars())
    digests = {digest(salt, trait): trait[0] for trait in traits}
    about = {"pair": ledger.pair, "salt": salt, "at": at}
    new = [(name, entity) for name, entity in digests.items() if name not in there]
    if new:
        rows = [about | {"digest": name, "entity": entity} for name, entity in new]
        connection.execute(sa.insert(table), rows)
    return len(new)


def read(ledger: Ledger) -> list[tuple[str, str, str]]:
    """(entity, salt, digest) of all."""
    table = schema.tombstone
    query = sa.select(table.c.entity, table.c.salt, table.c.digest)
    with ledger.engine.connect() as connection:
        rows = connection.execute(query.where(ledger.owns(table))).all()
    return [(row.entity, row.salt, row.digest) for row in rows]
