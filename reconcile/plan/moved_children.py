"""Tasks and notes that hang on another contact than when they were linked: the question, and what each answer does."""

from __future__ import annotations

from reconcile.compare.diff import STRAYED
from reconcile.model import Entity, Side
from reconcile.plan.creates import creation, members
from reconcile.stage.quoting import literal
from reconcile.stage.stage import Stage
from reconcile.values.mapping import EntityMap

_HOLD_ID = "md5('strayed' || chr(31) || {entity} || chr(31) || {link_id})[1:20]"

# An answer that writes is about the two records as they were shown; to leave them alone holds while they hang where they do.
_WHERE = "md5(concat_ws(chr(31), a.parent, g.parent))[1:20]"
_DIGEST = f"{_WHERE} || '-' || md5(concat_ws(chr(31), a.digest, g.digest))[1:20]"

_RELEASE = f"""
INSERT INTO released_{{e}}
SELECT b.link_id, b.app_key, b.ghl_key, b.parent, NULL, 'decided by ' || d."by" || ': ' || d.choice
FROM (SELECT *, {_HOLD_ID.format(entity="{entity}", link_id="link_id")} AS hold_id FROM base_{{e}}) b
JOIN decision d ON d.hold_id = b.hold_id AND d.choice = 'unlink'
JOIN raw_{{e}}_app a ON a.key = b.app_key AND NOT a.deleted JOIN raw_{{e}}_ghl g ON g.key = b.ghl_key AND NOT g.deleted
JOIN base_contact o ON o.link_id = b.parent
WHERE d.values_digest = {_DIGEST} AND ({STRAYED});
DELETE FROM base_{{e}} WHERE link_id IN (SELECT link_id FROM released_{{e}});
"""

# `movable`: GHL's record can be made again on the contact where the app's is now, with all that it needs.
# `same`: there is no doubt that the two are one thing; as two things they would stand twice on both sides.
_ASKED = f"""
CREATE OR REPLACE TABLE strayed_{{e}} AS
WITH known AS (
    SELECT w.link_id, w.app_key, w.ghl_key, f.parent AS app_parent, c.parent AS ghl_parent, f.cells, c.cells AS ghl, c.version, {{filled}} AS filled,
        n.link_id AS parent, n.ghl_key AS parent_key, {_WHERE} AS hanging, {_DIGEST} AS values_digest,
        {_HOLD_ID.format(entity="{entity}", link_id="w.link_id")} AS hold_id,
        {{allowed}} AND NOT f.excluded AND n.ghl_key IS NOT NULL AND f.parent <> o.app_key AND {{lacking}} IS NULL
            AND f.key NOT IN (SELECT key FROM fault_{{e}}_app) AS movable,
        f.cells IS NOT DISTINCT FROM c.cells OR f.cells IS NOT DISTINCT FROM b.app OR {{same}} AS same
    FROM wide_{{e}} w JOIN cell_{{e}}_app f ON f.key = w.app_key JOIN cell_{{e}}_ghl c ON c.key = w.ghl_key
    JOIN raw_{{e}}_app a ON a.key = w.app_key JOIN raw_{{e}}_ghl g ON g.key = w.ghl_key
    LEFT JOIN basecell_{{e}} b ON b.link_id = w.link_id LEFT JOIN moved_{{e}} m ON m.link_id = w.link_id
    LEFT JOIN owner o ON o.link_id = m.parent LEFT JOIN owner n ON n.app_key = f.parent
    WHERE w.strayed
)
SELECT k.*, d."by", coalesce(CASE d.choice WHEN 'keep' THEN 'keep' WHEN 'move' THEN CASE WHEN movable THEN 'move' END END, 'ask') AS action
FROM known k LEFT JOIN decision d ON d.hold_id = k.hold_id AND CASE d.choice
    WHEN 'keep' THEN starts_with(d.values_digest, k.hanging || '-') ELSE d.values_digest = k.values_digest END;
"""

# The old one goes first, and the new one comes only once it is gone: with both, GHL would have the same thing twice.
_DRAFT = """
INSERT INTO hold
SELECT hold_id, 'moved', {entity}, link_id, NULL, NULL, app_key, ghl_key,
    'it hangs on another contact than when it was linked: moved, or its key was given to another record; GHL cannot move it',
    list_filter(['move', 'unlink', 'keep'], lambda x: CASE x WHEN 'move' THEN movable WHEN 'unlink' THEN NOT same ELSE true END),
    json_object('app_contact', app_parent, 'ghl_contact', ghl_parent), values_digest
FROM strayed_{e} WHERE action = 'ask';
INSERT INTO operation
SELECT 1, 'delete', {entity}, 'ghl', link_id, ghl_key, app_key, NULL, ghl_parent, '{{}}', {before}, '{{}}', version, 'decided by ' || "by" || ': move', 'high'
FROM strayed_{e} WHERE action = 'move'
UNION ALL
SELECT 2, 'create', {entity}, 'ghl', link_id, NULL, app_key, parent, parent_key, {source}, '{{}}', {after}, NULL, 'decided by ' || "by" || ': move', 'low'
FROM strayed_{e} WHERE action = 'move';
INSERT INTO passed
SELECT {entity}, 'ghl', ghl_key, 'deleted', 'made again on the contact where the app has it now' FROM strayed_{e} WHERE action = 'move';
"""


def release(stage: Stage, mapped: EntityMap) -> None:
    """Take apart what a person said are two things: each is then matched, or created across, as any record without a link."""
    if mapped.entity is Entity.CONTACT or not any(
        stage.one("SELECT EXISTS (FROM decision WHERE choice = 'unlink')")
    ):
        return
    stage.run(_RELEASE.format(e=mapped.entity, entity=literal(mapped.entity)))


def draft(stage: Stage, mapped: EntityMap) -> None:
    """Create `strayed_e` (its `action` is ask, keep or move), and add the questions and the operations that follow from it."""
    entity = mapped.entity
    rules = (
        " AND ".join(f"f.{mapped.cell(name)} = c.{mapped.cell(name)}" for name in rule)
        for rule in mapped.match
    )
    made = creation(mapped, Side.APP)
    asked = _ASKED.format(
        e=entity,
        entity=literal(entity),
        allowed=str(mapped.create.allows(Side.GHL)).lower(),
        same=" OR ".join(f"coalesce({rule}, false)" for rule in rules) or "false",
        **made,
    )
    drafted = _DRAFT.format(e=entity, entity=literal(entity), before=members("ghl", mapped), **made)
    stage.run(asked + drafted)
