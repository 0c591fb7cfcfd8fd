"""Canonical cells of the rows that need looking at: in SQL where a value is canonical already, in Python once per distinct rest."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from reconcile.model import Side
from reconcile.stage.quoting import literal
from reconcile.stage.stage import Stage
from reconcile.values.codecs import Raw
from reconcile.values.mapping import EntityMap, Field


@dataclass(frozen=True, slots=True)
class Column:
    """A field, and the raw columns of `raw_e_s` that its cells are made of."""

    field: Field
    raws: tuple[str, ...]


def columns(mapped: EntityMap, side: Side) -> list[Column]:
    """What the cells of an entity's fields on a side are made of, in the fields' order."""
    place = {native: f"r{at}" for at, native in enumerate(mapped.native(side))}
    return [
        Column(field, tuple(place[native] for native in field.read(side)))
        for field in mapped.fields
    ]


def make_cells(stage: Stage, mapped: EntityMap, side: Side, *, rows: str | None = None) -> None:
    """Create `cell_e_s` for those rows of `raw_e_s` that the relation `rows` (row: a digest) names; for all without one.

    Columns: key, parent, version, modified_at (normal form), deleted, digest, excluded, and cells: a list of all fields' cells
    in order; and `fault_e_s` (key, field, why) with every value that is not well-formed.
    """
    name, made = f"{mapped.entity}_{side}", columns(mapped, side)
    moment = "strftime(try_cast(r.modified_at AS TIMESTAMPTZ), '%Y-%m-%dT%H:%M:%S.%gZ')"
    head = f"r.key, r.parent, r.version, {moment} AS modified_at, r.deleted, r.digest"
    slow = _make_rough(
        stage, mapped, side, head=head, values=[_value(column) for column in made], rows=rows
    )
    _put_slow(stage, mapped, side, list(slow), into=f"cell_{name}")
    faults = [
        f"SELECT c.key, {literal(made[at - 1].field.name)} AS field, s.fault AS why FROM rough_{name} c "
        f"JOIN slow_{name} s ON s.place = {at} AND s.raw = c.cells[{at}] WHERE s.fault IS NOT NULL"
        for at, faulty in slow.items()
        if faulty
    ]
    empty = "SELECT NULL::VARCHAR AS key, NULL::VARCHAR AS field, NULL::VARCHAR AS why WHERE false"
    stage.run(f"CREATE OR REPLACE TABLE fault_{name} AS {' UNION ALL '.join([empty, *faults])}")
    stage.drop(f"rough_{name}", f"slow_{name}")


def make_known(
    stage: Stage, mapped: EntityMap, side: Side, *, names: Collection[str], rows: str | None = None
) -> None:
    """Create `known_e_s` (key, excluded, cells) for the rows that `rows` names; only the fields `names` have cells in it."""
    name = f"{mapped.entity}_{side}"
    values = [_value(c) if c.field.name in names else "NULL" for c in columns(mapped, side)]
    slow = _make_rough(stage, mapped, side, head="r.key", values=values, rows=rows)
    _put_slow(stage, mapped, side, list(slow), into=f"known_{name}")
    stage.drop(f"rough_{name}", f"slow_{name}")


_UNDONE = "chr(1)"
"""Before a raw value that SQL did not make canonical; nothing that it makes canonical begins so."""

_SLOW = f"""
SELECT DISTINCT place, raw FROM (SELECT generate_subscripts(cells, 1) AS place, unnest(cells) AS raw FROM rough_{{name}})
WHERE starts_with(raw, {_UNDONE})
"""


def _make_rough(
    stage: Stage,
    mapped: EntityMap,
    side: Side,
    *,
    head: str,
    values: Sequence[str],
    rows: str | None,
) -> dict[int, bool]:
    """Create `rough_e_s`, with the cells that SQL can decode, and `slow_e_s` (place, raw, cell, fault), with what Python makes of the others.

    Returns the places of fields with such others, and whether one of them is not well-formed. One look at each value: a copy
    of the raw rows first, or a second test of the same value, costs as much again.
    """
    among = f"SEMI JOIN {rows} chosen ON chosen.row = r.digest" if rows else ""
    name, listed = f"{mapped.entity}_{side}", f"[{', '.join(values)}]::VARCHAR[]"
    stage.run(
        f"CREATE OR REPLACE TABLE rough_{name} AS SELECT {head}, false AS excluded, {listed} AS cells FROM raw_{name} r {among}"
    )
    found: dict[int, bool] = {}
    decoded = _decode(stage.stream(_SLOW.format(name=name)), columns(mapped, side), side, found)
    kinds = (("place", "INTEGER"), ("raw", "VARCHAR"), ("cell", "VARCHAR"), ("fault", "VARCHAR"))
    stage.fill(f"slow_{name}", kinds, decoded)
    return found


def _decode(
    batches: Iterable[list[tuple[object, ...]]],
    made: Sequence[Column],
    side: Side,
    found: dict[int, bool],
) -> Iterator[list[tuple[object, ...]]]:
    """Each distinct value that SQL could not decode, as Python does; tells in `found` where such values are."""
    for batch in batches:
        rows: list[tuple[object, ...]] = []
        for place, marked in batch:
            at, text = int(str(place)), str(marked)[1:]
            column = made[at - 1]
            raws: list[Raw] = json.loads(text) if len(column.raws) > 1 else [text]
            cell = column.field.codec.decode(raws, side)
            fault = column.field.codec.fault(cell)
            found[at] = found.get(at, False) or fault is not None
            rows.append((at, marked, cell, fault))
        yield rows


def _put_slow(
    stage: Stage, mapped: EntityMap, side: Side, slow: Sequence[int], *, into: str
) -> None:
    """Make `rough_e_s` the table `into`, with the slow values in place, and whether a rule leaves the row out."""
    name = f"{mapped.entity}_{side}"
    if not slow and not mapped.filters:
        stage.run(f"DROP TABLE IF EXISTS work.{into}; ALTER TABLE rough_{name} RENAME TO {into}")
        return
    put = ", ".join(
        f"CASE WHEN starts_with(c.cells[{at}], {_UNDONE}) THEN s{at}.cell ELSE c.cells[{at}] END"
        if at in slow
        else f"c.cells[{at}]"
        for at in range(1, len(mapped.fields) + 1)
    )
    joins = " ".join(
        f"LEFT JOIN slow_{name} s{at} ON s{at}.place = {at} AND s{at}.raw = c.cells[{at}]"
        for at in slow
    )
    whole = (
        f"SELECT c.* REPLACE ([{put}] AS cells) FROM rough_{name} c {joins}"
        if slow
        else f"FROM rough_{name}"
    )
    stage.run(
        f"CREATE OR REPLACE TABLE {into} AS SELECT * REPLACE ({_excluded(mapped)} AS excluded) FROM ({whole})"
    )


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


def _excluded(mapped: EntityMap) -> str:
    """SQL for whether a row of cells is left out by a rule."""
    tests = []
    for rule in mapped.filters:
        words = ", ".join(literal(value or "") for value in rule.values)
        among = f"coalesce({mapped.cell(rule.field)}, '') IN ({words})"
        tests.append(f"NOT ({among})" if rule.negated else among)
    return f"({' OR '.join(tests)})" if tests else "false"
