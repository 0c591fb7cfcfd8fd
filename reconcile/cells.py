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


def make_cells(stage: Stage, mapped: EntityMap, side: Side, *, rows: str | None = None) -> None:
    """Create `cell_e_s` for those rows of `raw_e_s` that the relation `rows` (row: a digest) names; for all without one.

    Columns: key, parent, version, modified_at (normal form), deleted, digest, excluded, c0, c1, ...; and `fault_e_s`
    (key, field, why) with every value that is not well-formed.
    """
    name = f"{mapped.entity}_{side}"
    made = columns(mapped, side)
    moment = "strftime(try_cast(r.modified_at AS TIMESTAMPTZ), '%Y-%m-%dT%H:%M:%S.%gZ')"
    head = f"r.key, r.parent, r.version, {moment} AS modified_at, r.deleted, r.digest"
    slow = _make_rough(stage, f"raw_{name} r", made, side, head=head, rows=rows)
    stage.run(f"CREATE OR REPLACE TABLE cell_{name} AS {_decoded(mapped, slow)}")
    faults = [
        f"SELECT c.key, {literal(field)} AS field, s.fault AS why FROM rough c JOIN slow_{column} s ON s.raw = c.{column} WHERE s.fault IS NOT NULL"
        for column, field in slow.items()
    ]
    empty = "SELECT NULL::VARCHAR AS key, NULL::VARCHAR AS field, NULL::VARCHAR AS why WHERE false"
    stage.run(f"CREATE OR REPLACE TABLE fault_{name} AS {' UNION ALL '.join([empty, *faults])}")
    _drop(stage, slow)


def make_known(stage: Stage, mapped: EntityMap, side: Side, *, names: Collection[str], rows: str | None = None) -> None:
    """Create `known_e_s` (key, excluded, and the columns of the fields `names`) for the rows that `rows` names."""
    name = f"{mapped.entity}_{side}"
    made = [column for column in columns(mapped, side) if column.field.name in names]
    slow = _make_rough(stage, f"raw_{name} r", made, side, head="r.key", rows=rows)
    stage.run(f"CREATE OR REPLACE TEMP TABLE known_{name} AS {_decoded(mapped, slow)}")
    _drop(stage, slow)


_UNDONE = "chr(1)"
"""Before a raw value that SQL did not make canonical; nothing that it makes canonical begins so."""


def _make_rough(
    stage: Stage, source: str, made: Sequence[Column], side: Side, *, head: str, rows: str | None
) -> dict[str, str]:
    """Create `rough`, with what SQL can decode, and `slow_c` for each column c with values that it cannot: by column, its field.

    One look at each value: a copy of the raw rows first, or a second test of the same value, costs as much again.
    """
    values = "".join(f", {_value(column)} AS {column.name}" for column in made)
    among = f"SEMI JOIN {rows} chosen ON chosen.row = r.digest" if rows else ""
    stage.run(f"CREATE OR REPLACE TEMP TABLE rough AS SELECT {head}{values} FROM {source} {among}")
    doubted = [column for column in made if _fast(column)[0] != "true"]
    if not doubted:
        return {}
    flags = stage.one(f"SELECT {', '.join(f'bool_or(starts_with({c.name}, {_UNDONE}))' for c in doubted)} FROM rough")
    found = [column for column, flag in zip(doubted, flags, strict=True) if flag]
    for column in found:
        _decode(stage, column, side)
    return {column.name: column.field.name for column in found}


def _drop(stage: Stage, slow: Iterable[str]) -> None:
    stage.run("".join(f"DROP TABLE slow_{column};" for column in slow) + "DROP TABLE rough")


def _decoded(mapped: EntityMap, slow: Iterable[str]) -> str:
    """SQL for the rows of `rough` with the slow values in place, and whether a rule leaves them out."""
    names = list(slow)
    put = ", ".join(f"CASE WHEN starts_with(c.{n}, {_UNDONE}) THEN s_{n}.cell ELSE c.{n} END AS {n}" for n in names)
    joins = " ".join(f"LEFT JOIN slow_{n} s_{n} ON s_{n}.raw = c.{n}" for n in names)
    whole = f"SELECT c.* REPLACE ({put}) FROM rough c {joins}" if names else "FROM rough"
    return f"SELECT *, {_excluded(mapped)} AS excluded FROM ({whole})"


def _source(column: Column) -> str:
    """The text that stands for all raw values of a column: the value itself, or a JSON list of several."""
    if len(column.raws) == 1:
        return f"r.{column.raws[0]}"
    return f"to_json([{', '.join(f'r.{raw}' for raw in column.raws)}])::VARCHAR"


def _fast(column: Column) -> tuple[str, str]:
    """SQL (condition, value) for what needs no Python."""
    if not column.raws:
        return "true", literal(column.field.constant)
    if len(column.raws) > 1:
        blank = " AND ".join(f"coalesce(r.{raw}, '') = ''" for raw in column.raws)
        return blank, "NULL"
    source = _source(column)
    blank = f"coalesce({source}, '') = ''"
    fast = column.field.codec.fast(source)
    if fast is None:
        return blank, "NULL"
    condition, value = fast
    return f"{blank} OR ({condition})", f"CASE WHEN {blank} THEN NULL ELSE {value} END"


def _value(column: Column) -> str:
    condition, value = _fast(column)
    return f"(CASE WHEN {condition} THEN {value} ELSE {_UNDONE} || {_source(column)} END)::VARCHAR"


def _decode(stage: Stage, column: Column, side: Side) -> None:
    """Create `slow_c`: each distinct value of `rough` that SQL could not decode, as Python does, with what is wrong with it."""
    query = f"SELECT DISTINCT {column.name} FROM rough WHERE starts_with({column.name}, {_UNDONE})"
    codec, many = column.field.codec, len(column.raws) > 1
    rows = []
    for (marked,) in stage.rows(query):
        text = str(marked)[1:]
        raws: list[Raw] = json.loads(text) if many else [text]
        cell = codec.decode(raws, side)
        rows.append((marked, cell, codec.fault(cell)))
    stage.fill(f"slow_{column.name}", [("raw", "VARCHAR"), ("cell", "VARCHAR"), ("fault", "VARCHAR")], [rows])


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
    parts = [
        f"SELECT key, identity FROM {further_values(stage, mapped, side, column)} WHERE {among}" for column in more
    ]
    return " UNION ".join([main, *parts])


def forget_further(stage: Stage, mapped: EntityMap, side: Side) -> None:
    """Drop the tables of further values, which the rows may have left behind."""
    stage.run("".join(f"DROP TABLE IF EXISTS {_further_table(mapped, side, c)};" for c in further(mapped, side)))


def _further_table(mapped: EntityMap, side: Side, column: Column) -> str:
    return f"further_{mapped.entity}_{side}_{column.name}"


def further_values(stage: Stage, mapped: EntityMap, side: Side, column: Column) -> str:
    """A table (key, identity) of further values, each decoded on its own."""
    table = _further_table(mapped, side, column)
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
