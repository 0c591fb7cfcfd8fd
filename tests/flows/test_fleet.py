"""A fleet: every pair is run, each in a process of its own, a broken one is reported and stops nobody, no location's limit is passed."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from connectors.ghl.sandbox import Limit, Sandbox, Settings, serve
from connectors.shared import BUDGETS
from flows.jobs.fleet import Job, fleet, pair_files, pair_run
from flows.outcome.fleet import FleetReport, PairRun, markdown, page, write
from reconcile.errors import ConfigError
from tests.connectors.databases import fresh_database

soak = pytest.mark.skipif(
    not os.environ.get("GHL_RECONCILE_SOAK"), reason="takes minutes: ./dev soak"
)

PAIR = """\
pair = "{name}"
region = "US"
ledger = "{ledger}"
[app]
connector = "sql"
url = "sqlite:///{name}.db"
[app.contact]
table = "people"
modified_at = "updated_at"
[ghl]
url = "{url}"
token = "pit-{name}"
location = "{name}"
lag_seconds = 1
[contact]
match = ["mail"]
[contact.fields]
name = "lastName"
mail = "email"
"""

PEOPLE = 8


@dataclass(frozen=True, slots=True)
class Places:
    """A folder of pairs, and the one sandbox that holds all their locations."""

    folder: Path
    sandbox: Sandbox
    names: tuple[str, ...]

    def arrived(self, name: str) -> int:
        return len(self.sandbox.contacts(name))


@contextmanager
def places(
    folder: Path, count: int, ledger: str, *, limit: Limit, broken: str = ""
) -> Iterator[Places]:
    names = tuple(f"place{number:02d}" for number in range(count))
    with ExitStack() as held:
        sandbox = held.enter_context(Sandbox(Settings(pit=limit, lag_seconds=0.0, seed=5)))
        url = held.enter_context(serve(sandbox))
        for name in names:
            sandbox.add_location(name)
            sandbox.add_token(f"pit-{name}", name)
            with sqlite3.connect(folder / f"{name}.db") as app:
                app.execute(
                    "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, mail TEXT, updated_at TEXT)"
                )
                rows = [(f"Person {i}", f"{i}@{name}.example.com") for i in range(PEOPLE)]
                app.executemany(
                    "INSERT INTO people (name, mail, updated_at) VALUES (?, ?, '2026-01-01T00:00:00Z')",
                    rows,
                )
            app.close()
            text = PAIR.format(name=name, url=url, ledger=ledger or f"sqlite:///{name}-ledger.db")
            if name == broken:
                text = text.replace('table = "people"', 'table = "nobody"')
            (folder / f"{name}.toml").write_text(text, encoding="utf-8")
        (folder / "sandbox-settings.toml").write_text("lag_seconds = 0\n", encoding="utf-8")
        yield Places(folder, sandbox, names)


def test_one_broken_pair_stops_nobody(tmp_path: Path) -> None:
    """Of three pairs the broken one is reported, with what is wrong and what to do; the others are reconciled."""
    with places(tmp_path, 3, "", limit=Limit(), broken="place01") as made:
        report = fleet(pair_files(tmp_path), workers=2)
        assert [made.arrived(name) for name in made.names] == [PEOPLE, 0, PEOPLE]
    assert report.exit_code == 3
    assert [(run.pair, run.exit_code) for run in report.runs] == [
        ("place01", 3),
        ("place00", 0),
        ("place02", 0),
    ]
    assert "nobody" in report.runs[0].error
    assert report.runs[1].figures == {
        "creates": PEOPLE,
        "updates": 0,
        "deletes": 0,
        "holds": 0,
        "failed": 0,
    }
    paths = write(report, tmp_path / "out")
    assert json.loads(paths["json"].read_text())["runs"][0]["pair"] == "place01"
    assert "1 refused or broken" in paths["md"].read_text()
    assert '<tr data-code="3"><td>place01</td>' in paths["html"].read_text()


def _through(runner: str, folder: Path) -> FleetReport:
    """The folder's fleet on two workers of that runner; skips where it is not installed."""
    if runner == "processes":
        return fleet(pair_files(folder), workers=2)
    if runner != "threads":
        reason = f"needs the extra: pip install 'ghl-reconcile[{runner}]'"
        pytest.importorskip(f"prefect_{runner}", reason=reason)
    from flows.orchestration.fleet import fleet_on

    return fleet_on(runner, pair_files(folder), "run", workers=2)  # type: ignore[arg-type]


