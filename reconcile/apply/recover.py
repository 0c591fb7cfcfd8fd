"""Resolves what is in doubt by a look at the side, or a person's word, never by a repetition."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence

from reconcile.apply.apply import Desk, write_of
from reconcile.compare.doubts import hold_id
from reconcile.errors import ConnectorError
from reconcile.ledger.ledger import Ledger
from reconcile.model import Cell, Cells, Operation, OpKind, Outcome, Status
from reconcile.patience import Patience, unread
from reconcile.ports import Record
from reconcile.values.mapping import TAGS

_NOT_APPLIED = "NOT_APPLIED"


Answers = Mapping[str, tuple[str, str]]
"""What people answered to questions about writes in doubt: (choice, who) by question."""


def resolve(desk: Desk, ledger: Ledger, answers: Answers | None = None) -> list[Outcome]:
    """Look up every operation that was begun and not ended, and end it: as done, or as skipped.

    What cannot be looked at stays in doubt, with the reason, and stops no other. Raises what the
    connector raises where it is the side that fails.
    """
    outcomes = []
    patience = Patience()
    for operation in desk.journal.in_doubt():
        question = hold_id(desk.journal.run_id, operation.op_id)
        choice, who = (answers or {}).get(question, ("", ""))
        # A person's word comes before a look: they were asked because a look did not tell.
        outcome = _decided(operation, choice, who)
        if outcome is None:
            outcome = _attempt(desk, ledger, operation, patience)
        outcome = desk.end(outcome)
        # Its tasks and notes hang on this key, and may come later in the plan.
        created = operation.kind is OpKind.CREATE and outcome.status is Status.DONE
        if created and outcome.key:
            desk.note_created(operation, outcome.key)
        outcomes.append(outcome)
    return outcomes


def _decided(operation: Operation, choice: str, who: str) -> Outcome | None:
    """The outcome that a person told; None where nobody did.

    A record that was made is linked by the next run that reads it: nobody told its key.
    """
    if choice not in ("happened", "never"):
        return None
    detail = f"decided by {who}: {choice}"
    if choice == "never" or operation.kind is OpKind.CREATE:
        return Outcome(operation.op_id, Status.SKIPPED, code=_NOT_APPLIED, detail=detail)
    return Outcome(operation.op_id, Status.DONE, key=operation.key, detail=detail)


def _attempt(desk: Desk, ledger: Ledger, operation: Operation, patience: Patience) -> Outcome:
    """What a look shows; where the record cannot be read, that it stays in doubt."""
    try:
        outcome = _look_at_mapped(desk, ledger, operation)
    except ConnectorError as error:
        patience.spend(error)
        why = unread(operation.entity, operation.key or "to be made", error)
        return Outcome(
            operation.op_id, Status.UNCERTAIN, code="UNCERTAIN", detail=why, trace_id=error.trace_id
        )
    patience.renew()
    return outcome


def _look_at_mapped(desk: Desk, ledger: Ledger, operation: Operation) -> Outcome:
    """The same for what the pair file still maps: it may have been changed meanwhile."""
    entity = operation.entity.record
    if entity not in desk.mapping:
        detail = (
            "whether it was carried out is not known: "
            "the pair file maps no records of this kind any more"
        )
        return Outcome(operation.op_id, Status.SKIPPED, code=_NOT_APPLIED, detail=detail)
    known = {mapped.name for mapped in desk.mapping[entity].fields}
    after = {name: cell for name, cell in operation.after.items() if name in known}
    return _look(desk, ledger, dataclasses.replace(operation, after=after))


def _look(desk: Desk, ledger: Ledger, operation: Operation) -> Outcome:
    if operation.kind is OpKind.CREATE:
        return _look_for_created(desk, ledger, operation)
    entity = operation.entity.record
    record = desk.connectors[operation.side].read(entity, operation.key or "", operation.parent_key)
    if operation.kind in (OpKind.DELETE, OpKind.ARCHIVE):
        if record is None or record.deleted:
            return Outcome(operation.op_id, Status.DONE)
        return Outcome(operation.op_id, Status.SKIPPED, code=_NOT_APPLIED)
    if record is None:
        return Outcome(operation.op_id, Status.STALE, code="GONE", detail="the record is gone")
    current = desk.mapping[entity].decode(record, operation.side)
    if _holds(operation, current):
        return Outcome(
            operation.op_id,
            Status.DONE,
            key=record.key,
            after=current,
            version=record.version,
            modified_at=record.modified_at,
            detail="found done after an interruption",
        )
    return Outcome(operation.op_id, Status.SKIPPED, code=_NOT_APPLIED)


def _holds(operation: Operation, current: Cells) -> bool:
    """Whether a record shows that the operation was carried out."""
    if operation.kind not in (OpKind.ADD_TAGS, OpKind.REMOVE_TAGS):
        return all(current.get(name) == cell for name, cell in operation.after.items())
    named = set(json.loads(operation.after[TAGS] or "[]"))
    there = set(json.loads(current.get(TAGS) or "[]"))
    if operation.kind is OpKind.ADD_TAGS:
        return named <= there
    return not named & there


def _look_for_created(desk: Desk, ledger: Ledger, operation: Operation) -> Outcome:
    """Whether a create was carried out, by what the side shows of such a record."""
    parent = desk.contact_of(operation)
    write = write_of(desk.mapping, operation, parent)
    candidates = desk.connectors[operation.side].look(write)
    record = _ours(desk, ledger, operation, candidates)
    if record is None:
        return Outcome(operation.op_id, Status.SKIPPED, code=_NOT_APPLIED)
    current = desk.mapping[operation.entity].decode(record, operation.side)
    created = Outcome(
        operation.op_id,
        Status.DONE,
        key=record.key,
        after=current,
        version=record.version,
        modified_at=record.modified_at,
        detail="found created after an interruption",
        reused=_vacant(desk, operation, record.key),
    )
    if _same(operation.after, current) == _just(operation.after).keys():
        return created
    # Perhaps somebody else's: it is linked, as one that was there, and its values are compared.
    return dataclasses.replace(
        created,
        status=Status.REJECTED,
        after=None,
        code="EXISTS",
        detail="found after an interruption, with other values",
    )


def _vacant(desk: Desk, operation: Operation, key: str) -> bool:
    """Whether nobody was under the key any more as this run read the side."""
    return (operation.entity, operation.side, key) in desk.vacant


def _same(sent: Cells, current: Cells) -> set[str]:
    """The fields in which a record holds what was sent; of tags, what was sent and perhaps more."""

    def holds(name: str, cell: Cell) -> bool:
        if name == TAGS:
            return set(json.loads(cell or "[]")) <= set(json.loads(current.get(TAGS) or "[]"))
        return current.get(name) == cell

    return {name for name, cell in _just(sent).items() if holds(name, cell)}


def _just(cells: Cells) -> Cells:
    return {name: cell for name, cell in cells.items() if cell is not None}


def _ours(
    desk: Desk, ledger: Ledger, operation: Operation, candidates: Sequence[Record]
) -> Record | None:
    """The record that the create made: not linked yet, with its identity or its whole content.

    It may as well be one that somebody entered meanwhile: where it does not show all that was sent,
    its values are no baseline. It is linked as one that was there already, so that the next run
    compares all of it.
    """
    mapped = desk.mapping[operation.entity]
    keys = [record.key for record in candidates]
    linked = ledger.linked_keys(operation.entity, operation.side, keys)
    linked -= {key for key in keys if _vacant(desk, operation, key)}
    # In the order of their keys, so that the answer does not depend on the order of the reply.
    for record in sorted(candidates, key=lambda record: record.key):
        if record.key in linked or record.deleted:
            continue
        current = mapped.decode(record, operation.side)
        same = _same(operation.after, current)
        if same == _just(operation.after).keys():
            return record
        # What hangs on a contact has no identity of its own: two tasks may have the same title.
        if operation.entity.parent:
            continue
        if any(set(rule) <= same for rule in mapped.match):
            return record
    return None
