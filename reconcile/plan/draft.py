"""Drafts operations and holds from what was found, judged and missed: everything that a plan will say, as two tables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from collections.abc import Mapping as Map
from functools import partial
from typing import Any

from sqlalchemy import Row

from reconcile.compare import reused_keys
from reconcile.model import Entity, Hold, OpKind, Side
from reconcile.plan import moved_children
from reconcile.plan.creates import draft_creates
from reconcile.plan.plan import Group
from reconcile.plan.unique_values import make_room, take_turns
from reconcile.stage.quoting import literal
from reconcile.stage.stage import Stage
from reconcile.values.jsonl import hold_from, hold_line
from reconcile.values.mapping import EntityMap, Mapping

_TABLES = """
CREATE OR REPLACE TABLE operation (
    phase DOUBLE, kind VARCHAR, entity VARCHAR, side VARCHAR, link_id VARCHAR, key VARCHAR, source_key VARCHAR,
    parent VARCHAR, parent_key VARCHAR, source VARCHAR, before VARCHAR, after VARCHAR, guard VARCHAR, because VARCHAR, risk VARCHAR);
CREATE OR REPLACE TABLE hold (
    hold_id VARCHAR, kind VARCHAR, entity VARCHAR, subject VARCHAR, field VARCHAR, side VARCHAR, app_key VARCHAR,
    ghl_key VARCHAR, because VARCHAR, options VARCHAR[], "values" JSON, values_digest VARCHAR);
CREATE OR REPLACE TABLE passed (entity VARCHAR, side VARCHAR, key VARCHAR, class VARCHAR, because VARCHAR);
CREATE TABLE IF NOT EXISTS looked (entity VARCHAR, side VARCHAR, key VARCHAR);
"""

_ADOPT = """
INSERT INTO operation
SELECT 1, 'adopt', {entity}, 'ghl', f.link_id, f.ghl_key, f.app_key, f.parent, NULL, '{{}}', '{{}}', '{{}}', NULL,
    CASE WHEN f.how LIKE 'decided%' THEN f.how ELSE 'the two records have the same ' || f.how END, 'low' FROM found_{e} f;
"""

_UPDATES = """
INSERT INTO operation
WITH due AS (
    SELECT link_id, field, CASE winner WHEN 'app' THEN 'ghl' ELSE 'app' END AS target, because, kind = 'conflict' AS contested,
        CASE winner WHEN 'app' THEN ghl ELSE app END AS held, CASE winner WHEN 'app' THEN app ELSE ghl END AS value,
        NULL::VARCHAR AS across
    FROM judged_{e} WHERE action = 'agree' AND item IS NULL {merged}
), turned AS (
    SELECT d.* REPLACE (CASE WHEN l.room THEN NULL ELSE d.held END AS held), coalesce(l.field, '') AS lot,
        coalesce(1 + l.turn / 1000, 3) AS phase, coalesce(l.room, false) AS room
    FROM due d LEFT JOIN lot_{e} l USING (link_id, field, target)
), reasons AS (
    SELECT link_id, target, lot, because, string_agg(field, ', ' ORDER BY field) AS fields FROM turned GROUP BY ALL
), said AS (
    SELECT link_id, target, lot, string_agg(fields || ': ' || because, '; ' ORDER BY fields) AS because FROM reasons GROUP BY ALL
), grouped AS (
    SELECT link_id, target, lot, phase, bool_or(room) AS room, {before} AS before, {after} AS after,
        {source} AS source, list_sort(list(field)) AS fields, bool_or(contested) AS contested
    FROM turned GROUP BY link_id, target, lot, phase
)
SELECT phase, CASE WHEN target = 'ghl' AND fields = [{completed}] THEN 'complete' ELSE 'update' END, {entity}, target, link_id,
    CASE target WHEN 'app' THEN w.app_key ELSE w.ghl_key END, CASE target WHEN 'app' THEN w.ghl_key ELSE w.app_key END,
    {parent}, {parent_key}, source, before, after,
    CASE WHEN NOT room THEN CASE target WHEN 'app' THEN a.version ELSE g.version END END, said.because, CASE WHEN contested THEN 'high' ELSE 'low' END
