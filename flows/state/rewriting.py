"""Tells the files of one run again without a person: tables, plan, report and what lies beside."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from reconcile.report import kept, write_document
from reconcile.stage.erasing import Tables
from reconcile.values.jsonl import line
from reconcile.values.person import Person, Wiped


@dataclass(slots=True)
class Found:
    """What was, or would be, changed: rows by table, and files by what became of them."""

    ledger: dict[str, int] = field(default_factory=dict)
    runs: list[str] = field(default_factory=list)
    tables: int = 0
    rows: int = 0
    told: int = 0
    documents: int = 0
    removed: list[str] = field(default_factory=list)
    plans: int = 0
    backups: dict[str, int] = field(default_factory=dict)
    unopened: list[str] = field(default_factory=list)
    mentioned: list[str] = field(default_factory=list)
    tombstones: int = 0


def told_without(folder: Path, person: Person, tally: Found, *, really: bool) -> None:
    """Go through the files of one run, and note in `tally` what was, or would be, done."""
    with Tables(folder) as tables:
        cut = tables.cut(person, really=really)
    documents = _documents(folder, person, really=really)
    gone = [*_stages(folder)] if cut.files or documents else []
    rest = _rest(folder, person, handled={*cut.files, *documents})
    gone += rest
    tally.rows += cut.gone
    tally.told += cut.rewritten
    tally.tables += len(cut.files)
    tally.documents += len(documents)
    tally.removed += [f"{folder.name}/{path.name}" for path in gone]
    if cut.files or documents or gone:
        tally.runs.append(folder.name)
    if really:
        for path in gone:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _stages(folder: Path) -> Iterator[Path]:
    """What a run worked in: its tables hold everybody, and an archive is left of them."""
    return (path for path in sorted(folder.glob("s*")) if path.name in _STAGE)


_STAGE = ("stage.duckdb", "stage.duckdb.wal", "spill")

_LINES = ("plan.jsonl",)
_WHOLE = ("undo.json", "archive.json", "cutover.json")
_SHOWN = ("report.md", "report.html", "report.xlsx")


def _documents(folder: Path, person: Person, *, really: bool) -> list[str]:
    """Tell the run's documents again without them; returns those that named them."""
    files = [name for name in _LINES if _tell_lines(folder / name, person, really=really)]
    files += [name for name in _WHOLE if _tell_whole(folder / name, person, really=really)]
    if _tell_report(folder, person, really=really):
        files += ["report.json", *_SHOWN]
    return files


def _tell_lines(path: Path, person: Person, *, really: bool) -> bool:
    if not path.exists():
        return False
    wiped = Wiped(person)
    partial = path.with_name(f"{path.name}.partial")
    with path.open(encoding="utf-8") as lines, partial.open("w", encoding="utf-8") as out:
        for text in lines:
            before, members = wiped.changed, json.loads(text)
            members = wiped.document(members)
            changed = wiped.changed > before
            out.write(line(members) + "\n" if changed else text)
    if really and wiped.changed:
        partial.replace(path)
    partial.unlink(missing_ok=True)
    return bool(wiped.changed)


def _tell_whole(path: Path, person: Person, *, really: bool) -> bool:
    if not path.exists():
        return False
    wiped = Wiped(person)
    document = wiped.document(json.loads(path.read_text(encoding="utf-8")))
    if really and wiped.changed:
        partial = path.with_name(f"{path.name}.partial")
        partial.write_text(line(document) + "\n", encoding="utf-8")
        partial.replace(path)
    return bool(wiped.changed)


def _tell_report(folder: Path, person: Person, *, really: bool) -> bool:
    """Make the report anew from its document, told without them."""
    path = folder / "report.json"
    try:
        whole = kept.read(path)
    except (OSError, msgspec.MsgspecError):
        return False
    wiped = Wiped(person)
    document = {name: _told(wiped, name, value) for name, value in whole.items()}
    if really and wiped.changed:
        # report.json comes first, and these are made of it: a kill in between leaves none that
        # names them.
        for name in _SHOWN:
            (folder / name).unlink(missing_ok=True)
        write_document(document, folder)
    return bool(wiped.changed)


def _told(wiped: Wiped, name: str, value: Any) -> Any:
    if name == "changes" and isinstance(value, kept.Changes):
        return _changes(wiped, value)
    if name == "interrupted":
        return [{**run, "changes": _changes(wiped, run["changes"])} for run in value]
    return wiped.document({name: value})[name]


def _changes(wiped: Wiped, changes: Any) -> Any:
    """The changes, each told without them; gone through once to count those."""
    for change in changes:
        wiped.document(change)
    if isinstance(changes, kept.Changes):
        return changes.changed(Wiped(wiped.person).document)
    return [wiped.document(change) for change in changes]


def _rest(folder: Path, person: Person, *, handled: set[str]) -> list[Path]:
    """Other files of a run that name them: they are removed whole."""
    known = {*handled, *_LINES, *_WHOLE, *_SHOWN, "report.json", *_STAGE}
    pattern = person.pattern()
    return [
        path
        for path in sorted(folder.glob("*"))
        if path.is_file()
        and path.name not in known
        and path.suffix != ".parquet"
        and names(path, pattern)
    ]


def names(path: Path, pattern: re.Pattern[str]) -> bool:
    """Whether a file has a text that the pattern finds."""
    return pattern.search(path.read_text(encoding="utf-8", errors="replace")) is not None
