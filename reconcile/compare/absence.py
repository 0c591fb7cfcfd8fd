"""Links that lost an end: what a missing record may mean, and what is done about it; never on the word of one absence alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from reconcile.model import Entity, Side
from reconcile.stage.quoting import literal
from reconcile.stage.stage import Stage
from reconcile.values.mapping import EntityMap
from reconcile.values.policy import OnDelete

_TABLE = """
CREATE OR REPLACE TABLE absence_{e} (
    link_id VARCHAR, app_key VARCHAR, ghl_key VARCHAR, parent VARCHAR, app_state VARCHAR, ghl_state VARCHAR, gone VARCHAR,
    both_gone BOOLEAN, unknown BOOLEAN, tombstone BOOLEAN, runs INTEGER, side VARCHAR, key VARCHAR, version VARCHAR,
    touched BOOLEAN, cells JSON, policy VARCHAR, excluded BOOLEAN, survivor VARCHAR, merged VARCHAR, hangs_on VARCHAR, follows BOOLEAN, unproven BOOLEAN, undone VARCHAR,
    hold_id VARCHAR, values_digest VARCHAR, action VARCHAR, where_gone VARCHAR, where_kept VARCHAR, because VARCHAR);
"""

_ABSENCE = """
INSERT INTO absence_{e} BY NAME
WITH lost AS (
    SELECT m.link_id, m.app_key, m.ghl_key, m.parent, m.app_state, m.ghl_state,
        CASE WHEN app_state IN ('absent', 'deleted') THEN 'app' ELSE 'ghl' END AS gone,
        app_state IN ('absent', 'deleted') AND ghl_state IN ('absent', 'deleted') AS both_gone,
        app_state = 'unknown' OR ghl_state = 'unknown' AS unknown,
        'deleted' IN (app_state, ghl_state) AS tombstone,
        CASE WHEN app_state IN ('absent', 'deleted') THEN m.app_absent ELSE m.ghl_absent END + 1 AS runs
    FROM moved_{e} m WHERE NOT (app_state = 'present' AND ghl_state = 'present')
), read AS (
    SELECT l.*, CASE WHEN gone = 'app' THEN 'ghl' ELSE 'app' END AS side,
        CASE WHEN gone = 'app' THEN l.ghl_key ELSE l.app_key END AS key,
        CASE WHEN gone = 'app' THEN g.version ELSE a.version END AS version,
        CASE WHEN gone = 'app' THEN {ghl_touched} ELSE {app_touched} END AS touched,
        CASE WHEN gone = 'app' THEN g.cells ELSE a.cells END AS cells,
        CASE WHEN gone = 'app' THEN {ghl_children} ELSE {app_children} END AS children,
        CASE WHEN gone = 'app' THEN {ghl_waits} ELSE {app_waits} END AS waits,
        CASE WHEN gone = 'app' THEN {ghl_policy} ELSE {app_policy} END AS policy,
        coalesce(CASE WHEN gone = 'app' THEN g.excluded ELSE a.excluded END, false) AS excluded,
        {heir} AS heir, {merged} AS merged,
        CASE WHEN gone = 'app' THEN g.parent ELSE a.parent END AS hangs_on, {follows} AS follows, {unproven} AS unproven, CASE WHEN b.how LIKE 'undone by %' THEN b.how END AS undone
    FROM lost l
    LEFT JOIN cell_{e}_app a ON a.key = l.app_key LEFT JOIN cell_{e}_ghl g ON g.key = l.ghl_key
    LEFT JOIN basecell_{e} b USING (link_id)
), judged AS (
    SELECT r.* REPLACE (json_object({members}) AS cells), md5('delete' || chr(31) || {entity} || chr(31) || link_id)[1:20] AS hold_id,
        gone || '-' || md5(json_object({members})::VARCHAR || coalesce(children, ''))[1:20] AS values_digest,
        CASE WHEN unproven THEN 'not_checked' WHEN both_gone THEN 'forget' WHEN unknown THEN 'not_checked' WHEN follows THEN 'follow'
             WHEN undone IS NOT NULL AND policy <> 'ignore' THEN 'hold'
             WHEN excluded THEN 'ignore' WHEN runs < {absent_runs} AND NOT tombstone THEN 'quarantine'
             WHEN survivor IS NOT NULL THEN 'hold' WHEN touched AND policy <> 'ignore' THEN 'hold' ELSE policy END AS action,
        CASE gone WHEN 'app' THEN 'the app' ELSE 'GHL' END AS where_gone,
        CASE gone WHEN 'app' THEN 'GHL' ELSE 'the app' END AS where_kept,
        CASE WHEN touched THEN ' It, or a task or note of it, was changed in ' || where_kept || ' since' ELSE '' END AS changed
    FROM (SELECT *, coalesce(heir, merged) AS survivor FROM read) r
)
SELECT j.* EXCLUDE (heir, children, changed, waits) REPLACE (
    CASE WHEN j.action = 'hold' AND d.choice = 'delete' THEN 'mirror' WHEN j.action = 'hold' AND d.choice = 'keep' THEN 'ignore' ELSE j.action END AS action),
    CASE WHEN d.choice IS NOT NULL AND j.action = 'hold' THEN 'decided by ' || d.by || ': ' || d.choice
         WHEN unproven THEN 'not found in ' || where_gone || ', which did not say that it is this record: no proof that it is gone'
         WHEN both_gone THEN 'gone from both sides'
         WHEN unknown THEN 'not read on both sides in this run'
         WHEN follows THEN 'its contact is gone from ' || where_gone || ' too; it follows its contact'
         WHEN undone IS NOT NULL THEN 'missing from ' || where_gone || ', ' || undone || ': shall it be there again, or go from ' || where_kept || ' too?'
         WHEN excluded THEN 'deleted in ' || where_gone || '; left out by an exclude rule'
         WHEN j.action = 'quarantine' THEN 'missing from ' || where_gone || ' in ' || runs || ' of {absent_runs} complete runs'
         WHEN merged IS NOT NULL THEN 'gone from ' || where_gone || ', where record ' || merged || ', linked to another record of ' || where_kept || ', has its identity too: merged?' || changed
         WHEN survivor IS NOT NULL THEN 'gone from ' || where_gone || ', where record ' || survivor || ' now has the same identity: merged?' || changed
         WHEN touched AND j.action = 'hold' THEN 'deleted in ' || where_gone || ', changed in ' || where_kept
         ELSE 'deleted in ' || where_gone END AS because
