"""What a part of both sides may tell: the neighbourhood of a new contact, and nothing of what is absent."""

from __future__ import annotations

from flows.steps import steps
from reconcile import pipeline
from reconcile.entities import Entity
from reconcile.ledger import runs
from reconcile.link.neighbourhood import keep_only, neighbourhood
from reconcile.model import Side
from tests.builders import World, contacts, mapping_of, small_stage

C = Entity.CONTACT
PHONE = "+18885551212"


def test_a_neighbourhood_is_all_that_shares_an_identity_and_so_on() -> None:
    """By email and by phone, on both sides, with the other ends of linked ones; who shares nothing stays out."""
    with World(mapping=mapping_of(contacts())) as world:
        world.app.put(C, {"email": "ann@x.com"}, key="a1")
        world.app.put(C, {"email": "else@x.com", "phone": "+18885553333"}, key="a9")
        world.run()
        world.app.edit(C, "a1", {"phone": PHONE})
        world.app.put(C, {"email": "bob@x.com", "phone": PHONE}, key="a2")
        world.ghl.put(C, {"email": "bob@x.com"}, key="g2")
        linked = world.links()["a1"]
        with small_stage(world.folder / "runs" / "near") as stage:
            run = world.open(stage)
            runs.start(world.ledger, run.run_id, "delta", at=world.clock())
            steps.stage(run, steps.extract(run))
            steps.link(run)
            fresh = {Side.APP: {"a2"}, Side.GHL: set[str]()}
            near = neighbourhood(stage, run.mapping[C], fresh, fresh)
            assert near == {Side.APP: {"a1", "a2"}, Side.GHL: {linked, "g2"}}
            keep_only(stage, near)
            read = stage.snapshots[C, Side.APP]
            assert (read.rows, read.partial) == (2, True)
            assert stage.rows("SELECT key FROM raw_contact_app ORDER BY key") == [("a1",), ("a2",)]


def test_a_part_proves_no_absence() -> None:
    """What would be carried across after a whole reading is left, with the reason, where a part was read."""
    with World(mapping=mapping_of(contacts())) as world:
        world.app.put(C, {"first_name": "Ann", "email": "ann@x.com"}, key="a1")
        world.run()
        world.app.delete(C, "a1")
        with small_stage(world.folder / "runs" / "part") as stage:
            run = world.open(stage)
            runs.start(world.ledger, run.run_id, "delta", at=world.clock())
            steps.stage(run, steps.extract(run))
            for whole in (True, False):
                pipeline.link(stage, world.ledger, run.mapping, whole=whole)
                pipeline.diff(stage, run.mapping, whole=whole)
                ((action, because),) = stage.rows("SELECT action, because FROM absence_contact")
                assert (action == "not_checked") is not whole
            assert because == "missing where a part was read; a full run decides what that means"
