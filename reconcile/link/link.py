"""Known links against what was read: which moved, which lost an end, and which rows nobody has linked yet."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from msgspec import Raw

from reconcile.baseline import copies
from reconcile.ledger.ledger import Ledger
from reconcile.model import Entity, Side
from reconcile.stage.quoting import literal, quoted
from reconcile.stage.stage import DIGEST_KIND, Stage
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

# What falls out of a join of digests: rows that are new or changed, and links whose row changed or is gone. A row's key is
# part of its digest, so that one join of numbers does: of keys and digests together it takes twice as long.
_APART = """
CREATE OR REPLACE TABLE ends_{s} AS {ends};
CREATE OR REPLACE TABLE apart_{s} AS
SELECT r.key, r.digest, r.deleted FROM raw_{e}_{s} r SEMI JOIN ends_{s} x ON x.row = r.rowid;
"""

_DIGESTS = """
SELECT r.rowid AS row, b.rowid AS link FROM raw_{e}_{s} r FULL JOIN base_{e} b ON r.digest = b.{s}_digest AND NOT r.deleted
WHERE r.rowid IS NULL OR b.rowid IS NULL
"""

_EVERYTHING = (
    "SELECT rowid AS row, NULL AS link FROM raw_{e}_{s} UNION ALL SELECT NULL, rowid FROM base_{e}"
)

# The last two parts of `suspect` are for what digests alone would lose if two rows ever had the same one.
_MOVED = """
CREATE OR REPLACE TABLE moved_{e} AS
WITH suspect AS (
    SELECT link FROM ends_app WHERE link IS NOT NULL UNION SELECT link FROM ends_ghl WHERE link IS NOT NULL
    UNION SELECT b.rowid FROM base_{e} b SEMI JOIN apart_app x ON x.key = b.app_key
    UNION SELECT b.rowid FROM base_{e} b SEMI JOIN apart_ghl x ON x.key = b.ghl_key
), seen AS (
    SELECT b.*, {app_state} AS app_state, {ghl_state} AS ghl_state,
        coalesce(a.digest, CASE WHEN al.link IS NULL THEN b.app_digest END) AS app_row,
        coalesce(g.digest, CASE WHEN gl.link IS NULL THEN b.ghl_digest END) AS ghl_row
    FROM base_{e} b SEMI JOIN suspect ON suspect.link = b.rowid
    LEFT JOIN apart_app a ON a.key = b.app_key LEFT JOIN ends_app al ON al.link = b.rowid
    LEFT JOIN apart_ghl g ON g.key = b.ghl_key LEFT JOIN ends_ghl gl ON gl.link = b.rowid
    {owner}
)
SELECT * FROM seen WHERE NOT (app_state = 'unknown' AND ghl_state = 'unknown');
"""

_STATE = """
CASE WHEN {row}.key IS NOT NULL THEN CASE WHEN {row}.deleted THEN 'deleted' ELSE 'present' END
     WHEN {link}.link IS NULL THEN 'present' WHEN {covered} THEN 'absent' ELSE 'unknown' END
