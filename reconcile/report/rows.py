"""Gives every row of every snapshot its class, by evidence alone: what nothing accounts for comes out as unexplained."""

from __future__ import annotations

from reconcile.link.suggestions import RULE
from reconcile.model import Entity, Side
from reconcile.report.classes import class_sql, urgency_sql
from reconcile.stage.quoting import literal
from reconcile.stage.stage import Stage
from reconcile.values.mapping import EntityMap

_FATE = """
CREATE OR REPLACE TABLE fate AS
SELECT p.seq, p.op_id, p.kind, CASE p.entity WHEN 'tag' THEN 'contact' ELSE p.entity END AS entity, p.side, p.link_id, p.key,
    p.source_key, p.source, p.before, p.after, p.because, o.key AS made_key, o.detail,
    CASE WHEN p.kind IN ('adopt', 'forget') OR NOT {applied} THEN 'done' WHEN o.op_id IS NULL THEN 'skipped'
         WHEN o.status = 'rejected' AND o.code = 'EXISTS' THEN 'exists'
         WHEN o.status = 'done' AND o.code = 'VALUE_DROPPED' THEN 'value_dropped'
         WHEN o.status = 'uncertain' THEN 'in_doubt' ELSE o.status END AS fate
FROM planned p LEFT JOIN outcome o USING (op_id);
"""

# A record that writing turned up is linked only if nothing else is: a record has one counterpart.
_TAKEN = """
UPDATE fate SET fate = 'rejected' WHERE kind = 'create' AND fate = 'exists' AND entity = {entity} AND (
    CASE side WHEN 'app' THEN made_key IN (SELECT app_key FROM base_{e} UNION ALL SELECT app_key FROM found_{e})
              ELSE made_key IN (SELECT ghl_key FROM base_{e} UNION ALL SELECT ghl_key FROM found_{e}) END
    OR EXISTS (FROM fate o WHERE o.kind = 'create' AND o.entity = {entity} AND o.side = fate.side AND o.made_key = fate.made_key
        AND (o.fate IN ('done', 'value_dropped') OR o.fate = 'exists' AND o.seq < fate.seq)));
"""

_NO_OUTCOMES = """
CREATE TABLE IF NOT EXISTS outcome (op_id VARCHAR, status VARCHAR, key VARCHAR, code VARCHAR, detail VARCHAR, trace_id VARCHAR, outcome VARCHAR);
"""

# A difference that is to be written counts as written only where an operation carries exactly its value to the other side.
_WRITTEN = """
CREATE OR REPLACE TABLE written_{e} AS
WITH due AS (
    SELECT link_id, field, item, because, CASE winner WHEN 'app' THEN 'ghl' ELSE 'app' END AS target,
        CASE winner WHEN 'app' THEN app ELSE ghl END AS value
    FROM judged_{e} WHERE action = 'agree'
), sent AS (
    SELECT op_id, kind, link_id, side, fate, unnest(json_keys(after)) AS field, before, after, json_keys(source) AS sets FROM fate
    WHERE entity = {entity} AND kind IN ('update', 'complete', 'add_tags', 'remove_tags')
        AND op_id NOT IN (SELECT op_id FROM planned WHERE turn = 1)  -- made room: no difference is due for it
), parts AS (
    SELECT op_id, kind, link_id, side, fate, field, json_extract_string(after, '$."' || field || '"') AS value, NULL AS item
    FROM sent WHERE kind IN ('update', 'complete') AND NOT list_contains(sets, field)
    UNION ALL
    SELECT op_id, kind, link_id, side, fate, field, CASE WHEN list_contains(now, item) THEN item END, item
    FROM (
        SELECT *, unnest(list_concat(list_filter(now, lambda x: NOT list_contains(was, x)), list_filter(was, lambda x: NOT list_contains(now, x)))) AS item
        FROM (SELECT *, {now} AS now, {was} AS was FROM sent WHERE kind IN ('update', 'complete') AND list_contains(sets, field))
    )
    UNION ALL
    SELECT op_id, kind, link_id, side, fate, field, CASE kind WHEN 'add_tags' THEN item END, item
    FROM (SELECT *, unnest(from_json(json_extract_string(after, '$.tags'), '["VARCHAR"]')) AS item FROM sent WHERE kind IN ('add_tags', 'remove_tags'))
)
SELECT coalesce(d.link_id, p.link_id) AS link_id, coalesce(d.field, p.field) AS field, coalesce(d.item, p.item) AS item,
    p.op_id, d.value, CASE WHEN d.link_id IS NULL OR p.link_id IS NULL THEN 'unexplained'
    WHEN p.fate IN ('done', 'exists') THEN 'updated' ELSE p.fate END AS class
FROM due d FULL JOIN parts p ON d.link_id = p.link_id AND d.target = p.side AND d.field = p.field
    AND d.item IS NOT DISTINCT FROM p.item AND d.value IS NOT DISTINCT FROM p.value;
"""

