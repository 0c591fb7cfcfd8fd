"""Known links against what was read: which moved, which lost an end, and which rows nobody has linked yet."""

from __future__ import annotations

from reconcile.ledger import Ledger
from reconcile.mapping import EntityMap
from reconcile.model import Entity, Side
from reconcile.stage import DIGEST_KIND, Stage

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
    ("app_absent", "INTEGER"),
    ("ghl_absent", "INTEGER"),
)

_MOVED = """
CREATE OR REPLACE TABLE moved_{e} AS
WITH seen AS (
    SELECT b.*,
        CASE WHEN a.key IS NOT NULL AND NOT a.deleted THEN 'present' WHEN a.key IS NOT NULL THEN 'deleted'
             WHEN {app_covered} THEN 'absent' ELSE 'unknown' END AS app_state,
        CASE WHEN g.key IS NOT NULL AND NOT g.deleted THEN 'present' WHEN g.key IS NOT NULL THEN 'deleted'
             WHEN {ghl_covered} THEN 'absent' ELSE 'unknown' END AS ghl_state
    FROM base_{e} b
    LEFT JOIN raw_{e}_app a ON a.key = b.app_key
    LEFT JOIN raw_{e}_ghl g ON g.key = b.ghl_key
    {owner}
    WHERE NOT ({trusted} AND a.digest IS NOT DISTINCT FROM b.app_digest AND g.digest IS NOT DISTINCT FROM b.ghl_digest
               AND a.key IS NOT NULL AND g.key IS NOT NULL AND NOT a.deleted AND NOT g.deleted)
)
SELECT * FROM seen WHERE NOT (app_state = 'unknown' AND ghl_state = 'unknown');
"""

_UNLINKED = """
CREATE OR REPLACE TABLE unlinked_{e}_{s} AS
SELECT key FROM raw_{e}_{s} r WHERE NOT deleted AND NOT EXISTS (FROM base_{e} b WHERE b.{s}_key = r.key);
"""


def load_base(stage: Stage, ledger: Ledger, entity: Entity) -> None:
    """Create `base_e`: every link with its digests and times, without the baseline's values."""
    names = [name for name, _ in _NARROW]
    batches = ([tuple(row) for row in batch] for batch in ledger.links(entity, names))
    stage.fill(f"base_{entity}", _NARROW, batches)


def load_graves(stage: Stage, ledger: Ledger, *, since: str) -> None:
    """Create `grave` (entity, side, key, at): records whose link was forgotten since then."""
    columns = [(name, "VARCHAR") for name in ("entity", "side", "key", "at")]
    stage.fill("grave", columns, [ledger.graves(since=since)])


def load_baseline(stage: Stage, ledger: Ledger, mapped: EntityMap) -> None:
    """Create `basecell_e` (link_id, app0, ghl0, app1, ...): the baseline's values of the moved links alone."""
    entity = mapped.entity
    moved = [str(link_id) for (link_id,) in stage.rows(f"SELECT link_id FROM moved_{entity} ORDER BY link_id")]
    columns = ["link_id", "app_cells", "ghl_cells"]
    batches = ([tuple(row) for row in batch] for batch in ledger.link_rows(entity, moved, columns))
    stage.fill("packed", [(name, "VARCHAR") for name in columns], batches)
    values = ", ".join(
        f"json_extract_string({side}_cells, '$.\"{field.name}\"') AS {side}{at}"
        for at, field in enumerate(mapped.fields)
        for side in Side
    )
    stage.run(f"CREATE OR REPLACE TABLE basecell_{entity} AS SELECT link_id, {values} FROM packed; DROP TABLE packed")


def find_moved(stage: Stage, mapped: EntityMap, *, trusted: bool) -> None:
    """Create `moved_e` (links whose row differs from its stored digest, or lost an end) and `unlinked_e_s`.

    With `trusted` False (another mapping, another hash function) every link is looked at.
    """
    entity = mapped.entity
    owner = ""
    if entity is not Entity.CONTACT:
        owner = "LEFT JOIN base_contact o ON o.link_id = b.parent"
    stage.run(
        _MOVED.format(
            e=entity,
            app_covered=_covered(stage, entity, Side.APP),
            ghl_covered=_covered(stage, entity, Side.GHL),
            owner=owner,
            trusted=str(trusted).lower(),
        )
    )
    for side in Side:
        stage.run(_UNLINKED.format(e=entity, s=side))


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