"""

_UNLINKED = """
CREATE OR REPLACE TABLE unlinked_{e}_{s} AS
SELECT x.key, x.digest AS row FROM apart_{s} x ANTI JOIN moved_{e} m ON m.{s}_key = x.key WHERE NOT x.deleted;
"""


# A person said that a link with a missing end shall be made anew; its tasks and notes lost the same end, and go with it.
_RELEASED = (
    "CREATE TABLE IF NOT EXISTS stage.released_{e} "
    "(link_id VARCHAR, app_key VARCHAR, ghl_key VARCHAR, parent VARCHAR, gone VARCHAR, because VARCHAR)"
)

_RELEASE = """
INSERT INTO released_{e}
SELECT l.link_id, l.app_key, l.ghl_key, l.parent, l.gone, coalesce('decided by ' || d.by || ': ' || d.choice, {inherited})
FROM (
    SELECT b.*, CASE WHEN a.key IS NULL OR a.deleted THEN 'app' ELSE 'ghl' END AS gone, {app_covered} AS app_covered, {ghl_covered} AS ghl_covered
    FROM base_{e} b LEFT JOIN raw_{e}_app a ON a.key = b.app_key LEFT JOIN raw_{e}_ghl g ON g.key = b.ghl_key {owner}
    WHERE (a.key IS NULL OR a.deleted) <> (g.key IS NULL OR g.deleted)
) l
LEFT JOIN decision d ON d.hold_id = md5('delete' || chr(31) || {entity} || chr(31) || l.link_id)[1:20] AND d.choice IN ('restore', 'relink') AND starts_with(d.values_digest, l.gone || '-')
{parent}
WHERE (d.hold_id IS NOT NULL OR {inherited} IS NOT NULL) AND (CASE l.gone WHEN 'app' THEN l.app_covered ELSE l.ghl_covered END OR {follows});
DELETE FROM base_{e} WHERE link_id IN (SELECT link_id FROM released_{e});
"""

# Their contact goes, and it was merged: what hangs on the survivor is the survivor's from now on.
_LEFT_BEHIND = """
INSERT INTO released_{e}
SELECT b.link_id, b.app_key, b.ghl_key, b.parent, NULL, 'its contact was merged into another one, with which it goes on'
FROM base_{e} b JOIN left_behind c ON c.link_id = b.parent
JOIN raw_{e}_app a ON a.key = b.app_key AND NOT a.deleted JOIN raw_{e}_ghl g ON g.key = b.ghl_key AND NOT g.deleted
WHERE c.survivor = CASE c.side WHEN 'app' THEN a.parent ELSE g.parent END;
DELETE FROM base_{e} WHERE link_id IN (SELECT link_id FROM released_{e});
"""

# Their contact was merged on one side and then deleted on the other, with its tasks and notes: what is left is the survivor's.
_MOVED_ON = """
INSERT INTO released_{e}
SELECT b.link_id, b.app_key, b.ghl_key, b.parent, NULL, 'its contact is gone from both sides, and it hangs on another one now'
FROM base_{e} b JOIN (FROM moved_contact WHERE app_state IN ('absent', 'deleted') AND ghl_state IN ('absent', 'deleted')) m ON m.link_id = b.parent
LEFT JOIN raw_{e}_app a ON a.key = b.app_key AND NOT a.deleted LEFT JOIN raw_{e}_ghl g ON g.key = b.ghl_key AND NOT g.deleted
WHERE (a.key IS NULL AND g.parent <> m.ghl_key) OR (g.key IS NULL AND a.parent <> m.app_key);
DELETE FROM base_{e} WHERE link_id IN (SELECT link_id FROM released_{e});
"""


def load_base(stage: Stage, ledger: Ledger, entity: Entity, *, kept: Path | None = None) -> None:
    """Create `base_e`: every link with its digests and times, without the baseline's values.

    `kept` is the folder of `keep_base`: what lies there is used where it is of exactly this state of the ledger.
    """
    into = f"stage.base_{entity}"
    if kept is None or not copies.load(stage, ledger, kept, entity, _NARROW, into=into):
        copies.read(stage, ledger, entity, _NARROW, into=into)


def keep_base(stage: Stage, ledger: Ledger, entities: Iterable[Entity], kept: Path) -> None:
    """Keep a copy of what `load_base` loads, for the next run."""
    copies.save(stage, ledger, kept, entities, _NARROW)


def load_graves(stage: Stage, ledger: Ledger, *, since: str) -> None:
    """Create `grave` (entity, side, key, at): records whose link was forgotten since then."""
    columns = [(name, "VARCHAR") for name in ("entity", "side", "key", "at")]
    stage.fill("grave", columns, [ledger.graves(since=since)])


def load_baseline(stage: Stage, ledger: Ledger, mapped: EntityMap) -> None:
    """Create `basecell_e` (link_id, how, codecs, app, ghl): the baseline of the moved links alone, as lists of all fields' cells in order."""
    entity = mapped.entity
    moved = [
        str(link_id)
        for (link_id,) in stage.rows(f"SELECT link_id FROM moved_{entity} ORDER BY link_id")
    ]
    wanted = ("link_id", "how", "codecs", "app_cells", "ghl_cells")
    rows = (row for batch in ledger.link_rows(entity, moved, wanted) for row in batch)
    lines = (
        # Where both sides agree, which is nearly everywhere, their values are read once.
        {
            "link_id": link_id,
            "how": how,
            "codecs": codecs,
            "a": Raw(app),
            "g": None if ghl == app else Raw(ghl),
        }
        for link_id, how, codecs, app, ghl in rows
    )
    types = {"link_id": "VARCHAR", "how": "VARCHAR", "codecs": "VARCHAR", "a": "JSON", "g": "JSON"}
    paths = ", ".join(literal(f"$.{quoted(field.name)}") for field in mapped.fields)
    cells = f"json_extract_string(a, [{paths}]) AS app, CASE WHEN g IS NULL THEN app ELSE json_extract_string(g, [{paths}]) END AS ghl"
    stage.read_lines(f"basecell_{entity}", lines, types, f"link_id, how, codecs, {cells}")


