"""Rows from PostgreSQL into a DuckDB stage, beside a plain pandas.read_sql of the same table in the same run.

Prints a table for people, and as its last line one JSON object: rows, seconds, peak_mb, vs_pandas_read_sql (seconds,
below 1 is faster) and peak_vs_pandas. Every reading is a process of its own; medians of `--repeat` alternating runs.

With `--beside` the same fields are also read from four tables: the people, a row of an address for each, companies that they point to,
and rows of names and values. `beside_vs_flat` says how much longer that takes.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

ROOT = Path(__file__).resolve().parent.parent
TABLE = "ghl_reconcile_read_app"
DEFAULT_URL = "postgresql+psycopg://postgres@127.0.0.1:5432/test"
TYPES = {
    "id": "BIGINT",
    "visits": "BIGINT",
    "consent": "BOOLEAN",
    "birthday": "DATE",
    "tags": "VARCHAR[]",
}
CHUNK = 64_000_000

MAKE = f"""
CREATE TABLE {TABLE} AS
SELECT n AS id, 'First' || n % 5000 AS first_name, 'Last' || n % 20000 AS last_name,
  'person' || n || '@example.test' AS email, '+1202' || lpad((n % 10000000)::text, 7, '0') AS phone,
  n || ' Main Street' AS address, 'City' || n % 900 AS city, 'State' || n % 50 AS state,
  lpad((n % 100000)::text, 5, '0') AS postal_code, 'US' AS country, 'Company ' || n % 30000 AS company,
  'https://example.test/' || n AS website, 'web' AS source, n % 100 AS visits, n % 2 = 0 AS consent,
  DATE '1950-01-01' + (n % 20000)::int AS birthday, (n % 100000) / 100.0::numeric AS balance,
  ARRAY['tag' || n % 40, 'group ' || n % 7] AS tags,
  TIMESTAMPTZ '2020-01-01' + n * INTERVAL '1 minute' AS created_at,
  TIMESTAMPTZ '2024-01-01' + n * INTERVAL '1 second' AS updated_at
FROM generate_series(1, :rows) AS n
"""

SIDES = {
    "people": f"""
CREATE TABLE {TABLE}_people AS
SELECT id, first_name, last_name, email, phone, visits, consent, birthday, balance, tags, created_at, updated_at,
  1 + id % 30000 AS company_id FROM {TABLE}
""",
    "addresses": f"""
CREATE TABLE {TABLE}_addresses AS
SELECT id AS person_id, address, city, state, postal_code, country FROM {TABLE}
""",
    "companies": f"""
CREATE TABLE {TABLE}_companies AS SELECT n AS id, 'Company ' || n % 30000 AS name FROM generate_series(1, 30000) AS n
""",
    "meta": f"""
CREATE TABLE {TABLE}_meta AS
SELECT row_number() OVER () AS id, id AS person_id, name, value FROM (
  SELECT id, 'website' AS name, website AS value FROM {TABLE} UNION ALL SELECT id, 'source', source FROM {TABLE}
) AS both_names
""",
}
KEYS = {"people": "id", "addresses": "person_id", "companies": "id", "meta": "person_id, name"}
BESIDE = (
    *(f"address.{name}" for name in ("address", "city", "state", "postal_code", "country")),
    "company.name",
    "meta.website",
    "meta.source",
)


def flat() -> tuple[Any, tuple[str, ...]]:
    """All fields in one table."""
    from connectors.sql import TableSettings, TagSettings

    tags = TagSettings("array", column="tags")
    return TableSettings(TABLE, modified_at="updated_at", tags=tags), ()


def beside() -> tuple[Any, tuple[str, ...]]:
    """The same fields in four tables, and what is read of them."""
    from connectors.sql import JoinSettings, TableSettings, TagSettings

    joins = {
        "address": JoinSettings(f"{TABLE}_addresses", on={"person_id": "id"}),
        "company": JoinSettings(f"{TABLE}_companies", on={"id": "company_id"}),
        "meta": JoinSettings(f"{TABLE}_meta", on={"person_id": "id"}, name="name", value="value"),
    }
    tags = TagSettings("array", column="tags")
    table = TableSettings(f"{TABLE}_people", modified_at="updated_at", tags=tags, joins=joins)
    own = ("first_name", "last_name", "email", "phone", "visits", "consent", "birthday")
    return table, (*own, "balance", "created_at", "tags", *BESIDE)


def stage(
    url: str, folder: Path, laid_out: Callable[[], tuple[Any, tuple[str, ...]]] = flat
) -> int:
    """Our way: pages of JSON lines, in chunks of files, through read_json into a typed DuckDB table."""
    import duckdb

    from connectors.sql import SqlConnector, SqlSettings
    from reconcile.model import Entity
    from reconcile.ports import Page, Proof

    contacts, wanted = laid_out()
    fields = {Entity.CONTACT: wanted} if wanted else {}
    connector = SqlConnector(SqlSettings(url, {Entity.CONTACT: contacts}, fields))
    shape = connector.shape(Entity.CONTACT)
    names = [*shape.fields, shape.key[0][0], shape.modified_at[0][0]]
    columns = ", ".join(f"'{name}': '{TYPES.get(str(name), 'VARCHAR')}'" for name in names)
    chunk = folder / "chunk.jsonl"
    read = (
        f"SELECT * FROM read_json('{chunk}', format = 'newline_delimited', columns = {{{columns}}})"
    )
    with duckdb.connect(str(folder / "stage.duckdb")) as stage_:
        stage_.execute(
            "SET memory_limit = '512MB'; SET threads = 2; SET preserve_insertion_order = false"
        )
        file, made = chunk.open("wb"), False
        for step in connector.extract(Entity.CONTACT):
            if isinstance(step, Page):
                file.write(step.lines)
            if isinstance(step, Proof) or file.tell() >= CHUNK:
                file.close()
                stage_.execute(f"INSERT INTO app {read}" if made else f"CREATE TABLE app AS {read}")
                file, made = chunk.open("wb"), True
            if isinstance(step, Proof):
                assert step.complete, step.why_incomplete
        [(rows,)] = stage_.execute("SELECT count(*) FROM app").fetchall()
        return int(rows)


def stage_beside(url: str, folder: Path) -> int:
    """Our way, from four tables."""
    return stage(url, folder, beside)


def pandas_way(url: str, _folder: Path) -> int:
    """The plain way."""
    import pandas as pd

    with sa.create_engine(url).connect() as connection:
        return len(pd.read_sql(f"SELECT * FROM {TABLE}", connection))


def measured(way: str, url: str) -> tuple[float, float, int]:
    """Seconds, peak megabytes and rows of one reading in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--way", way, "--url", url, "--folder", folder]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        started = time.monotonic()
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)  # noqa: S603  this file
        assert child.stdout is not None
        answer = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - started
    assert child.returncode == 0, f"the {way} reading failed"
    return seconds, usage.ru_maxrss / 1024, int(answer)


