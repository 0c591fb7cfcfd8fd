"""Carries out a plan: intent to the journal, look where it is risky, send, result to the journal.

And nothing but the plan.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Literal

from reconcile.apply.created_keys import Made
from reconcile.ledger.journal import Journal
from reconcile.model import Cells, Entity, Operation, OpKind, Outcome, Side, Status
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
    record a delete left there; `doubtful` are links of which an earlier write is in doubt. `unsent`
    has, by operation, the fields that name what was to be made before it, and was not. `vacant` are
    the keys of linked records that their side, read by this run, does not show any more: a database
    whose rows or counters went back gives them to new records.
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
    unsent: dict[str, tuple[str, ...]] = field(default_factory=dict)
    vacant: Collection[tuple[Entity, Side, str]] = frozenset()

    def end(self, outcome: Outcome) -> Outcome:
        """Write down what became of an operation, with what of it was not sent."""
        unsent = self.unsent.get(outcome.op_id, ())
        if unsent:
            why = f"not sent: {', '.join(unsent)}, as what is named there could not be created"
            said = [part for part in (outcome.detail, why) if part]
            outcome = dataclasses.replace(outcome, detail="; ".join(said), unsent=unsent)
        self.journal.end(outcome, self.now())
        return outcome

    def note_created(self, operation: Operation, key: str) -> None:
        """Note the key that a create was given: what hangs on it, or names it, comes later."""
        self.created.add(operation.link_id, operation.side, key)
        self.one_thing(operation, key)

    def contact_of(self, operation: Operation) -> str | None:
        """The key of the contact that a task or note hangs on, on the operation's side."""
        if not operation.parent or operation.parent_key is not None:
            return operation.parent_key
        # A contact that this run created is in the ledger only once the run is settled.
        created = self.created.key_of(operation.parent, operation.side)
        return created or self.parents(operation.parent, operation.side)

    def one_thing(self, operation: Operation, key: str) -> None:
        """Note that a record and the other side's are one thing, for the values that name it."""
        if operation.source_key is not None:
            for directory in self.mapping.directories(operation.entity):
                directory.add(operation.side, key, operation.source_key)


def chunks(operations: Iterable[Operation], size: int) -> Iterator[list[Operation]]:
    """Runs of operations that do not depend on one another, at most `size`.

    Those of one run are of one kind, entity, side and turn.
    """
    # They stand together in the plan's order, which says what has to come before what: it stays.
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
    forgotten = [operation for operation in operations if operation.kind is OpKind.FORGET]
    desk.journal.forget(forgotten, desk.now())
    links = [operation for operation in operations if operation.kind is OpKind.ADOPT]
    desk.journal.link(links, desk.now())
    for operation in links:
        if operation.key is not None:
            desk.one_thing(operation, operation.key)
    todo = [_sendable(desk, operation) for operation in _todo(desk, operations)]
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
        desk.end(outcome)
    outcomes += _send(desk, writes)
    done = {outcome.op_id for outcome in outcomes if outcome.status is Status.DONE}
    for operation in todo:
        if operation.kind is OpKind.DELETE and operation.op_id not in done:
            desk.undeleted.add(operation.link_id)
    return outcomes


def _todo(desk: Desk, operations: Sequence[Operation]) -> list[Operation]:
    """Those that are for a side, and have not ended.

    A plan that was broken off is carried out again: what ended then is not sent twice, and what was
    skipped may be possible by now.
    """
    candidates = [operation for operation in operations if operation.kind not in LEDGER_ONLY]
    known = desk.journal.known([operation.op_id for operation in candidates])
    to_begin = (None, Status.SKIPPED)
    return [operation for operation in candidates if known.get(operation.op_id) in to_begin]


