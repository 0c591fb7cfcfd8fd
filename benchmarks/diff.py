"""Two snapshots against what the ledger remembers, beside a bare full join and beside two-way comparisons of the same rows.

    python benchmarks/diff.py [--rows 1000000] [--sizes 100000,1000000,5000000] [--repeat 3]

Each measurement is a process of its own, with DuckDB limited to 512 MB for ours and without a limit for the others. All begin
with tables that lie in a DuckDB file: ours ends with the plan file, the others with the report of what differs. The
last line is one JSON object. datacompy's ratios need `datacompy polars pyarrow` (dependency group `bench`, in an
environment of its own: `pip install --group bench .`); without them they are null.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.seed import open_ledger, remember  # noqa: E402 - the path comes first
from benchmarks.world import PLAIN, World, mapping  # noqa: E402
from reconcile import pipeline  # noqa: E402
from reconcile.compare.verdicts import load_decisions  # noqa: E402
from reconcile.link import cells  # noqa: E402
from reconcile.link.link import find_moved, load_base, load_graves  # noqa: E402
from reconcile.link.match import find_links  # noqa: E402
from reconcile.model import Entity, Side  # noqa: E402
from reconcile.plan import draft, planfile  # noqa: E402
from reconcile.plan.plan import Plan  # noqa: E402
from reconcile.stage.stage import Stage  # noqa: E402

LIMIT = "512MB"
WIDE = [*PLAIN, "tags", *(f"custom{n}" for n in range(1, 6))]


def make(folder: Path, rows: int) -> dict[str, float]:
    """The two sides as files, and a ledger that remembers the day before."""
    world = World(folder, rows)
    world.make()
    remember(world)
    return {}


def ours(folder: Path, rows: int) -> dict[str, float]:
    """From spooled pages to the finished plan."""
    world, map_, took = World(folder, rows), mapping(), {}
    ledger = open_ledger(folder)
    with Stage(folder / "run", memory_limit=LIMIT, beside=[folder / "links"]) as stage:

        def timed(name: str, step: Callable[[], object]) -> None:
            begun = time.perf_counter()
            step()
            took[name] = time.perf_counter() - begun

        def stage_both() -> None:
            for side in Side:
                world.stage(stage, side, side)

        timed("stage", stage_both)
        timed("ledger", lambda: load_base(stage, ledger, Entity.CONTACT, folder=folder / "links"))
        load_graves(stage, ledger, since="2026")
        timed("link", lambda: pipeline.link(stage, ledger, map_))
        timed("diff", lambda: pipeline.diff(stage, map_))
        timed("plan", lambda: write_plan(stage, folder / "plan.jsonl"))
        planned = stage.count("SELECT count(*) FROM planned")
    ledger.close()
    return took | {"planned": planned}


def write_plan(stage: Stage, path: Path) -> None:
    pipeline.make_draft(stage, mapping())
    groups = draft.groups(stage)
    head = Plan("bench", "bench", 1, "bench", snapshots={}, groups=groups, holds={}, estimates={})
    planfile.write(path, head, draft.lines(stage))


def floor(folder: Path, _: int) -> dict[str, float]:
    """The three wide tables joined, every column fetched, nothing compared."""
    with duckdb.connect(str(folder / "wide.duckdb"), read_only=True) as sql:
        sql.execute("SET threads = 2; SET preserve_insertion_order = false")
        columns = ", ".join(f"count({row}.{name})" for row in "bag" for name in WIDE)
        begun = time.perf_counter()
        sql.execute(
            f"SELECT {columns} FROM base b FULL JOIN app a ON a.app_id = b.app_id FULL JOIN ghl g ON g.ghl_id = b.ghl_id"
        ).fetchall()
        return {"seconds": time.perf_counter() - begun}


def match(folder: Path, rows: int) -> dict[str, float]:
    """Links for two sides that no link joins yet; and, in the same process, their match keys normalised and nothing else."""
    world, contacts = World(folder, rows), mapping()[Entity.CONTACT]
    ledger = open_ledger(folder / "empty")
    with Stage(folder / "match", memory_limit=LIMIT) as stage:
        for side in Side:
            world.stage(stage, side, f"base_{side}")
        load_base(stage, ledger, Entity.CONTACT)
        load_decisions(stage, [])
        find_moved(stage, contacts, trusted=False)
        begun = time.perf_counter()
        for side in Side:
            cells.make_known(
                stage, contacts, side, rows=f"unlinked_contact_{side}", names={"email", "phone"}
            )
        normalised = time.perf_counter()
        find_links(stage, contacts)
        linked = time.perf_counter()
        assert stage.count("SELECT count(*) FROM found_contact") == rows
    return {"normalise": normalised - begun, "match": linked - normalised}


def pandas_frames(folder: Path) -> tuple[Any, ...]:
    with duckdb.connect(str(folder / "wide.duckdb"), read_only=True) as sql:
        columns = ", ".join("tags::VARCHAR AS tags" if name == "tags" else name for name in WIDE)
        return tuple(sql.execute(f"SELECT n, {columns} FROM {side}").df() for side in Side)


def arrow_tables(folder: Path) -> tuple[Any, ...]:
    with duckdb.connect(str(folder / "wide.duckdb"), read_only=True) as sql:
        columns = ", ".join("tags::VARCHAR AS tags" if name == "tags" else name for name in WIDE)
        return tuple(sql.sql(f"SELECT n, {columns} FROM {side}").to_arrow_table() for side in Side)


def by_hand(folder: Path, _: int) -> dict[str, float]:
    """pandas: an outer merge, and each column compared."""
    begun = time.perf_counter()
    app, ghl = pandas_frames(folder)
    loaded = time.perf_counter()
    both = app.merge(ghl, on="n", how="outer", suffixes=("_app", "_ghl"), indicator=True)
    for name in WIDE:
        a, g = both[f"{name}_app"], both[f"{name}_ghl"]
        both.loc[(a != g) & ~(a.isna() & g.isna()), ["n"]].count()
    return {"load": loaded - begun, "seconds": time.perf_counter() - begun}


def datacompy_pandas(folder: Path, _: int) -> dict[str, float]:
    import datacompy

    begun = time.perf_counter()
    app, ghl = pandas_frames(folder)
    loaded = time.perf_counter()
    compare_class = getattr(datacompy, "PandasCompare", None) or datacompy.Compare
    compare_class(app, ghl, join_columns="n").report()
    return {"load": loaded - begun, "seconds": time.perf_counter() - begun}


def datacompy_polars(folder: Path, _: int) -> dict[str, float]:
    import datacompy
    import polars

    begun = time.perf_counter()
    app, ghl = (polars.from_arrow(table) for table in arrow_tables(folder))
    loaded = time.perf_counter()
    datacompy.PolarsCompare(app, ghl, join_columns="n").report()
    return {"load": loaded - begun, "seconds": time.perf_counter() - begun}


PARTS = {
    step.__name__: step
    for step in (make, ours, floor, match, by_hand, datacompy_pandas, datacompy_polars)
}


def measured(part: str, folder: Path, rows: int) -> dict[str, float]:
    """One part in a process of its own, with its peak memory."""
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


def medians(part: str, folder: Path, rows: int, repeat: int) -> dict[str, float]:
    runs = [measured(part, folder, rows) for _ in range(repeat)]
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def compared(own: dict[str, float]) -> float:
    """From staged snapshots and the loaded baseline to the finished plan."""
    return own["link"] + own["diff"] + own["plan"]


def one_size(folder: Path, rows: int, repeat: int) -> tuple[dict[str, float], dict[str, float]]:
    measured("make", folder, rows)
    runs = [
        (measured("ours", folder, rows), measured("floor", folder, rows)) for _ in range(repeat)
    ]
    own = {name: statistics.median(run[0][name] for run in runs) for name in runs[0][0]}
    bare = {name: statistics.median(run[1][name] for run in runs) for name in runs[0][1]}
    print(
        f"{rows:>10,}{own['stage']:>9.2f}{own['ledger']:>9.2f}{own['link']:>8.2f}{own['diff']:>8.2f}{own['plan']:>8.2f}"
        f"{compared(own):>9.2f}{own['peak_mb']:>9.0f}{bare['seconds']:>12.2f}{bare['peak_mb']:>9.0f}",
        flush=True,
    )
    return own, bare


def others(folder: Path, rows: int, own: float) -> dict[str, float | None]:
    """How many times as long the two-way comparisons take."""
    ways = ["by_hand", "datacompy_pandas", "datacompy_polars"]
    there = all(importlib.util.find_spec(name) for name in ("datacompy", "polars", "pyarrow"))
    found: dict[str, float | None] = {}
    for way in ways:
        name = "vs_pandas_by_hand" if way == "by_hand" else f"vs_{way}"
        if way != "by_hand" and not there:
            found[name] = None
            continue
        result = measured(way, folder, rows)
        found[name] = round(result["seconds"] / own, 2)
        print(
            f"{way:<20} {result['seconds']:.2f} s, of which loading {result['load']:.2f} s; {result['peak_mb']:.0f} MB (two-way)",
            flush=True,
        )
    if not there:
        print(
            "datacompy is not installed here: `pip install --group bench .` in an environment of its own"
        )
    return found


def slope(sizes: list[tuple[int, float]]) -> float | None:
    """The least-squares slope of log seconds over log rows."""
    if len(sizes) < 2:
        return None
    points = [(math.log(rows), math.log(seconds)) for rows, seconds in sizes]
    return round(statistics.linear_regression(*zip(*points, strict=True)).slope, 3)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--sizes", default="100000,1000000,5000000", help="for the exponent")
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
    print(
        f"{'rows':>10}{'stage':>9}{'ledger':>9}{'link':>8}{'diff':>8}{'plan':>8}{'compare':>9}{'peak MB':>9}{'bare join':>12}{'peak MB':>9}"
    )
    points: list[tuple[int, float]] = []
    result = {}
    for rows in sorted({chosen.rows, *(int(size) for size in chosen.sizes.split(",") if size)}):
        with tempfile.TemporaryDirectory() as folder:
            own, bare = one_size(Path(folder), rows, chosen.repeat)
            points.append((rows, compared(own)))
            if rows == chosen.rows:
                result = summary(Path(folder), rows, own, bare)
    print(json.dumps(result | {"exponent": slope(points)}))


def summary(
    folder: Path, rows: int, own: dict[str, float], bare: dict[str, float]
) -> dict[str, Any]:
    found = measured("match", folder, rows)
    print(
        f"matching {rows:,} with {rows:,}: {found['match']:.2f} s, normalising alone {found['normalise']:.2f} s, {found['peak_mb']:.0f} MB"
    )
    return {
        "rows": rows,
        "planned": own["planned"],
        "diff_vs_floor": round(compared(own) / bare["seconds"], 3),
        "ledger_load_vs_floor": round(own["ledger"] / bare["seconds"], 3),
        **others(folder, rows, compared(own)),
        "match_vs_normalise": round(found["match"] / found["normalise"], 3),
        "peak_mb": round(own["peak_mb"], 1),
        "seconds": {
            name: round(own[name], 3) for name in ("stage", "ledger", "link", "diff", "plan")
        },
    }


if __name__ == "__main__":
    main()
