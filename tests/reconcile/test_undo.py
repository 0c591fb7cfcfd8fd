"""What taking a run back comes to, operation by operation, for what its journal says and what the sides hold now."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from reconcile.model import Cell, Entity, Operation, OpKind, Outcome, Side, Status
from reconcile.plan.dependants import Hanging
from reconcile.ports import Record
from reconcile.stage.archive import Buried
from reconcile.undo.compensation import Undo
from reconcile.undo.deleted import GONE_ALREADY
from reconcile.undo.present import NEVER_READ, Present
from reconcile.undo.undo import groups, undo
from tests.builders import mapping_of, operation_of


@dataclass
class Sides:
    """What both sides hold now: records by (side, entity, key), what hangs on contacts, links, and archives."""

    records: dict[tuple[Side, Entity, str], dict[str, Any]] = field(default_factory=dict)
    children: dict[tuple[Side, str], list[tuple[Entity, str]]] = field(default_factory=dict)
    links: dict[tuple[Entity, Side, str], str] = field(default_factory=dict)
    keys: dict[tuple[Entity, str, Side], str] = field(default_factory=dict)
    buried: dict[tuple[Side, Entity, str], Sequence[Buried]] = field(default_factory=dict)
    twins: dict[Side, tuple[str, str]] = field(default_factory=dict)

    def present(self) -> Present:
        return Present(
            mapping=mapping_of(),
            read=self.read,
            children=lambda side, key: Hanging(self.children.get((side, key), [])),
            key_of=lambda entity, link_id, side: self.keys.get((entity, link_id, side)),
            link_of=lambda entity, side, key: self.links.get((entity, side, key)),
            buried=lambda side, entity, key: self.buried.get((side, entity, key), NEVER_READ),
            twin=lambda entity, side, cells: self.twins.get(side),
        )

    def read(self, side: Side, entity: Entity, key: str, parent: str | None) -> Record | None:
        fields = self.records.get((side, entity, key))
        return None if fields is None else Record(key, fields, parent=parent, version="7")

    def undo(self, *entries: tuple[Operation, Outcome]) -> Undo:
        return undo("r1", entries, self.present())


def done(operation: Operation, **members: Any) -> tuple[Operation, Outcome]:
    """The operation carried out, with what the side then held."""
    usual: dict[str, Any] = {"key": operation.key, "after": dict(operation.after)}
    return operation, Outcome(operation.op_id, Status.DONE, **(usual | members))


def contact(**cells: Cell) -> Sides:
    """GHL's contact g1 as it is now."""
    return Sides({(Side.GHL, Entity.CONTACT, "g1"): dict(cells)})


def test_an_overwritten_field_goes_back_to_what_it_was() -> None:
    """The inverse of an update changes the same fields from what the record holds to what it held, with a guard."""
    (back,) = contact(company="New").undo(done(operation_of())).operations
    assert (back.kind, back.side, back.key, back.link_id) == (OpKind.UPDATE, Side.GHL, "g1", "l1")
    assert (back.before, back.after) == ({"company": "New"}, {"company": "Old"})
    assert (back.guard, back.risk) == ("7", "high")
    assert "run r1" in back.because


def test_each_field_is_judged_by_itself() -> None:
    """One that somebody changed since stays and is named; the others go back."""
    both = operation_of(
        before={"company": "Old", "first_name": "Ann"},
        after={"company": "New", "first_name": "Anna"},
    )
    made = contact(company="Newer", first_name="Anna").undo(done(both))
    assert [o.after for o in made.operations] == [{"first_name": "Ann"}]
    assert [left.because for left in made.left] == ["changed since by somebody else: company"]


def test_what_the_side_stored_counts_not_what_was_sent() -> None:
    """A side that rewrites what it is given still holds what the run wrote."""
    (back,) = contact(company="NEW").undo(done(operation_of(), after={"company": "NEW"})).operations
    assert back.before == {"company": "NEW"}


def test_a_value_that_is_back_already_needs_nothing() -> None:
    """What holds the old value was put back by hand, or by an earlier undo."""
    made = contact(company="Old").undo(done(operation_of()))
    assert (made.operations, made.left) == ([], [])


def test_a_blank_comes_back_as_a_blank() -> None:
    """A field that was blank before is cleared again."""
    (back,) = contact(company="New").undo(done(operation_of(before={}))).operations
    assert back.after == {"company": None}


@pytest.mark.parametrize(
    "status", [Status.REJECTED, Status.STALE, Status.SKIPPED, Status.UNCERTAIN]
)
def test_only_what_was_done_is_taken_back(status: Status) -> None:
    """An operation that did not happen leaves nothing to take back."""
    operation = operation_of()
    made = contact(company="New").undo((operation, Outcome(operation.op_id, status)))
    assert made.operations == []


