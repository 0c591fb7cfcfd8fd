"""Canonical cells of the rows that need looking at: in SQL where a value is canonical already, in Python once per distinct rest."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from reconcile.codecs import Raw
from reconcile.mapping import EntityMap, Field
from reconcile.model import Side
from reconcile.stage import Stage, literal


@dataclass(frozen=True, slots=True)
class Column:
    """One cell column to make: the field, and the raw columns of `raw_e_s` that it is made of."""

    name: str
    field: Field
    raws: tuple[str, ...]


def columns(mapped: EntityMap, side: Side) -> list[Column]:
    """The cell columns c0, c1, ... of an entity's fields on a side."""
    place = {native: f"r{at}" for at, native in enumerate(mapped.native(side))}
    return [
        Column(f"c{at}", field, tuple(place[native] for native in field.native(side)))
        for at, field in enumerate(mapped.fields)
    ]


def further(mapped: EntityMap, side: Side) -> list[Column]:
    """One column x0, x1, ... for each native field that holds further values of a field, such as additional emails."""
    place = {native: f"r{at}" for at, native in enumerate(mapped.native(side))}
    also = [(field, native) for field in mapped.fields for native in field.also.get(side, ())]
    return [Column(f"x{at}", field, (place[native],)) for at, (field, native) in enumerate(also)]


def make_cells(stage: Stage, mapped: EntityMap, side: Side, *, keys: str) -> None:
    """Create `cell_e_s` for the rows of `raw_e_s` whose key is in the relation `keys`.

    Columns: key, parent, version, modified_at (normal form), deleted, digest, excluded, c0, c1, ...; and `fault_e_s`
    (key, field, why) with every value that is not well-formed.
    """
    name = f"{mapped.entity}_{side}"
    stage.run(f"CREATE OR REPLACE TABLE picked AS SELECT * FROM raw_{name} WHERE key IN (SELECT key FROM {keys})")
    made = columns(mapped, side)
    slow = [_slow(stage, column, side) for column in made]
    values = ", ".join(
        f"{_cell(column, has_slow)} AS {column.name}" for column, has_slow in zip(made, slow, strict=True)
    )
    joins = " ".join(_join(column) for column, has_slow in zip(made, slow, strict=True) if has_slow)
    moment = "strftime(try_cast(p.modified_at AS TIMESTAMPTZ), '%Y-%m-%dT%H:%M:%S.%gZ')"
    stage.run(
        f"CREATE OR REPLACE TABLE cell_{name} AS SELECT *, {_excluded(mapped)} AS excluded FROM ("
        f"SELECT p.key, p.parent, p.version, {moment} AS modified_at, p.deleted, p.digest, {values} FROM picked p {joins})"
    )
    faults = [
        f"SELECT p.key, {literal(column.field.name)} AS field, s.fault AS why FROM picked p {_join(column, 's')} WHERE s.fault IS NOT NULL"
        for column, has_slow in zip(made, slow, strict=True)
        if has_slow
    ]
    empty = "SELECT NULL::VARCHAR AS key, NULL::VARCHAR AS field, NULL::VARCHAR AS why WHERE false"
    stage.run(f"CREATE OR REPLACE TABLE fault_{name} AS {' UNION ALL '.join([empty, *faults])}")
    for column, has_slow in zip(made, slow, strict=True):
        if has_slow:
            stage.run(f"DROP TABLE slow_{column.name}")
    stage.run("DROP TABLE picked")


def _source(column: Column, row: str = "p") -> str:
    """The text that stands for all raw values of a column: the value itself, or a JSON list of several."""
    if len(column.raws) == 1:
        return f"{row}.{column.raws[0]}"
    return f"to_json([{', '.join(f'{row}.{raw}' for raw in column.raws)}])::VARCHAR"


def _fast(column: Column, row: str = "p") -> tuple[str, str]:
    """SQL (condition, value) for what needs no Python."""
    if not column.raws:
        return "true", literal(column.field.constant)
    if len(column.raws) > 1:
        blank = " AND ".join(f"coalesce({row}.{raw}, '') = ''" for raw in column.raws)
        return blank, "NULL"
    source = _source(column, row)
    blank = f"coalesce({source}, '') = ''"
    fast = column.field.codec.fast(source)
    if fast is None:
        return blank, "NULL"
    condition, value = fast
    return f"({blank} OR ({condition}))", f"CASE WHEN {blank} THEN NULL ELSE {value} END"


