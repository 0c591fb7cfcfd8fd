"""Values that a side takes from nobody: found out one by one, then asked about, and never again a failure of every night."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from connectors.memory import Vices
from reconcile.model import Entity, Hold, OpKind, Side
from reconcile.ports import FieldInfo, Json, Write
from reconcile.values.codecs import Labels
from reconcile.values.jsonl import hold_from
from reconcile.values.policy import TAGS
from tests.builders import World, contacts, field_of, mapping_of
from tests.flows.nights import night
from tests.long_forms import SOAK

C, T = Entity.CONTACT, Entity.TASK


def _refuses(write: Write) -> str | None:
    bad = {"Mill & Sons": "company", "Call!": "title"}
    return (
        "INVALID_FIELD" if any(write.fields.get(f) == value for value, f in bad.items()) else None
    )


@pytest.fixture(scope="module", params=list(Side), ids=str)
def side(request: pytest.FixtureRequest) -> Side:
    """The side that refuses."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def settled(side: Side) -> Iterator[World]:
    """Ann on both sides, linked, with a task; one side takes neither a certain company nor a certain title."""
    with World(vices={side: Vices(rejects=_refuses)}) as made:
        made.app.put(C, {"email": "ann@x.com", "first_name": "Ann", "company": "Old"}, key="ann")
        made.app.put(T, {"title": "Mail", "due": "2026-01-02T10:00:00Z"}, parent="ann", key="t")
        made.run()
        made.run()
        made.clock.advance(3600)
        yield made


@pytest.fixture
def world(settled: World) -> Iterator[World]:
    """The same, for one test."""
    with settled.copied() as made:
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


def _asked(world: World) -> Hold:
    """The one question that is open."""
    (row,) = world.ledger.holds()
    return hold_from(json.loads(row.body))


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
    _nights(world, 2)
    world.decide(_asked(world), "retry")
    assert _nights(world, 2) == [2, 1]
    world.decide(_asked(world), "leave")
    assert _nights(world, 2) == [0, 0]
    assert _there(world, side)["company"] == "Old"


def test_a_new_record_that_is_refused_is_asked_about(world: World, side: Side) -> None:
    """A contact that the side does not take is tried once, and comes across when it is corrected or somebody says so."""
    other = world.sides[side.other]
    key = other.put(C, {"email": "bob@x.com", "first_name": "Bob", "company": "Mill & Sons"})
    assert _nights(world, 1) == [2]
    told = night(world)
    assert told.exit_code == 1
    (people, *_) = told.document["statement"]["entities"]
    (there,) = [each for each in people["sides"] if each["side"] == side.other]
    assert there["classes"]["refused"] == 1, "nobody has its email: it is no duplicate"
    world.clock.advance(3600)
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
    hold = _asked(world)
    assert (hold.kind, hold.entity, hold.field) == ("refused", T, "title")


# elements of sets, tags and the end of a task -------------------------------------------------------------------------


def _takes_no_word(write: Write) -> str | None:
    words = {*write.tags, *(write.fields.get("likes") or ())}
    return "INVALID_FIELD" if "bad" in words else None


def _never_done(write: Write) -> str | None:
    return "INVALID_FIELD" if write.fields.get("completed") is True else None


LIKES = field_of("likes", Labels(), rule=TAGS)


@pytest.fixture(scope="module", params=["tags", "likes"] if SOAK else [""])
def field(request: pytest.FixtureRequest, side: Side) -> str:
    """A set that is compared by element: the tags, or another one; in CI one on each side."""
    return str(request.param) or {Side.APP: "tags", Side.GHL: "likes"}[side]


@pytest.fixture(scope="module")
def settled_sets(side: Side, field: str) -> Iterator[World]:
    """Ann on both sides with two words in each set; one side takes a certain word in none."""
    people = contacts(*contacts().fields, LIKES)
    with World(mapping=mapping_of(people), vices={side: Vices(rejects=_takes_no_word)}) as made:
        for each in made.sides.values():
            each._fields[C]["likes"] = FieldInfo("json")
        words = {"tags": ["lead", "old"], "likes": ["lead", "old"]}
        made.app.put(C, {"email": "ann@x.com", "company": "Old", **words}, key="ann")
        made.run()
        made.run()
        made.clock.advance(3600)
        yield made


