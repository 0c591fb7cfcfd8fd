"""Known links against what was read.

Which moved, which lost an end, and which rows nobody has linked yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from msgspec import Raw

from reconcile.baseline import copies
from reconcile.ledger.ledger import Ledger
from reconcile.model import Entity, Side, Snapshot
from reconcile.stage.quoting import literal, quoted
from reconcile.stage.stage import Stage
from reconcile.values.mapping import EntityMap

_NARROW = (
    ("link_id", "VARCHAR"),
    ("app_key", "VARCHAR"),
    ("ghl_key", "VARCHAR"),
    ("parent", "VARCHAR"),
    ("app_digest", "BIGINT"),
    ("ghl_digest", "BIGINT"),
    ("app_modified", "VARCHAR"),
    ("ghl_modified", "VARCHAR"),
    ("app_written", "VARCHAR"),
    ("ghl_written", "VARCHAR"),
    ("app_edited", "VARCHAR"),
    ("ghl_edited", "VARCHAR"),
    ("app_absent", "INTEGER"),
    ("ghl_absent", "INTEGER"),
)


def load_base(stage: Stage, ledger: Ledger, entity: Entity, *, folder: Path | None = None) -> None:
    """Create `base_e`: every link with its digests and times, without the baseline's values.

    `folder` is that of `keep_base`: what lies there is used where it is of exactly this state
    of the ledger.
    """
    into = f"stage.base_{entity}"
    if folder is None or not copies.load(stage, ledger, folder, entity, _NARROW, into=into):
        copies.read(stage, ledger, entity, _NARROW, into=into)


def keep_base(stage: Stage, ledger: Ledger, entities: Iterable[Entity], folder: Path) -> None:
    """Keep a copy of what `load_base` loads, for the next run."""
    copies.save(stage, ledger, folder, entities, _NARROW)


def load_graves(stage: Stage, ledger: Ledger, *, since: str) -> None:
    """Create `grave` (entity, side, key, at): records whose link was forgotten since then."""
    columns = [(name, "VARCHAR") for name in ("entity", "side", "key", "at")]
    stage.fill("grave", columns, [ledger.graves(since=since)])


def load_baseline(stage: Stage, ledger: Ledger, mapped: EntityMap) -> None:
    """Create `basecell_e`: the baseline of the moved links alone.

    Columns: link_id, how, codecs; app and ghl, lists of all fields' cells in order.
    """
    entity = mapped.entity
    moved = stage.rows(f"SELECT link_id FROM moved_{entity} ORDER BY link_id")
    link_ids = [str(link_id) for (link_id,) in moved]
    wanted = ("link_id", "how", "codecs", "app_cells", "ghl_cells")
    batches = ledger.link_rows(entity, link_ids, wanted)
    lines = map(_baseline_line, chain.from_iterable(batches))
    types = {"link_id": "VARCHAR", "how": "VARCHAR", "codecs": "VARCHAR", "a": "JSON", "g": "JSON"}
    paths = ", ".join(literal(f"$.{quoted(field.name)}") for field in mapped.fields)
    app, ghl = (f"json_extract_string({end}, [{paths}])" for end in "ag")
    cells = f"{app} AS app, CASE WHEN g IS NULL THEN app ELSE {ghl} END AS ghl"
    stage.read_lines(f"basecell_{entity}", lines, types, f"link_id, how, codecs, {cells}")


def _baseline_line(row: Sequence[Any]) -> dict[str, object]:
    """A link's baseline as a JSON line.

    Where both sides agree, which is nearly everywhere, the values are read once.
    """
    link_id, how, codecs, app, ghl = row
    read_apart = None if ghl == app else Raw(ghl)
    return {"link_id": link_id, "how": how, "codecs": codecs, "a": Raw(app), "g": read_apart}


def try_again(stage: Stage, mapped: EntityMap) -> None:
    """Take values that a side dropped out of the baseline.

    It is done where their field is mapped otherwise by now.
    """
    entity = mapped.entity
    if not stage.some(f"difference_{entity} WHERE kind = 'dropped' AND NOT current"):
        return
    for side in Side:
        stage.make(
            "link/basecell_dropped",
            entity=entity,
            side=side,
            other=side.other,
            fields=mapped.fields,
        )


def find_moved(stage: Stage, mapped: EntityMap, *, trusted: bool) -> None:
    """Create `moved_e` and `unlinked_e_s` (key, row).

    `moved_e` has the links whose row differs from its stored digest, or that lost an end.

    `row`, and `app_row` and `ghl_row` of `moved_e`, are digests: by them the rows of `raw_e_s` are
    found.

    With `trusted` False (another mapping, another hash function) every link is looked at.
    """
    entity = mapped.entity
    with stage.transaction():  # row ids hold within one; after it, a checkpoint may move rows
        for side in Side:
            stage.make("link/apart", entity=entity, side=side, trusted=trusted)
        stage.make("link/moved", entity=entity, snapshots=_snapshots(stage, entity))
    for side in Side:
        stage.make("link/unlinked", entity=entity, side=side)
        stage.drop(f"ends_{side}", f"apart_{side}")


def release(stage: Stage, mapped: EntityMap) -> None:
    """Take links that a person wants made anew out of `base_e`, into `released_e`.

    Both rows may then be matched or created.
    """
    entity = mapped.entity
    stage.make("link/released", entity=entity)
    if entity.parent:
        if stage.has(f"anew_{entity}"):
            stage.make("link/anew_back", entity=entity)
        stage.make("link/left_behind")
        # Before what was decided: what lives on with the survivor has not lost its end.
        if stage.some("left_behind"):
            stage.make("link/released_left_behind", entity=entity)
        stage.make("link/released_moved_on", entity=entity)
    # Without such an answer the join over all links would find nothing, and is not made.
    decided = stage.some("decision WHERE choice IN ('restore', 'relink')")
    if decided or (entity.parent and stage.some(f"released_{entity.parent}")):
        stage.make(
            "link/released_decided",
            entity=entity,
            snapshots=_snapshots(stage, entity),
        )


def _snapshots(stage: Stage, entity: Entity) -> dict[Side, Snapshot]:
    """What each side showed of an entity, with the proof whether it was all of it."""
    return {side: stage.snapshots[entity, side] for side in Side}
