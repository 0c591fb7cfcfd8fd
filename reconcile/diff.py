"""The three-way comparison of the links that moved: one row for each field, or tag, in which a side moved or the sides differ."""

from __future__ import annotations

from reconcile.mapping import TAGS, EntityMap
from reconcile.model import Entity, Side
from reconcile.stage import Stage, literal

_PART = 125_000
"""Links fetched wide at a time: joined at once, a first run of a million needs more than 512 MB."""

KIND = """CASE
    WHEN app IS NOT DISTINCT FROM ghl THEN 'converged'
    WHEN app IS NOT DISTINCT FROM base_app AND ghl IS NOT DISTINCT FROM base_ghl THEN 'standing'
    WHEN ghl IS NOT DISTINCT FROM base_ghl THEN 'app_moved'
    WHEN app IS NOT DISTINCT FROM base_app THEN 'ghl_moved'
    ELSE 'conflict' END"""
"""The three-way statement: each side against its own baseline, then against the other. See `classify` for the same in Python."""

_BOTH = """
CREATE OR REPLACE TEMP TABLE both_{e} AS
SELECT link_id, app_key, ghl_key, parent, false AS fresh, app_modified, ghl_modified, app_written, ghl_written
FROM moved_{e} WHERE app_state = 'present' AND ghl_state = 'present'
UNION ALL
SELECT link_id, app_key, ghl_key, parent, true, NULL, NULL, NULL, NULL FROM found_{e};
"""

# An index entry older than what the side itself told us on our last write is an echo: the baseline is nearer the truth.
# Where something would be done about such a link, `doubtful` has it read by key, and what was read by key is no echo.
_WIDE = """
{into}
WITH ends AS (
    SELECT l.*, a.modified_at AS app_at, g.modified_at AS ghl_at, a.digest AS app_digest, g.digest AS ghl_digest, {strayed} AS strayed, a.excluded OR g.excluded OR {strayed} AS excluded,
        coalesce(a.modified_at < l.app_modified, false) AND a.key NOT IN (FROM proven_{e}_app) AS app_echo,
        coalesce(g.modified_at < l.ghl_modified, false) AND g.key NOT IN (FROM proven_{e}_ghl) AS ghl_echo, {cells}
    FROM (SELECT * FROM both_{e} WHERE rowid >= {start} AND rowid < {stop}) l JOIN cell_{e}_app a ON a.key = l.app_key JOIN cell_{e}_ghl g ON g.key = l.ghl_key {contact}
)
SELECT e.link_id, e.app_key, e.ghl_key, e.fresh, e.excluded, e.strayed, e.app_written, e.ghl_written, e.app_echo, e.ghl_echo, e.app_digest, e.ghl_digest,
    greatest(e.app_at, e.app_modified) AS app_modified, greatest(e.ghl_at, e.ghl_modified) AS ghl_modified,
    CASE WHEN e.app_at > e.ghl_at THEN 'app' WHEN e.ghl_at > e.app_at THEN 'ghl' END AS newer, {values}
FROM ends e LEFT JOIN basecell_{e} b USING (link_id);
"""

# A task or note that hangs on another contact than when it was linked: moved by a person, or its key was given again to
# another record (SQLite does so). Nothing is compared then: the other end may be another person's.
_STRAYED = "coalesce(a.parent <> o.app_key, false) OR coalesce(g.parent <> o.ghl_key, false)"

# A new link has no baseline: where its ends are equal nothing moved (a first run of a million would give 25 million rows).
_FIELD = """
SELECT link_id, {name} AS field, NULL AS item, newer, base_app{i} AS base_app, base_ghl{i} AS base_ghl, app{i} AS app, ghl{i} AS ghl
FROM wide_{e} WHERE NOT excluded AND (app{i} IS DISTINCT FROM ghl{i} OR NOT fresh AND (app{i} IS DISTINCT FROM base_app{i} OR ghl{i} IS DISTINCT FROM base_ghl{i}))
"""

_SET = """
SELECT link_id, {name} AS field, item, newer,
    CASE WHEN list_contains(ba, item) THEN item END, CASE WHEN list_contains(bg, item) THEN item END,
    CASE WHEN list_contains(a, item) THEN item END, CASE WHEN list_contains(g, item) THEN item END
FROM (SELECT *, unnest(list_distinct(list_concat(list_concat(a, g), list_concat(ba, bg)))) AS item FROM (
    SELECT link_id, newer, {app} AS a, {ghl} AS g, {base_app} AS ba, {base_ghl} AS bg FROM wide_{e}
    WHERE NOT excluded AND (app{i} IS DISTINCT FROM ghl{i} OR NOT fresh AND (app{i} IS DISTINCT FROM base_app{i} OR ghl{i} IS DISTINCT FROM base_ghl{i}))))
WHERE NOT (list_contains(a, item) AND list_contains(g, item) AND list_contains(ba, item) AND list_contains(bg, item))
"""

_FAULTS = """
LEFT JOIN wide_{e} w USING (link_id)
LEFT JOIN fault_{e}_app fa ON fa.key = w.app_key AND fa.field = d.field
LEFT JOIN fault_{e}_ghl fg ON fg.key = w.ghl_key AND fg.field = d.field
"""


