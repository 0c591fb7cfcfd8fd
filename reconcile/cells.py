"""Canonical cells of the rows that need looking at: in SQL where a value is canonical already, in Python once per distinct rest."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
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
    made = columns(mapped, side)
    slow = _pick(stage, name, side, keys=keys, made=made)
    moment = "strftime(try_cast(p.modified_at AS TIMESTAMPTZ), '%Y-%m-%dT%H:%M:%S.%gZ')"
    head = f"p.key, p.parent, p.version, {moment} AS modified_at, p.deleted, p.digest"
    stage.run(f"CREATE OR REPLACE TABLE cell_{name} AS {_decoded(mapped, head, made, slow)}")
    faults = [
        f"SELECT p.key, {literal(column.field.name)} AS field, s.fault AS why FROM picked p {_join(column, 's')} WHERE s.fault IS NOT NULL"
        for column in made
        if column.name in slow
    ]
    empty = "SELECT NULL::VARCHAR AS key, NULL::VARCHAR AS field, NULL::VARCHAR AS why WHERE false"
    stage.run(f"CREATE OR REPLACE TABLE fault_{name} AS {' UNION ALL '.join([empty, *faults])}")
    _put_back(stage, slow)


def make_known(stage: Stage, mapped: EntityMap, side: Side, *, keys: str, names: Collection[str]) -> None:
    """Create `known_e_s` (key, excluded, and the columns of the fields `names`) for the rows whose key is in `keys`."""
    name = f"{mapped.entity}_{side}"
    made = [column for column in columns(mapped, side) if column.field.name in names]
    slow = _pick(stage, name, side, keys=keys, made=made)
    stage.run(f"CREATE OR REPLACE TABLE known_{name} AS {_decoded(mapped, 'p.key', made, slow)}")
    _put_back(stage, slow)


def _pick(stage: Stage, name: str, side: Side, *, keys: str, made: Sequence[Column]) -> set[str]:
    """Create `picked`, the raw rows with those keys; decode what SQL cannot. Returns the columns that have such values."""
    raws = dict.fromkeys(raw for column in made for raw in column.raws)
    head = ["key", "parent", "version", "modified_at", "deleted", "digest"]
    everyone = stage.count(f"SELECT count(*) FROM raw_{name} ANTI JOIN {keys} USING (key)") == 0
    # Where nothing is left out, as on a first run, a copy of all raw rows would only cost its writing.
    form, among = ("VIEW", "") if everyone else ("TABLE", f"WHERE key IN (SELECT key FROM {keys})")
    stage.run(f"CREATE {form} picked AS SELECT {', '.join([*head, *raws])} FROM raw_{name} {among}")
    return {column.name for column in made if _slow(stage, column, side)}


def _put_back(stage: Stage, slow: Iterable[str]) -> None:
    for column in slow:
        stage.run(f"DROP TABLE slow_{column}")
    form = "VIEW" if stage.count("SELECT count(*) FROM duckdb_views() WHERE view_name = 'picked'") else "TABLE"
    stage.run(f"DROP {form} picked")


def _decoded(mapped: EntityMap, head: str, made: Sequence[Column], slow: Collection[str]) -> str:
    values = "".join(f", {_cell(column, column.name in slow)} AS {column.name}" for column in made)
    joins = " ".join(_join(column) for column in made if column.name in slow)
    return f"SELECT *, {_excluded(mapped)} AS excluded FROM (SELECT {head}{values} FROM picked p {joins})"


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


def identities(
    stage: Stage, mapped: EntityMap, side: Side, rule: Iterable[str], *, keys: str | None = None, of: str = "cell"
) -> str:
    """SQL (key, identity) for a match rule: one row for each value a row of `cell_e_s` (or `known_e_s`) is known by, further ones included."""
    place = {field.name: f"c{at}" for at, field in enumerate(mapped.fields)}
    names = list(rule)
    whole = " AND ".join(f"{place[name]} IS NOT NULL" for name in names)
    joined = " || chr(31) || ".join(place[name] for name in names)
    known = f"{of}_{mapped.entity}_{side}"
    among = f"key IN (SELECT key FROM {keys or known})"
    main = f"SELECT key, {joined} AS identity FROM {known} WHERE {whole}" + (f" AND {among}" if keys else "")
    if len(names) > 1:
        return main
    more = [column for column in further(mapped, side) if column.field.name == names[0]]
    parts = [f"SELECT key, identity FROM {_further(stage, mapped, side, column)} WHERE {among}" for column in more]
    return " UNION ".join([main, *parts])


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
