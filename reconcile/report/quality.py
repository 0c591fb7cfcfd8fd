"""The state of the records themselves: values that are not well-formed or missing, twins, orphans, overdue tasks, tags and their doubles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from reconcile.compare.diff import beside
from reconcile.link.cells import make_cells
from reconcile.link.suggestions import RULE
from reconcile.model import Entity, Side
from reconcile.report.about import About
from reconcile.stage.quoting import literal
from reconcile.stage.stage import Stage
from reconcile.values.codecs import Email, Instant, Phone
from reconcile.values.mapping import TAGS, EntityMap, Field, Mapping

_EXAMPLES = 20
_OVERDUE_DAYS = 30
_TAGS_LISTED = 200
_SUGGESTED_LISTED = 500  # all are among the questions
_SIMILAR_AMONG = 400  # tags compared pairwise

_TWINS = """
SELECT value, list(key ORDER BY key)[1:10] AS keys, count(*) AS many FROM (SELECT key, {column} AS value FROM cell_{e}_{s} WHERE NOT deleted)
WHERE value IS NOT NULL GROUP BY value HAVING count(*) > 1 ORDER BY many DESC, value LIMIT {most}
"""

_TAG_USE = """
SELECT tag, count(*) FILTER (side = 'app') AS app, count(*) FILTER (side = 'ghl') AS ghl
FROM (SELECT side, unnest(from_json(tags, '["VARCHAR"]')) AS tag FROM (
    SELECT 'app' AS side, {c} AS tags FROM cell_{e}_app WHERE {c} IS NOT NULL UNION ALL SELECT 'ghl', {c} FROM cell_{e}_ghl WHERE {c} IS NOT NULL))
GROUP BY tag ORDER BY app + ghl DESC, tag LIMIT {most}
"""

_AGREEMENT = """
SELECT place, count(*), count(*) FILTER (app IS NOT DISTINCT FROM ghl), count(*) FILTER (app IS NULL AND ghl IS NOT NULL),
    count(*) FILTER (app IS NOT NULL AND ghl IS NULL)
