"""A task or note that hangs on another contact than when it was linked is asked about, never written through."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from reconcile.model import Entity
from tests.builders import World

OLD = {"title": "Call", "due": "2026-01-01T10:00:00Z", "completed": False}
NEW = {"title": "Send the offer", "due": "2026-01-05T10:00:00Z", "completed": False}


@pytest.fixture
def world() -> Iterator[World]:
    """Ann and Bob on both sides, with a task of Ann's under the app's key 7."""
    with World() as made:
        ann = made.app.put(Entity.CONTACT, {"first_name": "Ann", "email": "ann@example.com"})
        made.app.put(Entity.CONTACT, {"first_name": "Bob", "email": "bob@example.com"})
        made.app.put(Entity.TASK, OLD, key="7", parent=ann)
        made.run()
        yield made


def _bob(world: World) -> str:
    return next(key for key, cells in world.cells(world.app.side).items() if cells["first_name"] == "Bob")


def _hand_over(world: World) -> None:
    """The app deletes the task and gives its key to a new one of Bob's, as SQLite does."""
    world.app.delete(Entity.TASK, "7")
    world.app.put(Entity.TASK, NEW, key="7", parent=_bob(world))


def test_reused_key_never_overwrites_another_persons_task(world: World) -> None:
    """A key given to a task of another contact is a question; nothing is written to the task it was linked to."""
    before = world.cells(world.ghl.side, Entity.TASK)
    _hand_over(world)
    result = world.run()
    assert [hold.options for hold in result.holds] == [("unlink", "keep")]
    assert result.operations == ()
    assert world.cells(world.ghl.side, Entity.TASK) == before


def test_moved_task_is_a_question(world: World) -> None:
    """A task that a person moved to another contact is asked about, as GHL cannot move one."""
    world.app.move(Entity.TASK, "7", _bob(world))
    assert [hold.kind for hold in world.run().holds] == ["unsyncable"]


def test_unlinking_lets_both_ends_go_their_own_way(world: World) -> None:
    """Once a person unlinks them, each end is a record of its own, and the run after that is quiet."""
    _hand_over(world)
    world.decide(world.run().holds[0], "unlink")
    world.run()
    world.run()
    titles = [
        sorted(cells["title"] or "" for cells in world.cells(s.side, Entity.TASK).values())
        for s in (world.app, world.ghl)
    ]
    assert titles == [["Call", "Send the offer"]] * 2
    assert world.run().operations == ()
