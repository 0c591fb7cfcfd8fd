"""What one run holds open: the pair, its two sides, the ledger with the lease, the stage, the journal and a clock."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from connectors.ending import Ending
from flows import errors
from flows.state import leases
from flows.config.form import MOST_MINUTES
from flows.config.problems import near
from flows.errors import REPORT
from flows.state.leases import place
from flows.logs import named
from reconcile.ledger import runs
from reconcile.apply.apply import Desk
from reconcile.compare.doubts import Doubt
from reconcile.errors import ConnectorError, Exhausted, Locked, Refused, StalePlan, StateError
from reconcile.ledger.journal import Journal
from reconcile.ledger.ledger import Ledger
from reconcile.plan.limits import NAMES, Limits
from reconcile.values.mapping import Mapping as PairMapping
from reconcile.model import Side
from reconcile.plan.plan import Plan
from reconcile.ports import Connector, Description
from reconcile.apply.settle import Settlement
from reconcile.stage.stage import Stage

if TYPE_CHECKING:
    from flows.config import Pair
    from flows.steps.focus import Named, Sought
    from reconcile.apply.verify import Residual

log = logging.getLogger("flows.run")

REBASE = "rebase"
"""How a caller allows by name that the ledger is believed though the store knows a later run."""

SAME_ENDS = "same-ends"
"""How a caller takes over by name the application and the location that another pair wrote to."""

WAITING = ("planned", "refused")
"""States of a run whose plan may still be carried out."""

LEASE = timedelta(minutes=5)
_RENEW_SECONDS = 60.0


def now() -> str:
    """The present moment as ISO 8601 in UTC, to the millisecond."""
    return moment(datetime.now(UTC))


def moment(at: datetime) -> str:
    """An aware moment as the ledger writes it: it sorts as text."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def new_run_id(job: str) -> str:
    """A name for a run: it sorts by time, and two runs started in the same second differ."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{job}-{secrets.token_hex(2)}"


@dataclass(frozen=True, slots=True)
class Options:
    """What a caller may ask of a run. `allowed` are names of limits to go over; `verify` overrides the pair file's mode.

    `only` is the part of the plan that was approved, as `flows.steps.selection` reads it; empty: all of it.
    """

    job: str = "nightly"
    allowed: frozenset[str] = frozenset()
    verify: str | None = None
    max_minutes: float | None = None
    writes: bool = True
    only: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        minutes = self.max_minutes
        if minutes is not None and not 0 < minutes <= MOST_MINUTES:
            remedy = f"give a number above 0, up to {MOST_MINUTES:,}"
            raise StateError(f"a run cannot stop after {minutes:g} minutes", remedy=remedy, code="MINUTES")
        if unknown := sorted(self.allowed - NAMES - {REBASE, SAME_ENDS}):
            raise StateError(
                f"there is no limit {unknown[0]!r} to allow", remedy=near(unknown[0], NAMES), code="NO_LIMIT"
            )


@dataclass
class Run:
    """One run of one pair."""

    pair: Pair
    run_id: str
    options: Options
    folder: Path
    ledger: Ledger
    connectors: Mapping[Side, Connector]
    stage: Stage
    started_at: str
    clock: Callable[[], str] = now
    holder: str = ""
    plan: Plan | None = None
    stopped: str = ""
    fault: bool = False
    """Whether it was a side's failure that stopped it; a spent quota is none."""
    ending: Ending = field(default_factory=Ending)
    """When the run has to end: what reads, waits or tries again asks it."""
    lost: threading.Event = field(default_factory=threading.Event)
    recovered: tuple[str, ...] = ()
    """The runs that were interrupted, and that this one settled."""
    doubts: tuple[Doubt, ...] = ()
    """Writes of earlier runs that are in doubt still."""
    looked_again: int = 0
    settlement: Settlement | None = None
    residuals: list[Residual] = field(default_factory=list)
    replan: Plan | None = None
    sought: Sought | None = None
    """What a partial run is about; None: everything."""
    flow_run: str = ""
    """Prefect's id of the flow run that carries this out, if one does."""
    nowhere: tuple[Named, ...] = ()
    """What was named, and is known neither to its side nor to the ledger."""

    @cached_property
    def described(self) -> Mapping[Side, Description]:
        """What each side says it is; asked once."""
        return {side: connector.describe() for side, connector in self.connectors.items()}

    @property
    def known(self) -> Mapping[Side, Description]:
        """The same, without asking: empty where that did not come to its end."""
        told: Mapping[Side, Description] = vars(self).get("described", {})
        return told

    @property
    def lags(self) -> Mapping[Side, float]:
        """By how many seconds each side's bulk reads may trail a write."""
        return {side: described.lag_seconds for side, described in self.described.items()}

    @cached_property
    def mapping(self) -> PairMapping:
        """The pair's mapping with the location's region for phones that have none of their own."""
        return self.pair.located(self.described[Side.GHL].region)

    @cached_property
    def limits(self) -> Limits:
        """What this run may do unasked."""
        return Limits(**self.pair.limits)

    @cached_property
    def journal(self) -> Journal:
        """This run's journal."""
        return Journal(self.ledger, self.run_id)

    @cached_property
    def desk(self) -> Desk:
        """What applying this run's plan needs at hand."""
        return self.desk_for(self.journal)

    def desk_for(self, journal: Journal) -> Desk:
        """The same for another run's journal, to finish what it left."""
        free = frozenset(side for side, described in self.described.items() if not any(described.costs.values()))
        return Desk(
            mapping=self.mapping,
            connectors=self.connectors,
            journal=journal,
            now=self.clock,
            parents=lambda link_id, side: self.ledger.key_of(link_id, side),
            recheck=self.pair.apply.recheck,
            free=free,
            doubtful=frozenset(doubt.operation.link_id for doubt in self.doubts),
        )

    def halt(self, error: ConnectorError | Refused, *, what: str = "") -> None:
        """Stop because of what a side said. What was done is settled and told, and the next run goes on from there."""
        self.stopped = self.stopped or f"{what}{error}"
        self.fault = self.fault or not isinstance(error, Exhausted)

    @property
    def verify_mode(self) -> str:
        """full, written or none: how far this run proves that it converged."""
        return self.options.verify or self.pair.verify.mode

    @contextmanager
    def again(self) -> Iterator[Run]:
        """A second look at the same pair, under the same lease, with a stage of its own that is thrown away."""
        folder = self.folder / "proof"
        try:
            with Stage(folder) as stage:
                yield replace(self, run_id=f"{self.run_id}.proof", folder=folder, stage=stage, started_at=self.clock())
        finally:
            shutil.rmtree(folder)

    @property
    def plan_path(self) -> Path:
        """Where the plan file lies."""
        return self.folder / "plan.jsonl"


