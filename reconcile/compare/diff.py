"""The three-way comparison of the links that moved: each field, or tag, that differs."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.compare.restored import SLACK
from reconcile.model import Entity, Side
from reconcile.stage.models import render
from reconcile.stage.stage import Stage
from reconcile.stage.texts import text
from reconcile.values.mapping import EntityMap

_PART = 125_000
"""Links whose cells are put side by side at a time."""

_CLOCKS_APART = 300
"""Seconds by which a side's clock may differ from ours: a change so near our write may be it."""


def classify(base_app: str | None, base_ghl: str | None, app: str | None, ghl: str | None) -> str:
    """The truth table of `models/_kind.sql`, one field at a time: tests compare the SQL with it."""
    if app == ghl:
        return "converged"
    app_moved, ghl_moved = app != base_app, ghl != base_ghl
    if app_moved and ghl_moved:
        return "conflict"
    if app_moved:
        return "app_moved"
    if ghl_moved:
        return "ghl_moved"
    return "standing"


def make_delta(stage: Stage, mapped: EntityMap) -> None:
    """Create `wide_e` (moved links with both ends present) and `delta_e` (what differs in them)."""
    entity = mapped.entity
    stage.make("compare/both", entity=entity)
    stage.make(
        "compare/wide",
        entity=entity,
        filled=bool(stage.some(f"both_{entity}")),
        clocks_apart=_CLOCKS_APART,
        slack=SLACK,
    )
    stage.drop(f"both_{entity}")
    stage.make("compare/delta", entity=entity)
    for cells in beside(stage, entity, where="NOT excluded"):
        stage.make("compare/delta_part", entity=entity, fields=mapped.fields, cells=cells)
    if mapped.joint:
        stage.make("compare/joint_moves", entity=entity, joint=mapped.joint)


def beside(stage: Stage, entity: Entity, *, where: str = "true") -> Iterator[str]:
    """SQL for parts of `wide_e`, each row with its cells as lists: base_app, base_ghl, app, ghl.

    In parts, because a first run of a million links, joined at once, needs more than 512 MB; and
    not as a table, which would hold every list a second time.
    """
    links = stage.count(f"SELECT coalesce(max(rowid) + 1, 0) FROM wide_{entity}")
    for start in range(0, links, _PART):
        yield render("compare/beside", entity=entity, start=start, stop=start + _PART, where=where)


def doubtful(
    stage: Stage, mapped: EntityMap, side: Side, *, lag_seconds: float
) -> list[tuple[str, str | None]]:
    """(key, parent) of rows that a bulk read is no proof of: they are read by key first."""
    query = render(
        "compare/doubtful",
        entity=mapped.entity,
        side=side,
        taken_at=stage.snapshots[mapped.entity, side].taken_at,
        lag_seconds=lag_seconds,
    )
    return [(str(key), text(parent)) for key, parent in stage.rows(query)]


def elsewhere(
    stage: Stage, mapped: EntityMap, side: Side, *, most: int
) -> list[tuple[str, str | None]]:
    """(key, former parent) of what is shown on another contact than before, and may hang on both.

    Where there are more than `most`, none are looked at: they are asked about.
    """
    if not mapped.entity.spec.shared:
        return []
    query = render("compare/elsewhere", entity=mapped.entity, side=side)
    rows = stage.rows(query)
    if len(rows) > most:
        return []
    return [(str(key), str(parent)) for key, parent in rows]
