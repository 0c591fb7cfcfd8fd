"""Names records for people, and shows a cell as they read it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import cast

from reconcile.link.cells import make_known
from reconcile.model import Cell, Entity, Side
from reconcile.stage.models import render
from reconcile.stage.stage import Stage
from reconcile.values.codecs import Email, Labels, Name, Phone, RichText
from reconcile.values.mapping import EntityMap, Field, Mapping

_LONGEST = 80  # characters of a note's text that serve as its name


def make_labels(stage: Stage, mapping: Mapping) -> None:
    """Create `name_e_s` (key, label, under): a looked-at record's name, and its contact's key."""
    for mapped in mapping.entities:
        for side in Side:
            stage.make("report/name", entity=mapped.entity, side=side, **_label(mapped))


def names(
    stage: Stage, mapping: Mapping, entity: Entity, side: Side, keys: Iterable[str]
) -> dict[str, str]:
    """What records are called, by key, also those that this run had no reason to look at."""
    wanted = sorted(set(keys))
    if not wanted or entity not in mapping or not stage.has(f"raw_{entity}_{side}"):
        return {}
    mapped = mapping[entity]
    stage.fill("unnamed", [("key", "VARCHAR")], [[(key,) for key in wanted]])
    rows = f"SELECT digest AS row FROM raw_{entity}_{side} SEMI JOIN unnamed USING (key)"
    stage.run(f"CREATE OR REPLACE TABLE unnamed AS {rows}")
    fields = [field.name for field in mapped.fields]
    make_known(stage, mapped, side, names=fields, rows="unnamed")
    query = render("report/name_known", entity=entity, side=side, **_label(mapped))
    labels = {str(key): str(label) for key, label in stage.rows(query)}
    stage.drop("unnamed", f"known_{entity}_{side}")
    return labels


def _label(mapped: EntityMap) -> dict[str, object]:
    """What the models of names need to know of a record's fields."""
    parts = [field for field in mapped.fields if isinstance(field.codec, Name)]
    others = [field for field in mapped.fields if not isinstance(field.codec, Name | Labels)]
    return {
        "name_parts": [mapped.cell(field.name) for field in parts],
        "other_cells": [mapped.cell(field.name) for field in sorted(others, key=_naming)],
        "longest": _LONGEST,
    }


def _naming(field: Field) -> tuple[bool, ...]:
    """Fields that name a record best come first."""
    named = field.name in ("name", "full_name", "title", "subject")
    return (
        not named,
        not isinstance(field.codec, Email),
        not isinstance(field.codec, Phone),
        not isinstance(field.codec, RichText),
    )


def shown(field: Field | None, cell: Cell) -> Cell:
    """A cell as people read it: a set as its words, everything else as it is."""
    if cell is None or field is None or not isinstance(field.codec, Labels):
        return cell
    return ", ".join(json.loads(cell))


def records(
    stage: Stage, mapped: EntityMap, side: Side, keys: Iterable[str]
) -> dict[str, dict[str, Cell]]:
    """The cells of looked-at records, by key, blanks left out."""
    wanted = sorted(set(keys))
    if not wanted:
        return {}
    query = (
        f"SELECT key, cells FROM cell_{mapped.entity}_{side} WHERE list_contains(?::VARCHAR[], key)"
    )
    return {str(key): _cells(mapped, cells) for key, cells in stage.rows(query, wanted)}


def places(
    stage: Stage, mapped: EntityMap, side: Side, keys: Iterable[str]
) -> dict[str, tuple[str | None, str | None]]:
    """When looked-at records were last changed, as their side says, and their contacts' keys."""
    wanted = sorted(set(keys))
    query = (
        f"SELECT key, modified_at, parent FROM cell_{mapped.entity}_{side} "
        "WHERE list_contains(?::VARCHAR[], key)"
    )
    rows = stage.rows(query, wanted) if wanted else []
    return {
        str(key): (cast("str | None", modified_at), cast("str | None", parent))
        for key, modified_at, parent in rows
    }


def _cells(mapped: EntityMap, row: object) -> dict[str, Cell]:
    pairs = zip(mapped.fields, cast("list[Cell]", row), strict=True)
    return {field.name: shown(field, cell) for field, cell in pairs if cell is not None}
