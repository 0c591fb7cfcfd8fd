"""The three-way comparison of the links that moved: one row for each field, or tag, in which a side moved or the sides differ."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.compare import reused_keys
from reconcile.compare.restored import back
from reconcile.model import Entity, Side
from reconcile.stage.quoting import literal
from reconcile.stage.stage import Stage
from reconcile.values.mapping import EntityMap

_PART = 125_000
"""Links whose cells are put side by side at a time."""

KIND = """CASE
    WHEN app IS NOT DISTINCT FROM ghl THEN 'converged'
    WHEN app IS NOT DISTINCT FROM base_app AND ghl IS NOT DISTINCT FROM base_ghl THEN 'standing'
    WHEN ghl IS NOT DISTINCT FROM base_ghl THEN 'app_moved'
    WHEN app IS NOT DISTINCT FROM base_app THEN 'ghl_moved'
    ELSE 'conflict' END"""
"""The three-way statement: each side against its own baseline, then against the other. See `classify` for the same in Python."""

_BOTH = """
CREATE OR REPLACE TABLE both_{e} AS
SELECT link_id, app_key, ghl_key, parent, false AS fresh, app_modified, ghl_modified, app_written, ghl_written, app_edited, ghl_edited
FROM moved_{e} WHERE app_state = 'present' AND ghl_state = 'present'
UNION ALL
SELECT link_id, app_key, ghl_key, parent, true, NULL, NULL, NULL, NULL, NULL, NULL FROM found_{e};
"""

_TABLES = """
CREATE OR REPLACE TABLE wide_{e} (
    link_id VARCHAR, app_key VARCHAR, ghl_key VARCHAR, fresh BOOLEAN, excluded BOOLEAN, strayed BOOLEAN, app_written VARCHAR,
    ghl_written VARCHAR, app_echo BOOLEAN, ghl_echo BOOLEAN, app_digest BIGINT, ghl_digest BIGINT, app_modified VARCHAR,
    ghl_modified VARCHAR, app_edited VARCHAR, ghl_edited VARCHAR, newer VARCHAR, app_back BOOLEAN, ghl_back BOOLEAN, waits BOOLEAN);
CREATE OR REPLACE TABLE delta_{e} (
    link_id VARCHAR, field VARCHAR, item VARCHAR, newer VARCHAR, base_app VARCHAR, base_ghl VARCHAR, app VARCHAR, ghl VARCHAR,
    kind VARCHAR, app_fault VARCHAR, ghl_fault VARCHAR);
"""

# An index entry older than what the side itself told us on our last write is an echo: the baseline is nearer the truth.
# Where something would be done about such a link, `doubtful` has it read by key, and what was read by key is no echo.
_WIDE = """
INSERT INTO wide_{e}
WITH ends AS (
    SELECT l.*, a.modified_at AS app_at, g.modified_at AS ghl_at, a.digest AS app_digest, g.digest AS ghl_digest, {strayed} AS strayed, {waits} AS waits,
        a.excluded OR g.excluded OR {strayed} OR {waits} AS excluded,
        coalesce(a.modified_at < l.app_modified, false) AND a.key NOT IN (FROM proven_{e}_app) AS app_echo,
        coalesce(g.modified_at < l.ghl_modified, false) AND g.key NOT IN (FROM proven_{e}_ghl) AS ghl_echo,
        {app_person} AS app_person, {ghl_person} AS ghl_person, {app_back} AS app_back, {ghl_back} AS ghl_back
    FROM both_{e} l JOIN cell_{e}_app a ON a.key = l.app_key JOIN cell_{e}_ghl g ON g.key = l.ghl_key {contact}
)
SELECT e.link_id, e.app_key, e.ghl_key, e.fresh, e.excluded, e.strayed, e.app_written, e.ghl_written, e.app_echo, e.ghl_echo, e.app_digest, e.ghl_digest,
    greatest(e.app_at, e.app_modified) AS app_modified, greatest(e.ghl_at, e.ghl_modified) AS ghl_modified,
    e.app_person, e.ghl_person, CASE WHEN e.app_person > e.ghl_person THEN 'app' WHEN e.ghl_person > e.app_person THEN 'ghl' END AS newer, e.app_back, e.ghl_back, e.waits
