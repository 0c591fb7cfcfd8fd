"""Time that runs backwards, or that our own writes move: what counts as the time of a person's edit."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.memory import Vices
from reconcile.errors import Refused
from reconcile.model import Entity, OpKind, Side
from reconcile.ports import Write
from reconcile.report.document import document
from reconcile.values.codecs import Labels, Name
from reconcile.values.mapping import Mapping as PairMapping
from reconcile.values.policy import TAGS, OnConflict, Rule
from tests.builders import World, by_email, contacts, field_of, mapping_of, notes, tasks
from tests.builders_world import seen
from tests.reconcile.test_unseen import break_off

C = Entity.CONTACT


def newest() -> PairMapping:
    """Contacts of which the company goes to whoever changed the record last."""
    fields = (
        field_of("email"),
        field_of("first_name", Name()),
        field_of("company", rule=Rule(conflict=OnConflict.NEWEST)),
        field_of("tags", Labels(), rule=TAGS),
    )
    return mapping_of(contacts(*fields, match=(("email",),)), tasks(), notes())


def linked(mapping: PairMapping) -> World:
    """A world with one linked contact, at rest for an hour."""
    world = World(mapping=mapping)
    world.app.put(
        C, {"email": "ann@x.com", "first_name": "Ann", "company": "Old", "tags": []}, key="a1"
    )
    world.run()
    world.run()
    world.clock.advance(3600)
    return world


def _no_company(write: Write) -> str | None:
    return "INVALID" if "company" in write.fields else None


def test_an_edit_right_before_our_own_tag_write_is_not_taken_for_an_old_one() -> None:
    """Typed in the app after the run had read it, and our tag came after: whose value is newer is asked, not guessed."""
    with linked(newest()) as world:
        key = by_email(world, Side.GHL, "ann@x.com")
        world.ghl.edit(C, key, {"company": "G", "tags": ["vip"]})
        world.clock.advance(3600)
        result = world.run(between=lambda: world.app.edit(C, "a1", {"company": "A"}))
        assert [o.status for o in result.outcomes] == ["stale", "done"]
        world.clock.advance(3600)
        result = world.run()
        assert [hold.field for hold in result.holds] == ["company"]
        assert not result.writes


def test_our_own_tag_write_is_no_edit_of_a_person() -> None:
    """GHL was changed last, but the app refuses its value and takes our tag: the next night GHL's value still wins."""
    with linked(newest()) as world:
        key = by_email(world, Side.GHL, "ann@x.com")
        world.app.edit(C, "a1", {"company": "A"})
        world.clock.advance(600)
        world.ghl.edit(C, key, {"company": "G", "tags": ["vip"]})
        world.clock.advance(3600)
        world.set_vices(Side.APP, rejects=_no_company)
        assert [o.status for o in world.run().outcomes] == ["rejected", "done"]
        world.clock.advance(3600)
        world.set_vices(Side.APP, rejects=lambda write: None)
        (update,) = world.run().of(OpKind.UPDATE)
        assert (update.side, dict(update.after)) == (Side.APP, {"company": "G"})
        assert world.cells(Side.GHL)[key]["company"] == "G"


def test_a_write_that_tells_no_time_makes_which_came_last_unknown() -> None:
    """Where the side does not say when our write changed the record, nobody knows when a person last did: it is asked, and stays so."""
    with linked(newest()) as world:
        key = by_email(world, Side.GHL, "ann@x.com")
        world.app.edit(C, "a1", {"company": "A"})
        world.clock.advance(600)
        world.ghl.edit(C, key, {"company": "G", "tags": ["vip"]})
        world.clock.advance(3600)
        world.set_vices(Side.APP, rejects=_no_company)
        world.app.untold = True
        world.run()
        world.set_vices(Side.APP, rejects=lambda write: None)
        for _ in range(2):
            world.clock.advance(3600)
            result = world.run()
            assert not result.writes
            assert [h.because for h in result.holds] == [
                "changed on both sides to different values, and which came last is not known"
            ]
        world.clock.advance(3600)
        world.app.edit(C, "a1", {"company": "A2"})
        (update,) = world.run().of(OpKind.UPDATE)
        assert (update.side, dict(update.after)) == (Side.GHL, {"company": "A2"})


