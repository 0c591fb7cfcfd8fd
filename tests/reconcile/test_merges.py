"""Contacts that were merged on one side: the other side's record is asked about or linked anew, never deleted, never doubled."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from connectors.memory import Crash, Killed
from reconcile.model import Entity, Hold, OpKind, Side
from reconcile.values.codecs import Email, Labels, Name, Phone
from reconcile.values.policy import TAGS, OnMerge
from tests.builders import Result, World, contacts, field_of, mapping_of, notes, tasks
from tests.flows.nights import night
from tests.long_forms import tried

C, T, N = Entity.CONTACT, Entity.TASK, Entity.NOTE


def _world(**settings: Any) -> World:
    """Ann and Bob on both sides, linked, each with a task and a note. Deletions are mirrored at once."""
    email = field_of("email", Email(), also=dict.fromkeys(Side, ("more_emails",)))
    fields = (
        field_of("first_name", Name()),
        email,
        field_of("phone", Phone(region="US")),
        field_of("company"),
    )
    people = contacts(*fields, field_of("tags", Labels(), rule=TAGS), **settings)
    world = World(mapping=mapping_of(people, tasks(), notes()))
    for side in Side:
        world.sides[side]._fields[C]["more_emails"] = world.sides[side]._fields[C]["company"]
    for name in ("ann", "bob"):
        world.app.put(
            C, {"first_name": name.title(), "email": f"{name}@x.com", "company": "Mill"}, key=name
        )
    world.app.put(
        T,
        {"title": "Call", "due": "2026-01-01T10:00:00Z", "completed": False},
        parent="bob",
        key="t",
    )
    world.app.put(N, {"body": "met at the fair"}, parent="bob", key="n")
    world.app.put(
        T,
        {"title": "Mail", "due": "2026-01-01T10:00:00Z", "completed": False},
        parent="ann",
        key="t-ann",
    )
    world.app.put(N, {"body": "likes cats"}, parent="ann", key="n-ann")
    world.run()
    return world


@pytest.fixture(scope="module")
def settled() -> Iterator[World]:
    """See `_world`."""
    with _world() as made:
        yield made


@pytest.fixture
def world(settled: World) -> Iterator[World]:
    """The same, for one test."""
    with settled.copied() as made:
        yield made


@pytest.fixture(scope="module")
def merged(settled: World) -> Iterator[tuple[World, Hold]]:
    """GHL merged Bob into Ann, and a run asked about it."""
    with settled.copied() as made:
        made.ghl.merge(made.links()["ann"], made.links()["bob"])
        (hold,) = made.run().holds
        yield made, hold


@pytest.fixture
def asked(merged: tuple[World, Hold]) -> Iterator[World]:
    """The same, for one test."""
    with merged[0].copied() as made:
        yield made


@pytest.fixture
def hold(merged: tuple[World, Hold]) -> Hold:
    """The question that was asked."""
    return merged[1]


def _people(world: World, side: Side) -> list[str]:
    return sorted(str(cells["first_name"]) for cells in world.cells(side).values())


def _quiet(result: Result) -> bool:
    return not result.operations


@pytest.mark.parametrize("side", list(Side))
def test_a_merge_of_two_linked_contacts_is_asked_about_and_never_deletes(
    world: World, side: Side
) -> None:
    """One question, with the survivor; nothing of the loser's is deleted or doubled, tonight or later, and its children go on."""
    links = world.links()
    master, loser = ("ann", "bob") if side is Side.APP else (links["ann"], links["bob"])
    world.sides[side].merge(master, loser)
    for _ in range(3):
        result = world.run()
        assert [(hold.kind, hold.options, hold.values["survivor"]) for hold in result.holds] == [
            ("delete", ("keep", "delete"), master)
        ]
        assert "merged?" in result.holds[0].because
        assert _quiet(result)
    task = "t" if side.other is Side.APP else world.links(T)["t"]
    world.sides[side.other].edit(T, task, {"title": "Call back"})
    result = world.run()
    assert [(op.kind, op.entity, op.parent_key) for op in result.operations] == [
        (OpKind.UPDATE, T, master)
    ]
    assert {cells["title"] for each in Side for cells in world.cells(each, T).values()} == {
        "Call back",
        "Mail",
    }
    assert _people(world, side.other) == ["Ann", "Bob"]
    assert [len(world.sides[each].rows(entity)) for each in Side for entity in (T, N)] == [
        2,
        2,
        2,
        2,
    ]


def test_a_question_about_a_merge_outlives_what_showed_it(world: World) -> None:
    """All that the survivor had of the loser goes from GHL: who was asked about is not deleted for that."""
    links = world.links()
    world.ghl.merge(links["ann"], links["bob"])
    night(world)
    world.ghl.edit(C, links["ann"], {"more_emails": []})
    for entity, key in ((T, "t"), (N, "n")):
        world.ghl.delete(entity, world.links(entity)[key])
    for _ in range(2):
        asked = [hold["kind"] for hold in night(world).document["holds"]]
        assert asked == ["delete"]
        assert _people(world, Side.APP) == ["Ann", "Bob"]