FROM (SELECT generate_subscripts(app, 1) AS place, unnest(app) AS app, unnest(ghl) AS ghl FROM ({beside}))
GROUP BY place
"""
_COUNTED = ("compared", "equal", "blank_in_app", "blank_in_ghl")

# Contacts whose notes no run has read yet: no bound on their age can be given.
_NEVER = """
SELECT count(*) FROM raw_contact_ghl WHERE NOT deleted AND key NOT IN (SELECT contact_key FROM swept WHERE checked_at IS NOT NULL)
AND key NOT IN (SELECT key FROM cover_note_ghl)
"""


def quality(stage: Stage, mapping: Mapping, about: About) -> dict[str, Any]:
    """What the looked-at records show; in an audit every record is looked at, else those that moved or have no link."""
    if about.state == "audit":
        for mapped in mapping.entities:
            for side in Side:
                make_cells(stage, mapped, side)
    return {
        "looked_at": {
            mapped.entity.value: {
                side.value: _looked_at(stage, mapped.entity, side) for side in Side
            }
            for mapped in mapping.entities
        },
        "invalid": list(_invalid(stage, mapping)),
        "missing": list(_missing(stage, mapping)),
        "twins": list(_twins(stage, mapping)),
        "orphans": _orphans(stage, mapping),
        "overdue_tasks": list(_overdue(stage, mapping)),
        "match_rules": _match_rules(stage, mapping),
        "suggested": _suggested(stage),
        "agreement": list(_agreement(stage, mapping)),
        "tags": _tags(stage, mapping),
        "similar_tags": _similar(stage, mapping),
        "notes_oldest": about.notes_oldest,
        "notes_covered": stage.count("SELECT count(*) FROM cover_note_ghl")
        if Entity.NOTE in mapping
        else None,
        "notes_never": stage.count(_NEVER) if Entity.NOTE in mapping and stage.has("swept") else 0,
    }


def _looked_at(stage: Stage, entity: Entity, side: Side) -> dict[str, int]:
    return {
        name: stage.count(f"SELECT count(*) FROM {name}_{entity}_{side}")
        for name in ("cell", "raw")
    }


def _invalid(stage: Stage, mapping: Mapping) -> Iterator[dict[str, Any]]:
    for mapped in mapping.entities:
        for side in Side:
            table = f"fault_{mapped.entity}_{side}"
            query = f"SELECT field, why, count(DISTINCT key), list_sort(list(DISTINCT key))[1:{_EXAMPLES}] FROM {table} GROUP BY ALL ORDER BY 3 DESC, 1, 2"
            for field, why, count, keys in stage.rows(query):
                yield {
                    "entity": mapped.entity.value,
                    "side": side.value,
                    "field": field,
                    "why": why,
                    "count": count,
                    "keys": keys,
                }


def _identifying(mapped: EntityMap) -> Iterator[Field]:
    """The fields that a person is known by."""
    return (field for field in mapped.fields if isinstance(field.codec, Email | Phone))


def _missing(stage: Stage, mapping: Mapping) -> Iterator[dict[str, Any]]:
    """Looked-at contacts without email or phone, and those without either."""
    if Entity.CONTACT not in mapping:
        return
    mapped = mapping[Entity.CONTACT]
    blanks = [(field.name, f"{mapped.cell(field.name)} IS NULL") for field in _identifying(mapped)]
    if len(blanks) > 1:
        blanks.append(
            (" and ".join(name for name, _ in blanks), " AND ".join(test for _, test in blanks))
        )
    for side in Side:
        for name, test in blanks:
            count = stage.count(
                f"SELECT count(*) FROM cell_contact_{side} WHERE NOT deleted AND {test}"
            )
            if count:
                yield {"entity": "contact", "side": side.value, "field": name, "count": count}


def _twins(stage: Stage, mapping: Mapping) -> Iterator[dict[str, Any]]:
    """Values by which several looked-at contacts of one side are known."""
    if Entity.CONTACT not in mapping:
        return
    mapped = mapping[Entity.CONTACT]
    for field in _identifying(mapped):
        for side in Side:
            column = mapped.cell(field.name)
            for value, keys, count in stage.rows(
                _TWINS.format(e="contact", s=side, column=column, most=_EXAMPLES)
            ):
                yield {
                    "entity": "contact",
                    "side": side.value,
                    "field": field.name,
                    "value": value,
                    "count": count,
                    "keys": keys,
                }


def _orphans(stage: Stage, mapping: Mapping) -> list[dict[str, Any]]:
    """Tasks and notes whose contact is not there."""
    found = []
    for mapped in mapping.entities:
        if mapped.entity is Entity.CONTACT or Entity.CONTACT not in mapping:
            continue
        for side in Side:
            table = f"raw_{mapped.entity}_{side}"
            gone = f"FROM {table} r WHERE NOT deleted AND (parent IS NULL OR parent NOT IN (SELECT key FROM raw_contact_{side}))"
            keys = [
                str(key)
                for (key,) in stage.rows(f"SELECT key {gone} ORDER BY key LIMIT {_EXAMPLES}")
            ]
            if keys:
                found.append(
                    {
                        "entity": mapped.entity.value,
                        "side": side.value,
                        "count": stage.count(f"SELECT count(*) {gone}"),
                        "keys": keys,
                    }
                )
    return found


def _overdue(stage: Stage, mapping: Mapping) -> Iterator[dict[str, Any]]:
    """Looked-at tasks that are open and were due long before the snapshot."""
    if Entity.TASK not in mapping:
        return
    mapped = mapping[Entity.TASK]
    due = next((mapped.cell(f.name) for f in mapped.fields if isinstance(f.codec, Instant)), None)
    done = next(
        (
            mapped.cell(f.name)
            for f in mapped.fields
            if f.name == "completed" or f.ghl == ("completed",)
        ),
        None,
    )
    if due is None or done is None:
        return
    for side in Side:
        taken = literal(stage.snapshots[Entity.TASK, side].taken_at)
        late = (
            f"FROM cell_task_{side} WHERE NOT deleted AND coalesce({done}, 'false') = 'false' "
            f"AND try_cast({due} AS TIMESTAMPTZ) < {taken}::TIMESTAMPTZ - INTERVAL {_OVERDUE_DAYS} DAY"
        )
        keys = [
            str(key)
            for (key,) in stage.rows(f"SELECT key {late} ORDER BY {due}, key LIMIT {_EXAMPLES}")
        ]
        if keys:
            yield {
                "side": side.value,
                "days": _OVERDUE_DAYS,
                "count": stage.count(f"SELECT count(*) {late}"),
                "keys": keys,
            }


def _match_rules(stage: Stage, mapping: Mapping) -> list[dict[str, Any]]:
    """How many new links each rule gave, and how many records it left in doubt."""
    found: list[dict[str, Any]] = []
    for mapped in mapping.entities:
        query = (
            f"SELECT coalesce(f.how, u.rule) AS rule, coalesce(f.many, 0), coalesce(u.many, 0) "
            f"FROM (SELECT how, count(*) AS many FROM found_{mapped.entity} GROUP BY how) f "
            f"FULL JOIN (SELECT rule, count(DISTINCT (side, key)) AS many FROM unsure_{mapped.entity} WHERE kind <> 'excluded' AND NOT starts_with(rule, {literal(RULE)}) GROUP BY rule) u ON u.rule = f.how ORDER BY 2 DESC, 1"
        )
        found += [
            {"entity": mapped.entity.value, "rule": rule, "linked": linked, "in_doubt": unsure}
            for rule, linked, unsure in stage.rows(query)
        ]
    return found


def _suggested(stage: Stage) -> dict[str, Any] | None:
    """Pairs that are probably one though no rule says so, the surest first, or why none were looked for; None where no job does."""
    if not stage.count("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'suggesting'"):
        return None
    (why,) = stage.one("SELECT why FROM suggesting")
    columns = ("app_key", "ghl_key", "app_label", "ghl_label", "probability", "weight", "evidence")
    query = (
        "SELECT app_key, ghl_key, coalesce(a.label, app_key), coalesce(g.label, ghl_key), probability, weight, evidence "
        "FROM suggested LEFT JOIN name_contact_app a ON a.key = app_key LEFT JOIN name_contact_ghl g ON g.key = ghl_key "
        f"ORDER BY weight DESC, app_key, ghl_key LIMIT {_SUGGESTED_LISTED}"
    )
    return {
        "why_not": why,
        "count": stage.count("SELECT count(*) FROM suggested"),
        "links": [dict(zip(columns, row, strict=True)) for row in stage.rows(query)],
    }


def _agreement(stage: Stage, mapping: Mapping) -> Iterator[dict[str, Any]]:
    """For each field, on how many of the compared pairs both sides agreed before the run."""
    for mapped in mapping.entities:
        counted: dict[int, Counter[str]] = {}
        for part in beside(stage, mapped.entity):
            for place, *numbers in stage.rows(_AGREEMENT.format(beside=part)):
                counts = dict(zip(_COUNTED, (int(str(number)) for number in numbers), strict=True))
                counted.setdefault(int(str(place)), Counter()).update(counts)
        for place in sorted(counted):
            name = mapped.fields[place - 1].name
            yield {"entity": mapped.entity.value, "field": name} | {
                what: counted[place][what] for what in _COUNTED
            }


def _tag_column(mapping: Mapping) -> str | None:
    if Entity.CONTACT not in mapping:
        return None
    mapped = mapping[Entity.CONTACT]
    return mapped.cell(TAGS) if mapped.has_tags else None


def _tags(stage: Stage, mapping: Mapping) -> list[dict[str, Any]]:
    column = _tag_column(mapping)
    if column is None:
        return []
    rows = stage.rows(_TAG_USE.format(e="contact", c=column, most=_TAGS_LISTED))
    return [{"tag": tag, "app": app, "ghl": ghl} for tag, app, ghl in rows]


def _similar(stage: Stage, mapping: Mapping) -> list[dict[str, Any]]:
    """Pairs of tags that are probably one: equal but for signs and spaces, or a letter apart."""
    column = _tag_column(mapping)
    if column is None:
        return []
    used = _TAG_USE.format(e="contact", c=column, most=_SIMILAR_AMONG)
    query = f"""
    WITH used AS (SELECT tag, app + ghl AS uses, regexp_replace(lower(tag), '[^\\p{{L}}\\p{{N}}]', '', 'g') AS bare FROM ({used}))
    SELECT a.tag, b.tag, a.uses, b.uses FROM used a JOIN used b ON (a.uses, b.tag) > (b.uses, a.tag)
    WHERE a.bare = b.bare OR a.bare = b.bare || 's' OR b.bare = a.bare || 's' OR (length(a.bare) > 5 AND levenshtein(a.bare, b.bare) = 1)
    ORDER BY 3 DESC, 1, 2 LIMIT {_EXAMPLES}"""
    return [
        {"tag": tag, "like": like, "uses": [uses, fewer]}
        for tag, like, uses, fewer in stage.rows(query)
    ]