@pytest.fixture
def sets(settled_sets: World) -> Iterator[World]:
    """The same, for one test."""
    with settled_sets.copied() as made:
        yield made


def _type(world: World, side: Side, **fields: Json) -> None:
    (key,) = world.sides[side.other].rows(C)
    world.sides[side.other].edit(C, key, fields)


def _words(world: World, side: Side, field: str) -> set[str]:
    return set(json.loads(_there(world, side)[field] or "[]"))


def test_an_element_that_is_refused_is_asked_about_by_itself(
    sets: World, side: Side, field: str
) -> None:
    """Of a set that is refused each element is tried by itself: the good ones are there, the bad one is a question, the nights are quiet."""
    _type(sets, side, **{field: ["lead", "bad", "good", "zeal"], "company": "New"})
    codes = _nights(sets, 5)
    assert codes[0] == 2
    assert codes[-1] == 1
    assert _there(sets, side)["company"] == "New"
    assert _words(sets, side, field) == {"lead", "good", "zeal"}
    result = sets.run()
    assert result.writes == ()
    (hold,) = result.holds
    assert (hold.kind, hold.field, hold.options) == ("refused", f"{field}: bad", ("retry", "leave"))


def test_other_elements_travel_past_one_that_is_asked_about(
    sets: World, side: Side, field: str
) -> None:
    """While a word waits for an answer, the set's other words and the record's other values go across, both ways."""
    _type(sets, side, **{field: ["lead", "old", "bad"]})
    assert _nights(sets, 2) == [2, 1]
    _type(sets, side, **{field: ["lead", "bad", "new"], "company": "New"})
    (key,) = sets.sides[side].rows(C)
    sets.sides[side].edit(C, key, {field: ["lead", "old", "ours"]})
    assert _nights(sets, 2) == [1, 1]
    assert _words(sets, side, field) == {"lead", "new", "ours"}
    assert _words(sets, side.other, field) == {"lead", "new", "ours", "bad"}
    assert _there(sets, side)["company"] == "New"


def test_the_answers_about_an_element_count(sets: World, side: Side, field: str) -> None:
    """`retry` sends the word once more, and asks anew where it is refused again; `leave` keeps it on one side, in peace."""
    _type(sets, side, **{field: ["lead", "old", "bad"]})
    _nights(sets, 2)
    sets.decide(_asked(sets), "retry")
    assert _nights(sets, 2) == [2, 1]
    sets.decide(_asked(sets), "leave")
    assert _nights(sets, 2) == [0, 0]
    assert _words(sets, side, field) == {"lead", "old"}
    _type(sets, side, **{field: ["lead", "old", "better"]})
    assert _nights(sets, 1) == [0]
    assert _words(sets, side, field) == {"lead", "old", "better"}


def test_a_task_that_may_not_be_done_is_asked_about(world: World, side: Side) -> None:
    """A side that does not take that a task is done is asked once; the rest of the task travels."""
    world.set_vices(side, rejects=_never_done)
    (key,) = world.sides[side.other].rows(T)
    world.sides[side.other].edit(T, key, {"completed": True})
    assert _nights(world, 3) == [2, 1, 1]
    world.sides[side.other].edit(T, key, {"due": "2026-03-03T10:00:00Z"})
    assert _nights(world, 1) == [1]
    (cells,) = world.cells(side, T).values()
    assert str(cells["due"]).startswith("2026-03-03")
    hold = _asked(world)
    assert (hold.kind, hold.entity, hold.field) == ("refused", T, "completed")
    world.set_vices(side, rejects=lambda write: None)
    world.decide(hold, "retry")
    assert _nights(world, 1) == [0]
