"""Proposes links for rows that have none: rule by rule, one to one or not at all; what could be several is held with its evidence."""

from __future__ import annotations

from collections.abc import Sequence

from reconcile.cells import identities, make_cells, make_known
from reconcile.mapping import EntityMap
from reconcile.model import Entity, Side
from reconcile.stage import Stage, literal

_START = """
CREATE OR REPLACE TABLE found_{e} (link_id VARCHAR, app_key VARCHAR, ghl_key VARCHAR, parent VARCHAR, how VARCHAR);
CREATE OR REPLACE TABLE unsure_{e} (side VARCHAR, key VARCHAR, kind VARCHAR, rule VARCHAR, candidates VARCHAR[]);
CREATE OR REPLACE TABLE free_{e}_app AS SELECT {wanted} FROM {cells}_{e}_app c SEMI JOIN unlinked_{e}_app USING (key) WHERE NOT excluded;
CREATE OR REPLACE TABLE free_{e}_ghl AS SELECT {wanted} FROM {cells}_{e}_ghl c SEMI JOIN unlinked_{e}_ghl USING (key) WHERE NOT excluded;
"""

# strong: the row has an identity under the first rule; two strong rows that meet only under a later rule contradict each other.
_RULE = """
CREATE OR REPLACE TEMP TABLE known_app AS SELECT i.key, i.identity, i.key IN (SELECT key FROM strong_app) AS strong FROM ({app}) i;
CREATE OR REPLACE TEMP TABLE known_ghl AS SELECT i.key, i.identity, i.key IN (SELECT key FROM strong_ghl) AS strong FROM ({ghl}) i;
CREATE OR REPLACE TEMP TABLE meeting AS
SELECT identity, a.rows AS app_rows, g.rows AS ghl_rows, a.weak AS app_weak, g.weak AS ghl_weak, a.one AS app_key, g.one AS ghl_key
FROM (SELECT identity, count(*) AS rows, count(*) FILTER (NOT strong) AS weak, min(key) AS one FROM known_app GROUP BY identity) a
JOIN (SELECT identity, count(*) AS rows, count(*) FILTER (NOT strong) AS weak, min(key) AS one FROM known_ghl GROUP BY identity) g
USING (identity);
CREATE OR REPLACE TEMP TABLE pairs AS SELECT DISTINCT app_key, ghl_key FROM meeting WHERE app_rows = 1 AND ghl_rows = 1;
CREATE OR REPLACE TEMP TABLE crowded AS
SELECT 'app' AS side, k.key, m.identity FROM known_app k JOIN meeting m USING (identity)
WHERE (app_rows > 1 OR ghl_rows > 1) AND (NOT k.strong OR m.ghl_weak > 0)
UNION SELECT 'ghl', k.key, m.identity FROM known_ghl k JOIN meeting m USING (identity)
WHERE (app_rows > 1 OR ghl_rows > 1) AND (NOT k.strong OR m.app_weak > 0)
UNION SELECT 'app', p.app_key, k.identity FROM pairs p JOIN known_app k ON k.key = p.app_key
WHERE p.app_key IN (SELECT app_key FROM pairs GROUP BY app_key HAVING count(*) > 1)
UNION SELECT 'ghl', p.ghl_key, k.identity FROM pairs p JOIN known_ghl k ON k.key = p.ghl_key
WHERE p.ghl_key IN (SELECT ghl_key FROM pairs GROUP BY ghl_key HAVING count(*) > 1)
UNION SELECT 'app', p.app_key, k.identity FROM pairs p JOIN known_app k ON k.key = p.app_key
WHERE p.ghl_key IN (SELECT ghl_key FROM pairs GROUP BY ghl_key HAVING count(*) > 1)
UNION SELECT 'ghl', p.ghl_key, k.identity FROM pairs p JOIN known_ghl k ON k.key = p.ghl_key
WHERE p.app_key IN (SELECT app_key FROM pairs GROUP BY app_key HAVING count(*) > 1)
UNION SELECT 'app', p.app_key, k.identity FROM pairs p JOIN known_app k ON k.key = p.app_key
WHERE p.app_key IN (SELECT key FROM strong_app) AND p.ghl_key IN (SELECT key FROM strong_ghl)
UNION SELECT 'ghl', p.ghl_key, k.identity FROM pairs p JOIN known_ghl k ON k.key = p.ghl_key
WHERE p.app_key IN (SELECT key FROM strong_app) AND p.ghl_key IN (SELECT key FROM strong_ghl);
INSERT INTO unsure_{e}
SELECT 'app', c.key, 'ambiguous', {rule}, list_sort(list(DISTINCT k.key))[1:20] FROM crowded c JOIN known_ghl k USING (identity) WHERE c.side = 'app' GROUP BY c.key
UNION ALL
SELECT 'ghl', c.key, 'ambiguous', {rule}, list_sort(list(DISTINCT k.key))[1:20] FROM crowded c JOIN known_app k USING (identity) WHERE c.side = 'ghl' GROUP BY c.key;
INSERT INTO found_{e}
SELECT md5({entity} || chr(31) || 'app' || chr(31) || app_key)[1:20], app_key, ghl_key, {parent}, {rule} FROM pairs
WHERE app_key NOT IN (SELECT key FROM crowded WHERE side = 'app') AND ghl_key NOT IN (SELECT key FROM crowded WHERE side = 'ghl');
"""