_PAIRS = """
CREATE OR REPLACE TABLE pair AS
WITH found AS (
    SELECT link_id, class FROM written_{e}
    UNION ALL
    SELECT j.link_id, CASE WHEN h.hold_id IS NULL THEN 'unexplained' WHEN j.action = 'ask' THEN 'conflict' ELSE j.action END
    FROM judged_{e} j LEFT JOIN hold h ON h.hold_id = j.hold_id AND h.subject = j.link_id WHERE j.action IN ('ask', 'unsyncable', 'flapping')
    UNION ALL
    SELECT j.link_id, CASE WHEN j.action <> 'leave' THEN 'unexplained' WHEN j.kind = 'converged' THEN 'in_sync'
        WHEN d.kind = 'dropped' THEN 'value_dropped' ELSE 'accepted' END
    FROM judged_{e} j LEFT JOIN difference_{e} d ON d.link_id = j.link_id AND d.field = j.field AND d.item = coalesce(j.item, '')
    WHERE j.action NOT IN ('agree', 'ask', 'unsyncable', 'flapping')
    UNION ALL
    SELECT d.link_id, 'unexplained' FROM delta_{e} d ANTI JOIN judged_{e} j ON j.link_id = d.link_id AND j.field = d.field AND j.item IS NOT DISTINCT FROM d.item
    UNION ALL
    SELECT link_id, CASE WHEN waits THEN 'not_checked' WHEN excluded THEN 'excluded' WHEN app_echo OR ghl_echo THEN 'timing' ELSE 'in_sync' END FROM wide_{e}
    UNION ALL
    {strayed}
    UNION ALL
    SELECT m.link_id, 'formatting_only' FROM moved_{e} m JOIN wide_{e} w USING (link_id)
    JOIN raw_{e}_app a ON a.key = m.app_key JOIN raw_{e}_ghl g ON g.key = m.ghl_key
    WHERE (a.digest <> m.app_digest OR g.digest <> m.ghl_digest) AND NOT w.excluded
        AND m.link_id NOT IN (SELECT link_id FROM delta_{e}) AND {trusted}
    UNION ALL
    SELECT coalesce(f.link_id, a.link_id), 'unexplained' FROM found_{e} f
    FULL JOIN (SELECT link_id, source_key, key FROM fate WHERE entity = {entity} AND kind = 'adopt') a
        ON a.link_id = f.link_id AND a.source_key = f.app_key AND a.key = f.ghl_key
    WHERE f.link_id IS NULL OR a.link_id IS NULL
    UNION ALL
    SELECT f.link_id, 'unexplained' FROM found_{e} f ANTI JOIN wide_{e} w USING (link_id)
    UNION ALL
    SELECT f.link_id, 'unexplained' FROM fate f ANTI JOIN (FROM absent_{e} WHERE dropped) x ON x.op_id = f.op_id
    WHERE f.entity = {entity} AND f.kind IN ('delete', 'archive', 'forget') AND f.link_id NOT IN ({released})
)
SELECT link_id, {class} AS class FROM (SELECT link_id, min({urgency}) AS place FROM found GROUP BY link_id);
"""

