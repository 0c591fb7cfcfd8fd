"""One record, one link: also where a side answers with a record that somebody else is, or was meant to be."""

from __future__ import annotations

import pytest

from connectors.memory import Crash, Killed, Vices
from reconcile.model import Entity, Side
from reconcile.ports import Json
from reconcile.values.mapping import EntityMap, Filter
from tests.builders import World, contacts, mapping_of, notes, tasks

C, T = Entity.CONTACT, Entity.TASK
NUMBER = "+18885550001"


def test_a_record_that_was_copied_is_not_linked_with_another_as_well() -> None:
    """GHL's Bob is made in the app; GHL answers Ann's create with him, as they share a number. Every run settles; he is Bob."""
    with World(
        vices={Side.GHL: Vices(unique=("phone",))},
        mapping=mapping_of(contacts(match=(("email",),))),
    ) as world:
        world.app.put(C, {"email": "ann@x.com", "phone": NUMBER}, key="ann")
        world.ghl.put(C, {"email": "bob@x.com", "phone": NUMBER}, key="bob")
        for _ in range(3):
            world.run()
        assert list(world.links().values()) == ["bob"]
        assert world.cells(Side.APP)[next(iter(world.links()))]["email"] == "bob@x.com"


def test_whom_a_person_called_somebody_else_is_not_linked() -> None:
    """Answered with `create`, refused by GHL as it has that address: the refusal stands, and nobody's values are mixed."""
    with World(vices={Side.GHL: Vices(unique=("email",))}) as world:
        for key in ("ann", "zoe"):
            world.app.put(C, {"email": "fam@x.com", "first_name": key}, key=key)
        world.ghl.put(C, {"email": "fam@x.com", "first_name": "Max"}, key="max")
        (hold,) = [hold for hold in world.run().holds if hold.subject == "ann"]
        world.decide(hold, "create")
        result = world.run()
        assert [(o.status.value, o.code) for o in result.outcomes] == [("rejected", "DUPLICATE")]
        assert [o.because for o in result.operations] == ["decided by Ada: create"]
        assert (world.links(), len(result.holds)) == ({}, 2)


def _given_away_again(world: World, entity: Entity, says: str) -> str:
    """Both sides have a record; another one that came from GHL is gone from the app, which gives its key to the next."""
    ann = world.app.put(C, {"email": "ann@x.com"}, key="ann")
    world.run()
    (ghl_ann,) = world.links().values()
    world.app.put(entity, {says: "kept"}, parent=ann)
    world.run()
    world.ghl.put(entity, {says: "first"}, parent=ghl_ann)
    counted = dict(world.app._made)
    world.run()
    app = world.cells(Side.APP, entity)
    (first,) = [key for key, cells in app.items() if cells[says] == "first"]
    world.app.delete(entity, first)
    world.app._made.update(counted)
    world.ghl.put(entity, {says: "second"}, parent=ghl_ann)
    return first


@pytest.mark.parametrize(("entity", "says"), [(Entity.NOTE, "body"), (T, "title")])
@pytest.mark.parametrize("night", ["whole", "unread", "killed"])
def test_a_key_that_is_given_away_again_belongs_to_the_new_record(
    night: str, entity: Entity, says: str
) -> None:
    """The app's rows and counters go back: the key of a note that is gone goes to another one, which is linked and made once.

    Also by a run that cannot count what it misses, as GHL's contacts come short, and by one that is killed before it counts.
    """
    kinds = (contacts(), tasks(absent_runs=2), notes(absent_runs=2))
    with World(mapping=mapping_of(*kinds)) as world:
        given = _given_away_again(world, entity, says)
        made = "second"
        if night == "unread":
            world.set_vices(Side.GHL, incomplete={C: "0 contacts read"})
            world.run()
            world.set_vices(Side.GHL, incomplete={})
        elif night == "killed":
            world.app.put(entity, {says: "third"}, parent="ann", key="three")
            world.set_vices(Side.GHL, crash=Crash(world.ghl.carried_out + 1, "before"))
            with pytest.raises(Killed):
                world.run()
            world.set_vices(Side.GHL, crash=None)
            made = "second third"
        for _ in range(4):
            world.run()
        assert world.cells(Side.APP, entity)[given][says] == "second"
        for side in Side:
            held = {str(cells[says]) for cells in world.cells(side, entity).values()}
            assert held == {"first", "kept", *made.split()}
        app, ghl = (world.cells(side, entity) for side in Side)
        links = world.links(entity)
        assert len(links) == len(app) == len(ghl)
        assert all(app[one][says] == ghl[across][says] for one, across in links.items())
        assert "ann" in world.cells(Side.APP)


