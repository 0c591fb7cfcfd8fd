"""The catalogue of the stage: which tables a run makes in DuckDB, of what, by whom, and who reads them; recorded in a real run."""

from __future__ import annotations

import re
import sys
import threading
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
_STAGE = ROOT / "reconcile" / "stage" / "stage.py"

_ENTITIES, _SIDES = ("contact", "task", "note"), ("app", "ghl")
_MADE = re.compile(
    r"CREATE (?:OR REPLACE )?(?:TABLE|VIEW) (?:IF NOT EXISTS )?(?:stage\.|work\.)?\"?(\w+)\"?"
)
_FILLED = re.compile(r"INSERT INTO (?:stage\.)?(\w+)|UPDATE (?:stage\.)?(\w+)\s")
_COMMENT = re.compile(r"(?m)(?:^|\s)-- .*")
_TEXT = re.compile(r"'(?:[^']|'')*'")
"""A literal: a semicolon in it ends no statement, and a word in it names no table."""

_SAYS = re.compile(r"-- (?P<table>[\w{}]+): (?P<words>.+(?:\n-- .+)*)")
_WORD = re.compile(r"\w+")
_OWN = ("load", "load_beside", "blur", "refresh", "set_aside", "_prove", "_remember", "_remembered")
"""What the stage makes itself; else it carries out what another module asks for."""

_METHODS = ("run", "rows", "one", "stream", "_fetched", "fill", "read_lines")


@dataclass(slots=True)
class Table:
    """One table, or those of one name for each entity and side."""

    name: str
    columns: list[str] = field(default_factory=list)
    makers: set[str] = field(default_factory=set)
    sources: set[str] = field(default_factory=set)
    readers: set[str] = field(default_factory=set)


def stem(table: str) -> str:
    """The table's name with `{e}` for its entity and `{s}` for its side."""
    words = ["{e}" if word in _ENTITIES else word for word in table.split("_")]
    if words[-1] in _SIDES and len(words) > 1:
        words[-1] = "{s}"
    if words[-1].isdigit():
        words[-1] = "{n}"
    return "_".join(words)


_MAIN = (
    "raw_{e}_{s}",
    "base_{e}",
    "moved_{e}",
    "unlinked_{e}_{s}",
    "cell_{e}_{s}",
    "found_{e}",
    "unsure_{e}",
    "wide_{e}",
    "delta_{e}",
    "decision",
    "judged_{e}",
    "absence_{e}",
    "orphan_{s}",
    "operation",
    "hold",
    "outcome",
    "fate",
    "row_{e}_{s}",
    "value_{e}",
)
"""The tables of the picture, in the order of a run."""

_PRODUCT = ("reconcile/", "flows/")

_HEAD = """\
# The stage, table by table

A run works in DuckDB. What was read lies in `stage.duckdb` in the run's folder; what is concluded from it lies in memory. Each
name below is a table, or one for each entity `{e}` (contact, task, note) and side `{s}` (app, ghl). The page is made from what
two nights in a small world really did: which module made a table, from which others, and who read it.

"""


class Recorder:
    """Listens to a stage while a run goes on."""

    def __init__(self) -> None:
        self.tables: dict[str, Table] = {}
        self.statements: list[tuple[str, str]] = []
        self._lock = threading.Lock()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """While it lasts, every statement of every stage is recorded, with the module that sends it."""
        from reconcile.stage.stage import Stage

        def in_turn(stage: Any, *steps: Callable[[Any], object]) -> None:
            for step in steps:  # side by side, what one sees of another would be chance
                step(stage)

        with ExitStack() as patches:
            patches.enter_context(patch.object(Stage, "together", in_turn))
            for name in _METHODS:
                patches.enter_context(
                    patch.object(Stage, name, self._heard(getattr(Stage, name), name))
                )
            yield

    def _heard(self, method: Callable[..., Any], name: str) -> Callable[..., Any]:
        def heard(stage: Any, first: Any, *rest: Any, **named: Any) -> Any:
            result = method(stage, first, *rest, **named)
            statement = f"CREATE TABLE {first}" if name in ("fill", "read_lines") else first
            if self._note(_sender(), statement):
                self._describe(stage)
            return result

        return heard

    def _note(self, sender: str, sql: str) -> bool:
        """Remember the statements; whether they make a table."""
        makes = False
        with self._lock:
            for statement in _TEXT.sub("''", _COMMENT.sub("", sql)).split(";"):
                self.statements.append((sender, statement))
                if made := _MADE.search(statement):
                    table = self.tables.setdefault(stem(made[1]), Table(stem(made[1])))
                    table.makers.add(sender)
                    makes = True
        return makes

    def _describe(self, stage: Any) -> None:
        """Note the columns of tables that are new; those of a table that is dropped again would be lost later."""
        missing = [table for table in self.tables.values() if not table.columns]
        if not missing:
            return
        listed = stage.sql.execute(
            "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal ORDER BY table_oid, column_index"
        )
        columns: dict[str, dict[str, str]] = defaultdict(dict)
        for name, column, kind in listed.fetchall():
            columns[stem(name)].setdefault(column, kind)
        with self._lock:
            for table in missing:
                table.columns = list(columns.get(table.name, {}))

    def finish(self) -> None:
        """Read from the statements which tables each is made from and who reads it."""
        for sender, statement in self.statements:
            words = {stem(word) for word in _WORD.findall(statement)} & self.tables.keys()
            target = _target(statement)
            for name in words - {target}:
                self.tables[name].readers.add(sender)
                if target is not None:
                    self.tables[target].sources.add(name)


