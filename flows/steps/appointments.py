"""Reads appointments, to show them: after all writes, so that it takes no request from one."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from flows.run import Run
from flows.steps.steps import must_stop
from reconcile.compare import appointment_sweep
from reconcile.compare.appointment_sweep import Sweep
from reconcile.errors import ConnectorError, Expired, WrongLocation
from reconcile.ledger import appointments
from reconcile.model import Entity, Side
from reconcile.ports import Agenda, ShowsAppointments

log = logging.getLogger("flows.steps.appointments")

_BATCH = 100


def read_appointments(run: Run) -> None:
    """Read the appointments of as many GHL contacts as the budget allows, in a whole run alone.

    A failure is told and ends no run, but for credentials that nothing can be read with any more.
    """
    side, budget = run.connectors[Side.GHL], run.pair.ghl.appointments_budget
    if not budget or not isinstance(side, ShowsAppointments) or run.sought:
        return
    if Entity.CONTACT not in run.mapping or must_stop(run):
        return
    contacts = appointment_sweep.choose(run.stage, run.ledger, budget=budget)
    vanished = appointment_sweep.gone(run.stage)
    with run.ledger.transaction() as connection:
        # Who is gone is never asked again, so that nothing else would end what is known of them.
        appointments.forget(run.ledger, connection, vanished)
    try:
        for batch in _batches(side.appointments(contacts)):
            _remember(run, batch)
            if run.lost.is_set():
                return
    except (Expired, WrongLocation) as error:
        run.halt(error, what="appointments could not be read: ")
    except ConnectorError as error:
        # Both sides are compared and written by now: what is only shown fails no run.
        run.course.appointments = Sweep(
            run.course.appointments.tried, run.course.appointments.failed, str(error)
        )
    log.info("appointments", extra={"contacts": run.course.appointments.tried})


def _batches(agendas: Iterator[Agenda]) -> Iterator[list[Agenda]]:
    """The agendas, some at a time; what was read before an error comes before the error."""
    batch: list[Agenda] = []
    try:
        for agenda in agendas:
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


def _remember(run: Run, agendas: list[Agenda]) -> None:
    """Write what was read into the ledger, and count it."""
    with run.ledger.transaction() as connection:
        appointments.remember(run.ledger, connection, agendas, at=run.clock())
    failed = sum(1 for agenda in agendas if agenda.failure)
    earlier = run.course.appointments
    run.course.appointments = Sweep(earlier.tried + len(agendas), earlier.failed + failed)
