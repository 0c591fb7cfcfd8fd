"""Looks up the verdict of every difference: the policy is enumerated in Python once, and joined to as a table."""

from __future__ import annotations

from reconcile.ledger.ledger import Decision
from reconcile.model import Side
from reconcile.stage.quoting import literal
from reconcile.stage.stage import Stage
from reconcile.values.mapping import EntityMap
from reconcile.values.policy import Agree, Ask, Leave, decide, situations

_TABLE = """
CREATE OR REPLACE TABLE judged_{e} (
    link_id VARCHAR, field VARCHAR, item VARCHAR, newer VARCHAR, base_app VARCHAR, base_ghl VARCHAR, app VARCHAR, ghl VARCHAR,
    kind VARCHAR, app_fault VARCHAR, ghl_fault VARCHAR, action VARCHAR, winner VARCHAR, because VARCHAR, required BOOLEAN,
    hold_id VARCHAR, values_digest VARCHAR, fault VARCHAR, value VARCHAR);
"""

_JUDGED = """
INSERT INTO judged_{e} BY NAME
WITH known AS (
    SELECT d.*, CASE WHEN d.kind <> 'standing' THEN NULL WHEN r.because IS NOT NULL THEN r.because
        WHEN v.fallback = coalesce(d.app, d.ghl) AND (d.app IS NULL OR d.ghl IS NULL) THEN 'blank on one side, the fallback on the other'
        END AS on_record, v.action AS verdict, v.winner, v.because, v.required
    FROM delta_{e} d JOIN verdict v ON v.field = d.field AND v.kind = d.kind AND v.newer IS NOT DISTINCT FROM d.newer
        AND v.app_blank = (d.app IS NULL) AND v.ghl_blank = (d.ghl IS NULL)
        AND v.app_dnd = {app_dnd} AND v.ghl_dnd = {ghl_dnd}
    LEFT JOIN difference_{e} r ON r.link_id = d.link_id AND r.field = d.field AND r.item = coalesce(d.item, '')
), asked AS (
    SELECT d.* EXCLUDE (on_record, verdict, because), CASE WHEN on_record IS NULL THEN verdict ELSE 'leave' END AS action,
        coalesce(on_record, because) AS because,
        md5('conflict' || chr(31) || {entity} || chr(31) || d.link_id || chr(31) || d.field || chr(31) || coalesce(d.item, ''))[1:20] AS hold_id,
        md5(coalesce('=' || d.app, '-') || chr(31) || coalesce('=' || d.ghl, '-'))[1:20] AS values_digest
    FROM known d
), decided AS (
    SELECT a.* REPLACE (
        CASE WHEN a.action = 'ask' AND c.choice IN ('app', 'ghl') THEN 'agree' WHEN a.action = 'ask' AND c.choice = 'leave' THEN 'leave'
             ELSE a.action END AS action,
        CASE WHEN a.action = 'ask' AND c.choice IN ('app', 'ghl') THEN c.choice ELSE a.winner END AS winner,
        CASE WHEN a.action = 'ask' AND c.choice IS NOT NULL THEN 'decided by ' || c.by || coalesce(': ' || nullif(c.reason, ''), '')
             ELSE a.because END AS because)
    FROM asked a LEFT JOIN decision c ON c.hold_id = a.hold_id AND c.values_digest = a.values_digest
)
SELECT * REPLACE (
    CASE WHEN action = 'agree' AND fault IS NOT NULL THEN 'unsyncable'
         WHEN action = 'agree' AND required AND item IS NULL AND value IS NULL THEN 'unsyncable' ELSE action END AS action,
    CASE WHEN action = 'agree' AND fault IS NOT NULL THEN because || '; but it is ' || fault
         WHEN action = 'agree' AND required AND item IS NULL AND value IS NULL THEN because || '; but the field is required and the value is blank'
         ELSE because END AS because)
FROM (SELECT *, CASE winner WHEN 'app' THEN app_fault WHEN 'ghl' THEN ghl_fault END AS fault,
             CASE winner WHEN 'app' THEN app WHEN 'ghl' THEN ghl END AS value FROM decided);
"""


def load_decisions(stage: Stage, decisions: list[Decision]) -> None:
    """Create `decision` (hold_id, choice, values_digest, by, reason)."""
    columns = [(name, "VARCHAR") for name in ("hold_id", "choice", "values_digest", "by", "reason")]
    rows = [(d.hold_id, d.choice, d.values_digest, d.by, d.reason) for d in decisions]
    stage.fill("decision", columns, [rows])


def judge(stage: Stage, mapped: EntityMap) -> None:
    """Create `judged_e`: every difference with its action (agree, ask, leave, unsyncable), winner and because."""
    stage.run(_TABLE.format(e=mapped.entity))
    if not stage.some(f"delta_{mapped.entity}"):
        return
    names = (
        "field",
        "kind",
        "newer",
        *_TRUTHS[:4],
        "action",
        "winner",
        "because",
        "required",
        "fallback",
    )
    columns = [(name, "BOOLEAN" if name in _TRUTHS else "VARCHAR") for name in names]
    stage.fill("verdict", columns, [_verdicts(mapped)])
    dnd = {f"{side}_dnd": _dnd(mapped, side) for side in Side}
    stage.run(_JUDGED.format(e=mapped.entity, entity=literal(mapped.entity), **dnd))


_TRUTHS = ("app_blank", "ghl_blank", "app_dnd", "ghl_dnd", "required")


def _dnd(mapped: EntityMap, side: Side) -> str:
    """SQL for whether a side says "do not disturb" in a difference; one that cannot be read might."""
    consents = [literal(field.name) for field in mapped.fields if field.rule.keep_dnd]
    if not consents:
        return "false"
    says = f"d.{side} = 'true' OR d.{side} IS NOT NULL AND d.{side}_fault IS NOT NULL"
    return f"(d.field IN ({', '.join(consents)}) AND coalesce({says}, false))"


def _verdicts(mapped: EntityMap) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    verdict: tuple[object, ...]
    for field in mapped.fields:
        for situation in situations(consent=field.rule.keep_dnd):
            seen = (situation.app_blank, situation.ghl_blank, situation.app_dnd, situation.ghl_dnd)
            head = (field.name, situation.kind, situation.newer, *seen)
            match decide(field.rule, situation):
                case Agree(winner, because):
                    verdict = ("agree", winner, because)
                case Ask(because):
                    verdict = ("ask", None, because)
                case Leave(because):
                    verdict = ("leave", None, because)
            rows.append((*head, *verdict, field.required, field.fallback))
    return rows
