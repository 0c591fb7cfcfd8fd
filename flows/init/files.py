"""What is in files that nobody has described yet.

Each is a table, its key is a column, or columns, whose values never repeat.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from connectors.files.parts import BrokenFileError, text_of
from connectors.files.settings import SUFFIXES, FileFormat, FileSettings
from connectors.files.shelf import sheet_of
from flows.init.evidence import are_emails, are_phones
from flows.init.exports import Export, export_of
from flows.init.found import Column, Table
from flows.init.sheets import Bounds, bounds_of, csv_lines, excel_lines
from flows.init.survey import ROWS
from flows.init.words import CONTACT, likeness, words
from reconcile.errors import ConfigError, Problem

_KEY_WORDS = ("id", "key", "uuid", "guid", "nr", "no", "number", "code")
_KEY_ENDS = ("nr", "nummer")
_BETWEEN = (" ::: ", ";", "|", ",")
"""What stands between several values in a cell."""
_NAMING = ("firstName", "lastName", "name")
_CALLED = 0.9
"""From this likeness on a column is called a name."""

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class File:
    """One file: where it is, what a pair file has to say of it, and which export it is."""

    path: Path
    said: Mapping[str, Any] = field(default_factory=dict)
    export: Export | None = None


@dataclass(frozen=True, slots=True)
class FileSurvey:
    """The format of the files, what is to be said of each table's file, and the tables."""

    format: FileFormat
    files: Mapping[str, File]
    tables: tuple[Table, ...]


def survey_files(path: Path) -> FileSurvey:
    """A file, or all files of a folder that have the format of most of them.

    Raises ConfigError where none can be read.
    """
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
    surveyed = [_surveyed(file, chosen) for file, name in formats.items() if name == chosen]
    files = {table.name: file for file, table in surveyed}
    tables = [table for _, table in surveyed]
    return FileSurvey(
        format=chosen,
        files=files,
        tables=tuple(tables),
    )


def _format(file: Path) -> FileFormat | None:
    return next(
        (name for name, suffixes in SUFFIXES.items() if file.suffix.lower() in suffixes), None
    )


def _surveyed(file: Path, form: FileFormat) -> tuple[File, Table]:
    try:
        content = file.read_bytes()
        bounds = _bounds(content, file.name, form)
        settings = FileSettings(
            file.name,
            key=(),
            header=bounds.header,
            footer=bounds.footer,
        )
        sheet = sheet_of(form, content, file.name, settings)
        rows = [part.values for part in sheet.parts() if part.values is not None]
    except (OSError, BrokenFileError) as failed:
        why = failed.what if isinstance(failed, BrokenFileError) else type(failed).__name__
        what = f"{file.name} cannot be read as {form}: {why}"
        raise ConfigError(
            [Problem("--app", what, "Correct the file, or move it out of the folder.")]
        ) from None
    named = {name: None for row in rows for name in row}
    names = sheet.columns or tuple(named)
    export = export_of(names)
    lists: dict[str, str] = {}
    for name in names:
        between = _between(name, rows, export)
        if between is not None:
            lists[name] = between
    key = _key(names, rows, export)
    columns = [_column(name, rows, lists.get(name), export) for name in names]
    natural = bool(key) and not _is_key_name(key[0])
    said: dict[str, Any] = {
        "header": bounds.header,
        "footer": bounds.footer,
        "lists": lists,
    }
    if natural:
        said["new_key"] = "none"
    filled = {name: value for name, value in said.items() if value}
    table = Table(
        file.stem,
        tuple(columns),
        key,
        natural=natural,
    )
    return File(file, filled, export), table


def _bounds(content: bytes, name: str, form: FileFormat) -> Bounds:
    if form == "csv":
        return bounds_of(csv_lines(content, name))
    if form == "excel":
        return bounds_of(excel_lines(content))
    return Bounds()


def _samples(name: str, rows: Sequence[Row]) -> Iterator[str]:
    """What stands in a column of the rows that are looked at, blanks left out."""
    return (text for row in rows[:ROWS] if (text := text_of(row.get(name)).strip()))


def _column(name: str, rows: Sequence[Row], between: str | None, export: Export | None) -> Column:
    samples = tuple(_samples(name, rows))
    column = Column(name, "text", samples)
    if export is not None:
        meaning = export.concepts.get(name)
        strange = export.strange.get(name, "")
        column = replace(column, meaning=meaning, strange=strange)
    if between is None:
        return column
    firsts = [_parts(sample, between)[0] for sample in samples]
    return replace(column, name=f"{name}[0]", samples=tuple(firsts), list_of=name)


def _parts(sample: str, between: str) -> list[str]:
    parts = sample.split(between.strip())
    return [part.strip() for part in parts]


def _between(name: str, rows: Sequence[Row], export: Export | None) -> str | None:
    """What stands between several emails or telephone numbers in a cell.

    Tags have a place of their own.
    """
    if export is not None and export.concepts.get(name) == "tags":
        return None
    samples = list(_samples(name, rows))
    for between in _BETWEEN:
        values: list[str] = []
        for sample in samples:
            values += _parts(sample, between)
        several = len(values) > len(samples)
        if several and (are_emails(values) or are_phones(values)):
            return between
    return None


def _key(names: Sequence[str], rows: Sequence[Row], export: Export | None) -> tuple[str, ...]:
    """The first column that is called a key and never repeats.

    Else an email, or a name and an email, that never do.

    No column at all where nothing tells the rows apart.
    """
    emails = [name for name in names if _holds_emails(name, rows)]
    candidates = [name for name in names if _is_key_name(name)]
    if export is not None:
        known = export.own_key or export.key
        candidates = [*([known] if known else []), *candidates]
    for name in (*candidates, *emails):
        if name in names and _tells_apart((name,), rows, all):
            return (name,)
    people = [name for name in names if _is_name(name)]
    joined = (*people, *emails[:1])
    if len(joined) > 1 and _tells_apart(joined, rows, any):
        return joined
    return ()


def _is_key_name(name: str) -> bool:
    own = words(name)
    if not own:
        return False
    return own[-1] in _KEY_WORDS or own[-1].endswith(_KEY_ENDS)


def _is_name(name: str) -> bool:
    return any(likeness(name, CONTACT[concept]) >= _CALLED for concept in _NAMING)


def _holds_emails(name: str, rows: Sequence[Row]) -> bool:
    firsts = [_parts(sample, _BETWEEN[0])[0] for sample in _samples(name, rows)]
    return bool(firsts) and are_emails(firsts)


def _tells_apart(
    key: Sequence[str], rows: Sequence[Row], filled: Callable[[Iterable[str]], bool]
) -> bool:
    """Whether no two rows have the same key, and each is `filled`: all of its columns, or any."""
    known: set[tuple[str, ...]] = set()
    for row in rows:
        texts = [text_of(row.get(name)) for name in key]
        parts = tuple(text.strip() for text in texts)
        if parts in known or not filled(parts):
            return False
        known.add(parts)
    return True
