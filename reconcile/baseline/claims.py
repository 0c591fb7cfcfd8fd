"""Decides whose record the answer to a create is.

One record has one link, also where a side gives a key away a second time.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from reconcile.ledger import schema
from reconcile.ledger.ledger import Ledger
from reconcile.model import Entity, Operation, OpKind, Outcome, Side, Status

Done = list[tuple[Operation, Outcome]]

Name = tuple[str, str]
"""A link by entity and link_id."""

_End = tuple[Entity, Side, str]


def settle(ledger: Ledger, connection: Connection, done: Done) -> tuple[Done, list[Name]]:
    """What is done, without the creates of which another link has an end.

    Two things must not become one.

    What was made comes before what was there already: that one is linked by the next run, if it is
    the same. A link whose end the run that made the record had missed does not keep its key: a side
    that gives it to a new record (a database does so once its rows and counters were restored) has
    no other record under it. Such links are returned as well, to be forgotten. The outcome tells
    it, too, of a run that did not come to count what it missed.
    """
    creates = [(o, outcome) for o, outcome in done if o.kind is OpKind.CREATE]
    ends = [end for o, outcome in creates for end in _ends(o, outcome)]
    owner, missing = _owners(ledger, connection, ends)
    creates.sort(key=lambda entry: entry[1].status is not Status.DONE)
    without_link: set[str] = set()
    vacated: list[Name] = []
    for operation, outcome in creates:
        link_id = operation.link_id
        if outcome.status is Status.DONE and outcome.key:
            given = (operation.entity, operation.side, outcome.key)
            gone = given in missing or outcome.reused
            if gone and owner.get(given, link_id) != link_id:
                vacated.append((operation.entity.value, owner.pop(given)))
        own = _ends(operation, outcome)
        if any(owner.get(end, link_id) != link_id for end in own):
            without_link.add(operation.op_id)
            continue
        owner |= dict.fromkeys(own, link_id)
        missing -= set(own)
    staying = [(o, outcome) for o, outcome in done if o.op_id not in without_link]
    return staying, vacated


def _ends(operation: Operation, outcome: Outcome) -> list[_End]:
    """The records that a create's link joins."""
    keys = {operation.side: outcome.key, operation.side.other: operation.source_key}
    return [(operation.entity, side, key) for side, key in keys.items() if key]


def _owners(
    ledger: Ledger, connection: Connection, ends: Iterable[_End]
) -> tuple[dict[_End, str], set[_End]]:
    """The links that have these records already.

    Those of records that their side did not show any more are among them.
    """
    table = schema.link
    owners: dict[_End, str] = {}
    missing: set[_End] = set()
    for (entity, side), group in groupby(sorted(ends), key=lambda end: end[:2]):
        keys = [key for _, _, key in group]
        column = table.c[f"{side}_key"]
        absent = table.c[f"{side}_absent"]
        named = (ledger.owns(table), table.c.entity == entity.value, column.in_(keys))
        query = sa.select(column, table.c.link_id, absent).where(*named)
        for key, link_id, runs in connection.execute(query):
            end = (entity, side, key)
            owners[end] = link_id
            if runs:
                missing.add(end)
    return owners, missing
