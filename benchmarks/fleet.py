"""How long a fleet takes against what the locations' windows allow: many pairs on a few workers over one ledger and one sandbox.

    python benchmarks/fleet.py [--pairs 20] [--workers 2] [--contacts 150] [--limit 100] [--window 10] [--runner process]

One pair is broken on purpose. The ideal is, for each pair, the fixed cost of a run (measured here, alone, on a pair with
nothing to do) and the least time in which the window lets that many requests through, shared out over the workers. The
ledger is PostgreSQL where --ledger names one (an empty database), else a SQLite file a pair; the last line is one JSON object.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from flows.jobs.fleet import fleet, pair_files, run_process
from flows.outcome.fleet import FleetReport

PAIR = """\
pair = "{name}"
region = "US"
ledger = "{ledger}"
[app]
connector = "sql"
url = "sqlite:///{name}.db"
contact = {{ table = "{table}", modified_at = "updated_at" }}
[ghl]
url = "{url}"
token = "pit-{name}"
location = "{name}"
lag_seconds = 0
[contact]
match = ["mail"]
[contact.fields]
name = "lastName"
mail = "email"
[limits]
max_first_creates = 10000
"""
BROKEN = "place07"


@dataclass(frozen=True)
class Fleet:
    """A folder of pairs on one sandbox with a limit for each location."""

    folder: Path
    names: tuple[str, ...]
    contacts: int
    limit: int
    window: float
    ledger: str


def serve_locations(fleet: Fleet, pipe: Connection) -> None:
    """The sandbox, until the pipe closes; then what it saw of each location: contacts, requests, most in a window."""
    from connectors.ghl.sandbox import Limit, Sandbox, Settings, serve

    limit = Limit(max=fleet.limit, window_seconds=fleet.window, daily=100_000_000)
    sandbox = Sandbox(Settings(pit=limit, lag_seconds=0.0, seed=1))
    for name in fleet.names:
        sandbox.add_location(name)
        sandbox.add_token(f"pit-{name}", name)
    with serve(sandbox) as url:
        pipe.send(url)
        pipe.recv()
        pipe.send(
            {
                name: (len(sandbox.contacts(name)), sandbox.max_in_window(name))
                for name in fleet.names
            }
        )


@contextmanager
def served(fleet: Fleet) -> Iterator[tuple[str, Connection]]:
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve_locations, args=(fleet, theirs), daemon=True)
    server.start()
    try:
        yield ours.recv(), ours
    finally:
        with contextlib.suppress(BrokenPipeError):
            ours.send("stop")
        server.join(10)


def make_pairs(fleet: Fleet, url: str) -> None:
    """The applications' databases and the pair files."""
    for name in fleet.names:
        with contextlib.closing(sqlite3.connect(fleet.folder / f"{name}.db")) as app, app:
            app.execute(
                "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, mail TEXT, updated_at TEXT)"
            )
            rows = [(f"Person {i}", f"{i}@{name}.example.com") for i in range(fleet.contacts)]
            app.executemany(
                "INSERT INTO people (name, mail, updated_at) VALUES (?, ?, '2026-01-01T00:00:00Z')",
                rows,
            )
        table = "nobody" if name == BROKEN else "people"
        ledger = fleet.ledger or f"sqlite:///{name}-ledger.db"
        text = PAIR.format(name=name, url=url, ledger=ledger, table=table)
        (fleet.folder / f"{name}.toml").write_text(text, encoding="utf-8")


def run_all(pairs: list[Path], runner: str, workers: int) -> FleetReport:
    if runner == "process":
        return fleet(pairs, workers=workers)
    from flows.orchestration.fleet import fleet_on

    return fleet_on(runner, pairs, "run", workers=workers)  # type: ignore[arg-type]


def least_seconds(requests: int, made: Fleet) -> float:
    """The least time in which a sliding window lets so many requests through: a full burst at the start of each."""
    return max(0, (requests - 1) // made.limit) * made.window


def fixed_cost(folder: Path) -> float:
    """Seconds of a run that has nothing to do, alone: start-up, reading, planning, the report."""
    alone = Fleet(folder, ("alone",), 0, 100_000, 1.0, "")
    with served(alone) as (url, _):
        make_pairs(alone, url)
        run_process(folder / "alone.toml", "run")
        return run_process(folder / "alone.toml", "run").seconds


def measure(made: Fleet, runner: str, workers: int, start_up: float) -> dict[str, Any]:
    with served(made) as (url, pipe):
        make_pairs(made, url)
        report = run_all(pair_files(made.folder), runner, workers)
        pipe.send("stop")
        seen: dict[str, tuple[int, int]] = pipe.recv()
    wrong = [run for run in report.runs if run.exit_code != (3 if run.pair == BROKEN else 0)]
    assert not wrong, wrong
    assert all(seen[name][0] == (0 if name == BROKEN else made.contacts) for name in made.names)
    by_windows = [least_seconds(run.requests, made) for run in report.runs]
    ideal = sum(start_up + least for least in by_windows) / workers
    for run in report.runs:
        print(
            f"{run.pair}: {run.requests:4d} requests, {run.seconds:5.1f} s, most in a window {seen[run.pair][1]}"
        )
    return {
        "pairs": len(made.names),
        "runner": runner,
        "workers": workers,
        "requests": sum(run.requests for run in report.runs),
        "seconds": round(report.seconds, 1),
        "start_up_seconds": round(start_up, 2),
        "ideal_seconds": round(ideal, 1),
        "vs_ideal": round(report.seconds / ideal, 3),
        "max_in_window": max(most for _, most in seen.values()),
        "limit": made.limit,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--contacts", type=int, default=150)
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--window", type=float, default=10.0)
    parser.add_argument(
        "--runner", default="process", choices=["process", "threads", "dask", "ray"]
    )
    parser.add_argument("--ledger", default="")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as other:
        start_up = fixed_cost(Path(other))
        names = tuple(f"place{number:02d}" for number in range(asked.pairs))
        made = Fleet(Path(folder), names, asked.contacts, asked.limit, asked.window, asked.ledger)
        print(json.dumps(measure(made, asked.runner, asked.workers, start_up)))


if __name__ == "__main__":
    main()
