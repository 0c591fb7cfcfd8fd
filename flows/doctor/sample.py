"""What the app's first records say, for findings that only values can tell."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from connectors.rest.places import find
from reconcile.model import Cell, Side
from reconcile.ports import Connector, Json, Path, Proof
from reconcile.values.mapping import EntityMap, Field

ROWS = 5_000


def first_values(
    mapped: EntityMap, fields: Iterable[Field], app: Connector
) -> dict[str, Counter[Cell]]:
    """How often each value stands in the first records of the app, by field."""
    read = list(fields)
    said: dict[str, Counter[Cell]] = {field.name: Counter() for field in read}
    for cells in first_records(mapped, read, app):
        for name, cell in cells.items():
            said[name][cell] += 1
    return said


def first_records(
    mapped: EntityMap, fields: Sequence[Field], app: Connector
) -> Iterator[dict[str, Cell]]:
    """The values of each of the app's first records, by field; a constant is what it is."""
    shape = app.shape(mapped.entity)
    rows = 0
    for page in app.extract(mapped.entity):
        if isinstance(page, Proof) or rows >= ROWS:
            return
        rows += page.rows
        for line in page.lines.splitlines():
            row = json.loads(line)
            cells: dict[str, Cell] = {}
            for field in fields:
                values = {one: _first(row, shape.fields[one]) for one in field.read(Side.APP)}
                cells[field.name] = field.constant or field.decode(values, Side.APP)
            yield cells


def _first(row: object, paths: Iterable[Path]) -> Json:
    values = (find(row, path) for path in paths)
    return next((value for value in values if value is not None), None)
