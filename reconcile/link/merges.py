"""Who may be the survivor of a merge.

Records that carry an identity, a task or a note of one that is gone there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reconcile.ledger.ledger import Decision
from reconcile.link.cells import make_known
from reconcile.link.identity import MatchRule, make_further, match_rules
from reconcile.model import Side
from reconcile.stage.blurring import ANY, blurred
from reconcile.stage.models import render
from reconcile.stage.stage import Stage
from reconcile.values.mapping import EntityMap
from reconcile.values.policy import OnMerge

BY_RULE = "the rule merged"
"""Who decided, where the pair file says that a merge is followed."""


@dataclass(frozen=True, slots=True)
class _Trace:
    """A match rule of one field, as a lost record is followed by it.

    `place` is its own among the match rules, `earlier` the rules before it. `blur` is the column of
    `blur_e_s` that has the field's numbers, None where there are none; `blurred` is SQL for the
    number of an identity.
    """

    place: int
    rule: MatchRule
    earlier: Sequence[MatchRule]
    blur: int | None
    blurred: str


def _traces(mapped: EntityMap) -> list[_Trace]:
    rules, quick = match_rules(mapped), mapped.blurred()
    traces = []
    for place, names in enumerate(mapped.match):
        if len(names) > 1:
            continue  # no evidence: see `find_survivors`
        field = mapped.field(names[0])
        blur = quick.index(field) if field in quick else None
        number = blurred(field.codec, "identity")
        traces.append(_Trace(place, rules[place], rules[:place], blur, number))
    return traces


def find_survivors(stage: Stage, mapped: EntityMap, *, children: Sequence[EntityMap] = ()) -> None:
    """Create `survivor_e`, the live records that may have survived a merge.

    For each link that lost one end, they are those of that side that have something of the lost
    one.

    That is an identity, or one of the `children` that hung on it.

    A rule of several fields is no evidence: relatives share a name and a postal code. Nor is what
    two records share under a later rule, where both are known by something of their own under an
    earlier one.
    """
    entity = mapped.entity
    stage.make("link/survivor", entity=entity)
    stage.make("link/loser")
    stage.make("link/left_behind")
    lost = (f"moved_{entity} WHERE {side}_state IN ('absent', 'deleted')" for side in Side)
    if stage.some(*lost):
        for side in Side:
            _find_of_side(stage, mapped, side, children)
    stage.drop("loser", *(f"lost_{side}" for side in Side))


def _find_of_side(
    stage: Stage, mapped: EntityMap, side: Side, children: Sequence[EntityMap]
) -> None:
    """Look for the survivors of one side's lost records, by all that counts as evidence."""
    entity = mapped.entity
    stage.make("link/lost", entity=entity, side=side, other=side.other)
    if not stage.some(f"lost_{side}"):
        return
    traces = _traces(mapped)
    if traces:
        _find(stage, mapped, side, traces)
    for child in children:
        stage.make("link/survivor_by_child", entity=entity, side=side, child=child.entity)
    # The other side's lost records are other people.
    stage.run("DELETE FROM loser")


def _find(stage: Stage, mapped: EntityMap, side: Side, traces: Sequence[_Trace]) -> None:
    """Look for the survivors of one side's lost records.

    It asks what those were known by, and who is known by it now.
    """
    entity = mapped.entity
    for each in Side:
        make_further(stage, mapped, each)

    def make(model: str, trace: _Trace) -> None:
        stage.make(
            model,
            entity=entity,
            side=side,
            other=side.other,
            place=trace.place,
            rule=trace.rule,
            earlier=trace.earlier,
        )

    for trace in traces:
        make("link/loser_by_rule", trace)
    stage.make("link/alike_lost", entity=entity, side=side, traces=traces, anything=ANY)
    names = {name for rule in mapped.match for name in rule}
    names |= {rule.field for rule in mapped.exclude}
    make_known(stage, mapped, side, rows=f"alike_lost_{side}", names=names)
    for trace in traces:
        make("link/survivor_by_rule", trace)
    stage.drop(f"alike_lost_{side}", f"known_{entity}_{side}")


def certain(stage: Stage, mapped: EntityMap, *, at: str) -> list[Decision]:
    """The answers that the pair file's `merged = "relink"` gives to questions of this run.

    Each links again with the one survivor.
    """
    if not mapped.entity.spec.person or mapped.merged is not OnMerge.RELINK:
        return []
    names = [rule[0] for rule in mapped.match if len(rule) == 1]
    query = render("link/certain", entity=mapped.entity, names=names)
    rows = stage.rows(query)
    return [Decision(str(name), "relink", str(digest), BY_RULE, at, "") for name, digest in rows]
