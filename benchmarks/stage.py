"""GHL's pages from bytes to staged rows, beside others who read the same records.

One is a pydantic model per record -> Arrow -> DuckDB; the other is DuckDB alone, which is given the records as lines.

    python benchmarks/stage.py [--rows 1000000] [--repeat 3]

Ours is the connector's own way: pages cut into lines, spooled, read by DuckDB with the connector's shape, five custom
fields included, digests and proof made. Each way is a process of its own; the last line is one JSON object. Without
pyarrow (dependency group `bench`, in an environment of its own) the rows of the other way go in through JSON lines.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.world import CUSTOM, TAKEN_AT, World, mapping, shape  # noqa: E402 - the path comes first
from connectors.ghl.lines import SearchPage, decode, join, rows_of  # noqa: E402
from reconcile.model import Entity, Side  # noqa: E402
from reconcile.ports import Page, Proof  # noqa: E402
from reconcile.stage.stage import Stage  # noqa: E402

PAGE = 500


def make(folder: Path, rows: int) -> dict[str, float]:
    """Bodies of /contacts/search, each with its length before it, in one file."""
    World(folder, rows).make()
    with (folder / "ghl.ndjson").open("rb") as lines, (folder / "pages").open("wb") as out:
        page: list[bytes] = []
        for number, line in enumerate(lines, start=1):
            page.append(line.rstrip()[:-1] + b',"searchAfter":[%d,"x"]}' % number)
            if len(page) == PAGE:
                write(out, page)
                page = []
        write(out, page)
    return {}


def write(out: Any, page: list[bytes]) -> None:
    body = b'{"contacts":[' + b",".join(page) + b'],"total":1000000,"traceId":"bench"}'
    out.write(len(body).to_bytes(8, "big") + body)


def bodies(folder: Path) -> Iterator[bytes]:
    with (folder / "pages").open("rb") as pages:
        while size := pages.read(8):
            yield pages.read(int.from_bytes(size, "big"))


def ours(folder: Path, _: int) -> dict[str, float]:
    """Bytes to staged, proven rows."""
    contacts = mapping()[Entity.CONTACT]
    begun = time.perf_counter()

    def pages() -> Iterator[Page | Proof]:
        for body in bodies(folder):
            rows = rows_of(decode(body, SearchPage).contacts)
            yield Page(join(rows), len(rows))
        yield Proof(complete=True)

    with Stage(folder / "ours", memory_limit="512MB") as stage:
        spooled = stage.spool(Entity.CONTACT, Side.GHL, pages(), taken_at=TAKEN_AT)
        cut, used = time.perf_counter(), time.process_time()
        snapshot = stage.load(contacts, Side.GHL, shape(Side.GHL), spooled)
        loaded = time.process_time() - used
    assert snapshot.complete, snapshot.why_incomplete
    seconds = time.perf_counter() - begun
    return {
        "seconds": seconds,
        "rows": snapshot.rows,
        "spool": cut - begun,
        "load": seconds - (cut - begun),
        "load_cpu": loaded,
    }


def pydantic(folder: Path, _: int) -> dict[str, float]:
    """One model per record, with the same fields; rows into DuckDB in batches."""
    from pydantic import BaseModel

    class Custom(BaseModel):
        id: str
        value: str | None = None

    class Contact(BaseModel):
        id: str
        firstName: str | None = None  # noqa: N815 - GHL's spelling
        lastName: str | None = None  # noqa: N815
        email: str | None = None
        phone: str | None = None
        address1: str | None = None
        city: str | None = None
        state: str | None = None
        postalCode: str | None = None  # noqa: N815
        country: str | None = None
        website: str | None = None
        timezone: str | None = None
        companyName: str | None = None  # noqa: N815
        source: str | None = None
        dateOfBirth: str | None = None  # noqa: N815
        assignedTo: str | None = None  # noqa: N815
        dnd: bool | None = None
        tags: list[str] = []
        customFields: list[Custom] = []  # noqa: N815
        dateUpdated: str | None = None  # noqa: N815

    class Search(BaseModel):
        contacts: list[Contact]

    plain = [name for name in Contact.model_fields if name != "customFields"]

    def row(contact: Contact) -> dict[str, Any]:
        custom = {field.id: field.value for field in contact.customFields}
        return {name: getattr(contact, name) for name in plain} | {
            name: custom.get(at) for name, at in CUSTOM.items()
        }

    begun = time.perf_counter()
    seen: set[str] = set()
    with duckdb.connect(str(folder / "pydantic.duckdb")) as sql:
        batch: list[dict[str, Any]] = []
        for body in bodies(folder):
            for contact in Search.model_validate_json(body).contacts:
                seen.add(contact.id)
                batch.append(row(contact))
            if len(batch) >= 20_000:
                insert(sql, batch, folder)
                batch = []
        if batch:
            insert(sql, batch, folder)
    return {"seconds": time.perf_counter() - begun, "rows": len(seen)}


def duckdb_alone(folder: Path, _: int) -> dict[str, float]:
    """The records as lines already, read by `read_json` into a table of the same columns: nothing is proven."""
    natives = [*mapping()[Entity.CONTACT].native(Side.GHL), "id", "dateUpdated"]
    kinds = {name: "VARCHAR" for name in natives if name not in CUSTOM}
    columns = ", ".join(
        f"'{name}': '{kind}'" for name, kind in (kinds | {"customFields": "JSON"}).items()
    )
    source = f"read_json('{folder / 'ghl.ndjson'}', format = 'newline_delimited', columns = {{{columns}}})"
    with duckdb.connect(str(folder / "alone.duckdb")) as sql:
        sql.execute(
            "SET threads = 2; SET memory_limit = '512MB'; SET preserve_insertion_order = false"
        )
        begun, used = time.perf_counter(), time.process_time()
        sql.execute(f"CREATE TABLE contact AS FROM {source}")
        seconds, spent = time.perf_counter() - begun, time.process_time() - used
        rows = sql.sql("SELECT count(DISTINCT id) FROM contact").fetchall()[0][0]
    return {"seconds": seconds, "rows": rows, "load_cpu": spent}


def insert(sql: duckdb.DuckDBPyConnection, batch: list[dict[str, Any]], folder: Path) -> None:
    if importlib.util.find_spec("pyarrow"):
        import pyarrow

        kinds = {"dnd": pyarrow.bool_(), "tags": pyarrow.list_(pyarrow.string())}
        schema = pyarrow.schema([(name, kinds.get(name, pyarrow.string())) for name in batch[0]])
        sql.register("batch", pyarrow.Table.from_pylist(batch, schema=schema))
        source = "batch"
    else:
        (folder / "batch.ndjson").write_text("\n".join(map(json.dumps, batch)))
        columns = ", ".join(
            f"'{name}': '{'VARCHAR[]' if name == 'tags' else 'VARCHAR'}'" for name in batch[0]
        )
        source = f"read_json('{folder / 'batch.ndjson'}', format = 'newline_delimited', columns = {{{columns}}})"
    sql.execute(
        f"CREATE TABLE IF NOT EXISTS contact AS SELECT * FROM {source} LIMIT 0; INSERT INTO contact SELECT * FROM {source}"
    )


PARTS = {step.__name__: step for step in (make, ours, pydantic, duckdb_alone)}


def measured(part: str, folder: Path, rows: int) -> dict[str, float]:
    command = [
        sys.executable,
        __file__,
        "--part",
        part,
        "--folder",
        str(folder),
        "--rows",
        str(rows),
    ]
    done = subprocess.run(  # noqa: S603  this file
        command, stdout=subprocess.PIPE, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.part:
        result = PARTS[chosen.part](chosen.folder, chosen.rows)
        print(
            json.dumps(
                result | {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
            )
        )
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        measured("make", folder, chosen.rows)
        runs = []
        for _ in range(chosen.repeat):
            ways = ("ours", "pydantic", "duckdb_alone")
            runs.append([measured(way, folder, chosen.rows) for way in ways])
            for stale in folder.glob("*.duckdb*"):
                stale.unlink()
            (folder / "ours" / "stage.duckdb").unlink()
    own, theirs, alone = (
        {key: statistics.median(run[at][key] for run in runs) for key in runs[0][at]}
        for at in range(3)
    )
    assert own["rows"] == theirs["rows"] == alone["rows"]
    print(f"{'way':<12}{'seconds':>9}{'peak MB':>9}")
    print(
        f"{'ours':<12}{own['seconds']:>9.2f}{own['peak_mb']:>9.0f}   (pages to lines {own['spool']:.2f}, staged {own['load']:.2f})"
    )
    print(f"{'pydantic':<12}{theirs['seconds']:>9.2f}{theirs['peak_mb']:>9.0f}")
    print(
        f"{'duckdb':<12}{alone['seconds']:>9.2f}{alone['peak_mb']:>9.0f}   (the records as lines)"
    )
    print(
        json.dumps(
            {
                "rows": int(own["rows"]),
                "rows_per_second": round(own["rows"] / own["seconds"]),
                "vs_pydantic": round(
                    statistics.median(b["seconds"] / a["seconds"] for a, b, _ in runs), 2
                ),
                # In CPU seconds, as both keep two threads busy. To cut pages into lines is not part of it.
                "staged_vs_duckdb": round(
                    statistics.median(a["load_cpu"] / c["load_cpu"] for a, _, c in runs), 2
                ),
                "peak_mb": round(own["peak_mb"], 1),
                "through_arrow": importlib.util.find_spec("pyarrow") is not None,
            }
        )
    )


if __name__ == "__main__":
    main()
