"""Proposes links for rows that have none: rule by rule, one to one or not at all; what could be several is held with its evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from reconcile.link.cells import make_cells
from reconcile.link.identity import further, identities, make_identities
from reconcile.model import Entity, Side
from reconcile.stage.quoting import literal
from reconcile.stage.stage import Stage
from reconcile.values.mapping import EntityMap

_NOTHING = """
CREATE OR REPLACE TABLE found_{e} (link_id VARCHAR, app_key VARCHAR, ghl_key VARCHAR, parent VARCHAR, how VARCHAR);
CREATE OR REPLACE TABLE unsure_{e} (side VARCHAR, key VARCHAR, kind VARCHAR, rule VARCHAR, candidates VARCHAR[]);
CREATE OR REPLACE TABLE heir_{e} (side VARCHAR, key VARCHAR, rule VARCHAR, identity VARCHAR, lost VARCHAR);
"""

_FREE = """
CREATE OR REPLACE TABLE free_{e}_app AS SELECT {wanted} FROM {cells}_{e}_app c SEMI JOIN unlinked_{e}_app USING (key) WHERE NOT excluded;
CREATE OR REPLACE TABLE free_{e}_ghl AS SELECT {wanted} FROM {cells}_{e}_ghl c SEMI JOIN unlinked_{e}_ghl USING (key) WHERE NOT excluded;
"""

# Most new rows share what they are known by with no other row, so that no rule has anything to say of them.
_SHARED = """
CREATE OR REPLACE TABLE shared AS SELECT rule, identity FROM ({everyone}) GROUP BY rule, identity HAVING count(*) > 1 AND bool_or(new);
CREATE OR REPLACE TABLE known_{e}_app AS FROM known_{e}_app SEMI JOIN (FROM ({app}) SEMI JOIN shared USING (rule, identity)) USING (key);
CREATE OR REPLACE TABLE known_{e}_ghl AS FROM known_{e}_ghl SEMI JOIN (FROM ({ghl}) SEMI JOIN shared USING (rule, identity)) USING (key);
DROP TABLE shared;
"""

# strong: the row has an identity under an earlier rule; two strong rows that meet only under a later rule contradict each other.
# free: neither linked nor held yet. What is held takes part, so that nothing is linked that could as well be the same as it.
_MEETING = """
CREATE OR REPLACE TABLE known_app AS SELECT i.key, i.identity, {app_strong} AS strong, i.key IN (SELECT key FROM free_{e}_app) AS free FROM ({app}) i;
CREATE OR REPLACE TABLE known_ghl AS SELECT i.key, i.identity, {ghl_strong} AS strong, i.key IN (SELECT key FROM free_{e}_ghl) AS free FROM ({ghl}) i;
CREATE OR REPLACE TABLE meeting AS
SELECT identity, a.rows = 1 AND g.rows = 1 AND a.free AND g.free AS alone, a.weak AS app_weak, g.weak AS ghl_weak, a.one AS app_key, g.one AS ghl_key
FROM (SELECT identity, count(*) AS rows, bool_or(NOT strong) AS weak, bool_and(free) AS free, min(key) AS one FROM known_app GROUP BY identity) a
JOIN (SELECT identity, count(*) AS rows, bool_or(NOT strong) AS weak, bool_and(free) AS free, min(key) AS one FROM known_ghl GROUP BY identity) g
USING (identity);
CREATE OR REPLACE TABLE pairs AS SELECT {distinct} app_key, ghl_key FROM meeting WHERE alone;
"""

_CROWDED = """
SELECT '{s}' AS side, k.key, m.identity FROM known_{s} k JOIN meeting m USING (identity)
WHERE k.free AND NOT alone AND (NOT k.strong OR m.{o}_weak)
"""

# Where a row has several identities, it may meet one row under each of them.
_TORN = """
SELECT '{s}', p.{s}_key, k.identity FROM pairs p JOIN known_{s} k ON k.key = p.{s}_key
WHERE p.{s}_key IN (SELECT {s}_key FROM pairs GROUP BY {s}_key HAVING count(*) > 1)
OR p.{o}_key IN (SELECT {o}_key FROM pairs GROUP BY {o}_key HAVING count(*) > 1)
"""

_CONTRARY = """
SELECT '{s}', p.{s}_key, k.identity FROM pairs p JOIN known_{s} k ON k.key = p.{s}_key
WHERE p.app_key IN (SELECT key FROM strong_app) AND p.ghl_key IN (SELECT key FROM strong_ghl)
"""

_MET = """
CREATE OR REPLACE TABLE crowded AS {crowded};
INSERT INTO crowded {entangled};
INSERT INTO unsure_{e}
SELECT 'app', c.key, 'ambiguous', {rule}, list_sort(list(DISTINCT k.key))[1:20] FROM crowded c JOIN known_ghl k USING (identity) WHERE c.side = 'app' GROUP BY c.key
UNION ALL
SELECT 'ghl', c.key, 'ambiguous', {rule}, list_sort(list(DISTINCT k.key))[1:20] FROM crowded c JOIN known_app k USING (identity) WHERE c.side = 'ghl' GROUP BY c.key;
INSERT INTO found_{e}
SELECT md5({entity} || chr(31) || 'app' || chr(31) || app_key)[1:20], app_key, ghl_key, {parent}, {rule} FROM pairs
WHERE app_key NOT IN (SELECT key FROM crowded WHERE side = 'app') AND ghl_key NOT IN (SELECT key FROM crowded WHERE side = 'ghl');
"""

# The one that a held row would have been linked with is held as well: it may be the same.
_ENTANGLED = """
SELECT '{s}' AS side, p.{s}_key, m.identity FROM pairs p JOIN crowded c ON c.side = '{o}' AND c.key = p.{o}_key
JOIN meeting m ON m.alone AND m.{s}_key = p.{s}_key AND m.{o}_key = p.{o}_key
WHERE p.{s}_key NOT IN (SELECT key FROM crowded WHERE side = '{s}')
"""

# Rows of the side where a linked record's other end is gone that have its identity: it may have been merged into one, or made anew.
_HEIRS = """
INSERT INTO heir_{e}
SELECT DISTINCT '{s}', f.key, {rule}, f.identity, t.key FROM ({free}) f JOIN ({taken}) t ON t.identity = f.identity
SEMI JOIN (FROM moved_{e} WHERE {s}_state IN ('absent', 'deleted')) m ON m.{o}_key = t.key
WHERE NOT (f.key IN (SELECT key FROM strong_{s}) AND t.key IN (SELECT key FROM strong_{o}));
"""

# An heir that meets a row without a link could belong to that one or to the one that is left alone.
_INHERITED = """
SELECT '{s}', k.key, k.identity FROM (FROM known_{s} WHERE free) k SEMI JOIN meeting m USING (identity)
SEMI JOIN (FROM heir_{e} WHERE rule = {rule}) h USING (identity)
"""

# What a rule of the pair file leaves out on one side is not made anew from the other.
_ASIDE = """
INSERT INTO unsure_{e}
SELECT '{s}', f.key, 'excluded', {rule}, list_sort(list(DISTINCT t.key))[1:20]
FROM ({free}) f JOIN ({aside}) t ON t.identity = f.identity
WHERE NOT (f.key IN (SELECT key FROM strong_{s}) AND t.key IN (SELECT key FROM strong_{o}))
GROUP BY f.key;
"""

_TAKEN = """
INSERT INTO unsure_{e}
SELECT '{s}', f.key, 'duplicate', {rule}, list_sort(list(DISTINCT t.key))[1:20]
FROM ({free}) f JOIN ({taken}) t ON t.identity = f.identity
WHERE NOT (f.key IN (SELECT key FROM strong_{s}) AND t.key IN (SELECT key FROM strong_{o}))
GROUP BY f.key;
"""

# Rows of one side, linked and held ones among them: a linked record's other end may be about to get the identity.
_TWINS = """
INSERT INTO unsure_{e}
WITH known AS (
    SELECT i.*, i.key IN (SELECT key FROM strong_{s}) AS strong, i.key IN (SELECT key FROM free_{e}_{s}) AS free
    FROM ({own}) i SEMI JOIN ({free}) f USING (identity)),
