"""Who a run linked before it was killed is linked: what is deleted after that was deleted, and is not made again."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.memory import Crash, Killed
from reconcile.ledger.journal import Journal
from reconcile.model import Entity, OpKind, Side
from tests.builders import World

C, T = Entity.CONTACT, Entity.TASK


def _killed(world: World) -> None:
    """Ann is entered on both sides, Bob in the app; the run that links the one is killed as it makes the other."""
    ann: dict[str, Any] = {"email": "ann@x.com", "first_name": "Ann"}
    world.app.put(C, ann, key="ann")
    world.ghl.put(C, ann, key="gann")
    world.app.put(C, {"email": "bob@x.com", "first_name": "Bob"}, key="bob")
    world.set_vices(Side.GHL, crash=Crash(world.ghl.carried_out + 1, "after"))
    with pytest.raises(Killed):
        world.run()
    world.set_vices(Side.GHL, crash=None)
    world.reopen()
    world.clock.advance(3600)


@pytest.mark.parametrize("side", list(Side))
def test_who_is_deleted_after_a_killed_run_stays_deleted(side: Side) -> None:
    """The killed run had linked both Anns, and one is deleted before the next: nobody knows what the other was, so it asks."""
    with World() as world:
        _killed(world)
        world.sides[side].delete(C, {Side.APP: "ann", Side.GHL: "gann"}[side])
        result = world.run()
        assert not result.of(OpKind.CREATE)
        (hold,) = result.holds
        assert (hold.kind, hold.app_key, hold.ghl_key) == ("delete", "ann", "gann")
        world.decide(hold, "delete")
        world.run()
        for each in Side:
            assert [row["email"] for row in world.cells(each).values()] == ["bob@x.com"]


def test_a_run_that_settles_leaves_no_note_of_its_links() -> None:
    """What is noted for a run that is killed is struck out by one that is not: the links are in the ledger."""
    with World() as world:
        for side in Side:
            world.sides[side].put(C, {"email": "ann@x.com", "first_name": "Ann"})
        run_id = world.run().run_id
        assert len(world.links()) == 1
        assert not list(Journal(world.ledger, run_id).linked())


def test_what_differs_of_whom_a_killed_run_linked_is_compared_as_new() -> None:
    """The link has no baseline: what was typed on either side since is filled, or asked about, and never taken for a clearing."""
    with World() as world:
        world.app.put(T, {"title": "Call"}, parent="ann")
        world.ghl.put(T, {"title": "Call"}, parent="gann")
        _killed(world)
        world.app.edit(C, "ann", {"company": "A", "last_name": "Lee"})
        world.ghl.edit(C, "gann", {"company": "B", "phone": "+18885551210"})
        result = world.run()
        assert [(hold.kind, hold.field) for hold in result.holds] == [("conflict", "company")]
        cells = world.cells(Side.APP)["ann"]
        assert (cells["last_name"], cells["phone"]) == ("Lee", "+18885551210")
        assert len(world.cells(Side.GHL)) == len(world.cells(Side.APP)) == 2
        assert len(world.cells(Side.GHL, T)) == len(world.cells(Side.APP, T)) == 1
