"""Seconds from an edit in PostgreSQL to GHL, through the outbox of a page, and back.

    python benchmarks/realtime.py [--contacts 20000] [--edits 20]
                                  [--postgres postgresql+psycopg://postgres@127.0.0.1/test]

The triggers and the program, as a process, are those of docs/tasks/realtime.md, with the sandbox as
GHL. Each edit is of another person, and is waited for: from the commit until GHL's answer has it.
Back it is from GHL's answer to a change until the row has it, by a `delta` that is begun at once
with the contact's key, as a webhook begins it; `cpu` is what one of those takes of a processor,
whatever else the machine does. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import sqlalchemy as sa

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

# The path comes first.
from benchmarks.extract import LOCATION, TOKEN, Scenario, location  # noqa: E402

PAGE = (ROOT / "docs" / "tasks" / "realtime.md").read_text(encoding="utf-8")
SCHEMA = "ghl_reconcile_benchmark"
PAIR = """
pair = "bench"
store = "state"
region = "US"

[app]
connector = "sql"
url = "env:BENCH_APP"

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

[ghl]
url = "{url}"
location = "{location}"
token = "env:BENCH_TOKEN"
lag_seconds = 0
notes_budget = 0

[contact]
match = ["email"]

[contact.fields]
first_name = "firstName"
last_name = "lastName"
email = "email"
company = "companyName"
tags = "tags"

[task.fields]
what = "title"
due = "dueDate"

