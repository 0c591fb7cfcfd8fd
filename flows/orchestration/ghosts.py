"""What Prefect is told late.

Its runs whose process died are closed by the next run of the pair, and a server that is gone is not
waited for.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextvars import copy_context
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.runtime import flow_run
from prefect.states import Crashed

from flows.clock import moment
from flows.run import Run
from reconcile.ledger import runs

log = logging.getLogger("flows.orchestration.ghosts")

WAIT_SECONDS = 60.0
"""How long, all in all, a run waits for Prefect once its work is done."""

_LOOKED = 50
_LATE = timedelta(minutes=10)
_OPEN = ("RUNNING", "PENDING", "CANCELLING")


def shortly(*shows: Callable[[], object]) -> None:
    """Show what became of a run, in bounded time and without a fault.

    A server that is gone changes nothing about what was done.
    """
    thread = threading.Thread(
        target=copy_context().run, args=(_guarded, shows), name="shown", daemon=True
    )
    thread.start()
    thread.join(WAIT_SECONDS)
    if thread.is_alive():
        log.warning("Prefect was not told all", extra={"waited": WAIT_SECONDS})


def _guarded(shows: tuple[Callable[[], object], ...]) -> None:
    for show in shows:
        try:
            show()
        except Exception as error:  # noqa: BLE001 - Prefect's, its client's or its server's
            log.warning("Prefect was not told all", extra={"why": type(error).__name__})


def adopt(run: Run) -> None:
    """Note in the ledger which run of Prefect's this is.

    Those of the pair's that died without a word are closed.

    Whoever holds the pair's lease is its only run, so an entry that never came to its end belongs
    to a process that is gone.
    """
    run.course.flow_run = str(flow_run.id or "")
    if not run.course.flow_run:
        return
    runs.annotate(run.ledger, run.run_id, flow_run=run.course.flow_run)
    dead = _dead(run)
    if dead:
        shortly(lambda: _close(dead))


def _dead(run: Run) -> dict[str, str]:
    """Prefect's runs, by id, with ours: without an end, or with one long ago.

    A migration lives on between its runs.
    """
    before = moment(datetime.fromisoformat(run.clock()) - _LATE)
    dead = {}
    for row in runs.runs(run.ledger, limit=_LOOKED):
        known = str(row.summary.get("flow_run") or "")
        over = row.ended_at is None or (row.ended_at < before and row.job != "migrate")
        if known and known != run.course.flow_run and over:
            dead[known] = row.run_id
    return dead


def _close(dead: dict[str, str]) -> None:
    with get_client(sync_client=True) as client:
        chosen = FlowRunFilter(id=FlowRunFilterId(any_=[UUID(name) for name in dead]))
        for each in client.read_flow_runs(flow_run_filter=chosen):
            if each.state_type is not None and each.state_type.value in _OPEN:
                _close_one(client, each, dead[str(each.id)])


def _close_one(client: SyncPrefectClient, ghost: Any, run_id: str) -> None:
    said: Any = Crashed(
        message=(
            "its process ended without a word; the next run of the pair took up "
            f"what run {run_id} left"
        )
    )
    mine = FlowRunFilter(id=FlowRunFilterId(any_=[ghost.id]))
    for task in client.read_task_runs(flow_run_filter=mine):
        if task.state_type is not None and task.state_type.value in _OPEN:
            client.set_task_run_state(task.id, said, force=True)
    client.set_flow_run_state(ghost.id, said, force=True)
    log.warning(
        "closed", extra={"flow_run": str(ghost.id), "run": run_id, "at": moment(datetime.now(UTC))}
    )
