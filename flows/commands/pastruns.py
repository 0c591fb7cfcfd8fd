"""The list of past runs.

When each began and how long it took, what it planned, what was done of it, what is asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from flows.clock import took
from flows.terminal import Console

if TYPE_CHECKING:
    from reconcile.ledger.runs import RunRow

_HEADS = ("run", "started", "took", "job", "state", "writes planned", "done", "failed", "questions")
_NUMBERS = frozenset(_HEADS[5:]) | {"took"}
_NONE = "–"  # noqa: RUF001 - a dash, as people set one


def listed(rows: Sequence[RunRow]) -> list[dict[str, Any]]:
    """The runs for machines: what the ledger keeps of each, with `totals` and `seconds`."""
    return [
        {
            "run_id": row.run_id,
            "job": row.job,
            "state": row.state,
            "started_at": row.started_at,
            "ended_at": row.ended_at,
            **row.summary,
            "seconds": _seconds(row),
        }
        for row in rows
    ]


def show(console: Console, rows: Sequence[RunRow]) -> None:
    """A table where the terminal is wide enough, else two lines a run; ids and states are whole."""
    table = _table(rows)
    # Measured without a bound: within the console's width every table fits, folded.
    unbound = console.options.update(max_width=1_000)
    if console.measure(table, options=unbound).maximum <= console.width:
        console.print(table)
        return
    for row in rows:
        name, started, lasted, _, state, planned, done, failed, questions = _cells(row)
        head = Text(name, style="bold")
        head.append(f"  {state}, {started}, {lasted}", style="not bold")
        console.print(head)
        line = f"writes planned {planned}  done {done}  failed {failed}  questions {questions}"
        if _approvals(row):
            line += f"  approved by {_approvers(row)}"
        kinds = _kinds(row)
        if kinds:
            line += f"  ({kinds})"
        console.print(Padding(Text(line, style="dim"), (0, 0, 0, 2)))


def _table(rows: Sequence[RunRow]) -> Table:
    """A line a run; who approved it is the last column, where anybody did."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    heads = [*_HEADS, "approved by"] if any(map(_approvals, rows)) else _HEADS
    for head in heads:
        table.add_column(head, justify="right" if head in _NUMBERS else "left", no_wrap=True)
    for row in rows:
        cells = [*_cells(row), _approvers(row)]
        table.add_row(*map(Text, cells[: len(heads)]))
    return table


def _cells(row: RunRow) -> tuple[str, ...]:
    started = datetime.fromisoformat(row.started_at)
    seconds = _seconds(row)
    lasted = _NONE if seconds is None else took(seconds)
    head = (row.run_id, f"{started:%Y-%m-%d %H:%M}", lasted, row.job, row.state)
    totals = _totals(row)
    if totals is None:
        return (*head, _NONE, _NONE, _NONE, _NONE)
    planned = totals["planned"]["writes"]
    done = totals["done"]["writes"]
    failed = totals["failed"]
    questions = totals["questions"]
    return (*head, f"{planned:,}", f"{done:,}", f"{failed:,}", f"{questions:,}")


def _approvals(row: RunRow) -> Sequence[Mapping[str, Any]]:
    """What people approved of the run; a version that kept none says nothing."""
    given: Sequence[Mapping[str, Any]] = row.summary.get("approvals", ())
    return given


def _approvers(row: RunRow) -> str:
    """The people behind them, each once."""
    names = (each["by"] or "somebody who gave no name" for each in _approvals(row))
    return ", ".join(dict.fromkeys(names))


def _kinds(row: RunRow) -> str:
    """What was done, by kind: 7 created, 8 updated, tags added to 3 contacts."""
    totals = _totals(row)
    done: Mapping[str, int] = totals["done"] if totals else {}
    names = {
        "creates": "{} created",
        "updates": "{} updated",
        "deletes": "{} deleted",
        "tags_added": "tags added to {}",
        "tags_removed": "tags removed from {}",
    }
    return ", ".join(
        words.format(f"{done[name]:,}") for name, words in names.items() if done.get(name)
    )


def _totals(row: RunRow) -> dict[str, Any] | None:
    """The run's totals.

    None of one that came to no plan, is still going on, or is of a version that kept none.
    """
    return row.summary.get("totals")


def _seconds(row: RunRow) -> float | None:
    if row.ended_at is None:
        return None
    took = datetime.fromisoformat(row.ended_at) - datetime.fromisoformat(row.started_at)
    return round(took.total_seconds(), 1)
