"""Finds all that the ledger keeps of a person, and takes it out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from reconcile.entities import OWNER, RECORDS, Entity
from reconcile.errors import StateError
from reconcile.ledger import known, schema
from reconcile.ledger.chunks import chunks
from reconcile.ledger.ledger import Ledger
from reconcile.model import Side
from reconcile.values.jsonl import line
from reconcile.values.person import Key, Person, Wiped

_BATCH = 500

_WAITING = ("planned", "refused")

ERASED = "erased"
"""The member of a run's summary that says how many of its writes were of erased persons."""


def owners(ledger: Ledger, name: str) -> set[Key]:
    """The contacts that the ledger knows under a key, on either side, or under an email."""
    link, grave = schema.link, schema.grave
    ends = (link.c.app_key, link.c.ghl_key)
    cells = (link.c.app_cells, link.c.ghl_cells)
    contacts: set[Key] = set()
    mine = (ledger.owns(link), link.c.entity == OWNER.value)
    named = [end == name for end in ends]
    if "@" in name:
        named += [cell.icontains(name, autoescape=True) for cell in cells]
    query = sa.select(*ends, *cells).where(*mine, sa.or_(*named))
    with ledger.engine.connect() as connection:
        for row in connection.execute(query):
            texts = [*json.loads(row.app_cells).values(), *json.loads(row.ghl_cells).values()]
            # The query finds the text anywhere in the cells, as a part of another address, too.
            if name in (row.app_key, row.ghl_key) or name.lower() in map(_folded, texts):
                contacts |= _ends(OWNER.value, row.app_key, row.ghl_key)
        buried = sa.select(grave.c.side, grave.c.key).where(
            ledger.owns(grave), grave.c.entity == OWNER.value, grave.c.key == name
        )
        contacts |= {(OWNER.value, row.side, row.key) for row in connection.execute(buried)}
    return contacts | {key for key in _asked_about(ledger) if key[2] == name}


def _folded(cell: object) -> str:
    return str(cell).lower()


def _ends(entity: str, app_key: str, ghl_key: str) -> set[Key]:
    return {(entity, Side.APP.value, app_key), (entity, Side.GHL.value, ghl_key)}


def _asked_about(ledger: Ledger) -> Iterator[Key]:
    """The contacts without a link that were ever asked about."""
    for row in ledger.holds(only_open=False):
        body = json.loads(row.body)
        for side in Side:
            key = body.get(f"{side}_key")
            if body["entity"] == OWNER.value and key:
                yield OWNER.value, side.value, key


def gather(ledger: Ledger, person: Person, *, names: Iterable[str] = ()) -> None:
    """Add to a person what the ledger knows by what is known of them already.

    `names` are the fields of a contact's name. A record that is another person's by now is not
    theirs, though it was once linked with them.
    """
    _links(ledger, person, tuple(names))
    _graves(ledger, person)
    _journal(ledger, person)
    _holds(ledger, person)


def _links(ledger: Ledger, person: Person, names: tuple[str, ...]) -> None:
    link = schema.link
    by_key = []
    for entity, side in product(RECORDS, Side):
        keys = person.own(entity.value, side.value)
        named = link.c[f"{side}_key"].in_(keys)
        by_key.append(sa.and_(link.c.entity == entity.value, named))
    by_link = (link.c.link_id.in_(person.links), link.c.parent.in_(person.links))
    theirs = sa.or_(*by_link, *by_key)
    with ledger.engine.connect() as connection:
        # What hangs on the contact is found by its link, which is found by its keys.
        for _ in range(2):
            rows = connection.execute(sa.select(link).where(ledger.owns(link), theirs))
            for row in rows.all():
                _take_in_link(person, row, names)
            theirs = sa.or_(link.c.link_id.in_(person.links), link.c.parent.in_(person.links))


def _take_in_link(person: Person, row: sa.Row[Any], names: tuple[str, ...]) -> None:
    person.links.add(row.link_id)
    person.keys |= _ends(row.entity, row.app_key, row.ghl_key)
    for text in (row.app_cells, row.ghl_cells):
        cells = json.loads(text)
        if row.entity == OWNER.value:
            person.state(cells, names=names)
        else:
            person.remember(cells.values())


def another(ledger: Ledger, person: Person, key: Key) -> bool:
    """Whether a record is linked with somebody else's by now."""
    link = schema.link
    entity, side, name = key
    query = sa.select(sa.func.count()).where(
        ledger.owns(link),
        link.c.entity == entity,
        link.c[f"{side}_key"] == name,
        link.c.link_id.not_in(person.links),
    )
    with ledger.engine.connect() as connection:
        return bool(connection.execute(query).scalar_one())