def test_a_person_who_edits_after_our_write_was_last() -> None:
    """An edit that is later than our own write counts as one, whoever wrote before."""
    with linked(newest()) as world:
        key = by_email(world, Side.GHL, "ann@x.com")
        world.ghl.edit(C, key, {"tags": ["vip"]})
        world.run()
        world.clock.advance(600)
        world.ghl.edit(C, key, {"company": "G"})
        world.clock.advance(600)
        world.app.edit(C, "a1", {"company": "A"})
        (update,) = world.run().of(OpKind.UPDATE)
        assert (update.side, dict(update.after)) == (Side.GHL, {"company": "A"})


# a restored backup ----------------------------------------------------------------------------------------------------


def restored(*, people: int = 3, **more: Any) -> tuple[World, list[str]]:
    """A world whose app was restored from yesterday's backup, while GHL corrected everybody's company and got a lead."""
    world = World(limits={"max_first_creates": 100, **more})
    keys = [
        world.app.put(C, {"email": f"p{n}@x.com", "first_name": f"P{n}", "company": "Old"})
        for n in range(people)
    ]
    world.run()
    world.clock.advance(86_400)
    backup = world.app.backup()
    for n in range(people):
        world.ghl.edit(C, by_email(world, Side.GHL, f"p{n}@x.com"), {"company": f"New {n}"})
    world.ghl.put(C, {"email": "lead@x.com", "first_name": "Lead"})
    world.run()
    world.clock.advance(86_400)
    world.app.restore(backup)
    return world, keys


def test_a_restored_app_overwrites_nothing_and_deletes_nothing() -> None:
    """Records that went back are asked about one by one, and what is missing meanwhile is no deletion, night after night."""
    world, keys = restored()
    with world:
        for _ in range(3):
            result = world.run()
            assert not result.writes
            assert sorted((h.kind, h.field) for h in result.holds) == [
                ("conflict", "company"),
                ("conflict", "company"),
                ("conflict", "company"),
                ("delete", None),
            ]
            assert by_email(world, Side.GHL, "lead@x.com")
            world.clock.advance(86_400)
        for hold in result.holds[:2]:
            world.decide(hold, "ghl")
        world.decide(result.holds[2], "app")
        assert [(o.side, o.after["company"]) for o in world.run().writes].count(
            (Side.GHL, "Old")
        ) == 1
        assert sorted(
            cells["company"] for cells in world.cells(Side.APP).values() if "company" in cells
        ) == sorted(
            cells["company"] for cells in world.cells(Side.GHL).values() if "company" in cells
        )
        (lead,) = world.run().holds
        assert "undone by a restored backup" in lead.because
        world.decide(lead, "restore")
        world.run()
        assert by_email(world, Side.APP, "lead@x.com")
        assert keys[0] in world.cells(Side.APP)
        assert not world.run().operations


def test_a_restored_row_that_was_edited_before_the_run_is_asked_about_as_well() -> None:
    """Its time of change is new, but a value of it is one that this job saw replaced: GHL's correction is not undone by it."""
    world, keys = restored()
    with world:
        world.app.edit(C, keys[0], {"first_name": "Zed"})
        result = world.run()
        assert not result.writes
        asked = sorted(
            (hold.field, hold.app_key) for hold in result.holds if hold.kind == "conflict"
        )
        assert asked == [*(("company", key) for key in sorted(keys)), ("first_name", keys[0])]
        for hold in result.holds:
            if hold.kind == "conflict":
                world.decide(hold, "app" if hold.field == "first_name" else "ghl")
        world.run()
        assert {cells.get("company") for cells in world.cells(Side.APP).values()} == {
            "New 0",
            "New 1",
            "New 2",
        }
        assert world.cells(Side.GHL)[by_email(world, Side.GHL, "p0@x.com")]["first_name"] == "Zed"


def test_an_open_question_outlives_an_edit_of_another_field() -> None:
    """The night after it was asked somebody edits the restored row: its time is new, and GHL's correction waits for the answer."""
    world, keys = restored()
    with world:
        world.run()
        world.clock.advance(86_400)
        for key in keys:
            world.app.edit(C, key, {"first_name": "Zed"})
        for _ in range(2):
            result = world.run()
            asked = [hold for hold in result.holds if hold.field == "company"]
            assert sorted(str(hold.app_key) for hold in asked) == sorted(keys)
            world.clock.advance(86_400)
        for hold in result.holds:
            world.decide(hold, "app" if hold.field == "first_name" else "ghl")
        world.run()
        companies = {cells.get("company") for cells in world.cells(Side.APP).values()}
        assert companies == {"New 0", "New 1", "New 2"}
        names = [cells["first_name"] for cells in world.cells(Side.GHL).values()]
        assert names.count("Zed") == len(keys)