def test_a_question_about_a_changed_record_outlives_the_change(world: World) -> None:
    """Deleted in GHL, changed in the app; the change is taken back before somebody answers: nothing is deleted unasked."""
    was = world.cells(Side.APP)["bob"]["company"]
    world.ghl.delete(C, world.links()["bob"])
    for company in ("Else", was, was):
        world.app.edit(C, "bob", {"company": company})
        asked = [hold["kind"] for hold in night(world).document["holds"]]
        assert asked == ["delete"]
        assert _people(world, Side.APP) == ["Ann", "Bob"]


@pytest.mark.parametrize("edited", ["task", "note", "new note"])
def test_an_answer_does_not_count_for_what_was_typed_after_it(
    asked: World, hold: Hold, edited: str
) -> None:
    """To delete the loser's person was answered before somebody edited a task or note of his: that edit goes across first."""
    world = asked
    world.decide(hold, "delete")
    if edited == "task":
        world.app.edit(T, "t", {"title": "Call back"})
    elif edited == "note":
        world.app.edit(N, "n", {"body": "met at the ball"})
    else:
        world.app.put(N, {"body": "met at the ball"}, parent="bob")
    result = world.run()
    assert not [op for op in result.operations if op.kind is OpKind.DELETE]
    assert [again.kind for again in result.holds] == ["delete"]
    assert "changed in the app since" in result.holds[0].because
    assert _people(world, Side.APP) == ["Ann", "Bob"]
    typed = {"task": ("Call back", T, "title")}.get(edited, ("met at the ball", N, "body"))
    if edited == "new note":  # it has no place in GHL: whoever answers again has been told of it
        world.decide(result.holds[0], "keep")
        world.run()
        assert typed[0] in {cells[typed[2]] for cells in world.cells(Side.APP, typed[1]).values()}
        return
    world.run()
    world.run()
    assert _people(world, Side.APP) == ["Ann"]
    for side in Side:
        assert typed[0] in {cells[typed[2]] for cells in world.cells(side, typed[1]).values()}
    assert [len(world.sides[side].rows(entity)) for side in Side for entity in (T, N)] == [
        2,
        2,
        2,
        2,
    ]


def test_a_task_that_is_deleted_after_the_merge_is_deleted_where_it_hangs(asked: World) -> None:
    """GHL's task hangs on the survivor: there it is deleted, not looked for under the contact that is gone."""
    world = asked
    world.app.delete(T, "t")
    result = world.run()
    assert [(op.kind, op.entity, op.parent_key) for op in result.operations] == [
        (OpKind.DELETE, T, world.links()["ann"])
    ]
    assert len(world.ghl.rows(T)) == 1


def test_kept_apart_the_two_records_stay(asked: World, hold: Hold) -> None:
    """`keep`: the app has two people, GHL one; nobody is asked again, and nothing is made."""
    world = asked
    world.decide(hold, "keep")
    for _ in range(2):
        result = world.run()
        assert (result.holds, _quiet(result)) == ((), True)
    assert (_people(world, Side.APP), _people(world, Side.GHL)) == (["Ann", "Bob"], ["Ann"])


@pytest.mark.parametrize("confirmed", [True, False])
def test_deleted_by_a_persons_word_its_tasks_and_notes_live_on_with_the_survivor(
    world: World,
    *,
    confirmed: bool,
) -> None:
    """`delete`: the app's loser goes; what GHL moved to the survivor is the survivor's on both sides, once, whoever was looked at again."""
    world.limits = {} if confirmed else {"max_confirm": 0}
    world.ghl.merge(world.links()["ann"], world.links()["bob"])
    world.decide(world.run().holds[0], "delete")
    world.run()
    world.run()
    assert _quiet(world.run())
    assert (_people(world, Side.APP), _people(world, Side.GHL)) == (["Ann"], ["Ann"])
    for entity in (T, N):
        assert [row.parent for row in world.app.rows(entity).values()] == ["ann", "ann"]
        assert [row.parent for row in world.ghl.rows(entity).values()] == [world.links()["ann"]] * 2


def test_the_statement_balances_where_what_a_merge_left_is_made_again(
    asked: World, hold: Hold
) -> None:
    """`delete`: the task and the note that go, and those that come in their place, are each in one class."""
    asked.decide(hold, "delete")
    told = night(asked)
    assert told.document["statement"]["broken"] == []
    assert (told.document["statement"]["unexplained"], told.exit_code) == (0, 0)


@pytest.mark.parametrize("at", tried(range(1, 7), [1, 3, 6]))
def test_a_kill_between_the_writes_of_a_merge_leaves_nothing_twice(
    asked: World, hold: Hold, at: int
) -> None:
    """`delete`, and the run is killed after any of its writes: at no moment is a task or note of the loser's in the app twice."""
    world = asked
    world.decide(hold, "delete")
    world.set_vices(Side.APP, crash=Crash(world.app.carried_out + at, "after"))
    with suppress(Killed):
        world.run()
    world.set_vices(Side.APP, crash=None)
    world.reopen()
    for entity in (T, N):
        rows = world.cells(Side.APP, entity).values()
        assert len({str(cells) for cells in rows}) == len(rows) <= 2
    for _ in range(2):
        world.run()
    assert _quiet(world.run())
    for entity in (T, N):
        assert [row.parent for row in world.app.rows(entity).values()] == ["ann", "ann"]


