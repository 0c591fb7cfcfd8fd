"""The jobs as Prefect flows come to what they come to without it, and show what they came to as artifacts."""

from __future__ import annotations

import asyncio
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
            return {str(each.key): each for each in await client.read_artifacts(limit=100)}

    return asyncio.run(read())


def _names() -> set[str]:
    """What the runs are called."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        return {str(run.name) for run in client.read_flow_runs()}


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
    audit(str(acme.pair))
    shown = _artifacts()
    assert {
        "statement-acme",
        "holds-acme",
        "failures-acme",
        "cutover-acme",
        "progress-acme",
    } <= shown.keys()
    whole = " ".join(str(each.data) for each in shown.values())
    assert not [email for email in emails if email in whole]
    assert "acme audit: Audit: nothing was written" in _names()


def test_hooks_let_go_of_the_dead_alone(prefect: Path, acme: Acme) -> None:
    """The hook of a crash or a cancellation has the arguments that Prefect calls, and survives a run without parameters."""
    import inspect

    from flows.orchestration.artifacts import let_go

    assert list(inspect.signature(let_go).parameters) == ["flow", "flow_run", "state"]
    let_go(None, type("Run", (), {"parameters": {"pair": str(acme.pair)}})(), None)
    let_go(None, type("Run", (), {"parameters": None})(), None)