def _send(desk: Desk, writes: list[tuple[Operation, Write]]) -> list[Outcome]:
    """Send the writes of one chunk, all to the same side, and journal each reply as it comes."""
    if not writes:
        return []
    by_id = {operation.op_id: operation for operation, _ in writes}
    first, _ = writes[0]
    connector = desk.connectors[first.side]
    outcomes = []
    for reply in connector.write([write for _, write in writes]):
        operation = by_id[reply.op_id]
        outcome = outcome_of(desk.mapping, operation, reply)
        created = operation.kind is OpKind.CREATE and outcome.status is Status.DONE
        if created and outcome.key:
            desk.note_created(operation, outcome.key)
            reused = (operation.entity, operation.side, outcome.key) in desk.vacant
            outcome = dataclasses.replace(outcome, reused=reused)
        outcomes.append(desk.end(outcome))
    return outcomes


def _sendable(desk: Desk, operation: Operation) -> Operation:
    """The operation without the fields that name what was to be made before it, and was not.

    All else of the record holds, whatever became of the other one; the next run sends the rest once
    that is there. Where nothing else is left, or the field is required, all of it waits.
    """
    missing = _missing(desk, operation)
    if not missing:
        return operation
    mapped = desk.mapping[operation.entity]
    after = dict(operation.after)
    before = dict(operation.before)
    for name in missing:
        if mapped.field(name).required:
            return operation
        del after[name]
        before.pop(name, None)
    if not after:
        return operation
    desk.unsent[operation.op_id] = tuple(missing)
    return dataclasses.replace(operation, before=before, after=after)


def _missing(desk: Desk, operation: Operation) -> list[str]:
    """The fields of an operation that name what is not there on its side."""
    if operation.kind in _TAGGING or operation.kind is OpKind.DELETE:
        return []
    mapped = desk.mapping[operation.entity]
    return mapped.waiting(operation.after, operation.side)


def _prepare(desk: Desk, operation: Operation) -> Write | Outcome:
    """The write to send; or the outcome where there is nothing to send."""
    # Whether the earlier write happened is not known: another one could repeat or undo it.
    if not desk.doubtful.isdisjoint({operation.link_id, operation.parent}):
        return _skipped(operation, "IN_DOUBT", "an earlier write to it is in doubt")
    # It takes the place of a record that should be gone: made now, there would be two of them.
    if operation.kind is OpKind.CREATE and operation.link_id in desk.undeleted:
        return _skipped(operation, "NOT_DELETED", "the old record is still there")
    parent = desk.contact_of(operation)
    if operation.parent and parent is None:
        return _skipped(operation, "NO_PARENT", "its contact was not created")
    withheld = _withheld(desk, operation) or _waits(desk, operation)
    if withheld:
        return withheld
    write = write_of(desk.mapping, operation, parent)
    if not _looks_first(desk, operation):
        return write
    check = _check(desk.mapping, operation, write)
    return dataclasses.replace(write, check=check)


def _skipped(operation: Operation, code: str, detail: str) -> Outcome:
    """The outcome of what is not sent in this run, and may be sent in a later one."""
    return Outcome(operation.op_id, Status.SKIPPED, code=code, detail=detail)


def _waits(desk: Desk, operation: Operation) -> Outcome | None:
    """The outcome of what names a record that was to be made before it, and was not."""
    names = _missing(desk, operation)
    if not names:
        return None
    listed = " and ".join(names)
    detail = f"what its {listed} names was not created in {operation.side.label}"
    return _skipped(operation, "NOT_THERE_YET", detail)


def _withheld(desk: Desk, operation: Operation) -> Outcome | None:
    """The outcome of what would lift somebody's no.

    There is no ground for it, or the yes was taken back.
    """
    if operation.kind not in _CARRYING:
        return None
    loose = loosened(operation, desk.mapping[operation.entity].consents)
    if not loose:
        return None
    lacking = [name for name in loose if not operation.grounds.get(name)]
    if lacking:
        detail = f"nothing on record says why {', '.join(lacking)} may be loosened"
        return Outcome(operation.op_id, Status.REJECTED, code="CONSENT", detail=detail)
    # The plan may wait for days: whoever opted out since then must not be opted in by it.
    back = _taken_back(desk, operation, loose)
    if back:
        detail = f"{operation.side.other.label} says yes no more: {', '.join(back)}"
        return Outcome(operation.op_id, Status.STALE, code="CHANGED", detail=detail)
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
    """Whether the record is looked at before the write: see `Desk.recheck`."""
    # What loosens a consent is looked at whatever the setting: that must not rest on an old read.
    if operation.grounds:
        return True
    if operation.kind not in VALUES or desk.recheck == "never":
        return False
    if desk.recheck == "always" or operation.side in desk.free:
        return True
    return operation.risk == "high"


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
    changed = [name for name, cell in operation.before.items() if current.get(name) != cell]
    if not changed:
        return None
    detail = f"changed since the plan was made: {', '.join(sorted(changed))}"
    return Reply(operation.op_id, Status.STALE, code="CHANGED", detail=detail)