FROM grouped JOIN said USING (link_id, target, lot) JOIN wide_{e} w USING (link_id)
JOIN cell_{e}_app a ON a.key = w.app_key JOIN cell_{e}_ghl g ON g.key = w.ghl_key {owner};
"""

# Of a set that is decided by element and written as a whole: what the target holds, with the elements that it lacks added and
# those removed that it shall lose. What is still in question stays as each side has it.
_MERGED = """
UNION ALL
SELECT link_id, field, target, because, contested, held,
    nullif(to_json(list_sort(list_concat(list_filter({held}, lambda x: NOT list_contains(removed, x)), added)))::VARCHAR, '[]'),
    coalesce(across, '[]')
FROM (
    SELECT m.* EXCLUDE (place), CASE target WHEN 'app' THEN {app} ELSE {ghl} END AS held,
        CASE target WHEN 'app' THEN {ghl} ELSE {app} END AS across
    FROM (
        SELECT link_id, field, target, list_position({names}, field) AS place, bool_or(kind = 'conflict') AS contested,
            string_agg(DISTINCT because, '; ' ORDER BY because) AS because,
            coalesce(list(item) FILTER (adds), []) AS added, coalesce(list(item) FILTER (NOT adds), []) AS removed
        FROM (
            SELECT *, CASE winner WHEN 'app' THEN 'ghl' ELSE 'app' END AS target,
                CASE winner WHEN 'app' THEN app ELSE ghl END IS NOT NULL AS adds
            FROM judged_{e} WHERE action = 'agree' AND item IS NOT NULL AND field <> 'tags'
        ) GROUP BY link_id, field, target
    ) m JOIN wide_{e} w USING (link_id) JOIN cell_{e}_app a ON a.key = w.app_key JOIN cell_{e}_ghl g ON g.key = w.ghl_key
    LEFT JOIN basecell_{e} b USING (link_id)
)
"""

_TAGS = """
INSERT INTO operation
WITH due AS (
    SELECT j.link_id, item, j.because, CASE winner WHEN 'app' THEN 'ghl' ELSE 'app' END AS target,
        CASE winner WHEN 'app' THEN app ELSE ghl END IS NOT NULL AS adds
    FROM judged_{e} j WHERE action = 'agree' AND item IS NOT NULL AND field = 'tags'
), said AS (
    SELECT link_id, target, adds, because, string_agg(item, ', ' ORDER BY item) AS items FROM due GROUP BY ALL
)
SELECT CASE WHEN adds THEN 4 ELSE 5 END, CASE WHEN adds THEN 'add_tags' ELSE 'remove_tags' END, 'tag', target, link_id,
    CASE target WHEN 'app' THEN w.app_key ELSE w.ghl_key END, CASE target WHEN 'app' THEN w.ghl_key ELSE w.app_key END,
    NULL, NULL, '{{}}', '{{}}', json_object('tags', (SELECT to_json(list_sort(list(item)))::VARCHAR FROM due d
        WHERE d.link_id = said.link_id AND d.target = said.target AND d.adds = said.adds)), NULL,
    string_agg(items || ': ' || because, '; ' ORDER BY items), 'low'
