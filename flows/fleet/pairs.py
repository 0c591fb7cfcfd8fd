"""The pairs that a template and a table make, checked as a whole before any of them runs."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from flows.config import Pair
from flows.config.lines import key_lines, line_of
from flows.config.pair import read as read_pair
from flows.config.problems import name, near
from flows.fleet.table import Row, Table
from flows.fleet.template import Place, Template, fault, fill, filled
from reconcile.errors import ConfigError, Problem
from reconcile.values.names import is_name


@dataclass(frozen=True, slots=True)
class Made:
    """A pair of the fleet: the row that it is of, the text of its file, and what that says."""

    row: Row
    text: str
    pair: Pair


def make(
    template: Template, table: Table, folder: Path, *, environ: Mapping[str, str] = os.environ
) -> tuple[Made, ...]:
    """The pair of each row, as if its file lay in `folder`.

    Raises ConfigError with every problem of every row: the table's line and column, and the line of
    the template. What is wrong with the template itself is said once.
    """
    _require_columns(template, table)
    problems: list[Problem] = []
    pairs = []
    for row in table.rows:
        wrong = dict(_cells(template, row))
        problems += (problem for of_place in wrong.values() for problem in of_place)
        text = fill(template, row.cells, but=wrong)
        try:
            pair = read_pair(text, folder / _file(template, row), environ=environ)
        except ConfigError as error:
            placed = (_placed(each, template, row, wrong) for each in error.problems)
            problems += filter(None, placed)
        else:
            pairs.append(Made(row, text, pair))
    problems += _shared(template, table)
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))
    return tuple(pairs)


def _require_columns(template: Template, table: Table) -> None:
    """Raise where the template names a column that the table does not have, or none at all."""
    file = template.path.name
    problems = [
        Problem(
            f"{file}:{place.line}",
            f'{name(place.path)} names the column "{column}", which {table.name} does not have',
            near(column, table.columns),
        )
        for place in template.places
        for column in place.columns
        if column not in table.columns
    ]
    for path, example in ((("pair",), "{column:pair}"), (("ghl", "location"), "{column:location}")):
        if template.at(*path) is None:
            what = f"{name(path)} is no column: every row would make the same pair"
            problems.append(Problem(f"{file}:1", what, f'Write {path[-1]} = "{example}".'))
    if not table.rows:
        problems.append(Problem(table.name, "the table has no row", "Write one a location."))
    if problems:
        raise ConfigError(problems)


def _cells(template: Template, row: Row) -> Iterator[tuple[Place, list[Problem]]]:
    """The places into which the row's cells cannot go, and why."""
    for place in template.places:
        goes = f"{template.path.name}:{place.line} puts it into {name(place.path)}"
        faults = []
        for column in dict.fromkeys(place.columns):
            if said := _unusable(row.cells[column]):
                what, remedy = said
                faults.append(Problem(row.where, f'column "{column}" {what}, and {goes}', remedy))
        if not faults and (why := fault(place, row.cells)):
            what = f'column "{place.columns[0]}": {why}, and {goes}'
            faults.append(Problem(row.where, what, f"Write a {place.kind} there."))
        if faults:
            yield place, faults


def _unusable(cell: str) -> tuple[str, str] | None:
    """What is wrong with a cell wherever it goes, and what to do."""
    if not cell:
        return "is empty", "Fill it in."
    hidden = next(filter(_hidden, cell), None)
    if hidden is not None:
        return f"holds an invisible character (U+{ord(hidden):04X})", "Type the cell anew."
    return None


def _hidden(sign: str) -> bool:
    return unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def _said(template: Template, row: Row, *path: str) -> str:
    """What a row makes of a key in which columns stand; empty where none do."""
    place = template.at(*path)
    return filled(place, row.cells) if place is not None else ""


def _file(template: Template, row: Row) -> str:
    """What the file is called while it is checked: by a name that cannot lead elsewhere."""
    said = _said(template, row, "pair")
    return f"{said}.toml" if is_name(said) else "pair.toml"


def _placed(
    problem: Problem, template: Template, row: Row, wrong: Collection[Place]
) -> Problem | None:
    """A problem of the filled file, whose lines are the template's, where it comes from.

    None for one of a place that is known to be wrong.
    """
    line = int(problem.where.rpartition(":")[2])
    there = f"{template.path.name}:{line}"
    places = [place for place in template.places if _on(place, template, line)]
    if any(place in wrong for place in places):
        return None
    columns = dict.fromkeys(column for place in places for column in place.columns)
    if not columns:
        return Problem(there, problem.what, problem.remedy)
    quoted = ", ".join(f'"{column}"' for column in columns)
    noun = "column" if len(columns) == 1 else "columns"
    return Problem(
        row.where,
        f"{noun} {quoted} ({there}): {problem.what}",
        problem.remedy,
    )


def _on(place: Place, template: Template, line: int) -> bool:
    last = template.text.count("\n", 0, place.end) + 1
    return place.line <= line <= last


def _shared(template: Template, table: Table) -> Iterator[Problem]:
    """What two pairs of a fleet may not share."""
    file = template.path.name
    several = len(table.rows) > 1
    for what, path in (("pair", ("pair",)), ("location", ("ghl", "location"))):
        yield from _twice(template, table, what, path)
    if several and template.at("store") is None:
        what = "all pairs would keep their runs in one store"
        yield Problem(f"{file}:1", what, 'Write store = "state/{column:pair}", at the top.')
    else:
        yield from _twice(template, table, "store", ("store",))
    token = template.document.get("ghl", {}).get("token")
    if several and token is not None and template.at("ghl", "token") is None:
        line = line_of(key_lines(template.text), ("ghl", "token"))
        what = "[ghl] token is the same for all: a private integration token is of one location"
        remedy = 'Write token = "env:GHL_TOKEN_{column:pair}", or oauth = { … } for an agency.'
        yield Problem(f"{file}:{line}", what, remedy)


def _twice(template: Template, table: Table, what: str, path: tuple[str, ...]) -> Iterator[Problem]:
    first: dict[str, Row] = {}
    for row in table.rows:
        said = _said(template, row, *path)
        # Two names that differ in case alone are one file on some disks.
        same = said if what == "location" else said.casefold()
        if said and same in first:
            yield Problem(
                row.where,
                f'{what} "{said}" is that of {first[same].where} already',
                f"Give each row a {what} of its own, or take one of the lines out.",
            )
        first.setdefault(same, row)
