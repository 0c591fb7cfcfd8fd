"""The jobs as Prefect flows: the same steps as tasks, and what a run tells as artifacts.

Nothing of the core knows of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

for _name, _value in {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    "PREFECT_LOGGING_LEVEL": "ERROR",
    # Each request to a server that is gone is tried again after 2, 4, 8 ... seconds: with Prefect's
    # five, a minute each.
    "PREFECT_CLIENT_MAX_RETRIES": "2",
    "PREFECT_API_REQUEST_TIMEOUT": "20",
}.items():
    os.environ.setdefault(_name, _value)
os.umask(0o077)  # a worker does not come by way of the command line: see flows.cli.PRIVATE

from prefect import flow, task  # noqa: E402 - Prefect reads its settings when it is imported
from prefect.artifacts import create_markdown_artifact  # noqa: E402
from prefect.cache_policies import NO_CACHE  # noqa: E402
from prefect.client.schemas.objects import State  # noqa: E402
from prefect.events import emit_event  # noqa: E402
from prefect.states import Completed  # noqa: E402

from flows.config import Pair, load, require_live  # noqa: E402
from flows.jobs.full import FULL  # noqa: E402
from flows.orchestration.artifacts import Watched, called, let_go, rename, tables  # noqa: E402
from flows.orchestration.ghosts import adopt, shortly  # noqa: E402
from flows.orchestration.narrative import narrated  # noqa: E402
from flows.orchestration.sealed import sealed, unsealed  # noqa: E402
from flows.outcome.tell import Told  # noqa: E402
from flows.run import Options  # noqa: E402
from flows.runner import run_job, say_step  # noqa: E402
from reconcile.report.markdown import markdown  # noqa: E402
from reconcile.report.mask import masked  # noqa: E402

FINISHED: list[Told] = []
"""What the runs of this process came to, should Prefect not be able to say so any more."""


def as_task(step: Callable[..., Any], *arguments: Any) -> Any:
    """Carry out a step as a Prefect task.

    Nothing of it is cached or kept: contact data has no place in Prefect's database.
    """
    say_step(step, arguments)
    if step.__name__ == "recover":  # the first step of every job
        adopt(arguments[0])
    behind = task(name=step.__name__, cache_policy=NO_CACHE, persist_result=False)(sealed(step))
    return narrated(step, arguments, lambda: unsealed(behind, *arguments))


@flow(name="ghl-reconcile", persist_result=False)
@sealed
def run_pair(
    pair: str,
    job: str = "nightly",
    allow: list[str] | None = None,
    verify: str | None = None,
    max_minutes: float | None = None,
    by: str = "",
) -> Told:
    """One run of the pair in that file.

    Prefect keeps parameters, so they name the file and hold nothing of it.
    """
    loaded = load(Path(pair))
    require_live(loaded)
    allowed = frozenset(allow or ())
    options = Options(job, allowed, verify, max_minutes, flags=allowed, by=by)
    came_to = run_job(loaded, replace(FULL, name=job), Watched(as_task, loaded), options=options)
    FINISHED.append(came_to)
    shortly(
        lambda: publish(loaded, came_to),
        lambda: tables(loaded, came_to),
        lambda: rename(loaded, came_to),
    )
    return came_to


@flow(name="nightly", persist_result=False, on_crashed=[let_go], on_cancellation=[let_go])
@sealed
def nightly(
    pair: str,
    allow: list[str] | None = None,
    verify: Literal["full", "written", "none"] | None = None,
    max_minutes: float | None = None,
    by: str = "",
) -> State[Any]:
    """Reconcile one pair, guarded by its limits. The flow fails where records failed.

    Args:
        pair: path of the pair file, on the worker
        allow: names of limits that this run may go over
        verify: how far to prove that the run converged; default: as the pair file says
        max_minutes: stop cleanly after that time; the next run goes on
        by: who allows that, for the report
    """
    return ended(run_pair.fn(pair, "nightly", allow, verify, max_minutes, by))


def ended(result: Told) -> State[Any]:
    """How Prefect is told that a flow ended: its state says what is to be known.

    Raises RuntimeError where records failed.
    """
    said = called(result.document["pair"], result.document)
    if result.exit_code >= 2:
        raise RuntimeError(f"{said}; see the report of run {result.document['run_id']}")
    return Completed(message=said)


def publish(pair: Pair, result: Told) -> None:
    """Publish the report as an artifact of the flow run, and alerts as events.

    People's values are masked, as Prefect's database is no place for them.
    """
    key = f"statement-{pair.name.lower().replace('_', '-').replace('.', '-')}"
    document = masked(result.document)
    description = f"{pair.name}: {result.state}"
    create_markdown_artifact(markdown(document), key=key, description=description)
    for alert in document.get("alerts", ()):
        emit_event(
            event=f"ghl-reconcile.{alert['name']}",
            resource={
                "prefect.resource.id": f"ghl-reconcile.pair.{pair.name}",
                "prefect.resource.name": pair.name,
            },
            payload={
                "run": result.document["run_id"],
                "severity": alert["severity"],
                "what": alert["what"],
            },
        )
