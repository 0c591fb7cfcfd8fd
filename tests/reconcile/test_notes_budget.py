"""Within a budget of notes what was edited in the app is read first; what is not read is counted, and no question is forgotten."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from reconcile.model import Entity, Side
from reconcile.values.mapping import EntityMap, Filter
from tests.builders import World, contacts, mapping_of, notes
from tests.flows.nights import night

PEOPLE = ("ann", "bob", "cyd", "dee")
C, N = Entity.CONTACT, Entity.NOTE


def _made(mapped: EntityMap | None = None) -> World:
    """Four people on both sides with a note each, all read and linked; from now on one contact's notes are read a run."""
    world = World(mapping=mapping_of(contacts(), mapped or notes()))
    for name in PEOPLE:
        world.app.put(C, {"first_name": name, "email": f"{name}@example.com"}, key=name)
        world.app.put(N, {"body": f"of {name}"}, key=f"n-{name}", parent=name)
    world.run()
    world.run()
    world.notes_budget = 1
    return world


@pytest.fixture
def world() -> Iterator[World]:
    """See `_made`."""
    with _made() as made:
        yield made


def _bodies(world: World, side: Side) -> list[str]:
    return sorted(str(cells["body"]) for cells in world.cells(side, N).values())


def _last(world: World) -> str:
    """The one whose GHL contact comes last by key: nothing but its turn brings it up."""
    return max(PEOPLE, key=lambda name: world.links()[name])


def _note(world: World, name: str) -> str:
    return world.links(N)[f"n-{name}"]


def test_what_was_not_read_is_not_in_agreement(world: World) -> None:
    """A quiet run that read one contact's notes of four says so: three notes were not read, and the exit code is not 0."""
    told = night(world)
    assert told.exit_code == 1
    assert told.document["verdict"]["code"] != "agreed"
    assert told.document["entities"]["note"]["left"] == 3
    assert told.document["statement"]["clean"]


def test_with_all_of_it_read_both_sides_agree(world: World) -> None:
    """Where the budget reaches every contact, a quiet run agrees."""
    world.notes_budget = 4
    assert night(world).exit_code == 0


@pytest.mark.parametrize("name", PEOPLE)
def test_an_edit_in_the_app_is_carried_in_this_very_run(world: World, name: str) -> None:
    """Whoever's note was edited in the app: that contact's notes are read, and the edit is carried."""
    world.app.edit(N, f"n-{name}", {"body": "edited"})
    world.run()
    assert "edited" in _bodies(world, Side.GHL)


def test_a_note_written_or_deleted_in_the_app_is_carried_in_this_very_run(world: World) -> None:
    """A new note and a deleted one make their contact as pressing as an edit."""
    last = _last(world)
    world.app.delete(N, f"n-{last}")
    world.run()
    assert f"of {last}" not in _bodies(world, Side.GHL)
    world.app.put(N, {"body": "new"}, parent=last)
    world.run()
    assert "new" in _bodies(world, Side.GHL)


def test_what_this_job_wrote_does_not_starve_what_people_edit(world: World) -> None:
    """Notes that the job itself wrote into the app last night come after a note that somebody edited there today."""
    last = _last(world)
    world.notes_budget = None
    for name in PEOPLE:
        if name != last:
            world.ghl.edit(N, _note(world, name), {"body": f"GHL's of {name}"})
    world.run()
    world.notes_budget = 1
    world.app.edit(N, f"n-{last}", {"body": "edited"})
    world.run()
    assert "edited" in _bodies(world, Side.GHL)


def test_an_edit_of_a_note_that_the_job_wrote_is_an_edit(world: World) -> None:
    """That the job wrote a note last hides no later edit of it."""
    last = _last(world)
    world.notes_budget = None
    world.ghl.edit(N, _note(world, last), {"body": "GHL's"})
    world.run()
    world.notes_budget = 1
    world.app.edit(N, f"n-{last}", {"body": "edited since"})
    world.run()
    assert "edited since" in _bodies(world, Side.GHL)


def test_a_question_stays_open_while_its_contact_is_not_read(world: World) -> None:
    """A conflict of which this run did not read GHL's end stays in `review`, and closes when it is found settled."""
    last, first = _last(world), min(PEOPLE, key=lambda name: world.links()[name])
    world.app.edit(N, f"n-{last}", {"body": "app's"})
    world.ghl.edit(N, _note(world, last), {"body": "GHL's"})
    (hold,) = world.run().holds
    world.app.edit(N, f"n-{first}", {"body": "edited"})
    world.run()
    assert [row.hold_id for row in world.ledger.holds()] == [hold.hold_id]
    world.decide(hold, "app")
    world.run()
    assert "app's" in _bodies(world, Side.GHL)
    assert list(world.ledger.holds()) == []


def test_an_open_question_comes_before_what_is_merely_old(world: World) -> None:
    """The contact of an open question is read before contacts whose turn it would be."""
    last = _last(world)
    world.app.edit(N, f"n-{last}", {"body": "app's"})
    world.ghl.edit(N, _note(world, last), {"body": "GHL's"})
    world.run()
    world.ghl.edit(N, _note(world, last), {"body": "app's"})
    world.run()
    assert list(world.ledger.holds()) == []


def test_everybodys_turn_comes(world: World) -> None:
    """Without any evidence the contact that was read longest ago is read next: GHL's edits are carried within four runs."""
    for name in PEOPLE:
        world.ghl.edit(N, _note(world, name), {"body": f"GHL's of {name}"})
    for _ in range(8):
        world.run()
    assert _bodies(world, Side.APP) == sorted(f"GHL's of {name}" for name in PEOPLE)


def test_notes_that_a_rule_leaves_out_press_nobody() -> None:
    """A note that an exclude rule leaves out makes its contact no more pressing than another one's."""
    with _made(notes(exclude=(Filter("body", ("private",)),))) as world:
        first = min(PEOPLE, key=lambda name: world.links()[name])
        for _ in range(3):
            world.app.put(N, {"body": "private"}, parent=first)
        world.app.edit(N, f"n-{_last(world)}", {"body": "edited"})
        world.run()
        assert "edited" in _bodies(world, Side.GHL)