FROM ends e;
"""

# When a person last edited the record, as far as is known. A time that is not later than what the side told us of our own
# write says nothing new. After a write of which the side told no time (`edited` is NULL then), neither does one that is near it.
_PERSON = """
CASE WHEN l.fresh THEN {row}.modified_at WHEN {row}.modified_at <= l.{s}_modified THEN l.{s}_edited
     WHEN l.{s}_edited IS NULL
        AND try_cast({row}.modified_at AS TIMESTAMPTZ) <= try_cast(l.{s}_written AS TIMESTAMPTZ) + INTERVAL {apart} SECOND THEN NULL
     ELSE {row}.modified_at END
"""

_CLOCKS_APART = 300
"""By how many seconds a side's clock may differ from ours: a change that near to our own write may be our write."""

_BESIDE = """
SELECT w.*, b.app AS base_app, b.ghl AS base_ghl, CASE WHEN w.app_echo THEN b.app ELSE a.cells END AS app, CASE WHEN w.ghl_echo THEN b.ghl ELSE g.cells END AS ghl
FROM (SELECT * FROM wide_{e} WHERE rowid >= {start} AND rowid < {stop} AND {where}) w
JOIN cell_{e}_app a ON a.key = w.app_key JOIN cell_{e}_ghl g ON g.key = w.ghl_key LEFT JOIN basecell_{e} b ON b.link_id = w.link_id
"""

STRAYED = "coalesce(a.parent <> o.app_key, false) OR coalesce(g.parent <> o.ghl_key, false)"
"""SQL for whether a link's ends (a, g) hang on other contacts than those of its own contact's link (o).

Somebody moved one of them, or its key was given to another record (SQLite does so).
"""

_WITH_SURVIVOR = (
    "EXISTS (FROM survivor_contact v WHERE v.link_id = l.parent "
    "AND CASE v.side WHEN 'app' THEN v.key = a.parent ELSE v.key = g.parent END)"
)
"""SQL for whether an end hangs where a merge has moved it: on the contact that its own contact was merged into."""

# A new link has no baseline: where its ends are equal nothing moved (a first run of a million would give 22 million cells).
_DELTA = """
INSERT INTO delta_{e} BY NAME
WITH cell AS (
    SELECT link_id, fresh, newer, app_key, ghl_key, generate_subscripts(app, 1) AS place,
        unnest(base_app) AS base_app, unnest(base_ghl) AS base_ghl, unnest(app) AS app, unnest(ghl) AS ghl
    FROM ({beside}) WHERE app IS DISTINCT FROM ghl OR NOT fresh
), apart AS (
    SELECT *, {names}[place] AS field FROM cell
    WHERE app IS DISTINCT FROM ghl OR NOT fresh AND (app IS DISTINCT FROM base_app OR ghl IS DISTINCT FROM base_ghl)
), single AS ({single})
SELECT d.* EXCLUDE (app_key, ghl_key), {kind} AS kind, fa.why AS app_fault, fg.why AS ghl_fault FROM single d
LEFT JOIN fault_{e}_app fa ON fa.key = d.app_key AND fa.field = d.field
LEFT JOIN fault_{e}_ghl fg ON fg.key = d.ghl_key AND fg.field = d.field;
"""

_WHOLE = "SELECT link_id, app_key, ghl_key, field, NULL::VARCHAR AS item, newer, base_app, base_ghl, app, ghl FROM apart"

