"""Answers that a person gave together are one act: recorded, listed, and taken back as one."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from reconcile.errors import Locked, StateError
from reconcile.ledger import runs, schema
from reconcile.ledger.chunks import chunks
from reconcile.ledger.ledger import Decision, Ledger

_ANSWER = ("decision", "decided_by", "decided_at", "reason")


@dataclass(frozen=True, slots=True)
class Act:
    """One act: `choices` says how often each answer was given; `undone_at` when it was undone."""

    act_id: str
    at: str
    by: str
    reason: str
    answers: int
    choices: Mapping[str, int]
    hold_ids: tuple[str, ...]
    undone_at: str | None
    undone_by: str | None


@dataclass(frozen=True, slots=True)
class TakenBack:
    """The questions that are as before the act, and those for which it was too late."""

    act: Act
    reopened: tuple[str, ...]
    too_late: tuple[str, ...]


def record(
    ledger: Ledger, decisions: Sequence[Decision], *, by: str, at: str, reason: str = ""
) -> str:
    """Record these answers as one act, all or none; returns its id.

    Raises StateError (NO_HOLD) like `Ledger.decide`.
    """
    table = schema.act
    with ledger.transaction() as connection:
        rows = _holds(ledger, connection, [decision.hold_id for decision in decisions])
        ledger.decide_within(connection, decisions)
        entries = [_entry(decision, rows[decision.hold_id]) for decision in decisions]
        generation = _generation(ledger, connection)
        body = json.dumps({"generation": generation, "answers": entries})
        # The same answers at the same moment are another act: the number tells them apart.
        count = connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
        name = "\x1f".join((ledger.pair, at, by, str(count), body))
        act_id = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()[:12]
        row = {"act_id": act_id, "at": at, "by": by, "reason": reason, "answers": len(decisions)}
        connection.execute(sa.insert(table).values(pair=ledger.pair, body=body, **row))
    return act_id


def _entry(decision: Decision, row: Row[Any]) -> dict[str, Any]:
    before = {name: getattr(row, name) for name in _ANSWER}
    return {
        "hold_id": decision.hold_id,
        "values_digest": decision.values_digest,
        "choice": decision.choice,
        "open": row.open,
        "before": before,
    }


def _generation(ledger: Ledger, connection: Connection) -> int:
    table = schema.pair
    query = sa.select(table.c.generation).where(ledger.owns(table))
    return connection.execute(query).scalar_one_or_none() or 0


def _holds(ledger: Ledger, connection: Connection, hold_ids: Sequence[str]) -> dict[str, Row[Any]]:
    table = schema.hold
    rows: dict[str, Row[Any]] = {}
    for chunk in chunks(hold_ids, 1_000):
        query = sa.select(table).where(ledger.owns(table), table.c.hold_id.in_(chunk))
        rows |= {row.hold_id: row for row in connection.execute(query)}
    missing = [hold_id for hold_id in hold_ids if hold_id not in rows]
    if missing:
        raise StateError(
            f"there is no hold {missing[0]}",
            remedy="list the questions with `review`",
            code="NO_HOLD",
        )
    return rows


def acts(ledger: Ledger, *, limit: int = 100) -> list[Act]:
    """The pair's acts, newest first."""
    table = schema.act
    query = sa.select(table).where(ledger.owns(table))
    query = query.order_by(table.c.at.desc(), table.c.act_id.desc()).limit(limit)
    with ledger.engine.connect() as connection:
        return [_act(row) for row in connection.execute(query)]


def find(ledger: Ledger, act_id: str) -> Act | None:
    """The act of that id, if there is one."""
    table = schema.act
    query = sa.select(table).where(ledger.owns(table), table.c.act_id == act_id)
    with ledger.engine.connect() as connection:
        row = connection.execute(query).one_or_none()
    return None if row is None else _act(row)


def _act(row: Row[Any]) -> Act:
    entries = json.loads(row.body)["answers"]
    return Act(
        row.act_id,
        row.at,
        row.by,
        row.reason,
        row.answers,
        dict(Counter(entry["choice"] for entry in entries)),
        tuple(entry["hold_id"] for entry in entries),
        row.undone_at,
        row.undone_by,
    )


def take_back(ledger: Ledger, act_id: str, *, by: str, at: str) -> TakenBack:
    """Put every answer of an act back to what it was before.

    One that a run has carried out, or that somebody replaced since, stays as it is. Raises
    StateError: NO_ACT where there is no such act, UNDONE where it was taken back before, TOO_LATE
    where all of it stays. Raises Locked while a run may be carrying it out.
    """
    table = schema.act
    mine = (ledger.owns(table), table.c.act_id == act_id)
    unsettled = runs.unsettled(ledger)
    with ledger.transaction() as connection:
        row = connection.execute(sa.select(table).where(*mine)).one_or_none()
        if row is None:
            raise StateError(
                f"there is no act {act_id}", remedy="list them with `review --acts`", code="NO_ACT"
            )
        if row.undone_at is not None:
            raise StateError(
                f"act {act_id} was taken back already, {row.undone_at} by {row.undone_by}",
                remedy="list the questions with `review`; they are open again",
                code="UNDONE",
            )
        _refuse_while_running(ledger, connection, unsettled, at)
        # In the same transaction: a run that begins now finds either all of it or nothing.
        reopened, too_late = _restore(ledger, connection, row)
        if not reopened:
            raise StateError(
                f"the answers of act {act_id} were carried out by a run, or replaced",
                remedy="answer anew with `review`, or take the run back with `undo`",
                code="TOO_LATE",
            )
        connection.execute(sa.update(table).where(*mine).values(undone_at=at, undone_by=by))
    return TakenBack(_act(row), tuple(reopened), tuple(too_late))


def _refuse_while_running(
    ledger: Ledger, connection: Connection, unsettled: Sequence[str], at: str
) -> None:
    """Raise Locked where a run is under way, or was killed: it may have carried the answers out."""
    table = schema.lease
    query = sa.select(table.c.holder).where(ledger.owns(table), table.c.expires_at > at)
    holder = connection.execute(query).scalar_one_or_none()
    if holder is not None:
        raise Locked(
            f"{holder} is running {ledger.pair!r}, and may be carrying these answers out",
            remedy="try again once it has ended; `undo` takes back what it has carried out",
        )
    if unsettled:
        raise Locked(
            f"run {unsettled[0]} was interrupted, and may have carried these answers out",
            remedy="let the next run settle it, then try again",
        )


def _restore(ledger: Ledger, connection: Connection, act: Row[Any]) -> tuple[list[str], list[str]]:
    """The questions that are as before the act, and those that are not as the act left them."""
    table = schema.hold
    reopened, too_late = [], []
    body = json.loads(act.body)
    settled_since = _generation(ledger, connection) != body["generation"]
    for entry in body["answers"]:
        # A closed question's row does not say when a run has carried its new answer out.
        if not entry["open"] and settled_since:
            too_late.append(entry["hold_id"])
            continue
        as_left = (
            ledger.owns(table),
            table.c.hold_id == entry["hold_id"],
            table.c.values_digest == entry["values_digest"],
            table.c.decision == entry["choice"],
            table.c.decided_by == act.by,
            table.c.decided_at == act.at,
            table.c.open == entry["open"],
        )
        done = connection.execute(sa.update(table).where(*as_left).values(**entry["before"]))
        if done.rowcount:
            reopened.append(entry["hold_id"])
        else:
            too_late.append(entry["hold_id"])
    return reopened, too_late