FROM judged j LEFT JOIN decision d ON d.hold_id = j.hold_id AND d.values_digest = j.values_digest AND NOT (waits AND d.choice = 'delete');
"""

# A person said that a merged record goes from the other side too: its tasks and notes live on, with the survivor.
_LEFT_BEHIND = """
INSERT INTO left_behind SELECT link_id, gone, merged FROM absence_{e} WHERE merged IS NOT NULL AND action IN ('mirror', 'archive')
AND link_id NOT IN (SELECT link_id FROM left_behind);
"""

_UNPROVEN = "CREATE TABLE IF NOT EXISTS stage.unproven_{e} (side VARCHAR, key VARCHAR)"


def note_unproven(stage: Stage, entity: Entity, side: Side, keys: Iterable[str]) -> None:
    """Note records that seem to be gone, of which the side, asked by key, said neither what they hold nor that they are gone."""
    stage.run(_UNPROVEN.format(e=entity))
    for key in sorted(keys):
        stage.rows(f"INSERT INTO unproven_{entity} VALUES (?, ?)", side.value, key)


def judge_absences(stage: Stage, mapped: EntityMap, *, children: Sequence[EntityMap] = ()) -> None:
    """Create `absence_e`, one row for each link that lost an end.

    Its `action` is one of mirror, archive, hold, ignore, forget, follow,
    quarantine, not_checked; `side`, `key` and `cells` are those of the end that is still there. `children` are what hangs
    on a contact: one that was added or changed where the contact is still there is a change of the contact.
    """
    entity = mapped.entity
    stage.run(_TABLE.format(e=entity) + _UNPROVEN.format(e=entity))
    if not stage.some(
        f"moved_{entity} WHERE NOT (app_state = 'present' AND ghl_state = 'present')"
    ):
        return
    touched = {
        f"{side}_touched": " OR ".join(
            [
                f"{row}.cells IS DISTINCT FROM b.{side}",
                *(_child_touched(child, side) for child in children),
            ]
        )
        for side, row in ((Side.APP, "a"), (Side.GHL, "g"))
    }
    altered = {f"{side}_children": _altered(children, side) for side in Side}
    altered |= {f"{side}_waits": _waits(children, side) for side in Side}
    members = ", ".join(
        f"{literal(field.name)}, cells[{at}]" for at, field in enumerate(mapped.fields, start=1)
    )
    policy = {f"{side}_policy": literal(mapped.delete.get(side, OnDelete.HOLD)) for side in Side}
    heir = merged = "NULL::VARCHAR"
    follows = "EXISTS (FROM absence_contact c WHERE c.link_id = l.parent AND c.gone = l.gone)"
    if entity is Entity.CONTACT:
        heir = (
            f"(SELECT min(h.key) FROM (SELECT side, lost, key FROM heir_{entity} UNION ALL "
            f"SELECT v.side, CASE v.side WHEN 'app' THEN b.ghl_key ELSE b.app_key END, v.key FROM survivor_{entity} v "
            f"JOIN base_{entity} b USING (link_id) WHERE NOT v.linked) h "
            "WHERE h.side = gone AND h.lost = CASE WHEN gone = 'app' THEN l.ghl_key ELSE l.app_key END)"
        )
        merged = f"(SELECT min(v.key) FROM survivor_{entity} v WHERE v.link_id = l.link_id AND v.side = gone AND v.linked)"
        follows = "false"
    stage.run(
        _ABSENCE.format(
            e=entity,
            entity=literal(entity),
            absent_runs=mapped.absent_runs,
            heir=heir,
            merged=merged,
            follows=follows,
            unproven=_unproven(entity),
            members=members,
            **touched,
            **altered,
            **policy,
        )
    )
    if entity is Entity.CONTACT:
        stage.run(_LEFT_BEHIND.format(e=entity))


def _unproven(entity: Entity) -> str:
    """SQL for whether an end that is missing was asked for by key, and the answer did not prove that it is gone."""
    return (
        f"EXISTS (FROM unproven_{entity} u WHERE (u.side = 'app' AND app_state = 'absent' AND u.key = l.app_key) "
        "OR (u.side = 'ghl' AND ghl_state = 'absent' AND u.key = l.ghl_key))"
    )


def _waits(children: Sequence[EntityMap], side: Side) -> str:
    """SQL for whether a task or note of a contact was changed and its other end is still there: that change goes across first."""
    parts = [
        f"EXISTS (FROM cell_{child.entity}_{side} x JOIN moved_{child.entity} m ON m.{side}_key = x.key "
        f"JOIN basecell_{child.entity} y USING (link_id) WHERE x.parent = l.{side}_key "
        f"AND m.{side.other}_state = 'present' AND x.cells IS DISTINCT FROM y.{side})"
        for child in children
    ]
    return " OR ".join(parts) or "false"


def _altered(children: Sequence[EntityMap], side: Side) -> str:
    """SQL for the changed tasks and notes of a contact that have no other end, as text: what an answer about it has to know."""
    parts = [
        f"SELECT x.key, x.cells::VARCHAR AS cells FROM cell_{child.entity}_{side} x "
        f"JOIN moved_{child.entity} m ON m.{side}_key = x.key JOIN basecell_{child.entity} y USING (link_id) "
        f"WHERE x.parent = l.{side}_key AND m.{side.other}_state <> 'present' AND x.cells IS DISTINCT FROM y.{side} "
        f"UNION ALL SELECT x.key, x.cells::VARCHAR FROM cell_{child.entity}_{side} x "
        f"SEMI JOIN unlinked_{child.entity}_{side} u ON u.key = x.key WHERE x.parent = l.{side}_key AND NOT x.excluded "
        f"AND x.key NOT IN (SELECT {side}_key FROM released_{child.entity})"
        for child in children
    ]
    if not parts:
        return "NULL::VARCHAR"
    return f"(SELECT string_agg(key || chr(31) || cells, chr(30) ORDER BY key, cells) FROM ({' UNION ALL '.join(parts)}))"


def _child_touched(child: EntityMap, side: Side) -> str:
    """SQL for whether a contact has a task or note that its other end never had, or had in another form."""
    entity = child.entity
    return (
        f"EXISTS (FROM cell_{entity}_{side} x SEMI JOIN unlinked_{entity}_{side} u ON u.key = x.key "
        f"WHERE x.parent = l.{side}_key AND NOT x.excluded) OR "
        f"EXISTS (FROM cell_{entity}_{side} x JOIN moved_{entity} m ON m.{side}_key = x.key JOIN basecell_{entity} y USING (link_id) "
        f"WHERE x.parent = l.{side}_key AND x.cells IS DISTINCT FROM y.{side})"
    )


def unconfirmed(
    stage: Stage, mapped: EntityMap, side: Side, *, most: int
) -> list[tuple[str, str | None]]:
    """(key, parent key) of missing records on `side` that something would be done about: to be confirmed by a read by key.

    Empty where there are more than `most`: then a limit refuses the run anyway, and reading them all would cost the quota.
    """
    entity = mapped.entity
    owner = "" if entity is Entity.CONTACT else "LEFT JOIN owner o ON o.link_id = a.parent"
    parent = "NULL" if entity is Entity.CONTACT else f"o.{side}_key"
    query = (
        f"SELECT a.{side}_key, {parent} FROM absence_{entity} a {owner} WHERE a.{side}_state = 'absent' "
        "AND a.action IN ('mirror', 'archive', 'hold', 'forget') ORDER BY 1"
    )
    found = [
        (str(key), None if parent is None else str(parent)) for key, parent in stage.rows(query)
    ]
    return found if len(found) <= most else []