def classify(base_app: str | None, base_ghl: str | None, app: str | None, ghl: str | None) -> str:
    """The truth table behind KIND, one field at a time: the reference that the SQL is held against."""
    if app == ghl:
        return "converged"
    app_moved, ghl_moved = app != base_app, ghl != base_ghl
    if app_moved and ghl_moved:
        return "conflict"
    if app_moved:
        return "app_moved"
    return "ghl_moved" if ghl_moved else "standing"


def make_delta(stage: Stage, mapped: EntityMap) -> None:
    """Create `wide_e` (moved links with both ends present, side by side) and `delta_e` (what differs in them).

    What is excluded, or strayed to another contact, is not compared. `delta_e`: link_id, field, item (the tag, for tags), newer, base_app, base_ghl, app, ghl, kind, app_fault, ghl_fault.
    """
    entity = mapped.entity
    stage.run(_BOTH.format(e=entity))
    count = range(len(mapped.fields))
    cells = ", ".join(f"a.c{i} AS a{i}, g.c{i} AS g{i}" for i in count)
    values = ", ".join(
        f"b.app{i} AS base_app{i}, b.ghl{i} AS base_ghl{i}, "
        f"CASE WHEN e.app_echo THEN b.app{i} ELSE e.a{i} END AS app{i}, "
        f"CASE WHEN e.ghl_echo THEN b.ghl{i} ELSE e.g{i} END AS ghl{i}"
        for i in count
    )
    child = entity is not Entity.CONTACT
    strayed, contact = (_STRAYED, "LEFT JOIN owner o ON o.link_id = l.parent") if child else ("false", "")
    into, links = f"CREATE OR REPLACE TABLE wide_{entity} AS", stage.count(f"SELECT count(*) FROM both_{entity}")
    for start in range(0, max(links, 1), _PART):
        part = {"start": start, "stop": start + _PART, "into": into}
        stage.run(_WIDE.format(e=entity, cells=cells, values=values, strayed=strayed, contact=contact, **part))
        into = f"INSERT INTO wide_{entity}"
    parts = [_differences(mapped, i) for i in count]
    stage.run(
        f"CREATE OR REPLACE TABLE delta_{entity} AS SELECT d.*, {KIND} AS kind, fa.why AS app_fault, fg.why AS ghl_fault "
        f"FROM ({' UNION ALL '.join(parts)}) d {_FAULTS.format(e=entity)}"
    )


def _differences(mapped: EntityMap, i: int) -> str:
    name = mapped.fields[i].name
    if name != TAGS:
        return _FIELD.format(e=mapped.entity, i=i, name=literal(name))
    sets = {at: f"coalesce(from_json({at}{i}, '[\"VARCHAR\"]'), [])" for at in ("app", "ghl", "base_app", "base_ghl")}
    return _SET.format(e=mapped.entity, i=i, name=literal(name), **sets)


def doubtful(stage: Stage, mapped: EntityMap, side: Side, *, lag_seconds: float) -> list[tuple[str, str | None]]:
    """(key, parent) of rows that a bulk read is no proof of, so that they want a look by key before anything is concluded.

    On a side that lags: rows that seem to have moved, or to be gone, although we wrote them a moment ago. And echoes: where
    something would be done about the link (the baseline is older than a value that is held), or where no lag explains them
    (a restored backup). And rows that seem new although their link was forgotten a moment ago.
    """
    entity = mapped.entity
    taken = literal(stage.snapshots[entity, side].taken_at)
    recent = f"coalesce(date_diff('millisecond', try_cast({side}_written AS TIMESTAMPTZ), {taken}::TIMESTAMPTZ) < {lag_seconds * 1000}, false)"
    moved = (
        f"SELECT w.{side}_key AS key FROM wide_{entity} w SEMI JOIN delta_{entity} d ON d.link_id = w.link_id "
        f"AND d.{side} IS DISTINCT FROM d.base_{side} WHERE NOT w.{side}_echo AND {recent}"
    )
    echoes = (
        f"SELECT w.{side}_key FROM wide_{entity} w WHERE w.{side}_echo AND (NOT {recent} OR w.link_id IN "
        f"(SELECT link_id FROM delta_{entity} WHERE kind NOT IN ('converged', 'standing')))"
    )
    missing = f"SELECT {side}_key FROM moved_{entity} WHERE {side}_state = 'absent' AND {recent}"
    buried = (
        f"SELECT u.key FROM unlinked_{entity}_{side} u JOIN grave x ON x.key = u.key AND x.entity = {literal(entity)} "
        f"AND x.side = '{side}' AND date_diff('millisecond', x.at::TIMESTAMPTZ, {taken}::TIMESTAMPTZ) < {lag_seconds * 1000}"
    )
    parent, owner = "r.parent", ""
    if entity is not Entity.CONTACT:
        # A row that is missing does not say under which contact it would be; its link does.
        parent = f"coalesce(r.parent, o.{side}_key)"
        owner = f"LEFT JOIN moved_{entity} m ON m.{side}_key = k.key LEFT JOIN owner o ON o.link_id = m.parent"
    query = (
        f"SELECT k.key, {parent} AS parent FROM ({moved} UNION {echoes} UNION {missing} UNION {buried}) k "
        f"LEFT JOIN raw_{entity}_{side} r ON r.key = k.key {owner} ORDER BY 1"
    )
    return [(str(key), None if parent is None else str(parent)) for key, parent in stage.rows(query)]