# What a side dropped under another mapping of the field counts as never sent: it is tried again. The other side's baseline
# is then what this side holds, so that it has moved since.
_AGAIN = """
UPDATE basecell_{e} b SET {source} = list_transform(b.{source}, lambda cell, place: CASE WHEN list_contains(a.places, place) THEN b.{side}[place] ELSE cell END)
FROM (SELECT link_id, list({place}) AS places FROM difference_{e} WHERE kind = 'dropped' AND NOT current AND side = '{side}' AND item = '' GROUP BY link_id) a
WHERE a.link_id = b.link_id
"""


def try_again(stage: Stage, mapped: EntityMap) -> None:
    """Take values that a side dropped out of the baseline where their field is mapped otherwise by now."""
    entity = mapped.entity
    if not stage.some(f"difference_{entity} WHERE kind = 'dropped' AND NOT current"):
        return
    place = f"list_position([{', '.join(literal(field.name) for field in mapped.fields)}], field)"
    for side in Side:
        stage.run(_AGAIN.format(e=entity, side=side, source=side.other, place=place))


def find_moved(stage: Stage, mapped: EntityMap, *, trusted: bool) -> None:
    """Create `moved_e` (links whose row differs from its stored digest, or lost an end) and `unlinked_e_s` (key, row).

    `row`, and `app_row` and `ghl_row` of `moved_e`, are digests: by them the rows of `raw_e_s` are found.

    With `trusted` False (another mapping, another hash function) every link is looked at.
    """
    entity = mapped.entity
    child = entity is not Entity.CONTACT
    ends = _DIGESTS if trusted else _EVERYTHING
    states = {
        f"{side}_state": _STATE.format(
            row=side[0], link=f"{side[0]}l", covered=_covered(stage, entity, side)
        )
        for side in Side
    }
    owner = "LEFT JOIN base_contact o ON o.link_id = b.parent" if child else ""
    with stage.transaction():  # row ids hold within one; after it, a checkpoint may move rows
        for side in Side:
            stage.run(_APART.format(e=entity, s=side, ends=ends.format(e=entity, s=side)))
        stage.run(_MOVED.format(e=entity, owner=owner, **states))
    for side in Side:
        stage.run(_UNLINKED.format(e=entity, s=side))
        stage.drop(f"ends_{side}", f"apart_{side}")


def release(stage: Stage, mapped: EntityMap) -> None:
    """Take links that a person wants made anew out of `base_e`, into `released_e`: both rows may then be matched or created."""
    entity = mapped.entity
    child = entity is not Entity.CONTACT
    stage.run(_RELEASED.format(e=entity))
    if child:
        stage.run(
            "CREATE TABLE IF NOT EXISTS stage.left_behind (link_id VARCHAR, side VARCHAR, survivor VARCHAR)"
        )
        if stage.some("left_behind"):
            stage.run(_LEFT_BEHIND.format(e=entity))
        stage.run(_MOVED_ON.format(e=entity))
    asked = "SELECT EXISTS (FROM decision WHERE choice IN ('restore', 'relink'))"
    if not any(stage.one(asked)) and not (child and stage.some("released_contact")):
        return
    same = (
        "LEFT JOIN released_contact p ON p.link_id = l.parent AND p.gone = l.gone" if child else ""
    )
    stage.run(
        _RELEASE.format(
            e=entity,
            entity=literal(entity),
            app_covered=_covered(stage, entity, Side.APP),
            ghl_covered=_covered(stage, entity, Side.GHL),
            owner="LEFT JOIN base_contact o ON o.link_id = b.parent" if child else "",
            parent=same,
            inherited="p.because" if child else "NULL::VARCHAR",
            follows="p.link_id IS NOT NULL" if child else "false",
        )
    )


def _covered(stage: Stage, entity: Entity, side: Side) -> str:
    """SQL for whether a snapshot speaks of a link's end: then a missing row is an absent record."""
    snapshot = stage.snapshots[entity, side]
    if snapshot.complete and not snapshot.partial:
        return "true"
    if not snapshot.partial:
        return "false"
    key = f"b.{side}_key" if entity is Entity.CONTACT else f"o.{side}_key"
    return f"{key} IN (SELECT key FROM cover_{entity}_{side})"


def digest_kind(stage: Stage) -> str:
    """A name for the hash function that this stage's digests were made with."""
    (name,) = stage.one(f"SELECT {DIGEST_KIND}")
    return str(name)
