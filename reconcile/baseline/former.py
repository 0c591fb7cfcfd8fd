"""Records as an earlier run read them, beside those that changed since."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from reconcile.model import Entity, Side
from reconcile.ports import Record
from reconcile.stage.archive import Archived
from reconcile.stage.models import render
from reconcile.stage.quoting import literal
from reconcile.stage.stage import Stage
from reconcile.stage.texts import text
from reconcile.values.mapping import EntityMap


def bring(stage: Stage, mapped: EntityMap, side: Side, archived: Path) -> None:
    """Stage the records of an archived `raw_e_s` that this run did not read.

    `archived` lies in the stage's folder, and has the columns that this run's own table has.
    """
    stage.expect(archived)
    former = f"read_parquet({literal(str(archived))})"
    stage.make("baseline/forward", entity=mapped.entity, side=side, former=former)
    stage.blur(mapped, side)


def newest(archived: Archived, entity: Entity, side: Side) -> str | None:
    """The latest date of change that a bulk read showed; what was read by key came later."""
    raw = archived.optional(f"raw_{entity}_{side}")
    proven = archived.optional(f"proven_{entity}_{side}")
    if raw is None or proven is None:
        return None
    row = archived.sql.execute(render("baseline/newest", raw=raw, proven=proven)).fetchone()
    if row is None:
        return None
    (moment,) = row
    return text(moment)


def brought(stage: Stage, entity: Entity, side: Side) -> set[str]:
    """Keys of the records that this run did not read."""
    return _keys(stage, "baseline/brought", entity, side)


def unsettled(stage: Stage, entity: Entity, side: Side) -> set[str]:
    """Keys of the records that were brought, and are not as the ledger last knew them."""
    return _keys(stage, "baseline/unsettled", entity, side)


def unfound(stage: Stage, entity: Entity, side: Side, *, since: str) -> set[str]:
    """Keys of the records that were brought, though the side was asked for their date."""
    return _keys(stage, "baseline/unfound", entity, side, since=since)


def bereft(stage: Stage, entity: Entity, side: Side, child: Entity) -> set[str]:
    """Keys of the records that were brought, and of which a linked `child` is gone."""
    return _keys(stage, "baseline/bereft", entity, side, child=child)


def without_end(stage: Stage, entity: Entity, side: Side) -> set[str]:
    """Ids of the links whose record on that side is not staged."""
    return _keys(stage, "baseline/without_end", entity, side)


def _keys(stage: Stage, model: str, entity: Entity, side: Side, **more: object) -> set[str]:
    rows = stage.rows(render(model, entity=entity, side=side, **more))
    return {str(key) for (key,) in rows}


def renew(
    stage: Stage, mapped: EntityMap, side: Side, records: Mapping[str, Record | None]
) -> None:
    """Put what was read by key in place of what was brought: these were read in this run."""
    cover = f"cover_{mapped.entity}_{side}"
    stage.refresh(mapped, side, records.items())
    for key in records:
        stage.rows(f"INSERT INTO {cover} VALUES (?)", key)


def certify(stage: Stage, entity: Entity, side: Side, *, as_of: str) -> None:
    """Note that everybody is staged, and since when those were not read that this run did not."""
    read = stage.snapshots[entity, side]
    query = render("baseline/brought", entity=entity, side=side)
    not_read = stage.count(f"SELECT count(*) FROM ({query})")
    stage.remember(replace(read, as_of=as_of, not_read=not_read))
