"""A big first load: every contact and every other task of an app created in an empty location, in one run, with its report.

    python benchmarks/migrate.py [--contacts 200000] [--steps]

Per 100 contacts there are 49 tasks. The app is a database in a file. GHL's part is taken by a connector within the process
that keeps its records in a file as well: what is measured is the product, and not a server beside it. The run is a process
of its own: `peak_mb` is the most memory that it had resident, `megabytes` the size of the HTML page, `json_megabytes` that of
report.json, and `cpu_seconds_per_1000` its processor time per 1,000 changes. `--steps` prints the memory after each step,
`--plan` stops at the plan and its report, which has as many changes: a million of them in a tenth of the time.
The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from reconcile.model import Entity, OpKind, Side, Status  # noqa: E402 - the checkout is put on the path first
from reconcile.ports import (  # noqa: E402
    Description,
    FieldInfo,
    Page,
    Proof,
    Record,
    Reply,
    Scope,
    Shape,
    Usage,
    Write,
)

Result = TypeVar("Result")

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
tags = { column = "tags", form = "json" }

[app.task]
table = "todos"
parent = "person_id"

[ghl]
location = "benchLocation0000001"
token = "env:BENCH_TOKEN"

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
"""

_TABLES = {
    "people": "id INTEGER PRIMARY KEY, first_name TEXT, last_name TEXT, email TEXT, company TEXT, tags TEXT, updated_at TEXT",
    "todos": "id INTEGER PRIMARY KEY, person_id INTEGER, what TEXT, due TEXT",
}
_FIELDS: Mapping[Entity, Mapping[str, FieldInfo]] = {
    Entity.CONTACT: {
        **dict.fromkeys(("firstName", "lastName", "companyName", "additionalEmails"), FieldInfo()),
        "email": FieldInfo("email"),
        "tags": FieldInfo("tags"),
    },
    Entity.TASK: {"title": FieldInfo(), "dueDate": FieldInfo("instant")},
}
_WHOLE = Scope()
_PAGE = 500


