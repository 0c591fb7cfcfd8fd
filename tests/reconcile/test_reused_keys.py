"""A key that the app gives to another record of its own, as databases do after a delete or a restored backup: nothing is written over whose it was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from reconcile.model import Entity, OpKind, Side
from reconcile.values.codecs import Email, Phone
from reconcile.values.references import Linked
from tests.builders import (
    HOLD,
    OnCreate,
    Result,
    World,
    by_email,
    companies,
    contacts,
    field_of,
    mapping_of,
)
from tests.flows.nights import night

COMPANY, CONTACT = Entity.COMPANY, Entity.CONTACT
EMPLOYED = contacts(
    field_of("email", Email()),
    field_of("company", Linked(entity=COMPANY)),
    field_of("phone", Phone(region="US")),
    match=(("email",),),
    delete=HOLD,
)


@pytest.fixture(scope="module")
def first() -> Iterator[World]:
    """Acme, of Cork, where Ann works, and Bond, of which only the name is known, on both sides; Bob, known by his email alone."""
    with World(mapping=mapping_of(companies(delete=HOLD, absent_runs=3), EMPLOYED)) as world:
        world.app.put(COMPANY, {"name": "Acme", "city": "Cork"}, key="7")
        world.app.put(COMPANY, {"name": "Bond"}, key="8")
        world.app.put(CONTACT, {"email": "ann@x.com", "company": "7"}, key="a")
        world.app.put(CONTACT, {"email": "bob@x.com"}, key="b")
        world.run()
        yield world


@pytest.fixture
def world(first: World) -> Iterator[World]:
    with first.copied() as copy:
        yield copy


def asked(result: Result) -> list[tuple[str, str]]:
    """The questions about whom a record is by now."""
    return [(hold.entity, hold.because) for hold in result.holds if hold.kind == "another"]


def in_ghl(world: World) -> dict[str, str]:
    return {str(cells["name"]): key for key, cells in world.cells(Side.GHL, COMPANY).items()}


def given_away(world: World) -> None:
    """Acme is deleted in the app, and its key given to Cole, of Caen, where Dan works."""
    world.app.delete(COMPANY, "7")
    world.app.edit(CONTACT, "a", {"company": None})
    world.app.put(COMPANY, {"name": "Cole", "city": "Caen"}, key="7")
    world.app.put(CONTACT, {"email": "dan@x.com", "company": "7"}, key="d")


def test_another_company_under_the_same_key_is_asked_about(world: World) -> None:
    """Acme is not renamed, nobody who works for Cole is sent to it, and the report does not say that both sides agree."""
    before = in_ghl(world)
    given_away(world)
    for _ in range(3):
        result = world.run()
        ((entity, because),) = asked(result)
        assert entity is COMPANY
        assert "another company under the same key?" in because
        assert in_ghl(world) == before
        dan = by_email(world, Side.GHL, "dan@x.com")
        assert not world.ghl.rows(CONTACT)[dan].fields.get("company")
    assert night(world).document["verdict"]["code"] != "agreed"


def test_two_companies_are_taken_apart(world: World) -> None:
    """Answered `unlink`, GHL has both, and who works where is as the app says."""
    acme = in_ghl(world)["Acme"]
    given_away(world)
    (question,) = [hold for hold in world.run().holds if hold.kind == "another"]
    world.decide(question, "unlink")
    for _ in range(2):
        world.run()
    assert in_ghl(world)["Acme"] == acme
    assert sorted(in_ghl(world)) == ["Acme", "Bond", "Cole"]
    dan = by_email(world, Side.GHL, "dan@x.com")
    assert world.ghl.rows(CONTACT)[dan].fields["company"] == in_ghl(world)["Cole"]
    assert not world.run().operations


def test_the_same_company_changes_everything(world: World) -> None:
    """Answered `same`, it is renamed, and who works there is sent to it."""
    acme = in_ghl(world)["Acme"]
    given_away(world)
    (question,) = [hold for hold in world.run().holds if hold.kind == "another"]
    world.decide(question, "same")
    for _ in range(2):
        world.run()
    assert in_ghl(world)["Cole"] == acme
    dan = by_email(world, Side.GHL, "dan@x.com")
    assert world.ghl.rows(CONTACT)[dan].fields["company"] == acme


def test_a_company_that_is_renamed_is_the_same(world: World) -> None:
    """A new name alone, and all else alone, are edits like any other."""
    world.app.edit(COMPANY, "7", {"name": "Acme & Sons"})
    world.app.edit(COMPANY, "8", {"city": "Bern", "phone": "+18885551212"})
    result = world.run()
    assert [each.kind for each in result.operations] == [OpKind.UPDATE] * 2
    assert not result.holds
    assert set(in_ghl(world)) == {"Acme & Sons", "Bond"}


@pytest.mark.parametrize(
    ("entity", "key", "back"),
    [(COMPANY, "8", {"name": "Dole"}), (CONTACT, "b", {"email": "eve@x.com"})],
)
def test_who_was_missing_and_comes_back_as_another_is_asked_about(
    world: World, entity: Entity, key: str, back: dict[str, str]
) -> None:
    """What one value alone tells may change, but not while it was gone: a restored backup gives keys a second time."""
    there = world.cells(Side.GHL, entity)
    world.app.delete(entity, key)
    world.run()
    world.app.put(entity, back, key=key)
    for _ in range(2):
        result = world.run()
        assert [kind for kind, _ in asked(result)] == [entity]
        assert world.cells(Side.GHL, entity) == there


def test_who_was_missing_and_comes_back_as_the_same_is_not(world: World) -> None:
    """A row that is there again with another city is an edit."""
    world.app.delete(COMPANY, "8")
    world.run()
    world.app.put(COMPANY, {"name": "Bond", "city": "Bern"}, key="8")
    assert not world.run().holds


@pytest.mark.parametrize("side", Side)
def test_who_works_for_one_in_question_is_no_other_edit(world: World, side: Side) -> None:
    """Nobody is sent to a company that may be another; who leaves it does, and the other side is not said to have moved."""
    world.run()
    world.app.edit(COMPANY, "7", {"name": "Cole", "city": "Caen"})
    bond, acme = (in_ghl(world)[name] for name in ("Bond", "Acme"))
    ann = by_email(world, side, "ann@x.com")
    bob = by_email(world, side, "bob@x.com")
    world.sides[side].edit(CONTACT, ann, {"company": {Side.APP: "8", Side.GHL: bond}[side]})
    world.sides[side].edit(CONTACT, bob, {"company": {Side.APP: "7", Side.GHL: acme}[side]})
    result = world.run()
    assert [(each.entity, each.after) for each in result.operations] == [
        (CONTACT, {"company": "8"})
    ]
    assert sorted((hold.kind, hold.field) for hold in result.holds if hold.field) == [
        ("unsyncable", "company")
    ]
    assert all("may be another by now" in hold.because for hold in result.holds if hold.field)
    assert (
        not world.sides[side.other]
        .rows(CONTACT)[by_email(world, side.other, "bob@x.com")]
        .fields.get("company")
    )


@pytest.mark.parametrize("asked_before", [True, False])
def test_nobody_is_sent_to_a_company_that_was_not_read(world: World, asked_before: bool) -> None:
    """Whose key it is now, nobody can tell in such a night; who is entered there arrives without it."""
    world.run()
    world.app.delete(COMPANY, "8")
    world.run()
    world.app.put(COMPANY, {"name": "Dole"}, key="8")
    if asked_before:
        world.run()
    world.app.put(CONTACT, {"email": "eve@x.com", "company": "8"}, key="e")
    world.set_vices(Side.APP, incomplete={COMPANY: "the connection broke"})
    world.run()
    world.set_vices(Side.APP, incomplete={})
    for _ in range(2):
        assert asked(world.run())
        eve = by_email(world, Side.GHL, "eve@x.com")
        assert not world.ghl.rows(CONTACT)[eve].fields.get("company")


@pytest.mark.parametrize("in_ghl_too", [False, True])
@pytest.mark.parametrize("busy", ["no", "edited", "in question"])
def test_who_is_at_a_key_that_was_given_away_is_asked_about(
    world: World, in_ghl_too: bool, busy: str
) -> None:
    """Taken apart, the app has Ann at Cole and GHL at Acme, which nobody typed in that night: neither is written over, and both sides are not said to agree."""
    if in_ghl_too:
        world.ghl.put(COMPANY, {"name": "Cole", "city": "Caen"})
        world.mapping = mapping_of(
            companies(delete=HOLD, absent_runs=3, create=OnCreate.GHL), EMPLOYED
        )
    world.run()
    world.run()
    world.app.edit(COMPANY, "7", {"name": "Cole", "city": "Caen"})
    ann = by_email(world, Side.GHL, "ann@x.com")
    if busy == "in question":
        world.app.edit(CONTACT, "a", {"phone": "+18885551212"})
        world.ghl.edit(CONTACT, ann, {"phone": "+18885551213"})
    (question,) = [hold for hold in world.run().holds if hold.kind == "another"]
    world.decide(question, "unlink")
    if busy == "edited":
        world.app.edit(CONTACT, "a", {"phone": "+18885551212"})
    acme = in_ghl(world)["Acme"]
    for _ in range(3):
        told = night(world)
        assert told.document["verdict"]["code"] != "agreed"
        assert "company" in {hold["field"] for hold in told.document["holds"]}
        assert world.app.rows(CONTACT)["a"].fields["company"] == "7"
        assert world.ghl.rows(CONTACT)[ann].fields["company"] == acme