# Both records are there; of a task that is made again on another contact the rows count by what was written.
_STRAYED = """
SELECT s.link_id, CASE WHEN s.action = 'keep' THEN 'accepted' WHEN h.hold_id IS NULL THEN 'unexplained' ELSE {asked} END
FROM strayed_{e} s LEFT JOIN hold h ON h.hold_id = s.hold_id AND h.subject = s.link_id WHERE s.action <> 'move'
"""

_ABSENT = """
CREATE OR REPLACE TABLE absent_{e} AS
WITH gone AS (
    SELECT a.link_id, a.gone, a.because, a.both_gone, a.action, h.hold_id, f.op_id, f.fate, {contact}
    FROM absence_{e} a
    LEFT JOIN hold h ON h.hold_id = a.hold_id AND a.action = 'hold'
    LEFT JOIN fate f ON f.link_id = a.link_id AND f.entity = {entity} AND f.side = a.side
        AND f.kind = CASE a.action WHEN 'mirror' THEN 'delete' ELSE a.action END AND f.key IS NOT DISTINCT FROM a.key
    {contacts}
)
SELECT link_id, gone, because, op_id, CASE
    WHEN action IN ('mirror', 'archive') THEN CASE WHEN op_id IS NULL THEN 'unexplained' WHEN fate = 'done' THEN 'deleted' ELSE fate END
    WHEN action = 'forget' THEN CASE WHEN op_id IS NULL THEN 'unexplained' WHEN both_gone THEN 'deleted' ELSE 'absence_held' END
    WHEN action = 'hold' THEN CASE WHEN hold_id IS NULL THEN 'unexplained' ELSE 'absence_held' END
    WHEN action = 'ignore' THEN 'accepted' WHEN action = 'quarantine' THEN 'quarantined' WHEN action = 'not_checked' THEN 'not_checked'
    WHEN action = 'follow' THEN coalesce(contact_class, 'unexplained') ELSE 'unexplained' END AS class,
    action IN ('mirror', 'archive', 'forget') AS dropped
FROM gone;
"""

_TIES = """
CREATE OR REPLACE TABLE tie_{e} AS
WITH known AS (
    SELECT b.link_id, b.app_key, b.ghl_key, b.parent, a.key IS NOT NULL AS app_row, g.key IS NOT NULL AS ghl_row, m.link_id IS NOT NULL AS moved,
        coalesce(a.digest = b.app_digest AND g.digest = b.ghl_digest AND NOT a.deleted AND NOT g.deleted, false) AS same,
        coalesce(m.app_state, CASE WHEN a.key IS NULL THEN 'unknown' ELSE 'present' END) AS app_state,
        coalesce(m.ghl_state, CASE WHEN g.key IS NULL THEN 'unknown' ELSE 'present' END) AS ghl_state
    FROM (FROM base_{e} WHERE link_id NOT IN ({resettled})) b LEFT JOIN moved_{e} m USING (link_id)
    LEFT JOIN raw_{e}_app a ON a.key = b.app_key LEFT JOIN raw_{e}_ghl g ON g.key = b.ghl_key
), told AS (
    SELECT k.link_id, k.app_key, k.ghl_key, k.app_row, k.ghl_row, k.app_state, k.ghl_state,
        CASE WHEN p.class = 'unexplained' THEN p.class WHEN {parent_gone} AND NOT (k.app_state IN ('absent', 'deleted') AND k.ghl_state IN ('absent', 'deleted')) THEN 'deleted'
             WHEN k.moved AND k.app_state = 'present' AND k.ghl_state = 'present' THEN coalesce(p.class, 'unexplained')
             WHEN k.moved THEN coalesce(x.class, 'unexplained') WHEN k.same THEN coalesce(s.class, 'in_sync') ELSE 'unexplained' END AS class,
        CASE WHEN {parent_gone} THEN 'its contact was deleted, and it with it' ELSE x.because END AS because,
        NOT {parent_gone} AND k.app_state NOT IN ('absent', 'deleted') AND k.ghl_state NOT IN ('absent', 'deleted') AS paired
    FROM known k LEFT JOIN pair p USING (link_id) LEFT JOIN absent_{e} x USING (link_id) LEFT JOIN ({standing}) s USING (link_id)
)
SELECT *, false AS fresh FROM told
UNION ALL
SELECT f.link_id, f.app_key, f.ghl_key, true, true, 'present', 'present', coalesce(p.class, 'unexplained'), 'the same ' || f.how, true, true
FROM found_{e} f LEFT JOIN pair p USING (link_id);
"""