def test_a_value_that_somebody_sets_back_is_an_edit_where_nothing_went_back() -> None:
    """To type yesterday's value again is an edit like any other, as long as no record of that side is older than it was."""
    with World() as world:
        key = world.app.put(C, {"email": "ann@x.com", "first_name": "Ann", "company": "Old"})
        world.run()
        world.app.edit(C, key, {"company": "New"})
        world.run()
        world.app.edit(C, key, {"company": "Old"})
        assert not world.run().holds
        assert [cells["company"] for cells in world.cells(Side.GHL).values()] == ["Old"]


def test_an_app_that_went_back_is_refused_and_brought_back_by_name() -> None:
    """More of them than the limit refuse the run; one word brings all of them, and what is missing, back from GHL."""
    world, _ = restored(people=4, max_rewound=3)
    with world:
        with pytest.raises(Refused) as refusal:
            world.run()
        assert "4 linked records are older there than they were seen already, 1 are missing" in str(
            refusal.value
        )
        assert "--allow restore-app" in str(refusal.value)
        assert "--allow rewound-app" in str(refusal.value)
        world.run(allowed=["restore-app", "updates"])
        assert world.cells(Side.APP)
        for n in range(4):
            assert (
                world.cells(Side.APP)[by_email(world, Side.APP, f"p{n}@x.com")]["company"]
                == f"New {n}"
            )
        assert by_email(world, Side.APP, "lead@x.com")
        assert len(world.cells(Side.APP)) == len(world.cells(Side.GHL)) == 5
        assert not world.run().operations


def test_to_allow_what_went_back_asks_about_each() -> None:
    """`--allow rewound-app` lets the run go on with everything else; of what went back nothing is carried."""
    world, _ = restored(people=4, max_rewound=3)
    with world:
        world.app.put(C, {"email": "late@x.com", "first_name": "Late"})
        result = world.run(allowed=["rewound-app"])
        assert [o.kind for o in result.writes] == [OpKind.CREATE]
        assert len(result.holds) == 5
        assert world.cells(Side.GHL)[by_email(world, Side.GHL, "p0@x.com")]["company"] == "New 0"


def test_what_is_asked_about_refuses_no_later_night() -> None:
    """Once they were let through, the questions stand and the nights go on; a refused night asked nothing, and is refused again."""
    world, _ = restored(people=4, max_rewound=3)
    with world:
        for _ in range(2):
            with pytest.raises(Refused):
                world.run()
        asked = world.run(allowed=["rewound-app"]).holds
        world.app.put(C, {"email": "late@x.com", "first_name": "Late"})
        for _ in range(2):
            world.clock.advance(86_400)
            result = world.run()
            assert {hold.hold_id for hold in result.holds} == {hold.hold_id for hold in asked}
        assert by_email(world, Side.GHL, "late@x.com")


def test_an_app_is_brought_back_also_where_much_of_it_stays_a_question() -> None:
    """To bring it back by name is enough, though GHL is blank where the app is older: that is asked about, and refuses nothing."""
    world, keys = restored(people=4, max_rewound=3)
    with world:
        for n in range(4):
            key = by_email(world, Side.GHL, f"p{n}@x.com")
            world.ghl.edit(C, key, {"company": None})
        result = world.run(allowed=["restore-app", "updates"])
        assert len([hold for hold in result.holds if hold.field == "company"]) == 4
        assert by_email(world, Side.APP, "lead@x.com")
        assert {world.cells(Side.APP)[key]["company"] for key in keys} == {"Old"}


def test_a_blank_of_a_restored_backup_is_an_older_state_too() -> None:
    """A value that was empty at the time of the backup does not stand as an accepted difference: it is asked about, and brought back."""
    with World() as world:
        world.app.put(C, {"email": "ann@x.com", "first_name": "Ann"}, key="a1")
        world.run()
        world.clock.advance(86_400)
        backup = world.app.backup()
        world.app.edit(C, "a1", {"company": "X"})
        world.run()
        world.clock.advance(86_400)
        world.app.restore(backup)
        (hold,) = world.run().holds
        assert (hold.kind, hold.field) == ("conflict", "company")
        world.run(allowed=["restore-app"])
        assert world.cells(Side.APP)["a1"]["company"] == "X"
        assert not world.run().operations


