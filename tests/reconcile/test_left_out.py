"""What hangs on a contact that a rule leaves out is left out with it, also where it was linked before, until the rule lets it in again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconcile.model import Entity, Side
from reconcile.report.document import document
from reconcile.values.mapping import EntityMap, Filter
from tests.builders import World, contacts, mapping_of, tasks
from tests.builders_world import seen
from tests.flows.nights import night
from tests.reconcile.test_unseen import break_off

C, T = Entity.CONTACT, Entity.TASK
RULED = contacts(exclude=(Filter("company", ("Test",)),))


def _world(people: EntityMap, company: str) -> World:
    """Ann with three tasks on both sides, linked."""
    world = World(mapping=mapping_of(people, tasks()), limits={"max_deletes": 100})
    ann = {"email": "ann@x.com", "first_name": "Ann", "company": company}
    world.app.put(C, ann, key="ann")
    for name in ("Call", "Mail", "Visit"):
        world.app.put(T, {"title": name}, parent="ann", key=name.lower())
    world.run()
    world.run()
    world.clock.advance(3600)
    return world


def _titles(world: World, side: Side) -> set[str | None]:
    return {cells.get("title") for cells in world.cells(side, T).values()}


def _work(world: World) -> None:
    """One task is edited on each side, one is deleted, and one is new on each."""
    keys = {cells["title"]: key for key, cells in world.cells(Side.GHL, T).items()}
    (ann,) = world.ghl.rows(C)
    world.app.edit(T, "call", {"title": "Call again"})
    world.ghl.edit(T, keys["Mail"], {"title": "Mail again"})
    world.ghl.delete(T, keys["Visit"])
    world.app.put(T, {"title": "Ask"}, parent="ann")
    world.ghl.put(T, {"title": "Send"}, parent=ann)
    world.clock.advance(3600)


def _told(world: World) -> dict[str, Any]:
    """The report of one run, of which the statement must balance."""
    with seen(world) as found:
        whole = document(found.stage, found.run.mapping, found.about)
    assert whole["statement"]["unexplained"] == 0
    for entity in whole["values"]["entities"]:
        assert all(identity["holds"] for identity in entity["identities"])
    world.clock.advance(3600)
    return whole


@pytest.mark.parametrize("by", ["its value", "the rule"])
def test_what_hangs_on_it_waits_until_it_is_let_in_again(by: str) -> None:
    """Nothing travels and nothing is concluded, whether the contact came to hold the value or the rule came to name it; then all does."""
    with _world(RULED if by == "its value" else contacts(), "Old") as world:
        if by == "its value":
            world.app.edit(C, "ann", {"company": "Test"})
        else:
            rule = Filter("company", ("Old",))
            world.mapping = mapping_of(replace(contacts(), exclude=(rule,)), tasks())
        _work(world)
        before = {side: _titles(world, side) for side in Side}
        for _ in range(2):
            whole = _told(world)
            assert (whole["changes"], whole["holds"]) == ([], [])
            assert whole["verdict"]["code"] == "agreed"
        assert {side: _titles(world, side) for side in Side} == before
        if by == "its value":
            world.app.edit(C, "ann", {"company": "Old"})
        else:
            world.mapping = mapping_of(contacts(), tasks())
        assert night(world).exit_code == 0
        expected = {"Call again", "Mail again", "Ask", "Send"}
        assert {side: _titles(world, side) for side in Side} == dict.fromkeys(Side, expected)


@pytest.mark.parametrize("side", Side)
def test_it_waits_where_nobody_can_tell_whether_it_is_left_out(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Contacts of one side cannot be read, on which a rule may leave Ann out: her tasks wait, and count as not read."""
    with _world(RULED, "Old") as world:
        _work(world)
        before = {each: _titles(world, each) for each in Side}
        break_off(world, side, monkeypatch)
        whole = _told(world)
        assert (whole["changes"], whole["verdict"]["code"]) == ([], "unread")
        assert {each: _titles(world, each) for each in Side} == before
        monkeypatch.undo()
        assert night(world).exit_code == 0
        assert _titles(world, Side.APP) == _titles(world, Side.GHL)
