"""Settling a first run's links with their baselines, beside inserting the very same rows with nothing else.

    python benchmarks/settle.py [--links 1000000] [--repeat 1]

Two sides without a link between them are staged, matched, compared and planned; then the settlement is timed, and after
it the bare insert of the same rows (read from a table, in one transaction) into a ledger of its own. The last line is
one JSON object.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.diff import write_plan  # noqa: E402 - the path comes first
from benchmarks.seed import open_ledger  # noqa: E402
from benchmarks.world import TAKEN_AT, World, mapping  # noqa: E402
from reconcile import pipeline  # noqa: E402
from reconcile.apply import settle  # noqa: E402
from reconcile.ledger import schema  # noqa: E402
from reconcile.ledger.ledger import Ledger, PairState  # noqa: E402
from reconcile.link.link import load_base, load_graves  # noqa: E402
from reconcile.model import Entity, Side  # noqa: E402
from reconcile.stage.stage import Stage  # noqa: E402

NAMES = [column.name for column in schema.link.columns if column.name != "pair"]


def settled(stage: Stage, ledger: Ledger, plan: Path) -> float:
    """Seconds of the settlement."""
    begun = time.perf_counter()
    with ledger.transaction() as connection:
        settle.load_planned_links(stage, plan)
        settle.settle_planned_links(stage, ledger, connection, run_id="bench", at=TAKEN_AT)
        settle.advance_from_snapshots(
            stage, ledger, connection, mapping()[Entity.CONTACT], run_id="bench"
        )
        ledger.advance(
            connection,
            PairState(1, None, None, mapping().digest, stage.digest_kind, mapping().codecs),
        )
    return time.perf_counter() - begun


def inserted(stage: Stage, ledger: Ledger) -> float:
    """Seconds of the insert alone."""
    begun = time.perf_counter()
    with ledger.transaction() as connection:
        ledger.insert_links(connection, NAMES, stage.stream(f"SELECT {', '.join(NAMES)} FROM same"))
    return time.perf_counter() - begun


def remembered(stage: Stage, ledger: Ledger) -> int:
    """Create `same`, the rows that the ledger now holds. Returns how many."""
    types = [
        (name, "BIGINT" if "digest" in name or "absent" in name else "VARCHAR") for name in NAMES
    ]
    stage.fill("same", types, ledger.links(Entity.CONTACT, NAMES))
    return stage.count("SELECT count(*) FROM same")


def once(folder: Path, links: int) -> tuple[float, float]:
    world, plan = World(folder / "world", links), folder / "plan.jsonl"
    world.make()
    ledger, bare = open_ledger(folder / "ours"), open_ledger(folder / "bare")
    with Stage(folder / "run", memory_limit="512MB", beside=[folder]) as stage:
        for side in Side:
            world.stage(stage, side, f"base_{side}")
        load_base(stage, ledger, Entity.CONTACT)
        load_graves(stage, ledger, since="2026")
        pipeline.link(stage, ledger, mapping())
        pipeline.diff(stage, mapping())
        write_plan(stage, plan)
        taken = settled(stage, ledger, plan)
        assert remembered(stage, ledger) == links
        alone = inserted(stage, bare)
    ledger.close()
    bare.close()
    return taken, alone


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--links", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=1)
    chosen = parser.parse_args()
    runs = []
    for _ in range(chosen.repeat):
        with tempfile.TemporaryDirectory() as folder:
            runs.append(once(Path(folder), chosen.links))
    seconds, bare = (statistics.median(run[part] for run in runs) for part in (0, 1))
    ratio = statistics.median(taken / alone for taken, alone in runs)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{chosen.links:,} links settled in {seconds:.2f} s; the same rows inserted and nothing else: {bare:.2f} s"
    )
    print(
        json.dumps(
            {
                "links": chosen.links,
                "seconds": round(seconds, 2),
                "vs_bare_insert": round(ratio, 3),
                "peak_mb": round(peak),
            }
        )
    )


if __name__ == "__main__":
    main()
