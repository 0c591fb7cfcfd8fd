"""The steps of an undo that are its own.

Its plan, one more look right before a contact goes or comes back, gate, settlement.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress

from flows.outcome.undone import keep_notes, notes_of
from flows.run import Run
from flows.steps import lineage, steps
from flows.steps.journals import settle_journal
from flows.steps.present import began, children, key_of, present, twin
from reconcile.apply import settle
from reconcile.apply.settle_operations import Name
from reconcile.entities import OWNER
from reconcile.errors import ConnectorError, StateError
from reconcile.ledger import runs
from reconcile.ledger.erasing import ERASED
from reconcile.ledger.journal import Journal
from reconcile.ledger.ledger import Ledger
from reconcile.model import Entity, Operation, OpKind, Outcome, Side, Status
from reconcile.plan.limits import Facts
from reconcile.plan.plan import Plan
from reconcile.undo.deleted import there_again
from reconcile.undo.undo import groups
from reconcile.undo.undo import undo as undone
from reconcile.values.jsonl import body


def require(ledger: Ledger, run_id: str) -> None:
    """Raises StateError where there is no such run."""
    if runs.find(ledger, run_id=run_id) is None:
        raise StateError(
            f"there is no run {run_id}", remedy="list runs with `history`", code="NO_RUN"
        )


# planning -----------------------------------------------------------------------------------------


def make_plan(run: Run, of: str) -> Plan:
    """Write the plan file of the undo, with its notes beside it.

    Raises StateError where the run cannot be taken back.
    """
    require(run.ledger, of)
    with ExitStack() as stack:
        plan = undone(of, Journal(run.ledger, of).entries(), present(run, of, stack))
    plan.lost += _of_erased(run.ledger, of)
    keep_notes(run.folder, plan)
    operations = plan.operations
    return steps.keep_plan(run, {"undo": of}, groups(operations), body(operations, ()), {})


def _of_erased(ledger: Ledger, of: str) -> list[str]:
    """What an undo cannot take back, as it was of a person whom `erase` took out of the journal."""
    row = runs.find(ledger, run_id=of)
    if row is None or not row.summary.get(ERASED):
        return []
    many = row.summary[ERASED]
    writes = "1 write was" if many == 1 else f"{many:,} writes were"
    return [f"{writes} of somebody who was erased since: what the run did there stays"]


# right before a write -----------------------------------------------------------------------------


def apply(run: Run, operations: Sequence[Operation]) -> list[Outcome]:
    """Carry out one chunk of the plan, with one more look at some contacts.

    They are looked at right before they are deleted or created again.
    """
    first = operations[0]
    if first.entity.parent or first.kind not in (OpKind.DELETE, OpKind.CREATE):
        return steps.apply(run, operations)
    outcomes: list[Outcome] = []
    for operation in operations:
        if steps.must_stop(run):
            break
        stays = _in_the_way(run, operation)
        if stays:
            outcomes.append(_left_alone(run, operation, stays))
        else:
            outcomes += steps.apply(run, [operation])
    return outcomes


def _in_the_way(run: Run, operation: Operation) -> Outcome | None:
    """Why a contact is neither deleted nor created now, though the plan says so."""
    known = run.journal.known([operation.op_id])
    if known.get(operation.op_id, Status.SKIPPED) is not Status.SKIPPED:
        return None  # it was carried out already, by this run before it was interrupted
    op_id, side = operation.op_id, operation.side
    try:
        if operation.kind is OpKind.CREATE:
            since = began(run, notes_of(run)["of"])
            double = twin(run, operation.entity, side, operation.after, since)
            if double is None:
                return None
            return Outcome(op_id, Status.STALE, code="DUPLICATE", detail=there_again(*double))
        if not operation.entity.children:
            return None
        why = children(run, side, operation.key or "").staying(_gone(run, side))
        if not why:
            return None
        return Outcome(op_id, Status.STALE, code="HAS_CHILDREN", detail=why)
    except ConnectorError as error:
        detail = f"not looked at: {error.what}"
        return Outcome(op_id, Status.SKIPPED, code=error.code, detail=detail)


def _gone(run: Run, side: Side) -> set[tuple[Entity, str | None]]:
    """What this undo has deleted by itself on a side; an index may still show it."""
    gone = set()
    for operation, outcome in run.journal.entries():
        deleted = operation.kind is OpKind.DELETE and outcome.status is Status.DONE
        if deleted and operation.side is side:
            gone.add((operation.entity, operation.key))
    return gone


def _left_alone(run: Run, operation: Operation, outcome: Outcome) -> Outcome:
    run.journal.begin([operation], run.clock())
    run.journal.end(outcome, run.clock())
    return outcome


# the gate, and afterwards -------------------------------------------------------------------------


def check(run: Run, plan: Plan) -> None:
    """The same limits as for any plan. Raises Refused with every one that it goes over."""
    links = run.ledger.linked()
    entities = [mapped.entity for mapped in run.mapping.entities]
    facts = Facts(
        snapshots={},
        links={entity: links.get(entity.value, 0) for entity in entities},
        changed_identity=steps.changed_identity(run),
    )
    steps.writable(run, plan)
    steps.within_limits(run, plan, facts)


def settle_undo(run: Run) -> settle.Settlement:
    """Advance the ledger to what the undo wrote, in one transaction.

    See docs/adr on what the next run makes of it.
    """
    run.course.settlement = settle_journal(
        run, run.journal, whole=set(_whole(run)), state="settled"
    )
    lineage.mark(run)
    return run.course.settlement


def _whole(run: Run) -> Iterator[Name]:
    """The links of which the undo created one end again while the other one is there."""
    for operation, outcome in run.journal.entries():
        if operation.kind is not OpKind.CREATE or outcome.status is not Status.DONE:
            continue
        entity, link_id, other = operation.entity, operation.link_id, operation.side.other
        key = key_of(run, entity, link_id, other)
        if not key:
            continue
        parent = None
        if operation.parent:
            parent = key_of(run, OWNER, operation.parent, other)
        with suppress(ConnectorError):  # what cannot be looked at is not known to be there
            record = run.connectors[other].read(entity, key, parent)
            if record is not None and not record.deleted:
                yield entity, link_id
