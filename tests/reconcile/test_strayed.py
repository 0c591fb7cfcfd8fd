"""A task or note that hangs on another contact than when it was linked is asked about, never written through."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from connectors.memory import Vices
from connectors.memory.vices import Crash, Killed
from flows.outcome.tell import Told
from flows.run import REBASE
from flows.steps import steps
from reconcile.model import Entity, OpKind, Side
from reconcile.values.policy import OnDelete
from tests.builders import (
    HOLD,
    MIRROR,
    Result,
    World,
    by_email,
    contacts,
    mapping_of,
    small_stage,
    tasks,
)
from tests.flows.nights import night

OLD = {"title": "Call", "due": "2026-01-01T10:00:00Z", "completed": False}
NEW = {"title": "Send the offer", "due": "2026-01-05T10:00:00Z", "completed": False}
REBASED = frozenset({REBASE})


@pytest.fixture(scope="module")
def settled() -> Iterator[World]:
    """Ann and Bob on both sides, with a task of Ann's under the app's key 7."""
    with World() as made:
        ann = made.app.put(Entity.CONTACT, {"first_name": "Ann", "email": "ann@example.com"})
        made.app.put(Entity.CONTACT, {"first_name": "Bob", "email": "bob@example.com"})
        made.app.put(Entity.TASK, OLD, key="7", parent=ann)
        made.run()
        yield made


@pytest.fixture
def world(settled: World) -> Iterator[World]:
    """The same, for one test."""
    with settled.copied() as made:
        yield made


def _person(world: World, name: str) -> str:
    people = world.cells(Side.APP).items()
    return next(key for key, cells in people if cells["first_name"] == name)


def _bob(world: World) -> str:
    return _person(world, "Bob")


def _hand_over(world: World) -> None:
    """The app deletes the task and gives its key to a new one of Bob's, as SQLite does."""
    world.app.delete(Entity.TASK, "7")
    world.app.put(Entity.TASK, NEW, key="7", parent=_bob(world))


def _move(world: World) -> None:
    world.app.move(Entity.TASK, "7", _bob(world))


def _tasks(world: World) -> list[list[tuple[str, str]]]:
    """Title and contact of each task, side by side."""
    return [
        sorted(
            (
                str(world.cells(side.side, Entity.TASK)[key]["title"]),
                str(people[row.parent or ""]["first_name"]),
            )
            for key, row in side.rows(Entity.TASK).items()
        )
        for side in (world.app, world.ghl)
        for people in [world.cells(side.side)]
    ]


def _classes(told: Told) -> dict[str, dict[str, int]]:
    (tasks,) = (each for each in told.document["statement"]["entities"] if each["entity"] == "task")
    return {side["side"]: side["classes"] for side in tasks["sides"]}


def _balanced(told: Told) -> bool:
    return (
        bool(told.document["statement"]["clean"]) and told.document["statement"]["unexplained"] == 0
    )


def _answered(world: World, choice: str) -> Result:
    asked = world.run()
    world.decide(asked.holds[0], choice)
    return asked


def test_reused_key_never_overwrites_another_persons_task(world: World) -> None:
    """A key given to a task of another contact is a question; nothing is written to the task it was linked to."""
    before = world.cells(world.ghl.side, Entity.TASK)
    _hand_over(world)
    result = world.run()
    assert [hold.options for hold in result.holds] == [("move", "unlink", "keep")]
    assert result.operations == ()
    assert world.cells(world.ghl.side, Entity.TASK) == before


def test_a_key_that_a_deleted_persons_task_had_is_no_merge(world: World) -> None:
    """Ann goes with her task, and Bob's next task gets its key, as in SQLite: that is no sign that she was merged into him."""
    world.app.delete(Entity.CONTACT, _person(world, "Ann"))
    world.app.put(Entity.TASK, NEW, key="7", parent=_bob(world))
    result = world.run()
    assert not result.of(OpKind.UPDATE)
    assert [hold.kind for hold in result.holds] == ["moved"]
    world.run()
    assert _tasks(world) == [[("Send the offer", "Bob")]] * 2


def test_moved_task_is_a_question(world: World) -> None:
    """A task that a person moved is a question of its own kind; as it is one task, nobody can make two of it."""
    _move(world)
    (hold,) = world.run().holds
    assert (hold.kind, hold.options) == ("moved", ("move", "keep"))
    assert "goes" not in hold.because


def test_the_question_names_what_ghl_would_lose(world: World) -> None:
    """`move` makes the task as the app has it: the fields in which GHL's differs are named before somebody answers."""
    _move(world)
    (key,) = world.ghl.rows(Entity.TASK)
    world.ghl.edit(Entity.TASK, key, {"completed": True})
    (hold,) = world.run().holds
    assert hold.because.endswith(
        "`move` makes it as the app has it, and what GHL has in completed goes"
    )


