"""What contacts are known by: the identities of rows without a link, and of the rows that they may be equal to."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import partial

from reconcile.link.cells import make_known
from reconcile.model import Side
from reconcile.stage.stage import ANY, Stage, blurred
from reconcile.values.mapping import EntityMap, Field


def make_identities(stage: Stage, mapped: EntityMap) -> None:
    """Create for both sides `known_e_s` (see `make_known`): what unlinked rows are known by, and linked rows that one may equal.

    And `taken_s` (key): those of them that are linked already.
    """
    for side in Side:
        make_further(stage, mapped, side)
    quick = range(len(mapped.blurred()) if stage.some(f"base_{mapped.entity}") else 0)
    sought = [_seek(stage, mapped, at) for at in quick]
    stage.together(
        *(partial(_make_known, mapped=mapped, side=side, sought=sought) for side in Side)
    )
    stage.drop(*(f"sought_{at}" for at in quick))


def _make_known(stage: Stage, mapped: EntityMap, side: Side, *, sought: Sequence[str]) -> None:
    """The same for one side; `sought` is what `_seek` says, field by field."""
    entity = mapped.entity
    rows = " UNION ".join(
        [f"SELECT row FROM unlinked_{entity}_{side}", *_alike(stage, mapped, side, sought)]
    )
    stage.run(f"CREATE OR REPLACE TABLE alike_{side} AS {rows}")
    names = {name for rule in mapped.match for name in rule} | {
        rule.field for rule in mapped.filters
    }
    make_known(stage, mapped, side, rows=f"alike_{side}", names=names)
    stage.drop(f"alike_{side}")
    linked = f"SELECT key FROM known_{entity}_{side} ANTI JOIN unlinked_{entity}_{side} USING (key)"
    stage.run(f"CREATE OR REPLACE TABLE taken_{side} AS {linked}")


def _alike(stage: Stage, mapped: EntityMap, side: Side, sought: Sequence[str]) -> list[str]:
    """SQL (row) for `side`'s rows that unlinked rows, of either side, may be equal to under some rule."""
    entity = mapped.entity
    if not stage.some(f"base_{entity}"):  # none is linked
        return []
    quick = mapped.blurred()
    if any(mapped.field(rule[0]) not in quick for rule in mapped.match):
        return [f"SELECT digest FROM raw_{entity}_{side}"]
    parts = []
    for field, among in zip(quick, sought, strict=True):
        parts.append(f"SELECT row FROM blur_{entity}_{side} {among}")
        parts += [
            f"SELECT digest FROM raw_{entity}_{side} SEMI JOIN {table} USING (key)"
            for table in further(mapped, side, field.name)
        ]
    return parts


def _seek(stage: Stage, mapped: EntityMap, at: int) -> str:
    """Create `sought_n`: the blurs of all unlinked rows' values of the nth field; returns SQL for which blurs may equal one."""
    entity, field, into = mapped.entity, mapped.blurred()[at], f"sought_{at}"
    found = []
    for side in Side:
        free = f"unlinked_{entity}_{side}"
        found.append(
            f"SELECT k{at} FROM blur_{entity}_{side} SEMI JOIN {free} USING (row) WHERE k{at} IS NOT NULL"
        )
        found += [
            f"SELECT {blurred(field.codec, 'identity')} FROM {table} SEMI JOIN {free} USING (key)"
            for table in further(mapped, side, field.name)
        ]
    stage.run(
        f"CREATE OR REPLACE TABLE {into} AS SELECT DISTINCT k{at} FROM ({' UNION ALL '.join(found)}) t(k{at})"
    )
    if stage.count(f"SELECT count(*) FROM {into} WHERE k{at} = {ANY}"):
        return f"WHERE k{at} IS NOT NULL"
    stage.run(f"INSERT INTO {into} VALUES ({ANY})")
    return f"SEMI JOIN {into} USING (k{at})"


def identities(
    mapped: EntityMap,
    side: Side,
    rule: Iterable[str],
    *,
    keys: str | None = None,
    of: str = "known",
) -> str:
    """SQL (key, identity) for a match rule: one row for each value that a row of `known_e_s` (or `cell_e_s`) is known by, further ones included."""
    names = list(rule)
    whole = " AND ".join(f"{mapped.cell(name)} IS NOT NULL" for name in names)
    joined = " || chr(31) || ".join(mapped.cell(name) for name in names)
    known = f"{of}_{mapped.entity}_{side}"
    among = f"key IN (SELECT key FROM {keys or known})"
    main = f"SELECT key, {joined} AS identity FROM {known} WHERE {whole}" + (
        f" AND {among}" if keys else ""
    )
    if len(names) > 1:
        return main
    more = further(mapped, side, names[0])
    return " UNION ".join(
        [main, *(f"SELECT key, identity FROM {table} WHERE {among}" for table in more)]
    )


def further(mapped: EntityMap, side: Side, name: str) -> list[str]:
    """The tables of `make_further` for the field of that name."""
    return [f"further_{mapped.entity}_{side}_{native}" for native in _further(mapped, side, name)]


def _further(mapped: EntityMap, side: Side, name: str) -> list[str]:
    """The raw columns that hold further values of a field, such as additional email addresses."""
    place = {native: f"r{at}" for at, native in enumerate(mapped.native(side))}
    return [place[native] for native in mapped.field(name).also.get(side, ())]


def make_further(stage: Stage, mapped: EntityMap, side: Side) -> None:
    """Create `further_e_s_r` (key, identity) for each raw column r that holds further values of a field, each decoded on its own."""
    for field in mapped.fields:
        for raw, table in zip(
            _further(mapped, side, field.name), further(mapped, side, field.name), strict=True
        ):
            query = f"SELECT key, {raw} FROM raw_{mapped.entity}_{side} WHERE coalesce({raw}, '') NOT IN ('', '[]')"
            batches = (_further_values(field, side, batch) for batch in stage.stream(query))
            stage.fill(table, [("key", "VARCHAR"), ("identity", "VARCHAR")], batches)


def _further_values(
    field: Field, side: Side, rows: Iterable[tuple[object, ...]]
) -> list[tuple[object, ...]]:
    return [
        (key, identity)
        for key, text in rows
        for value in _listed(str(text))
        if (identity := field.codec.decode([value], side)) is not None
    ]


def _listed(text: str) -> list[str]:
    """The values in a JSON list of texts or of objects with one of GHL's names for the value; else the text itself."""
    try:
        found = json.loads(text)
    except ValueError:
        return [text]
    values = found if isinstance(found, list) else [found]
    inner = (
        next((v[k] for k in ("email", "phone", "value") if k in v), None)
        if isinstance(v, dict)
        else v
        for v in values
    )
    return [str(value) for value in inner if value is not None]
