"""An opportunity's stage says something only in its pipeline: what moves one of the two is held against both, until the other is settled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from reconcile.model import Entity, Side, Status
from reconcile.ports import Write
from reconcile.values.codecs import Email
from reconcile.values.mapping import EntityMap
from reconcile.values.policy import OnConflict, Rule
from tests.builders import HOLD, Result, World, contacts, field_of, mapping_of
from tests.flows.nights import night, take_back

DEAL = Entity.OPPORTUNITY
DEALS = EntityMap(
    DEAL,
    (field_of("name"), field_of("pipeline"), field_of("stage", within="pipeline")),
    match=(("name",),),
    delete=HOLD,
    absent_runs=1,
)
PEOPLE = contacts(field_of("email", Email()), match=(("email",),))


@pytest.fixture(scope="module")
def first() -> Iterator[World]:
    """One deal on both sides, in the stage New of the pipeline Repairs."""
    with World(mapping=mapping_of(PEOPLE, DEALS)) as world:
        ann = world.app.put(Entity.CONTACT, {"email": "ann@x.com"})
        deal = {"name": "Boiler", "pipeline": "Repairs", "stage": "New"}
        world.app.put(DEAL, deal, key="d", parent=ann)
        world.run()
        yield world


@pytest.fixture
def world(first: World) -> Iterator[World]:
    with first.copied() as copy:
        yield copy


def moved(world: World, side: Side, **fields: str | None) -> None:
    """Somebody moves the deal on that side."""
    (key,) = world.sides[side].rows(DEAL)
    world.sides[side].edit(DEAL, key, fields)


def where(world: World, side: Side) -> tuple[str | None, str | None]:
    """The deal's pipeline and stage on that side."""
    (cells,) = world.cells(side, DEAL).values()
    return cells.get("pipeline"), cells.get("stage")


def asked(result: Result) -> set[str | None]:
    """The fields that are asked about."""
    return {hold.field for hold in result.holds if hold.kind == "conflict"}


Deal = tuple[str, str]


@pytest.mark.parametrize(
    ("in_app", "in_ghl"),
    [
        pytest.param(("Care", "Asked"), ("Repairs", "Done"), id="both-moved-the-stage"),
        pytest.param(("Care", "New"), ("Repairs", "Done"), id="each-one-of-the-two"),
        pytest.param(("Repairs", "Done"), ("Care", "New"), id="the-other-way-round"),
        pytest.param(("Repairs", "Done"), ("Care", "Asked"), id="ghl-moved-both"),
    ],
)
@pytest.mark.parametrize("choice", Side)
def test_where_each_side_moved_a_deal_one_side_s_deal_stands(
    world: World, in_app: Deal, in_ghl: Deal, choice: Side
) -> None:
    """Nothing of it is written until both values are answered, whichever is answered first."""
    for side, (pipeline, stage) in ((Side.APP, in_app), (Side.GHL, in_ghl)):
        moved(world, side, pipeline=pipeline, stage=stage)
    for answered, waits in ((None, ""), ("stage", "waits for its pipeline")):
        for hold in world.run().holds:
            if hold.field == answered:
                world.decide(hold, choice)
        result = world.run()
        assert not result.operations
        assert (where(world, Side.APP), where(world, Side.GHL)) == (in_app, in_ghl)
        because = {hold.field: hold.because for hold in result.holds}
        assert because.keys() == {"pipeline", "stage"}
        assert waits in because["stage"]

    (last,) = [hold for hold in world.run().holds if hold.field == "pipeline"]
    world.decide(last, choice)
    assert not world.run().holds
    won = in_app if choice is Side.APP else in_ghl
    assert (where(world, Side.APP), where(world, Side.GHL)) == (won, won)
    assert not world.run().operations


def test_answers_that_part_the_two_are_not_carried_out(world: World) -> None:
    """The app's pipeline with GHL's stage is nobody's deal: both wait, and say so."""
    moved(world, Side.APP, pipeline="Care", stage="Asked")
    moved(world, Side.GHL, stage="Done")
    for hold in world.run().holds:
        world.decide(hold, Side.APP if hold.field == "pipeline" else Side.GHL)
    because = {hold.field: hold.because for hold in world.run().holds}
    assert (where(world, Side.APP), where(world, Side.GHL)) == (
        ("Care", "Asked"),
        ("Repairs", "Done"),
    )
    assert "waits for its stage, which goes the other way" in str(because["pipeline"])
    assert "waits for its pipeline, which goes the other way" in str(because["stage"])