def test_deleted_in_the_app_after_the_merge_its_tasks_and_notes_live_on_with_the_survivor(
    asked: World,
) -> None:
    """A user of the app deletes the loser, with what hangs on it: what GHL moved to the survivor comes back there, in the same run."""
    world = asked
    world.app.delete(C, "bob")
    world.run()
    assert _quiet(world.run())
    for entity in (T, N):
        assert [row.parent for row in world.app.rows(entity).values()] == ["ann", "ann"]


@pytest.mark.parametrize("rule", list(OnMerge))
def test_p6_a_contact_merged_into_one_that_is_new_is_linked_with_it_where_the_rule_says_so(
    rule: OnMerge,
) -> None:
    """A social contact that took Bob over: asked about by default; with "relink" Bob's link leads to it, tasks and notes with it."""
    with _world(merged=rule) as world:
        social = world.ghl.put(C, {"first_name": "Bobby", "email": "bobby@social.com"})
        world.ghl.merge(social, world.links()["bob"])
        result = world.run()
        if rule is OnMerge.HOLD:
            assert ("delete", ("delete", "relink", "keep")) in [
                (hold.kind, hold.options) for hold in result.holds
            ]
            assert _people(world, Side.APP) == ["Ann", "Bob"]
            return
        assert world.links()["bob"] == social
        world.run()
        assert len(world.app.rows(C)) == len(world.ghl.rows(C)) == 2
        assert [len(world.sides[each].rows(entity)) for each in Side for entity in (T, N)] == [
            2,
            2,
            2,
            2,
        ]
        assert world.ghl.rows(T)[world.links(T)["t"]].parent == social
        assert _quiet(world.run())


def test_relink_needs_certainty() -> None:
    """Where the survivor has a counterpart of its own, or is one of two, "relink" asks like "hold"."""
    with _world(merged=OnMerge.RELINK) as world:
        world.ghl.merge(world.links()["ann"], world.links()["bob"])
        result = world.run()
        assert [(hold.kind, hold.options) for hold in result.holds] == [
            ("delete", ("keep", "delete"))
        ]
        assert _quiet(result)


def test_a_plain_deletion_is_mirrored_as_before(world: World) -> None:
    """Nobody carries Bob's email: he was deleted, and goes."""
    world.ghl.delete(C, world.links()["bob"])
    world.run()
    assert _people(world, Side.APP) == ["Ann"]


def test_two_who_share_a_phone_are_no_merge(world: World) -> None:
    """Each is known by an email of its own: what they share under a later rule is no evidence."""
    for name in ("ann", "bob"):
        world.app.edit(C, name, {"phone": "+14155550100"})
    world.run()
    world.ghl.delete(C, world.links()["bob"])
    world.run()
    assert _people(world, Side.APP) == ["Ann"]


@pytest.mark.parametrize("side", list(Side))
def test_a_merge_that_nothing_but_its_tasks_and_notes_shows_is_asked_about(
    world: World, side: Side
) -> None:
    """Bob got another email, which the job never saw, and was merged: what hung on him hangs on Ann now, so he was not deleted."""
    here, there = world.sides[side], world.sides[side.other]
    keys = {name: key for key, name in _named(world, side).items()}
    here.edit(C, keys["Bob"], {"email": "robert@x.com"})
    here.merge(keys["Ann"], keys["Bob"])
    result = world.run()
    assert not result.of(OpKind.DELETE, C)
    (hold,) = [hold for hold in result.holds if hold.kind == "delete"]
    assert f"its tasks or notes hang on record {keys['Ann']} now" in hold.because
    assert hold.values["survivor"] == keys["Ann"]
    assert len(there.rows(C)) == 2
    assert len(there.rows(T)) == len(there.rows(N)) == 2


def test_a_merge_is_seen_by_what_the_record_that_is_left_is_known_by(world: World) -> None:
    """Bob's new email was typed on both sides, unseen by any run, before GHL merged him: the app's Bob is known by it."""
    for entity in (T, N):
        for key, row in world.ghl.rows(entity).items():
            if row.parent == world.links()["bob"]:
                world.ghl.delete(entity, key)
    world.run()
    ann, bob = world.links()["ann"], world.links()["bob"]
    world.app.edit(C, "bob", {"email": "robert@x.com"})
    world.ghl.edit(C, bob, {"email": "robert@x.com"})
    world.ghl.merge(ann, bob)
    result = world.run()
    assert not result.of(OpKind.DELETE, C)
    (hold,) = [hold for hold in result.holds if hold.kind == "delete"]
    assert hold.values["survivor"] == ann


def _named(world: World, side: Side) -> dict[str, str]:
    """First names by key."""
    return {key: str(cells["first_name"]) for key, cells in world.cells(side).items()}
