"""Companies with their contacts through the jobs that read a part, or take a night back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from flows.jobs.delta import Delta
from flows.outcome.tell import Told
from flows.runner import carry_out
from flows.scope import Sought
from reconcile.model import Entity, Side
from reconcile.values.codecs import Email
from reconcile.values.references import Linked
from tests.builders import World, companies, contacts, field_of, mapping_of
from tests.flows.nights import night, opened, take_back

LINKED = contacts(
    field_of("email", Email()),
    field_of("company", Linked(entity=Entity.COMPANY)),
    match=(("email",),),
)


@pytest.fixture(scope="module")
def settled() -> Iterator[World]:
    """Two sides that agree on a company and its contact."""
    with World(mapping=mapping_of(companies(), LINKED)) as world:
        acme = world.app.put(Entity.COMPANY, {"name": "Acme"}, key="acme")
        world.app.put(Entity.CONTACT, {"email": "ann@x.com", "company": acme}, key="ann")
        night(world)
        yield world


@pytest.fixture
def world(settled: World) -> Iterator[World]:
    with settled.copied() as copy:
        yield copy


def held(world: World, side: Side) -> dict[str, str | None]:
    """The name of each contact's company, by the contact's email."""
    there = world.sides[side].rows(Entity.COMPANY)
    return {
        str(row.fields["email"]): str(there[key].fields["name"]) if key in there else None
        for row in world.sides[side].rows(Entity.CONTACT).values()
        for key in [str(row.fields.get("company") or "")]
    }


def test_a_delta_makes_a_contact_with_its_company(world: World) -> None:
    """A new contact that is named comes with its new company; nothing is concluded of another company that is gone."""
    bond = world.app.put(Entity.COMPANY, {"name": "Bond"})
    bob = world.app.put(Entity.CONTACT, {"email": "bob@x.com", "company": bond})
    world.app.delete(Entity.COMPANY, "acme")
    with opened(world, "delta") as run:
        told: Told = carry_out(run, Delta(sought=Sought(app=(bob,))))
    assert [each["kind"] for each in told.document["changes"]] == ["create", "create"]
    assert held(world, Side.GHL) == {"ann@x.com": "Acme", "bob@x.com": "Bond"}


def test_a_delta_carries_who_works_at_what_is_gone_without_it(world: World) -> None:
    """It reads all companies: a new contact of one that the other side has no more comes without the link, which is named."""
    world.ghl.delete(Entity.COMPANY, next(iter(world.ghl.rows(Entity.COMPANY))))
    bob = world.app.put(Entity.CONTACT, {"email": "bob@x.com", "company": "acme"})
    with opened(world, "delta", allowed=frozenset({"empty-ghl"})) as run:
        told: Told = carry_out(run, Delta(sought=Sought(app=(bob,))))
    (made,) = told.document["changes"]
    assert "not sent: company is the key of a company that is gone from GHL" in made["because"]
    (unread,) = [one for one in told.document["values"]["listed"] if one["field"] == "company"]
    assert (unread["class"], unread["app"]) == ("unreadable", "acme")


def test_what_a_night_made_goes_again_people_first(world: World) -> None:
    """An undo takes the contact before its company, and on both sides what was there before stays."""
    bond = world.app.put(Entity.COMPANY, {"name": "Bond"})
    world.app.put(Entity.CONTACT, {"email": "bob@x.com", "company": bond})
    told = night(world)
    back = take_back(world, told)
    deletes = [each["entity"] for each in back.document["changes"] if each["kind"] == "delete"]
    assert deletes == [Entity.CONTACT, Entity.COMPANY]
    assert held(world, Side.GHL) == {"ann@x.com": "Acme"}
