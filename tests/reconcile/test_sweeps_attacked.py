"""What would deceive a night between two full readings, and does not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from reconcile.entities import Entity
from reconcile.model import OpKind, Side
from reconcile.ports import Proof, Scope
from tests.builders import HOLD, Witness, World, by_email, contacts, mapping_of, notes, tasks
from tests.reconcile.test_sweeps import DAY, C, next_day, night, swept

T, N = Entity.TASK, Entity.NOTE


@pytest.fixture
def world(lived: World) -> Iterator[World]:
    with lived.copied() as world:
        yield world


@pytest.fixture(scope="module")
def lived() -> Iterator[World]:
    """Five people on both sides, the first with a task and a note, and a night that read them."""
    mapping = mapping_of(contacts(delete=HOLD), tasks(), notes())
    with World(mapping=mapping, sweep=7) as world:
        for number in range(5):
            key = world.app.put(C, {"first_name": f"Ann{number}", "email": f"a{number}@x.com"})
            world.app.put(T, {"title": "Call"}, parent=key)
            world.app.put(N, {"body": "Said so"}, parent=key)
        world.run()
        next_day(world)
        world.run()
        next_day(world)
        yield world


def in_app(world: World, email: str) -> dict[str, object]:
    return dict(world.cells(Side.APP)[by_email(world, Side.APP, email)])


def test_an_edit_in_a_long_lag_of_the_index_is_read(world: World) -> None:
    """The pair file says how long the index trails: so far behind the last night it is asked."""
    world.set_vices(Side.GHL, lag_seconds=7_200)
    world.clock.advance(10_000)
    world.run()
    world.clock.advance(DAY)
    world.ghl.edit(C, by_email(world, Side.GHL, "a0@x.com"), {"company": "ACME"})
    _, _, asked = night(world)  # an hour later the index does not show it yet
    assert not swept(asked)
    _, _, asked = night(world)
    assert not swept(asked)
    assert in_app(world, "a0@x.com")["company"] == "ACME"


def test_an_edit_is_read_though_our_clock_was_ahead_in_the_night_before(world: World) -> None:
    """What is asked for is reckoned by the dates that GHL gave, too."""
    world.ghl.edit(C, by_email(world, Side.GHL, "a1@x.com"), {"company": "Mill"})
    clock = world.clock
    clock.advance(6 * 3_600)
    world.run()
    clock.advance(-6 * 3_600)
    world.ghl.edit(C, by_email(world, Side.GHL, "a0@x.com"), {"company": "ACME"})
    next_day(world)
    _, _, asked = night(world)
    assert not swept(asked)
    assert in_app(world, "a0@x.com")["company"] == "ACME"


def test_what_hangs_on_somebody_who_went_unseen_is_not_deleted(world: World) -> None:
    """One came back and another went: the count adds up, but a task and a note are gone with them."""
    backup = world.ghl.backup()
    gone, goes = (by_email(world, Side.GHL, f"a{number}@x.com") for number in (0, 1))
    world.ghl.delete(C, gone)
    night(world)
    world.ghl._tables[C][gone] = backup[C][gone]
    for entity in (T, N):
        for key, history in backup[entity].items():
            if history[-1] is not None and history[-1].parent == gone:
                world.ghl._tables[entity][key] = history
    world.ghl.delete(C, goes)
    result, _, asked = night(world)
    assert swept(asked)
    assert not result.of(OpKind.DELETE)


def test_a_search_that_does_not_find_by_date_makes_the_night_read_all(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever GHL dated since has to be among what it finds."""
    world.ghl.edit(C, by_email(world, Side.GHL, "a1@x.com"), {"company": "Mill"})
    night(world)
    find = Witness.extract

    def blind(ghl: Witness, entity: Entity, scope: Scope) -> Any:
        found = find(ghl, entity, scope)
        return found if scope.since is None else [Proof(complete=True, partial=True)]

    monkeypatch.setattr(Witness, "extract", blind)
    world.ghl.edit(C, by_email(world, Side.GHL, "a0@x.com"), {"company": "ACME"})
    _, _, asked = night(world)
    assert swept(asked)
    assert in_app(world, "a0@x.com")["company"] == "ACME"
