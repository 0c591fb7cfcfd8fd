"""A contact's company by key: each side holds its own key, and the ledger says which are one company."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from reconcile.model import Entity, OpKind, Side, Status
from reconcile.ports import Write
from reconcile.values.codecs import Email
from reconcile.values.references import CompanyName, Linked
from tests.builders import HOLD, World, companies, contacts, field_of, mapping_of
from tests.flows.nights import night

LINKED = contacts(
    field_of("email", Email()),
    field_of("company", Linked(entity=Entity.COMPANY)),
    match=(("email",),),
)


@pytest.fixture(scope="module")
def first() -> Iterator[World]:
    """A night in which each side had a company and a contact of it that the other had not."""
    with World(mapping=mapping_of(companies(), LINKED)) as world:
        for side, name in ((world.app, "Acme"), (world.ghl, "Bond")):
            key = side.put(Entity.COMPANY, {"name": name})
            side.put(Entity.CONTACT, {"email": f"hi@{name.lower()}.example", "company": key})
        world.run()
        yield world


@pytest.fixture
def world(first: World) -> Iterator[World]:
    with first.copied() as copy:
        yield copy


def employers(world: World, side: Side) -> dict[str, str | None]:
    """The name of each contact's company, by the contact's email, as the side itself links them."""
    there = world.sides[side].rows(Entity.COMPANY)
    found: dict[str, str | None] = {}
    for row in world.sides[side].rows(Entity.CONTACT).values():
        company = there.get(str(row.fields.get("company") or ""))
        found[str(row.fields["email"])] = str(company.fields["name"]) if company else None
    return found


def key_of(world: World, side: Side, name: str) -> str:
    rows = world.sides[side].rows(Entity.COMPANY).items()
    return next(key for key, row in rows if row.fields["name"] == name)


def contact(world: World, side: Side, email: str) -> str:
    rows = world.sides[side].rows(Entity.CONTACT).items()
    return next(key for key, row in rows if row.fields["email"] == email)


def test_a_new_contact_comes_with_its_new_company(world: World) -> None:
    """In one night, both ways: the company is made first, and the contact points to it by that side's own key."""
    same = {"hi@acme.example": "Acme", "hi@bond.example": "Bond"}
    assert employers(world, Side.APP) == employers(world, Side.GHL) == same
    assert world.run().operations == ()
    assert world.run().operations == ()


@pytest.mark.parametrize("side", Side)
def test_another_company_is_another_link_across(world: World, side: Side) -> None:
    """Who changes employer on one side does so on the other, by that side's key."""
    moved = contact(world, side, "hi@acme.example")
    world.sides[side].edit(Entity.CONTACT, moved, {"company": key_of(world, side, "Bond")})
    result = world.run()
    assert [each.kind for each in result.operations] == [OpKind.UPDATE]
    assert employers(world, side.other)["hi@acme.example"] == "Bond"
    assert world.run().operations == ()


def test_a_company_that_is_asked_about_holds_the_link_alone(world: World) -> None:
    """The contact is made, its link is named as unreadable, and follows once the company is linked."""
    for _ in range(2):
        world.ghl.put(Entity.COMPANY, {"name": "Cole"})
    cole = world.app.put(Entity.COMPANY, {"name": "Cole"})
    world.app.put(Entity.CONTACT, {"email": "hi@cole.example", "company": cole})
    result = world.run()
    (made,) = result.of(OpKind.CREATE)
    assert "not sent: company is the key of a company that is not linked" in made.because
    assert employers(world, Side.GHL)["hi@cole.example"] is None
    world.ghl.delete(Entity.COMPANY, key_of(world, Side.GHL, "Cole"))
    world.run()
    assert employers(world, Side.GHL)["hi@cole.example"] == "Cole"


def points_nowhere(world: World, side: Side) -> Callable[[Write], str | None]:
    """A foreign key: no contact may name a company that the side does not have."""

    def refuse(write: Write) -> str | None:
        named = write.fields.get("company") if write.entity is Entity.CONTACT else None
        there = world.sides[side].rows(Entity.COMPANY)
        return "CONSTRAINT" if named is not None and named not in there else None

    return refuse


