"""A run that is taken back: both sides as they were before it, and a next run that neither redoes it nor forgets it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
import sqlalchemy as sa

from connectors.memory import Crash, Killed
from flows.jobs.full import FULL
from flows.jobs.migrate import Migrate
from flows.jobs.undo import Undo
from flows.outcome.tell import Told
from flows.runner import Job, carry_out
from flows.state import imprints
from reconcile.errors import Refused, StalePlan, StateError
from reconcile.ledger import schema
from reconcile.ledger.ledger import Decision
from reconcile.model import Entity, OpKind, Side
from reconcile.values.policy import OnConflict, Rule
from tests.builders import World, by_email, contacts, mapping_of, notes, tasks
from tests.flows.nights import Held, night, opened, state, take_back


@pytest.fixture(scope="module")
def settled() -> Iterator[World]:
    """Ann and Bob agree on both sides, with a task and a note; Eve too."""
    with World(limits={"max_first_creates": 100}) as world:
        ann = world.app.put(
            Entity.CONTACT,
            {"first_name": "Ann", "email": "ann@x.com", "company": "A", "tags": ["vip", "lead"]},
        )
        bob = world.app.put(
            Entity.CONTACT, {"first_name": "Bob", "email": "bob@x.com", "company": "B"}
        )
        world.app.put(Entity.CONTACT, {"first_name": "Eve", "email": "eve@x.com", "tags": ["cold"]})
        for key, title in ((ann, "Call"), (bob, "Mail")):
            world.app.put(
                Entity.TASK,
                {"title": title, "due": "2026-01-01T10:00:00Z", "completed": False},
                parent=key,
            )
            world.app.put(Entity.NOTE, {"body": f"note of {title}"}, parent=key)
        night(world)
        yield world


@pytest.fixture
def world(settled: World) -> Iterator[World]:
    """The same, for one test."""
    with settled.copied() as made:
        yield made


def edit_everything(world: World) -> None:
    """Edits of every kind, each on the side where it happens, so that the next run writes every kind of operation to both."""
    app, ghl = world.app, world.ghl
    app.edit(
        Entity.CONTACT,
        by_email(world, Side.APP, "ann@x.com"),
        {"company": "ACME", "tags": ["vip", "won"]},
    )
    ghl.edit(
        Entity.CONTACT,
        by_email(world, Side.GHL, "eve@x.com"),
        {"last_name": "Young", "tags": ["hot"]},
    )
    app.delete(Entity.CONTACT, by_email(world, Side.APP, "bob@x.com"))
    ann = by_email(world, Side.APP, "ann@x.com")
    task = next(key for key, record in app.rows(Entity.TASK).items() if record.parent == ann)
    app.edit(Entity.TASK, task, {"completed": True})
    note = next(
        key
        for key, record in ghl.rows(Entity.NOTE).items()
        if record.parent == by_email(world, Side.GHL, "ann@x.com")
    )
    ghl.edit(Entity.NOTE, note, {"body": "note, edited in GHL"})
    guy = app.put(Entity.CONTACT, {"first_name": "Guy", "email": "guy@x.com", "tags": ["new"]})
    app.put(
        Entity.TASK,
        {"title": "Greet", "due": "2026-02-01T10:00:00Z", "completed": False},
        parent=guy,
    )
    ghl.put(Entity.CONTACT, {"first_name": "Hal", "email": "hal@x.com"})
    ghl.put(Entity.NOTE, {"body": "new in GHL"}, parent=by_email(world, Side.GHL, "eve@x.com"))


@dataclass(frozen=True)
class Undone:
    """A run with every kind of write, taken back, and what both sides held before it and after it."""

    world: World
    told: Told
    back: Told
    before: Held
    after: Held


@pytest.fixture(scope="module")
def whole(settled: World) -> Iterator[Undone]:
    """See `Undone`."""
    with settled.copied() as world:
        edit_everything(world)
        before = state(world)
        told = night(world)
        after = state(world)
        back = take_back(world, told, allowed=frozenset({"deletes"}))
        yield Undone(world, told, back, before, after)


@pytest.fixture
def undone(whole: Undone) -> Iterator[Undone]:
    """The same, for one test."""
    with whole.world.copied() as world:
        yield replace(whole, world=world)


def restored(told: Told) -> dict[str, int]:
    counted: dict[str, int] = {}
    for entry in told.document["changes"]:
        counted[entry["status"]] = counted.get(entry["status"], 0) + 1
    return counted


def test_undo_restores_what_every_kind_of_write_changed_on_both_sides(undone: Undone) -> None:
    """After an undo both sides hold, but for new ids, exactly what they held before the run."""
    assert undone.after != undone.before
    assert undone.back.state == "settled"
    assert restored(undone.back).keys() == {"done"}
    assert undone.back.document["undo"]["left"] == []
    assert state(undone.world) == undone.before


def test_the_run_after_an_undo_leaves_it_undone_and_asks(undone: Undone) -> None:
    """The next runs write nothing: a field stays as it was put back, a missing counterpart becomes a question."""
    for _ in range(2):
        after = night(undone.world)
        written = [
            entry for entry in after.document["changes"] if entry["kind"] not in ("adopt", "forget")
        ]
        assert written == []
        assert state(undone.world) == undone.before
        assert {hold["kind"] for hold in after.document["holds"]} == {"delete"}
        assert after.document["statement"]["clean"]


def test_an_edit_after_an_undo_travels_as_ever(world: World) -> None:
    """What somebody changes once a run was taken back is an edit like any other."""
    ann = by_email(world, Side.APP, "ann@x.com")
    world.app.edit(Entity.CONTACT, ann, {"company": "Wrong"})
    take_back(world, night(world))
    assert world.cells(Side.GHL)[by_email(world, Side.GHL, "ann@x.com")]["company"] == "A"
    night(world)
    world.app.edit(Entity.CONTACT, ann, {"company": "Right"})
    night(world)
    assert world.cells(Side.GHL)[by_email(world, Side.GHL, "ann@x.com")]["company"] == "Right"


def test_a_person_may_have_an_undone_create_made_again(world: World) -> None:
    """The question that an undo leaves can be answered with restore, and then the record is created anew, once."""
    world.app.put(Entity.CONTACT, {"first_name": "Guy", "email": "guy@x.com"})
    take_back(world, night(world))
    asked = night(world)
    (hold,) = asked.document["holds"]
    assert "undone by run" in hold["because"]
    row = next(row for row in world.ledger.holds() if row.hold_id == hold["hold_id"])
    world.ledger.decide(
        Decision(row.hold_id, "restore", row.values_digest, "Ada", world.clock(), "")
    )
    night(world)
    night(world)
    assert [cells["email"] for cells in world.cells(Side.GHL).values()].count("guy@x.com") == 1


def test_what_changed_since_the_run_is_left_alone_and_named(world: World) -> None:
    """A field, or a created record, that somebody changed after the run is not taken back; the report says which."""
    world.app.edit(
        Entity.CONTACT,
        by_email(world, Side.APP, "ann@x.com"),
        {"company": "ACME", "last_name": "Lee"},
    )
    world.app.put(Entity.CONTACT, {"first_name": "Guy", "email": "guy@x.com"})
    told = night(world)
    ann, guy = (by_email(world, Side.GHL, email) for email in ("ann@x.com", "guy@x.com"))
    world.ghl.edit(Entity.CONTACT, ann, {"company": "by hand"})
    world.ghl.edit(Entity.CONTACT, guy, {"phone": "+18885551212"})
    back = take_back(world, told)
    left = {(each["key"], each["because"]) for each in back.document["undo"]["left"]}
    assert left == {
        (ann, "changed since by somebody else: company"),
        (guy, "it stays, because it changed since: phone"),
    }
    assert world.cells(Side.GHL)[ann] == {**world.cells(Side.GHL)[ann], "company": "by hand"}
    assert "last_name" not in world.cells(Side.GHL)[ann]
    assert guy in world.cells(Side.GHL)


def test_a_created_contact_stays_while_somebody_elses_task_hangs_on_it(world: World) -> None:
    """Deleting a contact takes its tasks along: it is not done where one of them is not the run's."""
    world.app.put(Entity.CONTACT, {"first_name": "Guy", "email": "guy@x.com"})
    told = night(world)
    guy = by_email(world, Side.GHL, "guy@x.com")
    world.ghl.put(
        Entity.TASK,
        {"title": "Mine", "due": "2026-03-01T10:00:00Z", "completed": False},
        parent=guy,
    )
    back = take_back(world, told)
    assert [each["because"] for each in back.document["undo"]["left"]] == [
        "it stays, because what hangs on it is not the run's, or changed since: 1 task"
    ]
    assert guy in world.cells(Side.GHL)