@soak
@pytest.mark.parametrize("runner", ["processes", "threads", "dask", "ray"])
def test_twenty_pairs_over_one_ledger(tmp_path: Path, runner: str, prefect: Path) -> None:
    """Twenty pairs on two workers over one PostgreSQL ledger: all right but the broken one, no window above its limit.

    How long it takes against what the windows allow is measured by benchmarks/fleet.py.
    """
    limit = Limit(max=20, window_seconds=2.0)
    with (
        contextmanager(fresh_database)("postgresql", tmp_path) as ledger,
        places(tmp_path, 20, ledger, limit=limit, broken="place07") as made,
    ):
        report = _through(runner, tmp_path)
        assert {name: made.arrived(name) for name in made.names if name != "place07"} == {
            name: PEOPLE for name in made.names if name != "place07"
        }
        assert max(made.sandbox.max_in_window(name) for name in made.names) <= limit.max
        assert [run.pair for run in report.runs if run.exit_code] == ["place07"]
        engine = sa.create_engine(sa.make_url(ledger).set(drivername="postgresql+psycopg"))
        with engine.connect() as connection:
            shared = connection.execute(
                sa.select(sa.func.count()).select_from(BUDGETS)
            ).scalar_one()
        engine.dispose()
        assert shared >= 19


@pytest.mark.parametrize("runner", ["threads", "dask", "ray"])
def test_through_a_task_runner(tmp_path: Path, runner: str, prefect: Path) -> None:
    """The fleet through Prefect's task runners, where they are installed: the broken pair is told alone, the others are right."""
    with places(tmp_path, 3, "", limit=Limit(), broken="place01") as made:
        report = _through(runner, tmp_path)
        assert [made.arrived(name) for name in made.names] == [PEOPLE, 0, PEOPLE]
    assert [run.pair for run in report.runs if run.exit_code] == ["place01"]


def test_pairs_are_handed_to_the_task_runner_one_at_a_time(
    monkeypatch: pytest.MonkeyPatch, prefect: Path
) -> None:
    """A Dask runner starts its cluster at the first pair that it is handed: two at once started two."""
    from prefect.task_runners import ThreadPoolTaskRunner

    from flows.orchestration import fleet as orchestration

    inside: list[int] = []
    most = 0

    class Starting(ThreadPoolTaskRunner):  # type: ignore[type-arg]
        def submit(self, *arguments: Any, **named: Any) -> Any:
            nonlocal most
            inside.append(1)
            most = max(most, len(inside))
            time.sleep(0.05)
            inside.pop()
            return super().submit(*arguments, **named)

    monkeypatch.setattr(orchestration, "runner_of", lambda _, workers: Starting(workers))
    monkeypatch.setattr(orchestration, "run_process", lambda path, _: PairRun(path.stem, 0, 0.0))
    pairs = [Path(f"{name}.toml") for name in "abcd"]
    report = orchestration.fleet_on("threads", pairs, "run", workers=4)
    assert report.exit_code == 0
    assert most == 1