def _target(statement: str) -> str | None:
    """The table that a statement makes or fills."""
    if made := _MADE.search(statement):
        return stem(made[1])
    if filled := _FILLED.search(statement):
        return stem(next(name for name in filled.groups() if name))
    return None


def _sender() -> str:
    """The module of the product that asked the stage for something."""
    frame = sys._getframe(2)
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path == _STAGE and frame.f_code.co_name in _OWN:
            break
        if path.is_relative_to(ROOT) and path not in (_STAGE, Path(__file__)):
            return path.relative_to(ROOT).as_posix()
        frame = frame.f_back  # type: ignore[assignment]
    return _STAGE.relative_to(ROOT).as_posix()


def record() -> Mapping[str, Table]:
    """The tables of two nights in a small world in which nearly everything happens, the report included."""
    from reconcile.report.document import document
    from tests.builders_world import busy_world, seen

    recorder = Recorder()
    with recorder.listening(), busy_world(notes_budget=1) as world:
        for _ in range(2):
            with seen(world) as night:
                document(night.stage, world.mapping, night.about)
    recorder.finish()
    for table in recorder.tables.values():
        table.makers = {each for each in table.makers if each.startswith(_PRODUCT)}
        table.readers = {each for each in table.readers if each.startswith(_PRODUCT)}
    return recorder.tables


def explained() -> dict[str, dict[str, str]]:
    """What one row of each table is, part by part of a run: docs/stage.toml has the order, and the words where no model has."""
    listed = tomllib.loads((DOCS / "stage.toml").read_text(encoding="utf-8"))
    heads = dict(_heads())
    return {
        part: {name: words or heads[name] for name, words in rows.items()}
        for part, rows in listed.items()
    }


def _heads() -> Iterator[tuple[str, str]]:
    """(table, what one row of it is) as the models' heads say it; those of `undo` make the tables of another run."""
    for path in sorted(ROOT.glob("reconcile/*/models/*.sql")):
        first = _SAYS.match(path.read_text(encoding="utf-8"))
        if first is not None and path.parts[-3] != "undo":
            yield first["table"], " ".join(first["words"].split("\n-- "))


def page(note: str) -> str:
    """The catalogue as a page; `note` is how a generated page begins."""
    tables, parts_of_a_run = record(), explained()
    named = {name for rows in parts_of_a_run.values() for name in rows}
    if different := sorted(named ^ tables.keys()):
        raise ValueError(f"docs/stage.toml and a run do not have the same tables: {different}")
    parts = [note, _HEAD, _picture(tables)]
    for title, rows in parts_of_a_run.items():
        parts.append(f"\n## {title.capitalize()}\n")
        for name, row in rows.items():
            parts.append(f"\n### {name}\n\nOne row is {row}.\n\n{_about(tables[name])}")
    return "".join(parts)


def _about(table: Table) -> str:
    """Columns, makers, sources and readers of a table, as a list."""
    said = {
        "Columns": [f"`{column}`" for column in table.columns],
        "Made by": [f"`{path}`" for path in sorted(table.makers)],
        "From": [f"[{name}](#{_anchor(name)})" for name in sorted(table.sources)],
        "Read by": [f"`{path}`" for path in sorted(table.readers - table.makers)],
    }
    return "".join(f"- {title}: {', '.join(items)}\n" for title, items in said.items() if items)


def _anchor(name: str) -> str:
    return re.sub(r"[{}]", "", name)


def _picture(tables: Mapping[str, Table]) -> str:
    """How the main tables come from one another, as a Mermaid diagram."""
    sources = {name: _nearest(tables, name) for name in _MAIN}
    lines = ["```mermaid", "flowchart TD"]
    for name, direct in sources.items():
        indirect = {far for near in direct for far in _ancestors(sources, near)}
        nearest = [source for source in direct if source not in indirect]
        lines += [f"    {_node(source)} --> {_node(name)}" for source in nearest]
    return "\n".join([*lines, "```", ""])


def _ancestors(sources: Mapping[str, list[str]], name: str) -> set[str]:
    """The tables that one is made from, near and far."""
    return {far for near in sources[name] for far in (near, *_ancestors(sources, near))}


def _nearest(tables: Mapping[str, Table], name: str) -> list[str]:
    """The main tables that a table is made from, past those that are none."""
    reached: set[str] = set()
    passed: set[str] = set()
    todo = list(tables[name].sources)
    while todo:
        source = todo.pop()
        if source in _MAIN:
            reached.add(source)
        elif source not in passed:
            passed.add(source)
            todo += tables[source].sources
    return [
        source for source in _MAIN if source in reached and _MAIN.index(source) < _MAIN.index(name)
    ]


def _node(name: str) -> str:
    words = _anchor(name)
    return f'{words}["{name}"]'
