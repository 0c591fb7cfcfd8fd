"""Carries out a plan: intent to the journal, look where it is risky, send, result to the journal.

And nothing but the plan.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Literal

from reconcile.apply.created_keys import Made
from reconcile.ledger.journal import Journal
from reconcile.model import Cells, Operation, OpKind, Outcome, Side, Status
from reconcile.plan.plan import LEDGER_ONLY, VALUES
from reconcile.ports import Check, Connector, Record, Reply, Write
from reconcile.values.consent import ALLOWED, loosened
from reconcile.values.mapping import TAGS, EntityMap
from reconcile.values.mapping import Mapping as PairMapping

Recheck = Literal["always", "risky", "never"]

_TAGGING = (OpKind.ADD_TAGS, OpKind.REMOVE_TAGS)


@dataclass(slots=True)
class Desk:
    """What applying needs at hand.

    `parents` finds a contact's key on a side by link_id, from the ledger.

    `recheck` says before which writes of values the record is looked at: `always`, `risky` ones, or
    `never`; `free` are the sides whose reads cost no requests: there it is looked at with `risky`,
    too. `created` collects the keys that this run's creates were given, `undeleted` the links whose
    record a delete left there; `doubtful` are links of which an earlier write is in doubt.
    """

    mapping: PairMapping
    connectors: Mapping[Side, Connector]
    journal: Journal
    now: Callable[[], str]
    parents: Callable[[str, Side], str | None]
    recheck: Recheck = "always"
    free: frozenset[Side] = frozenset({Side.APP})
    created: Made = field(default_factory=Made)
    undeleted: set[str] = field(default_factory=set)
    doubtful: frozenset[str] = frozenset()

    def note_created(self, operation: Operation, key: str) -> None:
        """Note the key that a create was given: what hangs on it, or names it, comes later."""
        self.created.add(operation.link_id, operation.side, key)
        self.one_thing(operation, key)

    def contact_of(self, operation: Operation) -> str | None:
        """The key of the contact that a task or note hangs on, on the operation's side."""
        if not operation.parent or operation.parent_key is not None:
            return operation.parent_key
        return self.created.key_of(operation.parent, operation.side) or self.parents(
            operation.parent, operation.side
        )

    def one_thing(self, operation: Operation, key: str) -> None:
        """Note that a record and the other side's are one thing, for the values that name it."""
        if operation.source_key is not None:
            for directory in self.mapping.directories(operation.entity):
                directory.add(operation.side, key, operation.source_key)


def chunks(operations: Iterable[Operation], size: int) -> Iterator[list[Operation]]:
    """Runs of operations that do not depend on one another, at most `size`.

    Those of one run are of one kind, entity, side and turn.
    """
    for _, run in groupby(operations, key=lambda o: (o.kind, o.entity, o.side, o.turn)):
        chunk: list[Operation] = []
        for operation in run:
            chunk.append(operation)
            if len(chunk) == size:
                yield chunk
                chunk = []
        if chunk:
            yield chunk


def apply_chunk(desk: Desk, operations: Sequence[Operation]) -> list[Outcome]:
    """Carry out one chunk.

    Every operation ends with an outcome in the journal, or stays in doubt there if this is killed.

    Raises what a connector raises when nothing further can be sent (expired credentials, an
    exhausted quota).
    """
    desk.journal.forget(
        [operation for operation in operations if operation.kind is OpKind.FORGET], desk.now()
    )
    links = [operation for operation in operations if operation.kind is OpKind.ADOPT]
    desk.journal.link(links, desk.now())
    for operation in links:
        if operation.key is not None:
            desk.one_thing(operation, operation.key)
    candidates = [operation for operation in operations if operation.kind not in LEDGER_ONLY]
    known = desk.journal.known([operation.op_id for operation in candidates])
    todo = [
        operation
        for operation in candidates
        if known.get(operation.op_id) in (None, Status.SKIPPED)
    ]
    outcomes: list[Outcome] = []
    writes: list[tuple[Operation, Write]] = []
    for operation in todo:
        prepared = _prepare(desk, operation)
        if isinstance(prepared, Outcome):
            outcomes.append(prepared)
        else:
            writes.append((operation, prepared))
    if not todo:
        return []
    # The intent stands in the journal before anything is sent: whoever finds a killed run
    # looks there for what may have happened.
    desk.journal.begin(todo, desk.now())
    for outcome in outcomes:
        desk.journal.end(outcome, desk.now())
    outcomes += _send(desk, writes)
    deleted = {outcome.op_id for outcome in outcomes if outcome.status is Status.DONE}
    desk.undeleted |= {
        o.link_id for o in todo if o.kind is OpKind.DELETE and o.op_id not in deleted
    }
    return outcomes


