"""Answers that change links, carried out by a run that is killed at any of its writes: nothing is made twice, nothing is lost."""

from __future__ import annotations

import pytest

from connectors.memory import Crash, Killed
from reconcile.model import Entity, Side
from reconcile.values.policy import OnDelete
from tests.builders import World, contacts, mapping_of, notes, tasks
from tests.long_forms import crossed

C, T = Entity.CONTACT, Entity.TASK


def deleted_in(side: Side) -> World:
    """A world with a person and three tasks on both sides, of which two are deleted on `side`, asked about, and to be restored."""
    asked = dict.fromkeys(Side, OnDelete.HOLD)
    world = World(mapping=mapping_of(contacts(), tasks(delete=asked), notes()), chunk=1)
    ann = world.app.put(C, {"email": "ann@x.com", "first_name": "Ann"})
    for title in ("Call", "Mail", "Meet"):
        world.app.put(
            T, {"title": title, "due": "2026-01-01T10:00:00Z", "completed": False}, parent=ann
        )
    world.run()
    gone = [key for key, cells in world.cells(side, T).items() if cells["title"] != "Meet"]
    for key in gone:
        world.sides[side].delete(T, key)
    for hold in world.run().holds:
        world.decide(hold, "restore")
    return world


def titles(world: World) -> list[list[object]]:
    return [sorted(cells["title"] for cells in world.cells(side, T).values()) for side in Side]


@pytest.mark.parametrize(("at", "when", "side"), crossed((1, 2), ("before", "after"), list(Side)))
def test_a_restored_record_is_made_once(side: Side, at: int, when: str) -> None:
    """A deleted task that a person wants back is made once, also where the run is killed and somebody edits the other end then."""
    with deleted_in(side) as world:
        world.set_vices(side, crash=Crash(world.sides[side].carried_out + at, when))  # type: ignore[arg-type]
        with pytest.raises(Killed):
            world.run()
        world.set_vices(side, crash=None)
        world.reopen()
        for key, cells in world.cells(side.other, T).items():
            world.sides[side.other].edit(T, key, {"title": f"{cells['title']} again"})
        world.run()
        world.run()
        assert titles(world) == [["Call again", "Mail again", "Meet again"]] * 2
        assert world.plan().writes == ()
