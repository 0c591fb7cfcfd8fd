"""Who may be the survivor of a merge: records of the side where one is gone that carry its identity, linked themselves or not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from reconcile.ledger.ledger import Decision
from reconcile.link.cells import make_known
from reconcile.link.identity import further, identities, make_further
from reconcile.model import Entity, Side
from reconcile.stage.quoting import literal
from reconcile.stage.stage import ANY, Stage, blurred
from reconcile.values.mapping import EntityMap
from reconcile.values.policy import OnMerge

BY_RULE = "the rule merged"
"""Who decided, where the pair file says that a merge is followed."""

# rule: its place among the match rules. further: it is one of the survivor's further values (an additional email).
_TABLES = """
CREATE OR REPLACE TABLE survivor_{e} (side VARCHAR, link_id VARCHAR, lost VARCHAR, key VARCHAR, rule INTEGER, further BOOLEAN, linked BOOLEAN);
CREATE OR REPLACE TABLE loser (link_id VARCHAR, lost VARCHAR, rule INTEGER, identity VARCHAR, strong BOOLEAN);
CREATE TABLE IF NOT EXISTS stage.left_behind (link_id VARCHAR, side VARCHAR, survivor VARCHAR);
"""

_LOST = """
CREATE OR REPLACE TABLE lost_{s} AS SELECT m.link_id, m.{s}_key AS lost, m.{o}_key AS kept FROM moved_{e} m
WHERE m.{s}_state IN ('absent', 'deleted') AND m.{o}_state = 'present';
"""

# What it is known by: to the side that still has it, and in what the other side last showed of it.
_LOSER = """
INSERT INTO loser
SELECT DISTINCT l.link_id, l.lost, {at}, i.identity, l.kept IN ({kept_strong}) FROM lost_{s} l JOIN ({kept}) i ON i.key = l.kept
UNION
SELECT l.link_id, l.lost, {at}, b.{s}[{place}], {base_strong} FROM lost_{s} l JOIN basecell_{e} b USING (link_id) WHERE b.{s}[{place}] IS NOT NULL;
"""

_SURVIVORS = """
INSERT INTO survivor_{e}
SELECT '{s}', l.link_id, l.lost, i.key, {at}, bool_or(x.key IS NOT NULL), bool_or(i.key IN (SELECT {s}_key FROM base_{e}))
FROM loser l JOIN ({known}) i USING (identity) JOIN known_{e}_{s} k ON k.key = i.key AND NOT k.excluded
LEFT JOIN ({more}) x ON x.key = i.key AND x.identity = i.identity
SEMI JOIN (FROM raw_{e}_{s} WHERE NOT deleted) r ON r.key = i.key
WHERE l.rule = {at} AND i.key <> l.lost AND NOT (l.strong AND i.key IN ({strong}))
GROUP BY l.link_id, l.lost, i.key;
"""


def find_survivors(stage: Stage, mapped: EntityMap) -> None:
    """Create `survivor_e`: for each link that lost one end, the live records of that side that have an identity of the lost one.

    A rule of several fields is no evidence: relatives share a name and a postal code. Nor is what two records share under a
    later rule, where both are known by something of their own under an earlier one.
    """
    entity = mapped.entity
    stage.run(_TABLES.format(e=entity))
    rules = [(at, rule[0]) for at, rule in enumerate(mapped.match) if len(rule) == 1]
    lost = stage.some(
        *(f"moved_{entity} WHERE {side}_state IN ('absent', 'deleted')" for side in Side)
    )
    for side in Side if rules and lost else ():
        stage.run(_LOST.format(e=entity, s=side, o=side.other) + "DELETE FROM loser;")
        if stage.some(f"lost_{side}"):
            _find(stage, mapped, side, rules)
    stage.drop("loser", *(f"lost_{side}" for side in Side))


def _find(stage: Stage, mapped: EntityMap, side: Side, rules: Sequence[tuple[int, str]]) -> None:
    entity, other = mapped.entity, side.other
    for each in Side:
        make_further(stage, mapped, each)
    for at, name in rules:
        earlier = mapped.match[:at]
        base = [
            " AND ".join(f"b.{side}[{mapped.place(word)}] IS NOT NULL" for word in rule)
            for rule in earlier
        ]
        stage.run(
            _LOSER.format(
                e=entity,
                s=side,
                at=at,
                place=mapped.place(name),
                kept=identities(
                    mapped, other, [name], keys=f"(SELECT kept AS key FROM lost_{side})", of="cell"
                ),
                kept_strong=_strong(mapped, other, earlier, of="cell"),
                base_strong=" OR ".join(f"({test})" for test in base) or "false",
            )
        )
    rows = " UNION ".join(part for at, name in rules for part in _alike(mapped, side, at, name))
    stage.run(f"CREATE OR REPLACE TABLE alike_{side} AS {rows}")
    names = {word for rule in mapped.match for word in rule} | {
        rule.field for rule in mapped.exclude
    }
    make_known(stage, mapped, side, rows=f"alike_{side}", names=names)
    for at, name in rules:
        more = " UNION ".join(
            f"SELECT key, identity FROM {table}" for table in further(mapped, side, name)
        )
        stage.run(
            _SURVIVORS.format(
                e=entity,
                s=side,
                at=at,
                more=more or "SELECT NULL::VARCHAR AS key, NULL::VARCHAR AS identity WHERE false",
                known=identities(mapped, side, [name]),
                strong=_strong(mapped, side, mapped.match[:at], of="known"),
            )
        )
    stage.drop(f"alike_{side}", f"known_{entity}_{side}")


def _strong(mapped: EntityMap, side: Side, earlier: Iterable[Sequence[str]], *, of: str) -> str:
    """SQL (key) for the records that are known by something under an earlier rule."""
    return (
        " UNION ".join(
            f"SELECT key FROM ({identities(mapped, side, rule, of=of)})" for rule in earlier
        )
        or "NULL"
    )


def _alike(mapped: EntityMap, side: Side, at: int, name: str) -> list[str]:
    """SQL (row) for rows that may have an identity that was lost: found by numbers where there are any, and by further values."""
    entity, field, raw = mapped.entity, mapped.field(name), f"raw_{mapped.entity}_{side}"
    sought = f"SELECT DISTINCT {blurred(field.codec, 'identity')} AS n FROM loser WHERE rule = {at}"
    parts = [f"SELECT digest AS row FROM {raw}"]
    if field in mapped.blurred():
        place = f"k{mapped.blurred().index(field)}"
        some = f"b.{place} = {ANY} OR b.{place} IN ({sought}) OR {ANY} IN ({sought})"
        parts = [
            f"SELECT b.row FROM blur_{entity}_{side} b WHERE b.{place} IS NOT NULL AND ({some})"
        ]
    known = f"SELECT identity FROM loser WHERE rule = {at}"
    return parts + [
        f"SELECT r.digest FROM {raw} r JOIN {table} f USING (key) WHERE f.identity IN ({known})"
        for table in further(mapped, side, name)
    ]


# One survivor without a link of its own, that has every identity of the lost one, one of them as a further value; and the side
# itself marks the lost one as deleted or said, asked by key, that it is gone.
_CERTAIN = """
SELECT a.hold_id, a.values_digest FROM absence_{e} a JOIN (
    SELECT link_id, side, min(key) AS key, count(DISTINCT rule) AS rules FROM survivor_{e} GROUP BY link_id, side
    HAVING count(DISTINCT key) = 1 AND bool_or(further) AND NOT bool_or(linked)
) v ON v.link_id = a.link_id AND v.side = a.gone
WHERE a.action = 'hold' AND a.undone IS NULL AND a.survivor = v.key
    AND CASE a.gone WHEN 'app' THEN a.app_state = 'deleted' OR a.app_key IN (FROM proven_{e}_app)
        ELSE a.ghl_state = 'deleted' OR a.ghl_key IN (FROM proven_{e}_ghl) END
    AND v.rules = {rules}
ORDER BY ALL
"""


def certain(stage: Stage, mapped: EntityMap, *, at: str) -> list[Decision]:
    """The answers that the pair file's `merged = "relink"` gives to questions of this run: link again with the one survivor."""
    if mapped.entity is not Entity.CONTACT or mapped.merged is not OnMerge.RELINK:
        return []
    held = [
        f"(a.cells->>{literal(rule[0])} IS NOT NULL)::INTEGER"
        for rule in mapped.match
        if len(rule) == 1
    ]
    query = _CERTAIN.format(e=mapped.entity, rules=" + ".join(held) or "0")
    return [
        Decision(str(name), "relink", str(digest), BY_RULE, at, "")
        for name, digest in stage.rows(query)
    ]
