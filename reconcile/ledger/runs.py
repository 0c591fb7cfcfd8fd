"""The ledger's book of runs and holds.

What was started, what came of it, and which questions are open.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from reconcile.ledger import schema
from reconcile.ledger.chunks import chunks
from reconcile.ledger.ledger import SPENT, Ledger
from reconcile.model import Hold
from reconcile.values.jsonl import hold_json
from reconcile.values.names import is_name

UNSETTLED = ("applying",)
"""States of a run that wrote, or may have written, and did not come to settle it."""


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run as the ledger has it."""

    run_id: str
    job: str
    state: str
    started_at: str
    ended_at: str | None
    generation: int | None
    plan_digest: str | None
    summary: Mapping[str, Any]


def start(ledger: Ledger, run_id: str, job: str, *, at: str) -> None:
    """Enter a run."""
    row = {
        "run_id": run_id,
        "pair": ledger.pair,
        "job": job,
        "started_at": at,
        "state": "running",
        "summary": "{}",
    }
    with ledger.transaction() as connection:
        connection.execute(sa.insert(schema.run).values(row))


def mark(ledger: Ledger, run_id: str, **values: object) -> None:
    """Change a run's row."""
    with ledger.transaction() as connection:
        mark_within(connection, run_id, **values)


def fail(ledger: Ledger, run_id: str, *, at: str) -> bool:
    """Mark a run as failed that ended with an error before it had come to anything.

    Returns whether it was one.
    """
    running = (schema.run.c.run_id == run_id, schema.run.c.state == "running")
    update = sa.update(schema.run).where(*running).values(state="failed", ended_at=at)
    with ledger.transaction() as connection:
        return connection.execute(update).rowcount > 0


def remember(
    ledger: Ledger, run_id: str, *, state: str | None, summary: Mapping[str, Any], at: str
) -> None:
    """Keep a run's summary; `state` None leaves the state that its settlement gave it."""
    values: dict[str, object] = {"summary": _packed(summary), "ended_at": at}
    if state is not None:
        values["state"] = state
    mark(ledger, run_id, **values)


def annotate(ledger: Ledger, run_id: str, **more: object) -> None:
    """Add to a run's summary."""
    row = find(ledger, run_id=run_id)
    if row is not None:
        mark(ledger, run_id, summary=_packed({**row.summary, **more}))


def _packed(summary: Mapping[str, Any]) -> str:
    return json.dumps(summary, sort_keys=True, default=str)


def mark_within(connection: Connection, run_id: str, **values: object) -> None:
    """Change a run's row, inside a settlement."""
    connection.execute(sa.update(schema.run).where(schema.run.c.run_id == run_id).values(**values))


DELTA = "delta"
"""The job whose runs look at a part of the records only."""


def runs(ledger: Ledger, *, limit: int = 100, deltas: bool | None = None) -> list[RunRow]:
    """The pair's runs, newest first; with `deltas` those runs alone, or all others."""
    table = schema.run
    query = (
        sa.select(table)
        .where(ledger.owns(table))
        .order_by(table.c.started_at.desc(), table.c.run_id.desc())
    )
    if deltas is not None:
        a_delta = table.c.job == DELTA
        query = query.where(a_delta if deltas else ~a_delta)
    with ledger.engine.connect() as connection:
        rows = connection.execute(query.limit(limit)).all()
    # A name that could not be a folder's is not one of ours, whoever put it into the database.
    return [_row(row) for row in rows if is_name(row.run_id)]


def last_noting(ledger: Ledger, member: str) -> str | None:
    """When the newest run began whose summary has a member that says true."""
    table = schema.run
    noted = table.c.summary.contains(f'"{member}": true', autoescape=True)
    query = sa.select(sa.func.max(table.c.started_at)).where(ledger.owns(table), noted)
    with ledger.engine.connect() as connection:
        moment: str | None = connection.execute(query).scalar_one()
    return moment


def unsettled(ledger: Ledger) -> list[str]:
    """Runs that were interrupted while applying, oldest first."""
    table = schema.run
    query = (
        sa.select(table.c.run_id)
        .where(ledger.owns(table), table.c.state.in_(UNSETTLED))
        .order_by(table.c.started_at)
    )
    with ledger.engine.connect() as connection:
        return [run_id for (run_id,) in connection.execute(query) if is_name(run_id)]


