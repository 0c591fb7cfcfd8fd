"""Values that no two records may share: swaps, rings and moves are resolved in order, whatever is refused, and when killed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import pytest
import sqlalchemy as sa

from connectors.memory import Crash, Killed, Vices
from reconcile.baseline import differences
from reconcile.baseline.differences import Why
from reconcile.ledger import schema
from reconcile.model import Entity, OpKind, Side, Status
from reconcile.plan.unique_values import turns
from reconcile.ports import Reply, Write
from tests.builders import Result, World, operation_of
from tests.flows.nights import night, take_back
from tests.long_forms import crossed

C = Entity.CONTACT
STRICT = Vices(unique=("email", "phone"), strict=True)
"""A side that refuses an email or phone that another contact has, also in an update."""

PEOPLE = ("ann", "bob", "cyd")
PHONES = {"ann": "+18885554001", "bob": "+18885554002", "cyd": "+18885554003"}


@pytest.fixture(params=list(Side), ids=str)
def side(request: pytest.FixtureRequest) -> Side:
    """The side that is written."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def settled() -> Iterator[World]:
    """Three people on both sides, linked; both sides are strict."""
    with World(vices=dict.fromkeys(Side, STRICT)) as made:
        for name in PEOPLE:
            made.app.put(
                C,
                {"email": f"{name}@x.com", "phone": PHONES[name], "first_name": name.title()},
                key=name,
            )
        made.run()
        made.run()
        made.clock.advance(3600)
        yield made


@pytest.fixture
def world(settled: World) -> Iterator[World]:
    """The same, for one test."""
    with settled.copied() as made:
        yield made


def key_of(world: World, side: Side, name: str) -> str:
    """The key of a person on a side."""
    return name if side is Side.APP else world.links()[name]


def edit(world: World, side: Side, said: Mapping[str, Mapping[str, str]]) -> None:
    """What a user changes, behind the backs of all rules of uniqueness."""
    for name, fields in said.items():
        world.sides[side].edit(C, key_of(world, side, name), dict(fields))


def held(world: World, side: Side, field: str) -> dict[str, str | None]:
    """A field of each person on a side."""
    return {name: world.cells(side)[key_of(world, side, name)].get(field) for name in PEOPLE}


SWAP = {"ann": {"email": "bob@x.com"}, "bob": {"email": "ann@x.com"}}
RING = {
    "ann": {"phone": PHONES["bob"]},
    "bob": {"phone": PHONES["cyd"]},
    "cyd": {"phone": PHONES["ann"]},
}
CHAIN = {
    "ann": {"phone": PHONES["bob"]},
    "bob": {"phone": PHONES["cyd"]},
    "cyd": {"phone": "+18885554009"},
}


@pytest.mark.parametrize("said", [SWAP, RING, CHAIN], ids=["swap", "ring", "chain"])
def test_values_that_change_places_arrive_in_one_run(
    world: World, side: Side, said: dict[str, dict[str, str]]
) -> None:
    """Two people swap emails, three pass on their phones: all of it is on the other side after one run, without a refusal."""
    edit(world, side.other, said)
    result = world.run()
    assert [
        (o.status, o.code, o.detail)
        for o in result.outcomes
        if o.status is not Status.DONE or o.code
    ] == []
    for field in ("email", "phone"):
        assert held(world, Side.APP, field) == held(world, Side.GHL, field)
    assert not result.residuals
    assert world.plan().writes == ()
    assert not world.plan().holds


def test_the_plan_shows_the_detour(world: World) -> None:
    """The value that is cleared for a moment is an operation of its own, with the reason, and the last one fills it again."""
    edit(world, Side.APP, SWAP)
    wrote = [(o.turn, dict(o.before), dict(o.after)) for o in world.plan().writes]
    assert wrote == [
        (1, {"email": "ann@x.com"}, {"email": None}),
        (3, {"email": "bob@x.com"}, {"email": "ann@x.com"}),
        (4, {"email": None}, {"email": "bob@x.com"}),
    ] or wrote == [
        (1, {"email": "bob@x.com"}, {"email": None}),
        (3, {"email": "ann@x.com"}, {"email": "bob@x.com"}),
        (4, {"email": None}, {"email": "ann@x.com"}),
    ]


@pytest.mark.parametrize(
    ("at", "when", "side"),
    crossed((1, 2, 3, 4), ("before", "after"), list(Side)),
    indirect=["side"],
)
def test_killed_at_any_step_a_ring_is_completed(
    world: World, side: Side, at: int, when: str
) -> None:
    """A value that was cleared and not yet set is found and set by the next run, and never taken for a person's clearing."""
    edit(world, side.other, RING)
    world.set_vices(side, crash=Crash(world.sides[side].carried_out + at, when))  # type: ignore[arg-type]
    with pytest.raises(Killed):
        world.run()
    world.set_vices(side, crash=None)
    world.reopen()
    result = world.run()
    assert not result.holds
    assert held(world, side, "phone") == {name: fields["phone"] for name, fields in RING.items()}
    assert held(world, side.other, "phone") == held(world, side, "phone")
    assert world.plan().writes == ()