@pytest.mark.parametrize(
    ("kind", "now", "expected"),
    [
        (OpKind.ADD_TAGS, ["a", "b", "c"], (OpKind.REMOVE_TAGS, ["a", "b"])),
        (OpKind.ADD_TAGS, ["b", "c"], (OpKind.REMOVE_TAGS, ["b"])),
        (OpKind.REMOVE_TAGS, ["b", "c"], (OpKind.ADD_TAGS, ["a"])),
        (OpKind.ADD_TAGS, ["c"], None),
    ],
)
def test_tags_go_the_other_way_as_far_as_they_still_stand(
    kind: OpKind, now: list[str], expected: tuple[OpKind, list[str]] | None
) -> None:
    """Added tags that are still there are removed, removed ones that are still missing are added; others stay."""
    operation = operation_of(kind, entity=Entity.TAG, before={}, after={"tags": '["a","b"]'})
    made = contact(tags=now).undo(done(operation))  # type: ignore[arg-type]
    assert [(o.kind, json.loads(o.after["tags"] or "")) for o in made.operations] == (
        [expected] if expected else []
    )


def create_of(**members: Any) -> Operation:
    """The creation of a contact in GHL."""
    usual: dict[str, Any] = {
        "key": None,
        "before": {},
        "after": {"first_name": "Ann", "company": "A"},
    }
    return operation_of(OpKind.CREATE, **(usual | members))


def test_a_created_record_goes_if_nothing_in_it_changed() -> None:
    """The deletion carries all that the record holds, so that a change before it is carried out stops it."""
    (back,) = contact(first_name="Ann", company="A").undo(done(create_of(), key="g1")).operations
    assert (back.kind, back.key) == (OpKind.DELETE, "g1")
    assert {name: cell for name, cell in back.before.items() if cell} == {
        "first_name": "Ann",
        "company": "A",
    }


def test_a_created_record_that_changed_stays() -> None:
    """A value that somebody entered since is not deleted with it."""
    made = contact(first_name="Ann", company="B").undo(done(create_of(), key="g1"))
    assert made.operations == []
    assert [left.because for left in made.left] == ["it stays, because it changed since: company"]


def test_a_created_contact_goes_after_the_tasks_that_go_with_it() -> None:
    """Children first; and it stays where one of them stays."""
    task = operation_of(
        OpKind.CREATE,
        op_id="op2",
        entity=Entity.TASK,
        link_id="l2",
        key=None,
        parent="l1",
        before={},
        after={"title": "Call"},
    )
    sides = contact(first_name="Ann", company="A")
    sides.records[Side.GHL, Entity.TASK, "t1"] = {"title": "Call"}
    sides.children[Side.GHL, "g1"] = [(Entity.TASK, "t1")]
    sides.keys[Entity.CONTACT, "l1", Side.GHL] = "g1"
    entries = (done(create_of(), key="g1"), done(task, key="t1"))
    made = sides.undo(*entries)
    assert [(o.entity, o.key, o.parent_key) for o in made.operations] == [
        (Entity.TASK, "t1", "g1"),
        (Entity.CONTACT, "g1", None),
    ]
    sides.records[Side.GHL, Entity.TASK, "t1"]["title"] = "Call again"
    stays = sides.undo(*entries)
    assert stays.operations == []
    assert {left.entity for left in stays.left} == {Entity.TASK, Entity.CONTACT}


def delete_of(**members: Any) -> Operation:
    """The deletion of GHL's contact g1."""
    usual: dict[str, Any] = {"before": {"first_name": "Ann", "phone": None}, "after": {}}
    return operation_of(OpKind.DELETE, **(usual | members))


def test_a_deleted_contact_is_created_again_with_what_hung_on_it() -> None:
    """Contact first, then its archived tasks under it, each with the name of its link and its counterpart's key."""
    sides = Sides(
        buried={(Side.GHL, Entity.TASK, "g1"): [Buried("t1", {"title": "Call"}, "l2", "at1")]}
    )
    sides.buried[Side.GHL, Entity.NOTE, "g1"] = [Buried("n1", {"body": "Hello"}, None, None)]
    made = sides.undo(done(delete_of()))
    told = [
        (o.kind, o.entity, o.source_key, o.parent, o.parent_key, dict(o.after))
        for o in made.operations
    ]
    assert told == [
        (OpKind.CREATE, Entity.CONTACT, "a1", None, None, {"first_name": "Ann"}),
        (OpKind.CREATE, Entity.TASK, "at1", "l1", None, {"title": "Call"}),
        (OpKind.CREATE, Entity.NOTE, None, "l1", None, {"body": "Hello"}),
    ]
    assert "comes back with a new id" in made.lost[0]


