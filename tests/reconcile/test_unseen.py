"""What hangs on a contact waits in a run that could not read its contact: that may be gone, and what hangs on it with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from reconcile.model import Entity, Side
from reconcile.ports import Page, Proof, Scope
from reconcile.report.document import document
from reconcile.values.policy import OnDelete
from tests.builders import World, contacts, mapping_of, tasks
from tests.builders_world import seen

C, WHOLE = Entity.CONTACT, Scope()


def break_off(world: World, side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on that side's list of contacts ends before the first."""
    connector = world.sides[side]
    read = connector.extract

    def broken(entity: Entity, scope: Scope = WHOLE) -> Iterator[Page | Proof]:
        if entity is C:
            yield Proof(complete=False, why_incomplete="it broke off")
        else:
            yield from read(entity, scope)

    monkeypatch.setattr(connector, "extract", broken)


def told(world: World) -> dict[str, Any]:
    """The report of one run, of which the statement must balance."""
    with seen(world) as found:
        whole = document(found.stage, found.run.mapping, found.about)
    assert whole["statement"]["unexplained"] == 0
    for entity in whole["values"]["entities"]:
        assert all(identity["holds"] for identity in entity["identities"])
    return whole


def two_people() -> World:
    """Ann and Zoe with a task each; a contact that is deleted is asked about, a task goes at once."""
    mapping = mapping_of(contacts(delete=dict.fromkeys(Side, OnDelete.HOLD)), tasks())
    world = World(mapping=mapping, limits={"max_deletes": 100})
    for key, name in (("a1", "Ann"), ("a2", "Zoe")):
        world.app.put(C, {"email": f"{name.lower()}@x.com", "first_name": name}, key=key)
        world.app.put(Entity.TASK, {"title": f"Call {name}"}, key=f"t{key}", parent=key)
    world.run()
    world.run()
    return world


@pytest.mark.parametrize("side", Side)
def test_what_a_deleted_contact_left_waits_where_contacts_cannot_be_read(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deletion that is asked about took the task along; a night that sees no contacts concludes nothing from that."""
    with two_people() as world:
        ann = next(key for key, cells in world.cells(side).items() if cells["first_name"] == "Ann")
        world.sides[side].delete(C, ann)
        (asked,) = world.run().holds
        tasks_before = {each: world.cells(each, Entity.TASK) for each in Side}
        break_off(world, side, monkeypatch)
        for _ in range(3):
            whole = told(world)
            assert whole["changes"] == []
            assert whole["verdict"]["code"] == "unread"
        assert {each: world.cells(each, Entity.TASK) for each in Side} == tasks_before
        monkeypatch.undo()
        result = world.run()
        assert not result.writes
        assert [hold.hold_id for hold in result.holds] == [asked.hold_id]


@pytest.mark.parametrize("side", Side)
def test_a_deleted_task_waits_while_an_edit_of_another_travels(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what is absent waits in such a night, and goes in the next one that sees its contact."""
    with two_people() as world:
        by_title = {cells["title"]: key for key, cells in world.cells(side, Entity.TASK).items()}
        world.sides[side].delete(Entity.TASK, by_title["Call Ann"])
        world.sides[side].edit(Entity.TASK, by_title["Call Zoe"], {"title": "Visit Zoe"})
        break_off(world, side, monkeypatch)
        whole = told(world)
        assert len(whole["changes"]) == 1
        titles = {cells["title"] for cells in world.cells(side.other, Entity.TASK).values()}
        assert titles == {"Call Ann", "Visit Zoe"}
        monkeypatch.undo()
        told(world)
        titles = {cells["title"] for cells in world.cells(side.other, Entity.TASK).values()}
        assert titles == {"Visit Zoe"}