def test_the_question_counts_as_one_in_the_statement(world: World) -> None:
    """Both records of the question are in the class of what a person decides, and the statement balances."""
    _move(world)
    told = night(world)
    assert _balanced(told)
    assert _classes(told) == {"app": {"moved": 1}, "ghl": {"moved": 1}}
    assert told.exit_code == 1


def test_unlinking_lets_both_ends_go_their_own_way(world: World) -> None:
    """Two things under one key, taken apart, are each on both sides at once, in a run that balances; the next one is quiet."""
    _hand_over(world)
    _answered(world, "unlink")
    told = night(world)
    assert _balanced(told)
    assert _tasks(world) == [[("Call", "Ann"), ("Send the offer", "Bob")]] * 2
    assert _classes(told) == {"app": {"created": 1}, "ghl": {"created": 1}}
    assert world.run().operations == ()


@pytest.mark.parametrize("gone", [Entity.TASK, Entity.CONTACT])
def test_a_moved_task_does_not_go_with_what_ghl_deletes(world: World, gone: Entity) -> None:
    """A move is a change: where GHL deletes the task, or the contact it hung on, somebody is asked, and no side is called equal."""
    world.app.put(Entity.TASK, NEW, parent=_bob(world))
    world.run()
    _move(world)
    key = by_email(world, Side.GHL, "ann@example.com")
    if gone is Entity.TASK:
        rows = world.ghl.rows(gone).items()
        (key,) = (task for task, row in rows if row.parent == key)
    world.ghl.delete(gone, key)
    told = night(world)
    assert told.exit_code == 1
    assert _classes(told) == {"app": {"absence_held": 1, "in_sync": 1}, "ghl": {"in_sync": 1}}
    asked = world.plan().holds
    for hold in asked:
        assert hold.because.endswith("it hangs on another contact there now")
        world.decide(hold, "restore")
    world.run()
    # Once the deleted contact's link is gone, the task is Bob's, and nothing is left to ask.
    assert bool(asked) is (gone is Entity.TASK)
    assert _tasks(world) == [[("Call", "Bob"), ("Send the offer", "Bob")]] * 2


def test_whom_somebody_gave_a_task_is_not_deleted_unasked(world: World) -> None:
    """Deleting Bob with the task would look like its deletion in the next night, and Ann would lose it in GHL, too."""
    _move(world)
    world.ghl.delete(Entity.CONTACT, by_email(world, Side.GHL, "bob@example.com"))
    for _ in range(2):
        holds = world.run().holds
        assert {(hold.entity, hold.kind) for hold in holds} == {
            (Entity.CONTACT, "delete"),
            (Entity.TASK, "moved"),
        }
        assert _tasks(world) == [[("Call", "Bob")], [("Call", "Ann")]]


def test_a_moved_task_follows_in_ghl(world: World) -> None:
    """`move` makes GHL's task again on the contact where the app has it and deletes the old one: one on each side, linked."""
    _move(world)
    _answered(world, "move")
    told = night(world)
    assert _balanced(told)
    assert _tasks(world) == [[("Call", "Bob")]] * 2
    assert _classes(told) == {"app": {"created": 1}, "ghl": {"deleted": 1}}
    assert told.exit_code == 0
    assert list(world.links(Entity.TASK)) == ["7"]
    assert world.run().operations == ()


def test_an_index_that_still_shows_the_old_task_makes_none_of_it() -> None:
    """Where GHL's bulk read trails, the task that `move` deleted is looked for by key, and not made again in the app."""
    with World(vices={Side.GHL: Vices(lag_seconds=60.0)}) as world:
        ann = world.app.put(Entity.CONTACT, {"first_name": "Ann", "email": "ann@example.com"})
        world.app.put(Entity.CONTACT, {"first_name": "Bob", "email": "bob@example.com"})
        world.app.put(Entity.TASK, OLD, key="7", parent=ann)
        world.run()
        world.clock.advance(600)
        _move(world)
        _answered(world, "move")
        world.run()
        world.run()
        assert _tasks(world) == [[("Call", "Bob")]] * 2