def _send(desk: Desk, writes: list[tuple[Operation, Write]]) -> list[Outcome]:
    if not writes:
        return []
    by_id = {operation.op_id: operation for operation, _ in writes}
    outcomes = []
    for reply in desk.connectors[writes[0][0].side].write([write for _, write in writes]):
        operation = by_id[reply.op_id]
        outcome = outcome_of(desk.mapping, operation, reply)
        if operation.kind is OpKind.CREATE and outcome.status is Status.DONE and outcome.key:
            desk.note_created(operation, outcome.key)
        desk.journal.end(outcome, desk.now())
        outcomes.append(outcome)
    return outcomes


def _prepare(desk: Desk, operation: Operation) -> Write | Outcome:
    """The write to send; or the outcome where there is nothing to send."""
    # Whether the earlier write happened is not known: another one could repeat or undo it.
    if not desk.doubtful.isdisjoint({operation.link_id, operation.parent}):
        return Outcome(
            operation.op_id,
            Status.SKIPPED,
            code="IN_DOUBT",
            detail="an earlier write to it is in doubt",
        )
    # It takes the place of a record that should be gone: made now, there would be two of them.
    if operation.kind is OpKind.CREATE and operation.link_id in desk.undeleted:
        return Outcome(
            operation.op_id,
            Status.SKIPPED,
            code="NOT_DELETED",
            detail="the old record is still there",
        )
    parent = desk.contact_of(operation)
    if operation.parent and parent is None:
        return Outcome(
            operation.op_id,
            Status.SKIPPED,
            code="NO_PARENT",
            detail="its contact was not created",
        )
    if withheld := _withheld(desk, operation) or _waits(desk, operation):
        return withheld
    write = write_of(desk.mapping, operation, parent)
    if not _looks_first(desk, operation):
        return write
    return dataclasses.replace(write, check=_check(desk.mapping, operation, write))


def _waits(desk: Desk, operation: Operation) -> Outcome | None:
    """The outcome of what names a record that was to be made before it, and was not."""
    if operation.kind in _TAGGING or operation.kind is OpKind.DELETE:
        return None
    names = desk.mapping[operation.entity].waiting(operation.after, operation.side)
    if not names:
        return None
    detail = f"what its {' and '.join(names)} names was not created in {operation.side.label}"
    return Outcome(operation.op_id, Status.SKIPPED, code="NOT_THERE_YET", detail=detail)


def _withheld(desk: Desk, operation: Operation) -> Outcome | None:
    """The outcome of what would lift somebody's no.

    There is no ground for it, or the yes was taken back.
    """
    if operation.kind not in _CARRYING:
        return None
    loose = loosened(operation, desk.mapping[operation.entity].consents)
    lacking = [name for name in loose if not operation.grounds.get(name)]
    if lacking:
        return Outcome(
            operation.op_id,
            Status.REJECTED,
            code="CONSENT",
            detail=f"nothing on record says why {', '.join(lacking)} may be loosened",
        )
    back = loose and _taken_back(desk, operation, loose)
    if back:
        return Outcome(
            operation.op_id,
            Status.STALE,
            code="CHANGED",
            detail=f"{operation.side.other.label} says yes no more: {', '.join(back)}",
        )
    return None


_CARRYING = (OpKind.UPDATE, OpKind.COMPLETE, OpKind.ARCHIVE)


def _taken_back(desk: Desk, operation: Operation, loose: Sequence[str]) -> list[str]:
    """Of these consents, those to which the side that said yes says it no more."""
    other = operation.side.other
    record = desk.connectors[other].read(operation.entity, operation.source_key or "", None)
    if record is None or record.deleted:
        return list(loose)
    current = desk.mapping[operation.entity].decode(record, other)
    return [name for name in loose if current[name] != ALLOWED]


def _looks_first(desk: Desk, operation: Operation) -> bool:
    if operation.grounds:
        return True
    if operation.kind not in VALUES or desk.recheck == "never":
        return False
    return desk.recheck == "always" or operation.side in desk.free or operation.risk == "high"


def _check(mapping: PairMapping, operation: Operation, write: Write) -> Check:
    """What the connector asks right before the write: whether the record is as the plan saw it.

    What was seen is then the guard, so that a side that can compare in the write itself leaves no
    moment in between.
    """

    def check(record: Record | None) -> Write | Reply:
        ended = _ended(mapping[operation.entity], operation, record)
        if ended is not None or record is None:
            return ended or write
        expected = {name: record.fields[name] for name in write.fields if name in record.fields}
        return dataclasses.replace(write, expected=expected, version=record.version, check=None)

    return check


