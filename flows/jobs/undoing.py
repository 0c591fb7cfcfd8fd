"""Takes a run back: a plan from its journal and archive, through the same limits, approval, journal and settlement as any other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from collections.abc import Mapping as Map
from contextlib import ExitStack, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from msgspec import MsgspecError

from flows import sync
from flows.outcome.tell import Told, tell, tell_refused
from flows.run import Run
from flows.state.imprints import trusted
from flows.steps import lineage, selection, steps
from flows.steps.present import began, children, key_of, present, twin
from flows.sync import Do, plainly
from reconcile.apply import settle, undo_settlement
from reconcile.apply.settle_operations import Name
from reconcile.errors import ConnectorError, Refused, StateError
from reconcile.ledger import runs, schema
from reconcile.ledger.journal import Journal
from reconcile.ledger.ledger import Ledger
from reconcile.model import Entity, Operation, OpKind, Outcome, Side, Status
from reconcile.plan import planfile
from reconcile.plan.limits import Facts, breaches
from reconcile.plan.plan import Plan, estimate
from reconcile.report import About, kept
from reconcile.report.undone import undone_document
from reconcile.undo.undo import Undo, groups, there_again
from reconcile.undo.undo import undo as undone
from reconcile.values.jsonl import body

NOTES = "undo.json"
"""Beside the plan: which run it takes back, what stays, and what nothing brings back."""


def undo(run: Run, of: str, do: Do = plainly) -> Told:
    """Plan how to take run `of` back, and carry it out where the options allow writes. Raises Refused like any run."""
    do(steps.recover, run)
    plan = do(make_plan, run, of)
    return tell(run, "planned", write=told) if not run.options.writes else _go_on(run, plan, do)


def apply(run: Run, digest: str, do: Do = plainly) -> Told:
    """Carry out an approved undo plan, or the part of it that was approved, exactly as it was shown.

    Raises StalePlan where something settled since, Refused where a part is in the plan nowhere.
    """
    do(steps.recover, run)
    plan = steps.take_over(run, digest)
    return _go_on(
        run, selection.narrowed(plan, lambda: steps.operations(run), run.options.only), do
    )


def require(ledger: Ledger, run_id: str) -> None:
    """Raises StateError where there is no such run."""
    if runs.find(ledger, run_id=run_id) is None:
        raise StateError(
            f"there is no run {run_id}", remedy="list runs with `history`", code="NO_RUN"
        )


def is_undo(run: Run) -> bool:
    """Whether the plan of this run takes another run back."""
    row = runs.find(run.ledger, run_id=run.run_id)
    return row is not None and row.job == undo_settlement.UNDO


def _go_on(run: Run, plan: Plan, do: Do) -> Told:
    try:
        do(check, run, plan)
    except Refused as refusal:
        tell_refused(run, refusal, write=told)
        raise
    sync.apply(run, plan, _watched(run, do))
    do(settle_undo, run)
    do(steps.read_back, run)
    return tell(run, "stopped" if run.stopped else "settled", write=told)


# planning -----------------------------------------------------------------------------------------------------------


def make_plan(run: Run, of: str) -> Plan:
    """Write the plan file of the undo, with its notes beside it. Raises StateError where the run cannot be taken back."""
    require(run.ledger, of)
    with ExitStack() as held:
        made = undone(of, Journal(run.ledger, of).entries(), present(run, of, held))
    _keep_notes(run.folder, made)
    counted = groups(made.operations)
    head = Plan(
        run_id=run.run_id,
        pair=run.pair.name,
        generation=run.ledger.state().generation,
        config_digest=run.pair.config_digest,
        snapshots={"undo": of},
        groups=counted,
        estimates={
            side: estimate(
                counted,
                side,
                run.described[side],
                connector.usage(),
                recheck=run.pair.apply.recheck,
            )
            for side, connector in run.connectors.items()
        },
    )
    run.plan = planfile.write(run.plan_path, head, body(made.operations, ()))
    runs.mark(
        run.ledger,
        run.run_id,
        state="planned",
        plan_digest=run.plan.digest,
        generation=head.generation,
    )
    return run.plan


# right before a write ----------------------------------------------------------------------------------------------


def _watched(run: Run, do: Do) -> Do:
    """`do`, with one more look at each contact alone right before it is deleted or created again."""

    def watched(step: Any, *arguments: Any) -> Any:
        first = arguments[1][0] if step is steps.apply else None
        if (
            first is None
            or first.entity is not Entity.CONTACT
            or first.kind not in (OpKind.DELETE, OpKind.CREATE)
        ):
            return do(step, *arguments)
        outcomes: list[Outcome] = []
        for operation in arguments[1]:
            if steps.must_stop(run):
                break
            stays = _in_the_way(run, operation)
            outcomes += (
                [_left_alone(run, operation, stays)] if stays else do(step, run, [operation])
            )
        return outcomes

    return watched


def _in_the_way(run: Run, operation: Operation) -> Outcome | None:
    """Why a contact is neither deleted nor created now, though the plan says so."""
    if (
        run.journal.known([operation.op_id]).get(operation.op_id, Status.SKIPPED)
        is not Status.SKIPPED
    ):
        return None
    try:
        if operation.kind is OpKind.CREATE:
            found = twin(run, operation.side, operation.after, began(run, _notes(run)["of"]))
            return found and Outcome(
                operation.op_id, Status.STALE, code="DUPLICATE", detail=there_again(*found)
            )
        why = children(run, operation.side, operation.key or "").staying(_gone(run, operation.side))
        return (
            Outcome(operation.op_id, Status.STALE, code="HAS_CHILDREN", detail=why) if why else None
        )
    except ConnectorError as error:
        return Outcome(
            operation.op_id, Status.SKIPPED, code=error.code, detail=f"not looked at: {error.what}"
        )


def _gone(run: Run, side: Side) -> set[tuple[Entity, str | None]]:
    """What this undo has deleted by itself on a side; an index may still show it."""
    return {
        (operation.entity, operation.key)
        for operation, outcome in run.journal.entries()
        if operation.kind is OpKind.DELETE
        and operation.side is side
        and outcome.status is Status.DONE
    }


def _left_alone(run: Run, operation: Operation, outcome: Outcome) -> Outcome:
    run.journal.begin([operation], run.clock())
    run.journal.end(outcome, run.clock())
    return outcome


# the gate, and afterwards -------------------------------------------------------------------------------------------


def check(run: Run, plan: Plan) -> None:
    """The same limits as for any plan. Raises Refused with every one that it goes over."""
    steps.writable(run, plan)
    state, table = run.ledger.state(), schema.link
    counted = (
        sa.select(table.c.entity, sa.func.count())
        .where(table.c.pair == run.ledger.pair)
        .group_by(table.c.entity)
    )
    with run.ledger.engine.connect() as connection:
        links = {entity: int(count) for entity, count in connection.execute(counted)}
    known = {Side.APP: state.app_identity, Side.GHL: state.ghl_identity}
    facts = Facts(
        snapshots={},
        links={mapped.entity: links.get(mapped.entity.value, 0) for mapped in run.mapping.entities},
        changed_identity=[
            side for side, name in known.items() if name not in (None, run.described[side].identity)
        ],
    )
    found = breaches(plan, facts, run.limits, allowed=run.options.allowed)
    if found:
        raise steps.refusal(run, found)


def settle_undo(run: Run) -> settle.Settlement:
    """Advance the ledger to what the undo wrote, in one transaction; see docs/adr on what the next run makes of it."""
    whole = set(_whole(run))
    with run.ledger.transaction() as connection:
        linked, forgotten = undo_settlement.settle_journal(
            run.ledger, connection, run.journal, steps.source_of(run, run.run_id), whole=whole
        )
        state = run.ledger.state()
        run.ledger.advance(connection, replace(state, generation=state.generation + 1))
        runs.mark_within(connection, run.run_id, state="settled", ended_at=run.clock())
    lineage.mark(run)
    run.settlement = settle.Settlement(state.generation + 1, 0, linked, forgotten)
    return run.settlement


def _whole(run: Run) -> Iterator[Name]:
    """The links of which the undo created one end again while the other one is there."""
    for operation, outcome in run.journal.entries():
        entity, link_id, other = operation.entity, operation.link_id, operation.side.other
        if operation.kind is not OpKind.CREATE or outcome.status is not Status.DONE:
            continue
        key = key_of(run, entity, link_id, other)
        parent = key_of(run, Entity.CONTACT, operation.parent, other) if operation.parent else None
        with suppress(ConnectorError):
            record = run.connectors[other].read(entity, key, parent) if key else None
            if record is not None and not record.deleted:
                yield entity, link_id


# telling ------------------------------------------------------------------------------------------------------------


def _keep_notes(folder: Path, made: Undo) -> None:
    left = [
        {**asdict(each), "entity": each.entity.value, "side": each.side.value} for each in made.left
    ]
    text = json.dumps(
        {"of": made.run_id, "left": left, "lost": made.lost}, ensure_ascii=False, indent=1
    )
    (folder / NOTES).write_text(text + "\n", encoding="utf-8")


def told(run: Run, about: About) -> dict[str, Any]:
    """The report of an undo."""
    outcomes: dict[str, Outcome] = {outcome.op_id: outcome for _, outcome in run.journal.entries()}
    entries = ((operation, outcomes.get(operation.op_id)) for operation in steps.operations(run))
    notes = _notes(run)
    notes["left"] += _stays(run, notes["of"], outcomes)
    whole = undone_document(
        run.stage, run.mapping, about, entries, notes, labels=_labels(run, notes["of"])
    )
    if notes["left"] and not whole["changes"] and about.state in ("settled", "planned"):
        whole["verdict"]["headline"] = f"Nothing of run {notes['of']} can be taken back"
    return whole


def _notes(run: Run) -> dict[str, Any]:
    notes: dict[str, Any] = json.loads((run.folder / NOTES).read_text(encoding="utf-8"))
    return notes


def _stays(run: Run, of: str, outcomes: Map[str, Outcome]) -> Iterator[dict[str, Any]]:
    """What the plan would take back and this run did not: it is not in the approved part, or it changed since the plan."""
    picked = {operation.op_id for operation in steps.operations(run)}
    keys = {(o.link_id, o.side): o.key for o, _ in Journal(run.ledger, of).entries()}
    for operation in planfile.operations(run.plan_path):
        outcome, key = (
            outcomes.get(operation.op_id),
            operation.key or keys.get((operation.link_id, operation.side)),
        )
        if operation.op_id not in picked:
            because = "it is not in the part that was approved"
        elif outcome is not None and outcome.status in (Status.STALE, Status.SKIPPED):
            because = f"it stays, because {outcome.detail or outcome.code}"
        else:
            continue
        yield {
            "entity": operation.entity.value,
            "side": operation.side.value,
            "key": key,
            "because": because,
        }


def _labels(run: Run, of: str) -> dict[tuple[str, str, str | None], str]:
    """What the report of the run that is taken back calls its records."""
    try:
        report = (
            trusted(run.pair, run.ledger, run.folder.parent / of, "report.json") / "report.json"
        )
        changes = kept.read(report)["changes"]
    except (OSError, MsgspecError):
        return {}
    return {
        (each["entity"], side, each[f"{side}_key"]): each["label"]
        for each in changes
        for side in ("app", "ghl")
    }