@contextmanager
def stopping_on_signals(run: Run) -> Iterator[None]:
    """Let SIGTERM and SIGINT end the run, with everything settled that was done; a second one ends it at once.

    It ends after the chunk that is being written, or at the next page, wait or try while it reads.

    Python takes signals in its main thread alone: in another one (a Prefect task runner's) it changes nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, _frame: object) -> None:
        if run.ending.asked:
            raise KeyboardInterrupt
        run.ending.ask(f"stopped by {signal.Signals(number).name}; the rest is planned again on the next run")

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def seconds_of(pair: Pair, options: Options) -> float | None:
    """How long the run may take: as its caller said, else as the pair file says; None where nobody said."""
    minutes = options.max_minutes if options.max_minutes is not None else pair.apply.max_minutes
    return None if minutes is None else minutes * 60


@contextmanager
def open_run(pair: Pair, options: Options, *, plan_digest: str | None = None) -> Iterator[Run]:
    """Open everything a run needs and hold the pair's lease for as long; with `plan_digest`, the run that made that plan.

    Raises Locked where another run holds the pair, StateError where the ledger cannot be opened.
    """
    from flows.wiring.wiring import connect

    with ExitStack() as held:
        ending = Ending(seconds_of(pair, options))
        ledger = Ledger(pair.ledger_url.get_secret_value(), pair.name)
        held.callback(ledger.close)
        name = new_run_id(options.job) if plan_digest is None else _run_of(ledger, plan_digest)
        folder = runs_folder(pair) / name
        holder = f"{place()}/{os.getpid()}/{name}"
        held.enter_context(named(name))
        lost = held.enter_context(lease(ledger, holder))
        if plan_digest is not None:
            _take_up(pair, ledger, folder, held)
        connectors = held.enter_context(connect(pair, engine=ledger.engine, ending=ending))
        stage = held.enter_context(Stage(folder, beside=[links_folder(folder)]))
        run = Run(pair, name, options, folder, ledger, connectors, stage, started_at=now(), holder=holder)
        run.lost, run.ending = lost, ending
        held.enter_context(stopping_on_signals(run))
        if plan_digest is None:
            runs.start(ledger, name, options.job, at=run.started_at)
        try:
            yield run
        except BaseException as error:
            # Where it had begun to write it is left as it is, for the next run to recover.
            with suppress(SQLAlchemyError):
                if runs.fail(ledger, name, at=now()) and isinstance(error, Exception):
                    _tell(run, error)
            raise


def _take_up(pair: Pair, ledger: Ledger, folder: Path, held: ExitStack) -> None:
    """Bring a plan that waits, look at its files before any is opened, and note them once more if it goes on waiting."""
    from flows.state import imprints
    from flows.state.stores import STAGE, brought, keep

    imprints.check(ledger, brought(pair, folder), stage=True)

    def again() -> None:
        row = runs.find(ledger, run_id=folder.name)
        if row is not None and row.state in WAITING:
            imprints.renew(ledger, folder)
            keep(pair, folder, stage=(folder / STAGE).exists())

    held.callback(again)


def _tell(run: Run, error: Exception) -> None:
    """Leave a report of a run that came to nothing; what kept it from that may keep the report from being written, too."""
    from flows.outcome.tell import tell_failure

    try:
        told = tell_failure(run, error)
    except Exception as further:  # noqa: BLE001 - the error itself is what has to be told
        log.warning("no report was written", extra={"why": type(further).__name__})
    else:
        error.add_note(f"{REPORT}{told.paths['html']}")


def _run_of(ledger: Ledger, plan_digest: str) -> str:
    row = runs.find(ledger, plan_digest=plan_digest)
    if row is None:
        raise StalePlan(f"there is no plan {plan_digest}", remedy="make one with `plan`", code="NO_PLAN")
    if row.state not in WAITING:
        raise StalePlan(
            f"plan {plan_digest} was carried out already", remedy="make a new one with `plan`", code="PLAN_USED"
        )
    if row.job == "delta":
        raise StalePlan(
            f"plan {plan_digest} is of a run that looked at a part of the records only",
            remedy="run `delta` again, with what is right allowed by name",
        )
    return row.run_id


def runs_folder(pair: Pair) -> Path:
    """Where a pair's runs are worked on: in its store when that is a folder, else beside the pair file."""
    store = Path(pair.store) if "://" not in pair.store else pair.path.parent / ".ghl-reconcile" / pair.name
    return store / "runs"