FROM said JOIN wide_{e} w USING (link_id) GROUP BY link_id, target, adds, w.app_key, w.ghl_key;
"""

_RELEASED = """
INSERT INTO operation
SELECT 0, 'forget', {entity}, 'ghl', link_id, ghl_key, app_key, parent, NULL, '{{}}', '{{}}', '{{}}', NULL, because, 'low' FROM released_{e};
"""

_ABSENCES = """
INSERT INTO operation
SELECT CASE action WHEN 'forget' THEN 0 ELSE {phase} END, CASE action WHEN 'mirror' THEN 'delete' ELSE action END, {entity}, side,
    absence_{e}.link_id, key, CASE gone WHEN 'app' THEN absence_{e}.app_key ELSE absence_{e}.ghl_key END, parent, {parent_key}, '{{}}',
    CASE WHEN action = 'forget' THEN '{{}}' ELSE cells END, '{{}}', version, because,
    CASE action WHEN 'forget' THEN 'low' ELSE 'high' END
FROM absence_{e} {owner} WHERE action IN ('mirror', 'archive', 'forget');
INSERT INTO hold
SELECT hold_id, 'delete', {entity}, link_id, NULL, side, app_key, ghl_key, because,
    CASE WHEN merged IS NOT NULL THEN ['keep', 'delete'] WHEN survivor IS NULL THEN ['delete', 'restore', 'keep'] ELSE ['delete', 'relink', 'keep'] END,
    CASE WHEN survivor IS NULL THEN json_object('gone', gone, 'kept', cells, 'survivor', NULL)
        ELSE json_object('gone', gone, 'kept', cells, 'survivor', survivor,
            'candidates', list_filter(list_distinct([survivor, merged]), lambda x: x IS NOT NULL)) END, values_digest
FROM absence_{e} WHERE action = 'hold';
"""

_HOLDS = """
INSERT INTO hold
SELECT hold_id, CASE action WHEN 'ask' THEN 'conflict' ELSE 'unsyncable' END, {entity}, link_id, CASE WHEN item IS NULL THEN field ELSE field || ': ' || item END,
    CASE winner WHEN 'app' THEN 'ghl' WHEN 'ghl' THEN 'app' END, w.app_key, w.ghl_key, because,
    CASE action WHEN 'ask' THEN ['app', 'ghl', 'leave'] ELSE [] END,
    json_object('base_app', j.base_app, 'base_ghl', j.base_ghl, 'app', j.app, 'ghl', j.ghl), values_digest
FROM judged_{e} j JOIN wide_{e} w USING (link_id) WHERE action IN ('ask', 'unsyncable') AND hold_id NOT IN (SELECT hold_id FROM hold);
INSERT INTO hold
SELECT u.hold_id, u.kind, {entity}, u.key, NULL, u.side, CASE u.side WHEN 'app' THEN u.key END, CASE u.side WHEN 'ghl' THEN u.key END,
    u.because, u.options, json_object('rule', u.rule, 'candidates', u.candidates, 'contact', u.contact), md5(u.candidates::VARCHAR)[1:20]
FROM unsure_{e}_now u;
"""

_UNSURE_NOW = """
CREATE OR REPLACE TABLE unsure_{e}_now (
    side VARCHAR, key VARCHAR, kind VARCHAR, rule VARCHAR, candidates VARCHAR[], hold_id VARCHAR, because VARCHAR, options VARCHAR[],
    choice VARCHAR, "by" VARCHAR, contact VARCHAR);
CREATE OR REPLACE TABLE wanted_{e} (side VARCHAR, key VARCHAR, "by" VARCHAR);
"""

_UNSURE = """
INSERT INTO unsure_{e}_now BY NAME
WITH all_unsure AS (
    SELECT u.side, u.key, min(u.kind) AS kind, min(u.rule) AS rule, list_sort(list_distinct(flatten(list(u.candidates)))) AS candidates,
        md5('unsure' || chr(31) || {entity} || chr(31) || u.side || chr(31) || u.key)[1:20] AS hold_id
    FROM unsure_{e} u GROUP BY u.side, u.key
)
SELECT a.*, CASE WHEN starts_with(d.choice, 'link:') THEN 'another answer names the same record, so neither is carried out; ' ELSE '' END
    || CASE WHEN starts_with(rule, 'likeness') THEN 'probably the same as a record of the other side, though no match rule says so; ' || rule WHEN kind = 'ambiguous' THEN 'several records, or records that contradict each other, have the same ' || rule
        WHEN kind = 'excluded' THEN 'a record that is left out by an exclude rule has the same ' || rule
        ELSE 'another record has the same ' || rule || ' already' END AS because,
    CASE WHEN kind = 'ambiguous' AND a.side = 'app' THEN list_concat(list_transform(candidates, lambda c: 'link:' || c), ['create', 'ignore'])
         ELSE ['create', 'ignore'] END AS options, d.choice, d."by",
    coalesce(ca.parent, cg.parent) AS contact
