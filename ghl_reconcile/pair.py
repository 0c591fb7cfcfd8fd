"""A pair, and what can be done with it by the jobs that the command line calls."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ghl_reconcile import frames
from ghl_reconcile.result import Result, result_of

if TYPE_CHECKING:
    import pandas as pd

    from flows.config import Pair as Loaded
    from flows.run import Options
    from reconcile.ledger.ledger import Ledger


def load(path: str | Path, *, environ: Mapping[str, str] | None = None) -> Pair:
    """The pair that a pair file describes. Nothing is opened yet, and neither side is asked.

    `environ` is where `"env:NAME"` in the file is looked up; None: this process's environment.

    Raises ConfigError with every problem of the file, each with its line and what to do.
    """
    from flows.config import load as read

    if environ is None:
        environ = os.environ
    return Pair(read(Path(path), environ=environ))


@dataclass(frozen=True, slots=True)
class Pair:
    """One application and one GHL location that are kept in agreement; made by `load`.

    Its methods take the pair's lease for as long as they run, and block until the run has ended:
    minutes for thousands of records, hours for a first load. They may be called from one thread at
    a time. Every one of them raises Locked where another run holds the pair, StateError where the
    ledger or the store cannot be used, and ConnectorError where a side does not do what was asked.
    A run that ends by an error leaves a report all the same.
    """

    _loaded: Loaded

    @property
    def name(self) -> str:
        """Its name in the pair file."""
        return self._loaded.name

    @property
    def fields(self) -> Mapping[str, tuple[str, ...]]:
        """The names of the mapped fields, by entity, in the order of the pair file."""
        entities = self._loaded.mapping.entities
        return {each.entity.value: tuple(field.name for field in each.fields) for each in entities}

    def plan(self, *, allow: Collection[str] = ()) -> Result:
        """Read both sides, compare them, and say what a run would do. Neither side is written to.

        `allow` names limits that reading and comparing may go over, as `--allow` does. The plan is
        weighed against the pair file's limits when it is applied.
        """
        from flows.jobs.full import PLAN
        from flows.runner import run_job

        return result_of(run_job(self._loaded, PLAN, options=_options("plan", allow)))

    def apply(
        self,
        digest: str,
        *,
        by: str,
        allow: Collection[str] = (),
        only: Collection[str] = (),
        max_minutes: float | None = None,
    ) -> Result:
        """Carry out the plan of that digest as it was shown; each record is looked at again.

        `by` is who approves it, for the report. `only` is a part of it: words joined by dots, such
        as `contact.update`, `ghl.low`, or a record's key; the next plan has the rest again. `allow`
        names limits that it may go over. After `max_minutes` it stops cleanly.

        Raises StalePlan where another run settled since, or there is no such plan; Refused where a
        limit stops it, before the first write, and where the pair file does not say `live = true`
        for a GHL that is not on this machine.
        """
        from flows.config import require_live
        from flows.jobs.approval import carry_out

        require_live(self._loaded)
        options = _options("apply", allow, by=by, only=tuple(only), max_minutes=max_minutes)
        return result_of(carry_out(self._loaded, digest, options))

    def run(
        self,
        *,
        by: str = "",
        allow: Collection[str] = (),
        verify: str | None = None,
        max_minutes: float | None = None,
    ) -> Result:
        """Plan and carry out within the limits: what a night does.

        `allow` names limits that the plan may go over: deletes, updates, creates, first-creates,
        opt-ins, and others that a refusal names. `verify` is full (both sides are read again to
        prove that they agree), written (what was written is read back) or none; None: as the pair
        file says. `by` is who is behind `allow`.

        Raises Refused as `apply` does, and where the plan goes over a limit.
        """
        from flows.config import require_live
        from flows.jobs.full import FULL
        from flows.runner import run_job

        require_live(self._loaded)
        options = _options("nightly", allow, by=by, verify=verify, max_minutes=max_minutes)
        return result_of(run_job(self._loaded, FULL, options=options))

    def audit(self) -> Result:
        """Read both sides and report on their data; nothing is written to either.

        `Result.document["quality"]` has what is wrong with the data: invalid and missing emails and
        phones, records that are there twice, contacts that are probably one.
        """
        from flows.jobs.audit import AUDIT
        from flows.runner import run_job

        return result_of(run_job(self._loaded, AUDIT))

    def runs(self, *, limit: int = 100) -> pd.DataFrame:
        """One row for each past run, newest first, at most `limit`; neither side is asked.

        `planned_writes` and `done_writes` count writes; `failed`, `left` and `questions` count
        records. They are missing of a run that left no summary.

        Raises StateError where the ledger cannot be opened.
        """
        from reconcile.ledger import runs

        with self._ledger() as ledger:
            return frames.frame(map(_row, runs.runs(ledger, limit=limit)), frames.RUNS)

    def result(self, run_id: str | None = None) -> Result:
        """What a past run came to, as its report has it; the newest that left one by default.

        Its exit code is that of the report's state and figures.

        Raises StateError where there is no such run, its report is gone or of an earlier version's
        form, or somebody changed it.
        """
        from reconcile.ledger import runs

        with self._ledger() as ledger:
            if run_id is None:
                names = [row.run_id for row in runs.runs(ledger)]
            else:
                names = [run_id] if runs.find(ledger, run_id=run_id) else []
            for name in names:
                result = self._kept(ledger, name)
                if result is not None:
                    return result
        from reconcile.errors import StateError

        raise StateError(
            f"there is no report of run {run_id or '(any)'}",
            remedy="list the runs with `Pair.runs`",
            code="NO_RUN",
        )

    def _kept(self, ledger: Ledger, run_id: str) -> Result | None:
        from flows.outcome.tell import Told, exit_code
        from flows.state.imprints import trusted
        from flows.state.stores import runs_folder
        from reconcile.report import kept

        place = runs_folder(self._loaded) / run_id
        path = trusted(self._loaded, ledger, place, "report.json") / "report.json"
        if not path.exists():
            return None
        document = kept.of_today(path)
        state = document["state"]
        code = 3  # of a run that failed, as when it ended
        if state != "failed":
            code = exit_code(state, document)
        return result_of(Told(code, state, document, {"html": path.with_suffix(".html")}))

    @contextmanager
    def _ledger(self) -> Iterator[Ledger]:
        from reconcile.ledger.ledger import Ledger

        ledger = Ledger(self._loaded.ledger_url.get_secret_value(), self._loaded.name)
        try:
            yield ledger
        finally:
            ledger.close()


def _options(job: str, allow: Collection[str], *, by: str = "", **more: Any) -> Options:
    """What is asked of a run. Raises StateError for a limit that there is none of."""
    from flows.run import Options

    flags = frozenset(allow)
    return Options(job, flags, flags=flags, by=by, **more)


def _row(row: Any) -> dict[str, Any]:
    """A run as the frame has it."""
    own = {name: getattr(row, name) for name in frames.RUNS if hasattr(row, name)}
    totals = row.summary.get("totals")
    if not totals:
        return own
    counts = {name: totals[name] for name in ("failed", "left", "questions")}
    writes = {f"{state}_writes": totals[state]["writes"] for state in ("planned", "done")}
    return own | counts | writes