@pytest.mark.parametrize("rule", [OnConflict.APP, OnConflict.GHL, OnConflict.NEWEST])
def test_a_rule_decides_about_both(world: World, rule: OnConflict) -> None:
    """Of a deal that one side moved to a pipeline and the other to a stage, a rule takes one side's whole."""
    fields = [
        field if field.name == "name" else replace(field, rule=Rule(conflict=rule))
        for field in DEALS.fields
    ]
    world.mapping = mapping_of(PEOPLE, replace(DEALS, fields=tuple(fields)))
    moved(world, Side.GHL, stage="Done")
    world.clock.advance(3_600)
    moved(world, Side.APP, pipeline="Care")
    result = world.run()
    won = ("Repairs", "Done") if rule is OnConflict.GHL else ("Care", "New")
    assert (where(world, Side.APP), where(world, Side.GHL)) == (won, won)
    assert all("pipeline and stage count as one" in each.because for each in result.operations)


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"pipeline": "Care"}, {"stage": "Done"}),
        ({"stage": "Done"}, {"pipeline": "Care"}),
    ],
)
def test_the_other_half_moves_between_plan_and_apply(
    world: World, side: Side, one: dict[str, str], other: dict[str, str]
) -> None:
    """What was approved was one pipeline with one stage: where the half that is not written moved meanwhile, nothing is."""
    moved(world, side, **one)
    planned, met = where(world, side), None

    def meanwhile() -> None:
        nonlocal met
        moved(world, side.other, **other)
        met = where(world, side.other)

    result = world.run(between=meanwhile)
    assert [outcome.status for outcome in result.outcomes] == [Status.STALE]
    for _ in range(2):
        assert asked(world.run()) == {"pipeline", "stage"}
        assert (where(world, side), where(world, side.other)) == (planned, met)


def test_the_half_that_stays_is_no_change(world: World) -> None:
    """A report of a pipeline that was moved shows the pipeline alone."""
    moved(world, Side.APP, pipeline="Care")
    (change,) = night(world).document["changes"]
    assert [part["field"] for part in change["fields"]] == ["pipeline"]


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("choice", Side)
def test_both_went_to_one_pipeline(world: World, side: Side, choice: Side) -> None:
    """One side put the deal on another stage of it, and the other left it on the stage that it has there: night after night somebody is asked."""
    moved(world, side, pipeline="Care", stage="Asked")
    moved(world, side.other, pipeline="Care")
    for _ in range(3):
        result = world.run()
        assert not result.operations
        assert asked(result) == {"stage"}
    (question,) = result.holds
    world.decide(question, choice)
    world.run()
    won = ("Care", "Asked" if choice is side else "New")
    assert (where(world, Side.APP), where(world, Side.GHL)) == (won, won)
    assert not world.run().operations


@pytest.mark.parametrize(
    ("one", "other", "stands"),
    [
        ({"stage": "Done"}, {"pipeline": "Care"}, ("Care", "Done")),
        ({"pipeline": "Care"}, {"stage": "Done"}, ("Care", "Done")),
    ],
)
def test_an_undo_leaves_what_moved_beside_it(
    world: World, one: dict[str, str], other: dict[str, str], stands: tuple[str, str]
) -> None:
    """Where a run wrote one half, and somebody moved the other since, the deal stays where they put it."""
    moved(world, Side.APP, **one)
    told = night(world)
    moved(world, Side.GHL, **other)
    undone = take_back(world, told)
    assert where(world, Side.GHL) == stands
    assert "changed since" in str(undone.document)


def test_an_undo_is_held_against_both(world: World) -> None:
    """Where somebody moves the other half while the undo is approved, the deal stays where they put it."""
    moved(world, Side.APP, stage="Done")
    take_back(world, night(world), between=lambda: moved(world, Side.GHL, pipeline="Care"))
    assert where(world, Side.GHL) == ("Care", "Done")


def test_a_pipeline_that_was_refused_with_a_stage_is_sent_without_it(world: World) -> None:
    """The stage that GHL lacks is taken back: that pipeline with the former stage was never sent."""

    def lacking(write: Write) -> str | None:
        return "INVALID_FIELD" if write.fields.get("stage") == "Nowhere" else None

    world.set_vices(Side.GHL, rejects=lacking)
    moved(world, Side.APP, pipeline="Care", stage="Nowhere")
    world.run()
    assert {hold.kind for hold in world.run().holds} == {"refused"}
    moved(world, Side.APP, stage="New")
    assert not world.run().holds
    assert where(world, Side.GHL) == ("Care", "New")