FROM all_unsure a LEFT JOIN cell_{e}_app ca ON a.side = 'app' AND ca.key = a.key LEFT JOIN cell_{e}_ghl cg ON a.side = 'ghl' AND cg.key = a.key
LEFT JOIN decision d ON d.hold_id = a.hold_id AND d.values_digest = md5(a.candidates::VARCHAR)[1:20];
INSERT INTO passed SELECT {entity}, side, key, CASE WHEN choice = 'ignore' OR kind = 'excluded' THEN 'excluded' ELSE 'ambiguous' END, because
FROM unsure_{e}_now WHERE choice IS DISTINCT FROM 'create';
INSERT INTO wanted_{e} SELECT side, key, "by" FROM unsure_{e}_now WHERE choice = 'create';
INSERT INTO free_{e}_app SELECT c.* {parent_app} FROM cell_{e}_app c {owner_app} WHERE c.key IN (SELECT key FROM unsure_{e}_now WHERE side = 'app' AND choice = 'create');
INSERT INTO free_{e}_ghl SELECT c.* {parent_ghl} FROM cell_{e}_ghl c {owner_ghl} WHERE c.key IN (SELECT key FROM unsure_{e}_now WHERE side = 'ghl' AND choice = 'create');
DELETE FROM unsure_{e}_now WHERE choice IN ('create', 'ignore') OR kind = 'excluded';
"""


def begin(stage: Stage) -> None:
    """Create the empty tables of a draft."""
    stage.run(_TABLES)


def draft(stage: Stage, mapped: EntityMap) -> None:
    """Add one entity's operations to `operation`, its questions to `hold`, and what is left out with its reason to `passed`."""
    entity = mapped.entity
    quoted = literal(entity)
    unsure, judged, absent = f"unsure_{entity}", f"judged_{entity}", f"absence_{entity}"
    some = stage.some(
        unsure,
        judged,
        absent,
        f"released_{entity}",
        f"found_{entity}",
        f"wide_{entity} WHERE strayed",
    )
    stage.run(_UNSURE_NOW.format(e=entity))
    if unsure in some:
        _draft_unsure(stage, mapped)
    if some & {f"released_{entity}", f"found_{entity}"}:
        stage.run(
            _RELEASED.format(e=entity, entity=quoted) + _ADOPT.format(e=entity, entity=quoted)
        )
    steps = [partial(_draft_updates, mapped=mapped)] if judged in some else []
    steps += [partial(draft_creates, mapped=mapped, side=side) for side in Side]
    if absent in some:
        steps.append(partial(_draft_absences, mapped=mapped))
    stage.together(*steps)
    if some & {unsure, judged}:
        stage.run(_HOLDS.format(e=entity, entity=quoted))
    if f"wide_{entity} WHERE strayed" in some:
        (reused_keys if entity is Entity.CONTACT else moved_children).draft(stage, mapped)


def in_question(stage: Stage, mapped: EntityMap) -> set[str]:
    """The hold ids of all that a person is, or was, asked about and that this run still found so."""
    entity = mapped.entity
    found = stage.rows(
        f"SELECT hold_id FROM judged_{entity} WHERE action = 'ask' OR starts_with(because, 'decided by') "
        f"UNION SELECT hold_id FROM absence_{entity}"
    )
    return {str(hold_id) for (hold_id,) in found}