WAYS: dict[str, Callable[[str, Path], int]] = {
    "stage": stage,
    "pandas": pandas_way,
    "beside": stage_beside,
}


def compare(url: str, rows: int, repeat: int, ways: Sequence[str]) -> dict[str, float]:
    """Alternating runs of the ways."""
    results: dict[str, list[tuple[float, float, int]]] = {way: [] for way in ways}
    for _ in range(repeat):
        for way, taken in results.items():
            taken.append(measured(way, url))
    medians = {
        way: [statistics.median(run[part] for run in runs) for part in (0, 1)]
        for way, runs in results.items()
    }
    assert {run[2] for runs in results.values() for run in runs} == {rows}
    print(f"{'way':<10}{'seconds':>10}{'peak MB':>10}")
    for way, (seconds, peak) in medians.items():
        print(f"{way:<10}{seconds:>10.2f}{peak:>10.0f}")
    more = {}
    if "beside" in medians:
        more = {"beside_vs_flat": round(medians["beside"][0] / medians["stage"][0], 3)}
    return {
        **more,
        "rows": rows,
        "seconds": round(medians["stage"][0], 3),
        "peak_mb": round(medians["stage"][1], 1),
        "vs_pandas_read_sql": round(medians["stage"][0] / medians["pandas"][0], 3),
        "peak_vs_pandas": round(medians["stage"][1] / medians["pandas"][1], 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--url", default=os.environ.get("GHL_RECONCILE_TEST_POSTGRES", DEFAULT_URL))
    parser.add_argument("--way", choices=[*WAYS], help=argparse.SUPPRESS)
    parser.add_argument("--beside", action="store_true", help="also from four tables")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.way:
        print(WAYS[chosen.way](chosen.url, chosen.folder))
        return
    url = chosen.url.replace("postgresql://", "postgresql+psycopg://")
    engine = sa.create_engine(url)
    ways = [way for way in WAYS if way != "beside" or chosen.beside]
    try:
        with engine.begin() as connection:
            drop(connection)
            connection.execute(sa.text(MAKE), {"rows": chosen.rows})
            connection.execute(sa.text(f"ALTER TABLE {TABLE} ADD PRIMARY KEY (id)"))
            for name, statement in SIDES.items() if chosen.beside else ():
                connection.execute(sa.text(statement))
                key = f"ALTER TABLE {TABLE}_{name} ADD PRIMARY KEY ({KEYS[name]})"
                connection.execute(sa.text(key))
        print(json.dumps(compare(url, chosen.rows, chosen.repeat, ways)))
    finally:
        with engine.begin() as connection:
            drop(connection)


def drop(connection: sa.Connection) -> None:
    """Take the tables away."""
    for name in (TABLE, *(f"{TABLE}_{side}" for side in SIDES)):
        connection.execute(sa.text(f"DROP TABLE IF EXISTS {name}"))


if __name__ == "__main__":
    main()
