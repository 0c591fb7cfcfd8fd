"""The first few writes of a plan: what they are, what happens to them by itself, and who lets the rest follow."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace

import pytest

from connectors.ending import Ending
from flows.commands.canaries import asking, lines
from flows.jobs.full import FULL
from flows.outcome.tell import Told
from flows.run import Canary
from flows.runner import carry_out
from reconcile.apply.canary import GONE, Seen, Stirred, changes, first
from reconcile.model import Entity, Operation, OpKind, Side
from tests.builders import World, operation_of
from tests.flows.nights import night, opened


def _named(kind: OpKind, link: str, **more: object) -> Operation:
    return operation_of(kind, op_id=f"{kind}-{link}", link_id=link, **more)


def test_what_depends_on_a_later_write_is_left_for_later() -> None:
    """Two of each kind; no task of a contact yet to be made, no value another has to let go, no contact before its tasks."""
    task = {"entity": Entity.TASK}
    plan = [
        _named(OpKind.FORGET, "f1"),
        *(_named(OpKind.CREATE, f"c{n}") for n in range(4)),
        _named(OpKind.CREATE, "t3", parent="c3", **task),
        _named(OpKind.CREATE, "t0", parent="c0", **task),
        _named(OpKind.UPDATE, "u0", turn=1),
        _named(OpKind.UPDATE, "u1"),
        _named(OpKind.ADD_TAGS, "c2", entity=Entity.TAG),
        *(_named(OpKind.DELETE, f"d{n}", parent="p", **task) for n in range(3)),
        _named(OpKind.DELETE, "p"),
        _named(OpKind.DELETE, "q"),
    ]
    taken = [operation.link_id for operation in first(plan, 2)]
    assert taken == ["f1", "c0", "c1", "t0", "u1", "d0", "d1", "q"]


def test_changes_are_told_member_by_member() -> None:
    """Members of members, custom fields by their id and tags without an order; what is the same is left out."""
    before = {"tags": ["a"], "customFields": [{"id": "x", "value": "1"}], "dnd": False, "n": None}
    after = {
        "tags": ["b", "a"],
        "customFields": [{"id": "y", "value": "2"}, {"id": "x", "value": "1"}],
        "dnd": True,
        "assignedTo": "u1",
    }
    assert changes(before, after) == (
        ("assignedTo", "", "u1"),
        ("customFields.y.value", "", "2"),
        ("dnd", "False", "True"),
        ("tags", "a", "a, b"),
    )
    assert changes({"tags": ["a", "b"]}, {"tags": ["b", "a"]}) == ()


def _with_people(many: int) -> World:
    world = World(limits={"max_first_creates": 100})
    for number in range(many):
        name = {"first_name": f"P{number}", "email": f"p{number}@x.com"}
        world.app.put(Entity.CONTACT, name)
    return world


def _apply(
    world: World,
    *,
    goes_on: Callable[[Seen], bool],
    meanwhile: Callable[[], None] = lambda: None,
) -> Told:
    """One run that begins with two writes of each kind; `meanwhile` happens while they are watched."""
    with opened(world, "nightly", canary=Canary(2, 0.01, goes_on)) as run:
        ending = Ending(None, clock=world.clock.seconds, sleep=lambda _: meanwhile())
        return carry_out(replace(run, ending=ending), FULL)


def test_q7_what_a_workflow_does_is_shown_and_the_rest_waits() -> None:
    """A tag that came by itself is shown; two of five are made, three are left, and the next night makes them, none twice."""
    shown: list[Seen] = []

    def refuses(seen: Seen) -> bool:
        shown.append(seen)
        return False

    with _with_people(5) as world:

        def workflow() -> None:
            key = min(world.ghl.rows(Entity.CONTACT))
            world.ghl.edit(Entity.CONTACT, key, {"tags": ["welcome"]})

        told = _apply(world, goes_on=refuses, meanwhile=workflow)
        made = len(world.ghl.rows(Entity.CONTACT))
        after = night(world)
        emails = sorted(str(cells["email"]) for cells in world.cells(Side.GHL).values())
    (seen,) = shown
    (stirred,) = seen.stirred
    assert (seen.written, seen.failed, seen.looked_at, seen.unread) == (2, {}, 2, 0)
    assert stirred.changes == (("tags", "", "welcome"),)
    assert stirred.side is Side.GHL
    assert made == 2
    assert (told.state, told.exit_code) == ("stopped", 1)
    assert told.document["entities"]["contact"]["left"] == 3
    assert after.state == "settled"
    assert emails == [f"p{number}@x.com" for number in range(5)]


def test_the_rest_follows_where_somebody_wants_it() -> None:
    """Nothing happened by itself, a person says yes, and each record is made once."""
    with _with_people(5) as world:
        told = _apply(world, goes_on=lambda seen: not seen.stirred)
        assert len(world.ghl.rows(Entity.CONTACT)) == 5
    assert (told.state, told.exit_code) == ("settled", 0)


def test_without_a_person_the_rest_is_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nobody sits at a terminal the answer is no, and what changed is told all the same."""
    monkeypatch.setattr("sys.stdin", io.StringIO())
    stirred = Stirred(Entity.CONTACT, Side.GHL, "g1", (("tags", "", "welcome"),))
    seen = Seen(written=1, failed={}, looked_at=1, stirred=(stirred,))
    assert asking(5, 60.0).goes_on(seen) is False
    said = capsys.readouterr().err
    assert "tags: blank → welcome" in said
    assert "left to the next plan" in said


def test_what_goes_and_what_cannot_be_read_is_no_quiet() -> None:
    """One of two is deleted meanwhile and the other answers no more: both are told, and "nothing changed" is not."""
    shown: list[Seen] = []

    def refuses(seen: Seen) -> bool:
        shown.append(seen)
        return False

    with _with_people(2) as world:

        def meanwhile() -> None:
            gone, silent = sorted(world.ghl.rows(Entity.CONTACT))
            world.ghl.delete(Entity.CONTACT, gone)
            world.ghl.silent = frozenset({silent})

        _apply(world, goes_on=refuses, meanwhile=meanwhile)
    (seen,) = shown
    assert (seen.looked_at, seen.unread) == (1, 1)
    assert [each.changes for each in seen.stirred] == [GONE]
    said = "\n".join(lines(seen))
    assert "1 of their records could not be read" in said
    assert "the record: there → gone" in said
    assert "Nothing changed" not in said


def test_first_writes_that_fail_are_told() -> None:
    """Where none was made nothing was looked at, and both are said."""
    shown: list[Seen] = []

    def refuses(seen: Seen) -> bool:
        shown.append(seen)
        return False

    with _with_people(2) as world:
        world.set_vices(Side.GHL, rejects=lambda write: "READ_ONLY")
        _apply(world, goes_on=refuses)
    (seen,) = shown
    assert list(lines(seen)) == [
        "Of the first writes 0 were made.",
        "  2 failed: READ_ONLY",
        "No record of GHL was looked at.",
    ]
    quiet = Seen(written=2, failed={}, looked_at=2)
    assert "Nothing changed by itself in 2 records that were read twice." in lines(quiet)
