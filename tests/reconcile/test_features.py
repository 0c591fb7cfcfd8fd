"""One test for each promised feature of change detection, identity, conflicts, delete safety and approval, named after it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from connectors.memory import Vices
from flows.run import Options
from flows.steps import steps
from reconcile.apply.apply import chunks
from reconcile.errors import Refused
from reconcile.model import Entity, OpKind, Side, Snapshot, Status
from reconcile.plan import planfile
from reconcile.plan.limits import NAMES, Facts, Limits, breaches
from reconcile.plan.plan import Group, estimate
from reconcile.plan.selection import narrowed
from reconcile.ports import Description, Usage
from reconcile.values.policy import OnConflict, OnCreate, OnDelete, Rule
from tests.builders import (
    HOLD,
    MIRROR,
    Result,
    World,
    by_email,
    contacts,
    field_of,
    mapping_of,
    notes,
    plan_of,
    small_stage,
    tasks,
)

C, T, N = Entity.CONTACT, Entity.TASK, Entity.NOTE


@pytest.fixture(scope="module")
def settled() -> Iterator[tuple[World, Result, Result]]:
    """A world after its first run, then edits on both sides, then its second run; the results of both."""
    with World(whole=True, vices={Side.GHL: Vices(lowercase_tags=True, e164=True)}) as world:
        world.app.put(
            C, {"email": "ann@x.com", "first_name": "Ann", "phone": "(888) 555-1212"}, key="a1"
        )
        world.ghl.put(C, {"email": "ANN@x.com", "company": "ACME"}, key="g1")
        world.app.put(C, {"email": "bob@x.com", "company": "Old"}, key="a2")
        first = world.run()
        world.app.edit(
            C, "a1", {"first_name": "Anna", "last_name": "Lee", "phone": "+1 888 555 1212"}
        )
        world.ghl.edit(C, "g1", {"company": "NEW", "last_name": "Lee"})
        world.app.edit(C, "a2", {"company": "A"})
        world.ghl.edit(C, by_email(world, Side.GHL, "bob@x.com"), {"company": "B"})
        yield world, first, world.run()


Settled = tuple[World, Result, Result]


def test_b1_three_way_with_stored_values_of_both_sides(settled: Settled) -> None:
    """The ledger holds what each side last showed, field by field, in each side's own form."""
    world, _, _ = settled
    row = next(row for row in world.baseline().values() if row["app_key"] == "a1")
    assert json.loads(row["app_cells"])["company"] == "NEW"
    assert json.loads(row["ghl_cells"])["first_name"] == "Anna"


def test_b2_merge_is_per_field(settled: Settled) -> None:
    """Two people's edits of two fields of one record both arrive."""
    _, _, second = settled
    changes = {
        (o.side, name): cell for o in second.of(OpKind.UPDATE) for name, cell in o.after.items()
    }
    assert changes == {(Side.APP, "company"): "NEW", (Side.GHL, "first_name"): "Anna"}


def test_b3_the_base_advances_from_what_was_read_back() -> None:
    """Where GHL drops a value, its baseline is what it answered, not what was sent; a refused write advances nothing."""
    with World(vices={Side.GHL: Vices(drops=frozenset({"company"}))}) as world:
        world.app.put(C, {"email": "ann@x.com"}, key="a1")
        world.run()
        world.app.edit(C, "a1", {"company": "X"})
        world.set_vices(Side.GHL, drops=frozenset(), rejects=lambda write: "READ_ONLY")
        assert [o.status for o in world.run().outcomes] == [Status.REJECTED]
        assert "company" not in str(next(iter(world.baseline().values()))["app_cells"])
        world.set_vices(Side.GHL, drops=frozenset({"company"}), rejects=lambda write: None)
        assert [o.code for o in world.run().outcomes] == ["VALUE_DROPPED"]
        (row,) = world.baseline().values()
        assert json.loads(row["app_cells"])["company"] == "X"
        assert "company" not in json.loads(row["ghl_cells"])
        assert not world.plan().operations