crowd AS (SELECT identity, list_sort(list(key))[1:21] AS keys FROM known GROUP BY identity HAVING count(*) > 1 AND bool_or(free) AND bool_or(NOT strong))
SELECT '{s}', k.key, 'duplicate', {rule}, list_sort(list_distinct(flatten(list(list_filter(c.keys, lambda x: x <> k.key)))))[1:20]
FROM known k JOIN crowd c USING (identity) WHERE k.free GROUP BY k.key;
"""

_SETTLED = """
CREATE OR REPLACE TABLE free_{e}_{s} AS SELECT f.* FROM free_{e}_{s} f ANTI JOIN (
    SELECT {s}_key AS key FROM found_{e} UNION ALL SELECT key FROM unsure_{e} WHERE side = '{s}') done USING (key);
"""

_TWIN_CONTENT = """
INSERT INTO found_{e}
WITH a AS (SELECT key, parent_link, to_json(cells)::VARCHAR AS content, row_number() OVER (PARTITION BY parent_link, content ORDER BY key) AS place
           FROM free_{e}_app),
     g AS (SELECT key, parent_link, to_json(cells)::VARCHAR AS content, row_number() OVER (PARTITION BY parent_link, content ORDER BY key) AS place
           FROM free_{e}_ghl)
SELECT md5({entity} || chr(31) || 'app' || chr(31) || a.key)[1:20], a.key, g.key, parent_link, 'content'
FROM a JOIN g USING (parent_link, content, place);
"""

_DECIDED = """
INSERT INTO found_{e}
SELECT md5({entity} || chr(31) || 'app' || chr(31) || f.key)[1:20], f.key, g.key, {parent}, 'decided by ' || d.by
FROM free_{e}_app f
JOIN decision d ON d.hold_id = md5('unsure' || chr(31) || {entity} || chr(31) || 'app' || chr(31) || f.key)[1:20]
JOIN free_{e}_ghl g ON d.choice = 'link:' || g.key AND {parent} IS NOT DISTINCT FROM {ghl_parent}
QUALIFY count(*) OVER (PARTITION BY g.key) = 1;
"""


def match_contacts(stage: Stage, mapped: EntityMap) -> None:
    """Create `found_e` (new links), `unsure_e` (held rows with candidates), `heir_e` and leave the orphans in `free_e_s`."""
    entity = mapped.entity
    some = _unlinked(stage, entity)
    if some:
        find_links(stage, mapped)
    else:
        stage.run(_NOTHING.format(e=entity))

    def focus(stage: Stage, side: Side) -> None:
        _focus(stage, mapped, side, candidates=some)
        free = f"SEMI JOIN free_{entity}_{side} f USING (key)" if some else "WHERE false"
        stage.run(
            f"CREATE OR REPLACE TABLE free_{entity}_{side} AS SELECT c.* FROM cell_{entity}_{side} c {free}"
        )

    stage.together(*(partial(focus, side=side) for side in Side))


def _unlinked(stage: Stage, entity: Entity) -> bool:
    """Whether there is any row without a link."""
    return bool(stage.some(f"unlinked_{entity}_app", f"unlinked_{entity}_ghl"))


def find_links(stage: Stage, mapped: EntityMap) -> None:
    """Create `found_e` and `unsure_e`, and `free_e_s` as keys alone: rule by rule, on nothing but what rows are known by."""
    entity = mapped.entity
    make_identities(stage, mapped)
    for side in Side:
        stage.run(f"CREATE OR REPLACE TABLE strong_{side} (key VARCHAR)")
    stage.run(_NOTHING.format(e=entity) + _FREE.format(e=entity, wanted="c.key", cells="known"))
    _link_decided(stage, entity, parent="NULL", ghl_parent="NULL")
    if stage.some(f"base_{entity}"):  # in a first run most rows do meet another
        _leave_those_that_share(stage, mapped)
    rules = mapped.match if stage.some(*(f"known_{entity}_{side}" for side in Side)) else ()
    for at, rule in enumerate(rules, start=1):
        _apply_rule(stage, mapped, rule)
        for side in Side if at < len(rules) else ():
            everyone = identities(mapped, side, rule)
            stage.run(f"INSERT INTO strong_{side} SELECT DISTINCT key FROM ({everyone})")
    for side in Side:
        stage.drop(f"known_{entity}_{side}", f"taken_{side}", f"strong_{side}")


def _leave_those_that_share(stage: Stage, mapped: EntityMap) -> None:
    """Leave in `known_e_s` the rows that share an identity with a row without a link, of either side."""
    each = {
        side.value: " UNION ALL ".join(
            f"SELECT {at} AS rule, key, identity, key IN (SELECT key FROM unlinked_{mapped.entity}_{side}) AS new "
            f"FROM ({identities(mapped, side, rule)})"
            for at, rule in enumerate(mapped.match)
        )
        for side in Side
    }
    if mapped.match:
        stage.run(
            _SHARED.format(e=mapped.entity, everyone=" UNION ALL ".join(each.values()), **each)
        )


def _link_decided(stage: Stage, entity: Entity, *, parent: str, ghl_parent: str) -> None:
    decided = _DECIDED.format(
        e=entity, entity=literal(entity), parent=parent, ghl_parent=ghl_parent
    )
    stage.run(decided)
    _settle(stage, entity)


def _settle(stage: Stage, entity: Entity) -> None:
    """Take rows that are linked or held out of those that are free."""
    for side in _with_orphans(stage, entity):
        stage.run(_SETTLED.format(e=entity, s=side))


def _meet(
    stage: Stage,
    mapped: EntityMap,
    rule: Sequence[str],
    known: Mapping[Side, str],
    *,
    parent: str,
    several: bool = False,
    later: bool = False,
) -> None:
    """Link rows that share an identity one to one; hold those that share it with several, or contradict each other."""
    entity, sides = mapped.entity, [{"s": side, "o": side.other} for side in Side]
    strong = {
        f"{side}_strong": f"i.key IN (SELECT key FROM strong_{side})" if later else "false"
        for side in Side
    }
    sides_known = {side.value: query for side, query in known.items()}
    stage.run(
        _MEETING.format(e=entity, distinct="DISTINCT" if several else "", **strong, **sides_known)
    )
    crowded = [_CROWDED, *([_TORN] if several else []), *([_CONTRARY] if later else [])]
    crowded += [_INHERITED] if stage.some(f"heir_{entity}") else []
    named = {"rule": literal(" + ".join(rule)), "e": entity}
    parts = " UNION ".join(part.format(**named, **each) for part in crowded for each in sides)
    entangled = " UNION ALL ".join(_ENTANGLED.format(**each) for each in sides)
    stage.run(
        _MET.format(
            entity=literal(entity), crowded=parts, entangled=entangled, parent=parent, **named
        )
    )
    _settle(stage, entity)


def _apply_rule(stage: Stage, mapped: EntityMap, rule: Sequence[str]) -> None:
    """One rule: across the sides, against what the rules leave out, against what is linked, and within each side."""
    entity, named = mapped.entity, literal(" + ".join(rule))

    def known(side: Side, *keys: str) -> str:
        return identities(mapped, side, rule, keys=f"({' UNION ALL '.join(keys)})")

    free = {side: f"SELECT key FROM free_{entity}_{side}" for side in Side}
    held = {side: f"SELECT key FROM unsure_{entity} WHERE side = '{side}'" for side in Side}
    unlinked = {
        side: f"SELECT key FROM known_{entity}_{side} SEMI JOIN unlinked_{entity}_{side} USING (key)"
        for side in Side
    }
    linked = {
        side: f"SELECT key FROM taken_{side} UNION ALL SELECT {side}_key FROM found_{entity}"
        for side in Side
    }
    lost = {side: f"moved_{entity} WHERE {side}_state IN ('absent', 'deleted')" for side in Side}
    for side in [side for side in Side if lost[side] in stage.some(*lost.values())]:
        new, left = (
            known(side, f"{unlinked[side]} WHERE NOT excluded"),
            known(side.other, f"SELECT key FROM taken_{side.other}"),
        )
        stage.run(_HEIRS.format(e=entity, s=side, o=side.other, rule=named, free=new, taken=left))
    if _both_take_part(stage, entity):
        more = [
            table for side in Side for table in further(mapped, side, rule[0]) if len(rule) == 1
        ]
        several = bool(more and stage.some(*more))
        taking_part = {side: known(side, free[side], held[side]) for side in Side}
        _meet(
            stage,
            mapped,
            rule,
            taking_part,
            parent="NULL",
            several=several,
            later=rule != mapped.match[0],
        )
    for side in _with_orphans(stage, entity) if mapped.filters else ():
        mine, aside = (
            known(side, free[side]),
            known(side.other, f"{unlinked[side.other]} WHERE excluded"),
        )
        stage.run(_ASIDE.format(e=entity, s=side, o=side.other, rule=named, free=mine, aside=aside))
    _settle(stage, entity)
    for side in _with_orphans(stage, entity):
        mine, others = known(side, free[side]), known(side.other, linked[side.other])
        stage.run(
            _TAKEN.format(e=entity, s=side, o=side.other, rule=named, free=mine, taken=others)
        )
    _settle(stage, entity)
    for side in _with_orphans(stage, entity):
        mine, own = known(side, free[side]), known(side, free[side], held[side], linked[side])
        stage.run(_TWINS.format(e=entity, s=side, rule=named, free=mine, own=own))
    _settle(stage, entity)


def _both_take_part(stage: Stage, entity: Entity) -> bool:
    """Whether a row without a link may meet one of the other side: some are free, and each side has free or held ones."""
    free = {side: f"free_{entity}_{side}" for side in Side}
    held = {side: f"unsure_{entity} WHERE side = '{side}'" for side in Side}
    some = stage.some(*free.values(), *held.values())
    return bool(some & set(free.values())) and all(some & {free[side], held[side]} for side in Side)


def _with_orphans(stage: Stage, entity: Entity) -> list[Side]:
    free = {side: f"free_{entity}_{side}" for side in Side}
    some = stage.some(*free.values())
    return [side for side in Side if free[side] in some]


def match_children(stage: Stage, mapped: EntityMap) -> None:
    """The same for tasks and notes, among those whose contacts are linked: equal content first, then the declared rules."""
    entity = mapped.entity
    stage.together(*(partial(_focus, mapped=mapped, side=side) for side in Side))
    for side in Side:
        stage.run(f"CREATE OR REPLACE TABLE strong_{side} (key VARCHAR)")
    stage.run(_NOTHING.format(e=entity) + _FREE.format(e=entity, wanted="c.*", cells="cell"))
    for side in Side:
        stage.run(
            f"CREATE OR REPLACE TABLE free_{entity}_{side} AS SELECT f.*, o.link_id AS parent_link "
            f"FROM free_{entity}_{side} f LEFT JOIN owner o ON o.{side}_key = f.parent"
        )
    if not _unlinked(stage, entity):
        return
    _link_decided(stage, entity, parent="f.parent_link", ghl_parent="g.parent_link")
    stage.run(_TWIN_CONTENT.format(e=entity, entity=literal(entity)))
    _settle(stage, entity)
    for rule in mapped.match:
        _apply_within_parent(stage, mapped, rule)


def _apply_within_parent(stage: Stage, mapped: EntityMap, rule: Sequence[str]) -> None:
    entity = mapped.entity
    whole = " AND ".join(f"{mapped.cell(name)} IS NOT NULL" for name in rule)
    joined = " || chr(31) || ".join(["parent_link", *(mapped.cell(name) for name in rule)])
    if not _both_take_part(stage, entity):
        return
    known = {
        side: f"SELECT key, {joined} AS identity FROM (SELECT key, cells, parent_link FROM free_{entity}_{side} UNION ALL "
        f"SELECT c.key, c.cells, o.link_id FROM cell_{entity}_{side} c JOIN owner o ON o.{side}_key = c.parent "
        f"WHERE c.key IN (SELECT key FROM unsure_{entity} WHERE side = '{side}')) WHERE parent_link IS NOT NULL AND {whole}"
        for side in Side
    }
    parent = f"(SELECT parent_link FROM free_{entity}_app f WHERE f.key = app_key)"
    _meet(stage, mapped, rule, known, parent=parent)


def make_owner(stage: Stage) -> None:
    """Create `owner` (link_id, app_key, ghl_key): the linked contacts that tasks and notes hang on.

    A view: a copy of a million links would cost as long as finding which of them moved. `due_owner` holds those yet to be made.
    A contact that may be another person by now (`stranger`) owns nothing until that is answered.
    """
    known = (
        "WHERE link_id NOT IN (SELECT link_id FROM stranger WHERE action = 'ask')"
        if stage.some("stranger")
        else ""
    )
    stage.run(
        "CREATE OR REPLACE TABLE due_owner (link_id VARCHAR, app_key VARCHAR, ghl_key VARCHAR);"
        f"CREATE OR REPLACE VIEW stage.owner AS SELECT link_id, app_key, ghl_key FROM base_contact {known} "
        "UNION ALL SELECT link_id, app_key, ghl_key FROM found_contact UNION ALL FROM due_owner"
    )


def _focus(stage: Stage, mapped: EntityMap, side: Side, *, candidates: bool = False) -> None:
    """Make the cells of every row that may be compared or created: moved and unlinked ones, and those it may be mistaken for."""
    entity = mapped.entity
    also = ""
    if candidates and stage.some(f"unsure_{entity}"):
        named = f"SELECT unnest(candidates) AS key FROM unsure_{entity}"
        also = f"UNION SELECT r.digest FROM raw_{entity}_{side} r SEMI JOIN ({named}) n ON n.key = r.key"
    stage.run(f"CREATE OR REPLACE TABLE focus_{side} AS {_looked_at(entity, side)} {also}")
    make_cells(stage, mapped, side, rows=f"focus_{side}")
    stage.drop(f"focus_{side}")


def _looked_at(entity: Entity, side: Side) -> str:
    """SQL (row) for the rows of moved links and those without a link."""
    return (
        f"SELECT {side}_row AS row FROM moved_{entity} WHERE {side}_row IS NOT NULL "
        f"UNION ALL SELECT row FROM unlinked_{entity}_{side}"
    )
