"""A write of which nobody knows whether it happened blocks its own record alone, is asked about, and outlives its run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from flows.outcome.tell import Told
from reconcile.errors import ConnectorError, Transient
from reconcile.ledger import runs
from reconcile.ledger.ledger import Decision
from reconcile.model import Entity, OpKind, Side
from tests.builders import World
from tests.flows.nights import night

C, N = Entity.CONTACT, Entity.NOTE
BROKEN = Transient("note.get was answered 500", status=500, trace_id="t-77")


def _unreadable(_entity: Entity, key: str, *, keys: set[str]) -> ConnectorError | None:
    return BROKEN if key in keys else None


@pytest.fixture(scope="module")
def settled() -> Iterator[World]:
    """Ann and Bob with a note each on both sides, at rest."""
    with World() as made:
        for name in ("ann", "bob"):
            made.app.put(C, {"first_name": name, "email": f"{name}@x.com"}, key=name)
            made.app.put(N, {"body": f"of {name}"}, key=f"n-{name}", parent=name)
        made.run()
        made.run()
        yield made


@pytest.fixture
def world(settled: World) -> Iterator[World]:
    """The same, for one test."""
    with settled.copied() as made:
        yield made


def _note(world: World) -> str:
    return world.links(N)["n-ann"]


def _in_doubt(world: World, *, applied: bool) -> Told:
    """Ann's note is changed in the app; GHL takes the write, or not, gives no answer, and cannot show the note afterwards."""
    world.app.edit(N, "n-ann", {"body": "changed"})
    broken = {_note(world)}
    world.set_vices(
        Side.GHL,
        uncertain=lambda write: (
            ("applied" if applied else "lost")
            if write.kind is OpKind.UPDATE and write.key in broken
            else None
        ),
        unreadable=lambda entity, key: _unreadable(entity, key, keys=broken),
    )
    world.recheck = "never"
    return night(world)


@pytest.fixture(scope="module", params=[True, False], ids=["applied", "lost"])
def asked(request: pytest.FixtureRequest, settled: World) -> Iterator[tuple[World, bool]]:
    """A world with a write in doubt after another night, and whether GHL took the write."""
    with settled.copied() as made:
        _in_doubt(made, applied=request.param)
        night(made)
        yield made, request.param


@pytest.fixture
def doubtful(asked: tuple[World, bool]) -> Iterator[World]:
    """The same, for one test."""
    with asked[0].copied() as made:
        yield made


def _answers_again(world: World) -> None:
    world.set_vices(Side.GHL, uncertain=lambda _: None, unreadable=lambda _entity, _key: None)


def _body(world: World) -> object:
    return world.cells(Side.GHL, N)[_note(world)]["body"]


@pytest.mark.parametrize("applied", [True, False])
def test_a_write_in_doubt_stops_nobody_else(world: World, applied: bool) -> None:
    """While it cannot be looked at the pair goes on, nothing more is written to this record, and it is asked about with its age."""
    told = _in_doubt(world, applied=applied)
    assert told.exit_code == 2
    world.app.edit(C, "bob", {"company": "New"})
    world.app.edit(N, "n-bob", {"body": "Bob's new"})
    told = night(world)
    assert told.state == "settled"
    assert "New" in {cells.get("company") for cells in world.cells(Side.GHL).values()}
    assert "Bob's new" in {cells["body"] for cells in world.cells(Side.GHL, N).values()}
    (hold,) = told.document["holds"]
    assert (hold["kind"], [each["choice"] for each in hold["options"]]) == (
        "doubt",
        ["happened", "never", "again"],
    )
    assert _note(world) in hold["because"]
    assert "t-77" in hold["because"]
    assert told.document["statement"]["clean"]
    assert [row.hold_id for row in world.ledger.holds()] == [hold["hold_id"]]
    assert told.exit_code != 0
    assert runs.unsettled(world.ledger) == []


def test_it_is_found_out_once_the_record_can_be_read(doubtful: World) -> None:
    """Looked at again by a later run, it is found done or planned again; the question closes, and both sides agree."""
    _answers_again(doubtful)
    told = night(doubtful)
    assert _body(doubtful) == "changed"
    assert told.document["holds"] == []
    assert list(doubtful.ledger.holds()) == []
    assert doubtful.run().operations == ()


def test_a_person_may_say_what_became_of_it(asked: tuple[World, bool], doubtful: World) -> None:
    """`happened` counts it as carried out, `never` plans it again; neither needs a look."""
    world, choice = doubtful, "happened" if asked[1] else "never"
    (row,) = world.ledger.holds()
    world.set_vices(Side.GHL, uncertain=lambda _: None)
    world.ledger.decide(Decision(row.hold_id, choice, row.values_digest, "ann", world.clock(), ""))
    world.run()
    assert _body(world) == "changed"
    assert list(world.ledger.holds()) == []


def test_what_was_settled_since_is_not_settled_again(world: World) -> None:
    """The rest of the doubtful run's journal is not brought into the ledger a second time: later edits are no conflicts."""
    world.app.edit(N, "n-bob", {"body": "first"})
    _in_doubt(world, applied=True)
    world.app.edit(N, "n-bob", {"body": "second"})
    night(world)
    world.ghl.edit(N, world.links(N)["n-bob"], {"body": "third"})
    _answers_again(world)
    result = world.run()
    assert result.holds == ()
    assert {cells["body"] for cells in world.cells(Side.APP, N).values()} == {"changed", "third"}


def test_a_side_that_does_not_answer_at_all_is_no_doubt_of_one_record(world: World) -> None:
    """Where nothing comes from the side, the run fails before it does anything, as ever."""
    _in_doubt(world, applied=True)
    world.set_vices(Side.GHL, unreadable=lambda _entity, _key: Transient("no connection"))
    with pytest.raises(Transient):
        night(world)