def write_of(mapping: PairMapping, operation: Operation, parent: str | None) -> Write:
    """The operation in its side's own terms."""
    if operation.kind in _TAGGING:
        tags = json.loads(operation.after[TAGS] or "[]")
        return Write(
            op_id=operation.op_id,
            kind=operation.kind,
            entity=operation.entity.record,
            key=operation.key,
            tags=tuple(tags),
        )
    mapped = mapping[operation.entity]
    return Write(
        op_id=operation.op_id,
        kind=operation.kind,
        entity=operation.entity,
        key=operation.key,
        parent=parent,
        fields=mapped.encode(operation.after, operation.side),
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
        return _carried_out(mapping, operation, reply)
    code = reply.code
    named = operation.kind is OpKind.CREATE and code == "DUPLICATE" and reply.key is not None
    if named and not operation.because.startswith(DECIDED):
        code = "EXISTS"
    return Outcome(
        operation.op_id,
        reply.status,
        key=reply.key,
        code=code,
        detail=reply.detail,
        trace_id=reply.trace_id,
    )


def _carried_out(mapping: PairMapping, operation: Operation, reply: Reply) -> Outcome:
    """What a side's "done" means, as far as its reply shows what is there now."""
    if reply.record is not None:
        cells = _cells(mapping, operation, reply.record)
        return _done(operation, reply.record, cells, trace_id=reply.trace_id)
    if operation.kind is OpKind.CREATE and not reply.key:
        return Outcome(
            operation.op_id,
            Status.UNCERTAIN,
            code="UNCERTAIN",
            detail="made, but the side did not say under which key",
            trace_id=reply.trace_id,
        )
    return Outcome(
        operation.op_id,
        Status.DONE,
        key=reply.key,
        trace_id=reply.trace_id,
        detail=reply.detail,
    )


def _cells(mapping: PairMapping, operation: Operation, record: Record) -> Cells:
    """What a reply's record shows of the operation's fields."""
    entity = operation.entity.record
    mapped = mapping[entity]
    if operation.kind in _TAGGING:
        field = mapped.field(TAGS)
        native, *_ = field.native(operation.side)
        # A reply without tags says nothing of them: decoded, they would be none.
        if native not in record.fields:
            return {}
        return {TAGS: field.decode(record.fields, operation.side)}
    return mapped.decode(record, operation.side)


def _done(
    operation: Operation, record: Record, cells: Cells, *, trace_id: str | None = None
) -> Outcome:
    outcome = Outcome(
        operation.op_id,
        Status.DONE,
        key=record.key,
        after=cells,
        version=record.version,
        modified_at=record.modified_at,
        trace_id=trace_id,
    )
    dropped = _dropped(operation, cells)
    if not dropped:
        return outcome
    detail = f"accepted, but not stored as sent: {', '.join(dropped)}"
    return dataclasses.replace(outcome, code="VALUE_DROPPED", detail=detail)


def _dropped(operation: Operation, current: Cells) -> list[str]:
    """The fields (or tags) that the side holds otherwise than they were sent."""
    if operation.kind not in _TAGGING:
        sent = operation.after.items()
        return sorted(name for name, cell in sent if name in current and current[name] != cell)
    if TAGS not in current:
        return []
    named = set(json.loads(operation.after[TAGS] or "[]"))
    there = set(json.loads(current[TAGS] or "[]"))
    if operation.kind is OpKind.ADD_TAGS:
        return sorted(named - there)
    return sorted(named & there)