def test_what_a_person_types_meanwhile_is_not_lost(world: World) -> None:
    """A run is killed while a phone is cleared in GHL, and a person enters another one there: it is asked about."""
    edit(world, Side.APP, RING)
    world.set_vices(Side.GHL, crash=Crash(world.ghl.carried_out + 1, "after"))
    with pytest.raises(Killed):
        world.run()
    world.set_vices(Side.GHL, crash=None)
    world.reopen()
    (blank,) = (name for name, phone in held(world, Side.GHL, "phone").items() if phone is None)
    edit(world, Side.GHL, {blank: {"phone": "+18885554444"}})
    result = world.run()
    assert [(hold.kind, hold.field) for hold in result.holds] == [("conflict", "phone")]
    assert held(world, Side.GHL, "phone")[blank] == "+18885554444"


def test_the_other_fields_of_a_refused_value_arrive(world: World, side: Side) -> None:
    """A phone that another person keeps is refused; the name that was corrected with it is written all the same."""
    edit(world, side.other, {"ann": {"phone": PHONES["bob"], "first_name": "Anna"}})
    result = world.run()
    assert [(o.status, o.code) for o in result.outcomes if o.status is not Status.DONE] == [
        ("rejected", "DUPLICATE")
    ]
    assert held(world, side, "first_name")["ann"] == "Anna"
    assert held(world, side, "phone")["ann"] == PHONES["ann"]


def test_a_side_that_takes_shared_values_gets_them(world: World, side: Side) -> None:
    """Where two records may share a phone, it is written as it is on the other side: nobody guesses that it is refused."""
    world.sides[side].vices = Vices()
    edit(world, side.other, {"ann": {"phone": PHONES["bob"]}})
    assert all(outcome.status is Status.DONE for outcome in world.run().outcomes)
    assert held(world, side, "phone")["ann"] == PHONES["bob"]


@pytest.mark.parametrize(
    ("waits", "changing", "expected"),
    [
        ({"a": "b"}, {"a", "b"}, {"b": (2, False), "a": (3, False)}),
        ({"a": "b"}, {"a"}, {"a": (2, False)}),
        ({"a": "b", "b": "a"}, {"a", "b"}, {"a": (4, True), "b": (3, False)}),
        (
            {"a": "b", "b": "c", "c": "a"},
            {"a", "b", "c"},
            {"c": (3, False), "b": (4, False), "a": (5, True)},
        ),
        (
            {"d": "b", "a": "b", "b": "a"},
            {"a", "b", "d"},
            {"a": (4, True), "b": (3, False), "d": (4, False)},
        ),
    ],
)
def test_turns(
    waits: dict[str, str], changing: set[str], expected: dict[str, tuple[int, bool]]
) -> None:
    """Who lets go of a value comes before who gets it; a ring is broken at one record, which gets its own last."""
    assert {key: (turn.turn, turn.room) for key, turn in turns(waits, changing).items()} == expected


@pytest.mark.parametrize("said", [SWAP, RING], ids=["swap", "ring"])
def test_an_undo_puts_it_back_in_order_without_a_blank(
    world: World, said: dict[str, dict[str, str]]
) -> None:
    """What was cleared on the way is not blank after an undo, and what was passed on is given back in turn."""
    before = {field: held(world, Side.GHL, field) for field in ("email", "phone")}
    edit(world, Side.APP, said)
    told = night(world)
    assert held(world, Side.GHL, "email") == held(world, Side.APP, "email")
    take_back(world, told)
    assert {field: held(world, Side.GHL, field) for field in ("email", "phone")} == before


def test_the_statement_of_a_swap_balances(world: World) -> None:
    """A value cleared on the way is no difference that nothing explains: the night of a swap ends with exit code 0."""
    edit(world, Side.APP, SWAP)
    told = night(world)
    assert told.exit_code == 0, told.document["statement"]


# what is refused all the same -----------------------------------------------------------------------------------------


def refused(world: World, side: Side) -> Result:
    """A night on which Ann is to get Bob's phone, which Bob keeps; the next night, as it is."""
    edit(world, side.other, {"ann": {"phone": PHONES["bob"], "first_name": "Anna"}})
    world.run()
    world.clock.advance(3600)
    return world.run()


def test_a_refused_value_is_asked_about_and_not_sent_again(world: World, side: Side) -> None:
    """From the next night on it is a question that names both records, night after night, and no write."""
    for result in (refused(world, side), world.run()):
        assert result.writes == ()
        (hold,) = result.holds
        assert (hold.kind, hold.field, hold.side, hold.options) == (
            "refused",
            "phone",
            side,
            ("retry", "leave"),
        )
        assert (hold.app_key, hold.ghl_key) == ("ann", key_of(world, Side.GHL, "ann"))
        others = (hold.values["other_app_key"], hold.values["other_ghl_key"])
        assert others == ("bob", key_of(world, Side.GHL, "bob"))
        assert key_of(world, side, "bob") in hold.because
        assert "Two people" in hold.because


