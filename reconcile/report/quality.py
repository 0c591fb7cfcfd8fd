"""The state of the records themselves: malformed and missing values, twins, orphans, tags."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from reconcile.compare.diff import beside
from reconcile.entities import SWEPT
from reconcile.link.cells import make_cells
from reconcile.link.suggestions import RULE
from reconcile.model import Entity, Side
from reconcile.report.about import About
from reconcile.report.labels import names
from reconcile.report.new_tags import new_tags
from reconcile.stage.models import render
from reconcile.stage.stage import Stage
from reconcile.values.codecs import Email, Instant, Phone
from reconcile.values.mapping import TAGS, EntityMap, Field, Mapping

_EXAMPLES = 20
_OVERDUE_DAYS = 30
_TAGS_LISTED = 200
_SUGGESTED_LISTED = 500  # all are among the questions
_SIMILAR_AMONG = 400  # tags compared pairwise

_COUNTED = ("compared", "equal", "blank_in_app", "blank_in_ghl")

_WITH_KEYS = ("invalid", "twins", "orphans", "overdue_tasks")

_SUGGESTED = ("app_key", "ghl_key", "app_label", "ghl_label", "probability", "weight", "evidence")


def quality(stage: Stage, mapping: Mapping, about: About) -> dict[str, Any]:
    """What the looked-at records show.

    In an audit every record is looked at, else those that moved or have no link.
    """
    # In any other run the records that moved, or have no link, are the ones with cells.
    if about.state == "audit":
        for mapped in mapping.entities:
            for side in Side:
                make_cells(stage, mapped, side)
    findings: dict[str, Any] = {
        "looked_at": {
            mapped.entity.value: _looked_at(stage, mapped) for mapped in mapping.entities
        },
        "invalid": list(_invalid(stage, mapping)),
        "missing": list(_missing(stage, mapping)),
        "twins": list(_twins(stage, mapping)),
        "orphans": list(_orphans(stage, mapping)),
        "overdue_tasks": list(_overdue(stage, mapping)),
        "match_rules": list(_match_rules(stage, mapping)),
        "suggested": _suggested(stage, mapping),
        "agreement": list(_agreement(stage, mapping)),
        "tags": _tags(stage, mapping),
        "similar_tags": _similar(stage, mapping),
        "new_tags": new_tags(stage, mapping),
        "notes_oldest": about.notes_oldest,
        **_swept(stage, mapping),
    }
    _name(stage, mapping, [each for kind in _WITH_KEYS for each in findings[kind]])
    return findings


def _name(stage: Stage, mapping: Mapping, findings: list[dict[str, Any]]) -> None:
    """Give each finding the names of its records, in `names`, beside their `keys`."""
    wanted: dict[tuple[str, str], set[str]] = {}
    for each in findings:
        of = (each["entity"], each["side"])
        wanted.setdefault(of, set()).update(each["keys"])
    for (entity, side), keys in wanted.items():
        known = names(stage, mapping, Entity(entity), Side(side), keys)
        for each in findings:
            if (each["entity"], each["side"]) == (entity, side):
                each["names"] = [known.get(key, key) for key in each["keys"]]


def _swept(stage: Stage, mapping: Mapping) -> dict[str, int | None]:
    """Of how many contacts the notes were read in this run, and of how many never."""
    figures: dict[str, int | None] = {}
    for entity in SWEPT:
        covered, never = None, 0
        if entity in mapping:
            covered = stage.count(f"SELECT count(*) FROM cover_{entity}_ghl")
            if stage.has("swept"):
                never = stage.count(render("report/never_swept", entity=entity))
        figures |= {f"{entity.plural}_covered": covered, f"{entity.plural}_never": never}
    return figures


def _looked_at(stage: Stage, mapped: EntityMap) -> dict[str, dict[str, int]]:
    """How many records of each side were looked at, and how many there are."""
    return {
        side.value: {
            name: stage.count(f"SELECT count(*) FROM {name}_{mapped.entity}_{side}")
            for name in ("cell", "raw")
        }
        for side in Side
    }


def _invalid(stage: Stage, mapping: Mapping) -> Iterator[dict[str, Any]]:
    for mapped in mapping.entities:
        for side in Side:
            query = render("report/invalid", entity=mapped.entity, side=side, examples=_EXAMPLES)
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
    for mapped in mapping.people():
        yield from _missing_of(stage, mapped)


def _missing_of(stage: Stage, mapped: EntityMap) -> Iterator[dict[str, Any]]:
    tests = {field.name: f"{mapped.cell(field.name)} IS NULL" for field in _identifying(mapped)}
    if len(tests) > 1:
        tests[" and ".join(tests)] = " AND ".join(tests.values())
    for side in Side:
        for name, test in tests.items():
            contacts = f"FROM cell_{mapped.entity}_{side} WHERE NOT deleted AND {test}"
            if count := stage.count(f"SELECT count(*) {contacts}"):
                yield {
                    "entity": mapped.entity.value,
                    "side": side.value,
                    "field": name,
                    "count": count,
                }


def _twins(stage: Stage, mapping: Mapping) -> Iterator[dict[str, Any]]:
    """Values by which several looked-at contacts of one side are known."""
    for mapped in mapping.people():
        yield from _twins_of(stage, mapped)


def _twins_of(stage: Stage, mapped: EntityMap) -> Iterator[dict[str, Any]]:
    for field in _identifying(mapped):
        for side in Side:
            cell = mapped.cell(field.name)
            query = render(
                "report/twins", entity=mapped.entity, side=side, cell=cell, most=_EXAMPLES
            )
            for value, keys, count in stage.rows(query):
                yield {
                    "entity": mapped.entity.value,
                    "side": side.value,
                    "field": field.name,
                    "value": value,
                    "count": count,
                    "keys": keys,
                }


def _orphans(stage: Stage, mapping: Mapping) -> Iterator[dict[str, Any]]:
    """Tasks and notes whose contact is not there."""
    for mapped in mapping.entities:
        if mapped.entity.parent is None or mapped.entity.parent not in mapping:
            continue
        for side in Side:
            orphans = render("report/orphans", entity=mapped.entity, side=side)
            count, keys = _examples(stage, orphans, order="key")
            if keys:
                yield {
                    "entity": mapped.entity.value,
                    "side": side.value,
                    "count": count,
                    "keys": keys,
                }


def _examples(stage: Stage, records: str, *, order: str) -> tuple[int, list[str]]:
    """How many records a query gives, and the first of their keys."""
    first = stage.rows(f"SELECT key FROM ({records}) ORDER BY {order} LIMIT {_EXAMPLES}")
    count = stage.count(f"SELECT count(*) FROM ({records})") if first else 0
    return count, [str(key) for (key,) in first]


def _overdue(stage: Stage, mapping: Mapping) -> Iterator[dict[str, Any]]:
    """Looked-at tasks that are open and were due long before the snapshot."""
    for mapped in mapping.entities:
        if mapped.entity.spec.completes:
            yield from _overdue_of(stage, mapped)


def _overdue_of(stage: Stage, mapped: EntityMap) -> Iterator[dict[str, Any]]:
    due = [mapped.cell(field.name) for field in mapped.fields if isinstance(field.codec, Instant)]
    completed = [mapped.cell(field.name) for field in mapped.fields if _says_completed(field)]
    if not due or not completed:
        return
    for side in Side:
        overdue = render(
            "report/overdue",
            entity=mapped.entity,
            side=side,
            due=due[0],
            completed=completed[0],
            taken_at=stage.snapshots[mapped.entity, side].taken_at,
            days=_OVERDUE_DAYS,
        )
        count, keys = _examples(stage, overdue, order="due, key")
        if keys:
            yield {
                "entity": mapped.entity.value,
                "side": side.value,
                "days": _OVERDUE_DAYS,
                "count": count,
                "keys": keys,
            }


def _says_completed(field: Field) -> bool:
    return field.name == "completed" or field.ghl == ("completed",)


def _match_rules(stage: Stage, mapping: Mapping) -> Iterator[dict[str, Any]]:
    """How many new links each rule gave, and how many records it left in doubt."""
    for mapped in mapping.entities:
        query = render("report/match_rules", entity=mapped.entity, likeness=RULE)
        for rule, linked, unsure in stage.rows(query):
            yield {
                "entity": mapped.entity.value,
                "rule": rule,
                "linked": linked,
                "in_doubt": unsure,
            }


def _suggested(stage: Stage, mapping: Mapping) -> dict[str, Any] | None:
    """Pairs that are probably one though no rule says so, the surest first.

    Or why none were looked for; None where no job does.
    """
    if not stage.has("suggesting"):
        return None
    (why_not,) = stage.one("SELECT why FROM suggesting")
    (people,) = mapping.people()
    query = render("report/suggested", entity=people.entity, most=_SUGGESTED_LISTED)
    links = stage.rows(query)
    return {
        "why_not": why_not,
        "count": stage.count("SELECT count(*) FROM suggested"),
        "links": [dict(zip(_SUGGESTED, row, strict=True)) for row in links],
    }


def _agreement(stage: Stage, mapping: Mapping) -> Iterator[dict[str, Any]]:
    """For each field, on how many of the compared pairs both sides agreed before the run."""
    for mapped in mapping.entities:
        counts: dict[int, Counter[str]] = {}
        for links in beside(stage, mapped.entity):
            for place, *numbers in stage.rows(render("report/agreement", links=links)):
                part = dict(zip(_COUNTED, (int(str(number)) for number in numbers), strict=True))
                counts.setdefault(int(str(place)), Counter()).update(part)
        for place in sorted(counts):
            name = mapped.fields[place - 1].name
            figures = {figure: counts[place][figure] for figure in _COUNTED}
            yield {"entity": mapped.entity.value, "field": name} | figures


def _tag_cell(mapping: Mapping) -> str | None:
    """SQL for a contact's tags."""
    if Entity.TAG.record not in mapping:
        return None
    mapped = mapping[Entity.TAG.record]
    if not mapped.has_tags:
        return None
    return mapped.cell(TAGS)


def _tags(stage: Stage, mapping: Mapping) -> list[dict[str, Any]]:
    """The tags used most."""
    cell = _tag_cell(mapping)
    if cell is None:
        return []
    rows = stage.rows(
        render("report/tag_use", entity=Entity.TAG.record, cell=cell, most=_TAGS_LISTED)
    )
    return [{"tag": tag, "app": app, "ghl": ghl} for tag, app, ghl in rows]


def _similar(stage: Stage, mapping: Mapping) -> list[dict[str, Any]]:
    """Pairs of tags that are probably one: equal but for signs and spaces, or a letter apart."""
    cell = _tag_cell(mapping)
    if cell is None:
        return []
    query = render(
        "report/similar_tags",
        entity=Entity.TAG.record,
        cell=cell,
        most=_SIMILAR_AMONG,
        examples=_EXAMPLES,
    )
    return [
        {"tag": tag, "like": like, "uses": [uses, fewer]}
        for tag, like, uses, fewer in stage.rows(query)
    ]
