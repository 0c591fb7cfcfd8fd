"""Whole nightly runs between a database and the sandbox: requests against the lower bound, processor time, memory.

    python benchmarks/nightly.py [--contacts 100000] [--notes-budget 200] [--sweep weekly]

A quarter of the contacts have a task and an opportunity, a tenth a note; there is a company for twenty of them. Three runs,
each a process of its own: the first links both sides, the second finds no change, the third 1 % of each kind but notes
changed in the app, and 1 % tagged. The lower bound: location, custom fields, users, pipelines (4), one request per 500
contacts, per 100 tasks, opportunities and companies (the most that GHL documents together with a cursor that it says how
to go on with), the notes budget, one per changed record, one per bulk tag batch of 100. Statements of the app's database are
no requests. The sandbox has no rate limit here. The last line is one JSON object.

With --sweep, contacts alone, and nights between two full readings: the bound is location, custom fields, users, GHL's count
(4), one request per 500 contacts that changed in GHL since the night before, at least one, and for each contact changed in
the app a look at it (`recheck = "always"`) and a write. A fourth night has 1 % of the contacts changed in GHL.
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
from typing import Any

import httpx
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

[app.task]
table = "todos"
parent = "person_id"

[app.note]
table = "remarks"
parent = "person_id"

[app.company]
table = "firms"

[app.opportunity]
table = "deals"
parent = "person_id"

[ghl]
url = "{url}"
location = "{location}"
token = "env:BENCH_TOKEN"
lag_seconds = 0
notes_budget = {notes}

[contact]
match = ["email"]

[contact.fields]
first_name = "firstName"
last_name = "lastName"
email = "email"
company = "companyName"
tags = "tags"
firm_id = {{ ghl = "businessId", by = "key" }}

[company.fields]
name = "name"
city = "city"

[opportunity.fields]
what = "name"
pipeline = "pipeline"
stage = "stage"
amount = "monetaryValue"

[task.fields]
what = "title"
due = "dueDate"

[note.fields]
said = "body"
"""


SPARSE_PAIR = """
pair = "bench"
store = "state"
region = "US"
sweep = "{sweep}"

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
tags_move_date = "yes"

[contact]
match = ["email"]

[contact.fields]
first_name = "firstName"
last_name = "lastName"
email = "email"
company = "companyName"
tags = "tags"
"""


def fill(folder: Path, scenario: Scenario) -> None:
    """The app's tables, with what the sandbox knows."""
    engine = sa.create_engine(f"sqlite:///{folder / 'app.db'}")
    tables = {
        "people": "id INTEGER PRIMARY KEY, first_name TEXT, last_name TEXT, email TEXT, company TEXT, firm_id INTEGER, tags TEXT, updated_at TEXT",
        "firms": "id INTEGER PRIMARY KEY, name TEXT, city TEXT",
        "deals": "id INTEGER PRIMARY KEY, person_id INTEGER, what TEXT, pipeline TEXT, stage TEXT, amount NUMERIC",
        "todos": "id INTEGER PRIMARY KEY, person_id INTEGER, what TEXT, due TEXT",
        "remarks": "id INTEGER PRIMARY KEY, person_id INTEGER, said TEXT",
    }
    rows: dict[str, list[tuple[object, ...]]] = {
        "people": [
            (
                n,
                f"Ada{n}",
                "Lovelace",
                f"ada{n}@example.com",
                None,
                n % scenario.companies if scenario.companies else None,
                '["customer"]',
                "2026-01-01T00:00:00Z",
            )
            for n in range(scenario.contacts)
        ],
        "todos": [(n, n, f"Call {n}", "2027-01-05T09:00:00Z") for n in range(scenario.tasks)],
        "remarks": [(n, n, f"Note {n}") for n in range(scenario.notes)],
        "firms": [(n, f"Company {n}", None) for n in range(scenario.companies)],
        "deals": [(n, n, f"Deal {n}", "Sales", "New", None) for n in range(scenario.opportunities)],
    }
    with engine.begin() as connection:
        for table, columns in tables.items():
            connection.exec_driver_sql(f"CREATE TABLE {table} ({columns})")
            marks = ", ".join("?" * len(columns.split(",")))
            if rows[table]:
                connection.exec_driver_sql(f"INSERT INTO {table} VALUES ({marks})", rows[table])
    engine.dispose()