def _slow(stage: Stage, column: Column, side: Side) -> bool:
    """Decode in Python each distinct value that SQL cannot; False where there is none."""
    condition, _ = _fast(column)
    if condition == "true":
        return False
    found = stage.rows(f"SELECT DISTINCT {_source(column)} FROM picked p WHERE NOT ({condition})")
    if not found:
        return False
    codec, many = column.field.codec, len(column.raws) > 1
    rows = []
    for (text,) in found:
        raws: list[Raw] = json.loads(str(text)) if many else [str(text)]
        cell = codec.decode(raws, side)
        rows.append((text, cell, codec.fault(cell)))
    stage.fill(f"slow_{column.name}", [("raw", "VARCHAR"), ("cell", "VARCHAR"), ("fault", "VARCHAR")], [rows])
    return True


def _cell(column: Column, has_slow: bool) -> str:  # noqa: FBT001 - the second half of a pair
    condition, value = _fast(column)
    if condition == "true":
        return f"{value}::VARCHAR"
    rest = f"s_{column.name}.cell" if has_slow else "NULL"
    return f"(CASE WHEN {condition} THEN {value} ELSE {rest} END)::VARCHAR"


def _join(column: Column, alias: str | None = None) -> str:
    table, condition = f"slow_{column.name}", _fast(column)[0]
    name = alias or f"s_{column.name}"
    return f"LEFT JOIN {table} {name} ON {name}.raw = {_source(column)} AND NOT ({condition})"


def _excluded(mapped: EntityMap) -> str:
    """SQL for whether a row of cells is left out by a rule."""
    place = {field.name: f"c{at}" for at, field in enumerate(mapped.fields)}
    tests = []
    for rule in mapped.exclude:
        words = ", ".join(literal(value or "") for value in rule.values)
        among = f"coalesce({place[rule.field]}, '') IN ({words})"
        tests.append(f"NOT ({among})" if rule.negated else among)
    return f"({' OR '.join(tests)})" if tests else "false"


def identities(stage: Stage, mapped: EntityMap, side: Side, rule: Iterable[str], *, keys: str) -> str:
    """SQL (key, identity) for a match rule: one row for each value a row of `cell_e_s` in `keys` is known by, further ones included."""
    place = {field.name: f"c{at}" for at, field in enumerate(mapped.fields)}
    names = list(rule)
    whole = " AND ".join(f"{place[name]} IS NOT NULL" for name in names)
    joined = " || chr(31) || ".join(place[name] for name in names)
    main = f"SELECT key, {joined} AS identity FROM cell_{mapped.entity}_{side} WHERE key IN (SELECT key FROM {keys}) AND {whole}"
    if len(names) > 1:
        return main
    more = [column for column in further(mapped, side) if column.field.name == names[0]]
    parts = [
        main,
        *(
            f"SELECT key, identity FROM {_further(stage, mapped, side, column)} WHERE key IN (SELECT key FROM {keys})"
            for column in more
        ),
    ]
    return " UNION ".join(parts)


def _further(stage: Stage, mapped: EntityMap, side: Side, column: Column) -> str:
    """A table (key, identity) of further values, each decoded on its own."""
    table = f"further_{mapped.entity}_{side}_{column.name}"
    known = stage.count(f"SELECT count(*) FROM duckdb_tables() WHERE table_name = {literal(table)}")
    if known:
        return table
    raw = column.raws[0]
    query = f"SELECT key, {raw} FROM raw_{mapped.entity}_{side} WHERE coalesce({raw}, '') NOT IN ('', '[]')"
    rows = [
        (key, identity)
        for key, text in stage.rows(query)
        for value in _listed(str(text))
        if (identity := column.field.codec.decode([value], side)) is not None
    ]
    stage.fill(table, [("key", "VARCHAR"), ("identity", "VARCHAR")], [rows])
    return table


def _listed(text: str) -> list[str]:
    """The values in a JSON list of texts or of objects with one of GHL's names for the value; else the text itself."""
    try:
        found = json.loads(text)
    except ValueError:
        return [text]
    values = found if isinstance(found, list) else [found]
    inner = (
        next((v[k] for k in ("email", "phone", "value") if k in v), None) if isinstance(v, dict) else v for v in values
    )
    return [str(value) for value in inner if value is not None]