def test_what_ghl_does_not_delete_is_not_made_twice(world: World) -> None:
    """Where GHL refuses to delete the old task no new one is made; it is told, and tried again with the same answer."""
    _move(world)
    _answered(world, "move")
    world.set_vices(
        Side.GHL, rejects=lambda write: "FORBIDDEN" if write.kind is OpKind.DELETE else None
    )
    told = night(world)
    assert _balanced(told)
    assert told.exit_code == 2
    assert _tasks(world) == [[("Call", "Bob")], [("Call", "Ann")]]
    world.set_vices(Side.GHL, rejects=lambda _: None)
    world.run()
    assert _tasks(world) == [[("Call", "Bob")]] * 2


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("at", [4, 5])  # after the three that made the world
def test_a_kill_in_the_middle_of_a_move_neither_loses_nor_doubles(
    world: World, at: int, when: str
) -> None:
    """Killed around either of its two writes, a move comes to one task on each side after the next runs."""
    _move(world)
    _answered(world, "move")
    world.set_vices(Side.GHL, crash=Crash(at, when))  # type: ignore[arg-type]
    with pytest.raises(Killed):
        world.run()
    world.set_vices(Side.GHL, crash=None)
    world.run()
    world.run()
    assert _tasks(world) == [[("Call", "Bob")]] * 2


@pytest.mark.parametrize("chunks_done", [0, 1, 2])
def test_a_move_that_was_not_settled_is_taken_up_from_the_journal(
    world: World, chunks_done: int
) -> None:
    """The journal knows what was deleted and made, though the ledger does not yet: the task is made once, where it hangs now."""
    _move(world)
    _answered(world, "move")
    with small_stage(world.folder / "runs" / "unsettled") as stage:
        run = world.open(stage)
        steps.check(run, world.look(run))
        steps.begin_apply(run)
        operations = [o for o in steps.operations(run) if o.kind in (OpKind.DELETE, OpKind.CREATE)]
        assert [o.kind for o in operations] == [OpKind.DELETE, OpKind.CREATE]
        for operation in operations[:chunks_done]:
            steps.apply(run, [operation])
    world.reopen()
    for _ in range(2):
        world.run()
    assert _tasks(world) == [[("Call", "Bob")]] * 2
    assert world.plan().operations == ()


def test_a_move_whose_second_half_is_refused_is_held_and_not_lost(world: World) -> None:
    """GHL deletes its copy and takes no other: the app's task is shown in a question night by night, and made when GHL takes it."""
    _move(world)
    _answered(world, "move")
    world.set_vices(
        Side.GHL,
        rejects=lambda write: "INVALID_FIELD" if write.kind is OpKind.CREATE else None,
    )
    told = [night(world) for _ in range(3)]
    assert _tasks(world)[0] == [("Call", "Bob")]
    assert told[-1].exit_code == 1
    (hold,) = told[-1].document["holds"]
    assert (hold["kind"], hold["app_key"]) == ("refused", "7")
    world.set_vices(Side.GHL, rejects=lambda _: None)
    world.decide(world.plan().holds[0], "retry")
    world.run()
    assert _tasks(world) == [[("Call", "Bob")]] * 2


def test_an_edit_after_the_answer_is_asked_about_again(world: World) -> None:
    """`move` deletes a record, so it is about the records as they were shown: an edit in GHL since then is not lost by it."""
    _move(world)
    _answered(world, "move")
    (key,) = world.ghl.rows(Entity.TASK)
    world.ghl.edit(Entity.TASK, key, {"completed": True})
    result = world.run()
    assert result.operations == ()
    assert [hold.kind for hold in result.holds] == ["moved"]


def test_kept_as_they_are(world: World) -> None:
    """`keep` leaves both where they are, through edits, as an accepted difference; moved once more, it is asked again."""
    _move(world)
    _answered(world, "keep")
    told = night(world)
    assert (told.exit_code, _classes(told)) == (0, {"app": {"accepted": 1}, "ghl": {"accepted": 1}})
    (key,) = world.ghl.rows(Entity.TASK)
    world.ghl.edit(Entity.TASK, key, {"completed": True})
    assert (world.run().holds, world.run().operations) == ((), ())
    world.app.put(Entity.CONTACT, {"first_name": "Cyd", "email": "cyd@example.com"}, key="c")
    world.app.move(Entity.TASK, "7", "c")
    assert [hold.kind for hold in world.run().holds] == ["moved"]


def test_where_ghl_lacks_the_contact_it_cannot_move(world: World) -> None:
    """A task that was moved to a contact that GHL does not have is asked about without `move`: it would only be deleted."""
    world.app.put(Entity.CONTACT, {"first_name": "Cyd", "email": "cyd@example.com"}, key="c")
    world.set_vices(
        Side.GHL, rejects=lambda write: "READ_ONLY" if write.entity is Entity.CONTACT else None
    )
    world.app.move(Entity.TASK, "7", "c")
    world.run()
    (hold,) = world.run().holds
    assert hold.options == ("keep",)


# made anew, while the link still knows what it was before ---------------------------------------------------------------