# {s}: the row's side, {t}: the other one.
_ROWS = """
CREATE OR REPLACE TABLE row_{e}_{s} AS
WITH tied AS (
    SELECT {s}_key AS key, {class} AS class, bool_or(paired) AS paired, any_value(because) AS because, count(*) AS links
    FROM (SELECT *, {urgency} AS place FROM tie_{e}) GROUP BY {s}_key, place
    QUALIFY row_number() OVER (PARTITION BY {s}_key ORDER BY place) = 1
), crowd AS (
    SELECT {s}_key AS key, count(*) AS links FROM tie_{e} GROUP BY {s}_key
), made AS (
    SELECT source_key AS key, CASE min(fate) WHEN 'done' THEN 'created' WHEN 'exists' THEN 'timing' ELSE min(fate) END AS class,
        bool_or(fate IN ('done', 'exists', 'value_dropped')) AS paired, any_value(because) AS because, count(*) AS many
    FROM fate WHERE kind = 'create' AND entity = {entity} AND side = '{t}' GROUP BY source_key
), met AS (
    SELECT DISTINCT made_key AS key FROM fate WHERE kind = 'create' AND entity = {entity} AND side = '{s}' AND fate = 'exists'
), removed AS (
    SELECT key, CASE fate WHEN 'done' THEN 'deleted' ELSE fate END AS fate FROM fate
    WHERE kind = 'delete' AND entity = {entity} AND side = '{s}' AND link_id IN ({resettled})
), aside AS (
    SELECT key, coalesce(min(fate), min(class)) AS class, any_value(because) AS because FROM passed LEFT JOIN removed USING (key)
    WHERE entity = {entity} AND side = '{s}' GROUP BY key
), asked AS (
    SELECT subject AS key, min({named_kind}) AS kind FROM hold WHERE entity = {entity} AND side = '{s}' AND kind IN ('ambiguous', 'duplicate', 'refused') GROUP BY subject
)
SELECT * REPLACE ({known} AS class) FROM (SELECT r.key, CASE
    WHEN c.links > 1 OR (t.key IS NOT NULL AND (m.key IS NOT NULL OR p.key IS NOT NULL)) OR m.many > 1 OR (m.key IS NOT NULL AND p.key IS NOT NULL) THEN 'unexplained'
    WHEN r.deleted THEN 'deleted' WHEN t.key IS NOT NULL THEN t.class WHEN m.key IS NOT NULL THEN m.class
    WHEN met.key IS NOT NULL THEN 'timing'
    WHEN p.class = 'ambiguous' THEN coalesce(q.kind, 'unexplained') ELSE coalesce(p.class, 'unexplained') END AS class,
    CASE WHEN r.deleted THEN 'marked as deleted' ELSE coalesce(t.because, m.because, p.because) END AS because,
    coalesce(t.paired, m.paired, false) OR met.key IS NOT NULL AS paired, t.key IS NOT NULL AS linked
FROM raw_{e}_{s} r LEFT JOIN tied t USING (key) LEFT JOIN crowd c USING (key) LEFT JOIN made m USING (key) LEFT JOIN met USING (key)
LEFT JOIN aside p USING (key) LEFT JOIN asked q USING (key));
"""


def released_sql(stage: Stage, entity: Entity) -> str:
    """SQL for the link_ids that a person's decision took apart before anything was compared: their rows count as unlinked."""
    return _links(stage, f"released_{entity}")