def test_what_was_never_read_is_said_to_be_lost() -> None:
    """Where no archive speaks of a contact's notes, the undo says so instead of pretending there were none."""
    made = Sides(buried={(Side.GHL, Entity.TASK, "g1"): []}).undo(done(delete_of()))
    assert any("the notes of contact g1 in GHL were never read" in line for line in made.lost)


def test_a_record_that_was_gone_already_is_not_brought_back() -> None:
    """The run did not delete it: somebody else had."""
    assert Sides().undo(done(delete_of(), key=None, detail=GONE_ALREADY)).operations == []


def test_a_record_that_is_there_again_is_not_made_twice() -> None:
    """Restored by hand under its old id, or by an earlier undo under a new one."""
    by_hand = contact(first_name="Ann").undo(done(delete_of()))
    assert [left.because for left in by_hand.left] == ["it is there again"]
    before = Sides({(Side.GHL, Entity.CONTACT, "g9"): {"first_name": "Ann"}})
    before.keys[Entity.CONTACT, "l1", Side.GHL] = "g9"
    again = before.undo(done(delete_of()))
    assert again.operations == []
    assert [left.because for left in again.left] == ["it is there again, as g9"]


def test_a_counterpart_that_found_another_record_keeps_it() -> None:
    """What was linked anew since the deletion is not given a second counterpart."""
    made = Sides(links={(Entity.CONTACT, Side.APP, "a1"): "other"}).undo(done(delete_of()))
    assert made.operations == []
    assert "linked to another record since" in made.left[0].because


def test_who_is_there_again_stays_and_nothing_is_made_beside() -> None:
    """The new record of a deleted contact's person is not deleted either, and what hung on the old one does not come back."""
    sides = contact(first_name="Ann")
    del sides.records[Side.GHL, Entity.CONTACT, "g1"]
    sides.records[Side.GHL, Entity.CONTACT, "g9"] = {"first_name": "Ann", "company": "A"}
    sides.twins[Side.GHL] = ("email", "g9")
    task = delete_of(
        op_id="op2",
        entity=Entity.TASK,
        link_id="l2",
        key="t1",
        parent="l1",
        before={"title": "Call"},
    )
    again = create_of(op_id="op3", link_id="l9", source_key="a9")
    made = sides.undo(done(delete_of()), done(task), done(again, key="g9"))
    assert made.operations == []
    assert sorted((left.entity, left.key, left.because) for left in made.left) == [
        (Entity.CONTACT, "g1", "somebody with the same email is there again, as g9"),
        (
            Entity.CONTACT,
            "g9",
            "it stays: it is there in the place of a contact that the run deleted",
        ),
        (Entity.TASK, None, "its contact does not come back"),
    ]


def test_what_left_the_pair_file_is_left_as_it_is() -> None:
    """A field, or a whole kind of record, that is not mapped any more is named as that; what is mapped goes back."""
    both = operation_of(
        before={"company": "Old", "size": "S"}, after={"company": "New", "size": "L"}
    )
    made = contact(company="New", size="L").undo(done(both))
    assert [o.after for o in made.operations] == [{"company": "Old"}]
    assert [left.because for left in made.left] == ["no longer in the pair file: size"]


def test_an_archived_record_is_left_to_a_person() -> None:
    """A mark is not a deletion: the record is there, and the report says what to do."""
    made = Sides().undo(done(operation_of(OpKind.ARCHIVE, after={})))
    assert [left.because for left in made.left] == [
        "it was archived, not deleted: take the mark away by hand"
    ]


def test_the_same_journal_gives_the_same_plan_in_any_order() -> None:
    """Order and names of the operations follow from what they do."""
    sides = contact(company="New", first_name="Ann")
    sides.records[Side.GHL, Entity.CONTACT, "g2"] = {"company": "New"}
    entries = [done(operation_of()), done(operation_of(op_id="op2", key="g2", link_id="l2"))]
    one, other = sides.undo(*entries), sides.undo(*reversed(entries))
    assert one.operations == other.operations
    assert len({o.op_id for o in one.operations}) == 2
    assert [(g.kind, g.count, g.risky, g.starts_workflows) for g in groups(one.operations)] == [
        (OpKind.UPDATE, 2, 2, 2)
    ]


def test_writes_that_may_have_started_workflows_are_counted() -> None:
    """What a workflow did cannot be taken back, and is said."""
    made = contact(company="New").undo(done(operation_of(starts_workflows=True)))
    assert any("1 of the run's writes may have started GHL workflows" in line for line in made.lost)
