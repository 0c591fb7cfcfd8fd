"""What somebody changes between the read and the write is looked at right before the write, with default settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest

from connectors.memory import Vices
from reconcile.apply.apply import chunks
from reconcile.model import Entity, OpKind, Side, Status
from reconcile.plan.plan import Group, estimate
from reconcile.ports import Description, Reply, Usage, Write
from tests.builders import Result, World

C = Entity.CONTACT
UNVERSIONED = {side: Vices(unversioned=True) for side in Side}
"""GHL has no versions: only a look tells."""


@pytest.fixture(scope="module")
def settled() -> Iterator[World]:
    """Two people on both sides, linked, on sides without versions; all settings are the product's."""
    with World(vices=UNVERSIONED) as made:
        for name in ("ann", "bob"):
            made.app.put(
                C,
                {"email": f"{name}@x.com", "company": "Old", "first_name": name.title()},
                key=name,
            )
        made.run()
        made.clock.advance(3600)
        yield made


@pytest.fixture
def world(settled: World) -> Iterator[World]:
    """The same, for one test."""
    with settled.copied() as made:
        yield made


def edit(world: World, side: Side, email: str, **fields: str) -> None:
    """What a user does to the person of that email."""
    (key,) = (
        key for key, record in world.sides[side].rows(C).items() if record.fields["email"] == email
    )
    world.sides[side].edit(C, key, fields)


def held(world: World, side: Side) -> dict[str, str | None]:
    """The companies by email."""
    return {str(cells["email"]): cells.get("company") for cells in world.cells(side).values()}


def after_the_first_write(world: World, side: Side, act: Callable[[], None]) -> None:
    """Let a user act when the first write of a chunk has been answered, and the others are still to come."""
    write = world.sides[side].write

    def watched(writes: Sequence[Write]) -> Iterator[Reply]:
        for number, reply in enumerate(write(writes)):
            yield reply
            if number == 0:
                act()

    world.sides[side].write = watched  # type: ignore[method-assign]


def stale(result: Result) -> list[tuple[str, str]]:
    """What was left alone, and why."""
    return [
        (outcome.code, outcome.detail)
        for outcome in result.outcomes
        if outcome.status is Status.STALE
    ]


def test_an_edit_between_read_and_write_survives_and_is_asked_about(world: World) -> None:
    """The app says WA, a GHL user says TX before the write: TX stays, the field is named, and the next night asks."""
    edit(world, Side.APP, "ann@x.com", company="WA")
    result = world.run(between=lambda: edit(world, Side.GHL, "ann@x.com", company="TX"))
    assert stale(result) == [("CHANGED", "changed since the plan was made: company")]
    assert held(world, Side.GHL)["ann@x.com"] == "TX"
    (hold,) = world.run().holds
    assert (hold.kind, hold.field, hold.values["app"], hold.values["ghl"]) == (
        "conflict",
        "company",
        "WA",
        "TX",
    )


@pytest.mark.parametrize("side", list(Side))
def test_a_look_comes_right_before_its_own_write(world: World, side: Side) -> None:
    """What a user changes while a chunk is being written survives: nobody looks at all of a chunk ahead."""
    for email in ("ann@x.com", "bob@x.com"):
        edit(world, side.other, email, company="WA")
    order = [operation.key for operation in world.plan().writes]
    late = str(world.sides[side].rows(C)[str(order[1])].fields["email"])
    after_the_first_write(world, side, lambda: edit(world, side, late, company="TX"))
    result = world.run()
    assert stale(result) == [("CHANGED", "changed since the plan was made: company")]
    assert held(world, side)[late] == "TX"


def test_an_edit_of_another_field_does_not_stop_the_write(world: World) -> None:
    """Only the fields that the operation changes are compared, also where the record's version moved."""
    for vices in ({}, UNVERSIONED):
        for side in Side:
            world.sides[side].vices = vices.get(side, Vices())
        edit(world, Side.APP, "ann@x.com", company=f"WA {len(vices)}")
        edit(world, Side.GHL, "bob@x.com", company=f"WA {len(vices)}")

        def other_fields() -> None:
            edit(world, Side.GHL, "ann@x.com", first_name="Anne")
            edit(world, Side.APP, "bob@x.com", first_name="Rob")

        result = world.run(between=other_fields)
        assert stale(result) == []
        assert held(world, Side.GHL) == held(world, Side.APP)


@pytest.mark.parametrize("side", list(Side))
def test_a_delete_looks_first(world: World, side: Side) -> None:
    """Somebody deletes on one side, and somebody else writes to the record on the other before it is deleted there."""
    world.sides[side.other].delete(
        C,
        next(
            k
            for k, r in world.sides[side.other].rows(C).items()
            if r.fields["email"] == "ann@x.com"
        ),
    )
    result = world.run(between=lambda: edit(world, side, "ann@x.com", company="TX"))
    assert stale(result) == [("CHANGED", "changed since the plan was made: company")]
    assert held(world, side)["ann@x.com"] == "TX"


def test_creates_and_tags_need_no_look() -> None:
    """A first load of new records and a change of tags read nothing before they are sent."""
    with World(vices=UNVERSIONED) as world:
        for number in range(3):
            world.app.put(C, {"email": f"p{number}@x.com", "tags": ["a"]}, key=f"p{number}")
        reads = count_reads(world)
        world.run()
        for number in range(3):
            world.app.edit(C, f"p{number}", {"tags": ["b"]})
        world.run()
        assert reads == []


def count_reads(world: World) -> list[str]:
    """The keys that GHL is asked for before a write, and not to answer or to prove one."""
    reads: list[str] = []
    write = world.ghl.write

    def watched(writes: Sequence[Write]) -> Iterator[Reply]:
        reads.extend(w.op_id for w in writes if w.check is not None)
        return write(writes)

    world.ghl.write = watched  # type: ignore[method-assign]
    return reads


@pytest.mark.parametrize(("recheck", "looks"), [("always", 40), ("risky", 12), ("never", 0)])
def test_the_estimate_counts_the_looks(recheck: str, looks: int) -> None:
    """One request for every look that `recheck` asks for: before updates and deletes, never before creates and tags."""
    described = Description("ghl", {}, costs=dict.fromkeys(OpKind, 1.0))
    groups = [
        Group(C, Side.GHL, OpKind.CREATE, 100),
        Group(C, Side.GHL, OpKind.UPDATE, 30, risky=2),
        Group(C, Side.GHL, OpKind.DELETE, 10, risky=10),
        Group(Entity.TAG, Side.GHL, OpKind.ADD_TAGS, 5, deltas=(5,)),
    ]
    found = estimate(groups, Side.GHL, described, Usage(), recheck=recheck)
    assert found.by_kind.get("recheck", 0) == looks
    assert found.requests == 145 + looks


def test_no_chunk_holds_two_writes_of_a_value_of_one_record(world: World) -> None:
    """One look serves all that a chunk changes of a record, as the plan has one operation for it."""
    edit(world, Side.APP, "ann@x.com", company="WA", first_name="Anna", last_name="Lee")
    for chunk in chunks(world.plan().writes, 200):
        keys = [operation.key for operation in chunk]
        assert len(keys) == len(set(keys))