_TAKEN = """
INSERT INTO unsure_{e}
SELECT '{s}', f.key, 'duplicate', {rule}, list_sort(list(DISTINCT t.key))[1:20]
FROM ({free}) f JOIN ({taken}) t ON t.identity = f.identity
WHERE NOT (f.key IN (SELECT key FROM strong_{s}) AND t.key IN (SELECT key FROM strong_{o}))
GROUP BY f.key;
"""

_TWINS = """
INSERT INTO unsure_{e}
WITH known AS (SELECT i.*, i.key IN (SELECT key FROM strong_{s}) AS strong FROM ({free}) i),
crowd AS (SELECT identity, count(*) FILTER (NOT strong) AS weak, list_sort(list(key))[1:21] AS keys FROM known GROUP BY identity HAVING count(*) > 1)
SELECT '{s}', k.key, 'duplicate', {rule}, min(list_filter(c.keys, lambda x: x <> k.key)) FROM known k JOIN crowd c USING (identity)
WHERE NOT k.strong OR c.weak > 0 GROUP BY k.key;
"""

_SETTLED = """
DELETE FROM free_{e}_app WHERE key IN (SELECT app_key FROM found_{e} UNION SELECT key FROM unsure_{e} WHERE side = 'app');
DELETE FROM free_{e}_ghl WHERE key IN (SELECT ghl_key FROM found_{e} UNION SELECT key FROM unsure_{e} WHERE side = 'ghl');
"""

_TWIN_CONTENT = """
INSERT INTO found_{e}
WITH a AS (SELECT key, parent_link, ({cells}) AS content, row_number() OVER (PARTITION BY parent_link, content ORDER BY key) AS place
           FROM free_{e}_app),
     g AS (SELECT key, parent_link, ({cells}) AS content, row_number() OVER (PARTITION BY parent_link, content ORDER BY key) AS place
           FROM free_{e}_ghl)
SELECT md5({entity} || chr(31) || 'app' || chr(31) || a.key)[1:20], a.key, g.key, parent_link, 'content'
FROM a JOIN g USING (parent_link, content, place);
"""

_DECIDED = """
INSERT INTO found_{e}
SELECT md5({entity} || chr(31) || 'app' || chr(31) || f.key)[1:20], f.key, g.key, {parent}, 'decided by ' || d.by
FROM free_{e}_app f
JOIN decision d ON d.hold_id = md5('unsure' || chr(31) || {entity} || chr(31) || 'app' || chr(31) || f.key)[1:20]
JOIN free_{e}_ghl g ON d.choice = 'link:' || g.key AND {parent} IS NOT DISTINCT FROM {ghl_parent};
"""


def match_contacts(stage: Stage, mapped: EntityMap) -> None:
    """Create `found_e` (new links), `unsure_e` (held rows with candidates) and leave the orphans in `free_e_s`."""
    find_links(stage, mapped)
    entity = mapped.entity
    for side in Side:
        _focus(stage, mapped, side, f"UNION SELECT unnest(candidates) FROM unsure_{entity}")
        stage.run(
            f"CREATE OR REPLACE TABLE free_{entity}_{side} AS SELECT c.* FROM cell_{entity}_{side} c SEMI JOIN free_{entity}_{side} f USING (key)"
        )