def fill(folder: Path, contacts: int) -> int:
    """The app's people and what they have to do; returns how many records there are."""
    people = (
        (
            n,
            f"Ada{n}",
            "Lovelace",
            f"ada{n}@example.com",
            f"Company {n % 3000}",
            '["customer"]',
            "2026-01-01T00:00:00Z",
        )
        for n in range(contacts)
    )
    todos = ((n, n * 2, f"Call {n}", "2027-01-05T09:00:00Z") for n in range(contacts * 49 // 100))
    with sqlite3.connect(folder / "app.db") as made:
        for table, columns in _TABLES.items():
            made.execute(f"CREATE TABLE {table} ({columns})")
        made.executemany("INSERT INTO people VALUES (?, ?, ?, ?, ?, ?, ?)", people)
        made.executemany("INSERT INTO todos VALUES (?, ?, ?, ?)", todos)
    made.close()
    return contacts + contacts * 49 // 100


class Location:
    """A location in a file, with contacts and tasks; it fills reconcile.ports.Connector."""

    side = Side.GHL

    def __init__(self, path: Path) -> None:
        self._file = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._file.executescript(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;"
            "CREATE TABLE IF NOT EXISTS record (entity TEXT, key TEXT, parent TEXT, at TEXT, fields TEXT, PRIMARY KEY (entity, key));"
        )
        self._requests = 0
        self._made = 0

    def describe(self) -> Description:
        """What the location is."""
        costs = dict.fromkeys(OpKind, 1.0)
        return Description(
            "bench:location", _FIELDS, region="US", costs=costs, modified=frozenset(_FIELDS)
        )

    def shape(self, entity: Entity) -> Shape:
        """The fields by name, beside what stands around them."""
        return Shape(
            key=(("_key",),),
            fields={name: ((name,),) for name in _FIELDS[entity]},
            parent=(("_parent",),),
            modified_at=(("_at",),),
        )

    def extract(self, entity: Entity, scope: Scope = _WHOLE) -> Iterator[Page | Proof]:
        """Pages of all there is."""
        if scope != _WHOLE:
            raise NotImplementedError("the benchmark reads everything")
        found = self._file.execute(
            "SELECT key, parent, at, fields FROM record WHERE entity = ? ORDER BY key", [entity]
        )
        total = 0
        while rows := found.fetchmany(_PAGE):
            self._requests, total = self._requests + 1, total + len(rows)
            lines = (
                json.dumps({**json.loads(fields), "_key": key, "_parent": parent, "_at": at}) + "\n"
                for key, parent, at, fields in rows
            )
            yield Page("".join(lines).encode(), len(rows))
        yield Proof(complete=True, reported_total=total)

    def read(self, entity: Entity, key: str, parent: str | None = None) -> Record | None:
        """The record as it is now."""
        self._requests += 1
        found = "SELECT parent, at, fields FROM record WHERE entity = ? AND key = ?"
        row = self._file.execute(found, [entity, key]).fetchone()
        return Record(key, json.loads(row[2]), parent=row[0], modified_at=row[1]) if row else None

    def look(self, write: Write) -> Sequence[Record]:
        """Nothing is ever in doubt here."""
        raise NotImplementedError(write.op_id)

    def write(self, writes: Sequence[Write]) -> Iterator[Reply]:
        """Carry out creates; the run makes nothing else."""
        for write in writes:
            if write.kind is not OpKind.CREATE:
                raise NotImplementedError(write.kind)
            self._requests, self._made = self._requests + 1, self._made + 1
            key = f"{write.entity}{self._made:012}"
            at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
            row = (write.entity, key, write.parent, at, json.dumps(dict(write.fields)))
            self._file.execute("INSERT INTO record VALUES (?, ?, ?, ?, ?)", row)
            record = Record(key, write.fields, parent=write.parent, modified_at=at)
            yield Reply(write.op_id, Status.DONE, record=record, key=key)

    def usage(self) -> Usage:
        """Requests so far."""
        return Usage(requests=self._requests)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def resident(name: str) -> float:
    """Megabytes that this process has (VmRSS), or has had at most (VmHWM)."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # where there is no such file


def run_once(folder: Path, *, steps: bool, plan: bool) -> dict[str, Any]:
    """The load in this process, or its plan alone."""
    from flows.config import load
    from flows.jobs.full import FULL
    from flows.opening import open_run
    from flows.run import Options
    from flows.runner import carry_out
    from flows.wiring import wiring

    # The one thing that is not the product's: what a pair's [ghl] leads to.
    wiring._ghl = lambda *_, **__: Location(folder / "location.db")  # type: ignore[assignment]

    def do(step: Callable[..., Result], *arguments: Any) -> Result:
        result = step(*arguments)
        if steps and step.__name__ != "apply":
            print(
                f"{step.__name__:<16}{resident('VmRSS'):>8.0f} MB, at most {resident('VmHWM'):>8.0f}",
                file=sys.stderr,
            )
        return result

    begun, cpu = time.monotonic(), time.process_time()
    options = Options(allowed=frozenset({"first-creates", "creates"}))
    job = replace(FULL, writes=not plan)
    with open_run(load(folder / "bench.toml"), options) as run:
        told = carry_out(run, job, do)
        if run.course.stopped or told.exit_code > int(plan):
            raise SystemExit(
                f"exit code {told.exit_code}: {run.course.stopped or told.document['verdict']}"
            )
        writes = run.course.plan.writes if run.course.plan else 0
    return {
        "changes": writes,
        "peak_mb": round(resident("VmHWM"), 1),
        "megabytes": round(told.paths["html"].stat().st_size / 1e6, 2),
        "json_megabytes": round(told.paths["json"].stat().st_size / 1e6, 2),
        "seconds": round(time.monotonic() - begun, 1),
        "cpu_seconds_per_1000": round((time.process_time() - cpu) / writes * 1000, 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--contacts", type=int, default=200_000)
    parser.add_argument("--steps", action="store_true")
    parser.add_argument("--plan", action="store_true")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.folder:
        print(json.dumps(run_once(chosen.folder, steps=chosen.steps, plan=chosen.plan)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        due = fill(folder, chosen.contacts)
        (folder / "bench.toml").write_text(PAIR)
        command = [sys.executable, __file__, "--folder", name]
        command += [f"--{part}" for part in ("steps", "plan") if getattr(chosen, part)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "BENCH_TOKEN": "pit-benchmark"}
        done = subprocess.run(  # noqa: S603 - this file
            command, stdout=subprocess.PIPE, check=True, env=environment, cwd=name
        )
    found = json.loads(done.stdout.splitlines()[-1])
    if found["changes"] != due:
        raise SystemExit(f"{due} records were to be made, the plan had {found['changes']}")
    for figure, value in found.items():
        print(f"{figure:<22}{value:>12}")
    print(json.dumps({"contacts": chosen.contacts, **found}))


if __name__ == "__main__":
    main()