def test_b4_and_b9_snapshots_are_kept_and_named_in_the_plan(settled: Settled) -> None:
    """The plan names what it was concluded from: a fingerprint for each entity of each side, the same for the same content."""
    world, first, second = settled
    assert set(second.plan.snapshots) == {f"{e}.{s}" for e in (C, T, N) for s in Side}
    assert first.plan.snapshots["contact.app"] != second.plan.snapshots["contact.app"]
    assert world.plan().plan.snapshots == world.plan().plan.snapshots


def test_b5_a_full_compare_sees_what_no_event_told() -> None:
    """An edit that left the modification time alone is found all the same."""
    with World(vices={Side.GHL: Vices(undated=frozenset({C}), unversioned=True)}) as world:
        world.ghl.put(C, {"email": "ann@x.com"}, key="g1")
        world.run()
        world.run()
        world.ghl.edit(C, "g1", {"company": "X"})
        assert [dict(o.after) for o in world.run().operations] == [{"company": "X"}]


def test_b6_equal_edits_on_both_sides_are_no_conflict(settled: Settled) -> None:
    """Both sides changed the last name to the same value: neither a hold nor a write."""
    _, _, second = settled
    assert all("last_name" not in o.after for o in second.operations)
    assert all(h.field != "last_name" for h in second.holds)


def test_b7_a_change_of_notation_alone_is_no_change(settled: Settled) -> None:
    """A phone that was written otherwise is not sent."""
    _, _, second = settled
    assert all("phone" not in o.after for o in second.operations)


def test_b8_a_partial_snapshot_speaks_of_what_it_covers_alone() -> None:
    """With notes of one contact read, notes of another are neither missing nor created twice."""
    with World(vices={Side.GHL: Vices(lowercase_tags=True)}, notes_budget=1) as world:
        for name in ("a", "b", "c"):
            key = world.app.put(C, {"email": f"{name}@x.com"}, key=name)
            world.app.put(N, {"body": f"note of {name}"}, parent=key)
        results = [world.run() for _ in range(6)]
        assert len(world.ghl.rows(N)) == 3
        assert not [o for result in results for o in result.of(OpKind.DELETE)]
        assert not world.plan().operations


def test_c1_one_record_has_one_link() -> None:
    """A create that is answered with a record which another link has does not take it away, and the run settles."""
    with World(
        vices={Side.GHL: Vices(unique=("phone",))},
        mapping=mapping_of(contacts(match=(("email",),))),
    ) as world:
        world.app.put(C, {"email": "ann@x.com", "phone": "+18885551212"}, key="a1")
        world.run()
        world.app.put(C, {"email": "bob@x.com", "phone": "+18885551212"}, key="a2")
        result = world.run()
        assert [o.code for o in result.outcomes] == ["EXISTS"]
        assert set(world.links()) == {"a1"}
        assert result.settlement is not None


def test_c2_keys_are_tried_in_order_and_further_addresses_count() -> None:
    """A second address of a GHL contact links it to the app's record of that address."""
    email = replace(field_of("email", contacts().field("email").codec), also={Side.GHL: ("more",)})
    with World(
        mapping=mapping_of(contacts(email, field_of("phone"), match=(("email",), ("phone",))))
    ) as world:
        world.app.put(C, {"email": "old@x.com", "more": None}, key="a1")
        world.ghl.put(C, {"email": "new@x.com", "more": ["old@x.com"]}, key="g1")
        result = world.plan()
        assert [(o.source_key, o.key) for o in result.of(OpKind.ADOPT)] == [("a1", "g1")]


