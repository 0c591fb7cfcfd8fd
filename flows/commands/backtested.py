"""What a backtest came to, on a terminal and for machines."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from rich.table import Table
from rich.text import Text

from flows.config import Pair
from flows.terminal import Console
from reconcile.undo.backtest import Difference

_MOST = 8


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
            yield (
                f"  {sign} {row['kind']} {row['entity']} {row['key']} in {row['side']}: "
                f"{values or row['because']}"
            )
        if len(told[name]) > _MOST:
            rest = Counter(row["kind"] for row in told[name][_MOST:])
            yield (
                f"    … and {', '.join(f'{count} {kind}' for kind, count in sorted(rest.items()))} "
                "more"
            )
    for sign, name in (("+", "holds_gained"), ("-", "holds_lost")):
        for row in told[name][:_MOST]:
            yield (
                f"  {sign} hold {row['kind']} {row['entity']} {row['key']} "
                f"{row['field'] or ''}: {row['because']}"
            )
    for breach in told["refused"]:
        yield f"  ! would be refused: {breach['what']}"
