"""Settles what a run's journal alone tells: of a run that was interrupted, and of an undo."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from flows.run import Run
from reconcile.apply import settle, undo_settlement
from reconcile.apply.settle_operations import Name
from reconcile.baseline import differences
from reconcile.ledger import runs
from reconcile.ledger.journal import Journal


def source_of(run: Run, name: str) -> differences.Source:
    """What the register of differences says of where an entry of a run comes from."""
    return differences.source(run.mapping, name, run.clock())


def settle_journal(
    run: Run, journal: Journal, *, state: str, whole: Collection[Name] = ()
) -> settle.Settlement:
    """Advance the ledger to what a journal alone tells, in one transaction.

    `state` is its run's from then on, if given.

    `whole` are links of which an undo created one end again while the other one is there.
    """
    ledger, name = run.ledger, journal.run_id
    with ledger.transaction() as connection:
        source = source_of(run, name)
        linked, forgotten = undo_settlement.settle_journal(
            ledger, connection, journal, source, whole=whole
        )
        before = ledger.state()
        after = replace(before, generation=before.generation + 1)
        ledger.advance(connection, after)
        if state:
            runs.mark_within(connection, name, ended_at=run.clock(), state=state)
    return settle.Settlement(after.generation, 0, linked, forgotten)