def find_links(stage: Stage, mapped: EntityMap) -> None:
    """Create `found_e` and `unsure_e`, and `free_e_s` as keys alone: rule by rule, on nothing but what rows are known by."""
    entity = mapped.entity
    for side in Side:
        _make_known(stage, mapped, side)
        stage.run(f"CREATE OR REPLACE TEMP TABLE strong_{side} (key VARCHAR)")
    stage.run(_START.format(e=entity, wanted="c.key", cells="known"))
    _link_decided(stage, entity, parent="NULL", ghl_parent="NULL")
    for at, rule in enumerate(mapped.match, start=1):
        _apply_rule(stage, mapped, rule)
        for side in Side if at < len(mapped.match) else ():
            everyone = identities(stage, mapped, side, rule, of="known")
            stage.run(f"INSERT INTO strong_{side} SELECT DISTINCT key FROM ({everyone})")


def _link_decided(stage: Stage, entity: Entity, *, parent: str, ghl_parent: str) -> None:
    decided = _DECIDED.format(e=entity, entity=literal(entity), parent=parent, ghl_parent=ghl_parent)
    stage.run(decided + _SETTLED.format(e=entity))


def _apply_rule(stage: Stage, mapped: EntityMap, rule: Sequence[str]) -> None:
    entity, named = mapped.entity, literal(" + ".join(rule))
    free = {side: identities(stage, mapped, side, rule, keys=f"free_{entity}_{side}", of="known") for side in Side}
    stage.run(
        _RULE.format(e=entity, entity=literal(entity), rule=named, parent="NULL", **free) + _SETTLED.format(e=entity)
    )
    for side in _with_orphans(stage, entity):
        taken = f"(SELECT {side.other}_key AS key FROM base_{entity} UNION SELECT {side.other}_key FROM found_{entity})"
        others = identities(stage, mapped, side.other, rule, keys=taken, of="known")
        mine = identities(stage, mapped, side, rule, keys=f"free_{entity}_{side}", of="known")
        stage.run(_TAKEN.format(e=entity, s=side, o=side.other, rule=named, free=mine, taken=others))
    stage.run(_SETTLED.format(e=entity))
    for side in _with_orphans(stage, entity):
        mine = identities(stage, mapped, side, rule, keys=f"free_{entity}_{side}", of="known")
        stage.run(_TWINS.format(e=entity, s=side, rule=named, free=mine))
    stage.run(_SETTLED.format(e=entity))


def _with_orphans(stage: Stage, entity: Entity) -> list[Side]:
    return [side for side in Side if stage.count(f"SELECT count(*) FROM free_{entity}_{side}")]


def match_children(stage: Stage, mapped: EntityMap) -> None:
    """The same for tasks and notes, among those whose contacts are linked: equal content first, then the declared rules."""
    entity = mapped.entity
    for side in Side:
        _focus(stage, mapped, side)
        stage.run(f"CREATE OR REPLACE TEMP TABLE strong_{side} (key VARCHAR)")
    stage.run(_START.format(e=entity, wanted="c.*", cells="cell"))
    for side in Side:
        stage.run(
            f"CREATE OR REPLACE TABLE free_{entity}_{side} AS SELECT f.*, o.link_id AS parent_link "
            f"FROM free_{entity}_{side} f LEFT JOIN owner o ON o.{side}_key = f.parent"
        )
    _link_decided(stage, entity, parent="f.parent_link", ghl_parent="g.parent_link")
    cells = ", ".join(f"c{at}" for at, _ in enumerate(mapped.fields))
    stage.run(
        _TWIN_CONTENT.format(e=entity, entity=literal(entity), cells=f"to_json([{cells}])::VARCHAR")
        + _SETTLED.format(e=entity)
    )
    for rule in mapped.match:
        _apply_within_parent(stage, mapped, rule)