# A link is seen where both its ends were, or one is known to be gone; a record without one, where its part of the side was read
# and the other side far enough to say whether it is there.
_UNREAD = """
SELECT a.hold_id FROM asked_{e} a JOIN base_{e} b ON b.link_id = a.subject LEFT JOIN moved_{e} m USING (link_id)
LEFT JOIN raw_{e}_app ra ON ra.key = b.app_key LEFT JOIN raw_{e}_ghl rg ON rg.key = b.ghl_key
WHERE coalesce('unknown' IN (m.app_state, m.ghl_state), ra.key IS NULL OR rg.key IS NULL)
UNION SELECT a.hold_id FROM asked_{e} a JOIN absence_{e} x ON x.link_id = a.subject AND x.action = 'not_checked'
UNION SELECT a.hold_id FROM asked_{e} a JOIN passed p ON p.entity = {entity} AND p.side = a.side AND p.key = a.subject AND p.class = 'not_checked'
UNION SELECT a.hold_id FROM asked_{e} a WHERE a.side = 'app' AND NOT {app} AND a.subject NOT IN (SELECT key FROM raw_{e}_app)
UNION SELECT a.hold_id FROM asked_{e} a WHERE a.side = 'ghl' AND NOT {ghl} AND a.subject NOT IN (SELECT key FROM raw_{e}_ghl)
"""


def unread(stage: Stage, mapping: Mapping, asked: Iterable[Row[Any]]) -> set[str]:
    """Of these questions (rows of the ledger), those about what this run did not see: they are neither asked anew nor settled."""
    bodies = [(row.hold_id, json.loads(row.body)) for row in asked]
    found: set[str] = set()
    for mapped in mapping.entities:
        entity = mapped.entity
        mine = [(hold_id, body) for hold_id, body in bodies if body["entity"] == entity]
        if not mine:
            continue
        columns = [(name, "VARCHAR") for name in ("hold_id", "subject", "side", "contact")]
        rows = [
            (hold_id, body["subject"], _without_link(body), body["values"].get("contact"))
            for hold_id, body in mine
        ]
        stage.fill(f"asked_{entity}", columns, [rows])
        read = {side.value: _read(stage, entity, side) for side in Side}
        query = _UNREAD.format(e=entity, entity=literal(entity), **read)
        found |= {str(hold_id) for (hold_id,) in stage.rows(query)}
    return found


def _without_link(body: Map[str, Any]) -> str | None:
    """The side whose record, one without a link, a question is about."""
    apart = body["kind"] in ("ambiguous", "duplicate") or (
        body["kind"] == "refused" and not body.get("field")
    )
    return str(body["side"]) if apart else None


def _read(stage: Stage, entity: Entity, side: Side) -> str:
    """SQL for whether a side was read where the record of a question would be."""
    snapshot = stage.snapshots[entity, side]
    if not snapshot.partial:
        return str(snapshot.complete).lower()
    place = "a.subject" if entity is Entity.CONTACT else "a.contact"
    return f"coalesce({place} IN (SELECT key FROM cover_{entity}_{side}), false)"


def _draft_absences(stage: Stage, mapped: EntityMap) -> None:
    entity = mapped.entity
    child = entity is not Entity.CONTACT
    owner = f"LEFT JOIN owner o ON o.link_id = absence_{entity}.parent" if child else ""
    parent_key = (
        "coalesce(hangs_on, CASE side WHEN 'app' THEN o.app_key ELSE o.ghl_key END)"
        if child
        else "NULL"
    )
    phase = 6 if child else 7
    stage.run(
        _ABSENCES.format(
            e=entity, entity=literal(entity), phase=phase, owner=owner, parent_key=parent_key
        )
    )