def find(
    ledger: Ledger, *, run_id: str | None = None, plan_digest: str | None = None
) -> RunRow | None:
    """The newest run with that name or that plan."""
    table = schema.run
    query = sa.select(table).where(ledger.owns(table)).order_by(table.c.started_at.desc())
    if run_id is not None:
        query = query.where(table.c.run_id == run_id)
    if plan_digest is not None:
        query = query.where(table.c.plan_digest == plan_digest)
    # Equal worlds give equal digests: several nights may have made one and the same plan.
    with ledger.engine.connect() as connection:
        row = connection.execute(query.limit(1)).one_or_none()
    if row is None or not is_name(row.run_id):
        return None
    return _row(row)


def _row(row: Any) -> RunRow:
    return RunRow(
        row.run_id,
        row.job,
        row.state,
        row.started_at,
        row.ended_at,
        row.generation,
        row.plan_digest,
        json.loads(row.summary),
    )


def put_holds(
    ledger: Ledger,
    connection: Connection,
    holds: Iterable[Hold],
    *,
    run_id: str,
    at: str,
    within: Collection[str] | None = None,
    unread: Collection[str] = (),
) -> int:
    """Bring the open questions up to date.

    New ones enter, known ones keep their age, answered and vanished ones close.

    A decision is forgotten when the values it was given for have changed. `within` are the subjects
    that a partial run looked at: no other question is closed by it, and none about a deletion.
    `unread` are open ones about what this run did not see, which stay as they are. Returns how many
    came.
    """
    table = schema.hold
    rows = connection.execute(sa.select(table).where(ledger.owns(table)))
    known = {row.hold_id: row for row in rows}
    fresh: list[dict[str, object]] = []
    seen = set()
    for hold in holds:
        seen.add(hold.hold_id)
        now: dict[str, object] = {
            "body": hold_json(hold),
            "values_digest": hold.values_digest,
            "last_run": run_id,
            "open": True,
        }
        before = known.get(hold.hold_id)
        if before is None:
            first = {"first_run": run_id, "first_seen": at}
            fresh.append({"pair": ledger.pair, "hold_id": hold.hold_id, **now, **first})
            continue
        if before.values_digest != hold.values_digest:
            now |= {"decision": None, "decided_by": None, "decided_at": None, "reason": None}
        mine = (ledger.owns(table), table.c.hold_id == hold.hold_id)
        connection.execute(sa.update(table).where(*mine).values(**now))
    if fresh:
        connection.execute(sa.insert(table), fresh)
    vanished = [row for name, row in known.items() if name not in seen and name not in unread]
    closed = [row.hold_id for row in vanished if row.open and _may_close(row.body, within)]
    for chunk in chunks(closed, 1_000):
        mine = (ledger.owns(table), table.c.hold_id.in_(chunk))
        connection.execute(sa.update(table).where(*mine).values(open=False))
    return len(seen)


def spend_answers(
    ledger: Ledger, connection: Connection, entities: Collection[str], *, needed: Collection[str]
) -> None:
    """Let answers about conflicts and lost ends of these entities end with what they were about.

    Should the same values come up again, or the record be lost again, it is a new question.
    `needed` are the hold ids of what a run over everything still found so.
    """
    table = schema.hold
    answered = (ledger.owns(table), table.c.decision.is_not(None), sa.not_(table.c.open))
    for row in connection.execute(sa.select(table).where(*answered)).all():
        if row.hold_id in needed or row.values_digest.endswith(SPENT):
            continue
        hold = json.loads(row.body)
        # Other answers, such as that two records are one, stay true without a question.
        if hold["kind"] not in ("conflict", "delete") or hold["entity"] not in entities:
            continue
        mine = (ledger.owns(table), table.c.hold_id == row.hold_id)
        spent = {"values_digest": row.values_digest + SPENT}
        connection.execute(sa.update(table).where(*mine).values(spent))


def _may_close(body: str, within: Collection[str] | None) -> bool:
    """Whether a run that did not find a question any more may close it; see `put_holds`."""
    if within is None:
        return True
    hold = json.loads(body)
    return hold["kind"] != "delete" and hold["subject"] in within
