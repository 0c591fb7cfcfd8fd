"""Looks up the verdict of every difference in a table of all that the policy can say."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.ledger.ledger import Decision
from reconcile.model import Side
from reconcile.stage.stage import Stage
from reconcile.values.codecs import Labels
from reconcile.values.mapping import TAGS, EntityMap, Field
from reconcile.values.policy import About, Agree, Ask, Leave, Verdict, decide, situations


def load_decisions(stage: Stage, decisions: list[Decision]) -> None:
    """Create `decision` (hold_id, choice, values_digest, by, reason, at)."""
    names = ("hold_id", "choice", "values_digest", "by", "reason", "at")
    columns = [(name, "VARCHAR") for name in names]
    rows = [(d.hold_id, d.choice, d.values_digest, d.by, d.reason, d.at) for d in decisions]
    stage.fill("decision", columns, [rows])


def judge(stage: Stage, mapped: EntityMap) -> None:
    """Create `judged_e`: every difference with its action, winner and reason."""
    entity = mapped.entity
    stage.make("compare/judged", entity=entity)
    if not stage.some(f"delta_{entity}"):
        return
    # A table of some hundred rows, however many differences there are.
    stage.fill("verdict", _VERDICT, [list(_verdicts(mapped))])
    together = sorted({name for pair in mapped.joint for name in pair})
    stage.make("compare/judged_now", entity=entity, consents=mapped.consents, together=together)


def keep_together(stage: Stage, mapped: EntityMap) -> None:
    """Let no verdict in `judged_e` write one of the values that say something only together."""
    if mapped.joint and stage.some(f"judged_{mapped.entity}"):
        stage.make("compare/joint_verdicts", entity=mapped.entity, joint=mapped.joint)


def keep_consents(stage: Stage, mapped: EntityMap) -> None:
    """Let no verdict in `judged_e` lift a no that has no ground to."""
    if mapped.consents and stage.some(f"judged_{mapped.entity}"):
        stage.make("compare/kept_consent", entity=mapped.entity, consents=mapped.consents)


_VERDICT = [
    ("field", "VARCHAR"),
    ("kind", "VARCHAR"),
    ("newer", "VARCHAR"),
    ("app_blank", "BOOLEAN"),
    ("ghl_blank", "BOOLEAN"),
    ("app_dnd", "BOOLEAN"),
    ("ghl_dnd", "BOOLEAN"),
    ("lasting", "BOOLEAN"),
    ("action", "VARCHAR"),
    ("winner", "VARCHAR"),
    ("because", "VARCHAR"),
    ("ground", "VARCHAR"),
    ("app_required", "BOOLEAN"),
    ("ghl_required", "BOOLEAN"),
    ("fallback", "VARCHAR"),
]


def _verdicts(mapped: EntityMap) -> Iterator[tuple[object, ...]]:
    """The policy as rows of `verdict`: each situation of each field, with what is done about it."""
    for field in mapped.fields:
        for situation in situations(consent=field.rule.consent, about=_about(field)):
            verdict = decide(field.rule, situation)
            winner, ground = None, ""
            if isinstance(verdict, Agree):
                winner, ground = verdict.winner, verdict.ground
            yield (
                field.name,
                situation.kind,
                situation.newer,
                situation.app_blank,
                situation.ghl_blank,
                situation.app_dnd,
                situation.ghl_dnd,
                situation.lasting,
                _action(verdict),
                winner,
                verdict.because,
                ground,
                *(field.required_on(side) for side in Side),
                field.fallback,
            )


def _about(field: Field) -> About:
    if not isinstance(field.codec, Labels):
        return "value"
    return "tag" if field.name == TAGS else "element"


def _action(verdict: Verdict) -> str:
    match verdict:
        case Agree():
            return "agree"
        case Ask():
            return "ask"
        case Leave():
            return "leave"
