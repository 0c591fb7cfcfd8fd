"""The value statement: every mapped value of every pair, and of every record without a counterpart, in exactly one class."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reconcile.apply.verify import Residual
from reconcile.compare.diff import beside
from reconcile.model import Entity, Kind, Side
from reconcile.report.classes import (
    AGREED,
    BY_RULE,
    CARRIED,
    EQUAL,
    OF_RECORDS,
    VALUES_BY_NAME,
    value_urgency_sql,
)
from reconcile.report.statement import EntityStatement, Identity, Statement
from reconcile.stage.quoting import literal, quoted
from reconcile.stage.stage import Stage
from reconcile.values.mapping import EntityMap, Field
from reconcile.values.policy import Leave, Situation, decide

_MOST_LISTED = 5_000
_WHOLE_RECORD = "*"
"""In `residual`, for a record that is gone again: every field of it."""

# One row for each value that is not simply equal, and one with field NULL for a record of which every value is in that class.
_TABLE = """
CREATE OR REPLACE TABLE value_{e} (
    link_id VARCHAR, app_key VARCHAR, ghl_key VARCHAR, field VARCHAR, class VARCHAR, because VARCHAR, app VARCHAR, ghl VARCHAR);
CREATE OR REPLACE TABLE carried_{e} (class VARCHAR, many BIGINT);
"""

# What was compared: each difference by its verdict, and what was to be written by what became of it. An item of a set (a tag)
# is judged alone; the value is in the most urgent class of its items.
_COMPARED = """
INSERT INTO value_{e} BY NAME
WITH found AS (
    SELECT j.link_id, j.field, j.item, j.app, j.ghl, CASE
        WHEN j.action = 'agree' THEN CASE
            WHEN NOT {applied} THEN 'pending'
            WHEN w.class = 'value_dropped' AND NOT {kept} THEN 'dropped'
            WHEN r.op_id IS NOT NULL THEN 'pending'
            WHEN w.class IN ('updated', 'value_dropped') THEN 'carried'
            WHEN w.class IN ('rejected', 'unexplained') THEN w.class ELSE 'pending' END
        WHEN j.action = 'unsyncable' AND d.kind = 'rejected' THEN 'rejected'
        WHEN j.action = 'unsyncable' AND j.fault IS NOT NULL THEN 'unreadable'
        WHEN j.action IN ('ask', 'flapping', 'unsyncable') THEN 'held'
        WHEN j.action <> 'leave' THEN 'unexplained' WHEN j.kind = 'converged' THEN 'equal'
        WHEN d.kind = 'dropped' THEN 'dropped' ELSE 'by_rule' END AS class,
        coalesce(r.because, j.because) AS because
    FROM judged_{e} j
    LEFT JOIN written_{e} w ON w.link_id = j.link_id AND w.field = j.field AND w.item IS NOT DISTINCT FROM j.item
    LEFT JOIN outcome o ON o.op_id = w.op_id
    LEFT JOIN difference_{e} d ON d.link_id = j.link_id AND d.field = j.field AND d.item = coalesce(j.item, '')
    LEFT JOIN residual r ON r.op_id = w.op_id AND r.field IN (j.field, '*')
), worst AS (
    SELECT link_id, field, arg_min(class, {urgency}) AS class, string_agg(DISTINCT because, '; ' ORDER BY because) AS because,
        {whole_app} AS app, {whole_ghl} AS ghl
    FROM found GROUP BY link_id, field
)
SELECT w.link_id, t.app_key, t.ghl_key, w.field, w.class, w.because, w.app, w.ghl FROM worst w JOIN tie_{e} t USING (link_id)
WHERE w.class <> 'equal' AND t.paired;
"""

# The side's own answer shows what it stores; an answer without the field says nothing against it.
_KEPT = """(CASE WHEN j.item IS NULL
    THEN NOT json_exists(o.outcome, '$.after."' || j.field || '"') OR json_extract_string(o.outcome, '$.after."' || j.field || '"') IS NOT DISTINCT FROM w.value
    ELSE list_contains(coalesce(from_json(json_extract_string(o.outcome, '$.after."' || j.field || '"'), '["VARCHAR"]'), []), j.item) = (w.value IS NOT NULL) END)"""

# What a whole link is: left out by a rule, hanging on another contact than before, or not read on both sides.
_WHOLE = """
INSERT INTO value_{e} BY NAME
SELECT t.link_id, t.app_key, t.ghl_key, NULL AS field, CASE
    WHEN w.strayed THEN CASE WHEN h.subject IS NOT NULL THEN 'held' ELSE 'by_rule' END
    WHEN w.waits THEN 'held' WHEN w.excluded THEN 'by_rule' ELSE 'not_read' END AS class,
    CASE WHEN w.strayed THEN 'whether it is still the same is asked' WHEN w.waits THEN 'its contact is asked about' WHEN w.excluded THEN 'left out by an exclude rule'
         ELSE 'not read on both sides in this run' END AS because