@pytest.mark.parametrize("runner", ["threads", "dask", "ray"])
def test_a_fleet_of_the_ledger_through_a_task_runner(
    tmp_path: Path, runner: str, prefect: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each worker writes the pair's file itself from the ledger, whose URL Prefect never sees; one it cannot get is told alone."""
    from flows.orchestration.fleet import fleet_on
    from flows.state.pairs import keep
    from tests.flows.test_pairs import given

    if runner != "threads":
        pytest.importorskip(
            f"prefect_{runner}", reason=f"needs the extra: pip install 'ghl-reconcile[{runner}]'"
        )
    monkeypatch.setenv("FLEET_LEDGER", f"sqlite:///{tmp_path / 'fleet.db'}")
    (tmp_path / "made").mkdir()
    with places(tmp_path / "made", 2, "env:FLEET_LEDGER", limit=Limit()) as made:
        for name in made.names:
            file = made.folder / f"{name}.toml"
            file.write_text(file.read_text().replace("sqlite:///", f"sqlite:///{made.folder}/"))
            keep(file)
        given(
            tmp_path,
            monkeypatch,
            *made.names,
            "unknown",
            hosts=["127.0.0.1"],
            folders=[str(made.folder)],
        )
        asked = [tmp_path / "worker" / f"{name}.toml" for name in (*made.names, "unknown")]
        report = fleet_on(runner, asked, "run", workers=2, kept_in="env:FLEET_LEDGER")  # type: ignore[arg-type]
        assert [made.arrived(name) for name in made.names] == [PEOPLE, PEOPLE]
    assert [(run.pair, run.exit_code) for run in report.runs] == [
        ("unknown", 3),
        ("place00", 0),
        ("place01", 0),
    ]
    assert "keeps no pair file unknown" in report.runs[0].error
    with pytest.raises(ConfigError, match="would be kept by Prefect"):
        fleet_on(runner, asked, "run", workers=2, kept_in="postgresql://u:p@host/db")  # type: ignore[arg-type]


def test_the_deployment_starts_the_longest_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deployment's flow writes the fleet report and goes by it the next time; where it cannot be written, the pairs have run all the same."""
    from flows.orchestration import fleet as orchestration

    nights: list[list[str]] = []

    def on(_: str, pairs: Sequence[Path], job: Job, **__: object) -> FleetReport:
        names = [path.stem for path in pairs]
        nights.append(names)
        took = {"a": 1.0, "b": 9.0, "c": 3.0}
        runs = tuple(PairRun(name, 0, took[name]) for name in names)
        return FleetReport(job, "2026-12-01T01:00:00.000Z", 1.0, 2, runs)

    monkeypatch.setattr(orchestration, "fleet_on", on)
    for name in "abc":
        (tmp_path / f"{name}.toml").write_text(f'pair = "{name}"\n', encoding="utf-8")
    for out in (tmp_path / "fleet", tmp_path / "fleet", tmp_path / "a.toml"):
        orchestration.fleet_flow.fn(str(tmp_path), out=str(out))
    assert nights == [["a", "b", "c"], ["b", "c", "a"], ["a", "b", "c"]]


def test_workers_at_a_time() -> None:
    """No more pairs run at a time than there are workers, and all are run."""
    most, running, lock, seen = 0, 0, threading.Lock(), threading.Event()

    def runner(path: Path, job: Job) -> PairRun:
        nonlocal most, running
        with lock:
            running += 1
            most = max(most, running)
            if running == 2:
                seen.set()
        seen.wait(10)
        with lock:
            running -= 1
        return PairRun(path.stem, 0, 0.0)

    report = fleet([Path(f"p{i}.toml") for i in range(6)], workers=2, runner=runner)
    assert (most, len(report.runs)) == (2, 6)


def test_other_files_are_no_pairs(tmp_path: Path) -> None:
    """TOML files that say of no pair are left alone; one that cannot be read is a broken pair, not a missing one."""
    (tmp_path / "settings.toml").write_text("lag_seconds = 1\n")
    with pytest.raises(ConfigError, match="no pair file"):
        pair_files(tmp_path)
    (tmp_path / "torn.toml").write_text("pair = \n")
    assert [path.name for path in pair_files(tmp_path)] == ["torn.toml"]


def test_last_words_without_secrets() -> None:
    """What a process that told no report said last is kept, without what looks like a token."""
    run = pair_run(Path("a.toml"), 1, "no json", "Traceback\nBearer pit-abc123 was refused", 1.0)
    assert run.exit_code == 1
    assert "pit-abc123" not in run.error
    assert pair_run(Path("a.toml"), -9, "", "", 1.0).exit_code == 3
    assert pair_run(Path("a.toml"), 0, "", "", 1.0).exit_code == 3


def test_pages_escape() -> None:
    """A pair's words cannot break the table or the page."""
    run = PairRun("a<b", 2, 1.0, headline="x | <script>")
    report = FleetReport("run", "2026-01-01T00:00:00.000Z", 1.0, 1, (run,))
    assert "<script>" not in page(report).replace("&lt;script&gt;", "")
    assert "x / <script>" in markdown(report)