def test_c2_the_one_that_a_held_record_would_have_been_linked_with_is_held_as_well() -> None:
    """A contact with two addresses meets one record under the first and two under the second: all four are asked about."""
    email = replace(field_of("email", contacts().field("email").codec), also={Side.GHL: ("more",)})
    with World(mapping=mapping_of(contacts(email, match=(("email",),)))) as world:
        for key, address in (("a1", "one@x.com"), ("a2", "two@x.com"), ("a3", "two@x.com")):
            world.app.put(C, {"email": address, "more": None}, key=key)
        world.ghl.put(C, {"email": "one@x.com", "more": ["two@x.com"]}, key="g1")
        result = world.plan()
        assert result.operations == ()
        assert sorted((h.kind, h.subject) for h in result.holds) == [
            ("ambiguous", key) for key in ("a1", "a2", "a3", "g1")
        ]


@pytest.mark.parametrize(
    ("create", "made"), [(OnCreate.NONE, 0), (OnCreate.GHL, 1), (OnCreate.BOTH, 2)]
)
def test_c3_match_only_or_match_then_create(create: OnCreate, made: int) -> None:
    """The rule says on which sides records may be created; what it leaves out is told."""
    with World(mapping=mapping_of(contacts(create=create))) as world:
        world.app.put(C, {"email": "ann@x.com"})
        world.ghl.put(C, {"email": "bob@x.com"})
        result = world.plan()
        assert len(result.of(OpKind.CREATE)) == made
        assert len(result.passed) == 2 - made


def test_c4_a_first_run_deletes_nothing_and_asks_before_it_creates_everything() -> None:
    """Sixty records on one side alone are refused by name on a first run, and none is deleted."""
    with World() as world:
        for number in range(60):
            world.app.put(C, {"email": f"p{number}@x.com"})
        with pytest.raises(Refused, match="--allow first-creates"):
            world.run()
        assert not world.ghl.rows(C)
        assert len(world.run(allowed=["first-creates"]).of(OpKind.CREATE)) == 60
        assert not world.plan().operations


def test_c5_c6_c7_what_could_be_several_is_held_with_its_evidence() -> None:
    """Two app records of one address: both held with rule and candidates, and nothing is created or guessed."""
    with World() as world:
        for key in ("a1", "a2"):
            world.app.put(C, {"email": "ann@x.com"}, key=key)
        world.ghl.put(C, {"email": "ann@x.com"}, key="g1")
        world.app.put(C, {"email": "bob@x.com"}, key="a3")
        world.app.put(C, {"email": "bob@x.com"}, key="a4")
        result = world.plan()
        assert not result.operations
        found = {
            h.app_key or h.ghl_key: (h.kind, h.values["rule"], h.values["candidates"])
            for h in result.holds
        }
        assert found["a1"] == ("ambiguous", "email", ["g1"])
        assert found["g1"] == ("ambiguous", "email", ["a1", "a2"])
        assert found["a3"] == ("duplicate", "email", ["a4"])


def test_c9_an_external_id_field_is_the_first_rule() -> None:
    """Records that carry the other's id are linked by it, whatever their addresses say."""
    mapped = contacts(field_of("ref"), field_of("email"), match=(("ref",), ("email",)))
    with World(mapping=mapping_of(mapped)) as world:
        world.app.put(C, {"ref": "7", "email": "new@x.com"}, key="a1")
        world.ghl.put(C, {"ref": "7", "email": "old@x.com"}, key="g1")
        result = world.plan()
        assert [(o.source_key, o.key, o.because) for o in result.of(OpKind.ADOPT)] == [
            ("a1", "g1", "the two records have the same ref")
        ]


def test_d1_and_d2_a_rule_decides_and_the_loser_is_kept() -> None:
    """With conflict = app the plan holds GHL's value that it overwrites, marked as risky."""
    rule = Rule(conflict=OnConflict.APP)
    with World(
        mapping=mapping_of(
            contacts(field_of("email"), field_of("company", rule=rule), match=(("email",),))
        )
    ) as world:
        world.app.put(C, {"email": "ann@x.com", "company": "A"})
        world.ghl.put(C, {"email": "ann@x.com", "company": "B"})
        (update,) = world.run().of(OpKind.UPDATE)
        assert (dict(update.before), dict(update.after), update.risk) == (
            {"company": "B"},
            {"company": "A"},
            "high",
        )