EDITS = {
    "contacts": "UPDATE people SET company = 'Company ' || id, updated_at = '2026-03-01T00:00:00Z' WHERE id % 100 = 0",
    "tasks": "UPDATE todos SET what = 'Ring ' || id WHERE id % 100 = 0",
    "companies": "UPDATE firms SET city = 'Oslo' WHERE id % 100 = 0",
    "opportunities": "UPDATE deals SET stage = 'Sent', amount = 5 WHERE id % 100 = 0",
    "tagged": """UPDATE people SET tags = '["customer", "vip"]', updated_at = '2026-03-01T00:00:00Z' WHERE id % 100 = 50""",
}
"""1 % of each kind, and tags for another 1 % of contacts."""


def change(folder: Path, *which: str) -> dict[str, int]:
    """Make the edits, or those of these names; returns how many of each."""
    engine = sa.create_engine(f"sqlite:///{folder / 'app.db'}")
    edits = {name: EDITS[name] for name in which or EDITS}
    with engine.begin() as connection:
        made = {name: connection.exec_driver_sql(edit).rowcount for name, edit in edits.items()}
    engine.dispose()
    return made


def run_once(folder: Path) -> dict[str, Any]:
    """One nightly run in this process."""
    from flows.config import load
    from flows.jobs.full import FULL
    from flows.opening import open_run
    from flows.run import Options
    from flows.runner import carry_out
    from reconcile.model import Side

    begun, cpu = time.monotonic(), time.process_time()
    with open_run(load(folder / "bench.toml"), Options(verify="none")) as run:
        carry_out(run, FULL)
        assert not run.course.stopped, run.course.stopped
        used, writes = (
            run.connectors[Side.GHL].usage(),
            run.course.plan.writes if run.course.plan else 0,
        )
    return {
        "requests": used.requests,
        "endpoints": dict(used.by_endpoint),
        "writes": writes,
        "seconds": time.monotonic() - begun,
        "cpu": time.process_time() - cpu,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def measured(folder: Path) -> dict[str, Any]:
    command = [sys.executable, __file__, "--folder", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "BENCH_TOKEN": TOKEN}
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, env=environment)  # noqa: S603  this file
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def least(scenario: Scenario) -> int:
    """The fewest requests that read all but notes once."""
    by_hundred = (scenario.tasks, scenario.companies, scenario.opportunities)
    return 4 + scenario.pages + sum(math.ceil(many / 100) for many in by_hundred)


def change_ghl(folder: Path, url: str, share: int) -> int:
    """Change each of so many contacts in GHL, as its users do; returns how many."""
    ledger = sa.create_engine(f"sqlite:///{folder / 'state' / 'ledger.db'}")
    with ledger.connect() as connection:
        query = "SELECT ghl_key FROM link ORDER BY link_id"
        keys = [str(key) for (key,) in connection.exec_driver_sql(query)]
    ledger.dispose()
    headers = {"Authorization": f"Bearer {TOKEN}", "Version": "2021-07-28"}
    with httpx.Client(base_url=url, headers=headers, timeout=60) as client:
        for key in keys[::share]:
            client.put(f"/contacts/{key}", json={"companyName": "Of GHL"}).raise_for_status()
    return len(keys[::share])


