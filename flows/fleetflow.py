"""A fleet through Prefect: one task a pair on a task runner, in threads here or on Dask or Ray where they are installed."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from flows import engine as _settings  # noqa: F401 - it settles Prefect's settings before Prefect is imported

from prefect import flow, task  # isort: skip
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.task_runners import ThreadPoolTaskRunner

from flows.fleet import FleetReport, Job, PairRun, fleet, markdown, pair_files, run_process
from reconcile.errors import ConfigError, Problem

Runner = Literal["threads", "dask", "ray"]

_RUNNERS = {"dask": ("prefect_dask", "DaskTaskRunner"), "ray": ("prefect_ray", "RayTaskRunner")}


@task(name="pair", task_run_name="{pair}", cache_policy=NO_CACHE, persist_result=False)
def run_pair(pair: str, job: Job) -> PairRun:
    """One pair, in a process of its own wherever this task runs."""
    return run_process(Path(pair), job)


def runner_of(name: Runner, workers: int) -> Any:
    """A task runner. Raises ConfigError where it is not installed."""
    if name == "threads":
        return ThreadPoolTaskRunner(max_workers=workers)
    module, kind = _RUNNERS[name]
    try:
        made = getattr(importlib.import_module(module), kind)
    except ImportError:
        what = f"the {name} task runner is not installed"
        raise ConfigError([Problem("--runner", what, f'install it: pip install "ghl-reconcile[{name}]"')]) from None
    if name == "ray":
        return made(init_kwargs={"num_cpus": workers})
    return made(cluster_kwargs={"n_workers": workers, "threads_per_worker": 1})


def fleet_on(name: Runner, pairs: Sequence[Path], job: Job, *, workers: int) -> FleetReport:
    """Run every pair as a Prefect task on that runner; the report is an artifact of the flow run."""

    @flow(name="fleet-run", task_runner=runner_of(name, workers), persist_result=False)
    def run_all() -> FleetReport:
        def one(path: Path, _: Job) -> PairRun:
            return futures[path].result()  # type: ignore[no-any-return]

        futures: dict[Path, Any] = {path: run_pair.submit(str(path), job) for path in pairs}
        report = fleet(pairs, job, workers=workers, runner=one)
        create_markdown_artifact(markdown(report), key="fleet", description=f"{len(report.runs)} pairs")
        return report

    return run_all()


@flow(name="fleet", persist_result=False)
def fleet_flow(folder: str, job: Job = "run", runner: Runner = "threads", workers: int = 2) -> None:
    """Run every pair of a folder; the flow fails where a pair does, after all have run.

    Args:
        folder: the folder with the pair files, on the worker
        job: what to do with each pair
        runner: threads here, or Dask or Ray where installed
        workers: how many pairs at a time
    """
    report = fleet_on(runner, pair_files(Path(folder)), job, workers=workers)
    if report.exit_code >= 2:
        failed = ", ".join(run.pair for run in report.runs if run.exit_code >= 2)
        raise RuntimeError(f"these pairs need somebody: {failed}; see the fleet's artifact")
