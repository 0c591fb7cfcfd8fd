"""What one run holds open.

The pair, its two sides, the ledger with the lease, the stage, the journal and a clock.
"""

from __future__ import annotations

import logging
import shutil
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connectors.ending import Ending
from flows.clock import now
from flows.config.form import MOST_MINUTES
from flows.config.problems import near
from reconcile.apply.apply import Desk
from reconcile.apply.canary import Seen
from reconcile.apply.settle import Settlement
from reconcile.compare.agenda_sweep import Sweep
from reconcile.compare.doubts import Doubt
from reconcile.entities import Shown
from reconcile.errors import ConnectorError, Exhausted, Refused, StateError
from reconcile.ledger.journal import Journal
from reconcile.ledger.ledger import Ledger
from reconcile.model import Side
from reconcile.plan.limits import NAMES, Breach, Limits
from reconcile.plan.plan import Plan
from reconcile.plan.references import with_directories
from reconcile.ports import Connector, Description
from reconcile.report.account import Began
from reconcile.stage.stage import Stage
from reconcile.values.mapping import Mapping as PairMapping

if TYPE_CHECKING:
    from flows.config import Pair
    from flows.scope import Former, Named, Sought
    from reconcile.apply.verify import Residual

log = logging.getLogger("flows.run")

REBASE = "rebase"
"""How a caller allows by name that the ledger is believed though the store knows a later run."""

SAME_ENDS = "same-ends"
"""How a caller takes over by name the application and the location that another pair wrote to."""

BY_FLAG = "the run's "
"""How the answers begin to be signed that a caller gave by a flag, such as --allow restore-app."""

WAITING = ("planned", "refused")
"""States of a run whose plan may still be carried out."""


PROOF = ".proof"
"""What the name of a second look at the same pair ends with."""


@dataclass(frozen=True, slots=True)
class Canary:
    """How many writes of each kind come first, how long they are watched, and who says to go on."""

    few: int
    seconds: float
    goes_on: Callable[[Seen], bool]


@dataclass(frozen=True, slots=True)
class Options:
    """What a caller may ask of a run.

    `allowed` are names of limits to go over; `verify` overrides the pair file's mode.

    `only` is the part of the plan that was approved, as `reconcile.plan.selection` reads it; empty:
    all of it.
    """

    job: str = "nightly"
    allowed: frozenset[str] = frozenset()
    verify: str | None = None
    max_minutes: float | None = None
    only: tuple[str, ...] = ()
    by: str = ""
    """Who approves what this run is let do; empty where nobody gave a name."""
    flags: frozenset[str] = frozenset()
    """Of what is allowed, that which a person gave by name; a migration has limits of its own."""
    unseen: bool = False
    """Whether a person said yes to whatever the plan would be."""
    canary: Canary | None = None
    """Whether a few writes of each kind come first, and are looked at before the rest."""

    def __post_init__(self) -> None:
        minutes = self.max_minutes
        if minutes is not None and not 0 < minutes <= MOST_MINUTES:
            remedy = f"give a number above 0, up to {MOST_MINUTES:,}"
            raise StateError(
                f"a run cannot stop after {minutes:g} minutes", remedy=remedy, code="MINUTES"
            )
        # A misspelt limit would be allowed in silence, and stop the night that it was meant for.
        unknown = sorted(self.allowed - NAMES - {REBASE, SAME_ENDS})
        if unknown:
            raise StateError(
                f"there is no limit {unknown[0]!r} to allow",
                remedy=near(unknown[0], NAMES),
                code="NO_LIMIT",
            )


@dataclass
class Course:
    """What came of a run so far: what its report tells, also where an error ends it."""

    plan: Plan | None = None
    stopped: str = ""
    fault: bool = False
    """Whether it was a side's failure that stopped it; a spent quota is none."""
    recovered: tuple[str, ...] = ()
    """The runs that were interrupted, and that this one settled."""
    doubts: tuple[Doubt, ...] = ()
    """Writes of earlier runs that are in doubt still."""
    looked_again: int = 0
    agendas: Mapping[Shown, Sweep] = field(default_factory=dict)
    """How far the reading of what is only shown came."""
    settlement: Settlement | None = None
    residuals: list[Residual] = field(default_factory=list)
    replan: Plan | None = None
    flow_run: str = ""
    """Prefect's id of the flow run that carries this out, if one does."""
    breaches: tuple[Breach, ...] = ()
    """The limits that the plan goes over: what the run is refused for."""
    approved: str = ""
    """The digest of the plan that was taken over as a person approved it."""
    steps: list[Began] = field(default_factory=list)
    """Which steps began, and when: the second look at both sides goes on with the same list."""
    former: Former | None = None
    """Whose reading stands for the contacts of GHL that did not change since."""
    nowhere: tuple[Named, ...] = ()
    """What was named, and is known neither to its side nor to the ledger."""


