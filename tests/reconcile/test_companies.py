"""Companies hang on nothing, and nothing on them: they are reconciled as a kind of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from reconcile.model import Entity, OpKind, Side
from reconcile.report import document, markdown
from tests.builders import World, companies, contacts, mapping_of
from tests.builders_world import seen


@pytest.fixture(scope="module")
def first() -> Iterator[World]:
    """A night in which each side had a company of its own, one that both had, and a contact."""
    with World(mapping=mapping_of(companies(), contacts())) as world:
        world.app.put(Entity.COMPANY, {"name": "Acme", "city": "Cork"}, key="acme")
        world.app.put(Entity.COMPANY, {"name": "Bond", "city": "Bern"}, key="bond")
        world.ghl.put(Entity.COMPANY, {"name": "acme", "city": "Cork"}, key="g-acme")
        world.ghl.put(Entity.COMPANY, {"name": "Cole", "city": "Caen"}, key="g-cole")
        world.app.put(Entity.CONTACT, {"first_name": "Ann", "email": "ann@x.com"}, key="ann")
        world.run()
        yield world


@pytest.fixture
def world(first: World) -> Iterator[World]:
    with first.copied() as copy:
        yield copy


def named(world: World, side: Side) -> set[str]:
    return {str(cells["name"]) for cells in world.cells(side, Entity.COMPANY).values()}


def test_a_company_is_matched_by_its_name_or_created_across(world: World) -> None:
    """What both sides have is one company, whatever its letter case; the others are carried both ways, and the next night is quiet."""
    assert {name.lower() for name in named(world, Side.APP)} == {"acme", "bond", "cole"}
    assert {name.lower() for name in named(world, Side.GHL)} == {"acme", "bond", "cole"}
    assert world.run().operations == ()


def test_a_company_s_change_is_carried_both_ways(world: World) -> None:
    """Of one company each side's change of another field is carried across."""
    world.app.edit(Entity.COMPANY, "acme", {"city": "Kent"})
    world.ghl.edit(Entity.COMPANY, "g-acme", {"phone": "+18885551212"})
    world.run()
    assert world.app.rows(Entity.COMPANY)["acme"].fields["phone"] == "+18885551212"
    assert world.ghl.rows(Entity.COMPANY)["g-acme"].fields["city"] == "Kent"


def test_a_deleted_company_takes_no_contact_along(world: World) -> None:
    """It goes from the other side too, last of all, and the report tells it; its people stay."""
    world.app.delete(Entity.COMPANY, "bond")
    world.app.delete(Entity.CONTACT, "ann")
    with seen(world) as found:
        whole = document(found.stage, found.run.mapping, found.about)
    assert "Bond" not in named(world, Side.GHL)
    assert whole["statement"]["unexplained"] == 0
    assert "1 company and 1 contact deleted" in markdown(whole)
    deletes = [each for each in whole["changes"] if each["kind"] == OpKind.DELETE]
    assert [each["entity"] for each in deletes] == [Entity.CONTACT, Entity.COMPANY]


def test_companies_of_one_name_are_asked_about(world: World) -> None:
    """Two of one name are nobody's guess: neither is linked, and neither is created again."""
    world.app.put(Entity.COMPANY, {"name": "Dane", "city": "Dover"})
    for city in ("Dover", "Derby"):
        world.ghl.put(Entity.COMPANY, {"name": "Dane", "city": city})
    result = world.run()
    assert result.writes == ()
    assert {hold.entity for hold in result.holds} == {Entity.COMPANY}
