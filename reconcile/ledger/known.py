"""What the contacts of both sides were last known by, so that one is found without reading all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from reconcile.entities import OWNER
from reconcile.ledger import schema, tombstones
from reconcile.ledger.chunks import chunks
from reconcile.ledger.ledger import Ledger
from reconcile.model import Side

Worth = tuple[str, str]
"""(key, digest): a contact's key on a side, and one thing that it is known by."""

LENGTH = 16
"""Digits of a digest that are kept. Two values that share them cost a look, no more."""

_BATCH = 5_000


def worth(salt: str, rule: str, identity: str) -> str:
    """The digest of an identity under a match rule; `link/worths.sql` makes the same."""
    return tombstones.digest(salt, (OWNER.value, rule, identity))[:LENGTH]


def holders(ledger: Ledger, worths: Iterable[str]) -> set[tuple[Side, str]]:
    """The contacts that were last known by one of these."""
    table, contacts = schema.known, set()
    with ledger.engine.connect() as connection:
        for chunk in chunks(sorted(worths), _BATCH):
            known = (ledger.owns(table), table.c.worth.in_(chunk))
            query = sa.select(table.c.side, table.c.key).where(*known)
            contacts |= {(Side(row.side), row.key) for row in connection.execute(query)}
    return contacts


def of_keys(ledger: Ledger, connection: Connection, side: Side, keys: Sequence[str]) -> list[Worth]:
    """What these contacts of a side, some thousand at most, were last known by."""
    table = schema.known
    query = sa.select(table.c.key, table.c.worth).where(
        ledger.owns(table), table.c.side == side.value, table.c.key.in_(keys)
    )
    return [(row.key, row.worth) for row in connection.execute(query)]


def strangers(ledger: Ledger, connection: Connection, side: Side) -> set[str]:
    """The contacts of a side that are known by something and have no link."""
    table, link = schema.known, schema.link
    linked = sa.exists().where(
        link.c.pair == table.c.pair,
        link.c.entity == OWNER.value,
        link.c[f"{side}_key"] == table.c.key,
    )
    mine = (ledger.owns(table), table.c.side == side.value)
    return set(connection.execute(sa.select(table.c.key).where(*mine, ~linked)).scalars())


def add(
    ledger: Ledger,
    connection: Connection,
    side: Side,
    batches: Iterable[Sequence[Sequence[object]]],
) -> None:
    """Remember these (key, digest), none of which is there yet, by the driver's own way."""
    mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"
    marks = ", ".join([mark] * 4)
    statement = f"INSERT INTO known (pair, side, key, worth) VALUES ({marks})"
    for batch in batches:
        rows = [(ledger.pair, side.value, key, digest) for key, digest in batch]
        connection.exec_driver_sql(statement, rows)


def remove(
    ledger: Ledger,
    connection: Connection,
    side: Side,
    batches: Iterable[Sequence[Sequence[object]]],
) -> None:
    """Forget these (key, digest)."""
    table = schema.known
    one = sa.delete(table).where(
        ledger.owns(table),
        table.c.side == side.value,
        table.c.key == sa.bindparam("its_key"),
        table.c.worth == sa.bindparam("its_worth"),
    )
    for batch in batches:
        rows = [{"its_key": key, "its_worth": digest} for key, digest in batch]
        connection.execute(one, rows)


def forget(ledger: Ledger, connection: Connection, side: Side, keys: Iterable[str]) -> int:
    """Forget all that these contacts of a side are known by; returns how many rows."""
    table, gone = schema.known, 0
    for chunk in chunks(sorted(keys), _BATCH):
        which = (ledger.owns(table), table.c.side == side.value, table.c.key.in_(chunk))
        gone += connection.execute(sa.delete(table).where(*which)).rowcount
    return gone


def doubt(ledger: Ledger, connection: Connection) -> None:
    """Note that not all is known any more, until the next full run has read everybody."""
    table = schema.pair
    connection.execute(sa.update(table).where(ledger.owns(table)).values(known=None))


def clear(ledger: Ledger, connection: Connection) -> None:
    """Forget what all contacts of the pair are known by."""
    table = schema.known
    connection.execute(sa.delete(table).where(ledger.owns(table)))
