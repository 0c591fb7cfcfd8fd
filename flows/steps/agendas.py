"""Reads what is only shown: after all writes, so that it takes no request from one."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from flows.run import Run
from flows.steps.steps import must_stop
from reconcile.compare import agenda_sweep
from reconcile.compare.agenda_sweep import NOTHING, Sweep
from reconcile.entities import OWNER, Shown
from reconcile.errors import ConnectorError, Expired, WrongLocation
from reconcile.ledger import agendas
from reconcile.model import Side
from reconcile.ports import Agenda, ShowsAgendas

log = logging.getLogger("flows.steps.agendas")

_BATCH = 100


def read_agendas(run: Run) -> None:
    """Read each kind of as many GHL contacts as its budget allows, in a whole run alone.

    A failure is told and ends no run, but for credentials that nothing can be read with any more.
    """
    for kind in Shown:
        _read(run, kind, budget=getattr(run.pair.ghl, kind.budget))


def _read(run: Run, kind: Shown, *, budget: int) -> None:
    side = run.connectors[Side.GHL]
    if not budget or not isinstance(side, ShowsAgendas) or run.sought:
        return
    if OWNER not in run.mapping or must_stop(run):
        return
    contacts = agenda_sweep.choose(run.stage, run.ledger, budget=budget)
    vanished = agenda_sweep.gone(run.stage)
    with run.ledger.transaction() as connection:
        # Who is gone is never asked again, so that nothing else would end what is known of them.
        agendas.forget(run.ledger, connection, vanished)
    try:
        for batch in _batches(side.agendas(kind, contacts)):
            _remember(run, kind, batch)
            if run.lost.is_set():
                return
    except (Expired, WrongLocation) as error:
        run.halt(error, what=f"{kind.plural} could not be read: ")
    except ConnectorError as error:
        # Both sides are compared and written by now: what is only shown fails no run.
        before = run.course.agendas.get(kind, NOTHING)
        _note(run, kind, Sweep(before.tried, before.failed, str(error)))
    log.info(kind.plural, extra={"contacts": run.course.agendas.get(kind, NOTHING).tried})


def _batches(read: Iterator[Agenda]) -> Iterator[list[Agenda]]:
    """What is read, some at a time; what was read before an error comes before the error."""
    batch: list[Agenda] = []
    try:
        for agenda in read:
            batch.append(agenda)
            if len(batch) == _BATCH:
                yield batch
                batch = []
    except ConnectorError:
        if batch:
            yield batch
        raise
    if batch:
        yield batch


def _remember(run: Run, kind: Shown, batch: list[Agenda]) -> None:
    """Write what was read into the ledger, and count it."""
    with run.ledger.transaction() as connection:
        agendas.remember(run.ledger, connection, batch, at=run.clock())
    failed = sum(1 for agenda in batch if agenda.failure)
    earlier = run.course.agendas.get(kind, NOTHING)
    _note(run, kind, Sweep(earlier.tried + len(batch), earlier.failed + failed))


def _note(run: Run, kind: Shown, sweep: Sweep) -> None:
    run.course.agendas = {**run.course.agendas, kind: sweep}
