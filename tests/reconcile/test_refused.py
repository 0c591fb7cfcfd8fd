"""Values that a side takes from nobody: found out one by one, then asked about, and never again a failure of every night."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.memory import Vices
from reconcile.model import Entity, OpKind, Side
from reconcile.ports import Write
from tests.builders import World
from tests.flows.nights import night

C, T = Entity.CONTACT, Entity.TASK


def _refuses(write: Write) -> str | None:
    bad = {"Mill & Sons": "company", "Call!": "title"}
    return (
        "INVALID_FIELD" if any(write.fields.get(f) == value for value, f in bad.items()) else None
    )


@pytest.fixture(params=list(Side), ids=str)
def side(request: pytest.FixtureRequest) -> Side:
    """The side that refuses."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def world(side: Side) -> Iterator[World]:
    """Ann on both sides, linked, with a task; one side takes neither a certain company nor a certain title."""
    with World(vices={side: Vices(rejects=_refuses)}) as made:
        made.app.put(C, {"email": "ann@x.com", "first_name": "Ann", "company": "Old"}, key="ann")
        made.app.put(T, {"title": "Mail", "due": "2026-01-02T10:00:00Z"}, parent="ann", key="t")
        made.run()
        made.run()
        made.clock.advance(3600)
        yield made


def _edit(world: World, side: Side, **fields: str) -> None:
    """Somebody types across from the side that refuses."""
    (key,) = world.sides[side.other].rows(C)
    world.sides[side.other].edit(C, key, fields)


def _there(world: World, side: Side) -> dict[str, str | None]:
    (cells,) = world.cells(side).values()
    return cells


def _nights(world: World, many: int) -> list[int]:
    codes = []
    for _ in range(many):
        codes.append(night(world).exit_code)
        world.clock.advance(3600)
    return codes


def test_what_was_refused_among_others_is_found_out_and_asked_about(
    world: World, side: Side
) -> None:
    """One write of three values is refused: the next night each goes by itself, the one after asks about the bad one alone."""
    _edit(world, side, company="Mill & Sons", first_name="Anna", phone="+18885551212")
    assert _nights(world, 3) == [2, 2, 1]
    assert _there(world, side)["first_name"] == "Anna"
    assert _there(world, side)["phone"] == "+18885551212"
    result = world.run()
    assert result.writes == ()
    (hold,) = result.holds
    assert (hold.kind, hold.field, hold.options) == ("refused", "company", ("retry", "leave"))
    assert "takes no such value (INVALID_FIELD)" in hold.because


def test_a_value_refused_alone_is_asked_about_the_next_night(world: World, side: Side) -> None:
    """It is a failure once, then a question, whose answer counts; a value that is corrected needs none."""
    _edit(world, side, company="Mill & Sons")
    assert _nights(world, 2) == [2, 1]
    _edit(world, side, company="Mill")
    assert _nights(world, 1) == [0]
    assert _there(world, side)["company"] == "Mill"


def test_the_answers_count(world: World, side: Side) -> None:
    """`retry` sends it once more, and asks anew where it is refused again; `leave` keeps both as they are, in peace."""
    _edit(world, side, company="Mill & Sons")
    _nights(world, 1)
    (hold,) = world.run().holds
    world.decide(hold, "retry")
    assert _nights(world, 2) == [2, 1]
    (hold,) = world.run().holds
    world.decide(hold, "leave")
    assert _nights(world, 2) == [0, 0]
    assert _there(world, side)["company"] == "Old"


def test_a_new_record_that_is_refused_is_asked_about(world: World, side: Side) -> None:
    """A contact that the side does not take is tried once, and comes across when it is corrected or somebody says so."""
    other = world.sides[side.other]
    key = other.put(C, {"email": "bob@x.com", "first_name": "Bob", "company": "Mill & Sons"})
    assert _nights(world, 2) == [2, 1]
    result = world.run()
    assert not result.of(OpKind.CREATE)
    assert [(hold.kind, hold.options) for hold in result.holds] == [
        ("refused", ("retry", "ignore"))
    ]
    other.edit(C, key, {"company": "Mill"})
    assert _nights(world, 1) == [0]
    assert len(world.cells(side)) == 2


def test_a_task_is_asked_about_as_well(world: World, side: Side) -> None:
    """What is refused of a task is found out in the same way."""
    (key,) = world.sides[side.other].rows(T)
    world.sides[side.other].edit(T, key, {"title": "Call!", "due": "2026-03-03T10:00:00Z"})
    assert _nights(world, 3) == [2, 2, 1]
    (hold,) = world.run().holds
    assert (hold.kind, hold.entity, hold.field) == ("refused", T, "title")