def test_d3_the_conflict_queue_has_age_and_the_same_hold_keeps_its_name(settled: Settled) -> None:
    """A conflict keeps its hold_id and first_seen from run to run."""
    world, _, second = settled
    before = {row.hold_id: row.first_seen for row in world.ledger.holds()}
    world.run()
    assert {row.hold_id: row.first_seen for row in world.ledger.holds()} == before
    assert {h.hold_id for h in second.holds} == set(before)


def test_d4_delete_against_change_is_a_question() -> None:
    """A record that was deleted there and changed here is held, though deletes are mirrored."""
    with World() as world:
        for key in ("a1", "a2"):
            world.app.put(C, {"email": f"{key}@x.com"}, key=key)
        world.run()
        world.ghl.delete(C, by_email(world, Side.GHL, "a1@x.com"))
        world.app.edit(C, "a1", {"company": "X"})
        result = world.run()
        assert not result.operations
        assert [(h.kind, h.app_key) for h in result.holds] == [("delete", "a1")]


@pytest.mark.parametrize("policy", list(OnDelete))
def test_e1_and_e8_deletes_have_a_switch_per_side_and_entity(policy: OnDelete) -> None:
    """Hold asks, mirror deletes, archive flags, ignore does nothing; tasks have their own switch."""
    delete = {Side.APP: policy, Side.GHL: OnDelete.HOLD}
    with World(mapping=mapping_of(contacts(), tasks(delete=delete), notes())) as world:
        world.app.put(C, {"email": "ann@x.com"}, key="a1")
        for title in ("Call", "Mail"):
            world.app.put(T, {"title": title, "due": "2026-01-01T00:00:00Z"}, parent="a1")
        world.run()
        world.ghl.delete(T, "ghl-task-1")
        result = world.plan()
        expected = {
            OnDelete.HOLD: [],
            OnDelete.IGNORE: [],
            OnDelete.MIRROR: ["delete"],
            OnDelete.ARCHIVE: ["archive"],
        }
        assert [o.kind for o in result.operations] == expected[policy]
        assert len(result.holds) == (policy is OnDelete.HOLD)


def _facts(**members: object) -> Facts:
    usual: dict[str, object] = {"snapshots": {}, "links": {C: 1000}}
    return Facts(**(usual | members))  # type: ignore[arg-type]


def _snapshot(rows: int, *, complete: bool = True) -> Snapshot:
    return Snapshot(C, Side.GHL, rows, complete, "2026-01-01T00:00:00Z", "f")


def _names(facts: Facts, *groups: Group, allowed: tuple[str, ...] = ()) -> list[str]:
    names = [
        breach.name for breach in breaches(plan_of(groups=groups), facts, Limits(), allowed=allowed)
    ]
    assert NAMES.issuperset(names), "what --allow does not take cannot be allowed"
    return names


def test_e2_an_empty_listing_is_refused() -> None:
    """A complete snapshot without a row, where records are linked, goes no further."""
    facts = _facts(snapshots={(C, Side.GHL): _snapshot(0)})
    assert _names(facts) == ["empty-ghl"]
    assert _names(facts, allowed=("empty-ghl",)) == []


def test_e3_without_proof_of_completeness_no_delete_is_concluded() -> None:
    """Half of an extraction: what is not in it is neither deleted nor created again, and the plan says why not."""
    with World() as world:
        for number in range(6):
            world.app.put(C, {"email": f"p{number}@x.com"})
        world.run()
        world.set_vices(Side.GHL, incomplete={C: "page 2 answered 500"})
        world.app.put(C, {"email": "new@x.com"})
        result = world.run()
        assert not result.operations
        assert [(p[3], p[4].split(",")[0]) for p in result.passed] == [
            ("not_checked", "GHL was not read completely in this run")
        ]


