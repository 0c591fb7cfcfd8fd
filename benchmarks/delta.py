"""A delta of new contacts between a database and the sandbox: requests, processor time, memory.

    python benchmarks/delta.py [--contacts 20000] [--new 1]

Two full runs link both sides and let the ledger know what everybody is known by; then somebody adds so many people to the
app, and a delta is told their keys. The lower bound: location, custom fields, users (3), what changed in GHL since then (1), and of
each new contact one duplicate search, the create, and reading it back (3). The sandbox has no rate limit here. The last line is
one JSON object.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.extract import LOCATION, TOKEN, Scenario, location  # noqa: E402 - the path comes first

PAIR = """
pair = "bench"
store = "state"
region = "US"

[app]
connector = "sql"
url = "sqlite:///app.db"

[app.contact]
table = "people"
key = "id"
modified_at = "updated_at"
tags = {{ column = "tags", form = "json" }}

[ghl]
url = "{url}"
location = "{location}"
token = "env:BENCH_TOKEN"
lag_seconds = 0

[contact]
match = ["email"]

[contact.fields]
first_name = "firstName"
last_name = "lastName"
email = "email"
tags = "tags"
"""


def fill(folder: Path, contacts: int) -> None:
    """The app's table, with the people that the sandbox knows."""
    engine = sa.create_engine(f"sqlite:///{folder / 'app.db'}")
    rows = [
        (n, f"Ada{n}", "Lovelace", f"ada{n}@example.com", '["customer"]', "2026-01-01T00:00:00Z")
        for n in range(contacts)
    ]
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE people (id INTEGER PRIMARY KEY, first_name TEXT, last_name TEXT, "
            "email TEXT, tags TEXT, updated_at TEXT)"
        )
        connection.exec_driver_sql("INSERT INTO people VALUES (?, ?, ?, ?, ?, ?)", rows)
    engine.dispose()


def add(folder: Path, many: int) -> list[str]:
    """Add so many people to the app; returns their keys."""
    engine = sa.create_engine(f"sqlite:///{folder / 'app.db'}")
    rows = [(f"Nova{n}", "Casa", f"nova{n}@example.com") for n in range(many)]
    insert = (
        "INSERT INTO people (first_name, last_name, email, tags, updated_at) "
        "VALUES (?, ?, ?, '[]', strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))"
    )
    with engine.begin() as connection:
        for row in rows:
            connection.exec_driver_sql(insert, row)
        query = "SELECT id FROM people ORDER BY id DESC LIMIT ?"
        keys = [str(key) for (key,) in connection.exec_driver_sql(query, (many,))]
    engine.dispose()
    return keys


def run_once(folder: Path, keys: list[str]) -> dict[str, Any]:
    """One run in this process: a delta of these keys, or a full run."""
    from flows.config import load
    from flows.jobs.delta import Delta
    from flows.jobs.full import FULL
    from flows.opening import open_run
    from flows.run import Options
    from flows.runner import Job, carry_out
    from flows.scope import Sought
    from reconcile.model import Side

    job: Job = Delta(sought=Sought(app=tuple(keys))) if keys else FULL
    begun, cpu = time.monotonic(), time.process_time()
    with open_run(load(folder / "bench.toml"), Options(job.name)) as run:
        carry_out(run, job)
        assert not run.course.stopped, run.course.stopped
        used = run.connectors[Side.GHL].usage()
        writes = run.course.plan.writes if run.course.plan else 0
    return {
        "requests": used.requests,
        "endpoints": dict(used.by_endpoint),
        "writes": writes,
        "seconds": time.monotonic() - begun,
        "cpu": time.process_time() - cpu,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def measured(folder: Path, *keys: str) -> dict[str, Any]:
    """The same in a process of its own."""
    command = [sys.executable, __file__, "--folder", str(folder), *keys]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "BENCH_TOKEN": TOKEN}
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, env=environment)  # noqa: S603  this file
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measure, and print a table and one JSON object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--contacts", type=int, default=20_000)
    parser.add_argument("--new", type=int, default=1)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("keys", nargs="*", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.folder:
        print(json.dumps(run_once(chosen.folder, chosen.keys)))
        return
    scenario = Scenario("delta", chosen.contacts, 1_000_000, 0.0)
    with tempfile.TemporaryDirectory() as name, location(scenario) as url:
        folder = Path(name)
        fill(folder, chosen.contacts)
        (folder / "bench.toml").write_text(PAIR.format(url=url, location=LOCATION))
        runs = {"first": measured(folder), "second": measured(folder)}
        runs["delta"] = measured(folder, *add(folder, chosen.new))
    assert runs["delta"]["writes"] == chosen.new, runs
    print(f"{'run':<8}{'requests':>9}{'seconds':>9}{'cpu':>7}{'peak MB':>9}  requests by endpoint")
    for each, found in runs.items():
        listed = ", ".join(f"{name} {many}" for name, many in sorted(found["endpoints"].items()))
        print(
            f"{each:<8}{found['requests']:>9}{found['seconds']:>9.1f}{found['cpu']:>7.1f}"
            f"{found['peak_mb']:>9.0f}  {listed}"
        )
    delta = runs["delta"]
    told = {
        "contacts": chosen.contacts,
        "new": chosen.new,
        "requests": delta["requests"],
        "requests_vs_lower_bound": round(delta["requests"] / (4 + 3 * chosen.new), 4),
        "cpu_seconds": round(delta["cpu"], 2),
        "peak_mb": round(delta["peak_mb"], 1),
        "first_cpu_seconds_per_1000": round(runs["first"]["cpu"] / chosen.contacts * 1000, 4),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    main()
