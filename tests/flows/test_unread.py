"""What was not read, or not answered, is never told as agreement."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from reconcile.apply.apply import outcome_of
from reconcile.errors import ConnectorError, Expired, Forbidden, InvalidField, Transient
from reconcile.model import Entity, OpKind, Side, Status
from reconcile.ports import Reply
from tests.builders import World, mapping_of, operation_of
from tests.flows.nights import night

C = Entity.CONTACT


@pytest.fixture(scope="module")
def settled() -> Iterator[World]:
    """Ann on both sides, at rest."""
    with World() as made:
        made.app.put(C, {"email": "ann@x.com", "company": "Old"}, key="ann")
        made.run()
        yield made


@pytest.fixture
def world(settled: World) -> World:
    """The same, for one test, which closes it."""
    return settled.copied()


@pytest.mark.parametrize("side", list(Side))
def test_a_side_that_could_not_be_read_is_no_agreement(world: World, side: Side) -> None:
    """The run ends with 2, names the side and the reason first, and says that nothing was concluded."""
    with world:
        world.set_vices(side, incomplete={C: "the view was dropped"})
        told = night(world)
        assert told.exit_code == 2
        verdict = told.document["verdict"]
        words = {Side.APP: "The app's contacts", Side.GHL: "GHL's contacts"}
        assert (verdict["tone"], verdict["headline"]) == (
            "bad",
            f"{words[side]} could not be read completely",
        )
        assert "the view was dropped" in verdict["sentences"][0]
        assert "Nothing was concluded" in verdict["sentences"][0]
        world.set_vices(side, incomplete={})
        assert night(world).exit_code == 0


def test_a_create_without_a_key_is_in_doubt() -> None:
    """A side that says done, and not under which key, has to be looked at: the next run would make the record again."""
    create = operation_of(OpKind.CREATE, side=Side.APP)
    assert (
        outcome_of(mapping_of(), create, Reply(create.op_id, Status.DONE)).status
        is Status.UNCERTAIN
    )
    assert (
        outcome_of(mapping_of(), create, Reply(create.op_id, Status.DONE, key="7")).status
        is Status.DONE
    )


@pytest.mark.parametrize("side", list(Side))
def test_a_refusal_that_does_not_name_the_record_deletes_nothing(world: World, side: Side) -> None:
    """Asked by key, the side says that something is not found: the other record goes on, and this one on neither side."""
    with world:
        world.app.put(C, {"email": "bob@x.com", "company": "Old"}, key="bob")
        world.run()
        gone = next(
            key for key, cells in world.cells(side).items() if cells["email"] == "ann@x.com"
        )
        world.sides[side].delete(C, gone)
        world.app.edit(C, "bob", {"company": "New"})
        world.set_vices(side, unnamed=lambda _entity, key: key == gone)
        told = night(world)
        assert told.exit_code != 0
        assert len(world.sides[side.other].rows(C)) == 2
        assert "New" in {cells["company"] for cells in world.cells(Side.GHL).values()}
        world.set_vices(side, unnamed=lambda _entity, _key: False)
        night(world)
        assert len(world.sides[side.other].rows(C)) == 1


@pytest.mark.parametrize(
    ("kind", "status"),
    [(Transient, 500), (Expired, 401), (Forbidden, 403), (InvalidField, 404)],
    ids=str,
)
def test_one_record_that_cannot_be_read_ends_no_night(
    world: World, kind: type[ConnectorError], status: int
) -> None:
    """Absent from the bulk read and unreadable by key: it is named with its trace id, nothing becomes of it, the rest goes on."""
    with world:
        world.app.put(C, {"email": "bob@x.com", "company": "Old"}, key="bob")
        world.run()
        gone = next(
            key for key, cells in world.cells(Side.GHL).items() if cells["email"] == "ann@x.com"
        )
        world.ghl.delete(C, gone)
        world.app.edit(C, "bob", {"company": "New"})
        error = kind(f"contact.get was answered {status}", status=status, trace_id="t-77")
        world.set_vices(Side.GHL, unreadable=lambda _entity, key: error if key == gone else None)
        told = night(world)
        assert told.exit_code == 1
        assert any(
            gone in said and f"answered {status}" in said and "t-77" in said
            for said in told.document["verdict"]["sentences"]
        )
        assert "New" in {cells["company"] for cells in world.cells(Side.GHL).values()}
        assert len(world.app.rows(C)) == 2
        assert told.document["statement"]["clean"]


@pytest.mark.parametrize(
    "error",
    [Transient("no connection"), Transient("500", status=500)],
    ids=["silent", "one by one"],
)
def test_a_side_that_answers_nobody_fails_as_a_side(world: World, error: ConnectorError) -> None:
    """No answer at all, or five records in a row that cannot be read, is no fault of a record: the run ends with the reason."""
    with world:
        for number in range(6):
            world.app.put(C, {"email": f"p{number}@x.com"})
        world.run()
        for key in world.ghl.rows(C):
            world.ghl.delete(C, key)
        world.set_vices(Side.GHL, unreadable=lambda _entity, _key: error)
        with pytest.raises(Transient):
            night(world)
        assert len(world.app.rows(C)) == 7
