"""A fleet through Prefect.

One task a pair on a task runner, in threads here or on Dask or Ray where they are installed.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Sequence
from contextvars import copy_context
from pathlib import Path
from threading import Lock
from typing import Any, Literal

# It settles Prefect's settings before Prefect is imported.
from flows.orchestration import engine as _settings  # noqa: F401

from prefect import flow, task  # isort: skip
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.task_runners import ThreadPoolTaskRunner

from flows.jobs.fleet import (
    Job,
    fleet,
    longest_first,
    pair_files,
    refused,
    run_process,
    seconds_before,
)
from flows.jobs.turns import USUAL, Pace
from flows.orchestration.sealed import Failed, outward, sealed, unsealed
from flows.outcome.fleet import LOST, FleetReport, PairRun, markdown, write
from flows.state.pairs import url_of, write_out
from reconcile.errors import ConfigError, Problem, to_install

log = logging.getLogger("flows.orchestration.fleet")

Runner = Literal["threads", "dask", "ray"]

_RUNNERS = {"dask": ("prefect_dask", "DaskTaskRunner"), "ray": ("prefect_ray", "RayTaskRunner")}


@task(name="pair", task_run_name="{pair}", cache_policy=NO_CACHE, persist_result=False)
@sealed
def run_pair(pair: str, job: Job, kept_in: str = "") -> PairRun:
    """One pair, in a process of its own wherever this task runs.

    Its file comes from the ledger `kept_in`, if that is named.
    """
    path = Path(pair)
    if kept_in:
        write_out(url_of(kept_in), path.parent, [path.stem], kept_in=kept_in)
    return run_process(path, job)


def runner_of(name: Runner, workers: int) -> Any:
    """A task runner. Raises ConfigError where it is not installed."""
    if name == "threads":
        return ThreadPoolTaskRunner(max_workers=workers)
    module, kind = _RUNNERS[name]
    try:
        runner = getattr(importlib.import_module(module), kind)
    except ImportError:
        what = f"the {name} task runner is not installed"
        raise ConfigError(
            [Problem("--runner", what, f"install it: {to_install(module)}")]
        ) from None
    if name == "ray":
        return runner(init_kwargs={"num_cpus": workers})
    return runner(cluster_kwargs={"n_workers": workers, "threads_per_worker": 1})


def fleet_on(
    name: Runner,
    pairs: Sequence[Path],
    job: Job,
    *,
    workers: int,
    kept_in: str = "",
    before: Sequence[PairRun] = (),
    pace: Pace = USUAL,
) -> FleetReport:
    """Run every pair as a Prefect task on that runner; the report is an artifact of the flow run.

    Raises ConfigError where `kept_in` is a URL itself: Prefect keeps parameters, so it may see the
    name of a variable only.
    """
    if kept_in and not kept_in.startswith("env:"):
        what = "the ledger's URL would be kept by Prefect, with its password"
        raise ConfigError(
            [Problem("--ledger", what, 'put it into an environment variable and write "env:NAME"')]
        )

    @flow(name="fleet-run", task_runner=runner_of(name, workers), persist_result=False)
    @sealed
    def run_all() -> FleetReport:
        # Prefect knows by it which flow run a task is of; the fleet's threads begin without.
        within = copy_context()
        submitting = Lock()

        def one(path: Path, _: Job) -> PairRun:
            try:
                # Dask's runner starts its cluster at the first one: two at once start two.
                with submitting:
                    future = within.copy().run(run_pair.submit, str(path), job, kept_in)
                return future.result()
            # A worker that was lost, or could not be told the pair, stops no other.
            except Exception as error:  # noqa: BLE001
                refusal = isinstance(error, Failed)
                said = str(error if refusal else outward(error))[-2_000:]
                code = "" if refusal else LOST
                return PairRun(path.stem, 3, 0.0, state="failed", error=said, code=code)

        report = fleet(pairs, job, workers=workers, runner=one, before=before, pace=pace)
        create_markdown_artifact(
            markdown(report), key="fleet", description=f"{len(report.runs)} pairs"
        )
        return report

    return unsealed(run_all)


@flow(name="fleet", persist_result=False)
@sealed
def fleet_flow(
    folder: str,
    job: Job = "run",
    runner: Runner = "threads",
    workers: int = 2,
    ledger: str | None = None,
    out: str = "fleet",
) -> None:
    """Run every pair of a folder, or that a ledger keeps; those that took longest start first.

    The flow fails where a pair does, after all have run.

    Args:
        folder: the folder with the pair files, on the worker
        job: what to do with each pair
        runner: threads here, or Dask or Ray where installed
        workers: how many pairs at a time
        ledger: "env:NAME" of a ledger: its pairs are run, written into the folder wherever they run
        out: where the fleet report goes, on the worker; without a ledger it says how long each took
    """
    before: list[PairRun] = []

    def refuse(name: str, error: ConfigError) -> None:
        before.append(refused(name, error))

    if ledger:
        files = write_out(url_of(ledger), Path(folder), kept_in=ledger, refuse=refuse)
    else:
        files = pair_files(Path(folder))
    seconds = seconds_before(job, report=Path(out) / "fleet.json", ledger=ledger)
    files = longest_first(files, seconds)
    report = fleet_on(runner, files, job, workers=workers, kept_in=ledger or "", before=before)
    try:
        write(report, Path(out))
    except OSError as error:
        # The pairs have run: a disk that takes no page fails none of them.
        log.warning("the fleet report could not be written", extra={"why": type(error).__name__})
    if report.exit_code >= 2:
        failed = ", ".join(run.pair for run in report.runs if run.exit_code >= 2)
        raise RuntimeError(f"these pairs need somebody: {failed}; see the fleet's artifact")
