"""Opens everything that a run needs, under the pair's lease.

It also tells of a run that came to nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from connectors.ending import Ending
from flows.clock import new_run_id, now
from flows.errors import REPORT
from flows.logs import named
from flows.progress import CURRENT
from flows.run import WAITING, Options, Run, seconds_of, stopping_on_signals
from flows.state.leases import holder_name, lease
from flows.state.stores import links_folder, runs_folder
from reconcile.errors import Locked, StalePlan
from reconcile.ledger import runs
from reconcile.ledger.ledger import Ledger
from reconcile.stage.stage import Stage

if TYPE_CHECKING:
    from flows.config import Pair

log = logging.getLogger("flows.opening")


@contextmanager
def open_run(pair: Pair, options: Options, *, plan_digest: str | None = None) -> Iterator[Run]:
    """Open everything a run needs and hold the pair's lease for as long.

    With `plan_digest`, the run that made that plan.

    Raises Locked where another run holds the pair, StateError where the ledger cannot be opened.
    """
    from flows.wiring.wiring import connect

    with ExitStack() as stack:
        ending = Ending(seconds_of(pair, options))
        ledger = Ledger(pair.ledger_url.get_secret_value(), pair.name)
        stack.callback(ledger.close)
        name = new_run_id(options.job) if plan_digest is None else _run_of(ledger, plan_digest)
        folder = runs_folder(pair) / name
        holder = holder_name(name)
        stack.enter_context(named(name))
        lost = stack.enter_context(lease(ledger, holder))
        # Under the lease alone: until then another run may be carrying out the same plan.
        if plan_digest is not None:
            _take_up(pair, ledger, folder, stack)
        connectors = stack.enter_context(connect(pair, engine=ledger.engine, ending=ending))
        stage = stack.enter_context(Stage(folder, beside=[links_folder(folder)]))
        run = Run(
            pair,
            name,
            options,
            folder,
            ledger,
            connectors,
            stage,
            started_at=now(),
            holder=holder,
            ending=ending,
            lost=lost,
        )
        ending.watch = CURRENT.waiting
        stack.enter_context(stopping_on_signals(run))
        stack.enter_context(CURRENT)
        if plan_digest is None:
            runs.start(ledger, name, options.job, at=run.started_at)
        try:
            yield run
        except BaseException as error:
            # Where it had begun to write it is left as it is, for the next run to recover.
            with suppress(SQLAlchemyError, Locked):
                came_to_nothing = runs.fail(ledger, name, at=now())
                if isinstance(error, Exception):
                    _tell(run, error, came_to_nothing=came_to_nothing)
            raise


def _take_up(pair: Pair, ledger: Ledger, folder: Path, stack: ExitStack) -> None:
    """Bring a plan that waits, and look at its files before any is opened.

    They are noted once more if it goes on waiting.
    """
    from flows.state import imprints
    from flows.state.stores import STAGE, brought, keep

    imprints.check(ledger, brought(pair, folder), stage=True)

    def again() -> None:
        row = runs.find(ledger, run_id=folder.name)
        if row is not None and row.state in WAITING:
            imprints.renew(ledger, folder)
            keep(pair, folder, stage=(folder / STAGE).exists())

    stack.callback(again)


def _tell(run: Run, error: Exception, *, came_to_nothing: bool) -> None:
    """Leave a report of a run that came to nothing; say of one that wrote that it ended.

    What kept it from that may keep the report from being written, too.
    """
    from flows.outcome.notify import tell_ended
    from flows.outcome.tell import tell_failure

    if not came_to_nothing:
        row = runs.find(run.ledger, run_id=run.run_id)
        if row is not None and row.state in runs.UNSETTLED:
            tell_ended(run, error)
        return
    try:
        result = tell_failure(run, error)
    except Exception as further:  # noqa: BLE001 - the error itself is what has to be told
        log.warning("no report was written", extra={"why": type(further).__name__})
    else:
        error.add_note(f"{REPORT}{result.paths['html']}")


def _run_of(ledger: Ledger, plan_digest: str) -> str:
    row = runs.find(ledger, plan_digest=plan_digest)
    if row is None:
        raise StalePlan(
            f"there is no plan {plan_digest}", remedy="make one with `plan`", code="NO_PLAN"
        )
    if row.state not in WAITING:
        raise StalePlan(
            f"plan {plan_digest} was carried out already",
            remedy="make a new one with `plan`",
            code="PLAN_USED",
        )
    if row.job == "delta":
        raise StalePlan(
            f"plan {plan_digest} is of a run that looked at a part of the records only",
            remedy="run `delta` again, with what is right allowed by name",
        )
    return row.run_id