FROM tie_{e} t LEFT JOIN wide_{e} w USING (link_id)
LEFT JOIN (SELECT DISTINCT subject FROM hold WHERE entity = {entity}) h ON h.subject = t.link_id
WHERE t.paired AND (coalesce(w.excluded, false) OR t.app_state = 'unknown' OR t.ghl_state = 'unknown') AND NOT ({beyond});
"""

# What nobody moved, and is known to differ.
_STANDING = """
INSERT INTO value_{e} BY NAME
SELECT s.link_id, t.app_key, t.ghl_key, s.field, CASE s.class WHEN 'unknown' THEN 'held' ELSE s.class END AS class, s.because, s.app, s.ghl
FROM standing_{e} s JOIN tie_{e} t USING (link_id)
WHERE t.paired AND t.app_state = 'present' AND t.ghl_state = 'present' AND s.link_id NOT IN (SELECT link_id FROM moved_{e});
"""

# Records without a counterpart: as the record, so its values.
_ALONE = """
INSERT INTO value_{e} BY NAME
SELECT CASE WHEN '{s}' = 'app' THEN r.key END AS app_key, CASE WHEN '{s}' = 'ghl' THEN r.key END AS ghl_key, NULL AS field,
    coalesce(m.of, 'unexplained') AS class, r.because
FROM row_{e}_{s} r LEFT JOIN ({of_records}) m ON m.class = r.class WHERE NOT r.paired AND r.class <> 'deleted';
"""

# Records that this run made: what was sent against what the side says it stores; of what was not sent, what the next run does.
_CREATED = """
CREATE OR REPLACE TABLE created_{e} AS
SELECT f.link_id, f.side, CASE f.side WHEN 'app' THEN f.made_key ELSE f.source_key END AS app_key,
    CASE f.side WHEN 'ghl' THEN f.made_key ELSE f.source_key END AS ghl_key, f.fate, r.fields AS changed, r.because AS residual, {fault} AS faults,
    from_json(p.source, {form}) AS source, from_json(p.after, {form}) AS sent,
    from_json(coalesce(o.outcome ->> '$.after', p.after), {form}) AS held,
    list_distinct(list_concat(json_keys(p.after), coalesce(json_keys(o.outcome -> '$.after'), []))) AS told
FROM fate f JOIN planned p USING (op_id) LEFT JOIN outcome o USING (op_id) {faults}
LEFT JOIN (SELECT op_id, list(field) AS fields, any_value(because) AS because FROM residual GROUP BY op_id) r USING (op_id)
WHERE f.kind = 'create' AND f.entity = {entity} AND f.fate IN ('done', 'value_dropped', 'exists');
"""

_CREATED_VALUES = """
CREATE OR REPLACE TABLE made_{e} AS
SELECT link_id, app_key, ghl_key, side, unnest([{values}]) AS value FROM created_{e} WHERE fate <> 'exists';
INSERT INTO carried_{e} SELECT value.class, count(*) FROM made_{e} WHERE value.class IN ('carried', 'equal') GROUP BY ALL;
INSERT INTO value_{e} BY NAME
SELECT link_id, app_key, ghl_key, value.field AS field, value.class AS class, value.because AS because,
    CASE side WHEN 'ghl' THEN value.source ELSE value.held END AS app, CASE side WHEN 'ghl' THEN value.held ELSE value.source END AS ghl