def _draft_unsure(stage: Stage, mapped: EntityMap) -> None:
    child = mapped.entity is not Entity.CONTACT
    joins = {
        f"{part}_{side}": text
        for side in Side
        for part, text in (
            ("parent", ", o.link_id" if child else ""),
            ("owner", f"LEFT JOIN owner o ON o.{side}_key = c.parent" if child else ""),
        )
    }
    stage.run(_UNSURE.format(e=mapped.entity, entity=literal(mapped.entity), **joins))


def _gathered(value: str, among: str = "") -> str:
    """SQL for a JSON object of the grouped rows' fields, blank ones as null."""
    member = f"to_json(field) || ':' || coalesce(to_json({value}), 'null')"
    return f"'{{' || string_agg({member}, ',' ORDER BY field) {among} || '}}'"


def _merged(mapped: EntityMap) -> str:
    """SQL for the sets that are decided by element, as further rows of what is due."""
    if not mapped.sets:
        return ""
    # A side whose row is an echo was compared as its baseline.
    held = {
        side: f"list_extract(CASE WHEN w.{side}_echo THEN b.{side} ELSE {side[0]}.cells END, m.place)"
        for side in Side
    }
    names = f"[{', '.join(literal(field.name) for field in mapped.fields)}]"
    listed = "coalesce(from_json(held, '[\"VARCHAR\"]'), [])"
    return _MERGED.format(
        e=mapped.entity, names=names, held=listed, app=held[Side.APP], ghl=held[Side.GHL]
    )


def _draft_updates(stage: Stage, mapped: EntityMap) -> None:
    entity = mapped.entity
    child = entity is not Entity.CONTACT
    completed = [field.name for field in mapped.fields if field.ghl == ("completed",)]
    take_turns(stage, mapped)
    make_room(stage, mapped)
    stage.run(
        _UPDATES.format(
            e=entity,
            entity=literal(entity),
            completed=literal(completed[0]) if completed else "''",
            merged=_merged(mapped),
            source=f"coalesce({_gathered('across', 'FILTER (across IS NOT NULL)')}, '{{}}')",
            before=_gathered("held"),
            after=_gathered("value"),
            parent="o.link_id" if child else "NULL",
            # Where it hangs: after a merge that is another contact than its own contact's end.
            parent_key="CASE target WHEN 'app' THEN coalesce(a.parent, o.app_key) ELSE coalesce(g.parent, o.ghl_key) END"
            if child
            else "NULL",
            owner="LEFT JOIN owner o ON o.app_key = a.parent" if child else "",
        )
    )
    if mapped.has_tags:
        stage.run(_TAGS.format(e=entity))


def extend_owner(stage: Stage) -> None:
    """Add the contacts that are about to be created to `owner`: tasks and notes may hang on them already."""
    stage.run(
        "INSERT INTO due_owner SELECT link_id, CASE side WHEN 'ghl' THEN source_key END, CASE side WHEN 'app' THEN source_key END "
        "FROM operation WHERE kind = 'create' AND entity = 'contact'"
    )


# In place, and sorted are the names alone: a copy of a plan needs as much memory again as the plan.
_NUMBERED = """
ALTER TABLE operation ADD COLUMN seq BIGINT;
ALTER TABLE operation ADD COLUMN op_id VARCHAR;
ALTER TABLE operation ADD COLUMN starts_workflows BOOLEAN;
ALTER TABLE operation ADD COLUMN turn INTEGER;
UPDATE operation o SET seq = n.seq, turn = round((phase - floor(phase)) * 1000)::INTEGER, starts_workflows = side = 'ghl' AND kind NOT IN ('adopt', 'forget', 'delete', 'archive'),
    op_id = md5(concat_ws(chr(31), kind, entity, side, link_id, coalesce(key, ''), before, after))[1:20]
FROM (
    SELECT rowid AS row, row_number() OVER (ORDER BY phase, array_position(['contact', 'tag', 'task', 'note'], entity), side, link_id, kind, after) AS seq
    FROM operation
) n WHERE n.row = o.rowid;
DROP TABLE IF EXISTS work.planned;
ALTER TABLE operation RENAME TO planned;
"""