def _apply_within_parent(stage: Stage, mapped: EntityMap, rule: Sequence[str]) -> None:
    entity, place = mapped.entity, {field.name: f"c{at}" for at, field in enumerate(mapped.fields)}
    whole = " AND ".join(f"{place[name]} IS NOT NULL" for name in rule)
    joined = " || chr(31) || ".join(["parent_link", *(place[name] for name in rule)])
    known = {
        side.value: f"SELECT key, {joined} AS identity FROM free_{entity}_{side} WHERE parent_link IS NOT NULL AND {whole}"
        for side in Side
    }
    parent = f"(SELECT parent_link FROM free_{entity}_app f WHERE f.key = app_key)"
    named = literal(" + ".join(rule))
    stage.run(
        _RULE.format(e=entity, entity=literal(entity), rule=named, parent=parent, **known) + _SETTLED.format(e=entity)
    )


def make_owner(stage: Stage) -> None:
    """Create `owner` (link_id, app_key, ghl_key): the linked contacts that tasks and notes hang on.

    A view: a copy of a million links would cost as long as finding which of them moved. `due_owner` holds those yet to be made.
    """
    stage.run(
        "CREATE OR REPLACE TABLE due_owner (link_id VARCHAR, app_key VARCHAR, ghl_key VARCHAR);"
        "CREATE OR REPLACE VIEW owner AS SELECT link_id, app_key, ghl_key FROM base_contact "
        "UNION ALL SELECT link_id, app_key, ghl_key FROM found_contact UNION ALL FROM due_owner"
    )


def _focus(stage: Stage, mapped: EntityMap, side: Side, also: str = "") -> None:
    """Make the cells of every row that may be compared or created: moved and unlinked ones, `also` those of further keys."""
    entity = mapped.entity
    stage.run(
        f"CREATE OR REPLACE TABLE focus_{entity}_{side} AS SELECT {side}_key AS key FROM moved_{entity} "
        f"UNION SELECT key FROM unlinked_{entity}_{side} {also}"
    )
    make_cells(stage, mapped, side, keys=f"focus_{entity}_{side}")


def _make_known(stage: Stage, mapped: EntityMap, side: Side) -> None:
    """Create `known_e_s`: what unlinked and moved rows are known by, and linked rows that an unlinked one may equal."""
    entity = mapped.entity
    alike = _alike(stage, mapped, side)
    stage.run(
        f"CREATE OR REPLACE TABLE alike_{entity}_{side} AS SELECT {side}_key AS key FROM moved_{entity} "
        f"UNION SELECT key FROM unlinked_{entity}_{side} {alike}"
    )
    names = {name for rule in mapped.match for name in rule} | {rule.field for rule in mapped.exclude}
    make_known(stage, mapped, side, keys=f"alike_{entity}_{side}", names=names)


def _alike(stage: Stage, mapped: EntityMap, side: Side) -> str:
    """SQL that adds the keys of `side`'s rows whose blurred match value occurs among the other side's unlinked rows."""
    entity, other = mapped.entity, side.other
    if entity is not Entity.CONTACT or not stage.count(f"SELECT count(*) FROM unlinked_{entity}_{other}"):
        return ""
    place = {at: {name: f"r{i}" for i, name in enumerate(mapped.native(at))} for at in Side}
    parts = []
    for name in dict.fromkeys(rule[0] for rule in mapped.match):
        field = mapped.field(name)
        if not (field.native(side) and field.native(other)):
            continue
        sought = " UNION ".join(
            f"SELECT {field.codec.blur(f'r.{place[other][native]}')} AS blur FROM raw_{entity}_{other} r SEMI JOIN unlinked_{entity}_{other} u ON u.key = r.key"
            for native in field.native(other)
        )
        if len(field.native(side)) > 1 or len(field.native(other)) > 1:
            parts.append(f"SELECT key FROM raw_{entity}_{side}")
            continue
        blurred = field.codec.blur(place[side][field.native(side)[0]])
        column = place[side][field.native(side)[0]]
        parts.append(
            f"SELECT key FROM (SELECT key, {blurred} AS blur FROM raw_{entity}_{side} WHERE coalesce({column}, '') <> '') "
            f"WHERE blur IS NULL OR blur IN (FROM ({sought}) WHERE blur IS NOT NULL) OR (SELECT count(*) FROM ({sought}) WHERE blur IS NULL) > 0"
        )
        parts += [
            f"SELECT key FROM raw_{entity}_{side} WHERE coalesce({place[side][native]}, '') NOT IN ('', '[]')"
            for native in field.also.get(side, ())
        ]
    return " ".join(f"UNION {part}" for part in parts)
