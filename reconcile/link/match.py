"""Proposes links for rows that have none: rule by rule, one to one or not at all.

If several could match, a person is asked.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from reconcile.link.cells import make_cells
from reconcile.link.identity import MatchRule, make_identities, match_rules
from reconcile.model import Entity, Side
from reconcile.stage.stage import Stage
from reconcile.values.mapping import EntityMap


def match_apart(stage: Stage, mapped: EntityMap) -> None:
    """Create `found_e` (new links), `unsure_e` and `heir_e`.

    The orphans are left in `free_e_s`.
    """
    entity = mapped.entity
    unlinked = _unlinked(stage, entity)
    if unlinked:
        find_links(stage, mapped)  # on keys and identities alone; cells are made for what remains
    else:
        _begin(stage, entity)

    def focus(stage: Stage, side: Side) -> None:
        _focus(stage, mapped, side, candidates=unlinked)
        stage.make("link/free_cells", entity=entity, side=side, unlinked=unlinked)

    # Cells come last, as the candidates of what is held are looked into, too.
    stage.together(*(partial(focus, side=side) for side in Side))


def _begin(stage: Stage, entity: Entity) -> None:
    """Create the tables that matching fills, without a row."""
    for table in ("found", "unsure", "heir"):
        stage.make(f"link/{table}", entity=entity)


def _unlinked(stage: Stage, entity: Entity) -> bool:
    """Whether there is any row without a link."""
    return bool(stage.some(f"unlinked_{entity}_app", f"unlinked_{entity}_ghl"))


def find_links(stage: Stage, mapped: EntityMap) -> None:
    """Create `found_e` and `unsure_e`, and `free_e_s` as keys alone.

    It goes rule by rule, on nothing but what rows are known by.
    """
    entity = mapped.entity
    rules = match_rules(mapped)
    make_identities(stage, mapped)
    for side in Side:
        stage.run(f"CREATE OR REPLACE TABLE strong_{side} (key VARCHAR)")
    _begin(stage, entity)
    _free(stage, entity)
    _link_decided(stage, entity)
    # Most new rows share what they are known by with no other row. In a first run, most do meet
    # another.
    if rules and stage.some(f"base_{entity}"):
        stage.make("link/shared", entity=entity, rules=rules)
    if stage.some(*(f"known_{entity}_{side}" for side in Side)):
        _apply_rules(stage, mapped, rules)
    for side in Side:
        stage.drop(f"known_{entity}_{side}", f"taken_{side}", f"strong_{side}")


def _apply_rules(stage: Stage, mapped: EntityMap, rules: list[MatchRule]) -> None:
    """Match rule by rule.

    What one rule links or holds is not free for the next. What it knows makes a record strong.
    """
    for rule in rules:
        _apply_rule(stage, mapped, rule, later=rule != rules[0])
        if rule is rules[-1]:
            return  # there is no later rule for which it could make a record strong
        for side in Side:
            stage.make("link/strong_by_rule", entity=mapped.entity, side=side, rule=rule)


def _free(stage: Stage, entity: Entity) -> None:
    for side in Side:
        stage.make("link/free", entity=entity, side=side)


def _link_decided(stage: Stage, entity: Entity) -> None:
    stage.make("link/found_decided", entity=entity)
    _settle(stage, entity)


def _settle(stage: Stage, entity: Entity) -> None:
    """Take rows that are linked or held out of those that are free."""
    for side in _with_orphans(stage, entity):
        stage.make("link/free_settled", entity=entity, side=side)


def _meet(
    stage: Stage,
    entity: Entity,
    rule: MatchRule,
    *,
    several: bool = False,
    later: bool = False,
) -> None:
    """Link rows that share an identity one to one.

    Hold those that share it with several, or contradict each other.
    """
    for side in Side:
        stage.make("link/identity", entity=entity, side=side, rule=rule, later=later)
    stage.make("link/meeting")
    stage.make("link/pairs", several=several)
    stage.make(
        "link/crowded",
        entity=entity,
        rule=rule,
        several=several,
        later=later,
        inherited=bool(stage.some(f"heir_{entity}")),
    )
    stage.make("link/unsure_crowded", entity=entity, rule=rule)
    stage.make("link/found_alone", entity=entity, rule=rule)
    _settle(stage, entity)


def _apply_rule(stage: Stage, mapped: EntityMap, rule: MatchRule, *, later: bool) -> None:
    """Match by one rule.

    It compares across the sides, with what is left out, with what is linked, and within each side.
    """
    entity = mapped.entity

    # What a step links or holds is not free for the next one: a record is asked about once.
    def make(model: str, side: Side, **context: object) -> None:
        stage.make(model, entity=entity, side=side, other=side.other, rule=rule, **context)

    # Heirs come first: what meets one is not linked, as it could be the one that is left alone.
    for side in _with_lost_ends(stage, entity):
        make("link/heir_lost", side)
    if _both_take_part(stage, entity):
        _meet(stage, entity, rule, several=_several(stage, rule), later=later)
    if mapped.filters:
        for side in _with_orphans(stage, entity):
            make("link/unsure_across", side, kind="excluded")
    _settle(stage, entity)
    for side in _with_orphans(stage, entity):
        make("link/unsure_across", side, kind="duplicate")
    _settle(stage, entity)
    for side in _with_orphans(stage, entity):
        make("link/unsure_twins", side)
    _settle(stage, entity)


def _several(stage: Stage, rule: MatchRule) -> bool:
    """Whether a record may have several identities under this rule."""
    # Only with further values: the main one is one a record.
    tables = [table for side in Side for table in rule.further[side]]
    return bool(tables and stage.some(*tables))


def _with_lost_ends(stage: Stage, entity: Entity) -> list[Side]:
    """The sides on which a linked record is gone."""
    lost = {side: f"moved_{entity} WHERE {side}_state IN ('absent', 'deleted')" for side in Side}
    some = stage.some(*lost.values())
    return [side for side in Side if lost[side] in some]


def _both_take_part(stage: Stage, entity: Entity) -> bool:
    """Whether an unlinked row may meet one of the other side.

    It may if some are free, and each side has free or held ones.
    """
    free = {side: f"free_{entity}_{side}" for side in Side}
    unsure = {side: f"unsure_{entity} WHERE side = '{side}'" for side in Side}
    some = stage.some(*free.values(), *unsure.values())
    if some.isdisjoint(free.values()):
        return False
    return all(free[side] in some or unsure[side] in some for side in Side)


def _with_orphans(stage: Stage, entity: Entity) -> list[Side]:
    """The sides on which a row is free still."""
    free = {side: f"free_{entity}_{side}" for side in Side}
    some = stage.some(*free.values())
    return [side for side in Side if free[side] in some]


def match_children(stage: Stage, mapped: EntityMap) -> None:
    """The same for tasks and notes, among those whose contacts are linked.

    Equal content comes first, then the declared rules.
    """
    entity = mapped.entity
    stage.together(*(partial(_focus, mapped=mapped, side=side) for side in Side))
    _begin(stage, entity)
    _free(stage, entity)
    if not _unlinked(stage, entity):
        return
    _link_decided(stage, entity)
    # People write the same task twice: of equal ones it does not matter which is linked with which.
    stage.make("link/found_content", entity=entity)
    _settle(stage, entity)
    for rule in match_rules(mapped):
        if _both_take_part(stage, entity):
            _meet(stage, entity, rule)


def link_anew(stage: Stage, mapped: EntityMap) -> None:
    """Link tasks and notes that lost an end with what was made anew on the same contact.

    Hold what others may be.

    What a run makes and the ledger forgets, or a backup brings back, would else be made once more
    on the other side. What lost an end is linked with nothing else first: `match_children` has
    found what meets among those without a link.
    """
    sides = _with_orphans(stage, mapped.entity)
    lost = [side for side in _with_lost_ends(stage, mapped.entity) if side in sides]
    if lost:
        _link_left_alone(stage, mapped, lost)
    both_there = f"moved_{mapped.entity} WHERE app_state = 'present' AND ghl_state = 'present'"
    if sides and stage.some(both_there):
        _hold_for_astray(stage, mapped, sides)


def _link_left_alone(stage: Stage, mapped: EntityMap, sides: Iterable[Side]) -> None:
    """Link what lost its end on one of these sides with a free record there.

    It is equal to that record, or alike under a rule.
    """
    entity = mapped.entity
    stage.make("link/left_alone", entity=entity)
    for rule in (None, *match_rules(mapped)):
        for side in sides:
            stage.make("link/found_anew", entity=entity, side=side, other=side.other, rule=rule)
        _settle(stage, entity)
    stage.make("link/anew", entity=entity)
    stage.make("link/released_anew", entity=entity)
    stage.drop("left_alone")


def _hold_for_astray(stage: Stage, mapped: EntityMap, sides: Iterable[Side]) -> None:
    """Hold free records that one of the other side may be whose link is asked about.

    It hangs on another contact by now.
    """
    stage.make("link/astray", entity=mapped.entity)
    if stage.some("astray"):
        for rule in (None, *match_rules(mapped)):
            for side in sides:
                stage.make("link/unsure_astray", entity=mapped.entity, side=side, rule=rule)
        _settle(stage, mapped.entity)
    stage.drop("astray")


def make_owner(stage: Stage, entity: Entity) -> None:
    """Create `owner` (link_id, app_key, ghl_key): the linked contacts that tasks and notes hang on.

    An empty `due_owner` is made as well.
    """
    stage.make("link/owner", entity=entity, strangers=bool(stage.some(f"stranger_{entity}")))


def _focus(stage: Stage, mapped: EntityMap, side: Side, *, candidates: bool = False) -> None:
    """Make the cells of every row that may be compared or created.

    Moved and unlinked ones, and those it may be mistaken for.
    """
    entity = mapped.entity
    stage.make(
        "link/focus",
        entity=entity,
        side=side,
        candidates=candidates and bool(stage.some(f"unsure_{entity}")),
    )
    make_cells(stage, mapped, side, rows=f"focus_{side}")
    stage.drop(f"focus_{side}")