@pytest.mark.parametrize("gone", Side)
def test_a_link_to_what_is_gone_waits_alone(world: World, gone: Side) -> None:
    """While somebody is asked about a deleted company, who works there now is carried without it, night after night, and linked as it is made again."""
    world.mapping = mapping_of(companies(delete=HOLD), LINKED)
    world.set_vices(gone, rejects=points_nowhere(world, gone))
    kept = world.sides[gone.other]
    acme = key_of(world, gone.other, "Acme")
    world.sides[gone].delete(Entity.COMPANY, key_of(world, gone, "Acme"))
    kept.edit(Entity.CONTACT, contact(world, gone.other, "hi@bond.example"), {"company": acme})
    kept.put(Entity.CONTACT, {"email": "new@acme.example", "company": acme})
    first = world.run()
    why = f"company is the key of a company that is gone from {gone.label}"
    assert [why in each.because for each in first.of(OpKind.CREATE)] == [True]
    assert {outcome.status for outcome in first.outcomes} == {Status.DONE}
    second = world.run()
    assert second.writes == ()
    assert sorted(hold.kind for hold in second.holds) == ["delete", "unsyncable", "unsyncable"]
    assert employers(world, gone)["new@acme.example"] is None
    assert employers(world, gone)["hi@bond.example"] == "Bond"
    (question,) = [hold for hold in second.holds if hold.kind == "delete"]
    world.decide(question, "restore")
    assert {outcome.status for outcome in world.run().outcomes} == {Status.DONE}
    for email in ("new@acme.example", "hi@bond.example"):
        assert employers(world, gone)[email] == "Acme"
    assert world.run().holds == ()


@pytest.mark.parametrize("gone", Side)
@pytest.mark.parametrize("who", ["entered there", "changed to it"])
def test_a_company_that_somebody_new_belongs_to_does_not_go_unasked(
    world: World, gone: Side, who: str
) -> None:
    """Deleted on one side, and given to somebody on the other: that is a change of it, and what was typed there stays until somebody answers."""
    world.set_vices(gone, rejects=points_nowhere(world, gone))
    kept = world.sides[gone.other]
    acme = key_of(world, gone.other, "Acme")
    world.sides[gone].delete(Entity.COMPANY, key_of(world, gone, "Acme"))
    email = "new@acme.example"
    if who == "entered there":
        kept.put(Entity.CONTACT, {"email": email, "company": acme})
    else:
        email = "hi@bond.example"
        kept.edit(Entity.CONTACT, contact(world, gone.other, email), {"company": acme})
    for _ in range(2):
        result = world.run()
        (question,) = [hold for hold in result.holds if hold.kind == "delete"]
        assert not result.of(OpKind.DELETE)
        assert employers(world, gone.other)[email] == "Acme"
        assert "somebody new belongs to it" in question.because

    world.decide(question, "restore")
    world.run()
    assert employers(world, gone)[email] == "Acme"
    after = world.run()
    assert (after.writes, after.holds) == ((), ())


@pytest.mark.parametrize("gone", Side)
def test_a_company_goes_with_the_answer_though_somebody_belongs_to_it(
    world: World, gone: Side
) -> None:
    """The answer to delete it is carried out, and nobody is left at it."""
    kept = world.sides[gone.other]
    acme = key_of(world, gone.other, "Acme")
    world.sides[gone].delete(Entity.COMPANY, key_of(world, gone, "Acme"))
    kept.put(Entity.CONTACT, {"email": "new@acme.example", "company": acme})
    (question,) = [hold for hold in world.run().holds if hold.kind == "delete"]
    world.decide(question, "delete")
    assert [each.key for each in world.run().of(OpKind.DELETE)] == [acme]
    assert employers(world, gone)["new@acme.example"] is None


@pytest.mark.parametrize("gone", Side)
def test_an_answer_knows_who_belonged_to_a_company(world: World, gone: Side) -> None:
    """Who is given to it after somebody answered to delete it is asked about anew: what was typed since was in no answer."""
    kept = world.sides[gone.other]
    acme = key_of(world, gone.other, "Acme")
    world.sides[gone].delete(Entity.COMPANY, key_of(world, gone, "Acme"))
    kept.put(Entity.CONTACT, {"email": "new@acme.example", "company": acme})
    (question,) = [hold for hold in world.run().holds if hold.kind == "delete"]
    world.decide(question, "delete")
    kept.edit(Entity.CONTACT, contact(world, gone.other, "hi@bond.example"), {"company": acme})
    for _ in range(2):
        result = world.run()
        assert not result.of(OpKind.DELETE)
        (question,) = [hold for hold in result.holds if hold.kind == "delete"]
    world.decide(question, "delete")
    assert [each.key for each in world.run().of(OpKind.DELETE)] == [acme]


NAMED = contacts(
    field_of("first_name"),
    *LINKED.fields,
    match=(("email",),),
)


def unmakeable(world: World, code: str) -> str:
    """GHL makes no company from now on; Cole is entered in the app, with a new person, and somebody who was there changes to it, and is renamed."""
    world.mapping = mapping_of(companies(), NAMED)
    world.set_vices(
        Side.GHL, rejects=lambda write: code if write.entity is Entity.COMPANY else None
    )
    cole = world.app.put(Entity.COMPANY, {"name": "Cole"})
    world.app.put(Entity.CONTACT, {"email": "hi@cole.example", "company": cole})
    acme = contact(world, Side.APP, "hi@acme.example")
    world.app.edit(Entity.CONTACT, acme, {"company": cole, "first_name": "Ann"})
    return cole


