"""The jobs as Prefect flows come to what they come to without it, and show what they came to as artifacts."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from flows.demo.tables import PEOPLE, engine_of
from flows.scope import Sought
from tests.flows.acme import Acme


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Acme:
    return Acme.made(tmp_path_factory.mktemp("jobs") / "world", contacts=40)


def _artifacts() -> dict[str, Any]:
    from prefect.client.orchestration import get_client

    async def read() -> dict[str, Any]:
        async with get_client() as client:
            found = await client.read_artifacts(limit=100)
            return {str(each.key): each for each in sorted(found, key=lambda one: one.created)}

    return asyncio.run(read())


def _runs() -> dict[str, Any]:
    """The flow runs, by what they are called."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        return {str(run.name): run for run in client.read_flow_runs()}


def _log(flow_run: Any, *, until: str) -> list[str]:
    """What the log of a flow run says of its steps, once that line is there: Prefect sends them in its own time."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId

    mine = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[flow_run]))

    async def read() -> list[str]:
        async with get_client() as client:
            found = await client.read_logs(log_filter=mine, limit=200)
            return [each.message for each in found if each.name == "ghl-reconcile.steps"]

    patient_until = time.monotonic() + 30
    lines = asyncio.run(read())
    while time.monotonic() < patient_until and not any(until in line for line in lines):
        time.sleep(0.2)
        lines = asyncio.run(read())
    return lines


def _totals(acme: Acme, run_id: str) -> dict[str, Any]:
    """The totals of a run's report."""
    report = acme.folder / "state" / "runs" / run_id / "report.json"
    found: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))["totals"]
    return found


def _newest_run(acme: Acme) -> str:
    """The name of the pair's newest run."""
    return max(path.name for path in (acme.folder / "state" / "runs").iterdir())


def test_jobs(prefect: Path, acme: Acme) -> None:
    """Migrate, delta and audit run as flows; their statement, tables and cutover report are artifacts without people's values."""
    from flows.orchestration.jobs import audit, delta_pair, migrate

    migrate(str(acme.pair), to="both", ask=False)
    assert "**Complete.**" in _artifacts()["cutover-acme"].data
    engine = engine_of(acme.app_url)
    with engine.begin() as app:
        app.execute(
            sa.update(PEOPLE)
            .where(PEOPLE.c.email.is_not(None), PEOPLE.c.id < 15)
            .values(city="Recife")
        )
        emails = list(
            app.execute(sa.select(PEOPLE.c.email).where(PEOPLE.c.email.is_not(None))).scalars()
        )
    engine.dispose()
    told = delta_pair(str(acme.pair), Sought())
    assert told.state == "settled"
    assert told.document["entities"]["contact"]["updates"] > 0
    text = acme.pair.read_text(encoding="utf-8")
    address = 'report_url = "https://reports.example.com/acme/{run}/report.html"'
    acme.pair.write_text(f"{address}\n{text}", encoding="utf-8")
    audit(str(acme.pair))
    shown = _artifacts()
    run_id = _newest_run(acme)
    assert f"(https://reports.example.com/acme/{run_id}/report.html)" in shown["report-acme"].data
    assert {
        "statement-acme",
        "holds-acme",
        "failures-acme",
        "cutover-acme",
        "progress-acme",
    } <= shown.keys()
    whole = " ".join(str(each.data) for each in shown.values())
    assert not [email for email in emails if email in whole]
    questions = f"{_totals(acme, run_id)['questions']} questions"
    (said,) = (name for name in _runs() if name.startswith("acme audit: "))
    assert said == f"acme audit: Audit: nothing was written, {questions}"
    assert _runs()[said].state.message == said
    planned = f" planned, {questions}, "
    lines = _log(_runs()[said].id, until=planned)
    assert lines[0] == "finishing what an earlier run left"
    assert any(line.startswith("loading what was read: 4") for line in lines)
    assert any(planned in line for line in lines)
    assert not [email for email in emails if email in " ".join(lines)]


def test_hooks_let_go_of_the_dead_alone(prefect: Path, acme: Acme) -> None:
    """The hook of a crash or a cancellation has the arguments that Prefect calls, and survives a run without parameters."""
    import inspect

    from flows.orchestration.artifacts import let_go

    assert list(inspect.signature(let_go).parameters) == ["flow", "flow_run", "state"]
    let_go(None, type("Run", (), {"parameters": {"pair": str(acme.pair)}})(), None)
    let_go(None, type("Run", (), {"parameters": None})(), None)
