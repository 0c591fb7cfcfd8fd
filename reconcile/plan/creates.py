"""Drafts what becomes of records without a counterpart: created, or left out with the reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

from reconcile.model import Cell, Side
from reconcile.plan import phases
from reconcile.stage.models import render
from reconcile.stage.stage import Stage
from reconcile.values.mapping import EntityMap, Field


def draft_creates(stage: Stage, mapped: EntityMap, side: Side) -> None:
    """Add creates for the orphans of `side` to `operation`, and what is left out to `passed`."""
    entity, other = mapped.entity, side.other
    if not stage.some(f"unlinked_{entity}_{side}", f"free_{entity}_{side}"):
        return
    stage.make("plan/excluded", entity=entity, side=side, constants=_constants(mapped))
    find_orphans(stage, mapped, side)
    stage.make(
        "plan/created",
        entity=entity,
        side=side,
        other=other,
        side_label=side.label,
        other_label=other.label,
        fields=placed(mapped),
        sent=travelling(mapped, side),
        phases=phases,
    )
    stage.make(
        "plan/not_created", entity=entity, side=side, other_label=other.label, code="REQUIRED"
    )


def find_orphans(stage: Stage, mapped: EntityMap, side: Side) -> bool:
    """Create `orphan_s`, with what becomes of each record of `side` that is free.

    False where there is none.
    """
    entity, other = mapped.entity, side.other
    # Whether a record is missing on the other side is known only as far as that side was read.
    snapshot = stage.snapshots[entity, other]
    stage.make(
        "plan/orphan",
        entity=entity,
        side=side,
        other=other,
        side_label=side.label,
        other_label=other.label,
        fields=mapped.fields,
        sent=travelling(mapped, side),
        faulty=bool(stage.some(f"fault_{entity}_{side}")),
        allowed=mapped.create.allows(other),
        whole=snapshot.complete and not snapshot.partial,
        partial=snapshot.partial,
    )
    return bool(stage.some(f"orphan_{side}"))


def missing(stage: Stage, mapped: EntityMap, side: Side) -> Iterator[tuple[str, dict[str, Cell]]]:
    """Records of `side`, with their cells, that would be created if they were known to be new."""
    find_orphans(stage, mapped, side)
    rows = stage.rows(render("plan/missing", entity=mapped.entity, side=side))
    stage.drop(f"orphan_{side}")
    for key, cells in rows:
        values: Sequence[Cell] = cast("Sequence[Cell]", cells)
        known: dict[str, Cell] = {}
        for field, cell in zip(mapped.fields, values, strict=True):
            if cell is not None:
                known[field.name] = cell
        yield str(key), known


def _constants(mapped: EntityMap) -> list[tuple[int, str | None, str]]:
    """(place, constant, reason) of the fields that show whether a row is of this pair at all."""
    constants = []
    for field in mapped.selecting:
        reason = (
            f'its {field.name} is not "{field.constant}", the pair\'s constant: '
            "it is of something else"
        )
        constants.append((mapped.place(field.name), field.constant, reason))
    return constants


def placed(mapped: EntityMap) -> list[tuple[int, Field]]:
    """Each field, with its place in a list of cells."""
    return list(enumerate(mapped.fields, start=1))


def travelling(mapped: EntityMap, side: Side) -> list[tuple[int, Field]]:
    """The fields that a create on the other side carries, each with its place."""
    return [
        (place, field)
        for place, field in placed(mapped)
        if field.rule.flow.owner in (None, side) and field.native(side.other)
    ]