def waiting(whole: Mapping[str, Any]) -> dict[str, str]:
    """The class of each contact's company that a report names, by the contact; it does not say that both sides agree."""
    assert whole["verdict"]["code"] != "agreed"
    assert whole["statement"]["unexplained"] == 0
    listed = [one for one in whole["values"]["listed"] if one["field"] == "company"]
    return {str(one["label"]): str(one["class"]) for one in listed}


@pytest.mark.parametrize("code", ["FORBIDDEN", "INVALID_FIELD"])
def test_what_names_a_company_that_could_not_be_made_arrives_without_it(
    world: World, code: str
) -> None:
    """However the company was refused, the new contact and the other value are there in the same night; the link is named, and sent once there is a company."""
    unmakeable(world, code)
    both = {"hi@acme.example": "pending", "hi@cole.example": "pending"}
    assert waiting(night(world).document) == both
    there = world.cells(Side.GHL)
    assert {cells["email"]: cells.get("first_name") for cells in there.values()} == {
        "hi@acme.example": "Ann",
        "hi@bond.example": None,
        "hi@cole.example": None,
    }
    assert employers(world, Side.GHL)["hi@acme.example"] == "Acme"
    world.set_vices(Side.GHL, rejects=lambda _: None)
    for hold in world.run().holds:
        if hold.kind == "refused":
            world.decide(hold, "retry")
    world.run()
    world.run()
    assert employers(world, Side.GHL) == employers(world, Side.APP)
    assert employers(world, Side.GHL)["hi@cole.example"] == "Cole"


def test_what_arrived_unanswered_without_its_company_is_named(world: World) -> None:
    """A create without an answer, which a look finds done, has not sent the link either."""
    unmakeable(world, "FORBIDDEN")
    world.set_vices(
        Side.GHL, uncertain=lambda write: "applied" if write.kind is OpKind.CREATE else None
    )
    both = {"hi@acme.example": "pending", "hi@cole.example": "pending"}
    assert waiting(night(world).document) == both


def test_a_contact_that_needs_a_company_waits_for_it(world: World) -> None:
    """Where the link is required, nothing is made without it."""
    employed = contacts(
        field_of("email", Email()),
        field_of("company", Linked(entity=Entity.COMPANY), required=True),
        match=(("email",),),
    )
    unmakeable(world, "FORBIDDEN")
    world.mapping = mapping_of(companies(), employed)
    outcomes = world.run().outcomes
    assert {(outcome.code, outcome.status) for outcome in outcomes} == {
        ("FORBIDDEN", Status.REJECTED),
        ("NOT_THERE_YET", Status.SKIPPED),
    }
    assert "hi@cole.example" not in employers(world, Side.GHL)


def test_a_deleted_company_leaves_its_contacts(world: World) -> None:
    """Its contacts stay on both sides, and a key that leads nowhere is read as none."""
    world.app.delete(Entity.COMPANY, key_of(world, Side.APP, "Acme"))
    world.app.edit(Entity.CONTACT, contact(world, Side.APP, "hi@acme.example"), {"company": None})
    world.run()
    assert key_of(world, Side.GHL, "Bond")
    assert set(employers(world, Side.GHL)) == {"hi@acme.example", "hi@bond.example"}
    assert "Acme" not in {
        str(row.fields["name"]) for row in world.ghl.rows(Entity.COMPANY).values()
    }
    assert world.run().operations == ()


def test_who_leaves_a_company_that_was_made_last_night_is_not_put_back(world: World) -> None:
    """That GHL's key has the app's name by now is no edit in GHL: the app's word goes across, or is left, by the rule."""
    moved = contact(world, Side.APP, "hi@bond.example")
    world.app.edit(Entity.CONTACT, moved, {"company": None})
    result = world.run()
    assert result.operations == ()
    assert employers(world, Side.APP)["hi@bond.example"] is None
    world.app.edit(Entity.CONTACT, moved, {"company": key_of(world, Side.APP, "Acme")})
    (update,) = world.run().of(OpKind.UPDATE)
    assert (update.side, update.because) == (Side.GHL, "company: changed in the app, not in GHL")
    assert employers(world, Side.GHL)["hi@bond.example"] == "Acme"


def test_a_company_by_name_is_spelled_as_the_location_spells_it() -> None:
    """An id means its company's name, a name its id whatever its letter case; what is not one company is named."""
    codec = CompanyName(companies={"1": "Acme Ltd", "2": "Bond", "3": "bond"})
    assert codec.decode(["acme  LTD"], Side.APP) == codec.decode(["1"], Side.GHL) == "Acme Ltd"
    assert codec.encode("Acme Ltd", Side.GHL, 1) == ("1",)
    assert codec.encode("Acme Ltd", Side.APP, 1) == ("Acme Ltd",)
    assert (
        codec.fault(codec.decode(["Bond"], Side.APP)) == "the name of 2 companies of the location"
    )
    assert codec.fault(codec.decode(["Cole"], Side.APP)) == "no company of the location"
    assert codec.decode(["gone"], Side.GHL) is None
