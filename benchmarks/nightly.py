"""Whole nightly runs between a database and the sandbox: requests against the lower bound, processor time, memory.

    python benchmarks/nightly.py [--contacts 100000]

Three runs, each a process of its own: the first links both sides, the second finds no change, the third 1 % changed in
the app. The lower bound: location, custom fields, users, tags (4), one request per 500 contacts, one per changed contact.
The sandbox has no rate limit here. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

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
company = "companyName"
tags = "tags"
"""


def fill(folder: Path, contacts: int) -> None:
    """The app's table, with the people that the sandbox knows."""
    engine = sa.create_engine(f"sqlite:///{folder / 'app.db'}")
    with engine.begin() as connection:
        columns = "id INTEGER PRIMARY KEY, first_name TEXT, last_name TEXT, email TEXT, company TEXT, tags TEXT, updated_at TEXT"
        connection.exec_driver_sql(f"CREATE TABLE people ({columns})")
        rows = [
            (n, f"Ada{n}", "Lovelace", f"ada{n}@example.com", None, '["customer"]', "2026-01-01T00:00:00Z")
            for n in range(contacts)
        ]
        connection.exec_driver_sql("INSERT INTO people VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    engine.dispose()


def change(folder: Path) -> int:
    """Edit one contact in a hundred; returns how many."""
    engine = sa.create_engine(f"sqlite:///{folder / 'app.db'}")
    edited = "UPDATE people SET company = 'Company ' || id, updated_at = '2026-03-01T00:00:00Z' WHERE id % 100 = 0"
    with engine.begin() as connection:
        changed = connection.exec_driver_sql(edited).rowcount
    engine.dispose()
    return changed


def run_once(folder: Path) -> dict[str, float]:
    """One nightly run in this process."""
    from flows.config import load
    from flows.run import Options, open_run
    from flows.sync import reconcile

    begun, cpu = time.monotonic(), time.process_time()
    with open_run(load(folder / "bench.toml"), Options(verify="none")) as run:
        reconcile(run)
        assert not run.stopped, run.stopped
        requests = sum(connector.usage().requests for connector in run.connectors.values())
        operations = run.plan.writes if run.plan else 0
    return {
        "requests": requests,
        "writes": operations,
        "seconds": time.monotonic() - begun,
        "cpu": time.process_time() - cpu,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def measured(folder: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--folder", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "BENCH_TOKEN": TOKEN}
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, env=environment)  # noqa: S603  this file
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contacts", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.folder:
        print(json.dumps(run_once(chosen.folder)))
        return
    nights = {}
    with tempfile.TemporaryDirectory() as name, location(Scenario("nightly", chosen.contacts, 1_000_000, 0.0)) as url:
        folder = Path(name)
        fill(folder, chosen.contacts)
        (folder / "bench.toml").write_text(PAIR.format(url=url, location=LOCATION))
        nights["first"] = measured(folder)
        nights["no change"] = measured(folder)
        changed = change(folder)
        nights["1 % changed"] = measured(folder)
    assert nights["1 % changed"]["writes"] == changed, nights
    bound = 4 + math.ceil(chosen.contacts / 500)
    print(f"{'night':<14}{'requests':>9}{'bound':>7}{'writes':>8}{'seconds':>9}{'cpu':>8}{'peak MB':>9}")
    bounds = {"first": bound, "no change": bound, "1 % changed": bound + changed}
    for night, found in nights.items():
        print(
            f"{night:<14}{found['requests']:>9}{bounds[night]:>7}{found['writes']:>8}{found['seconds']:>9.1f}"
            f"{found['cpu']:>8.1f}{found['peak_mb']:>9.0f}"
        )
    ratios = {night: round(nights[night]["requests"] / bounds[night], 4) for night in nights}
    print(
        json.dumps(
            {
                "contacts": chosen.contacts,
                "requests_vs_lower_bound": ratios["no change"],
                "requests_vs_lower_bound_changed": ratios["1 % changed"],
                "cpu_seconds_per_1000": round(nights["no change"]["cpu"] / chosen.contacts * 1000, 4),
                "peak_mb": round(max(found["peak_mb"] for found in nights.values()), 1),
            }
        )
    )


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    main()