def links_folder(folder: Path) -> Path:
    """Where copies of the links lie between runs, from the folder of one."""
    return folder.parent.parent / "links"


@contextmanager
def lease(ledger: Ledger, holder: str) -> Iterator[threading.Event]:
    """Hold the pair's lease and renew it in the background; the event says that it was lost all the same.

    A killed holder's lease runs out by itself; that of one killed on this machine is taken over at once.
    """
    leases.free(ledger)
    _take(ledger, holder)
    done, lost = threading.Event(), threading.Event()
    renewer = threading.Thread(target=_renew, args=(ledger, holder, done, lost), name="lease", daemon=True)
    renewer.start()
    try:
        yield lost
    finally:
        done.set()
        renewer.join()
        ledger.release(holder)


def _take(ledger: Ledger, holder: str) -> None:
    at = ledger.moment() or datetime.now(UTC)
    ledger.acquire(holder, now=moment(at), until=moment(at + LEASE))


def _renew(ledger: Ledger, holder: str, done: threading.Event, lost: threading.Event) -> None:
    """Renew until `done`. A store that does not answer is asked again, until the lease has run out and is anybody's."""
    renewed = time.monotonic()
    while not done.wait(_RENEW_SECONDS):
        try:
            _take(ledger, holder)
            renewed = time.monotonic()
        except (Locked, sa.exc.SQLAlchemyError) as error:
            log.warning("the lease was not renewed", extra={"why": errors.reason(error)})
            if isinstance(error, Locked) or time.monotonic() - renewed > LEASE.total_seconds():
                lost.set()
                return