def _graves(ledger: Ledger, person: Person) -> None:
    grave = schema.grave
    query = sa.select(grave).where(ledger.owns(grave), grave.c.other_key.is_not(None))
    with ledger.engine.connect() as connection:
        rows = connection.execute(query).all()
    for row in rows:
        across = (row.entity, Side(row.side).other.value, row.other_key)
        if (row.entity, row.side, row.key) in person.keys and not another(ledger, person, across):
            person.keys.add(across)


def _journal(ledger: Ledger, person: Person) -> None:
    journal, run = schema.journal, schema.run
    query = (
        sa.select(journal.c.operation, journal.c.outcome)
        .join(run, run.c.run_id == journal.c.run_id)
        .where(ledger.owns(run))
        .order_by(journal.c.begun_at, journal.c.op_id)
    )
    with ledger.engine.connect() as connection:
        rows = connection.execution_options(yield_per=1_000).execute(query)
        for text, answer in rows:
            operation = json.loads(text)
            entity, side = operation["entity"], operation["side"]
            if person.about(operation, entity, side):
                _take_in(person, operation, json.loads(answer or "{}"))


def _take_in(person: Person, operation: Mapping[str, Any], outcome: Mapping[str, Any]) -> None:
    entity, side = Entity(operation["entity"]).record.value, Side(operation["side"])
    person.operations.add(operation["op_id"])
    person.links.add(operation["link_id"])
    ends = [(side, operation.get("key")), (side.other, operation.get("source_key"))]
    # The reply to a refused create names somebody else, who has the value.
    if outcome.get("status") == "done":
        ends.append((side, outcome.get("key")))
    person.keys |= {(entity, where.value, key) for where, key in ends if key}
    states = [operation.get(name) or {} for name in ("source", "before", "after")]
    states.append(outcome.get("after") or {})
    for cells in states:
        if entity == OWNER.value:
            person.state(cells)
        else:
            person.remember(cells.values())


def _holds(ledger: Ledger, person: Person) -> None:
    for row in ledger.holds(only_open=False):
        body = json.loads(row.body)
        if person.about(body, body["entity"], body.get("side")) or _hangs(person, body):
            person.holds.add(row.hold_id)
            person.remember(body.get("values", {}).values())


def _hangs(person: Person, body: Mapping[str, Any]) -> bool:
    """Whether a question is about a task or note without a link that hangs on them."""
    contact = body.get("values", {}).get("contact")
    return bool(contact) and person.has(OWNER.value, body.get("side"), contact)


# what goes ----------------------------------------------------------------------------------------


def clear(ledger: Ledger, connection: Connection, person: Person) -> dict[str, int]:
    """Take a person out of every table, inside a transaction; returns how many rows of each.

    What is asked about others and names them is told again without them. Counts stay.
    """
    mine = {name: ledger.owns(schema.metadata.tables[name]) for name in _OWN_PAIR}
    contacts = person.own(OWNER.value, Side.GHL.value)
    link, hold, difference = schema.link, schema.hold, schema.difference
    runs = sa.select(schema.run.c.run_id).where(ledger.owns(schema.run))
    journal = schema.journal
    of_pair = journal.c.run_id.in_(runs)
    _count_writes(connection, sa.and_(of_pair, _written(person)))
    by_operation = _delete(connection, journal, of_pair, journal.c.op_id, person.operations)
    by_link = _delete(connection, journal, of_pair, journal.c.link_id, person.links)
    gone = {
        "link": _delete(connection, link, mine["link"], link.c.link_id, person.links),
        "journal": by_operation + by_link,
        "hold": _delete(connection, hold, mine["hold"], hold.c.hold_id, person.holds),
        "difference": _delete(
            connection, difference, mine["difference"], difference.c.link_id, person.links
        ),
        "grave": _clear_graves(ledger, connection, person),
        "act": _clear_acts(ledger, connection, person),
        "run": _tell_runs(ledger, connection, person),
    }
    keys = {side: person.own(OWNER.value, side.value) for side in Side}
    gone["known"] = sum(known.forget(ledger, connection, side, keys[side]) for side in Side)
    # Who is erased may be there still, and a new one equal them.
    known.doubt(ledger, connection)
    for table in (schema.sweep, schema.agenda):
        named = (mine[table.name], table.c.contact_key, contacts)
        gone[table.name] = _delete(connection, table, *named)
    gone["hold"] += _tell_holds(ledger, connection, person)
    gone["difference"] += _forget_others(connection, mine["difference"], person)
    return {name: count for name, count in gone.items() if count}


def _written(person: Person) -> sa.ColumnElement[bool]:
    journal = schema.journal
    named = journal.c.op_id.in_(person.operations)
    return sa.or_(named, journal.c.link_id.in_(person.links))


def _count_writes(connection: Connection, theirs: sa.ColumnElement[bool]) -> None:
    """Note in each run how many of its writes nobody can take back any more."""
    journal, run = schema.journal, schema.run
    query = sa.select(journal.c.run_id, sa.func.count()).where(theirs).group_by(journal.c.run_id)
    for run_id, count in connection.execute(query).all():
        mine = run.c.run_id == run_id
        text = connection.execute(sa.select(run.c.summary).where(mine)).scalar_one()
        summary = json.loads(text)
        summary[ERASED] = summary.get(ERASED, 0) + count
        values = {"summary": json.dumps(summary, sort_keys=True)}
        connection.execute(sa.update(run).where(mine).values(values))