@pytest.mark.parametrize(
    "changed",
    [
        (contacts(*[f for f in contacts().fields if f.name != "company"]), tasks(), notes()),
        (contacts(), notes()),
    ],
    ids=["a field", "an entity"],
)
def test_a_killed_run_is_recovered_under_another_pair_file(changed: tuple[EntityMap, ...]) -> None:
    """What was in doubt is looked up with what the pair file still maps; the rest is told to be unknown."""
    with World(vices={Side.GHL: Vices()}) as world:
        ann = world.app.put(C, {"email": "ann@x.com", "company": "ACME"})
        world.app.put(T, {"title": "call", "completed": False}, parent=ann)
        world.set_vices(
            Side.GHL,
            crash=Crash(at=world.ghl.carried_out + (1 if len(changed) == 3 else 2), when="after"),
        )
        with pytest.raises(Killed):
            world.run()
        world.set_vices(Side.GHL, crash=None)
        world.mapping = mapping_of(*changed)
        world.run()
        assert world.run().operations == ()
        assert len(world.ghl.rows(C)) == 1


@pytest.mark.parametrize(
    "entered", [{}, {"first_name": "Ann", "company": "ACME", "tags": ["vip"]}], ids=["less", "more"]
)
def test_whom_somebody_entered_while_a_create_was_in_doubt_is_compared(
    entered: dict[str, Json],
) -> None:
    """The create was never carried out, and then a person made the same one by hand: no value of either side is lost."""
    with World(vices={Side.GHL: Vices()}) as world:
        world.app.put(C, {"email": "ann@x.com", "first_name": "Ann", "tags": ["lead"]}, key="ann")
        world.set_vices(Side.GHL, crash=Crash(at=world.ghl.carried_out + 1, when="before"))
        with pytest.raises(Killed):
            world.run()
        world.set_vices(Side.GHL, crash=None)
        world.ghl.put(C, {"email": "ann@x.com", **entered}, key="ghl-ann")
        world.run()
        assert world.links() == {"ann": "ghl-ann"}
        assert world.cells(Side.APP)["ann"] == world.cells(Side.GHL)["ghl-ann"]
        assert world.cells(Side.APP)["ann"].get("company") == entered.get("company")
        assert '"lead"' in str(world.cells(Side.GHL)["ghl-ann"]["tags"])
        assert world.run().operations == ()


@pytest.mark.parametrize("killed", [False, True], ids=["told", "killed"])
def test_what_a_side_gives_a_new_record_by_itself_goes_across(killed: bool) -> None:
    """A default stands in the create's answer, and nobody sent it: the other side lacks it. So it is after an interruption."""
    with World(vices={Side.GHL: Vices(gives={"company": "by default"})}) as world:
        world.app.put(C, {"email": "ann@x.com", "first_name": "Ann", "tags": ["lead"]}, key="ann")
        if killed:
            world.set_vices(Side.GHL, crash=Crash(at=world.ghl.carried_out + 1, when="after"))
            with pytest.raises(Killed):
                world.run()
            world.set_vices(Side.GHL, crash=None)
        else:
            world.run()
        result = world.run()
        assert [(o.kind.value, o.side.value, o.after) for o in result.operations] == [
            ("update", "app", {"company": "by default"})
        ]
        assert world.cells(Side.APP)["ann"]["company"] == "by default"
        assert world.run().operations == ()


def test_an_absence_is_counted_anew_once_the_record_was_there() -> None:
    """Also where it was left out by a rule on the night that it was there."""
    hidden = contacts(absent_runs=2, exclude=(Filter("company", ("HIDE",)),))
    with World(mapping=mapping_of(hidden)) as world:
        for key in ("ann", "bob"):
            world.app.put(C, {"email": f"{key}@x.com"}, key=key)
        world.run()
        there = world.links()["ann"]
        fields = dict(world.ghl.rows(C)[there].fields)
        world.ghl.delete(C, there)
        assert world.run().operations == ()
        world.ghl.put(C, {**fields, "company": "HIDE"}, key=there)
        assert world.run().operations == ()
        world.ghl.edit(C, there, {"company": None})
        world.ghl.delete(C, there)
        assert world.run().operations == ()