def test_what_was_edited_on_both_sides_meanwhile_stays_a_question() -> None:
    """To bring a side back does not decide a conflict in which the other side was edited as well."""
    world, _ = restored(people=1)
    with world:
        world.ghl.edit(C, by_email(world, Side.GHL, "p0@x.com"), {"company": "Newer"})
        result = world.run(allowed=["restore-app"])
        assert [(h.kind, h.field) for h in result.holds] == [("conflict", "company")]
        assert not result.of(OpKind.UPDATE)


def test_an_index_that_lags_is_no_restored_backup() -> None:
    """An index entry older than our own write, and a clock that is seconds behind, are no state that went back."""
    with World(vices={Side.GHL: Vices(lag_seconds=30), Side.APP: Vices(lag_seconds=5)}) as world:
        world.app.put(C, {"email": "ann@x.com", "first_name": "Ann", "company": "Old"}, key="a1")
        for company in ("One", "Two", "Three"):
            world.run()
            world.app.edit(C, "a1", {"company": company})
            result = world.run()
            assert not result.holds
        world.clock.advance(60)
        world.run()
        assert [cells["company"] for cells in world.cells(Side.GHL).values()] == ["Three"]


# a key that is given to another person --------------------------------------------------------------------------------


def given_away() -> tuple[World, str]:
    """A world whose app deleted Ann with her task and note, and gave her key to Bob, who has a task of his own."""
    world = World(limits={"max_deletes": 100})
    world.app.put(
        C,
        {"email": "ann@x.com", "first_name": "Ann", "phone": "(415) 555-2671", "company": "X"},
        key="a1",
    )
    world.app.put(Entity.TASK, {"title": "Call Ann"}, key="t1", parent="a1")
    world.app.put(Entity.NOTE, {"body": "Ann likes tea"}, key="n1", parent="a1")
    world.app.put(C, {"email": "zoe@x.com", "first_name": "Zoe"}, key="a9")
    world.app.put(Entity.NOTE, {"body": "Zoe is here"}, key="n9", parent="a9")
    world.run()
    world.run()
    world.clock.advance(86_400)
    world.app.delete(C, "a1")
    world.app.put(C, {"email": "bob@x.com", "first_name": "Bob", "company": "X"}, key="a1")
    world.app.put(Entity.TASK, {"title": "Visit Bob"}, key="t2", parent="a1")
    return world, by_email(world, Side.GHL, "ann@x.com")


def test_a_key_given_to_another_person_is_asked_about() -> None:
    """Nobody is renamed, and no task or note goes or comes, until somebody says whether it is another person."""
    world, ann = given_away()
    with world:
        for _ in range(3):
            result = world.run()
            assert not result.writes
            (hold,) = result.holds
            assert (hold.kind, hold.side, hold.options) == ("another", Side.APP, ("same", "unlink"))
            assert "first_name, last_name, email, phone" in hold.because
        assert world.cells(Side.GHL)[ann]["first_name"] == "Ann"
        assert [cells["title"] for cells in world.cells(Side.GHL, Entity.TASK).values()] == [
            "Call Ann"
        ]
        assert len(world.cells(Side.GHL, Entity.NOTE)) == 2


