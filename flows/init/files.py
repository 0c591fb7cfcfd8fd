"""What is in files that nobody has described yet: each is a table, its key is a column whose values never repeat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connectors.files.settings import SUFFIXES
from flows.init.survey import ROWS, Column, Table
from flows.init.words import words
from reconcile.errors import ConfigError, Problem

_KEY_WORDS = ("id", "key", "uuid", "guid", "nr", "no", "number", "code")


@dataclass(frozen=True, slots=True)
class FileSurvey:
    """The format of the files, where each table is, and the tables themselves."""

    format: str
    paths: Mapping[str, Path]
    tables: tuple[Table, ...]


def survey_files(path: Path) -> FileSurvey:
    """A file, or all files of a folder that have the format of most of them. Raises ConfigError where none can be read."""
    candidates = sorted(path.iterdir()) if path.is_dir() else [path]
    formats = {
        file: name for file in candidates if file.is_file() and (name := _format(file)) is not None
    }
    if not formats:
        known = ", ".join(suffix for suffixes in SUFFIXES.values() for suffix in suffixes)
        raise ConfigError(
            [
                Problem(
                    "--app",
                    f"there are no files to read in {path}",
                    f"They must end in one of {known}.",
                )
            ]
        )
    chosen = Counter(formats.values()).most_common(1)[0][0]
    paths = {file.stem: file for file, name in formats.items() if name == chosen}
    return FileSurvey(
        chosen, paths, tuple(_table(name, file, chosen) for name, file in paths.items())
    )


def _format(file: Path) -> str | None:
    return next(
        (name for name, suffixes in SUFFIXES.items() if file.suffix.lower() in suffixes), None
    )


def _table(name: str, file: Path, form: str) -> Table:
    try:
        rows = _rows(file, form)
    except (OSError, ValueError, KeyError) as failed:
        what = f"{file.name} cannot be read as {form} ({type(failed).__name__})"
        raise ConfigError(
            [Problem("--app", what, "Correct the file, or move it out of the folder.")]
        ) from None
    found: dict[str, list[str]] = {}
    for row in rows:
        for column, value in row.items():
            found.setdefault(str(column), []).extend([text] if (text := _text(value)) else [])
    columns = tuple(Column(column, "text", tuple(samples)) for column, samples in found.items())
    return Table(name, columns, _key(columns, len(rows)))


def _rows(file: Path, form: str) -> list[dict[Any, Any]]:
    import pandas as pd

    match form:
        case "csv":
            frame = pd.read_csv(
                file, sep=None, engine="python", dtype=str, nrows=ROWS, encoding_errors="replace"
            )
        case "jsonl":
            frame = pd.read_json(file, lines=True, nrows=ROWS, dtype=False, convert_dates=False)
        case "excel":
            frame = pd.read_excel(file, dtype=str, nrows=ROWS)
        case _:
            from reconcile.stage.confinement import confined

            with confined(files=[file]) as sql:
                relation = sql.read_parquet(str(file)).limit(ROWS)
                return [
                    dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()
                ]
    return frame.astype(object).where(frame.notna(), None).to_dict("records")


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()


def _key(columns: tuple[Column, ...], rows: int) -> tuple[str, ...]:
    """The first column that is called a key and never repeats among the rows that were looked at."""
    for column in columns:
        named = words(column.name)[-1:] and words(column.name)[-1] in _KEY_WORDS
        if named and len(column.samples) == rows == len(set(column.samples)):
            return (column.name,)
    return ()