def resettled_sql(stage: Stage, entity: Entity) -> str:
    """SQL for the link_ids whose record a person wants made again on another contact."""
    return _links(stage, f"strayed_{entity}", "WHERE action = 'move'")


def _standing(stage: Stage, entity: Entity) -> str:
    """SQL (link_id, class) for unmoved links whose sides are known to differ, the most urgent class of each."""
    if not _there(stage, f"standing_{entity}"):
        return "SELECT NULL::VARCHAR AS link_id, NULL::VARCHAR AS class WHERE false"
    named = "CASE class WHEN 'by_rule' THEN 'accepted' WHEN 'dropped' THEN 'value_dropped' ELSE class END"
    return f"SELECT link_id, {class_sql(f'min({urgency_sql(named)})')} AS class FROM standing_{entity} GROUP BY link_id"


def _links(stage: Stage, table: str, which: str = "") -> str:
    """SQL for a table's link_ids; for none where the run made no such table."""
    return (
        f"SELECT link_id FROM {table} {which}"
        if _there(stage, table)
        else "SELECT NULL WHERE false"
    )


def _there(stage: Stage, table: str) -> bool:
    return bool(
        stage.count(f"SELECT count(*) FROM duckdb_tables() WHERE table_name = {literal(table)}")
    )


def _trusted(stage: Stage) -> str:
    """Whether the ledger's digests were made of what this run reads: under another mapping they tell of no change at all."""
    return str(
        not _there(stage, "trusted") or bool(stage.one("SELECT trusted FROM trusted")[0])
    ).lower()


def begin(stage: Stage, *, applied: bool) -> None:
    """Create `fate`: each planned operation with what became of it; before apply, as if all were done."""
    stage.run(_NO_OUTCOMES)
    stage.run(_FATE.format(applied=str(applied).lower()))


def class_rows(stage: Stage, mapped: EntityMap) -> None:
    """Create `row_e_s` (key, class, because, paired, linked) for both sides, and `tie_e` (links); contacts come first."""
    entity = mapped.entity
    named = {
        "e": entity,
        "entity": literal(entity),
        "class": class_sql("place"),
        "urgency": urgency_sql("class"),
    }
    named["named_kind"] = (
        f"CASE WHEN starts_with(\"values\" ->> 'rule', {literal(RULE)}) THEN 'suggested' "
        "WHEN kind = 'refused' THEN 'duplicate' ELSE kind END"
    )
    named["released"] = released_sql(stage, entity)
    named["resettled"] = resettled_sql(stage, entity)
    strayed = (
        _STRAYED.format(
            e=entity, asked=literal("moved" if entity is not Entity.CONTACT else "another")
        )
        if _there(stage, f"strayed_{entity}")
        else "SELECT NULL, NULL WHERE false"
    )
    child = entity is not Entity.CONTACT
    dropped = "EXISTS (FROM fate q WHERE q.kind IN ('delete', 'archive') AND q.fate = 'done' AND q.entity = 'contact' AND q.link_id = k.parent)"
    stage.run(_TAKEN.format(**named))
    whole = (
        "coalesce(from_json(json_extract_string({}, '$.\"' || field || '\"'), '[\"VARCHAR\"]'), [])"
    )
    stage.run(_WRITTEN.format(**named, now=whole.format("after"), was=whole.format("before")))
    stage.run(
        _ABSENT.format(
            **named,
            contact="c.class AS contact_class" if child else "NULL AS contact_class",
            contacts="LEFT JOIN absent_contact c ON c.link_id = a.parent AND c.gone = a.gone"
            if child
            else "",
        )
    )
    stage.run(_PAIRS.format(**named, trusted=_trusted(stage), strayed=strayed))
    stage.run(
        _TIES.format(
            **named, standing=_standing(stage, entity), parent_gone=dropped if child else "false"
        )
    )
    for side in Side:
        stage.run(
            _ROWS.format(**named, s=side, t=side.other, known=class_sql(urgency_sql("class")))
        )
