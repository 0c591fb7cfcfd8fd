"""Remembers values that a side refused because another record has them, and asks about both records instead of sending it again."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from reconcile.baseline import differences
from reconcile.baseline.differences import Difference, Source, Why, field_digest
from reconcile.ledger import schema
from reconcile.ledger.journal import Journal
from reconcile.ledger.ledger import Ledger
from reconcile.model import Entity, Operation, OpKind, Outcome, Side, Status
from reconcile.plan.unique_values import holders, unique_fields
from reconcile.stage.quoting import literal
from reconcile.stage.stage import Stage
from reconcile.values.jsonl import line
from reconcile.values.mapping import EntityMap
from reconcile.values.mapping import Mapping as PairMapping

WHOLE = "*"
"""The field under which a create that was refused stands in the register."""

_CODES = ("DUPLICATE", "EXISTS")


def remember(
    ledger: Ledger, connection: Connection, journal: Journal, mapping: PairMapping, source: Source
) -> None:
    """Enter what sides refused in this run into the register, inside a settlement and after the operations were settled."""
    mapped = mapping[Entity.CONTACT]
    refused = [(o, outcome) for o, outcome in journal.entries() if _is_refused(o, outcome)]
    creates = [operation.link_id for operation, _ in refused if operation.kind is OpKind.CREATE]
    linked = _linked(ledger, connection, creates)
    found = [
        Difference(
            Entity.CONTACT,
            operation.link_id,
            field,
            Why.REJECTED,
            operation.side,
            sent,
            operation.before.get(field),
            because=f"refused by {operation.side.label}: another record has it",
            field_digest=digest,
            run_id=source.run_id,
            at=source.at,
            code=outcome.code,
            other_key=outcome.key if outcome.key != operation.key else None,
        )
        for operation, outcome in refused
        if operation.link_id not in linked or operation.kind is not OpKind.CREATE
        for field, sent, digest in _values(mapped, operation)
    ]
    differences.put(ledger, connection, found)


def _is_refused(operation: Operation, outcome: Outcome) -> bool:
    contact = operation.entity is Entity.CONTACT and operation.kind in (
        OpKind.CREATE,
        OpKind.UPDATE,
    )
    return contact and outcome.status is Status.REJECTED and outcome.code in _CODES


def _values(mapped: EntityMap, operation: Operation) -> Iterator[tuple[str, str, str]]:
    """(field, what was sent, the field's mapping) of what may have been refused: of a create, all of it."""
    if operation.kind is OpKind.CREATE:
        yield WHOLE, _sent(operation), ""
        return
    for name, cell in operation.after.items():
        if cell is not None and name in unique_fields(mapped):
            yield name, cell, field_digest(mapped.field(name))


def _sent(operation: Operation) -> str:
    return line({name: cell for name, cell in operation.after.items() if cell is not None})


def _linked(ledger: Ledger, connection: Connection, link_ids: list[str]) -> set[str]:
    table = schema.link
    query = sa.select(table.c.link_id).where(
        table.c.pair == ledger.pair,
        table.c.entity == Entity.CONTACT.value,
        table.c.link_id.in_(link_ids),
    )
    return {str(link_id) for (link_id,) in connection.execute(query)}


# what the next run makes of it ----------------------------------------------------------------------------------------

# The other record still has the value, or is as it was when it was named: then it would be refused again.
_ASKED = """
CREATE OR REPLACE TABLE refused_now AS
WITH due AS (
    SELECT j.link_id, j.field, CASE winner WHEN 'app' THEN 'ghl' ELSE 'app' END AS target,
        CASE winner WHEN 'app' THEN w.ghl_key ELSE w.app_key END AS key, CASE winner WHEN 'app' THEN j.app ELSE j.ghl END AS sent,
        CASE winner WHEN 'app' THEN j.ghl ELSE j.app END AS stored
    FROM judged_{e} j JOIN wide_{e} w USING (link_id) WHERE j.action = 'agree' AND j.item IS NULL
), known AS (
    SELECT d.*, r.run_id, r.at, r.other_key FROM due d JOIN difference_{e} r ON r.link_id = d.link_id AND r.field = d.field
        AND r.kind = 'rejected' AND r.side = d.target AND r.current
        AND r.sent IS NOT DISTINCT FROM d.sent AND r.stored IS NOT DISTINCT FROM d.stored
), holder AS ({holders}), leaving AS (
    SELECT target, field, key FROM due WHERE sent IS DISTINCT FROM stored
)
SELECT k.link_id, k.field, k.target, k.run_id, coalesce(min(h.key), any_value(k.other_key)) AS other_key
FROM known k LEFT JOIN holder h ON h.side = k.target AND h.field = k.field AND h.value = k.sent AND h.key <> k.key
WHERE h.key IS NULL OR (h.side, h.field, h.key) NOT IN (SELECT (target, field, key) FROM leaving)
GROUP BY k.link_id, k.field, k.target, k.run_id, k.at, k.other_key
HAVING min(h.key) IS NOT NULL OR {unmoved};
"""

_HOLDER = "SELECT '{s}' AS side, {field} AS field, value, key FROM ({holders})"

_UNMOVED = """(any_value(k.target) = '{s}' AND ({partly} OR EXISTS (
    FROM raw_{e}_{s} c WHERE c.key = k.other_key AND coalesce(c.modified_at <= k.at, false))))"""

_HELD = """
CREATE OR REPLACE TABLE refused_asked AS
SELECT r.*, w.app_key, w.ghl_key, b.app_key AS other_app, b.ghl_key AS other_ghl,
    md5(concat_ws(chr(31), 'refused', {entity}, r.link_id, r.field))[1:20] AS hold_id,
    md5(concat_ws(chr(31), coalesce('=' || j.app, '-'), coalesce('=' || j.ghl, '-'), r.run_id))[1:20] AS values_digest
FROM refused_now r JOIN wide_{e} w USING (link_id) JOIN judged_{e} j ON j.link_id = r.link_id AND j.field = r.field
LEFT JOIN base_{e} b ON CASE r.target WHEN 'app' THEN b.app_key ELSE b.ghl_key END = r.other_key;
UPDATE judged_{e} j SET hold_id = a.hold_id, values_digest = a.values_digest,
    action = CASE d.choice WHEN 'retry' THEN 'agree' WHEN 'leave' THEN 'leave' ELSE 'unsyncable' END,
    because = CASE WHEN d.choice IS NOT NULL THEN 'decided by ' || d."by" || coalesce(': ' || nullif(d.reason, ''), '')
        ELSE {because} END
FROM refused_asked a LEFT JOIN decision d ON d.hold_id = a.hold_id AND d.values_digest = a.values_digest AND d.choice IN ('retry', 'leave')
WHERE a.link_id = j.link_id AND a.field = j.field AND j.item IS NULL;
INSERT INTO hold
SELECT j.hold_id, 'refused', {entity}, j.link_id, j.field, a.target, a.app_key, a.ghl_key, j.because, ['retry', 'leave'],
    json_object('base_app', j.base_app, 'base_ghl', j.base_ghl, 'app', j.app, 'ghl', j.ghl, 'other_app_key', a.other_app,
        'other_ghl_key', CASE a.target WHEN 'ghl' THEN a.other_key ELSE a.other_ghl END), j.values_digest
FROM judged_{e} j JOIN refused_asked a ON a.hold_id = j.hold_id WHERE j.action = 'unsyncable';
"""

_BECAUSE = (
    "CASE a.target WHEN 'ghl' THEN 'GHL' ELSE 'the app' END || ' refused it, as another record there has it: ' "
    "|| coalesce(a.other_key, 'it does not say which one') || coalesce(', which is linked with ' || CASE a.target "
    "WHEN 'ghl' THEN a.other_app ELSE a.other_ghl END, '') || '. Two people: correct the one that has it wrongly, at its source. "
    "One person: merge the two. It is sent again when either of the two changes, or on your word'"
)


def ask(stage: Stage, mapped: EntityMap) -> None:
    """Ask, in `judged_e` and `hold`, about values that would only be refused again: both records are shown."""
    entity = mapped.entity
    unique = unique_fields(mapped)
    if (
        not unique
        or not stage.has(f"difference_{entity}")
        or not stage.some(f"difference_{entity}")
    ):
        return
    places = [(side, name) for side in Side for name in unique]
    held = [
        _HOLDER.format(
            s=side,
            field=literal(name),
            holders=holders(mapped, side, name, value="sent", wanted="known"),
        )
        for side, name in places
    ]
    unmoved = [
        _UNMOVED.format(e=entity, s=side, partly=_partly(stage, entity, side)) for side in Side
    ]
    stage.run(
        _ASKED.format(
            e=entity, holders=" UNION ALL ".join(held), unmoved=f"({' OR '.join(unmoved)})"
        )
        + _HELD.format(e=entity, entity=literal(entity), because=_BECAUSE)
    )


def _partly(stage: Stage, entity: Entity, side: Side) -> str:
    """SQL for whether this run may not see who has a value now."""
    snapshot = stage.snapshots[entity, side]
    return str(snapshot.partial or not snapshot.complete).lower()


_CREATES = """
CREATE OR REPLACE TABLE refused_create AS
SELECT o.link_id, o.side AS target, o.source_key, r.other_key, b.app_key AS other_app, b.ghl_key AS other_ghl,
    md5(concat_ws(chr(31), 'refused', {entity}, o.link_id, '*'))[1:20] AS hold_id, md5(r.sent || r.run_id)[1:20] AS values_digest
FROM operation o JOIN difference_{e} r ON r.link_id = o.link_id AND r.field = '*' AND r.kind = 'rejected' AND r.side = o.side
    AND r.sent = o.after
LEFT JOIN base_{e} b ON CASE o.side WHEN 'app' THEN b.app_key ELSE b.ghl_key END = r.other_key
LEFT JOIN raw_{e}_app ca ON o.side = 'app' AND ca.key = r.other_key LEFT JOIN raw_{e}_ghl cg ON o.side = 'ghl' AND cg.key = r.other_key
WHERE o.kind = 'create' AND o.entity = {entity} AND coalesce(coalesce(ca.modified_at, cg.modified_at) <= r.at, r.other_key IS NULL OR
    CASE o.side WHEN 'app' THEN {app_partly} OR ca.key IS NOT NULL ELSE {ghl_partly} OR cg.key IS NOT NULL END);
DELETE FROM refused_create WHERE hold_id IN (
    SELECT r.hold_id FROM refused_create r JOIN decision d ON d.hold_id = r.hold_id AND d.values_digest = r.values_digest AND d.choice = 'retry');
DELETE FROM operation WHERE kind = 'create' AND entity = {entity} AND link_id IN (SELECT link_id FROM refused_create);
INSERT INTO passed
SELECT {entity}, CASE target WHEN 'app' THEN 'ghl' ELSE 'app' END, source_key,
    CASE WHEN d.choice = 'ignore' THEN 'excluded' ELSE 'ambiguous' END, {because}
FROM refused_create a LEFT JOIN decision d ON d.hold_id = a.hold_id AND d.values_digest = a.values_digest;
INSERT INTO hold
SELECT a.hold_id, 'refused', {entity}, source_key, NULL, CASE target WHEN 'app' THEN 'ghl' ELSE 'app' END,
    CASE target WHEN 'ghl' THEN source_key END, CASE target WHEN 'app' THEN source_key END, {because}, ['retry', 'ignore'],
    json_object('other_app_key', other_app, 'other_ghl_key', CASE target WHEN 'ghl' THEN other_key ELSE other_ghl END), a.values_digest
FROM refused_create a LEFT JOIN decision d ON d.hold_id = a.hold_id AND d.values_digest = a.values_digest WHERE d.choice IS NULL;
"""


def ask_about_creates(stage: Stage, mapped: EntityMap) -> None:
    """Ask, in `operation`, `passed` and `hold`, about records that could not be created as another one has their email or phone."""
    entity = mapped.entity
    if entity is not Entity.CONTACT or not stage.has(f"difference_{entity}"):
        return
    if stage.some("operation", f"difference_{entity}") == {"operation", f"difference_{entity}"}:
        partly = {f"{side}_partly": _partly(stage, entity, side) for side in Side}
        stage.run(_CREATES.format(e=entity, entity=literal(entity), because=_BECAUSE, **partly))
