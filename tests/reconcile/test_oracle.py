"""The engine against an independent oracle, on many random small worlds at a time."""

from __future__ import annotations

import os
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa

from reconcile.compare import diff
from reconcile.ledger import runs, schema
from reconcile.ledger.ledger import PairState
from reconcile.model import Entity, Hold, Side
from reconcile.plan import draft
from reconcile.stage.stage import Stage
from tests.builders import World
from tests.long_forms import SOAK
from tests.reconcile.oracle import Verdicts, conclude, made_beside_their_like
from tests.reconcile.small_worlds import Small, named, random_small, said

ROUNDS = range(int(os.environ.get("ORACLE_ROUNDS", "40" if SOAK else "1")))


def _concluded(small: Small, answers: dict[tuple[Any, ...], str] | None = None) -> Verdicts:
    people = small.people
    return conclude(people[Entity.CONTACT], [people[Entity.TASK], people[Entity.NOTE]], answers)


@pytest.mark.parametrize("seed", ROUNDS)
def test_the_plan_is_what_the_rules_say(seed: int) -> None:
    """Operations and holds of hundreds of random small worlds equal what plain Python concludes from the written rules.

    So they do with some questions answered: no more and no less is done than was answered.
    """
    small = random_small(seed)
    with small.world() as world:
        result = world.plan()
        found = said(result)
        _equal(found, _concluded(small))
        assert made_beside_their_like(small.people[Entity.CONTACT], found) == []
        answers = _answered(world, small, result.holds)
        found = said(world.plan())
    _equal(found, _concluded(small, {named(hold): choice for hold, choice in answers}))


def _answered(world: World, small: Small, asked: Sequence[Hold]) -> list[tuple[Hold, str]]:
    with world.ledger.transaction() as connection:
        runs.put_holds(world.ledger, connection, asked, run_id="r0", at="2026-01-01T00:00:00Z")
    answers = small.answered(asked)
    assert len(answers) > 20
    for hold, choice in answers:
        world.decide(hold, choice)
    return answers


def _equal(found: Verdicts, expected: Verdicts) -> None:
    assert sorted(map(str, found.operations)) == sorted(map(str, expected.operations))
    assert sorted(map(str, found.holds)) == sorted(map(str, expected.holds))
    assert found.excluded == expected.excluded


@pytest.mark.parametrize("seed", ROUNDS[::4])
def test_what_did_not_move_need_not_be_looked_at(seed: int) -> None:
    """With the digests of all that is as it was, the plan is the one that looks at every link."""
    small = random_small(5000 + seed)
    with small.world() as world:
        whole = said(world.plan())
        known = _trust(world, small)
        narrow = said(world.plan())
    assert known > 50
    assert sorted(map(str, narrow.operations)) == sorted(map(str, whole.operations))
    assert narrow.holds == whole.holds
    assert narrow.excluded == whole.excluded


def _trust(world: World, small: Small) -> int:
    """Let the ledger know the digests of all linked records that are as they were; returns how many."""
    told = []
    with Stage(world.folder / "digests", memory_limit="256MB", threads=1) as stage:
        world.look(world.open(stage))
        kind = stage.digest_kind
        for entity, population in small.people.items():
            for side in Side:
                query = f"SELECT key, digest FROM raw_{entity}_{side}"
                digests = {str(key): digest for key, digest in stage.rows(query)}
                for tie in population.ties:
                    row = population.rows[side.value].get(tie.key(side.value))
                    if row is not None and row.cells == tie.base(side.value):
                        told.append((entity.value, tie.name, f"{side}_digest", digests[row.key]))
    with world.ledger.transaction() as connection:
        for entity_name, link_id, column, digest in told:
            mine = (schema.link.c.entity == entity_name, schema.link.c.link_id == link_id)
            connection.execute(sa.update(schema.link).where(*mine).values({column: digest}))
        mapping = world.mapping
        state = PairState(1, mapping_digest=mapping.digest, digest_kind=kind, codecs=mapping.codecs)
        world.ledger.advance(connection, state)
    return len(told)


_TURN = {"app": "ghl", "ghl": "app"}


@pytest.mark.parametrize("seed", ROUNDS[::4])
def test_swapping_the_sides_swaps_the_plan(seed: int) -> None:
    """Where no policy names a side, a world with its sides exchanged gets the same plan with its sides exchanged."""
    small = random_small(1000 + seed, named=False)
    with small.world() as world:
        straight = said(world.plan())
    with small.swapped().world() as world:
        turned = said(world.plan())
    assert sorted(map(str, map(_turned, _even(turned)))) == sorted(map(str, _even(straight)))
    assert {(k, e, g, a, f) for k, e, a, g, f in turned.holds} == straight.holds


def _even(verdicts: Verdicts) -> list[tuple[object, ...]]:
    """Operations without what is one-sided by nature: GHL's own way to complete a task, and its notes of contacts that are gone."""
    plain = [("update", *o[1:]) if o[0] == "complete" else o for o in verdicts.operations]
    return [o for o in plain if o[:2] != ("forget", "note")]


def _turned(operation: tuple[object, ...]) -> tuple[object, ...]:
    kind, entity, *rest = operation
    if kind in ("adopt", "forget"):
        return (kind, entity, rest[1], rest[0])
    return (kind, entity, _TURN[str(rest[0])], *rest[1:])


@pytest.mark.parametrize("seed", ROUNDS[::4])
def test_the_order_of_records_changes_no_byte_of_the_plan(seed: int) -> None:
    """The plan file of a world read in another order is the same, byte for byte, but for the name of the run."""
    small = random_small(2000 + seed)
    bodies = []
    for shuffled in (None, Random(seed), Random(seed + 1)):  # noqa: S311 - a reproducible choice, no secret
        with small.world(shuffled=shuffled) as world:
            result = world.plan()
            bodies.append(result.path.read_bytes())
    assert bodies[0] == bodies[1] == bodies[2]


def test_the_size_of_the_parts_changes_no_byte_of_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cells put side by side, and lines written, a few at a time give the plan of all at once."""
    small = random_small(3000)
    with small.world() as world:
        whole = world.plan()
        text = whole.path.read_bytes()
    monkeypatch.setattr(diff, "_PART", 7)
    monkeypatch.setattr(draft, "_PART", 3)
    with small.world() as world:
        parts = world.plan()
        assert parts.path.read_bytes() == text
    assert whole.plan.operations > 3 * 3
