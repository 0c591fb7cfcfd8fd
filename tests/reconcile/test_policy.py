"""Policies: every situation of every rule has a verdict, and it keeps the promises of the rule."""

from __future__ import annotations

from itertools import product

import pytest

from reconcile.compare.diff import classify
from reconcile.model import Kind, Side
from reconcile.stage.models import render
from reconcile.values.policy import (
    Agree,
    Ask,
    Blank,
    Drift,
    Flow,
    Leave,
    OnConflict,
    Rule,
    decide,
    situations,
)

RULES = [Rule(*choices) for choices in product(Flow, OnConflict, Drift, Blank, (False, True))]
EVERY = [(rule, situation) for rule in RULES for situation in situations(consent=rule.consent)]
PLAIN = [(rule, situation) for rule, situation in EVERY if not rule.consent]
CONSENTS = [(rule, situation) for rule, situation in EVERY if rule.consent]


def test_every_situation_has_a_verdict_with_a_reason() -> None:
    """All rules in all situations give agree, ask or leave, each with a because."""
    for rule, situation in EVERY:
        assert decide(rule, situation).because


def test_where_nobody_moved_nothing_is_done() -> None:
    """What converged is left alone, whatever the rule; a standing difference is left or asked about, never written."""
    for rule, situation in EVERY:
        if situation.kind is Kind.CONVERGED:
            assert isinstance(decide(rule, situation), Leave)
        if situation.kind is Kind.STANDING and not rule.consent:
            assert not isinstance(decide(rule, situation), Agree)


def test_a_standing_difference_is_left_by_a_rule_alone() -> None:
    """Where neither drift = leave nor a blank that clears nothing wants two values apart, a person is asked."""
    for rule, situation in PLAIN:
        if situation.kind is not Kind.STANDING:
            continue
        owner = rule.flow.owner
        blank = (
            situation.app_blank or situation.ghl_blank if owner is None else situation.blank(owner)
        )
        wanted = (owner is not None and rule.drift is Drift.LEAVE) or (
            rule.blank is Blank.KEEP and blank
        )
        assert isinstance(decide(rule, situation), Leave) is wanted


def test_a_blank_never_clears_a_value_unless_the_rule_says_so() -> None:
    """With blank = keep no verdict makes both sides blank where one holds a value."""
    for rule, situation in EVERY:
        verdict = decide(rule, situation)
        if rule.blank is Blank.KEEP and isinstance(verdict, Agree):
            assert not situation.blank(verdict.winner) or situation.blank(verdict.winner.other)


def test_a_no_is_lifted_by_a_newer_yes_alone_and_where_the_rule_lets_it() -> None:
    """Of a consent, a yes wins over a no, or over silence, only where its side alone moved, `opt_in` is set, and it has a ground."""
    lifted = 0
    for rule, situation in CONSENTS:
        verdict = decide(rule, situation)
        if not isinstance(verdict, Agree) or situation.dnd(verdict.winner):
            continue
        lifted += 1
        moved = {Side.APP: Kind.APP_MOVED, Side.GHL: Kind.GHL_MOVED}[verdict.winner]
        assert (rule.opt_in, situation.kind, situation.lasting) == (True, moved, False)
        assert verdict.ground
        assert not situation.blank(verdict.winner)
        assert situation.dnd(verdict.winner.other)
    assert lifted


def test_a_no_wins_at_any_time_from_the_side_whose_word_travels() -> None:
    """Of a consent that flows both ways, one no and nothing newer across: both sides say no, whatever moved, also where nothing did."""
    both = [(rule, s) for rule, s in CONSENTS if rule.flow is Flow.BOTH]
    alone = [(rule, s) for rule, s in both if s.app_dnd != s.ghl_dnd]
    for rule, situation in alone:
        denier = Side.APP if situation.app_dnd else Side.GHL
        moved = {Side.APP: Kind.GHL_MOVED, Side.GHL: Kind.APP_MOVED}[denier]
        newer_yes = situation.kind is moved and not situation.blank(denier.other)
        if situation.kind is not Kind.CONVERGED and (situation.lasting or not newer_yes):
            verdict = decide(rule, situation)
            assert isinstance(verdict, Agree)
            assert (verdict.winner, verdict.ground) == (denier, "")


def test_a_newer_yes_is_asked_about_unless_it_travels() -> None:
    """Of a consent, the only question is a yes since the other side's no, where `opt_in` does not let it travel."""
    asked = [(rule, s) for rule, s in CONSENTS if isinstance(decide(rule, s), Ask)]
    assert asked
    for rule, situation in asked:
        assert (rule.opt_in, situation.lasting) == (False, False)
        assert situation.app_dnd != situation.ghl_dnd
        assert situation.kind in (Kind.APP_MOVED, Kind.GHL_MOVED)


def test_only_hold_and_an_unknown_newest_ask() -> None:
    """Of what moved, a question is asked about two-way fields alone, where both sides did and the rule does not decide."""
    for rule, situation in PLAIN:
        if situation.kind is not Kind.STANDING and isinstance(decide(rule, situation), Ask):
            assert situation.kind is Kind.CONFLICT
            assert rule.flow is Flow.BOTH
            assert rule.conflict is OnConflict.HOLD or (
                rule.conflict is OnConflict.NEWEST and situation.newer is None
            )


@pytest.mark.parametrize("flow", [Flow.TO_GHL, Flow.TO_APP])
def test_a_one_way_field_never_takes_the_other_sides_value(flow: Flow) -> None:
    """Where a side owns a field, no verdict lets the other one win."""
    for rule, situation in EVERY:
        verdict = decide(rule, situation)
        if rule.flow is flow and isinstance(verdict, Agree):
            assert verdict.winner is flow.owner


def test_rules_are_symmetric_where_they_name_no_side() -> None:
    """Swapping the sides of a situation swaps the winner of the verdict."""
    turned = {Kind.APP_MOVED: Kind.GHL_MOVED, Kind.GHL_MOVED: Kind.APP_MOVED}
    for rule, s in EVERY:
        if rule.flow is not Flow.BOTH or rule.conflict in (
            OnConflict.APP,
            OnConflict.GHL,
            OnConflict.UNION,
        ):
            continue
        newer = s.newer.other if s.newer else None
        other = decide(
            rule,
            type(s)(
                turned.get(s.kind, s.kind),
                newer,
                s.ghl_blank,
                s.app_blank,
                s.ghl_dnd,
                s.app_dnd,
                s.lasting,
            ),
        )
        mine = decide(rule, s)
        assert type(mine) is type(other)
        if isinstance(mine, Agree) and isinstance(other, Agree):
            assert mine.winner is other.winner.other


def test_the_sql_truth_table_is_the_python_one() -> None:
    """Over every combination of three values and blank on the four places, SQL and Python classify alike."""
    import duckdb

    values = (None, "x", "y", "z", "")
    combinations = list(product(values, repeat=4))
    with duckdb.connect() as sql:
        sql.execute("CREATE TABLE t (base_app VARCHAR, base_ghl VARCHAR, app VARCHAR, ghl VARCHAR)")
        sql.executemany("INSERT INTO t VALUES (?, ?, ?, ?)", combinations)
        rows = sql.execute(
            f"SELECT base_app, base_ghl, app, ghl, {render('compare/_kind')} FROM t"
        ).fetchall()
    assert len(rows) == 625
    for *four, kind in rows:
        assert classify(*four) == kind
    assert {kind for *_, kind in rows} == {kind.value for kind in Kind}
    assert Side.APP.other is Side.GHL
