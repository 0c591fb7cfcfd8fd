"""What each run saw and did, as Parquet under its run id: immutable, for undo, backtest and audit."""

from __future__ import annotations

from pathlib import Path

from reconcile.journal import Journal
from reconcile.lines import outcome_json
from reconcile.mapping import Mapping
from reconcile.model import Side
from reconcile.stage import Stage, literal

_OUTCOME = (
    ("op_id", "VARCHAR"),
    ("status", "VARCHAR"),
    ("key", "VARCHAR"),
    ("code", "VARCHAR"),
    ("detail", "VARCHAR"),
    ("trace_id", "VARCHAR"),
    ("outcome", "VARCHAR"),
)


def load_outcomes(stage: Stage, journal: Journal) -> None:
    """Create `outcome` in the stage from the journal, beside `planned`."""
    rows = (
        [(o.op_id, o.status.value, o.key, o.code, o.detail, o.trace_id, outcome_json(o))] for _, o in journal.entries()
    )
    stage.fill("outcome", _OUTCOME, rows)


def store(stage: Stage, mapping: Mapping, folder: Path) -> list[Path]:
    """Write snapshots, baseline links, plan, holds and outcomes of a run as Parquet files; returns them."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = [f"raw_{mapped.entity}_{side}" for mapped in mapping.entities for side in Side]
    tables += [f"base_{mapped.entity}" for mapped in mapping.entities]
    tables += ["planned", "hold", "outcome", "passed"]
    there = {str(name) for (name,) in stage.rows("SELECT table_name FROM duckdb_tables()")}
    written = []
    for table in tables:
        if table in there:
            path = folder / f"{table}.parquet"
            stage.run(f"COPY {table} TO {literal(str(path))} (FORMAT parquet, COMPRESSION zstd)")
            written.append(path)
    return written
