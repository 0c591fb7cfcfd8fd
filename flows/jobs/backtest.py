"""Tries a changed pair file on what the last runs saw: no request, no write, no lease, and nothing of it is kept."""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from flows.config import Pair
from flows.state.imprints import trusted
from flows.state.stores import runs_folder
from flows.terminal import Console
from reconcile.errors import StateError
from reconcile.ledger import runs
from reconcile.ledger.ledger import Ledger
from reconcile.plan.limits import Limits
from reconcile.stage.archive import MANIFEST, Archived
from reconcile.stage.stage import Stage
from reconcile.undo.backtest import Difference, backtest

WHOLE = ("nightly", "plan", "audit", "migrate")
"""Jobs whose runs read both sides whole."""

_MOST = 8


def backtests(pair: Pair, ledger: Ledger, count: int) -> Iterator[Difference]:
    """How the plans of the last `count` archived runs would have differed, newest first. Raises StateError where there is none."""
    found = 0
    for row in runs.runs(ledger, limit=10_000):
        if row.job not in WHOLE:
            continue
        folder = trusted(pair, ledger, runs_folder(pair) / row.run_id)
        if not (folder / MANIFEST).exists() or not (folder / "planned.parquet").exists():
            continue
        yield _one(pair, row.run_id, folder)
        found += 1
        if found == count:
            return
    if not found:
        raise StateError(
            "no earlier run left an archive to try the pair file on",
            remedy="make a plan or a run first",
            code="NO_ARCHIVE",
        )


def _one(pair: Pair, run_id: str, folder: Path) -> Difference:
    with (
        tempfile.TemporaryDirectory(prefix="backtest-") as scratch,
        Archived(folder) as archived,
        Stage(Path(scratch), beside=[folder]) as stage,
    ):
        mapping = pair.located(archived.manifest.get("region"))
        return backtest(archived, mapping, stage, limits=Limits(**pair.limits), run_id=run_id)


def as_document(pair: Pair, found: Iterator[Difference]) -> dict[str, Any]:
    """The differences for machines."""
    told = [{**asdict(each), "same": each.same} for each in found]
    return {"pair": pair.name, "config_digest": pair.config_digest, "runs": told}


def show(pair: Pair, found: Iterator[Difference], *, as_json: bool) -> int:
    """Print the differences; 1 where a plan would have been another one."""
    document = as_document(pair, found)
    if as_json:
        json.dump(document, sys.stdout, ensure_ascii=False, indent=1, default=str)
        sys.stdout.write("\n")
    else:
        _tell(Console(), document["runs"])
    return int(any(not each["same"] for each in document["runs"]))


def _tell(console: Console, told: list[dict[str, Any]]) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for head in ("run", "planned then", "now", "+", "-", "~", "held then", "now", "+", "-"):
        table.add_column(head, justify="left" if head == "run" else "right", no_wrap=head == "run")
    for each in told:
        lists = ("gained", "lost", "changed")
        counts = [
            each["operations_then"],
            each["operations_now"],
            *(len(each[name]) for name in lists),
        ]
        holds = [
            each["holds_then"],
            each["holds_now"],
            len(each["holds_gained"]),
            len(each["holds_lost"]),
        ]
        table.add_row(each["run_id"], *(f"{number:,}" for number in [*counts, *holds]))
    console.print(table)
    for each in told:
        for line in _lines(each):
            console.print(Text(line), overflow="ellipsis", no_wrap=True)
    for caveat in dict.fromkeys(caveat for each in told for caveat in each["caveats"]):
        console.print(Text(f"Note: {caveat}", style="dim"))


def _lines(told: Mapping[str, Any]) -> Iterator[str]:
    """The first examples of one run's differences, and the limits that it would have met."""
    if not told["same"]:
        yield f"\n{told['run_id']}:"
    for sign, name in (("+", "gained"), ("-", "lost"), ("~", "changed")):
        for row in told[name][:_MOST]:
            values = ", ".join(f"{key} → {value}" for key, value in row["after"].items())
            yield f"  {sign} {row['kind']} {row['entity']} {row['key']} in {row['side']}: {values or row['because']}"
        if len(told[name]) > _MOST:
            rest = Counter(row["kind"] for row in told[name][_MOST:])
            yield f"    … and {', '.join(f'{count} {kind}' for kind, count in sorted(rest.items()))} more"
    for sign, name in (("+", "holds_gained"), ("-", "holds_lost")):
        for row in told[name][:_MOST]:
            yield f"  {sign} hold {row['kind']} {row['entity']} {row['key']} {row['field'] or ''}: {row['because']}"
    for breach in told["refused"]:
        yield f"  ! would be refused: {breach['what']}"