# Of a set, each item is a difference of its own.
_ITEMS = """
SELECT link_id, app_key, ghl_key, field, item, newer,
    CASE WHEN list_contains(ba, item) THEN item END, CASE WHEN list_contains(bg, item) THEN item END,
    CASE WHEN list_contains(a, item) THEN item END, CASE WHEN list_contains(g, item) THEN item END
FROM (SELECT *, unnest(list_distinct(list_concat(list_concat(a, g), list_concat(ba, bg)))) AS item FROM (
    SELECT *, {app} AS a, {ghl} AS g, {base_app} AS ba, {base_ghl} AS bg FROM apart WHERE place IN ({places})))
WHERE NOT (list_contains(a, item) AND list_contains(g, item) AND list_contains(ba, item) AND list_contains(bg, item))
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
    """Create `wide_e` (moved links with both ends present) and `delta_e` (what differs in them).

    What is excluded, or strayed to another contact, is not compared: its other end may be another person's. `delta_e`:
    link_id, field, item (the element, where a set is compared by element), newer, base_app, base_ghl, app, ghl, kind,
    app_fault, ghl_fault.
    """
    entity = mapped.entity
    stage.run(_BOTH.format(e=entity) + _TABLES.format(e=entity))
    child = entity is not Entity.CONTACT
    moved = f"({STRAYED}) AND NOT {_WITH_SURVIVOR}"
    strayed, waits, contact = (
        (moved, reused_keys.WAITS, "LEFT JOIN owner o ON o.link_id = l.parent")
        if child
        else (reused_keys.ASKED, "false", "")
    )
    if stage.some(f"both_{entity}"):
        stage.run(
            _WIDE.format(
                e=entity,
                strayed=strayed,
                waits=waits,
                contact=contact,
                **_persons(),
                **back(entity),
            )
        )
    stage.drop(f"both_{entity}")
    names = f"[{', '.join(literal(field.name) for field in mapped.fields)}]"
    for part in beside(stage, entity, where="NOT excluded"):
        stage.run(
            _DELTA.format(e=entity, beside=part, names=names, kind=KIND, single=_single(mapped))
        )


def _persons() -> dict[str, str]:
    """SQL for when a person last edited each end."""
    return {
        f"{side}_person": _PERSON.format(s=side, row=side[0], apart=_CLOCKS_APART) for side in Side
    }


def beside(stage: Stage, entity: Entity, *, where: str = "true") -> Iterator[str]:
    """SQL for parts of `wide_e`, each row with its cells side by side as lists: base_app, base_ghl, app, ghl.

    In parts, because a first run of a million links, joined at once, needs more than 512 MB; and not as a table, which would hold
    every list a second time. Where a row is an echo, its cells are the baseline's.
    """
    links = stage.count(f"SELECT coalesce(max(rowid) + 1, 0) FROM wide_{entity}")
    for start in range(0, links, _PART):
        yield _BESIDE.format(e=entity, start=start, stop=start + _PART, where=where)


def _single(mapped: EntityMap) -> str:
    """SQL for what differs, value by value; each item of a set is one."""
    by_item = [str(at) for at, field in enumerate(mapped.fields, start=1) if field.by_item]
    if not by_item:
        return _WHOLE
    places = ", ".join(by_item)
    sets = {
        name: f"coalesce(from_json({name}, '[\"VARCHAR\"]'), [])"
        for name in ("app", "ghl", "base_app", "base_ghl")
    }
    return (
        f"{_WHOLE} WHERE place NOT IN ({places}) UNION ALL {_ITEMS.format(places=places, **sets)}"
    )


def doubtful(
    stage: Stage, mapped: EntityMap, side: Side, *, lag_seconds: float
) -> list[tuple[str, str | None]]:
    """(key, parent) of rows that a bulk read is no proof of, so that they want a look by key before anything is concluded.

    On a side that lags: rows that seem to have moved, or to be gone, although we wrote them a moment ago. And echoes: where
    something would be done about the link (the baseline is older than a value that is held), or where no lag explains them
    (a restored backup), or where a question is open, which the baseline does not know of. And rows that seem new although their link was forgotten a moment ago.
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
        f"(SELECT link_id FROM delta_{entity} WHERE kind NOT IN ('converged', 'standing')) "
        "OR w.link_id IN (SELECT subject FROM in_question))"
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
    return [
        (str(key), None if parent is None else str(parent)) for key, parent in stage.rows(query)
    ]