def test_e4_deletes_have_an_absolute_limit_and_a_share() -> None:
    """26 of 10,000 and 3 of 100 are too many; 25 of 10,000 and 2 of 100 are not."""
    assert _names(_facts(links={C: 10_000}), Group(C, Side.APP, OpKind.DELETE, 26)) == ["deletes"]
    assert _names(_facts(links={C: 100}), Group(C, Side.APP, OpKind.DELETE, 3)) == ["deletes"]
    assert _names(_facts(links={C: 10_000}), Group(C, Side.APP, OpKind.DELETE, 25)) == []
    assert _names(_facts(links={C: 100}), Group(C, Side.APP, OpKind.DELETE, 2)) == []


def test_e5_a_run_that_would_change_everything_is_refused() -> None:
    """More than half of the linked records changed on one side is a mapping gone wrong until somebody says otherwise."""
    assert _names(_facts(), Group(C, Side.GHL, OpKind.UPDATE, 501)) == ["updates"]
    assert _names(_facts(), Group(C, Side.GHL, OpKind.UPDATE, 500)) == []


def test_e6_another_database_is_refused_and_another_mapping_forces_a_rebase() -> None:
    """A changed identity is named; a changed mapping looks at every link again and wipes nothing."""
    assert _names(_facts(changed_identity=[Side.APP])) == ["another-app"]
    with World() as world:
        world.app.put(C, {"email": "ann@x.com", "company": "X"}, key="a1")
        world.run()
        world.run()
        world.mapping = mapping_of(contacts(*contacts().fields[:4]), tasks(), notes())
        assert not world.run().operations
        world.mapping = mapping_of()
        assert not world.run().operations
        assert world.cells(Side.APP)["a1"]["company"] == "X"


def test_e7_absent_in_two_complete_runs_and_confirmed_by_a_read() -> None:
    """A record that the index does not show, and that a read by key finds, is not gone."""
    with World(
        mapping=mapping_of(contacts(absent_runs=2)), vices={Side.GHL: Vices(lag_seconds=60)}
    ) as world:
        world.app.put(C, {"email": "ann@x.com"}, key="a1")
        world.app.put(C, {"email": "bob@x.com"}, key="a2")
        results = [world.run() for _ in range(3)]
        assert [len(result.operations) for result in results] == [2, 0, 0]
        world.ghl.delete(C, by_email(world, Side.GHL, "ann@x.com"))
        world.clock.advance(120)
        assert [[o.kind for o in world.run().operations] for _ in range(2)] == [[], [OpKind.DELETE]]


def test_e9_every_refusal_names_its_override_and_the_danger() -> None:
    """The words of a breach say what would happen, the figure, the limit, the flag, and what it would do."""
    plan = plan_of(groups=(Group(C, Side.APP, OpKind.DELETE, 26),))
    (breach,) = breaches(plan, _facts(), Limits())
    assert (
        "26 of 1,000 linked contacts would be deleted in the app; the limit is 25 (max_deletes)"
        in str(breach)
    )
    assert "--allow deletes   (deletes 26 contacts in the app" in str(breach)


def test_g1_g2_g3_a_plan_alone_writes_nothing_and_shows_each_field() -> None:
    """Making a plan changes neither side nor ledger; its file holds before, after and because, under one digest."""
    with World() as world:
        world.app.put(C, {"email": "ann@x.com"}, key="a1")
        result = world.plan()
        assert not world.ghl.rows(C)
        assert world.ledger.state().generation == 0
        (create,) = planfile.operations(result.path)
        assert dict(create.after) == {"email": "ann@x.com"}
        assert create.because
        assert world.plan().plan.digest == result.plan.digest == planfile.digest(result.path)


def test_g4_each_record_is_rechecked_and_only_the_stale_one_drops_out() -> None:
    """A record that somebody edits between plan and apply is left alone, with the reason; the others are written."""
    with World() as world:
        for key in ("a1", "a2"):
            world.app.put(C, {"email": f"{key}@x.com", "company": "Old"}, key=key)
        world.run()
        for key in ("a1", "a2"):
            world.app.edit(C, key, {"company": "New"})
        theirs = by_email(world, Side.GHL, "a1@x.com")
        result = world.run(between=lambda: world.ghl.edit(C, theirs, {"company": "Theirs"}))
        assert sorted((o.status, o.code) for o in result.outcomes) == [
            ("done", ""),
            ("stale", "CHANGED"),
        ]
        assert world.cells(Side.GHL)[theirs]["company"] == "Theirs"


