"""Names records for people, and shows a cell as they read it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import cast

from reconcile.model import Cell, Entity, Side
from reconcile.stage.stage import Stage
from reconcile.values.codecs import Email, Labels, Name, Phone, RichText
from reconcile.values.mapping import EntityMap, Field, Mapping

_LONGEST = 80  # characters of a note's text that serve as its name


def make_labels(stage: Stage, mapping: Mapping) -> None:
    """Create `name_e_s` (key, label, under): a looked-at record's name, and its contact's key."""
    for mapped in mapping.entities:
        parts = [field for field in mapped.fields if isinstance(field.codec, Name)]
        others = [field for field in mapped.fields if not isinstance(field.codec, Name | Labels)]
        for side in Side:
            stage.make(
                "report/name",
                entity=mapped.entity,
                side=side,
                name_parts=[mapped.cell(field.name) for field in parts],
                other_cells=[mapped.cell(field.name) for field in sorted(others, key=_naming)],
                longest=_LONGEST,
            )


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


def record_entity(entity: Entity) -> Entity:
    """The entity that a record is of: tags are on contacts."""
    return Entity.CONTACT if entity is Entity.TAG else entity