@contextmanager
def _forgotten_move(**policies: Any) -> Iterator[World]:
    """Bob's task was Ann's until `move`, which deleted GHL's half and made another; the ledger is put back to before that."""
    mapping = mapping_of(contacts(**policies), tasks(**policies))
    with World(mapping=mapping) as world:
        ann = world.app.put(Entity.CONTACT, {"first_name": "Ann", "email": "ann@example.com"})
        world.app.put(Entity.CONTACT, {"first_name": "Bob", "email": "bob@example.com"})
        world.app.put(Entity.TASK, OLD, key="7", parent=ann)
        world.run()
        _move(world)
        _answered(world, "move")
        world.ledger.close()
        ledger, backup = world.folder / "ledger.db", world.folder / "backup.db"
        shutil.copy(ledger, backup)
        world.reopen()
        world.run()
        world.ledger.close()
        shutil.copy(backup, ledger)
        world.reopen()
        yield world


@pytest.mark.parametrize("delete", [MIRROR, HOLD], ids=["mirror", "hold"])
def test_a_move_that_the_ledger_forgot_makes_no_second_task(
    delete: Mapping[Side, OnDelete],
) -> None:
    """What it made in GHL is linked with the task in the app, whose other half it had deleted."""
    with _forgotten_move(delete=delete) as world:
        told = [night(world, allowed=REBASED), night(world), night(world)]
        assert _tasks(world) == [[("Call", "Bob")]] * 2
        assert all(map(_balanced, told))
        assert [one.exit_code for one in told] == [0, 0, 0]
        assert list(world.links(Entity.TASK)) == ["7"]


def test_what_was_made_anew_and_edited_is_known_by_the_match_rule() -> None:
    """Where somebody ended GHL's new task meanwhile, title and date show which it is; that it is done is asked or travels."""
    with _forgotten_move(delete=HOLD) as world:
        (key,) = world.ghl.rows(Entity.TASK)
        world.ghl.edit(Entity.TASK, key, {"completed": True})
        night(world, allowed=REBASED)
        assert _tasks(world) == [[("Call", "Bob")]] * 2
        assert list(world.links(Entity.TASK).items()) == [("7", key)]


def test_of_several_that_were_made_anew_each_is_linked_once() -> None:
    """One task lost its end, and two like it stand in its place: it is one of them, and the other is new."""
    with _forgotten_move(delete=HOLD) as world:
        (key,) = world.ghl.rows(Entity.TASK)
        world.ghl.put(Entity.TASK, OLD, parent=world.ghl.rows(Entity.TASK)[key].parent)
        told = [night(world, allowed=REBASED), night(world)]
        assert _tasks(world) == [[("Call", "Bob")] * 2] * 2
        assert all(map(_balanced, told))


def test_what_meets_a_task_without_a_link_is_not_the_one_that_lost_its_end() -> None:
    """A new task that is on both sides is one; the linked one that lost its end stays the question that it was."""
    with _forgotten_move(delete=HOLD) as world:
        world.app.put(Entity.TASK, OLD, key="8", parent=_bob(world))
        told = night(world, allowed=REBASED)
        assert _balanced(told)
        assert [hold["kind"] for hold in told.document["holds"]] == ["delete"]
        assert list(world.links(Entity.TASK)) == ["7", "8"]


def test_a_key_that_a_backup_gives_back_makes_no_second_task() -> None:
    """The app is put back, gives the key of a lost task to a new one, and is put back once more, to where the first one has it.

    The row is linked with the second one's by then, which is asked about. GHL's first one waits, as it may be that row.
    """
    with World(mapping=mapping_of(contacts(), tasks(absent_runs=2))) as world:
        for name in ("Ann", "Bob"):
            key = world.app.put(Entity.CONTACT, {"first_name": name, "email": f"{name}@x.com"})
        world.app.put(Entity.TASK, {"title": "Stays"}, parent=key)
        world.run()
        before, counted = world.app.backup(), dict(world.app._made)
        world.ghl.put(Entity.TASK, OLD, parent=by_email(world, Side.GHL, "bob@x.com"))
        world.run()
        newer = world.app.backup()
        world.app.restore(before)
        world.app._made.clear()
        world.app._made.update(counted)
        world.ghl.put(Entity.TASK, NEW, parent=by_email(world, Side.GHL, "ann@x.com"))
        world.run()
        world.app.restore(newer)
        result = world.run()
        assert _tasks(world)[0] == [("Call", "Bob"), ("Stays", "Bob")]
        assert {hold.kind for hold in result.holds} == {"moved", "duplicate"}
        (moved,) = [hold for hold in result.holds if hold.kind == "moved"]
        world.decide(moved, "unlink")
        world.run()
        assert _tasks(world) == [[("Call", "Bob"), ("Send the offer", "Ann"), ("Stays", "Bob")]] * 2
        assert world.run().operations == ()
