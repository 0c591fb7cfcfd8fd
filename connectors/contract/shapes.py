"""The reference readings of a Shape, in Python and in DuckDB.

Every connector's lines must stand up to them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path as FilePath

from reconcile.ports import Item, Only, Page, Path, Record, Shape
from reconcile.stage.confinement import confined


def look_up(value: object, path: Path) -> object:
    """What lies at a path of a JSON object, None where there is nothing."""
    for step in path:
        if isinstance(step, Item):
            items = value if isinstance(value, list) else []
            value = next(
                (
                    item
                    for item in items
                    if isinstance(item, dict) and item.get(step.where) == step.equals
                ),
                None,
            )
        elif isinstance(step, Only):
            text = value if isinstance(value, str) else json.dumps(value)
            value = value if text == step.equals else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return value


def first(value: object, paths: Sequence[Path]) -> object:
    """What lies at the first path that holds something other than null."""
    return next((item for path in paths if (item := look_up(value, path)) is not None), None)


def read_line(shape: Shape, line: bytes | str) -> Record:
    """One JSON line as a Record, read as the shape says."""
    value = json.loads(line)

    def text(paths: Sequence[Path]) -> str | None:
        item = first(value, paths)
        if item is None or isinstance(item, str):
            return item
        return json.dumps(item)

    key = text(shape.key)
    assert key, "a line without a key"
    fields = {name: first(value, paths) for name, paths in shape.fields.items()}
    gone = bool(first(value, shape.deleted))
    parent, version, modified_at = text(shape.parent), text(shape.version), text(shape.modified_at)
    return Record(key, fields, parent, version, modified_at, gone)  # type: ignore[arg-type]


def _quoted(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"


def duckdb_path(path: Path) -> str:
    """A path as a DuckDB expression over a column `json`."""
    expression = "json"
    for step in path:
        if isinstance(step, Only):
            expression = (
                f"(CASE WHEN {expression} ->> '$' = {_quoted(step.equals)} THEN {expression} END)"
            )
        elif isinstance(step, Item):
            wanted = f"item ->> {_quoted(_pointer(step.where))} = {_quoted(step.equals)}"
            items = (
                f"CAST(CASE json_type({expression}) WHEN 'ARRAY' THEN {expression} END AS JSON[])"
            )
            expression = f"list_filter({items}, lambda item: {wanted})[1]"
        else:
            expression = f"({expression} -> {_quoted(_pointer(step))})"
    return f"(CASE json_type({expression}) WHEN 'NULL' THEN NULL ELSE {expression} END)"


def _pointer(name: str) -> str:
    return "/" + name.replace("~", "~0").replace("/", "~1")


def read_with_duckdb(
    shape: Shape, pages: Sequence[Page], folder: FilePath
) -> list[dict[str, object]]:
    """Every line's fields, as DuckDB reads them through the shape.

    The key and the parent are there as "<key>" and "<parent>".
    """
    places = {**shape.fields, "<key>": shape.key, "<parent>": shape.parent}
    chosen = [
        f"coalesce({', '.join(map(duckdb_path, paths))}, NULL)"
        for paths in places.values()
        if paths
    ]
    names = [name for name, paths in places.items() if paths]
    file = folder / "pages.jsonl"
    file.write_bytes(b"".join(page.lines for page in pages))
    if not file.stat().st_size:
        return []
    statement = (
        f"SELECT {', '.join(f'CAST({place} AS VARCHAR)' for place in chosen)} "
        "FROM read_ndjson_objects(?)"
    )
    with confined(files=[file]) as connection:
        rows = connection.execute(statement, [str(file)]).fetchall()
    return [
        {
            name: None if cell is None else json.loads(cell)
            for name, cell in zip(names, row, strict=True)
        }
        for row in rows
    ]
