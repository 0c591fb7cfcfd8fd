"""Remembers what was shown of each contact when it was last read, until it is read again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass

import sqlalchemy as sa

from reconcile.ledger import schema
from reconcile.ledger.chunks import chunks
from reconcile.ledger.ledger import Ledger
from reconcile.ports import Agenda, Event

_BATCH = 1_000


@dataclass(frozen=True, slots=True)
class Look:
    """A contact's agenda as of `seen_at` (None: never read).

    `failure` is why the last attempt, at `tried_at`, failed.
    """

    contact: str
    tried_at: str
    seen_at: str | None
    failure: str
    events: tuple[Event, ...]


def remember(
    ledger: Ledger, connection: sa.Connection, agendas: Sequence[Agenda], *, at: str
) -> None:
    """Take what was read; of a contact that could not be read, what was last seen stays."""
    table = schema.agenda
    keys = [agenda.contact for agenda in agendas]
    mine = sa.and_(ledger.owns(table), table.c.contact_key.in_(keys))
    columns = (table.c.contact_key, table.c.seen_at, table.c.listed)
    earlier = {row.contact_key: row for row in connection.execute(sa.select(*columns).where(mine))}
    rows = []
    for agenda in agendas:
        seen_at, listed = None, "[]"
        last = earlier.get(agenda.contact)
        if not agenda.failure:
            seen_at, listed = at, json.dumps([astuple(each) for each in agenda.events])
        elif last is not None:
            seen_at, listed = last.seen_at, last.listed
        row = {
            "pair": ledger.pair,
            "contact_key": agenda.contact,
            "tried_at": at,
            "seen_at": seen_at,
            "failure": agenda.failure or None,
            "listed": listed,
        }
        rows.append(row)
    connection.execute(sa.delete(table).where(mine))
    if rows:
        connection.execute(sa.insert(table), rows)


def forget(ledger: Ledger, connection: sa.Connection, keys: Sequence[str]) -> None:
    """Forget the agendas of contacts that are gone."""
    table = schema.agenda
    for chunk in chunks(keys, _BATCH):
        mine = sa.and_(ledger.owns(table), table.c.contact_key.in_(chunk))
        connection.execute(sa.delete(table).where(mine))


def attempts(ledger: Ledger) -> list[tuple[str, str]]:
    """Each contact whose agenda was asked for, with the moment of the last attempt."""
    table = schema.agenda
    query = sa.select(table.c.contact_key, table.c.tried_at).where(ledger.owns(table))
    with ledger.engine.connect() as connection:
        return [(row.contact_key, row.tried_at) for row in connection.execute(query)]


def looks(ledger: Ledger) -> Iterator[Look]:
    """All that is known, by the contacts' keys."""
    table = schema.agenda
    query = sa.select(table).where(ledger.owns(table)).order_by(table.c.contact_key)
    with ledger.engine.connect() as connection:
        for row in connection.execution_options(yield_per=_BATCH).execute(query):
            yield Look(
                row.contact_key,
                row.tried_at,
                row.seen_at,
                row.failure or "",
                tuple(Event(*each) for each in json.loads(row.listed)),
            )