FROM made_{e} WHERE value.class NOT IN ('carried', 'equal');
INSERT INTO value_{e} BY NAME
SELECT link_id, app_key, ghl_key, NULL AS field, 'pending' AS class, 'it was there already; the next run compares the two' AS because
FROM created_{e} WHERE fate = 'exists';
DROP TABLE made_{e};
"""


@dataclass(frozen=True, slots=True)
class ValueAccount:
    """The values of one entity: `fields` mapped ones a record, `total` of all pairs and single records, `classes` that sum up to it.

    `by_field` counts, for each field, what is in another class than equal, carried or by rule; a record of which all values
    are in one class counts for every field.
    """

    entity: Entity
    fields: int
    total: int
    classes: Mapping[str, int]
    by_field: Mapping[str, Mapping[str, int]]
    identities: tuple[Identity, ...]

    @property
    def apart(self) -> int:
        """Values of which it cannot be said that both sides agree."""
        return sum(many for name, many in self.classes.items() if name not in AGREED)


def agree(accounts: Iterable[ValueAccount]) -> bool:
    """Whether every value is equal, carried, or apart by rule, and every account adds up; of no account it cannot be said."""
    accounts = tuple(accounts)
    if not accounts:
        return False
    sums = all(identity.holds for account in accounts for identity in account.identities)
    return sums and not any(account.apart for account in accounts)


def scoped(stage: Stage) -> bool:
    """Whether the run was about some contacts alone (a delta): of all others it says nothing."""
    known = [
        snapshot for (entity, _), snapshot in stage.snapshots.items() if entity is Entity.CONTACT
    ]
    return bool(known) and all(snapshot.partial for snapshot in known)


def _beyond(stage: Stage) -> str:
    """SQL for whether a link, as `t`, is none that the run was about."""
    return "t.app_state = 'unknown' AND t.ghl_state = 'unknown'" if scoped(stage) else "false"


def value_accounts(
    stage: Stage,
    entities: Sequence[EntityMap],
    state: Statement,
    *,
    residuals: Sequence[Residual] = (),
) -> tuple[ValueAccount, ...]:
    """The value account of every entity that the record statement has; it leaves `value_e`, every value that is not equal.

    `residuals` are writes that were read back and found different. Needs what `statement` made.
    """
    _load_residuals(stage, residuals)
    accounted = {each.entity: each for each in state.entities}
    return tuple(
        _account(stage, m, accounted[m.entity], applied=state.applied)
        for m in entities
        if m.entity in accounted
    )


def _load_residuals(stage: Stage, residuals: Sequence[Residual]) -> None:
    rows = [
        (each.op_id, field, each.because)
        for each in residuals
        for field in (each.fields or (None,))
    ]
    stage.fill(
        "residual", [("op_id", "VARCHAR"), ("field", "VARCHAR"), ("because", "VARCHAR")], [rows]
    )


def _account(
    stage: Stage, mapped: EntityMap, of: EntityStatement, *, applied: bool
) -> ValueAccount:
    _make_values(stage, mapped, applied=applied)
    entity, width = mapped.entity, len(mapped.fields)
    classes: dict[str, int] = dict.fromkeys(VALUES_BY_NAME, 0)
    by_field: dict[str, dict[str, int]] = {}
    for field, name, many in stage.rows(
        f"SELECT field, class, count(*) FROM value_{entity} GROUP BY ALL ORDER BY ALL"
    ):
        count = int(str(many))
        classes[str(name)] += count * (width if field is None else 1)
        for each in mapped.fields if field is None else (mapped.field(str(field)),):
            if name not in AGREED:
                counted = by_field.setdefault(each.name, {})
                counted[str(name)] = counted.get(str(name), 0) + count
    for name, many in stage.rows(f"SELECT class, sum(many) FROM carried_{entity} GROUP BY class"):
        classes[str(name)] += int(str(many))
    classes[EQUAL] += _equal(stage, mapped)
    beyond = stage.count(f"SELECT count(*) FROM tie_{entity} t WHERE t.paired AND {_beyond(stage)}")
    total = width * (_records(of) - beyond)
    identity = Identity(f"{entity}: values = sum of all classes", total, sum(classes.values()))
    return ValueAccount(entity, width, total, classes, by_field, (identity,))


def _records(of: EntityStatement) -> int:
    """How many records have values that count: linked pairs, and those without a counterpart that still exist."""
    alone = sum(many for side in of.sides for name, many in side.aside.items() if name != "deleted")
    return of.linked + alone


def _equal(stage: Stage, mapped: EntityMap) -> int:
    """Values that are the same on both sides, counted from the cells, and from the links that did not move."""
    entity, width = mapped.entity, len(mapped.fields)
    same = " + ".join(
        f"(app[{at}] IS NOT DISTINCT FROM ghl[{at}])::INTEGER" for at in range(1, width + 1)
    )
    parts = beside(
        stage,
        entity,
        where=f"NOT excluded AND link_id IN (SELECT link_id FROM tie_{entity} WHERE paired)",
    )
    compared = sum(
        stage.count(f"SELECT coalesce(sum({same}), 0)::BIGINT FROM ({part})") for part in parts
    )
    unmoved = stage.count(
        f"SELECT count(*) FROM tie_{entity} t ANTI JOIN moved_{entity} m USING (link_id) "
        "WHERE NOT t.fresh AND t.paired AND t.app_state = 'present' AND t.ghl_state = 'present'"
    )
    # Not from `value_e`: what got lost there must be missed here.
    standing = stage.count(
        f"SELECT count(*) FROM standing_{entity} s SEMI JOIN tie_{entity} t ON t.link_id = s.link_id AND NOT t.fresh "
        "AND t.paired AND t.app_state = 'present' AND t.ghl_state = 'present' "
        f"ANTI JOIN moved_{entity} m ON m.link_id = s.link_id"
    )
    return compared + unmoved * width - standing


def _make_values(stage: Stage, mapped: EntityMap, *, applied: bool) -> None:
    entity = mapped.entity
    named = {"e": entity, "entity": literal(entity)}
    stage.run(_TABLE.format(**named))
    tags = any(field.by_item for field in mapped.fields)
    stage.run(
        _COMPARED.format(
            **named,
            applied=str(applied).lower(),
            kept=_KEPT,
            urgency=value_urgency_sql("class"),
            whole_app=_together("app") if tags else "any_value(app)",
            whole_ghl=_together("ghl") if tags else "any_value(ghl)",
        )
    )
    stage.run(_WHOLE.format(**named, beyond=_beyond(stage)))
    stage.run(_STANDING.format(**named))
    of_records = " UNION ALL ".join(
        f"SELECT {literal(a)} AS class, {literal(b)} AS of" for a, b in OF_RECORDS.items()
    )
    for side in Side:
        stage.run(_ALONE.format(**named, s=side, of_records=of_records))
    if stage.some("fate WHERE kind = 'create'"):
        _make_created(stage, mapped, applied=applied)


def _together(side: str) -> str:
    """SQL for a value of which items were judged: the items that a side has, as text."""
    return f"CASE WHEN count(item) = 0 THEN any_value({side}) ELSE string_agg({side}, ', ' ORDER BY item) END"


def _make_created(stage: Stage, mapped: EntityMap, *, applied: bool) -> None:
    entity = mapped.entity
    members = ", ".join(f'"{field.name}": "VARCHAR"' for field in mapped.fields)
    sides = " UNION ALL ".join(
        f"SELECT '{side.other}' AS side, key, list(field) AS fields FROM fault_{entity}_{side} GROUP BY key"
        for side in Side
        if stage.has(f"fault_{entity}_{side}")
    )
    faults = f"LEFT JOIN ({sides}) x ON x.side = f.side AND x.key = f.source_key" if sides else ""
    stage.run(
        _CREATED.format(
            e=entity,
            entity=literal(entity),
            form=literal("{" + members + "}"),
            fault="x.fields" if sides else "NULL::VARCHAR[]",
            faults=faults,
        )
    )
    values = ", ".join(_created_value(field, applied=applied) for field in mapped.fields)
    stage.run(_CREATED_VALUES.format(e=entity, values=values))


def _created_value(field: Field, *, applied: bool) -> str:
    """SQL for what one field of a record that was made comes to: {field, class, because, source, held}."""
    name = literal(field.name)
    source, sent, held = (f"{table}.{quoted(field.name)}" for table in ("source", "sent", "held"))
    written = literal(CARRIED if applied else "pending")
    subset = f"len(list_filter({_items(sent)}, lambda x: NOT list_contains({_items(held)}, x))) = 0"
    kept = subset if field.by_item else f"{held} IS NOT DISTINCT FROM {sent}"
    later = _later(field, source, held)
    changed = f"residual IS NOT NULL AND (list_contains(changed, {name}) OR list_contains(changed, '{_WHOLE_RECORD}'))"
    unreadable = f"list_contains(coalesce(faults, []), {name})"
    class_of = (
        f"CASE WHEN {unreadable} THEN 'unreadable' "
        f"WHEN {sent} IS NOT NULL AND NOT ({kept}) THEN 'dropped' "
        f"WHEN {sent} IS NOT NULL AND {changed} THEN 'pending' "
        f"WHEN {sent} IS NOT NULL AND {source} IS NULL THEN '{BY_RULE}' "
        f"WHEN {sent} IS NOT NULL AND {held} IS NOT DISTINCT FROM {source} THEN {written} "
        f"WHEN {held} IS NOT DISTINCT FROM {source} THEN '{EQUAL}' ELSE {later} END"
    )
    reason = (
        f"CASE WHEN {unreadable} THEN 'it cannot be read, so it was not sent' "
        f"WHEN {sent} IS NOT NULL AND NOT ({kept}) THEN 'sent, and stored otherwise' "
        f"WHEN {sent} IS NOT NULL AND {source} IS NULL THEN 'blank on one side, the fallback on the other' "
        f"ELSE coalesce(residual, 'not sent with the new record; the next run compares it') END"
    )
    return f"{{'field': {name}, 'class': {class_of}, 'because': {reason}, 'source': {source}, 'held': {held}}}"


def _items(column: str) -> str:
    return f"coalesce(from_json({column}, '[\"VARCHAR\"]'), [])"


def _later(field: Field, source: str, held: str) -> str:
    """SQL for what the next run will do about a value that did not travel with its record: leave it by rule, or carry it."""
    arms = []
    for maker in Side:  # the side that has the new record
        for source_blank, held_blank in ((True, False), (False, True), (False, False)):
            blanks = {maker: held_blank, maker.other: source_blank}
            kind = Kind.CONFLICT
            if source_blank or held_blank:
                kind = Kind.APP_MOVED if blanks[Side.GHL] else Kind.GHL_MOVED
            situation = Situation(kind, None, blanks[Side.APP], blanks[Side.GHL])
            left = field.rule.keep_dnd or isinstance(decide(field.rule, situation), Leave)
            test = f"side = '{maker}' AND ({source} IS NULL) = {source_blank} AND ({held} IS NULL) = {held_blank}"
            arms.append(f"WHEN {test} THEN '{BY_RULE if left else 'pending'}'")
    return f"CASE {' '.join(arms)} ELSE 'pending' END"


# telling ------------------------------------------------------------------------------------------------------------

_LISTED = """
SELECT {entity} AS entity, v.field, v.class, v.because, coalesce(a.label, g.label, v.app_key, v.ghl_key) AS label,
    v.app_key, v.ghl_key, v.app, v.ghl, {urgency} AS place
FROM value_{e} v LEFT JOIN name_{e}_app a ON a.key = v.app_key LEFT JOIN name_{e}_ghl g ON g.key = v.ghl_key
WHERE v.class IN ({classes})
"""


def listed(
    stage: Stage, entities: Sequence[EntityMap], *, classes: Iterable[str]
) -> Iterator[dict[str, Any]]:
    """The values in these classes, the most urgent first, at most as many as people read."""
    named = ", ".join(literal(name) for name in classes)
    parts = " UNION ALL ".join(
        _LISTED.format(
            e=m.entity,
            entity=literal(m.entity),
            classes=named,
            urgency=value_urgency_sql("v.class"),
        )
        for m in entities
        if stage.has(f"value_{m.entity}")
    )
    names = ("entity", "field", "class", "because", "label", "app_key", "ghl_key", "app", "ghl")
    if not parts:
        return
    query = f"SELECT {', '.join(names)} FROM ({parts}) ORDER BY place, entity, label, app_key, ghl_key, field LIMIT {_MOST_LISTED}"
    for row in stage.rows(query):
        yield dict(zip(names, row, strict=True))
