"""Advances the ledger to what the stage knows: what both sides showed, and the planned links."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from reconcile.compare import restored
from reconcile.compare.diff import beside
from reconcile.entities import RECORDS
from reconcile.ledger import schema
from reconcile.ledger.ledger import Ledger
from reconcile.model import Entity, Side
from reconcile.stage.models import render
from reconcile.stage.stage import Stage
from reconcile.values.mapping import EntityMap

# Bytes. DuckDB sets aside a multiple of what a line may have at most; an operation may carry a
# whole note, before and after.
_USUAL_LINE = 16 * 2**20
_LONGEST_LINE = 64 * 2**20

_BASELINE = (
    *("app_digest", "ghl_digest", "app_cells", "ghl_cells"),
    *("app_modified", "ghl_modified", "app_edited", "ghl_edited"),
)
"""The columns of a link that hold what both sides last showed."""

_NEW_LINK = (
    *("link_id", "app_key", "ghl_key", "parent", "how", *_BASELINE),
    *("entity", "since_run", "codecs", "app_written", "ghl_written", "app_absent", "ghl_absent"),
)
"""All columns of a link but the pair's."""

_ADOPTED = ("link_id", "app_key", "ghl_key", "parent", "how")


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a settlement did: the generation it made, links advanced, new links, links forgotten."""

    generation: int
    advanced: int
    linked: int
    forgotten: int


# what both sides showed ---------------------------------------------------------------------------


def advance_from_snapshots(
    stage: Stage, ledger: Ledger, connection: Connection, mapped: EntityMap, *, run_id: str
) -> tuple[int, int]:
    """Move the baseline of looked-at links to what both sides showed.

    Not where something is still to be done or decided.

    Returns (links advanced, links new). Links that lost an end only count their absence.
    """
    entity = mapped.entity
    stage.make("apply/pending", entity=entity, joint=mapped.joint)
    # A new link comes with its baseline in one insert; of a known one the baseline alone moves.
    new_links = _advanced(stage, mapped, _NEW_LINK, where=_new(stage), run_id=run_id)
    linked = ledger.insert_links(connection, _NEW_LINK, new_links)
    advanced = 0
    columns = ("link_id", *_BASELINE)
    bound_as = ("named", *_BASELINE)
    about = {"in_pair": ledger.pair, "of_entity": entity.value, "codecs": mapped.codecs}
    for batch in _advanced(stage, mapped, columns, where="NOT fresh", run_id=run_id):
        changes = [dict(zip(bound_as, row, strict=True)) | about for row in batch]
        connection.execute(_UPDATE, changes)
        advanced += len(batch)
    _forget_absence(stage, ledger, connection, entity)
    for side in Side:
        _count_absence(stage, ledger, connection, entity, side)
    restored.mark(stage, ledger, connection, entity)
    return advanced, linked


def _new(stage: Stage) -> str:
    """SQL for whether a link is new.

    Of a plan that is carried out in part, whether it is in that part.
    """
    if stage.has("approved"):
        return "fresh AND link_id IN (SELECT link_id FROM approved)"
    return "fresh"


def _advanced(
    stage: Stage, mapped: EntityMap, columns: Sequence[str], *, where: str, run_id: str
) -> Iterator[list[tuple[object, ...]]]:
    """Batches of looked-at links, with what both sides showed."""
    for links in beside(stage, mapped.entity, where=f"NOT excluded AND {where}"):
        query = render(
            "apply/advanced",
            entity=mapped.entity,
            fields=mapped.fields,
            links=links,
            selected=columns,
            run_id=run_id,
            codecs=mapped.codecs,
        )
        yield from stage.stream(query)


_UPDATE = (
    sa.update(schema.link)
    .where(
        schema.link.c.pair == sa.bindparam("in_pair"),
        schema.link.c.entity == sa.bindparam("of_entity"),
        schema.link.c.link_id == sa.bindparam("named"),
    )
    .values(
        {name: sa.bindparam(name) for name in (*_BASELINE, "codecs")}
        | {"app_absent": 0, "ghl_absent": 0}
    )
)


def _forget_absence(stage: Stage, ledger: Ledger, connection: Connection, entity: Entity) -> None:
    """Count anew how often an end was missing, where both are there and nothing is compared."""
    update = _update_of(ledger, entity).values(app_absent=0, ghl_absent=0)
    for batch in stage.stream(f"SELECT link_id FROM wide_{entity} WHERE excluded AND NOT fresh"):
        connection.execute(update, [{"named": link_id} for (link_id,) in batch])


def _count_absence(
    stage: Stage, ledger: Ledger, connection: Connection, entity: Entity, side: Side
) -> None:
    """Note in how many complete runs an end was missing by now.

    Its digest says nothing any more.
    """
    changes: dict[str, Any] = {f"{side}_absent": sa.bindparam("runs"), f"{side}_digest": None}
    update = _update_of(ledger, entity).values(changes)
    query = render("apply/missing", entity=entity, side=side)
    for batch in stage.stream(query):
        counts = [{"named": link_id, "runs": runs} for link_id, runs in batch]
        connection.execute(update, counts)


def _update_of(ledger: Ledger, entity: Entity) -> sa.Update:
    """An update of the link whose id is bound as `named`."""
    link = schema.link
    return sa.update(link).where(
        ledger.owns(link),
        link.c.entity == entity.value,
        link.c.link_id == sa.bindparam("named"),
    )


# what the plan says of the ledger alone -----------------------------------------------------------


def load_planned_links(
    stage: Stage, plan: Path, *, approved: Collection[str] | None = None
) -> None:
    """Create `planned_link`: the links that the plan file makes and forgets.

    Of a part, those alone that it is about: `approved` links, which also stand in the table of that
    name.
    """
    stage.run("DROP TABLE IF EXISTS approved")
    in_part = approved is not None
    if approved is not None:
        rows = [(link_id,) for link_id in sorted(approved)]
        stage.fill("approved", [("link_id", "VARCHAR")], [rows])
    model = "apply/planned_link"
    try:
        stage.make(model, plan=str(plan), longest=_USUAL_LINE, in_part=in_part)
    # Few plans have a line as long, and the room for it is set aside for each thread.
    except duckdb.InvalidInputException:
        stage.make(model, plan=str(plan), longest=_LONGEST_LINE, in_part=in_part)


def settle_planned_links(
    stage: Stage, ledger: Ledger, connection: Connection, *, run_id: str, at: str
) -> int:
    """Forget and adopt what `planned_link` says of the ledger alone.

    Returns how many links were forgotten.

    A link whose two records were compared is left to `advance_from_snapshots`, which knows its
    baseline.
    """
    query = "SELECT entity, link_id FROM planned_link WHERE kind = 'forget' ORDER BY ALL"
    names = [(str(entity), str(link_id)) for entity, link_id in stage.rows(query)]
    forgotten = ledger.bury_links(connection, names, at=at)
    for entity in RECORDS:
        blank = blank_link(entity, run_id)
        compared = stage.has(f"wide_{entity}")
        query = render("apply/adopted", entity=entity, compared=compared)
        for batch in stage.stream(query):
            links = [blank | dict(zip(_ADOPTED, row, strict=True)) for row in batch]
            ledger.add_links(connection, links)
    return forgotten


def blank_link(entity: Entity, run_id: str) -> dict[str, Any]:
    """The columns of a new link of which no baseline is known."""
    link: dict[str, Any] = {
        "entity": entity.value,
        "since_run": run_id,
        "parent": None,
        "codecs": None,
    }
    for side in Side:
        for name in ("modified", "written", "edited", "digest"):
            link[f"{side}_{name}"] = None
        link |= {f"{side}_cells": "{}", f"{side}_absent": 0}
    return link
