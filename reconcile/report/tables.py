"""What a pair's runs left, as tables for analysts.

One DuckDB file, or a Parquet file a table, with the mapping's names.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Mapping as Map
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from reconcile.model import Side
from reconcile.report.frames import CHANGES, rows_of_changes, summary_of
from reconcile.stage.archive import Archived
from reconcile.stage.quoting import literal, quoted
from reconcile.stage.stage import Stage
from reconcile.values.mapping import EntityMap, Mapping

DUCKDB = ".duckdb"
"""How the name of a DuckDB file ends; any other name is that of a folder for Parquet files."""

_RUN = {
    **dict.fromkeys(("run_id", "pair", "job", "state"), "VARCHAR"),
    "applied": "BOOLEAN",
    "started_at": "TIMESTAMP",
    "ended_at": "TIMESTAMP",
    "seconds": "DOUBLE",
}
"""What a run's row begins with; all else in it are counts. Moments are in UTC."""

_AGE = {"opened": "TIMESTAMP", "age_days": "BIGINT"}
_VALUES = ("entity", "field", "class", "because", "label", "app_key", "ghl_key", "app", "ghl")
_ASKED = ("hold_id", "kind", "entity", "label", "field", "side", "app_key", "ghl_key", "because")
_SHOWN = ("app", "ghl", "base_app", "base_ghl")
_QUESTIONS = (*_ASKED, *_SHOWN, "choices", "opened", "age_days")
_BATCH = 10_000
_RECORD = ("run_id", "side", "key", "link_id", "parent", "modified_at")

Row = Map[str, Any]
Rows = Callable[[Map[str, Any]], Iterable[Row]]
"""Takes the rows of a table out of a report."""


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest run that read both sides whole under this mapping.

    The tables of records are of it.
    """

    run_id: str
    mapping: Mapping
    archive: Archived


class _Table(NamedTuple):
    """A table's name, its columns with their SQL types, and its rows."""

    name: str
    columns: Map[str, str]
    rows: Iterable[Row]


def export(documents: Sequence[Map[str, Any]], newest: Newest | None, out: Path) -> dict[str, int]:
    """Write the tables in place of those that were there; returns how many rows each has.

    `documents` are reports. `runs`, `changes`, `values` and `questions` have `run_id`. The tables
    of records have one row for each record and side, with the mapping's fields; `link_id` is the
    same for the two rows of a pair.
    """
    folder = out.parent if out.suffix == DUCKDB else out
    folder.mkdir(parents=True, exist_ok=True)
    rows: dict[str, int] = {}
    with (
        tempfile.TemporaryDirectory(dir=folder) as work,
        Stage(Path(work), beside=[folder]) as stage,
    ):
        for table in _tables(documents, newest):
            lines = ([row.get(name) for name in table.columns] for row in table.rows)
            stage.fill(quoted(table.name), list(table.columns.items()), _batches(lines))
            rows[table.name] = stage.count(f"SELECT count(*) FROM {quoted(table.name)}")
        _write(stage, list(rows), out)
    return rows


def _tables(documents: Sequence[Map[str, Any]], newest: Newest | None) -> Iterator[_Table]:
    runs = [summary_of(each) for each in documents]
    names = list(runs[0]) if runs else ["run_id"]
    types = _RUN | {name: "BIGINT" for name in names if name not in _RUN}
    yield _Table("runs", types, runs)
    yield _Table("changes", _texts(CHANGES), _each(documents, rows_of_changes))
    yield _Table("values", _texts(("run_id", *_VALUES)), _each(documents, _values))
    yield _Table("questions", _texts(("run_id", *_QUESTIONS)) | _AGE, _each(documents, _questions))
    if newest is None:
        return
    for mapped in newest.mapping.entities:
        fields = [field.name for field in mapped.fields]
        yield _Table(mapped.entity.plural, _texts((*_RECORD, *fields)), _records(newest, mapped))


def _batches(rows: Iterator[Sequence[object]]) -> Iterator[Sequence[Sequence[object]]]:
    while batch := list(islice(rows, _BATCH)):
        yield batch


def _texts(names: Iterable[str]) -> dict[str, str]:
    return dict.fromkeys(names, "VARCHAR")


def _each(documents: Sequence[Map[str, Any]], rows: Rows) -> Iterator[Row]:
    for document in documents:
        for row in rows(document):
            yield {"run_id": document["run_id"], **row}


def _values(document: Map[str, Any]) -> Iterator[Row]:
    yield from document["values"]["listed"]


def _questions(document: Map[str, Any]) -> Iterator[Row]:
    for hold in document["holds"]:
        shown = {name: hold["values"].get(name) for name in _SHOWN}
        choices = ", ".join(option["choice"] for option in hold["options"])
        yield {**hold, **shown, "choices": choices}


def _records(newest: Newest, mapped: EntityMap) -> Iterator[Row]:
    """Every record of both sides as that run read it: canonical values by the mapping's names."""
    for side in Side:
        for link_id, record in newest.archive.linked(mapped.entity, side):
            tail = {"key": record.key, "parent": record.parent, "modified_at": record.modified_at}
            head = {"run_id": newest.run_id, "side": side.value, "link_id": link_id}
            yield {**record.cells(mapped, side), **head, **tail}


def _write(stage: Stage, names: Sequence[str], out: Path) -> None:
    """The tables as they are wanted, whole or not at all."""
    if out.suffix != DUCKDB:
        for name in names:
            path = out / f"{name}.parquet"
            partial = path.with_suffix(".partial")
            stage.run(f"COPY {quoted(name)} TO {literal(str(partial))} (FORMAT parquet)")
            partial.replace(path)
        return
    partial = out.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    stage.run(f"ATTACH {literal(str(partial))} AS made")
    for name in names:
        stage.run(f"CREATE TABLE made.{quoted(name)} AS FROM {quoted(name)}")
    stage.run("DETACH made")
    partial.replace(out)
