"""Lets one pair alone write to an application and a location.

A second one knows no link of the first, and would double people.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from flows.config.clear import is_loopback
from flows.config.pair import SANDBOX
from flows.run import SAME_ENDS
from reconcile.errors import Refused
from reconcile.ledger import schema
from reconcile.model import Entity, Side, fingerprint
from reconcile.ports import Description

if TYPE_CHECKING:
    from flows.config import Pair
    from flows.run import Run

Ends = Mapping[Entity, tuple[str, str]]
"""Where each entity of a pair lies in the application, and in GHL."""


def ends_of(pair: Pair, described: Mapping[Side, Description]) -> Ends:
    """Both ends of each entity that the pair maps."""
    app, ghl = described[Side.APP], described[Side.GHL]
    entities = [mapped.entity for mapped in pair.located(ghl.region).entities]
    # A location's id is unique among all of GHL; a look-alike on this machine may have any id.
    served = ""
    if pair.ghl.url.startswith(SANDBOX) or is_loopback(pair.ghl.url):
        served = f"{pair.ghl.url} "
    ends = {}
    for entity in entities:
        in_app = app.places.get(entity, app.identity)
        in_ghl = ghl.places.get(entity, ghl.identity)
        ends[entity] = (in_app, f"{served}{in_ghl}")
    return ends


def check(run: Run) -> None:
    """Raises Refused where another pair of this ledger holds both ends.

    It lets a caller pass who takes them over by name.
    """
    if run.options.job == "audit" or SAME_ENDS in run.options.allowed:
        return
    with run.ledger.engine.connect() as connection:
        other = holder(connection, run.pair, run.described)
    if other:
        raise _refusal(run.pair, other)


def claim(run: Run) -> None:
    """Note, before the first write, that both ends are this pair's.

    Raises Refused where another pair came first.
    """
    table, ends = schema.ends, ends_of(run.pair, run.described)
    rows = []
    for entity, (app, ghl) in ends.items():
        row = {"pair": run.pair.name, "entity": entity.value, "digest": _digest((app, ghl))}
        rows.append({**row, "at": run.clock(), "app": app, "ghl": ghl})
    with run.ledger.transaction() as connection:
        other = holder(connection, run.pair, run.described)
        if other and SAME_ENDS not in run.options.allowed:
            raise _refusal(run.pair, other)
        mine = (
            table.c.pair == run.pair.name,
            table.c.entity.in_([entity.value for entity in ends]),
        )
        connection.execute(sa.delete(table).where(sa.or_(_same(ends), sa.and_(*mine))))
        try:
            connection.execute(sa.insert(table), rows)
        except sa.exc.IntegrityError:  # another pair's, between the look and the insert
            raise _refusal(run.pair, "that began just now") from None


def holder(connection: Connection, pair: Pair, described: Mapping[Side, Description]) -> str | None:
    """The name of another pair in the same ledger that has both ends of any entity.

    None where there is none.
    """
    table, ends = schema.ends, ends_of(pair, described)
    others = (
        sa.select(table.c.pair).where(table.c.pair != pair.name, _same(ends)).order_by(table.c.pair)
    )
    other = connection.execute(others.limit(1)).scalar_one_or_none()
    if other:
        return str(other)
    own = sa.select(table.c.entity).where(table.c.pair == pair.name, _same(ends))
    if connection.execute(own.limit(1)).first():
        return None
    return _earlier(connection, pair, described)


def _earlier(
    connection: Connection, pair: Pair, described: Mapping[Side, Description]
) -> str | None:
    """A pair that was settled by a version which kept identities alone, and has not run since."""
    known, table = schema.pair, schema.ends
    identities = (
        known.c.app_identity == described[Side.APP].identity,
        known.c.ghl_identity == described[Side.GHL].identity,
    )
    noted = sa.exists().where(table.c.pair == known.c.pair)
    query = (
        sa.select(known.c.pair)
        .where(known.c.pair != pair.name, *identities, ~noted)
        .order_by(known.c.pair)
    )
    return connection.execute(query.limit(1)).scalar_one_or_none()


def _same(ends: Ends) -> sa.ColumnElement[bool]:
    table = schema.ends
    each = []
    for entity, place in ends.items():
        same_place = table.c.digest == _digest(place)
        each.append(sa.and_(table.c.entity == entity.value, same_place))
    return sa.or_(*each)


def _digest(place: tuple[str, str]) -> str:
    return fingerprint("\x1f".join(place))


def _refusal(pair: Pair, other: str) -> Refused:
    return Refused(
        (
            f"pair {other!r} has the same application and the same GHL location as {pair.name!r}: "
            "a second pair knows nothing of its links, and would make people, tasks and notes twice"
        ),
        remedy=(
            f'write pair = "{other}" to go on with that pair; where it is retired, '
            f"or was renamed to this one: `run --allow {SAME_ENDS}`"
        ),
        code="ENDS_HELD",
    )
