"""Limits where little is linked, where tags are what changes, and after a first run was taken back."""

from __future__ import annotations

import pytest

from reconcile.errors import Refused
from reconcile.model import Entity, OpKind, Side
from tests.builders import World, contacts, mapping_of
from tests.flows.nights import night, take_back

C = Entity.CONTACT


def test_tags_taken_from_everybody_are_refused() -> None:
    """A wrong tag mapping is as bad as a wrong field: the contacts whose tags change count as updates, each of them once."""
    with World(limits={"max_first_creates": 100}) as world:
        for number in range(60):
            world.app.put(C, {"email": f"p{number}@x.com", "tags": ["vip"]}, key=f"a{number}")
        world.run()
        for number in range(60):
            world.app.edit(C, f"a{number}", {"tags": ["lead"]})
        with pytest.raises(
            Refused, match=r"the tags of 60 contacts would be changed in GHL, where 60 are linked"
        ):
            world.run()
        result = world.run(allowed=["updates"])
        assert len(result.of(OpKind.ADD_TAGS)) == len(result.of(OpKind.REMOVE_TAGS)) == 60


def test_a_few_links_do_not_vouch_for_many_creates() -> None:
    """One contact that is linked already takes nothing from the limit of a first run."""
    with World(limits={"max_first_creates": 10}) as world:
        world.app.put(C, {"email": "ann@x.com"})
        world.run()
        for number in range(11):
            world.app.put(C, {"email": f"p{number}@x.com"})
        with pytest.raises(Refused, match="would create 11 contacts in GHL, where 1 are linked"):
            world.run()
        assert len(world.run(allowed=["first-creates"]).of(OpKind.CREATE)) == 11


@pytest.mark.parametrize(("side", "warned"), [(Side.APP, True), (Side.GHL, False)])
def test_only_ghl_has_workflows(side: Side, *, warned: bool) -> None:
    """What is new in GHL may start workflows there; what is new in the application starts none, and is not said to."""
    with World(limits={"max_first_creates": 1}) as world:
        for number in range(2):
            world.sides[side].put(C, {"email": f"p{number}@x.com"})
        with pytest.raises(Refused, match="would create 2 contacts") as refused:
            world.run()
    assert ("may start workflows" in str(refused.value)) is warned


def test_a_first_run_that_was_taken_back_refuses_no_later_night() -> None:
    """An undo leaves links whose other end is gone on purpose: the nights after it ask about them, and do their work."""
    with World(mapping=mapping_of(contacts()), limits={"max_first_creates": 100}) as world:
        for number in range(5):
            world.app.put(C, {"email": f"p{number}@x.com"})
        take_back(world, night(world))
        assert world.ghl.rows(C) == {}
        told = night(world)
        assert (told.state, len(world.app.rows(C))) == ("settled", 5)
        assert {hold["kind"] for hold in told.document["holds"]} == {"delete"}
        assert all(each["side"] == Side.APP.value for each in told.document["holds"])
