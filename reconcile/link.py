"""Known links against what was read: which moved, which lost an end, and which rows nobody has linked yet."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from reconcile import copies
from reconcile.ledger import Ledger
from reconcile.mapping import EntityMap
from reconcile.model import Entity, Side
from reconcile.stage import DIGEST_KIND, Stage, literal

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


# A person said that a link with a missing end shall be made anew; its tasks and notes lost the same end, and go with it.
_RELEASE = """
CREATE TABLE IF NOT EXISTS released_{e} (link_id VARCHAR, app_key VARCHAR, ghl_key VARCHAR, parent VARCHAR, gone VARCHAR, because VARCHAR);
INSERT INTO released_{e}
SELECT l.link_id, l.app_key, l.ghl_key, l.parent, l.gone, coalesce('decided by ' || d.by || ': ' || d.choice, {inherited})
FROM (
    SELECT b.*, CASE WHEN a.key IS NULL OR a.deleted THEN 'app' ELSE 'ghl' END AS gone, {app_covered} AS app_covered, {ghl_covered} AS ghl_covered
    FROM base_{e} b LEFT JOIN raw_{e}_app a ON a.key = b.app_key LEFT JOIN raw_{e}_ghl g ON g.key = b.ghl_key {owner}
    WHERE (a.key IS NULL OR a.deleted) <> (g.key IS NULL OR g.deleted)
) l
LEFT JOIN decision d ON d.hold_id = md5('delete' || chr(31) || {entity} || chr(31) || l.link_id)[1:20] AND d.choice IN ('restore', 'relink')
{parent}
WHERE (d.hold_id IS NOT NULL OR {inherited} IS NOT NULL) AND (CASE l.gone WHEN 'app' THEN l.app_covered ELSE l.ghl_covered END OR {follows});
DELETE FROM base_{e} WHERE link_id IN (SELECT link_id FROM released_{e});
"""


def load_base(stage: Stage, ledger: Ledger, entity: Entity, *, kept: Path | None = None) -> None:
    """Create `base_e`: every link with its digests and times, without the baseline's values.

    `kept` is the folder of `keep_base`: what lies there is used where it is of exactly this state of the ledger.
    """
    into = f"base_{entity}"
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
    """Create `basecell_e` (link_id, how, app0, ghl0, app1, ...): the baseline's values of the moved links alone."""
    entity = mapped.entity
    moved = [str(link_id) for (link_id,) in stage.rows(f"SELECT link_id FROM moved_{entity} ORDER BY link_id")]
    columns = ["link_id", "app_cells", "ghl_cells", "how"]
    batches = ([tuple(row) for row in batch] for batch in ledger.link_rows(entity, moved, columns))
    stage.fill("packed", [(name, "VARCHAR") for name in columns], batches)
    # One look into each text for all fields: a look for each field parses it anew, 2 s for 25,000 links.
    paths = ", ".join(literal(f'$."{field.name}"') for field in mapped.fields)
    lists = ", ".join(f"json_extract_string({side}_cells, [{paths}]) AS {side}s" for side in Side)
    values = ", ".join(f"{side}s[{at + 1}] AS {side}{at}" for at, _ in enumerate(mapped.fields) for side in Side)
    stage.run(
        f"CREATE OR REPLACE TABLE basecell_{entity} AS SELECT link_id, how, {values} FROM (SELECT link_id, how, {lists} FROM packed);"
        "DROP TABLE packed"
    )


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


def release(stage: Stage, mapped: EntityMap) -> None:
    """Take links that a person wants made anew out of `base_e`, into `released_e`: both rows may then be matched or created."""
    entity = mapped.entity
    child = entity is not Entity.CONTACT
    same = "LEFT JOIN released_contact p ON p.link_id = l.parent AND p.gone = l.gone" if child else ""
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
