"""A pair file in which values stand for columns of a table: one pair file for each row of it."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.config.lines import KeyPath, text_spans
from flows.config.problems import Document, Problems, name, parsed
from reconcile.errors import ConfigError, Problem

_COLUMN = re.compile(r"\{(column|number|boolean):([^{}]*)\}")
_MEANT = re.compile(r"\{ *(?:column *[:}]|(?:number|boolean) *:)")
"""What looks like a column and is none: it would stand in every pair as it is."""

_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")
_BOOLEANS = ("true", "false")

FORM = (
    'Write "{column:NAME}", also within a text; "{number:NAME}" or "{boolean:NAME}" alone '
    "in their quotes."
)


@dataclass(frozen=True, slots=True)
class Place:
    """A text of the template in which columns stand: where it is, and what it says."""

    path: KeyPath
    line: int
    start: int
    end: int
    text: str

    @property
    def columns(self) -> list[str]:
        """The columns that it names, in order."""
        return [hit[2] for hit in _COLUMN.finditer(self.text)]

    @property
    def kind(self) -> str:
        """The kind of the value: column (a text), number or boolean."""
        hit = _COLUMN.match(self.text)
        return hit[1] if hit else "column"


@dataclass(frozen=True, slots=True)
class Template:
    """A template as it was read. `document` holds its columns as they are written."""

    path: Path
    text: str
    document: Document
    places: tuple[Place, ...]

    def at(self, *path: str) -> Place | None:
        """The columns that stand at a key of the pair file, if there are any."""
        return next((place for place in self.places if place.path == path), None)


def read(path: Path) -> Template:
    """The template in a file; a pair file is one without columns.

    Raises ConfigError for what TOML cannot read, and for a column that could not be filled in.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        what = f"the template cannot be read ({type(error).__name__})"
        remedy = "Name a pair file in UTF-8, some of whose values are columns of the table."
        raise ConfigError([Problem(str(path), what, remedy)]) from None
    document, problems = parsed(text, path.name)
    spans = text_spans(text)
    places = []
    for at, said in _texts(document, (), problems):
        if _COLUMN.search(said) is None:
            _check_meant(at, said, problems)
        else:
            start, end = spans[at]
            place = Place(at, text.count("\n", 0, start) + 1, start, end, said)
            _check(place, problems)
            places.append(place)
    problems.stop_if_any()
    return Template(path, text, document, tuple(sorted(places, key=lambda place: place.start)))


def _texts(value: Any, path: KeyPath, problems: Problems) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if _COLUMN.search(key):
                what = f'a column stands in the key "{key}"'
                problems.add((*path, key), what, "Columns stand in values, right of the =.")
            yield from _texts(item, (*path, key), problems)
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from _texts(item, (*path, at), problems)


def _check(place: Place, problems: Problems) -> None:
    kinds = [hit[1] for hit in _COLUMN.finditer(place.text)]
    alone = _COLUMN.fullmatch(place.text) is not None
    if not alone and set(kinds) != {"column"}:
        what = f"{name(place.path)}: a number or a boolean stands within a text"
        problems.add(place.path, what, FORM)
    if not all(column.strip() for column in place.columns):
        problems.add(place.path, f"{name(place.path)}: a column without a name", FORM)
    _check_meant(place.path, _COLUMN.sub("", place.text), problems)


def _check_meant(path: KeyPath, text: str, problems: Problems) -> None:
    if hit := _MEANT.search(text):
        problems.add(path, f'{name(path)}: "{hit[0]}" names no column as it stands', FORM)


def filled(place: Place, cells: Mapping[str, str]) -> str:
    """What the text says with a row's cells in it. A cell's own braces stay what they are."""
    return _COLUMN.sub(lambda hit: cells[hit[2]], place.text)


def fault(place: Place, cells: Mapping[str, str]) -> str:
    """Why a row's cells cannot stand there; empty where they can."""
    said = filled(place, cells)
    if place.kind == "number" and _NUMBER.fullmatch(said) is None:
        return f'"{said}" is no number'
    if place.kind == "boolean" and said not in _BOOLEANS:
        return f'"{said}" is neither true nor false'
    return ""


def fill(template: Template, cells: Mapping[str, str], *, but: Collection[Place] = ()) -> str:
    """The text of the pair file for a row, line by line as the template is.

    Each place must have passed `fault`, `but` those that stay as the template has them.
    """
    parts, at = [], 0
    for place in template.places:
        if place in but:
            continue
        literal = template.text[place.start : place.end]
        parts += [template.text[at : place.start], _literal(place, cells, literal.count("\n"))]
        at = place.end
    whole = "".join([*parts, template.text[at:]])
    if not but:
        _prove(template, whole, cells)
    return whole


def _literal(place: Place, cells: Mapping[str, str], lines: int) -> str:
    """The value in TOML, over as many lines as it had: a line of one is a line of the other."""
    said = filled(place, cells)
    if place.kind != "column":
        return said
    quoted = json.dumps(said, ensure_ascii=False).replace("\x7f", "\\u007f")
    if lines == 0:
        return quoted
    ends = "\\" + "\n" * lines
    return f'"""{quoted[1:-1]}{ends}"""'


def _prove(template: Template, text: str, cells: Mapping[str, str]) -> None:
    """Raise where TOML reads anything else than the template with the cells in their places."""
    expected = _with_cells(template.document, (), template, cells)
    if tomllib.loads(text) != expected:
        raise AssertionError(f"{template.path.name} does not read as it was filled in")


def _with_cells(value: Any, path: KeyPath, template: Template, cells: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        return {
            key: _with_cells(item, (*path, key), template, cells) for key, item in value.items()
        }
    if isinstance(value, list):
        return [_with_cells(item, (*path, at), template, cells) for at, item in enumerate(value)]
    place = next((each for each in template.places if each.path == path), None)
    if place is None:
        return value
    said = filled(place, cells)
    return said if place.kind == "column" else json.loads(said)