def test_it_is_sent_again_when_the_other_record_lets_go(world: World, side: Side) -> None:
    """Somebody corrects the other record's phone: nothing needs to be answered."""
    refused(world, side)
    edit(world, side, {"bob": {"phone": "+18885554008"}})
    result = world.run()
    assert result.holds == ()
    assert held(world, side, "phone")["ann"] == PHONES["bob"]
    assert held(world, Side.APP, "phone") == held(world, Side.GHL, "phone")


def test_it_is_sent_again_in_turn_when_the_other_record_is_about_to_let_go(
    world: World, side: Side
) -> None:
    """The other record's new phone is written in the same run, before."""
    refused(world, side)
    edit(world, side.other, {"bob": {"phone": "+18885554008"}})
    result = world.run()
    assert result.holds == ()
    assert held(world, side, "phone")["ann"] == PHONES["bob"]


def test_it_is_sent_again_when_its_own_value_changes(world: World, side: Side) -> None:
    """A corrected phone is another value, which was never refused."""
    refused(world, side)
    edit(world, side.other, {"ann": {"phone": "+18885554007"}})
    assert world.run().holds == ()
    assert held(world, side, "phone")["ann"] == "+18885554007"


def test_the_answer_retry_counts_once(world: World, side: Side) -> None:
    """It is sent once more; where it is refused again it is asked again, not sent every night."""
    (hold,) = refused(world, side).holds
    world.decide(hold, "retry")
    assert [outcome.code for outcome in world.run().outcomes] == ["DUPLICATE"]
    again = world.run()
    assert (again.writes, [h.kind for h in again.holds]) == ((), ["refused"])


def test_the_answer_leave_is_kept(world: World, side: Side) -> None:
    """Both stay as they are, and nobody is asked again."""
    (hold,) = refused(world, side).holds
    world.decide(hold, "leave")
    for _ in range(2):
        result = world.run()
        assert (result.writes, result.holds) == ((), ())
    assert held(world, side, "phone")["ann"] == PHONES["ann"]


def test_a_new_contact_that_is_refused_is_asked_about(world: World) -> None:
    """GHL refuses a create for an email that it does not show, and that belongs to a linked contact: no retry every night."""
    dee = world.app.put(C, {"email": "dee@x.com", "first_name": "Dee"}, key="dee")
    bob = key_of(world, Side.GHL, "bob")
    hidden = Duplicates(world.ghl.write, bob)
    world.ghl.write = hidden  # type: ignore[method-assign]
    world.run()
    world.clock.advance(3600)
    for _ in range(2):
        result = world.run()
        assert result.writes == ()
        (hold,) = result.holds
        assert (hold.kind, hold.app_key, hold.options) == ("refused", dee, ("retry", "ignore"))
        assert (hold.values["other_app_key"], hold.values["other_ghl_key"]) == ("bob", bob)
    assert hidden.refused == 1
    world.ghl.write = hidden.write  # type: ignore[method-assign]
    world.decide(hold, "retry")
    world.run()
    assert "dee@x.com" in {cells["email"] for cells in world.cells(Side.GHL).values()}
    assert world.run().holds == ()


class Duplicates:
    """GHL knows a second email of a contact and refuses a create for it."""

    def __init__(self, write: Callable[[Sequence[Write]], Iterator[Reply]], key: str) -> None:
        self.write, self.key, self.refused = write, key, 0

    def __call__(self, writes: Sequence[Write]) -> Iterator[Reply]:
        for write in writes:
            if write.kind is OpKind.CREATE and write.fields.get("email") == "dee@x.com":
                self.refused += 1
                yield Reply(
                    write.op_id,
                    Status.REJECTED,
                    key=self.key,
                    code="DUPLICATE",
                    detail="it is there",
                )
            else:
                yield from self.write([write])


def test_a_night_with_open_refusals_balances(world: World) -> None:
    """A refused phone and a refused new contact are questions in the report: exit code 1, and every identity holds."""
    hidden = Duplicates(world.ghl.write, key_of(world, Side.GHL, "bob"))
    world.ghl.write = hidden  # type: ignore[method-assign]
    world.app.put(C, {"email": "dee@x.com", "first_name": "Dee"}, key="dee")
    refused(world, Side.GHL)
    told = night(world)
    assert [hold["kind"] for hold in told.document["holds"]] == ["refused", "refused"]
    assert told.exit_code == 1, told.document["statement"]


def test_of_several_differences_of_one_value_the_last_is_entered(world: World) -> None:
    """A value that changes places is cleared and then set; where a side drops both, the register has the one that was sent last."""
    source = differences.source(world.mapping, "r9", world.clock())
    operation = operation_of(link_id="l1", before={"email": "ann@x.com"}, after={"email": None})
    both = [
        source.difference(operation, "email", Why.DROPPED, (sent, "ann@x.com"), because="dropped")
        for sent in (None, "bob@x.com")
    ]
    with world.ledger.engine.begin() as connection:
        differences.put(world.ledger, connection, both)
        known = connection.execute(sa.select(schema.difference.c.sent)).scalars().all()
    assert known == ["bob@x.com"]
