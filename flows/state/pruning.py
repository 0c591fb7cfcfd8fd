"""Clears away what old runs left on disk.

Its rule never touches what somebody may still need.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from flows.clock import moment
from reconcile.ledger import runs
from reconcile.ledger.ledger import Ledger
from reconcile.ledger.runs import RunRow
from reconcile.stage.archive import MANIFEST

_FINAL = ("settled", "recovered", "stopped")
"""States of a run that is settled and archived.

Its stage holds nothing that its archive does not.
"""

_UNFINISHED = ("running", "applying")


@dataclass(frozen=True, slots=True)
class Keep:
    """What to keep: this many of the newest runs, and all that began in the last so many days."""

    runs: int
    days: int


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was, or would be, removed.

    Whole folders of runs, stages of runs whose archive stays, and how many bytes.
    """

    runs: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    bytes: int = 0


def expendable(
    rows: Sequence[RunRow], keep: Keep, *, now: str, with_questions: Collection[str]
) -> list[str]:
    """The runs (newest first, as `runs.runs` lists them) whose files no rule keeps.

    Kept are the newest and the young ones; the newest settled run, which undo and explain start
    from; runs in `with_questions`, the open ones; and runs that are not finished, for recovery.
    """
    since = moment(datetime.fromisoformat(now) - timedelta(days=keep.days))
    newest = next((row.run_id for row in rows if row.state == "settled"), None)
    safe = {newest, *with_questions, *(row.run_id for row in rows[: keep.runs])}
    return [
        row.run_id
        for row in rows
        if row.run_id not in safe and row.started_at < since and row.state not in _UNFINISHED
    ]


def prune(
    ledger: Ledger, folder: Path, keep: Keep, *, now: str, really: bool, away: Collection[str] = ()
) -> Pruned:
    """Remove the files of expendable runs under `folder`, and the stages of settled ones at once.

    It only looks, unless `really`.

    Runs in `away` have files elsewhere: they are named among the removed, for the caller to remove
    those.

    The ledger keeps its rows: history and explain go on telling what was done. What has no archive
    keeps its stage.
    """
    rows = runs.runs(ledger, limit=1_000_000)
    spare = expendable(rows, keep, now=now, with_questions=_asked(ledger))
    gone = [name for name in spare if (folder / name).is_dir() or name in away]
    stages = [
        row.run_id
        for row in rows
        if row.run_id not in gone
        and row.state in _FINAL
        and (folder / row.run_id / MANIFEST).exists()
        and (folder / row.run_id / "stage.duckdb").exists()
    ]
    doomed = [folder / name for name in gone if (folder / name).is_dir()] + [
        path for name in stages for path in _stage_files(folder / name)
    ]
    freed = sum(_size(path) for path in doomed)
    for path in doomed if really else ():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return Pruned(tuple(gone), tuple(stages), freed)


def _asked(ledger: Ledger) -> set[str]:
    return {str(name) for row in ledger.holds() for name in (row.first_run, row.last_run)}


def _stage_files(folder: Path) -> list[Path]:
    return [
        path
        for name in ("stage.duckdb", "stage.duckdb.wal", "spill")
        if (path := folder / name).exists()
    ]


def _size(path: Path) -> int:
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    return sum(each.stat().st_size for each in files)
