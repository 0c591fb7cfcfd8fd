"""What whoever runs this unattended relies on: leases of the dead, backups, health, log lines with their run, deployments as data."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet

from connectors.ghl.auth import Tokens
from connectors.ghl.tokens import KEY_VARIABLE
from connectors.shared import SharedBudget
from flows.clock import moment
from flows.config import Pair, load
from flows.logs import Lines, named
from flows.opening import open_run
from flows.orchestration.schedule import Wish, deployments, yaml_text
from flows.outcome.health import health
from flows.run import Options
from flows.state.backups import back_up, restore, revision
from flows.state.leases import holder_of, lease, place, release_dead
from flows.state.stores import brought, forget, keep, stored
from flows.wiring.credentials import agencies_of, auth_of, store_of
from flows.wiring.wiring import _window
from reconcile.errors import Expired, Locked, StateError
from reconcile.ledger import runs, schema
from reconcile.ledger.ledger import Ledger
from reconcile.ledger.runs import RunRow
from reconcile.stage.archive import MANIFEST
from tests.connectors.databases import fresh_database
from tests.flows.test_wiring import PAIR

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    file = tmp_path / "acme.toml"
    file.write_text(PAIR)
    return load(file, environ={})


@pytest.fixture
def ledger(pair: Pair) -> Iterator[Ledger]:
    made = Ledger(pair.ledger_url.get_secret_value(), pair.name)
    yield made
    made.close()


# leases ---------------------------------------------------------------------------------------------------------------


def _dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize(
    ("holder", "released"),
    [
        ("{here}/{dead}/run", True),
        ("{here}/{alive}/run", False),
        ("elsewhere/{dead}/run", False),
        ("somebody", False),
    ],
)
def test_only_the_dead_let_go(pair: Pair, ledger: Ledger, holder: str, *, released: bool) -> None:
    """A lease is given back for a process of this host that is gone; not for a live one, nor for another host's."""
    name = holder.format(here=place(), alive=os.getpid(), dead=_dead_process())
    ledger.acquire(name, now=moment(NOW), until="2999-01-01T00:00:00.000Z")
    assert release_dead(pair.path) is released
    assert (holder_of(ledger) is None) is released


def test_two_runs_at_once(pair: Pair, ledger: Ledger) -> None:
    """The second run of a pair is refused and told who holds it; when the first is done it may go."""
    with lease(ledger, "first"), pytest.raises(Locked, match="first"), open_run(pair, Options()):
        pass
    with lease(ledger, "second"):
        assert holder_of(ledger) == "second"