@pytest.mark.parametrize(
    ("only", "carried"),
    [
        (("contact.update",), {"company"}),
        (("task",), {"due"}),
        (("a1",), {"company"}),
        (("ghl.low", "t1"), {"company", "due"}),
    ],
)
def test_g5_a_part_of_the_plan_can_be_approved(only: tuple[str, ...], carried: set[str]) -> None:
    """The named part is carried out, the rest of the plan is not, and the next plan has exactly the rest; limits see the part."""
    mapping = mapping_of(contacts(delete=MIRROR), tasks())
    with World(mapping=mapping, limits={"max_deletes": 0, "max_delete_share": 0.0}) as world:
        for key in ("a1", "a2", "a3"):
            world.app.put(C, {"email": f"{key}@x.com"}, key=key)
        world.app.put(T, {"title": "Call", "completed": False}, parent="a2", key="t1")
        world.run()
        world.app.edit(C, "a1", {"company": "X"})
        world.app.edit(T, "t1", {"due": "2026-01-01T10:00:00Z"})
        world.app.delete(C, "a3")
        whole = {o.op_id for o in world.plan().operations}
        with small_stage(world.folder / "runs" / "part") as stage:
            run = world.open(stage)
            plan = world.look(run)
            with pytest.raises(Refused, match="deletes"):
                steps.check(run, plan)
            run = replace(run, options=Options(only=only))
            part = narrowed(plan, lambda: steps.operations(run), only)
            steps.check(run, part)
            for chunk in chunks(steps.operations(run), 200):
                steps.apply(run, chunk)
            steps.settle_run(run)
            done = {o.op_id: set(o.after) for o in steps.operations(run)}
        assert {name for fields in done.values() for name in fields} == carried
        assert part.operations == len(done) == len(list(run.journal.entries()))
        left = world.plan().operations
        assert len(left) == len(whole) - len(done)
        assert OpKind.DELETE in {o.kind for o in left}


@pytest.mark.parametrize(
    ("only", "linked"),
    [
        (("g1",), {C: {"g1"}, T: set()}),  # an update and the link that it needs
        (("task.adopt",), {C: {"g2"}, T: {"gt"}}),  # a task's link, and its contact's
        (("contact.adopt",), {C: {"g1", "g2"}, T: set()}),
        ((), {C: {"g1", "g2"}, T: {"gt"}}),
    ],
)
def test_g5_links_outside_the_approved_part_are_not_made(
    only: tuple[str, ...], linked: dict[Entity, set[str]]
) -> None:
    """A link decides what is deleted and changed later: the ledger learns those of the approved part, and the rest stays planned."""
    with World(mapping=mapping_of(contacts(), tasks())) as world:
        for number, company in ((1, "X"), (2, None)):
            world.app.put(C, {"email": f"{number}@x.com", "company": company}, key=f"a{number}")
            world.ghl.put(C, {"email": f"{number}@x.com"}, key=f"g{number}")
        world.app.put(T, {"title": "Call", "completed": False}, parent="a2", key="t")
        world.ghl.put(T, {"title": "Call", "completed": False}, parent="g2", key="gt")
        with small_stage(world.folder / "runs" / "part") as stage:
            run = world.open(stage)
            world.look(run)
            run = replace(run, options=Options(only=only))
            for chunk in chunks(steps.operations(run), 200):
                steps.apply(run, chunk)
            steps.settle_run(run)
        assert {entity: set(world.links(entity).values()) for entity in (C, T)} == linked
        world.run()
        assert {entity: set(world.links(entity).values()) for entity in (C, T)} == {
            C: {"g1", "g2"},
            T: {"gt"},
        }
        assert world.plan().operations == ()