[note.fields]
said = "body"
"""
TABLES = {
    "people": (
        "id SERIAL PRIMARY KEY, first_name TEXT, last_name TEXT, email TEXT, company TEXT, "
        "tags JSON, updated_at TIMESTAMPTZ"
    ),
    "todos": "id SERIAL PRIMARY KEY, person_id INTEGER, what TEXT, due TIMESTAMPTZ",
    "remarks": "id SERIAL PRIMARY KEY, person_id INTEGER, said TEXT",
}
PEOPLE = """
INSERT INTO people (first_name, last_name, email, tags, updated_at)
SELECT 'Ada' || n, 'Lovelace', 'ada' || n || '@example.com', '["customer"]', '2026-01-01'
FROM generate_series(0, :many - 1) AS n
"""
EDIT = "UPDATE people SET company = :company, updated_at = now() WHERE email = :email"
PATIENCE = 120.0
HEADERS = {"Authorization": f"Bearer {TOKEN}", "Version": "2021-07-28"}


def fill(engine: sa.Engine, contacts: int) -> None:
    """The app's tables, empty but for its people."""
    with engine.begin() as connection:
        connection.exec_driver_sql(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
        connection.exec_driver_sql(f"CREATE SCHEMA {SCHEMA}")
        for table, columns in TABLES.items():
            connection.exec_driver_sql(f"CREATE TABLE {table} ({columns})")
        connection.execute(sa.text(PEOPLE), {"many": contacts})


def listen(engine: sa.Engine) -> None:
    """The page's outbox and triggers."""
    found = re.search(r"## The outbox in PostgreSQL\n\n```sql\n(.*?)```", PAGE, re.DOTALL)
    assert found
    with engine.begin() as connection:
        connection.exec_driver_sql(found[1])


def follow(folder: Path, url: str, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """The page's program."""
    found = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert found
    program = folder / "follow.py"
    program.write_text(found[1], encoding="utf-8")
    command = [sys.executable, str(program), str(folder / "bench.toml"), url]
    return subprocess.Popen(  # noqa: S603 - the page's own
        command, env=environment, cwd=folder, stdout=subprocess.DEVNULL
    )


def took(reached: Callable[[], bool]) -> float:
    """Seconds until something is so."""
    begun = time.monotonic()
    while not reached():
        if time.monotonic() - begun > PATIENCE:
            raise SystemExit(f"not there after {PATIENCE:.0f} s")
        time.sleep(0.05)
    return time.monotonic() - begun


@dataclass(frozen=True, slots=True)
class Both:
    """The pair in its folder, the app's database, GHL, and what the job's processes are told."""

    folder: Path
    engine: sa.Engine
    client: httpx.Client
    environment: dict[str, str]

    def job(self, *words: str) -> None:
        """One call of the product."""
        command = [sys.executable, "-m", "flows.cli", *words, "--pair", "bench.toml"]
        done = subprocess.run(  # noqa: S603 - the product
            command,
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in (0, 1), done.stderr

    def carried(self) -> bool:
        """Whether nothing waits in the outbox."""
        with self.engine.connect() as connection:
            return not connection.execute(sa.text("SELECT count(*) FROM outbox")).scalar_one()

    def key(self, email: str) -> str:
        """The contact that has this email."""
        where = {"locationId": LOCATION, "email": email}
        found = self.client.get("/contacts/search/duplicate", params=where).json()
        return str(found["contact"]["id"])

    def has(self, key: str, company: str) -> bool:
        """Whether the contact has this company."""
        contact = self.client.get(f"/contacts/{key}").json()["contact"]
        return bool(contact.get("companyName") == company)


def to_ghl(both: Both, edits: int) -> list[float]:
    """Seconds from a commit in the app until the contact has it."""
    seconds = []
    for number in range(edits):
        email, company = f"ada{number}@example.com", f"Company {number}"
        key = both.key(email)
        with both.engine.begin() as connection:
            connection.execute(sa.text(EDIT), {"company": company, "email": email})
        seconds.append(took(partial(both.has, key, company)))
    return seconds


def to_app(both: Both, edits: int) -> list[float]:
    """Seconds from GHL's answer to a change until the row has it."""
    seconds = []
    for number in range(edits):
        email, company = f"ada{number}@example.com", f"Firm {number}"
        key = both.key(email)
        both.client.put(f"/contacts/{key}", json={"companyName": company}).raise_for_status()
        begun = time.monotonic()
        both.job("delta", "--ghl", key)
        with both.engine.connect() as connection:
            asked = sa.text("SELECT company FROM people WHERE email = :email")
            row = connection.execute(asked, {"email": email}).scalar_one()
        assert row == company, (row, company)
        seconds.append(time.monotonic() - begun)
    return seconds


def cpu_of_children() -> float:
    """Seconds of processor time of the processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def measured(chosen: argparse.Namespace) -> tuple[dict[str, list[float]], float]:
    """The first night, then the edits of both ways; and the processor time of one back."""
    url = f"{chosen.postgres}?options=-csearch_path%3D{SCHEMA}"
    engine = sa.create_engine(url)
    scenario = Scenario("realtime", chosen.contacts, 1_000_000, 0.0)
    with (
        tempfile.TemporaryDirectory() as name,
        location(scenario) as ghl,
        httpx.Client(base_url=ghl, headers=HEADERS, timeout=30) as client,
    ):
        fill(engine, chosen.contacts)
        pair = PAIR.format(url=ghl, location=LOCATION)
        (Path(name) / "bench.toml").write_text(pair, encoding="utf-8")
        programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        told = {"PYTHONPATH": str(ROOT), "PATH": programs, "BENCH_TOKEN": TOKEN, "BENCH_APP": url}
        both = Both(Path(name), engine, client, os.environ | told)
        both.job("run", "--engine", "local", "--verify", "none")
        listen(engine)
        following = follow(both.folder, url, both.environment)
        try:
            there = to_ghl(both, chosen.edits)
            # The contact has the last edit before the job ends that brought it.
            took(both.carried)
        finally:
            following.terminate()
            following.wait()
        before = cpu_of_children()
        back = to_app(both, chosen.edits)
        cpu = (cpu_of_children() - before) / chosen.edits
    with engine.begin() as connection:
        connection.exec_driver_sql(f"DROP SCHEMA {SCHEMA} CASCADE")
    engine.dispose()
    return {"to_ghl": there, "to_app": back}, cpu


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--contacts", type=int, default=20_000)
    parser.add_argument("--edits", type=int, default=20)
    parser.add_argument("--postgres", default="postgresql+psycopg://postgres@127.0.0.1/test")
    chosen = parser.parse_args()
    figures: dict[str, float] = {"contacts": chosen.contacts, "edits": chosen.edits}
    ways, cpu = measured(chosen)
    for way, seconds in ways.items():
        figures[f"{way}_median"] = round(statistics.median(seconds), 2)
        figures[f"{way}_95th"] = round(statistics.quantiles(seconds, n=20)[-1], 2)
    figures["cpu"] = round(cpu, 2)
    for figure, value in figures.items():
        print(f"{figure:<16}{value:>10}")
    print(json.dumps(figures))


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    main()