_OWN_PAIR = ("link", "hold", "difference", schema.sweep.name, schema.agenda.name)


def _delete(
    connection: Connection,
    table: sa.Table,
    mine: sa.ColumnElement[bool],
    column: sa.Column[Any],
    names: Iterable[str],
) -> int:
    """Delete the rows of this pair with these names; returns how many."""
    gone = 0
    for chunk in chunks(sorted(names), _BATCH):
        delete = sa.delete(table).where(mine, column.in_(chunk))
        gone += connection.execute(delete).rowcount
    return gone


def _forget_others(connection: Connection, mine: sa.ColumnElement[bool], person: Person) -> int:
    """Strike their key where it is named as the one that has somebody else's value."""
    table, struck = schema.difference, 0
    for side in Side:
        keys = sorted(person.own(OWNER.value, side.value))
        which = (mine, table.c.side == side.value, table.c.entity == OWNER.value)
        named = sa.update(table).where(*which, table.c.other_key.in_(keys))
        struck += connection.execute(named.values(other_key=None)).rowcount
    return struck


def _clear_graves(ledger: Ledger, connection: Connection, person: Person) -> int:
    table, gone = schema.grave, 0
    for entity, side, key in sorted(person.keys):
        here = sa.and_(table.c.side == side, table.c.key == key)
        there = sa.and_(table.c.side != side, table.c.other_key == key)
        which = (ledger.owns(table), table.c.entity == entity, sa.or_(here, there))
        gone += connection.execute(sa.delete(table).where(*which)).rowcount
    return gone


def _clear_acts(ledger: Ledger, connection: Connection, person: Person) -> int:
    """Strike the answers about them out of acts, whose number of answers stays."""
    table, count = schema.act, 0
    for row in connection.execute(sa.select(table).where(ledger.owns(table))).all():
        body, wiped = json.loads(row.body), Wiped(person)
        answers = [each for each in body["answers"] if each["hold_id"] not in person.holds]
        struck = len(answers) < len(body["answers"])
        body["answers"] = [wiped.document(each) for each in answers]
        reason = wiped.sentence(row.reason)
        if struck or wiped.changed:
            which = (ledger.owns(table), table.c.act_id == row.act_id)
            values = {"body": json.dumps(body), "reason": reason}
            count += connection.execute(sa.update(table).where(*which).values(values)).rowcount
    return count


def _tell_holds(ledger: Ledger, connection: Connection, person: Person) -> int:
    """Tell the questions about others without them."""
    table, count = schema.hold, 0
    for row in connection.execute(sa.select(table).where(ledger.owns(table))).all():
        wiped = Wiped(person)
        body = wiped.document(json.loads(row.body))
        answer = wiped.document({"decision": row.decision, "reason": row.reason})
        if wiped.changed:
            which = (ledger.owns(table), table.c.hold_id == row.hold_id)
            values = {"body": line(body), **answer}
            count += connection.execute(sa.update(table).where(*which).values(values)).rowcount
    return count


def _tell_runs(ledger: Ledger, connection: Connection, person: Person) -> int:
    """Tell what is kept of each run without them."""
    table, count = schema.run, 0
    for row in connection.execute(sa.select(table).where(ledger.owns(table))).all():
        wiped = Wiped(person)
        summary = wiped.document(json.loads(row.summary))
        if wiped.changed:
            values = {"summary": json.dumps(summary, sort_keys=True)}
            which = table.c.run_id == row.run_id
            count += connection.execute(sa.update(table).where(which).values(values)).rowcount
    return count


def withdraw(connection: Connection, pair: str, run_ids: Iterable[str]) -> int:
    """Let the plans of these runs wait no more; returns how many did."""
    table = schema.run
    which = (table.c.pair == pair, table.c.run_id.in_(list(run_ids)))
    waiting = (table.c.state.in_(_WAITING), table.c.plan_digest.is_not(None))
    done = connection.execute(sa.update(table).where(*which, *waiting).values(plan_digest=None))
    return done.rowcount


def compact(ledger: Ledger) -> None:
    """Let an SQLite file forget what was deleted in it; of a server, that is the server's to do."""
    if ledger.engine.dialect.name != "sqlite":
        return
    connection = ledger.engine.raw_connection()
    try:
        cursor = connection.cursor()
        cursor.execute("VACUUM")
        (busy, *_) = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        cursor.close()
    finally:
        connection.close()
    if busy:
        raise StateError(
            "another program reads the ledger, so its file still holds what was deleted in it",
            remedy="let that program end, then do this again: it goes on from here",
            code="ERASE",
        )
