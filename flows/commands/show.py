"""How a run is shown on a terminal: the verdict, the figures, what was or would be done, what is asked, where the report lies."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from flows.terminal import Console

if TYPE_CHECKING:
    from flows.outcome.tell import Told

_MOST = 12
"""How many operations and holds are listed; the report has them all."""

_STYLE = {"good": "bold green", "ask": "bold yellow", "bad": "bold red", "plain": "bold"}
_FIGURES = (
    ("creates", "created"),
    ("updates", "updated"),
    ("deletes", "deleted"),
    ("linked", "linked"),
    ("conflicts", "conflicts"),
    ("holds", "held"),
    ("failed", "failed"),
    ("requests", "requests"),
    ("estimate", "estimated"),
    ("residual_operations", "still to do"),
)


def show(told: Told, *, as_json: bool = False, operations: Path | None = None) -> int:
    """Print what a run came to, for people or as one JSON document; returns the exit code, also where nobody takes the words."""
    try:
        _show(told, as_json=as_json, operations=operations)
        sys.stdout.flush()
    except OSError as error:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - what is still to be flushed at the end
        if not isinstance(error, BrokenPipeError):
            where = ", ".join(str(path) for path in told.paths.values())
            print(
                f"what the run came to could not be printed ({error}); see {where}",
                file=sys.stderr,
            )
    return told.exit_code


def _show(told: Told, *, as_json: bool, operations: Path | None) -> None:
    if as_json:
        write_json(told.document)
        return
    console = Console()
    tell_run(console, told.document)
    if operations is not None:
        digest = told.document["provenance"]["plan_digest"]
        console.print(
            f"\nTo carry it out as shown:  ghl-reconcile apply {digest} --pair …",
            highlight=False,
            markup=False,
        )
    tell_paths(console, told.paths)


def write_json(document: Mapping[str, Any]) -> None:
    """A report on the standard output, as it is in report.json."""
    from reconcile.report import texts

    for text in texts(document):
        sys.stdout.write(text)


def tell_run(console: Console, document: Mapping[str, Any]) -> None:
    """The verdict, the figures, and the first of what changed and of what is held."""
    verdict = document["verdict"]
    console.print(Text(verdict["headline"], style=_STYLE[verdict["tone"]]))
    for sentence in verdict["sentences"]:
        console.print(Text(sentence))
    console.print(figures(document["entities"]))
    changes(console, document["changes"])
    held(console, document["holds"])


def figures(entities: Mapping[str, Mapping[str, Any]]) -> Table:
    """The figures by entity; columns that are nought throughout are left out."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("")
    used = [
        (name, head) for name, head in _FIGURES if any(row.get(name) for row in entities.values())
    ]
    for _, head in used:
        table.add_column(head, justify="right")
    for entity, row in entities.items():
        table.add_row(f"{entity}s", *(_number(row.get(name)) for name, _ in used))
    return table


def _number(value: object) -> str:
    if value is None:
        return "–"  # noqa: RUF001 - a dash, as people set one
    return f"{value:,}" if value else "·"


def changes(console: Console, entries: Iterable[Mapping[str, Any]]) -> None:
    """The first operations, a line each: what, whose, from what to what, and why."""
    written = (entry for entry in entries if entry["kind"] not in ("adopt", "forget"))
    for entry in islice(written, _MOST):
        line = Text("  ")
        line.append(f"{entry['kind'].replace('_', ' ')} ", style="cyan")
        line.append(f"{entry['entity']} ")
        line.append(str(entry["label"]), style="bold")
        line.append(f" in {'the app' if entry['side'] == 'app' else 'GHL'}", style="dim")
        line.append(f"  {entry['because']}", style="dim")
        if entry["status"] not in ("done", "planned"):
            line.append(f"  [{entry['status']}] {entry['detail']}", style="red")
        console.print(line, overflow="ellipsis", no_wrap=True)
    if more := sum(1 for _ in written):
        console.print(Text(f"  … and {more:,} more in the report", style="dim"))


def held(console: Console, holds: Iterable[Mapping[str, Any]]) -> None:
    """The first questions for a person."""
    listed = list(holds)
    for hold in listed[:_MOST]:
        line = Text("  ")
        line.append(f"{hold['kind']} ", style="yellow")
        line.append(str(hold.get("label") or hold["subject"]), style="bold")
        line.append(f" {hold['field']}" if hold["field"] else "")
        line.append(f"  {hold['because']}", style="dim")
        console.print(line, overflow="ellipsis", no_wrap=True)
    if len(listed) > _MOST:
        console.print(Text(f"  … and {len(listed) - _MOST:,} more in the report", style="dim"))


def tell_paths(console: Console, paths: Mapping[str, Path]) -> None:
    """Where the report lies."""
    if "html" in paths:
        console.print(f"\nReport: {paths['html']}", highlight=False, markup=False, soft_wrap=True)