def number(stage: Stage) -> None:
    """Make `operation` into `planned`: the operations in the order they are carried out, parents first, each with its op_id."""
    stage.run(_NUMBERED)


def groups(stage: Stage) -> tuple[Group, ...]:
    """The planned operations by entity, side and kind."""
    deltas: dict[tuple[object, ...], list[int]] = {}
    identical = "SELECT side, kind, count(*) AS many FROM planned WHERE entity = 'tag' GROUP BY side, kind, after ORDER BY many"
    for side, kind, many in stage.rows(identical):
        deltas.setdefault((side, kind), []).append(int(str(many)))
    counted = (
        "SELECT entity, side, kind, count(*), count(*) FILTER (risk = 'high'), count(*) FILTER (starts_workflows) "
        "FROM planned GROUP BY ALL ORDER BY min(seq)"
    )
    return tuple(
        Group(
            entity=Entity(str(entity)),
            side=Side(str(side)),
            kind=OpKind(str(kind)),
            count=int(str(count)),
            risky=int(str(risky)),
            starts_workflows=int(str(starting)),
            deltas=tuple(deltas.get((side, kind), ())) if entity == "tag" else (),
        )
        for entity, side, kind, count, risky, starting in stage.rows(counted)
    )


_TEXTS = ("because", "guard", "key", "link_id", "op_id", "parent", "parent_key", "source_key")
_WORDS = ("entity", "kind", "side")
_PART = 5_000
"""Lines made at a time, at least."""


def lines(stage: Stage) -> Iterator[str]:
    """The body of a plan file: each operation in order, then each question, as `reconcile.values.jsonl` writes them.

    The operations' lines are made in SQL: a Python object for each of them takes ten times as long as the comparison does.
    """
    members = {name: f"'\"{name}\":' || to_json({name})" for name in _TEXTS}
    members |= {name: f"'\"{name}\":\"' || {name} || '\"'" for name in _WORDS}
    members |= {
        name: f"'\"{name}\":' || nullif({name}, '{{}}')" for name in ("after", "before", "source")
    }
    members["risk"] = "CASE risk WHEN 'low' THEN NULL ELSE '\"risk\":\"' || risk || '\"' END"
    members["starts_workflows"] = "CASE WHEN starts_workflows THEN '\"starts_workflows\":true' END"
    members["turn"] = "CASE WHEN turn > 0 THEN '\"turn\":' || turn END"
    whole = (
        f"'{{' || concat_ws(',', {', '.join(members[name] for name in sorted(members))}) || '}}'"
    )
    last = stage.count("SELECT coalesce(max(seq), 0) FROM planned")
    size = max(_PART, last // 50)  # each part looks through the whole plan
    parts = (  # sorted whole, the lines would need as much memory as the plan
        f"SELECT {whole} FROM planned WHERE seq > {start} AND seq <= {start + size} ORDER BY seq"
        for start in range(0, last, size)
    )
    for rows in stage.ahead(parts):
        yield from (str(text) for (text,) in rows)
    yield from map(hold_line, holds(stage))


def holds(stage: Stage) -> Iterator[Hold]:
    """The questions for a person, in a stable order."""
    columns = (
        "hold_id",
        "kind",
        "entity",
        "subject",
        "because",
        "field",
        "side",
        "app_key",
        "ghl_key",
        "options",
        "values_digest",
    )
    query = f'SELECT {", ".join(columns)}, "values"::VARCHAR FROM hold ORDER BY entity, kind, subject, field, hold_id'
    for batch in stage.stream(query):
        for row in batch:
            members = {
                name: value for name, value in zip(columns, row, strict=False) if value is not None
            }
            yield hold_from(members | {"values": json.loads(str(row[-1]))})