def sparse(many: int, sweep: str) -> None:
    """Nights between two full readings, of contacts alone."""
    scenario = Scenario("sparse", many, 1_000_000, 0.0)
    nights: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as name, location(scenario) as url:
        folder = Path(name)
        fill(folder, scenario)
        pair = SPARSE_PAIR.format(url=url, location=LOCATION, sweep=sweep)
        (folder / "bench.toml").write_text(pair)
        nights["first, reads all"] = measured(folder)
        nights["no change"] = measured(folder)
        made = change(folder, "contacts", "tagged")
        nights["1 % of the app"] = measured(folder)
        nights["after it"] = measured(folder)
        in_ghl = change_ghl(folder, url, 100)
        nights["1 % of GHL"] = measured(folder)
    writes = made["contacts"] + math.ceil(made["tagged"] / 100)
    assert nights["no change"]["writes"] == 0, nights
    assert nights["1 % of the app"]["writes"] == sum(made.values()), (made, nights)
    assert nights["after it"]["writes"] == 0, nights
    assert nights["1 % of GHL"]["writes"] == in_ghl, (in_ghl, nights)
    # These nights are minutes apart, and each reads what changed in the ten minutes before the last one, too.
    pages = math.ceil((in_ghl + sum(made.values())) / 500)
    bounds = {
        "first, reads all": 3 + scenario.pages,
        "no change": 5,
        "1 % of the app": 5 + made["contacts"] + writes,
        "after it": 4 + math.ceil(sum(made.values()) / 500),
        "1 % of GHL": 4 + pages,
    }
    show(nights, bounds)
    changed = nights["1 % of the app"]
    told = {
        "contacts": many,
        "sweep": sweep,
        "requests": nights["no change"]["requests"],
        "requests_vs_lower_bound": round(changed["requests"] / bounds["1 % of the app"], 4),
        "requests_vs_lower_bound_ghl": round(
            nights["1 % of GHL"]["requests"] / bounds["1 % of GHL"], 4
        ),
        "requests_vs_writes_without_looks": round(changed["requests"] / (5 + writes), 4),
        "cpu_seconds": round(nights["no change"]["cpu"], 2),
        "cpu_seconds_changed": round(changed["cpu"], 2),
        "cpu_seconds_sweep": round(nights["first, reads all"]["cpu"], 2),
        "peak_mb": round(max(found["peak_mb"] for found in nights.values()), 1),
    }
    print(json.dumps(told))


def show(nights: dict[str, dict[str, Any]], bounds: dict[str, int]) -> None:
    """What each night took, as a table."""
    print(
        f"{'night':<17}{'requests':>9}{'bound':>7}{'writes':>8}{'seconds':>9}{'cpu':>8}{'peak MB':>9}  requests by endpoint"
    )
    for night, found in nights.items():
        listed = ", ".join(f"{name} {many}" for name, many in sorted(found["endpoints"].items()))
        print(
            f"{night:<17}{found['requests']:>9}{bounds[night]:>7}{found['writes']:>8}{found['seconds']:>9.1f}"
            f"{found['cpu']:>8.1f}{found['peak_mb']:>9.0f}  {listed}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--contacts", type=int, default=100_000)
    parser.add_argument("--notes-budget", type=int, default=200)
    parser.add_argument("--sweep", choices=["nightly", "weekly"], default="nightly")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.folder:
        print(json.dumps(run_once(chosen.folder)))
        return
    if chosen.sweep != "nightly":
        sparse(chosen.contacts, chosen.sweep)
        return
    many, nights = chosen.contacts, {}
    scenario = Scenario(
        "nightly",
        many,
        1_000_000,
        0.0,
        tasks=many // 4,
        notes=many // 10,
        companies=many // 20,
        opportunities=many // 4,
    )
    with tempfile.TemporaryDirectory() as name, location(scenario) as url:
        folder = Path(name)
        fill(folder, scenario)
        (folder / "bench.toml").write_text(
            PAIR.format(url=url, location=LOCATION, notes=chosen.notes_budget)
        )
        nights["first"] = measured(folder)
        nights["no change"] = measured(folder)
        made = change(folder)
        nights["1 % changed"] = measured(folder)
    assert nights["no change"]["writes"] == 0, nights
    assert nights["1 % changed"]["writes"] == sum(made.values()), (made, nights)
    notes = min(chosen.notes_budget, many)
    bound = least(scenario) + notes
    tagged = made.pop("tagged")
    bounds = {
        "first": bound,
        "no change": bound,
        "1 % changed": bound + sum(made.values()) + math.ceil(tagged / 100),
    }
    show(nights, bounds)
    ratios = {night: round(nights[night]["requests"] / bounds[night], 4) for night in nights}
    print(
        json.dumps(
            {
                "contacts": chosen.contacts,
                "opportunities": scenario.opportunities,
                "companies": scenario.companies,
                "requests": nights["no change"]["requests"],
                "requests_vs_lower_bound": ratios["no change"],
                "requests_vs_lower_bound_without_notes": round(
                    (nights["no change"]["requests"] - notes) / (bound - notes), 4
                ),
                "requests_vs_lower_bound_changed": ratios["1 % changed"],
                "cpu_seconds_per_1000": round(
                    nights["no change"]["cpu"] / chosen.contacts * 1000, 4
                ),
                "peak_mb": round(max(found["peak_mb"] for found in nights.values()), 1),
            }
        )
    )


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    main()
