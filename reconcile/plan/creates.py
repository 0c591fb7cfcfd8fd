"""Drafts what becomes of records without a counterpart: created on the other side, or left out with the reason."""

from __future__ import annotations

import json
from collections.abc import Iterable

from reconcile.model import Entity, Side
from reconcile.stage.quoting import literal
from reconcile.stage.stage import Stage
from reconcile.values.mapping import EntityMap, Field

# {s}: the side that has the record, {t}: the side that lacks it.
_ORPHANS = """
CREATE OR REPLACE TABLE orphan_{s} AS
WITH filled AS (
    SELECT f.key, f.version, {parent_link} AS parent, {parent_key} AS parent_key, f.cells, {filled} AS filled,
        {lacking} AS lacking, {faulty} AS faulty, {left_out} AS left_out, {checked} AS checked, {apart} AS apart
    FROM free_{e}_{s} f {faults} {owner}
)
SELECT *, md5({entity} || chr(31) || '{s}' || chr(31) || key)[1:20] AS link_id, CASE
    WHEN NOT {allowed} THEN 'excluded' WHEN apart IS NOT NULL THEN 'apart' WHEN {parentless} THEN 'unsyncable' WHEN {forsaken} THEN 'unsyncable' WHEN NOT checked THEN 'not_checked'
    WHEN lacking IS NOT NULL OR faulty IS NOT NULL THEN 'unsyncable' ELSE 'create' END AS class FROM filled;
INSERT INTO operation
SELECT 2, 'create', {entity}, '{t}', link_id, NULL, orphan_{s}.key, parent, parent_key, {source}, '{{}}', {after}, NULL,
    coalesce('decided by ' || w."by" || ': create', 'exists only in {label}; no record of {other} has the same identity')
        || coalesce('; not sent: ' || left_out, ''), 'low'
FROM orphan_{s} LEFT JOIN wanted_{e} w ON w.side = '{s}' AND w.key = orphan_{s}.key WHERE class = 'create';
INSERT INTO passed SELECT {entity}, '{s}', key, class, CASE class
    WHEN 'excluded' THEN 'the rules do not create records of this kind in {other}'
    WHEN 'not_checked' THEN '{other} was not read completely in this run, so whether it exists there is not known'
    WHEN 'apart' THEN apart
    WHEN 'unsyncable' THEN CASE WHEN {parentless} THEN 'its contact is not linked' WHEN {forsaken} THEN 'its contact is gone from {other}'
        ELSE concat_ws('; ', 'required, but blank: ' || lacking, faulty) END END
FROM orphan_{s} WHERE class <> 'create';
DROP TABLE orphan_{s};
"""

_FAULTS = """LEFT JOIN (
    SELECT key, list(field) AS fields, string_agg(field || ' is ' || why, '; ' ORDER BY field) FILTER (field IN ({required})) AS faulty,
        string_agg(field || ' is ' || why, '; ' ORDER BY field) FILTER (field IN ({sent})) AS left_out
    FROM fault_{e}_{s} GROUP BY key) x USING (key)
"""

# GHL has tasks of no contact, and a rule may leave a contact out: what hangs on such is not of this pair.
_APART = """CASE WHEN f.parent IS NULL THEN 'it belongs to no contact'
    WHEN o.link_id IS NULL AND f.parent IN (SELECT key FROM cell_contact_{s} WHERE excluded) THEN 'its contact is left out by an exclude rule' END"""

_FORSAKEN = (
    "parent IN (SELECT link_id FROM absence_contact WHERE gone = '{t}' AND action <> 'not_checked')"
)

_EXCLUDED = """
INSERT INTO passed SELECT {entity}, '{s}', c.key, 'excluded', {reason}
FROM cell_{e}_{s} c SEMI JOIN unlinked_{e}_{s} u USING (key) WHERE c.excluded;
"""


def draft_creates(stage: Stage, mapped: EntityMap, side: Side) -> None:
    """Add creates on the other side for `side`'s orphans to `operation`, and what is left out with its reason to `passed`."""
    entity, target = mapped.entity, side.other
    if not stage.some(f"unlinked_{entity}_{side}", f"free_{entity}_{side}"):
        return
    stage.run(_EXCLUDED.format(e=entity, entity=literal(entity), s=side, reason=_reason(mapped)))
    sent = [(at, field) for at, field in enumerate(mapped.fields, start=1) if _travels(field, side)]
    required = [field.name for _, field in sent if field.required]
    child = entity is not Entity.CONTACT
    faulty = bool(stage.some(f"fault_{entity}_{side}"))
    named = {"required": _listed(required), "sent": _listed([field.name for _, field in sent])}
    faults = _FAULTS.format(e=entity, s=side, **named)
    stage.run(
        _ORPHANS.format(
            e=entity,
            s=side,
            t=target,
            entity=literal(entity),
            parent_link="o.link_id" if child else "NULL",
            parent_key=f"o.{target}_key" if child else "NULL",
            owner=f"LEFT JOIN owner o ON o.{side}_key = f.parent" if child else "",
            parentless="parent IS NULL" if child else "false",
            apart=_APART.format(s=side) if child else "NULL::VARCHAR",
            forsaken=_FORSAKEN.format(t=target) if child else "false",
            faulty="x.faulty" if faulty else "NULL::VARCHAR",
            left_out="x.left_out" if faulty else "NULL::VARCHAR",
            faults=faults if faulty else "",
            filled=_filled(mapped, faulty=faulty),
            lacking=_lacking(sent),
            checked=_checked(stage, mapped, target),
            allowed=str(mapped.create.allows(target)).lower(),
            source=_object("cells", enumerate(mapped.fields, start=1)),
            after=_object("filled", sent),
            label=side.label,
            other=target.label,
        )
    )


