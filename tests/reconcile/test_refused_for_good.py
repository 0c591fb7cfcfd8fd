"""A value that another record has is a failure once and a question from then on, whoever has it and however well that is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from connectors.memory import Vices
from reconcile.model import Entity, Side
from reconcile.ports import Write
from tests.builders import World, contacts, mapping_of
from tests.flows.nights import night, take_back

C = Entity.CONTACT
STRICT = Vices(unique=("email", "phone"), strict=True)
PHONES = {"ann": "+18885551210", "bob": "+18885551211", "cyd": "+18885551212"}
SHARED = "+18885551299"
"""A phone that GHL knows of some contact and shows of none."""


def _world(**more: Any) -> World:
    world = World(vices={Side.GHL: STRICT}, **more)
    for name, phone in PHONES.items():
        known = {"email": f"{name}@x.com", "phone": phone, "first_name": name.title()}
        world.app.put(C, known, key=name)
    world.run()
    world.run()
    world.clock.advance(3600)
    return world


@pytest.fixture(scope="module")
def settled() -> Iterator[World]:
    """Three people on both sides, linked; GHL lets no two share an email or phone."""
    with _world() as made:
        yield made


@pytest.fixture
def world(settled: World) -> Iterator[World]:
    """The same, for one test."""
    with settled.copied() as made:
        yield made


def _nights(world: World, many: int, by_day: Callable[[], None] = lambda: None) -> list[int]:
    """The exit codes of so many nights, with what people do on each day before."""
    codes = []
    for _ in range(many):
        by_day()
        codes.append(night(world).exit_code)
        world.clock.advance(86_400)
    return codes


def _asked(world: World) -> list[tuple[str | None, str | None]]:
    """The app's key and the field of each question about what was refused."""
    holds = world.plan().holds
    return sorted((hold.app_key, hold.field) for hold in holds if hold.kind == "refused")


def _hidden(write: Write) -> str | None:
    return "DUPLICATE" if write.fields.get("phone") == SHARED else None


def _invalid(write: Write) -> str | None:
    return "INVALID_FIELD" if write.fields.get("email") == "bad@x.com" else None


@pytest.mark.parametrize("taken", ["cyd@x.com", "bad@x.com"])
def test_who_waits_for_one_that_is_refused_is_asked_about_as_well(world: World, taken: str) -> None:
    """Ann is to get Bob's email, and Bob one that is refused: Bob keeps his, so neither is sent a second time."""
    world.set_vices(Side.GHL, rejects=_invalid)
    world.app.edit(C, "bob", {"email": taken})
    world.app.edit(C, "ann", {"email": "bob@x.com"})
    assert _nights(world, 3) == [2, 1, 1]
    assert _asked(world) == [("ann", "email"), ("bob", "email")]
    world.app.edit(C, "bob", {"email": "robert@x.com"})
    assert _nights(world, 1) == [0]
    assert {cells["email"] for cells in world.cells(Side.GHL).values()} == {
        "bob@x.com",
        "robert@x.com",
        "cyd@x.com",
    }


def test_a_new_contact_is_asked_about_however_often_the_other_one_is_edited(world: World) -> None:
    """GHL has its phone with Ann, whose company somebody types anew each day: that lets no phone go."""
    world.app.put(C, {"email": "dee@x.com", "first_name": "Dee", "phone": PHONES["ann"]}, key="dee")
    companies = iter("ABCDE")

    def edit() -> None:
        world.app.edit(C, "ann", {"company": next(companies)})

    assert _nights(world, 4, edit) == [2, 1, 1, 1]
    world.app.edit(C, "ann", {"phone": "+18885551213"})
    assert _nights(world, 2)[1] == 0
    assert len(world.cells(Side.GHL)) == 4


def test_a_field_that_names_nobody_by_itself_is_found_out() -> None:
    """GHL lets no two share a phone, though the pair file knows nobody by one: the phone alone is asked about, the rest is there."""
    people = contacts(match=(("email",), ("phone", "last_name")))
    with _world(mapping=mapping_of(people)) as world:
        world.app.edit(C, "bob", {"phone": PHONES["ann"], "company": "New", "email": "rob@x.com"})
        assert _nights(world, 4)[-1] == 1
        assert _asked(world) == [("bob", "phone")]
        bob = world.cells(Side.GHL)[world.links()["bob"]]
        assert (bob["company"], bob["email"]) == ("New", "rob@x.com")


def test_what_a_side_names_nobody_for_is_asked_about(world: World) -> None:
    """GHL refuses a phone and does not say who has it, and shows it of nobody: it is a question, the rest is there."""
    world.set_vices(Side.GHL, rejects=_hidden)
    world.app.edit(C, "bob", {"phone": SHARED, "company": "New", "email": "rob@x.com"})
    codes = _nights(world, 4)
    assert codes[0] == 2
    assert codes[-1] == 1
    assert _asked(world) == [("bob", "phone")]
    bob = world.cells(Side.GHL)[world.links()["bob"]]
    assert (bob["company"], bob["email"]) == ("New", "rob@x.com")


def test_it_is_sent_again_once_the_one_that_was_seen_lets_go(world: World) -> None:
    """GHL does not say who has the phone; it was seen on Ann, and comes across when she has it no more."""

    def unnamed(write: Write) -> str | None:
        taken = {cells.get("phone") for cells in world.cells(Side.GHL).values()}
        return "DUPLICATE" if write.fields.get("phone") in taken else None

    world.set_vices(Side.GHL, rejects=unnamed)
    world.app.edit(C, "bob", {"phone": PHONES["ann"]})
    assert _nights(world, 2) == [2, 1]
    world.ghl.edit(C, world.links()["ann"], {"phone": "+18885551214"})
    assert _nights(world, 2) == [0, 0]
    assert world.cells(Side.GHL)[world.links()["bob"]]["phone"] == PHONES["ann"]


def test_a_value_that_was_taken_back_and_is_typed_again_is_asked_about(world: World) -> None:
    """GHL refused another one in between: the sides differ, neither moved, and what was refused is no reason for that."""
    world.set_vices(Side.GHL, rejects=_invalid)
    world.app.edit(C, "bob", {"email": "rob@x.com"})
    carried = night(world)
    world.clock.advance(86_400)
    world.app.edit(C, "bob", {"email": "bad@x.com"})
    assert _nights(world, 2) == [2, 1]
    take_back(world, carried)
    world.clock.advance(86_400)
    assert _nights(world, 1) == [2]
    world.app.edit(C, "bob", {"email": "rob@x.com"})
    for _ in range(2):
        told = night(world)
        world.clock.advance(86_400)
        assert (told.exit_code, told.document["verdict"]["code"]) == (1, "holds")
        [values] = told.document["values"]["entities"]
        assert "by_rule" not in values["classes"]
        assert "rejected" not in values["classes"]
    [hold] = world.plan().holds
    assert (hold.kind, hold.app_key, hold.field) == ("conflict", "bob", "email")
    world.decide(hold, "app")
    assert _nights(world, 2) == [0, 0]
    assert world.cells(Side.GHL)[world.links()["bob"]]["email"] == "rob@x.com"