@pytest.mark.parametrize("side", Side)
def test_what_hangs_on_another_person_waits_where_contacts_cannot_be_read(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The question stands in nights that see one end of the contact alone, and so does what hangs on both people."""
    world, _ = given_away()
    with world:
        (asked,) = world.run().holds
        tasks = {each: world.cells(each, Entity.TASK) for each in Side}
        break_off(world, side, monkeypatch)
        for _ in range(4):
            with seen(world) as found:
                whole = document(found.stage, world.mapping, found.about)
            assert whole["changes"] == []
            assert whole["verdict"]["code"] == "unread"
            assert whole["statement"]["unexplained"] == 0
            for entity in whole["values"]["entities"]:
                assert all(identity["holds"] for identity in entity["identities"])
        assert {each: world.cells(each, Entity.TASK) for each in Side} == tasks
        monkeypatch.undo()
        result = world.run()
        assert not result.writes
        assert [hold.hold_id for hold in result.holds] == [asked.hold_id]


def test_two_people_are_taken_apart() -> None:
    """Answered `unlink`, both sides have both people, each with the tasks and notes that are theirs, once."""
    world, ann = given_away()
    with world:
        (hold,) = world.run().holds
        world.decide(hold, "unlink")
        world.run()
        assert not world.run().operations
        for side in Side:
            names = {key: cells["first_name"] for key, cells in world.cells(side).items()}
            assert sorted(names.values()) == ["Ann", "Bob", "Zoe"]
            of = {
                (names[str(record.parent)], record.fields["title"])
                for record in world.sides[side].rows(Entity.TASK).values()
            }
            assert of == {("Ann", "Call Ann"), ("Bob", "Visit Bob")}
            notes_of = sorted(
                names[str(note.parent)] for note in world.sides[side].rows(Entity.NOTE).values()
            )
            assert notes_of == ["Ann", "Zoe"]
        assert world.cells(Side.GHL)[ann]["first_name"] == "Ann"


def test_the_same_person_changes_everything() -> None:
    """Answered `same`, the changes travel as any others, and so do those of tasks and notes."""
    world, ann = given_away()
    with world:
        (hold,) = world.run().holds
        world.decide(hold, "same")
        world.run()
        assert not world.run().operations
        assert world.cells(Side.GHL)[ann]["first_name"] == "Bob"
        assert [cells["title"] for cells in world.cells(Side.GHL, Entity.TASK).values()] == [
            "Visit Bob"
        ]


def test_a_person_who_changes_less_than_everything_is_the_same() -> None:
    """A new email alone, where nothing else was known, a marriage, and a change on both sides are edits like any other."""
    with World() as world:
        world.app.put(C, {"email": "ann@x.com"}, key="a1")
        world.app.put(C, {"email": "bea@x.com", "first_name": "Bea", "last_name": "Old"}, key="a2")
        world.run()
        bea = by_email(world, Side.GHL, "bea@x.com")
        world.app.edit(C, "a1", {"email": "ann@y.com", "first_name": "Ann"})
        world.app.edit(C, "a2", {"email": "bea@y.com", "last_name": "New"})
        assert not world.run().holds
        both = {"email": "cleo@x.com", "first_name": "Cleo", "last_name": "Third"}
        world.app.edit(C, "a2", both)
        world.ghl.edit(C, bea, both)
        result = world.run()
        assert not result.holds
        assert not result.writes


# a ledger of an earlier version ---------------------------------------------------------------------------------------


def test_an_earlier_ledger_knows_an_edit_only_where_we_never_wrote() -> None:
    """Its times of change count as a person's edit where this job never wrote; where it did, who was last is not known."""
    with linked(newest()) as world:
        with (
            world.ledger.engine.connect().execution_options(writes=True) as connection,
            connection.begin(),
        ):
            for side in Side:
                connection.exec_driver_sql(f"ALTER TABLE link DROP COLUMN {side}_edited")
            connection.exec_driver_sql("UPDATE ledger_version SET version_num = '0005'")
        world.reopen()
        names = ["app_modified", "app_edited", "ghl_edited"]
        ((row,),) = world.ledger.links(C, names)
        assert row[0] == row[1]
        assert row[2] is None


def test_nothing_is_written_into_a_record_that_went_back_until_all_is_answered() -> None:
    """A later edit in GHL, or an answer about one value, does not make the app's older values look new: GHL's stay until each is answered."""
    with World() as world:
        world.app.put(C, {"email": "ann@x.com", "first_name": "Ann", "company": "Old"}, key="a1")
        world.run()
        world.clock.advance(86_400)
        backup = world.app.backup()
        world.app.edit(C, "a1", {"first_name": "Anna", "company": "New"})
        world.run()
        world.clock.advance(86_400)
        world.app.restore(backup)
        assert sorted(str(h.field) for h in world.run().holds) == ["company", "first_name"]
        key = by_email(world, Side.GHL, "ann@x.com")
        world.clock.advance(86_400)
        world.ghl.edit(C, key, {"email": "anna@x.com"})
        result = world.run()
        assert not result.writes
        world.decide(next(h for h in result.holds if h.field == "company"), "ghl")
        for _ in range(2):
            world.clock.advance(86_400)
            result = world.run()
            assert not result.writes
            assert "first_name" in {h.field for h in result.holds}
        for hold in result.holds:
            world.decide(hold, "ghl")
        world.run()
        held = {"first_name": "Anna", "company": "New", "email": "anna@x.com"}
        assert held.items() <= world.cells(Side.APP)["a1"].items()
        assert held.items() <= world.cells(Side.GHL)[key].items()
        assert not world.run().operations