def _reason(mapped: EntityMap) -> str:
    """SQL for why a row is left out."""
    others = [
        f"WHEN {mapped.cell(field.name)} <> {literal(field.constant)} THEN "
        + literal(
            f'its {field.name} is not "{field.constant}", the pair\'s constant: it is of something else'
        )
        for field in mapped.selecting
    ]
    rule = "'left out by an exclude rule'"
    return f"CASE {' '.join(others)} ELSE {rule} END" if others else rule


def _listed(names: list[str]) -> str:
    """SQL for a list of names that is never empty."""
    return ", ".join(literal(name) for name in names) or "NULL"


def _travels(field: Field, side: Side) -> bool:
    """Whether a create on the other side carries this field."""
    return field.rule.flow.owner in (None, side) and bool(field.native(side.other))


def _filled(mapped: EntityMap, *, faulty: bool) -> str:
    """SQL for the cells as they are sent: the fallback where one is blank or not well-formed, which stays unreadable all the same."""
    if not faulty and all(field.fallback is None for field in mapped.fields):
        return "f.cells"
    filled = []
    for at, field in enumerate(mapped.fields, start=1):
        sound = f"x.fields IS NULL OR NOT list_contains(x.fields, {literal(field.name)})"
        cell = f"CASE WHEN {sound} THEN f.cells[{at}] END" if faulty else f"f.cells[{at}]"
        filled.append(
            cell if field.fallback is None else f"coalesce({cell}, {literal(field.fallback)})"
        )
    return f"[{', '.join(filled)}]"


def _lacking(sent: list[tuple[int, Field]]) -> str:
    tests = [
        f"CASE WHEN coalesce(f.cells[{at}], {literal(field.fallback)}) IS NULL THEN {literal(field.name)} END"
        for at, field in sent
        if field.required
    ]
    return f"nullif(concat_ws(', ', {', '.join(tests)}), '')" if tests else "NULL"


def _object(cells: str, fields: Iterable[tuple[int, Field]]) -> str:
    """SQL for a JSON object of the fields that are not blank in a list of cells, its members in order."""
    named = sorted((field.name, at) for at, field in fields)
    members = (
        f"{literal(f'{json.dumps(name, ensure_ascii=False)}:')} || to_json({cells}[{at}])"
        for name, at in named
    )
    return f"'{{' || concat_ws(',', {', '.join(['NULL', *members])}) || '}}'"


def _checked(stage: Stage, mapped: EntityMap, target: Side) -> str:
    """SQL for whether the other side was read far enough to know that a record is not there."""
    entity = mapped.entity
    snapshot = stage.snapshots[entity, target]
    if snapshot.complete and not snapshot.partial:
        return "true"
    looked = f"f.key IN (SELECT key FROM looked WHERE entity = {literal(entity)} AND side = '{target.other}')"
    if entity is Entity.CONTACT or not snapshot.partial:
        return looked
    return f"({looked} OR o.{target}_key IS NULL OR o.{target}_key IN (SELECT key FROM cover_{entity}_{target}))"


def creation(mapped: EntityMap, side: Side) -> dict[str, str]:
    """SQL over a row `f` of `cell_e_s` for what a create on the other side is made of.

    `filled` is a list of cells, `lacking` the required fields that are blank, or NULL; `source` and `after` are JSON objects made
    of lists of cells that are called `cells` and `filled`.
    """
    sent = [(at, field) for at, field in enumerate(mapped.fields, start=1) if _travels(field, side)]
    return {
        "filled": _filled(mapped, faulty=False),
        "lacking": _lacking(sent),
        "source": _object("cells", enumerate(mapped.fields, start=1)),
        "after": _object("filled", sent),
    }


def members(cells: str, mapped: EntityMap) -> str:
    """SQL for a JSON object of all fields that are not blank in a list of cells."""
    return _object(cells, enumerate(mapped.fields, start=1))