def test_g5_a_part_that_the_plan_has_not_is_refused() -> None:
    """A word that fits nothing is named, rather than taken for nothing to do."""
    with pytest.raises(Refused, match=r"nothing in the plan is contact\.dleete"):
        narrowed(plan_of(), list, ("contact.dleete",))


def test_g6_deletes_and_contested_values_are_the_risky_tier() -> None:
    """A mirrored delete is of high risk, a plain update of low."""
    with World() as world:
        for key in ("a1", "a2", "a3"):
            world.app.put(C, {"email": f"{key}@x.com"}, key=key)
        world.run()
        world.app.delete(C, "a1")
        world.app.edit(C, "a2", {"company": "X"})
        assert {o.kind: o.risk for o in world.plan().operations} == {
            OpKind.UPDATE: "low",
            OpKind.DELETE: "high",
        }


def test_g7_the_estimate_says_whether_it_fits_tonight() -> None:
    """Requests, the least time the window allows, and nights of quota."""
    described = Description(
        "x", {}, costs={OpKind.CREATE: 1.0, OpKind.ADD_TAGS: 1.0}, bulk_tags=100
    )
    usage = Usage(remaining_today=1000, window=(100, 10.0))
    groups = [
        Group(C, Side.GHL, OpKind.CREATE, 2490),
        Group(Entity.TAG, Side.GHL, OpKind.ADD_TAGS, 150, deltas=(50, 100)),
    ]
    found = estimate(groups, Side.GHL, described, usage, recheck="never")
    assert (found.requests, found.seconds, found.nights) == (2492, 240.0, 3)
    assert found.says == "2492 requests, at least 240 s, takes 3 nights"
    assert "fits tonight" in estimate(groups[1:], Side.GHL, described, usage, recheck="never").says


@pytest.mark.parametrize(
    ("requests", "left", "nights"),
    [
        (900, 1000, 1),
        (901, 1000, 2),
        (1800, 1000, 2),
        (1801, 1000, 3),
        (901, 950, 2),
        (1, 100, 2),
        (901, 40, 3),
    ],
)
def test_h4_the_estimate_leaves_the_reserve_to_others(
    requests: int, left: int, nights: int
) -> None:
    """Of a daily quota of 1,000 with 100 reserved, a night has 900 requests; the first has what is left of today's above the 100."""
    described = Description("x", {}, costs={OpKind.CREATE: 1.0})
    usage = Usage(remaining_today=left, daily=1000, reserved=100)
    found = estimate(
        [Group(C, Side.GHL, OpKind.CREATE, requests)], Side.GHL, described, usage, recheck="never"
    )
    assert found.nights == nights


def test_g9_the_plan_counts_writes_that_can_start_workflows(settled: Settled) -> None:
    """Creates, updates and tags in GHL may start its workflows; writes to the app do not."""
    _, first, _ = settled
    for operation in first.operations:
        expected = operation.side is Side.GHL and operation.kind not in (
            OpKind.ADOPT,
            OpKind.FORGET,
        )
        assert operation.starts_workflows is expected
    assert HOLD[Side.APP] is OnDelete.HOLD


PROMISED = {"b": 9, "c": 9, "d": 5, "e": 9, "g": 9, "p": 7}
"""The features of change detection, identity, conflicts, delete safety, approval and GHL's kinds, by letter: so many of each."""


def test_every_promised_feature_has_a_test_named_after_it() -> None:
    """B1-B9, C1-C9, D1-D5, E1-E9, G1-G9, P1-P7 and Q7 each stand in the name of a test function."""
    root = Path(__file__).parents[1]
    named = {
        feature
        for path in root.rglob("test_*.py")
        for name in re.findall(r"^def test_(\w+)\(", path.read_text(encoding="utf-8"), re.MULTILINE)
        for feature in re.findall(r"(?:^|_)([bcdegp][1-9]|q7)(?=_)", name)
    }
    promised = {f"{letter}{at}" for letter, count in PROMISED.items() for at in range(1, count + 1)}
    assert sorted({*promised, "q7"} - named) == []