def left(told: Told) -> list[tuple[str, str]]:
    return [(each["entity"], each["because"]) for each in told.document["undo"]["left"]]


@pytest.mark.parametrize("entity", [Entity.NOTE, Entity.TASK])
def test_a_contact_stays_with_what_came_onto_it_after_the_plan(
    world: World, entity: Entity
) -> None:
    """What hangs on a contact is read again right before it is deleted: a new note, or a task edited since, keeps it."""
    guy = world.app.put(Entity.CONTACT, {"first_name": "Guy", "email": "guy@x.com"})
    world.app.put(
        Entity.TASK,
        {"title": "Greet", "due": "2026-02-01T10:00:00Z", "completed": False},
        parent=guy,
    )
    told = night(world)
    there = by_email(world, Side.GHL, "guy@x.com")
    (task,) = (key for key, record in world.ghl.rows(Entity.TASK).items() if record.parent == there)

    def between() -> None:
        if entity is Entity.TASK:
            world.ghl.edit(Entity.TASK, task, {"title": "Greet, with the contract"})
        else:
            world.ghl.put(Entity.NOTE, {"body": "precious"}, parent=there)

    back = take_back(world, told, between=between)
    assert there in world.cells(Side.GHL)
    assert there in {record.parent for record in world.ghl.rows(entity).values()}
    assert [e["code"] for e in back.document["changes"] if e["entity"] == "contact"] == [
        "HAS_CHILDREN"
    ]
    assert left(back)[-1] == (
        "contact",
        f"it stays, because what hangs on it is not the run's, or changed since: 1 {entity}",
    )
    assert back.exit_code == 1