def _ended(mapped: EntityMap, operation: Operation, record: Record | None) -> Reply | None:
    """The reply, where the write is done already, or the record is not what the plan expected.

    Only what the operation changes is compared: an edit of another field is no reason to leave this
    one.
    """
    deleting = operation.kind in (OpKind.DELETE, OpKind.ARCHIVE)
    if record is None or record.deleted:
        if deleting:
            return Reply(operation.op_id, Status.DONE, detail="it was gone already")
        return Reply(operation.op_id, Status.STALE, code="GONE", detail="the record is gone")
    current = mapped.decode(record, operation.side)
    if not deleting and all(current[name] == cell for name, cell in operation.after.items()):
        return Reply(operation.op_id, Status.DONE, record=record, key=record.key)
    changed = sorted(name for name, cell in operation.before.items() if current.get(name) != cell)
    if changed:
        detail = f"changed since the plan was made: {', '.join(changed)}"
        return Reply(operation.op_id, Status.STALE, code="CHANGED", detail=detail)
    return None


def write_of(mapping: PairMapping, operation: Operation, parent: str | None) -> Write:
    """The operation in its side's own terms."""
    if operation.kind in _TAGGING:
        tags = tuple(json.loads(operation.after[TAGS] or "[]"))
        return Write(
            operation.op_id, operation.kind, operation.entity.record, key=operation.key, tags=tags
        )
    mapped = mapping[operation.entity]
    fields = mapped.encode(operation.after, operation.side)
    return Write(
        op_id=operation.op_id,
        kind=operation.kind,
        entity=operation.entity,
        key=operation.key,
        parent=parent,
        fields=fields,
        version=operation.guard,
    )


DECIDED = "decided by "
"""How the reason of an operation begins that a person asked for."""


def outcome_of(mapping: PairMapping, operation: Operation, reply: Reply) -> Outcome:
    """What a side's reply means for the operation.

    A duplicate that the side names is adopted, not created again.

    Not so where a person said that it is somebody else: then it stays refused, as the side has no
    place for two of them. A create without the key of what was made is in doubt: left as it is, the
    record would be taken for a new one.
    """
    if reply.status is Status.DONE:
        if operation.kind is OpKind.CREATE and reply.record is None and not reply.key:
            return Outcome(
                operation.op_id,
                Status.UNCERTAIN,
                code="UNCERTAIN",
                detail="made, but the side did not say under which key",
                trace_id=reply.trace_id,
            )
        if reply.record is None:
            return Outcome(
                operation.op_id,
                Status.DONE,
                key=reply.key,
                trace_id=reply.trace_id,
                detail=reply.detail,
            )
        cells = _cells(mapping, operation, reply.record)
        return _done(operation, reply.record, cells, trace_id=reply.trace_id)
    named = operation.kind is OpKind.CREATE and reply.code == "DUPLICATE" and reply.key is not None
    adopted = named and not operation.because.startswith(DECIDED)
    return Outcome(
        operation.op_id,
        reply.status,
        key=reply.key,
        code="EXISTS" if adopted else reply.code,
        detail=reply.detail,
        trace_id=reply.trace_id,
    )


def _cells(mapping: PairMapping, operation: Operation, record: Record) -> Cells:
    entity = operation.entity.record
    mapped = mapping[entity]
    if operation.kind in _TAGGING:
        field = mapped.field(TAGS)
        return (
            {TAGS: field.decode(record.fields, operation.side)}
            if field.native(operation.side)[0] in record.fields
            else {}
        )
    return mapped.decode(record, operation.side)


def _done(
    operation: Operation, record: Record, cells: Cells, *, trace_id: str | None = None
) -> Outcome:
    dropped = _dropped(operation, cells)
    return Outcome(
        operation.op_id,
        Status.DONE,
        key=record.key,
        after=cells,
        version=record.version,
        modified_at=record.modified_at,
        code="VALUE_DROPPED" if dropped else "",
        detail=f"accepted, but not stored as sent: {', '.join(dropped)}" if dropped else "",
        trace_id=trace_id,
    )


def _dropped(operation: Operation, current: Cells) -> list[str]:
    """The fields (or tags) that the side holds otherwise than they were sent."""
    if operation.kind not in _TAGGING:
        return sorted(
            name
            for name, cell in operation.after.items()
            if name in current and current[name] != cell
        )
    if TAGS not in current:
        return []
    named, there = (
        set(json.loads(cell or "[]")) for cell in (operation.after[TAGS], current[TAGS])
    )
    return sorted(named - there if operation.kind is OpKind.ADD_TAGS else named & there)
