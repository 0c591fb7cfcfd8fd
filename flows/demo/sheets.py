"""The demo application as CSV files.

They are opened as tables for as long as somebody edits or looks at them.
"""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from flows.demo.tables import METADATA, recreate

DELIMITER = ";"
"""Between the tags of one cell."""


def file_of(folder: Path, table: sa.Table) -> Path:
    """The file that holds a table."""
    return folder / f"{table.name}.csv"


@contextmanager
def opened(folder: Path) -> Iterator[sa.Engine]:
    """The files as a database in memory; what was changed there is written back at the end."""
    engine = sa.create_engine(
        "sqlite://",
        poolclass=sa.StaticPool,
        hide_parameters=True,
        connect_args={"check_same_thread": False},
    )
    try:
        recreate(engine)
        _load(engine, folder)
        before = _held(engine)
        yield engine
        after = _held(engine)
        for table in METADATA.sorted_tables:
            if after[table.name] != before[table.name] or not file_of(folder, table).exists():
                _save(file_of(folder, table), table, after[table.name])
    finally:
        engine.dispose()


def _load(engine: sa.Engine, folder: Path) -> None:
    with engine.begin() as connection:
        for table in METADATA.sorted_tables:
            file = file_of(folder, table)
            if file.exists():
                for row in _rows(file):
                    # What is blank takes the column's default, as in any of the demo's databases.
                    values = {
                        name: _value(table.c[name], cell) for name, cell in row.items() if cell
                    }
                    connection.execute(sa.insert(table).values(values))


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8-sig", newline="") as lines:
        return list(csv.DictReader(lines))


def _held(engine: sa.Engine) -> dict[str, list[dict[str, str]]]:
    """Every table's rows as cells."""
    with engine.connect() as connection:
        return {
            table.name: [
                {name: _cell(value) for name, value in row.items()}
                for row in connection.execute(sa.select(table).order_by(table.c.id)).mappings()
            ]
            for table in METADATA.sorted_tables
        }


def _save(file: Path, table: sa.Table, rows: list[dict[str, str]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, list(table.c.keys()), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dt.datetime):
        precision = "seconds" if value.microsecond == 0 else "microseconds"
        return f"{value.isoformat(sep='T', timespec=precision)}Z"
    if isinstance(value, list):
        return DELIMITER.join(value)
    if value is None:
        return ""
    return str(value)


def _value(column: sa.Column[Any], cell: str) -> Any:
    match column.type:
        case sa.Integer():
            return int(cell)
        case sa.Boolean():
            return cell.strip().lower() in ("true", "1", "yes")
        case sa.DateTime():
            moment = dt.datetime.fromisoformat(cell)
            if moment.tzinfo is None:
                return moment
            return moment.astimezone(dt.UTC).replace(tzinfo=None)
        case sa.Date():
            return dt.date.fromisoformat(cell)
        case sa.JSON():
            return [tag for tag in cell.split(DELIMITER) if tag]
        case _:
            return cell