@dataclass(frozen=True)
class Run:
    """One run of one pair.

    What it has at hand, which stays as it is, and in `course` what came of it.
    """

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
    ending: Ending = field(default_factory=Ending)
    """When the run has to end: what reads, waits or tries again asks it."""
    lost: threading.Event = field(default_factory=threading.Event)
    sought: Sought | None = None
    """What a partial run is about; None: everything."""
    course: Course = field(default_factory=Course)

    @cached_property
    def described(self) -> Mapping[Side, Description]:
        """What each side says it is; asked once."""
        return {side: connector.describe() for side, connector in self.connectors.items()}

    @property
    def known(self) -> Mapping[Side, Description]:
        """The same, without asking: empty where that did not come to its end."""
        described: Mapping[Side, Description] = vars(self).get("described", {})
        return described

    @property
    def lags(self) -> Mapping[Side, float]:
        """By how many seconds each side's bulk reads may trail a write."""
        return {side: described.lag_seconds for side, described in self.described.items()}

    @cached_property
    def mapping(self) -> PairMapping:
        """The pair's mapping with what the location and the ledger alone can tell.

        That is the location's region, users and companies, and which records are linked.
        """
        ghl = self.described[Side.GHL]
        located = self.pair.located(ghl.region, ghl.owners, ghl.companies)
        return with_directories(located, self.ledger)

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
        free = frozenset(
            side for side, described in self.described.items() if not any(described.costs.values())
        )
        return Desk(
            mapping=self.mapping,
            connectors=self.connectors,
            journal=journal,
            now=self.clock,
            parents=lambda link_id, side: self.ledger.key_of(link_id, side),
            recheck=self.pair.apply.recheck,
            free=free,
            doubtful=frozenset(doubt.operation.link_id for doubt in self.course.doubts),
        )

    def halt(self, error: ConnectorError | Refused, *, what: str = "") -> None:
        """Stop because of what a side said.

        What was done is settled and told, and the next run goes on from there.
        """
        course = self.course
        course.stopped = course.stopped or f"{what}{error}"
        course.fault = course.fault or not isinstance(error, Exhausted)

    def about(self, **narrowed: Any) -> Run:
        """The same run with a narrower scope.

        What was asked of the sides and what came of it so far is shared.
        """
        # `replace` begins with empty cached properties: both sides would be described again.
        run = replace(self, **narrowed)
        shared = {name: value for name, value in vars(self).items() if name not in vars(run)}
        vars(run).update(shared)
        return run

    @property
    def whole(self) -> bool:
        """Whether the run is about all of both sides, so that an absence means something."""
        return self.sought is None

    @property
    def verify_mode(self) -> str:
        """full, written or none: how far this run proves that it converged."""
        return self.options.verify or self.pair.verify.mode

    @contextmanager
    def again(self) -> Iterator[Run]:
        """A second look at the same pair, under the same lease.

        It has a stage of its own that is thrown away.
        """
        folder = self.folder / "proof"
        try:
            with Stage(folder) as stage:
                yield replace(
                    self,
                    run_id=f"{self.run_id}{PROOF}",
                    folder=folder,
                    stage=stage,
                    started_at=self.clock(),
                    course=replace(self.course),
                )
        finally:
            shutil.rmtree(folder)

    @property
    def plan_path(self) -> Path:
        """Where the plan file lies."""
        return self.folder / "plan.jsonl"


@contextmanager
def stopping_on_signals(run: Run) -> Iterator[None]:
    """Let SIGTERM and SIGINT end the run, with everything settled that was done.

    A second one ends it at once.

    It ends after the chunk that is being written, or at the next page, wait or try while it reads.

    Python takes signals in its main thread alone: in another one (a Prefect task runner's) it
    changes nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, _frame: object) -> None:
        if run.ending.requested:
            raise KeyboardInterrupt
        run.ending.ask(
            f"stopped by {signal.Signals(number).name}; the rest is planned again on the next run"
        )

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:  # several runs may follow one another in one process, each with an end of its own
        for number, handler in before.items():
            signal.signal(number, handler)


def seconds_of(pair: Pair, options: Options) -> float | None:
    """How long the run may take: as its caller said, else as the pair file says.

    None where nobody said.
    """
    minutes: float | None = pair.apply.max_minutes
    if options.max_minutes is not None:
        minutes = options.max_minutes
    if minutes is None:
        return None
    return minutes * 60
