"""What the app's first records say, for findings that only values can tell."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable

from connectors.rest.places import find
from reconcile.model import Cell, Side
from reconcile.ports import Connector, Json, Path, Proof
from reconcile.values.mapping import EntityMap, Field

ROWS = 5_000


def first_values(
    mapped: EntityMap, fields: Iterable[Field], app: Connector
) -> dict[str, Counter[Cell]]:
    """How often each value stands in the first records of the app, by field."""
    shape = app.shape(mapped.entity)
    said: dict[str, Counter[Cell]] = {field.name: Counter() for field in fields}
    rows = 0
    for page in app.extract(mapped.entity):
        if isinstance(page, Proof) or rows >= ROWS:
            break
        rows += page.rows
        for line in page.lines.splitlines():
            row = json.loads(line)
            for name, counted in said.items():
                field = mapped.field(name)
                values = {one: _first(row, shape.fields[one]) for one in field.read(Side.APP)}
                counted[field.decode(values, Side.APP)] += 1
    return said


def _first(row: object, paths: Iterable[Path]) -> Json:
    found = (find(row, path) for path in paths)
    return next((value for value in found if value is not None), None)
