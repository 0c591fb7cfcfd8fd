"""The table of a fleet's locations: a CSV file, or the rows of a query."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reconcile.errors import ConfigError, Problem

_DELIMITERS = ",;\t"


@dataclass(frozen=True, slots=True)
class Row:
    """One location: where its row stands, such as "locations.csv:7", and its cells by column."""

    where: str
    cells: dict[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """The rows with the columns that all of them have."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def of_csv(path: Path) -> Table:
    """The table in a CSV file, with a line of column names first.

    Cells are taken without the spaces around them; what separates them is the comma, the semicolon
    or the tab, whichever the first line has. Raises ConfigError with each line that is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        what = f"the table cannot be read ({type(error).__name__})"
        remedy = "Name a CSV file in UTF-8: `fleet discover --out` writes one."
        raise ConfigError([Problem(str(path), what, remedy)]) from None
    head = text.partition("\n")[0]
    delimiter = next((sign for sign in _DELIMITERS if sign in head), ",")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        lines = [
            (f"{path.name}:{reader.line_num}", [cell.strip() for cell in cells])
            for cells in reader
            if any(map(str.strip, cells))
        ]
    except csv.Error as error:
        where = f"{path.name}:{reader.line_num}"
        raise ConfigError([Problem(where, f"this is no CSV: {error}", _QUOTES)]) from None
    if not lines:
        raise ConfigError([Problem(path.name, "the table is empty", _FIRST)])
    return _checked(path.name, lines[0], lines[1:])


_QUOTES = 'Put a cell with a comma or a quote into "quotes", and write each quote in it twice.'
_FIRST = "Write a line with the names of the columns, and a line for each location."


def of_query(url: str, query: str) -> Table:
    """The table that a query gives; the database is only read from.

    Raises ConfigError where it cannot be asked.
    """
    import sqlalchemy as sa

    try:
        engine = sa.create_engine(url, hide_parameters=True)
    except (sa.exc.ArgumentError, ImportError) as error:
        what = f"the database cannot be opened ({type(error).__name__})"
        raise ConfigError([Problem("--database", what, 'Name its URL: "env:NAME".')]) from None
    try:
        with engine.connect() as connection:  # never committed
            cursor = connection.execute(sa.text(query))
            columns = list(cursor.keys())
            rows = [[_text(value) for value in row] for row in cursor]
    except sa.exc.SQLAlchemyError as error:
        reason = type(getattr(error, "orig", None) or error).__name__
        what = f"the query was refused ({reason})"
        raise ConfigError(
            [Problem("--query", what, "Try it in the database's own shell.")]
        ) from None
    finally:
        engine.dispose()
    lines = [(f"query, row {at}", row) for at, row in enumerate(rows, start=1)]
    return _checked("query", ("query", columns), lines)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).strip()


def _checked(
    name: str, head: tuple[str, Sequence[str]], lines: Iterable[tuple[str, Sequence[str]]]
) -> Table:
    where, columns = head
    problems = [Problem(where, what, "Name each column once.") for what in _unnamed(columns)]
    rows = []
    for place, cells in lines:
        if len(cells) != len(columns):
            what = f"{len(cells)} cells, where the table has {len(columns)} columns"
            problems.append(Problem(place, what, _QUOTES))
            continue
        rows.append(Row(place, dict(zip(columns, cells, strict=True))))
    if problems:
        raise ConfigError(problems)
    return Table(name, tuple(columns), tuple(rows))


def _unnamed(columns: Sequence[str]) -> Iterator[str]:
    for at, column in enumerate(columns):
        if not column:
            yield f"column {at + 1} has no name"
        elif column in columns[:at]:
            yield f'two columns are called "{column}"'
