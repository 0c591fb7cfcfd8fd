"""review, history, report and explain: the commands that look at what the ledger and the archive hold."""

from __future__ import annotations

import getpass
import json as jsons
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from flows.commands.running import Json, PairFile
from flows.config import Pair, load
from flows.run import now, runs_folder
from reconcile import runs
from reconcile.errors import StateError
from reconcile.ledger import Decision, Ledger


@contextmanager
def _ledger(pair: Path) -> Iterator[tuple[Pair, Ledger]]:
    loaded = load(pair)
    ledger = Ledger(loaded.ledger_url.get_secret_value(), loaded.name)
    try:
        yield loaded, ledger
    finally:
        ledger.close()


def history(*, pair: PairFile, json: Json = False, limit: int = 20) -> int:
    """List past runs, newest first."""
    with _ledger(pair) as (_, ledger):
        rows = runs.runs(ledger, limit=limit)
    if json:
        listed = [
            {"run_id": r.run_id, "job": r.job, "state": r.state, "started_at": r.started_at, **r.summary} for r in rows
        ]
        jsons.dump(listed, sys.stdout, indent=1)
        print()
        return 0
    table = Table(box=None, header_style="dim")
    for head in ("run", "state", "started", "created", "updated", "deleted", "held", "failed"):
        table.add_column(head, justify="left" if head in ("run", "state", "started") else "right")
    for row in rows:
        entities = row.summary.get("entities", {}).values()
        sums = [
            str(sum(entity[name] for entity in entities))
            for name in ("creates", "updates", "deletes", "holds", "failed")
        ]
        table.add_row(row.run_id, row.state, row.started_at, *(sums if row.summary else ["–"] * 5))  # noqa: RUF001
    Console().print(table)
    return 0


def report(
    run_id: Annotated[str | None, Parameter(help="default: the newest")] = None,
    /,
    *,
    pair: PairFile,
    json: Json = False,
) -> int:
    """Show a run's report again."""
    with _ledger(pair) as (loaded, ledger):
        row = runs.find(ledger, run_id=run_id)
    folder = runs_folder(loaded) / row.run_id if row else None
    if folder is None or not (folder / "report.json").exists():
        raise StateError(
            f"there is no report of run {run_id or '(any)'}", remedy="list runs with `history`", code="NO_RUN"
        )
    document = jsons.loads((folder / "report.json").read_text(encoding="utf-8"))
    if json:
        jsons.dump(document, sys.stdout, ensure_ascii=False, indent=1)
        print()
        return 0
    from flows.commands.show import tell_paths, tell_run

    console = Console()
    tell_run(console, document)
    tell_paths(console, {"html": folder / "report.html"})
    return 0


def review(
    hold_id: Annotated[str | None, Parameter(help="the question to answer; without it, all are listed")] = None,
    choice: Annotated[str | None, Parameter(help="one of its options")] = None,
    /,
    *,
    pair: PairFile,
    reason: Annotated[str, Parameter(help="why, for whoever asks later")] = "",
    by: Annotated[str | None, Parameter(help="who decides; default: you")] = None,
    from_file: Annotated[
        Path | None, Parameter(help="a report's spreadsheet with its decision column filled in")
    ] = None,
    json: Json = False,
) -> int:
    """List what is held for a person, oldest first; or answer one. The next run applies the answer."""
    who = by or getpass.getuser()
    with _ledger(pair) as (_, ledger):
        if from_file is not None:
            from reconcile.report.sheet import decisions_from

            for each_id, each_choice, each_reason in decisions_from(from_file):
                _decide(ledger, each_id, each_choice, each_reason, who)
        elif hold_id is not None:
            if choice is None:
                raise StateError("an answer is needed", remedy="write `review HOLD_ID CHOICE`", code="NO_CHOICE")
            _decide(ledger, hold_id, choice, reason, who)
        rows = ledger.holds()
    listed = [{**jsons.loads(row.body), "first_seen": row.first_seen, "decision": row.decision} for row in rows]
    if json:
        jsons.dump(listed, sys.stdout, ensure_ascii=False, indent=1)
        print()
    else:
        _list(listed)
    return int(any(row["decision"] is None for row in listed))


def _decide(ledger: Ledger, hold_id: str, choice: str, reason: str, by: str) -> None:
    row = next((row for row in ledger.holds(only_open=False) if row.hold_id == hold_id), None)
    options = jsons.loads(row.body).get("options", []) if row else []
    if row is None or choice not in options:
        known = ", ".join(options) or "none"
        raise StateError(
            f"{choice!r} is no answer to hold {hold_id}" if row else f"there is no hold {hold_id}",
            remedy=f"its options are: {known}" if row else "list them with `review`",
            code="NO_CHOICE" if row else "NO_HOLD",
        )
    ledger.decide(Decision(hold_id, choice, row.values_digest, by, now(), reason))


def _list(listed: list[dict[str, Any]]) -> None:
    table = Table(box=None, header_style="dim")
    for head in ("hold", "since", "what", "question", "options", "decided"):
        table.add_column(head, overflow="fold")
    for row in listed:
        what = f"{row['kind']} {row['entity']} {row.get('app_key') or ''} {row.get('ghl_key') or ''} {row.get('field') or ''}"
        table.add_row(
            row["hold_id"],
            row["first_seen"][:10],
            what,
            row["because"],
            ", ".join(row.get("options", [])),
            row["decision"] or "",
        )
    Console().print(table)


def explain(
    entity: Annotated[str, Parameter(help="contact, task or note")],
    key: Annotated[str, Parameter(help="its key on either side")],
    field: Annotated[str | None, Parameter(help="one field alone")] = None,
    /,
    *,
    pair: PairFile,
    json: Json = False,
) -> int:
    """Say why a record or a value is what it is: every write to it, by which run, why, and what each side last showed."""
    from flows.explaining import explanation

    with _ledger(pair) as (_, ledger):
        told = explanation(ledger, entity, key, field)
    if json:
        jsons.dump(told, sys.stdout, ensure_ascii=False, indent=1)
        print()
        return 0
    console = Console()
    for line in told["lines"]:
        console.print(line, highlight=False)
    return 0