@pytest.mark.parametrize("readable", [True, False])
def test_a_contact_stays_with_tasks_and_notes_that_are_not_mapped(
    readable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deleting it takes them along, mapped or not; where they cannot be read, nobody knows, and it stays as well."""
    with World(mapping=mapping_of(contacts()), limits={"max_first_creates": 100}) as world:
        world.app.put(Entity.CONTACT, {"first_name": "Guy", "email": "guy@x.com"})
        told = night(world)
        guy = by_email(world, Side.GHL, "guy@x.com")
        if readable:
            world.ghl.put(Entity.NOTE, {"body": "somebody's"}, parent=guy)
            expected = (
                "it stays, because what hangs on it is not the run's, or changed since: 1 note"
            )
        else:
            said = world.ghl.describe()
            fields = {
                entity: named for entity, named in said.fields.items() if entity is not Entity.NOTE
            }
            monkeypatch.setattr(world.ghl, "describe", lambda: replace(said, fields=fields))
            expected = "it stays, because its notes cannot be read: the pair file does not say where GHL keeps them"
        back = take_back(world, told)
        assert left(back) == [("contact", expected)]
        assert guy in world.cells(Side.GHL)


def later_runs(world: World, count: int) -> None:
    """As many runs that changed nothing, as a delta every few minutes leaves them in the ledger."""
    names = [
        {"run_id": f"d{at:05d}", "started_at": world.clock(), "summary": "{}"}
        for at in range(count)
    ]
    usual = {"pair": world.ledger.pair, "job": "delta", "state": "settled"}
    with world.ledger.transaction() as connection:
        connection.execute(sa.insert(schema.run), [name | usual for name in names])


def test_tasks_and_notes_come_back_however_many_runs_lie_between(world: World) -> None:
    """The archive of the run itself is asked first, also where more than a thousand runs came after it."""
    before = state(world)
    world.app.delete(Entity.CONTACT, by_email(world, Side.APP, "ann@x.com"))
    told = night(world)
    later_runs(world, 1_100)
    take_back(world, told)
    assert state(world)[Side.GHL, Entity.TASK] == before[Side.GHL, Entity.TASK]
    assert state(world)[Side.GHL, Entity.NOTE] == before[Side.GHL, Entity.NOTE]


def test_an_archive_that_is_gone_is_named(world: World) -> None:
    """What was read and archived, and removed since, is not called unread."""
    world.app.delete(Entity.CONTACT, by_email(world, Side.APP, "ann@x.com"))
    told = night(world)
    shutil.rmtree(world.folder / "runs")
    lost = take_back(world, told).document["undo"]["lost"]
    assert (
        sum(
            f"in no archive that is left: that of run {told.document['run_id']} is gone" in each
            for each in lost
        )
        == 2
    )


@pytest.mark.parametrize("late", [False, True])
def test_nobody_is_created_beside_who_is_there_again(world: World, late: bool) -> None:
    """A deleted contact whose person was entered anew, before the undo was planned or after, does not come back twice."""
    world.ghl.delete(Entity.CONTACT, by_email(world, Side.GHL, "ann@x.com"))
    told = night(world)

    def enter() -> None:
        world.app.put(Entity.CONTACT, {"first_name": "Anna", "email": "ann@x.com"}, key="a9")

    if not late:
        enter()
    back = take_back(world, told, between=enter if late else None)
    assert by_email(world, Side.APP, "ann@x.com") == "a9"
    assert {record.parent for record in world.app.rows(Entity.TASK).values()} == {
        by_email(world, Side.APP, "bob@x.com")
    }
    assert any(
        "somebody with the same email is there again, as a9" in because for _, because in left(back)
    )


def test_who_shares_a_phone_comes_back_all_the_same(world: World) -> None:
    """Another person who was linked before the run is no reason to leave a deleted contact out."""
    for name in ("Guy", "Hal"):
        world.app.put(
            Entity.CONTACT, {"first_name": name, "email": f"{name}@x.com", "phone": "+18885551212"}
        )
    night(world)
    world.app.delete(Entity.CONTACT, by_email(world, Side.APP, "guy@x.com"))
    told = night(world)
    world.ghl.edit(Entity.CONTACT, by_email(world, Side.GHL, "hal@x.com"), {"email": ""})
    assert left(take_back(world, told)) == []
    by_email(world, Side.GHL, "guy@x.com")


def apply_part(world: World, of: Told, *only: str) -> Told:
    """Plan the undo of a run and apply that part of it."""
    with opened(world, "undo") as run:
        planned = carry_out(run, Undo(of=of.document["run_id"], writes=False))
    with opened(world, "apply", name=planned.document["run_id"], only=only) as run:
        digest = planned.document["provenance"]["plan_digest"]
        return carry_out(run, Undo(approved=digest))


def test_a_part_of_an_undo_is_applied_alone_and_the_rest_is_named(world: World) -> None:
    """The limits count the approved part; what is not in it is left; a part that is not in the plan is refused."""
    world.limits = {"max_first_creates": 100, "max_deletes": 2}
    for number in range(4):
        world.app.put(Entity.CONTACT, {"first_name": f"N{number}", "email": f"n{number}@x.com"})
    told = night(world)
    with pytest.raises(Refused, match="nothing in the plan is nonsense"):
        apply_part(world, told, "nonsense")
    one = by_email(world, Side.GHL, "n0@x.com")
    back = apply_part(world, told, one)
    assert restored(back) == {"done": 1}
    assert one not in world.cells(Side.GHL)
    assert left(back) == [("contact", "it is not in the part that was approved")] * 3


def test_a_field_that_left_the_pair_file_is_named_and_nobody_is_blamed(world: World) -> None:
    """What is not mapped any more is not put back, and the report does not say that nothing is left."""
    world.app.edit(Entity.CONTACT, by_email(world, Side.APP, "ann@x.com"), {"company": "ACME"})
    told = night(world)
    kept = (field for field in contacts().fields if field.name != "company")
    world.mapping = mapping_of(contacts(*kept), tasks(), notes())
    back = take_back(world, told)
    assert left(back) == [("contact", "no longer in the pair file: company")]
    assert "is left to take back" not in back.document["verdict"]["headline"]


def test_what_an_undo_left_apart_is_asked_about_once_its_field_is_mapped_otherwise(
    world: World,
) -> None:
    """That a run was taken back is a reason under the rule it ran by alone: under another one nobody has said that it stays."""
    ann = by_email(world, Side.APP, "ann@x.com")
    world.app.edit(Entity.CONTACT, ann, {"company": "ACME"})
    take_back(world, night(world))
    assert night(world).exit_code == 0
    preferred = replace(contacts().field("company"), rule=Rule(conflict=OnConflict.APP))
    fields = (preferred if f.name == "company" else f for f in contacts().fields)
    world.mapping = mapping_of(contacts(*fields), tasks(), notes())
    told = night(world)
    assert [hold["field"] for hold in told.document["holds"]] == ["company"]
    assert told.exit_code == 1


def test_a_link_with_both_ends_loses_the_mark_of_an_undo(world: World) -> None:
    """Once an undo is taken back, a deletion by hand is a deletion like any other, and no question."""
    guy = world.app.put(Entity.CONTACT, {"first_name": "Guy", "email": "guy@x.com"})
    take_back(world, take_back(world, night(world)))
    night(world)
    world.app.delete(Entity.CONTACT, guy)
    after = night(world)
    assert after.document["holds"] == []
    assert "guy@x.com" not in {cells.get("email") for cells in world.cells(Side.GHL).values()}


def test_what_changes_between_the_plan_and_its_application_drops_out(world: World) -> None:
    """Each record is looked at right before it is touched: one edited in between is stale, the rest is done."""
    for name in ("ann", "eve"):
        world.app.edit(
            Entity.CONTACT, by_email(world, Side.APP, f"{name}@x.com"), {"company": "ACME"}
        )
    told = night(world)
    ann, eve = (by_email(world, Side.GHL, f"{name}@x.com") for name in ("ann", "eve"))
    back = take_back(
        world, told, between=lambda: world.ghl.edit(Entity.CONTACT, ann, {"company": "by hand"})
    )
    assert restored(back) == {"stale": 1, "done": 1}
    assert world.cells(Side.GHL)[ann]["company"] == "by hand"
    assert "company" not in world.cells(Side.GHL)[eve]


def test_a_deleted_contact_comes_back_with_tags_tasks_and_notes(world: World) -> None:
    """What hung on a contact that the run deleted is in the archive, and comes back with it under its new id."""
    old = by_email(world, Side.GHL, "ann@x.com")
    world.app.delete(Entity.CONTACT, by_email(world, Side.APP, "ann@x.com"))
    told = night(world)
    assert old not in world.cells(Side.GHL)
    back = take_back(world, told)
    new = by_email(world, Side.GHL, "ann@x.com")
    assert new != old
    assert json.loads(str(world.cells(Side.GHL)[new]["tags"])) == ["lead", "vip"]
    assert [
        r.parent for r in world.ghl.rows(Entity.TASK).values() if r.fields["title"] == "Call"
    ] == [new]
    assert [
        r.parent for r in world.ghl.rows(Entity.NOTE).values() if "Call" in str(r.fields["body"])
    ] == [new]
    assert any(
        f"contact {old} comes back with a new id" in line for line in back.document["undo"]["lost"]
    )


def delete_ann_without_reading_notes(world: World, job: Job = FULL) -> Told:
    """Ann and Bob with a note each; Ann is deleted in a run whose budget reads no notes."""
    ann, bob = (
        world.app.put(Entity.CONTACT, {"first_name": n, "email": f"{n}@x.com"})
        for n in ("Ann", "Bob")
    )
    for key, body in ((ann, "kept"), (bob, "other")):
        world.app.put(Entity.NOTE, {"body": body}, parent=key)
    night(world)
    night(world)
    world.notes_budget = 0
    world.app.delete(Entity.CONTACT, ann)
    with opened(world, job.name) as run:
        told = carry_out(run, job)
    assert [cells["body"] for cells in world.cells(Side.GHL, Entity.NOTE).values()] == ["other"]
    return told


@pytest.mark.parametrize("job", [FULL, Migrate()], ids=["nightly", "migrate"])
def test_notes_outside_the_budget_are_read_before_their_contact_is_deleted(job: Job) -> None:
    """A contact that is about to go is looked at first, whatever the notes budget, so that an undo has its notes."""
    with World(limits={"max_first_creates": 100}) as world:
        told = delete_ann_without_reading_notes(world, job)
        assert (
            world.folder / "runs" / told.document["run_id"] / "raw_kept_note_ghl.parquet"
        ).exists()
        take_back(world, told)
        assert sorted(str(c["body"]) for c in world.cells(Side.GHL, Entity.NOTE).values()) == [
            "kept",
            "other",
        ]


def test_notes_that_the_run_could_not_read_come_from_an_earlier_archive() -> None:
    """Where the run that deleted a contact has not kept its notes, the newest run that read them is asked."""
    with World(limits={"max_first_creates": 100}) as world:
        told = delete_ann_without_reading_notes(world)
        folder = world.folder / "runs" / told.document["run_id"]
        for path in folder.glob("*_kept_note_ghl.parquet"):
            path.unlink()
        imprints.renew(world.ledger, folder)
        take_back(world, told)
        assert sorted(str(c["body"]) for c in world.cells(Side.GHL, Entity.NOTE).values()) == [
            "kept",
            "other",
        ]


def test_an_undo_can_be_taken_back(undone: Undone) -> None:
    """Undoing the undo brings both sides to where the run had left them."""
    again = take_back(undone.world, undone.back)
    assert again.document["undo"]["left"] == []
    assert state(undone.world) == undone.after


def test_a_second_undo_of_the_same_run_has_nothing_to_do(undone: Undone) -> None:
    """What is as it was before the run needs no operation."""
    second = take_back(undone.world, undone.told)
    assert second.document["changes"] == []
    assert state(undone.world) == undone.before
    assert second.document["verdict"]["headline"].startswith("Nothing of run")


def test_the_limits_hold_for_an_undo(world: World) -> None:
    """An undo that would delete more than a run may is refused before anything is written, and can be allowed by name."""
    for number in range(30):
        world.app.put(Entity.CONTACT, {"first_name": f"N{number}", "email": f"n{number}@x.com"})
    told = night(world)
    before = state(world)
    with pytest.raises(Refused, match="30 of 33 linked contacts would be deleted"):
        take_back(world, told)
    assert state(world) == before
    take_back(world, told, allowed=frozenset({"deletes"}))
    assert len(world.cells(Side.GHL)) == 3


def test_an_undo_plan_is_stale_once_another_run_settled(world: World) -> None:
    """What is applied is what was shown: a plan made before another settlement is refused."""
    world.app.edit(Entity.CONTACT, by_email(world, Side.APP, "ann@x.com"), {"company": "ACME"})
    told = night(world)
    with pytest.raises(StalePlan):
        take_back(world, told, between=lambda: night(world) and None)


def test_a_killed_undo_is_settled_as_an_undo_by_the_next_run(world: World) -> None:
    """Recovery knows what the interrupted run was for: what it had put back is not done again."""
    for name in ("ann", "bob", "eve"):
        world.app.edit(
            Entity.CONTACT, by_email(world, Side.APP, f"{name}@x.com"), {"company": "ACME"}
        )
    told = night(world)
    world.set_vices(Side.GHL, crash=Crash(world.ghl.carried_out + 2, "after"))
    with pytest.raises(Killed):
        take_back(world, told)
    world.set_vices(Side.GHL, crash=None)
    world.reopen()
    before = state(world)
    night(world)
    assert state(world) == before
    take_back(world, told)
    assert {cells.get("company") for cells in world.cells(Side.GHL).values()} == {"A", "B", None}


def test_an_unknown_run_is_an_error_that_says_where_to_look(world: World) -> None:
    """There is nothing to take back of a run that the ledger does not know."""
    with (
        opened(world, "undo") as run,
        pytest.raises(StateError, match="list runs with `history`"),
    ):
        carry_out(run, Undo(of="nobody", writes=False))


def test_the_estimate_of_an_undo_counts_its_writes(world: World) -> None:
    """The plan of an undo has groups and an estimate, like any other."""
    world.app.edit(Entity.CONTACT, by_email(world, Side.APP, "ann@x.com"), {"company": "ACME"})
    told = night(world)
    with opened(world, "undo") as run:
        carry_out(run, Undo(of=told.document["run_id"], writes=False))
        assert run.course.plan is not None
        assert [(g.kind, g.count) for g in run.course.plan.groups] == [(OpKind.UPDATE, 1)]
        assert run.course.plan.estimates[Side.GHL].by_kind == {"update": 1, "recheck": 1}
