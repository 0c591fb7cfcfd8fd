"""Watches what GHL makes of the first few writes of a plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from flows.run import Run
from reconcile.apply.canary import GONE, Seen, Stirred, changes
from reconcile.errors import ConnectorError, Stopped
from reconcile.model import Entity, Operation, Outcome, Side, Status
from reconcile.plan.plan import LEDGER_ONLY
from reconcile.ports import Json, ShowsWhole

NOT_WANTED = "the first few writes were looked at, and the rest was not wanted"

Place = tuple[Side, Entity, str, str | None]
"""Where a record is: its side, kind and key, and the key of the contact that it hangs on."""

Whole = Mapping[str, Json] | None


def watch(run: Run, few: Sequence[Operation]) -> Seen:
    """Look at what the first few writes made, wait, and look again.

    Records of a side that does not show them whole, as an application's, are not looked at. A run
    that has to end meanwhile ends as any other.
    """
    outcomes = {operation.op_id: outcome for operation, outcome in run.journal.entries()}
    sent = [operation for operation in few if operation.kind not in LEDGER_ONLY]
    done = [one for one in sent if _is_done(outcomes.get(one.op_id))]
    failed: Counter[str] = Counter()
    for one in sent:
        outcome = outcomes.get(one.op_id)
        if outcome is not None and not _is_done(outcome):
            failed[outcome.code or outcome.status.value] += 1
    places = dict.fromkeys(_place(run, one, outcomes[one.op_id]) for one in done)
    shown = [each for each in places if isinstance(run.connectors[each[0]], ShowsWhole)]
    before = dict(_look(run, shown))
    if before and not _waited(run):
        return Seen(len(done), failed)
    after = dict(_look(run, before))
    return Seen(
        written=len(done),
        failed=failed,
        looked_at=len(after),
        unread=len(shown) - len(after),
        stirred=tuple(_stirred(before, after)),
    )


def _is_done(outcome: Outcome | None) -> bool:
    return outcome is not None and outcome.status is Status.DONE


def _place(run: Run, operation: Operation, outcome: Outcome) -> Place:
    key = outcome.key or operation.key or ""
    return operation.side, operation.entity.record, key, run.desk.contact_of(operation)


def _waited(run: Run) -> bool:
    """Wait as long as was asked for; False where the run has to end first."""
    canary = run.options.canary
    if canary is None:
        return True
    try:
        run.ending.rest(canary.seconds, "what GHL makes of the first writes")
    except Stopped as stopped:
        run.course.stopped = run.course.stopped or str(stopped)
        return False
    return True


def _look(
    run: Run, places: Sequence[Place] | Mapping[Place, Whole]
) -> Iterator[tuple[Place, Whole]]:
    """Each record as its side shows it now; what cannot be read is left out."""
    for place in places:
        side, entity, key, contact = place
        connector = run.connectors[side]
        if not isinstance(connector, ShowsWhole):
            continue
        try:
            yield place, connector.whole(entity, key, contact)
        except ConnectorError:
            continue  # it is counted as unread


def _stirred(before: Mapping[Place, Whole], after: Mapping[Place, Whole]) -> Iterator[Stirred]:
    for place, now in after.items():
        then = before[place]
        if then is None:  # what the plan deleted
            continue
        differing = GONE if now is None else changes(then, now)
        if differing:
            side, entity, key, _ = place
            yield Stirred(entity, side, key, differing)