def test_a_lease_that_is_lost_stops_its_run(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that fails once is asked again; once another run holds the pair, this one is told."""
    monkeypatch.setattr("flows.state.leases._RENEW_SECONDS", 0.01)
    failing = [sa.exc.OperationalError("renew", {}, Exception("gone away"))]
    take = ledger.acquire

    def acquire(holder: str, *, now: str, until: str) -> None:
        if failing and holder == "first" and threading.current_thread().name == "lease":
            raise failing.pop()
        take(holder, now=now, until=until)

    monkeypatch.setattr(ledger, "acquire", acquire)
    with lease(ledger, "first") as lost:
        assert not lost.wait(0.2)
        assert failing == []
        # In one step: the renewing thread would take what is released.
        with ledger.engine.begin() as connection:
            connection.execute(
                sa.update(schema.lease).values(
                    holder="second", expires_at="2999-01-01T00:00:00.000Z"
                )
            )
        assert lost.wait(10)
    assert holder_of(ledger) == "second"
    ledger.release("second")


def test_an_expired_lease_is_taken_over(ledger: Ledger) -> None:
    """The lease of a holder that was killed expires, and whoever comes then takes it."""
    ledger.acquire("killed", now="2026-01-01T00:00:00.000Z", until="2026-01-01T00:05:00.000Z")
    with pytest.raises(Locked, match="killed"):
        ledger.acquire("next", now="2026-01-01T00:04:59.000Z", until="2026-01-01T00:10:00.000Z")
    ledger.acquire("next", now="2026-01-01T00:05:00.000Z", until="2026-01-01T00:10:00.000Z")
    assert holder_of(ledger) == "next"


# the ledger -----------------------------------------------------------------------------------------------------------


def test_backup(pair: Pair, ledger: Ledger, tmp_path: Path) -> None:
    """A backup holds what the ledger holds, made while it is open; it replaces no file."""
    runs.start(ledger, "r1", "nightly", at=moment(NOW))
    file = tmp_path / "backup.db"
    assert back_up(pair, file) == file
    copy = Ledger(f"sqlite:///{file}", pair.name)
    assert [row.run_id for row in runs.runs(copy)] == ["r1"]
    copy.close()
    with pytest.raises(StateError, match="there already"):
        back_up(pair, file)


def test_a_ledger_on_postgresql_is_copied_and_restored_by_its_own_tools(tmp_path: Path) -> None:
    """A backup is what pg_dump writes; to restore is left to pg_restore, with the words to say and what they take along."""
    for url in fresh_database("postgresql", tmp_path):
        file = tmp_path / "acme.toml"
        file.write_text(f'ledger = "{url}"\n{PAIR}')
        pair = load(file, environ={})
        revision(pair)
        kept = back_up(pair, tmp_path / "backup.dump")
        assert kept.read_bytes().startswith(b"PGDMP")
        with pytest.raises(StateError, match="server's own tools") as refused:
            restore(pair, kept)
        assert "pg_restore" in refused.value.remedy
        assert "every pair of that ledger" in refused.value.remedy


def test_backup_of_nothing(pair: Pair, tmp_path: Path) -> None:
    """Where no ledger is yet, there is nothing to copy, and none is made."""
    with pytest.raises(StateError, match="no ledger"):
        back_up(pair, tmp_path / "backup.db")
    assert not (tmp_path / "backup.db").exists()


def test_an_older_ledger_is_migrated(pair: Pair, ledger: Ledger) -> None:
    """A ledger from before watermarks gets their table, and keeps what it holds."""
    runs.start(ledger, "r1", "nightly", at=moment(NOW))
    with ledger.transaction() as connection:
        for table in ("watermark", "delivery"):
            connection.execute(sa.text(f"DROP TABLE {table}"))
        connection.execute(sa.text("UPDATE ledger_version SET version_num = '0001'"))
    before, after = revision(pair)
    assert (before, after != before) == ("0001", True)
    assert {"watermark", "delivery"} <= set(sa.inspect(ledger.engine).get_table_names())
    assert [row.run_id for row in runs.runs(ledger)] == ["r1"]


def test_an_object_store_keeps_the_runs(pair: Pair, tmp_path: Path) -> None:
    """What a run leaves is copied to an object store, last what says that it is whole, and brought back; what is here stays."""
    folder = tmp_path / "runs" / "r1"
    folder.mkdir(parents=True)
    names = ["planned.parquet", "plan.jsonl", "report.html", MANIFEST]
    for name in (*names, "stage.duckdb"):
        (folder / name).write_text(name)
    away = replace(pair, store=f"memory://{tmp_path.name}/acme")
    assert [Path(path).name for path in keep(away, folder)] == names
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "plan.jsonl").write_text("mine")
    assert brought(away, folder) == folder
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    assert (folder / "plan.jsonl").read_text() == "mine"
    assert not brought(away, folder.with_name("r2")).exists()
    assert [Path(path).name for path in keep(away, folder.with_name("r1"), stage=True)] == names
    assert stored(away) == {"r1"}
    forget(away, ["r1", "r2"])
    assert stored(away) == set()


def test_a_store_that_cannot_be_opened(pair: Pair, tmp_path: Path) -> None:
    """It costs no run, which goes on without a copy; but who asks for an archive is told so, not that there is none."""
    folder = tmp_path / "runs" / "r1"
    assert keep(pair, folder) == []
    lost = replace(pair, store="nosuch://bucket")
    assert keep(lost, folder) == []
    with pytest.raises(StateError, match=r"a store at nosuch:// cannot be opened"):
        brought(lost, folder)


# health and logs ------------------------------------------------------------------------------------------------------


def _row(
    hours: float,
    state: str = "settled",
    job: str = "nightly",
    failed: int = 0,
    *,
    ended: bool = True,
) -> RunRow:
    at = moment(NOW - timedelta(hours=hours))
    summary = {"entities": {"contact": {"failed": failed}}}
    return RunRow(f"{job}-{hours}", job, state, at, at if ended else None, 1, None, summary)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([_row(6)], ""),
        ([_row(1, "planned", "plan"), _row(6)], ""),
        ([_row(0.5, "applying", ended=False)], ""),
        ([], "never run"),
        ([_row(1, "planned", "plan")], "never run"),
        ([_row(30)], "30 hours ago"),
        ([_row(6, "refused"), _row(30)], "was refused"),
        ([_row(6, failed=3)], "3 records failed"),
        ([_row(40, "applying", ended=False)], "did not end"),
        ([_row(1, "settled", "plan"), _row(30)], ""),
        ([_row(1, "refused", "plan"), _row(6)], "was refused"),
        ([_row(1, "planned", "nightly"), _row(30)], "30 hours ago"),
        ([_row(1, job="delta"), _row(6, "refused"), _row(30)], "the last run was refused"),
        ([_row(1, job="delta"), _row(30)], "30 hours ago"),
        ([_row(1, "failed", "delta"), _row(6)], "the last delta was failed"),
        ([_row(6), _row(7, "failed", "delta")], ""),
        ([_row(1, job="delta"), _row(30, job="delta")], "no whole run"),
        ([_row(1, "failed"), _row(30)], "was failed"),
        ([_row(1, "running", ended=False), _row(6, "failed")], "was failed"),
        (
            [_row(1, "running", ended=False), _row(30, "running", ended=False)],
            "did not end",
        ),  # killed each night
    ],
)
def test_health(rows: list[RunRow], reason: str) -> None:
    """A pair is well when its last whole run, and any later delta, is recent, ended well, and nothing failed; otherwise it says why."""
    found = health(rows, at=moment(NOW), max_age=timedelta(hours=26))
    assert found.well is (reason == "")
    assert reason in "; ".join(found.reasons)


def test_log_lines_name_their_run() -> None:
    """While a run goes on, each log line says which; where two go on in one process, none is guessed."""

    def line() -> dict[str, Any]:
        record = logging.makeLogRecord({"msg": "staged", "name": "flows.steps.steps"})
        return dict(json.loads(Lines().format(record)))

    assert "run" not in line()
    with named("r1"):
        assert line()["run"] == "r1"
        with named("r2"):
            assert "run" not in line()


# deployments, credentials, shared windows -----------------------------------------------------------------------------


def test_deployments(pair: Pair) -> None:
    """A pair is deployed as nightly, delta, audit and migrate, the nightly one on its schedule in the pair's zone."""
    made = {
        one.name: one
        for one in deployments(pair, Wish(cron="30 1 * * *", timezone="Europe/Lisbon", minutes=5))
    }
    assert sorted(made) == ["audit-acme", "delta-acme", "migrate-acme", "nightly-acme"]
    assert (made["nightly-acme"].cron, made["nightly-acme"].timezone) == (
        "30 1 * * *",
        "Europe/Lisbon",
    )
    assert made["delta-acme"].cron == "*/5 * * * *"
    assert {one.flow for one in deployments(pair, Wish(approval=True))} == {
        "nightly_approved",
        "delta",
        "audit",
        "migrate",
    }


@pytest.mark.parametrize(
    ("minutes", "cron"),
    [(5, "*/5 * * * *"), (60, "0 * * * *"), (120, "0 */2 * * *"), (1440, "0 0 * * *")],
)
def test_a_delta_every_so_many_minutes(pair: Pair, minutes: int, cron: str) -> None:
    """Parts of an hour and hours that divide a day are even schedules."""
    made = {one.name: one for one in deployments(pair, Wish(minutes=minutes))}
    assert made["delta-acme"].cron == cron


@pytest.mark.parametrize("minutes", [0, -5, 7, 90, 420])
def test_an_uneven_schedule_is_refused(pair: Pair, minutes: int) -> None:
    """Cron's "*/90" is each hour, and "*/7" eight minutes at times: neither is what was asked for."""
    with pytest.raises(StateError, match=f"{minutes} minutes"):
        list(deployments(pair, Wish(minutes=minutes)))


def test_flows_are_where_deployments_say(pair: Pair) -> None:
    """Every entrypoint, in what `deploy` writes and in the repository's prefect.yaml, names a function that is there."""
    root = Path(__file__).parents[2]
    texts = [
        (root / "prefect.yaml").read_text(),
        yaml_text(list(deployments(pair, Wish())), Wish()),
    ]
    found = [
        line.split(":", 1)[1].strip()
        for text in texts
        for line in text.splitlines()
        if "entrypoint:" in line
    ]
    assert len(found) >= 10
    for entrypoint in found:
        file, _, name = entrypoint.partition(":")
        assert f"\ndef {name}(" in (root / file).read_text(), entrypoint


def _oauth(folder: Path) -> Pair:
    text = PAIR.replace(
        'url = "sandbox:ghl.db"',
        'url = "http://127.0.0.1:9"\noauth = { client_id = "c", client_secret = "s" }',
    )
    file = folder / "oauth.toml"
    file.write_text(text)
    return load(file, environ={})


def test_the_repositorys_prefect_yaml_shows_three_work_pools() -> None:
    """A process, a container and a Kubernetes job: each stands there as a work pool that a deployment may name."""
    import yaml

    text = (Path(__file__).parents[2] / "prefect.yaml").read_text(encoding="utf-8")
    pools = yaml.safe_load(text)["definitions"]
    assert {"process", "docker", "kubernetes"} <= pools.keys()
    assert all("name" in pools[kind] for kind in ("process", "docker", "kubernetes"))
    made = re.findall(r"prefect work-pool create \S+ --type (\w+)", text)
    assert made == ["process", "docker", "kubernetes"]


def test_what_prefect_is_told_to_wait_for(pair: Pair, prefect: Path) -> None:
    """Each delta is started by GHL's event about its location and by the app's about the pair; each deployment runs once at a time."""
    import asyncio

    from prefect.client.orchestration import get_client

    from flows.orchestration.deploy import apply

    async def found() -> tuple[list[Any], list[Any]]:
        async with get_client() as client:
            return await client.read_automations(), await client.read_deployments()

    names = apply(list(deployments(pair, Wish())), Wish())
    automations, deployed = asyncio.run(found())
    mine = {each.name: each.trigger for each in automations if each.name.startswith("delta-acme")}
    told = {
        (next(iter(trigger.expect)), trigger.match.root["prefect.resource.id"])
        for trigger in mine.values()
    }
    assert told == {
        ("ghl-reconcile.contact-changed", "ghl-reconcile.location.loc1"),
        ("ghl-reconcile.app-changed", "ghl-reconcile.pair.acme"),
    }
    ours = [each for each in deployed if any(name.endswith(each.name) for name in names)]
    assert len(ours) == 4
    for each in ours:
        assert each.concurrency_options.collision_strategy.value == "CANCEL_NEW"
        assert each.global_concurrency_limit.limit == 1


def test_oauth_from_the_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pair that says oauth signs with the tokens of its ledger, or with the agency's; without any it says to log in."""
    monkeypatch.setenv(KEY_VARIABLE, Fernet.generate_key().decode())
    pair = _oauth(tmp_path)
    ledger = Ledger(pair.ledger_url.get_secret_value(), pair.name)
    closed: list[Any] = []
    with pytest.raises(Expired, match="auth login"):
        auth_of(pair, ledger.engine, closed.append)
    later = NOW.timestamp() * 2
    agencies_of(pair, ledger.engine).save(Tokens("agency", "r", later, company="co"))
    assert repr(auth_of(pair, ledger.engine, closed.append)) == "OAuth(…)"
    store_of(pair, ledger.engine).save(Tokens("mine", "r", later, location="loc1"))
    auth = auth_of(pair, ledger.engine, closed.append)
    assert auth is not None
    assert auth.headers() == {"Authorization": "Bearer mine"}
    assert len(closed) == 3
    for close in closed:
        close()
    ledger.close()
    stored = (tmp_path / "state" / "ledger.db").read_bytes()
    assert b"mine" not in stored


def test_a_ledger_in_a_file_shares_no_window(pair: Pair, ledger: Ledger) -> None:
    """A pair whose ledger is a file is worked on by one process at a time, whose window is its own."""
    with ExitStack() as held:
        assert not isinstance(_window(pair, ledger.engine, held), SharedBudget)


def test_auth_status_and_logout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`auth status` tells what the token is for and never the token; after `auth logout` there is none."""
    from flows.commands.access import logout, status

    monkeypatch.setenv(KEY_VARIABLE, Fernet.generate_key().decode())
    pair = _oauth(tmp_path)
    ledger = Ledger(pair.ledger_url.get_secret_value(), pair.name)
    store_of(pair, ledger.engine).save(
        Tokens("mine-alone", "r-alone", NOW.timestamp(), location="loc1")
    )
    ledger.close()
    assert status(pair=pair.path, json=True) == 0
    told = capsys.readouterr().out
    assert json.loads(told)["location"] == "loc1"
    assert "alone" not in told
    assert logout(pair=pair.path) == 0
    assert status(pair=pair.path, json=True) == 1
    assert json.loads(capsys.readouterr().out) == {"logged_in": False}
