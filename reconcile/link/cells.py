"""Canonical cells of the rows that need looking at.

SQL makes them where a value is canonical already, Python once for each distinct other one.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from reconcile.model import Side
from reconcile.stage.models import render
from reconcile.stage.quoting import literal
from reconcile.stage.stage import Stage
from reconcile.values.codecs import Raw
from reconcile.values.mapping import EntityMap, Field, Formula


@dataclass(frozen=True, slots=True)
class Column:
    """A field, and the raw columns of `raw_e_s` that its cells are made of."""

    field: Field
    raws: tuple[str, ...]
    formula: Formula | None = None

    @property
    def listed(self) -> bool:
        """Whether the text that stands for it is a JSON list of several raw values."""
        return len(self.raws) > 1 and self.formula is None


def columns(mapped: EntityMap, side: Side) -> list[Column]:
    """What the cells of an entity's fields on a side are made of, in the fields' order."""
    place = {native: f"r{at}" for at, native in enumerate(mapped.native(side))}
    return [
        Column(field, tuple(place[native] for native in field.read(side)), field.computed(side))
        for field in mapped.fields
    ]


@dataclass(frozen=True, slots=True)
class _Rough:
    """SQL for a cell: where `test` holds it is `cell`.

    Elsewhere Python has to make it canonical of the text `source`.
    """

    test: str
    cell: str
    source: str


_UNDONE = "chr(1)"
"""Before a raw value that SQL did not make canonical; nothing that it makes canonical begins so."""


def make_cells(stage: Stage, mapped: EntityMap, side: Side, *, rows: str | None = None) -> None:
    """Create `cell_e_s` for those rows of `raw_e_s` that the relation `rows` (row: a digest) names.

    Without `rows` it is for all of them.

    Columns: key, parent, version, modified_at (normal form), deleted, digest, excluded, and cells:
    a list of all fields' cells in order; and `fault_e_s` (key, field, why) with every value that is
    not well-formed.
    """
    name = f"{mapped.entity}_{side}"
    cells = [_rough(column) for column in columns(mapped, side)]
    _make_rough(stage, mapped, side, cells=cells, rows=rows, whole=True)
    slow = _make_slow(stage, mapped, side)
    _put_slow(stage, mapped, side, list(slow), into=f"cell_{name}")
    faulty = [(place, mapped.fields[place - 1].name) for place, fault in slow.items() if fault]
    stage.make("link/fault", entity=mapped.entity, side=side, faulty=faulty)
    stage.drop(f"rough_{name}", f"slow_{name}")


def make_known(
    stage: Stage, mapped: EntityMap, side: Side, *, names: Collection[str], rows: str | None = None
) -> None:
    """Create `known_e_s` (key, excluded, cells) for the rows that `rows` names.

    Only the fields `names` have cells in it.
    """
    name = f"{mapped.entity}_{side}"
    cells = [
        _rough(column) if column.field.name in names else None for column in columns(mapped, side)
    ]
    _make_rough(stage, mapped, side, cells=cells, rows=rows, whole=False)
    slow = _make_slow(stage, mapped, side)
    _put_slow(stage, mapped, side, list(slow), into=f"known_{name}")
    stage.drop(f"rough_{name}", f"slow_{name}")


def _make_rough(
    stage: Stage,
    mapped: EntityMap,
    side: Side,
    *,
    cells: Sequence[_Rough | None],
    rows: str | None,
    whole: bool,
) -> None:
    """Create `rough_e_s`, with the cells that SQL can make canonical.

    With `whole` it has all columns of a row.
    """
    stage.make(
        "link/rough",
        entity=mapped.entity,
        side=side,
        rough=cells,
        rows=rows,
        whole=whole,
        undone=_UNDONE,
    )


def _make_slow(stage: Stage, mapped: EntityMap, side: Side) -> dict[int, bool]:
    """Create `slow_e_s` (place, raw, cell, fault) for what SQL could not make canonical.

    It has what Python makes of those values.

    Returns the places of fields with such values, and whether one of them is not well-formed.
    """
    faults: dict[int, bool] = {}
    query = render("link/slow", entity=mapped.entity, side=side, undone=_UNDONE)
    decoded = _decode(stage.stream(query), columns(mapped, side), side, faults)
    kinds = (("place", "INTEGER"), ("raw", "VARCHAR"), ("cell", "VARCHAR"), ("fault", "VARCHAR"))
    stage.fill(f"slow_{mapped.entity}_{side}", kinds, decoded)
    return faults


def _decode(
    batches: Iterable[list[tuple[object, ...]]],
    fields: Sequence[Column],
    side: Side,
    faults: dict[int, bool],
) -> Iterator[list[tuple[object, ...]]]:
    """Each distinct value that SQL could not decode, as Python does.

    Notes in `faults` where such values are.
    """
    for batch in batches:
        rows: list[tuple[object, ...]] = []
        for number, marked in batch:
            place, text = int(str(number)), str(marked)[1:]
            column = fields[place - 1]
            raws: list[Raw] = [text]
            if column.listed:
                raws = json.loads(text)
            cell = column.field.cell(raws, side)
            fault = column.field.fault(cell)
            # Faults are looked for in the fields that have any: in most runs in none.
            faults[place] = faults.get(place, False) or fault is not None
            rows.append((place, marked, cell, fault))
        yield rows


def _put_slow(
    stage: Stage, mapped: EntityMap, side: Side, slow: Sequence[int], *, into: str
) -> None:
    """Make `rough_e_s` the table `into`, with the slow values in place.

    It also says whether a rule leaves the row out.
    """
    rough = f"rough_{mapped.entity}_{side}"
    if not slow and not mapped.filters:
        # A copy of a million rows would take as long as making them.
        stage.run(f"DROP TABLE IF EXISTS work.{into}; ALTER TABLE {rough} RENAME TO {into}")
        return
    stage.make(
        "link/cell",
        entity=mapped.entity,
        side=side,
        into=into,
        slow=slow,
        fields=mapped.fields,
        filters=_filters(mapped),
        undone=_UNDONE,
    )


def _rough(column: Column) -> _Rough:
    """What SQL alone can make of a column."""
    source = _source(column)
    if not column.raws:
        return _Rough("true", literal(column.field.constant), source)
    if column.listed:
        blank = " AND ".join(f"coalesce(r.{raw}, '') = ''" for raw in column.raws)
        return _Rough(blank, "NULL", source)
    blank = f"coalesce({source}, '') = ''"
    fast = column.field.codec.fast(source)
    if fast is None:
        return _Rough(blank, "NULL", source)
    test, value = fast
    return _Rough(f"{blank} OR ({test})", f"CASE WHEN {blank} THEN NULL ELSE {value} END", source)


def _source(column: Column) -> str:
    """The text that stands for the raw values of a column: the value, or a JSON list of several."""
    if column.formula is not None:
        return column.formula.sql([f"r.{raw}" for raw in column.raws])
    if len(column.raws) == 1:
        return f"r.{column.raws[0]}"
    # As one text, so that Python decodes each combination that occurs once.
    return f"to_json([{', '.join(f'r.{raw}' for raw in column.raws)}])::VARCHAR"


def _filters(mapped: EntityMap) -> list[Mapping[str, object]]:
    """The rules that leave rows out, as the model asks for them.

    A field's place, and the words it may hold, or may not.
    """
    filters: list[Mapping[str, object]] = []
    for rule in mapped.filters:
        words = [value or "" for value in rule.values]
        filters.append({"place": mapped.place(rule.field), "words": words, "negated": rule.negated})
    return filters
