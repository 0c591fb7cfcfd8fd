"""The statement: every row in one class, both sides adjusted to one figure, and no broken engine that it does not see."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconcile.baseline.standing import load_standing
from reconcile.model import Entity, Side
from reconcile.plan import draft
from reconcile.ports import FieldInfo
from reconcile.report.classes import BY_NAME
from reconcile.report.statement import Statement, statement
from reconcile.values.codecs import Email, Labels
from reconcile.values.policy import TAGS
from tests.builders import World, contacts, field_of, mapping_of
from tests.builders_world import Seen, busy_world, edit, random_world, seen, vices
from tests.long_forms import SOAK
from tests.reconcile.small_worlds import random_small


def balanced(found: Seen, world: World) -> Statement:
    return statement(
        found.stage,
        found.run.mapping,
        applied=found.about.wrote,
        looked_again=found.about.looked_again,
    )


def why(state: Statement) -> list[object]:
    lost = [
        (side.side, side.unexplained_keys)
        for each in state.entities
        for side in each.sides
        if side.unexplained
    ]
    return [*state.broken, *lost]


def test_every_class_of_a_busy_world_is_told_apart() -> None:
    """Updated, created, deleted, held, ambiguous and unsyncable records are each in their class, on both sides."""
    with busy_world() as world, seen(world) as found:
        state = balanced(found, world)
        app, ghl = state[Entity.CONTACT].sides
        assert dict(app.classes) == {
            "ambiguous": 2,
            "conflict": 1,
            "created": 1,
            "in_sync": 2,
            "updated": 1,
        }
        assert dict(ghl.classes) == {
            "ambiguous": 1,
            "conflict": 1,
            "deleted": 1,
            "in_sync": 2,
            "updated": 1,
        }
        assert dict(state[Entity.TASK].ghl.classes) == {"created": 1, "in_sync": 1, "unsyncable": 1}
        assert state.clean, why(state)


def test_deleted_is_what_this_run_deleted() -> None:
    """A row that its side marked as deleted before stands apart from those that the run deleted, as its figure counts them."""
    with busy_world() as world, seen(world) as found:
        deleted = "UPDATE raw_contact_app SET deleted = true WHERE key IN (SELECT subject FROM hold WHERE kind = 'ambiguous')"
        found.stage.run(deleted)
        state = balanced(found, world)
        app, ghl = state[Entity.CONTACT].sides
        assert (app.classes["gone"], app.aside["gone"]) == (2, 2)
        assert "deleted" not in app.classes
        assert (ghl.classes["deleted"], ghl.classes.get("gone")) == (1, None)


def test_sets_that_are_merged_are_accounted_for_element_by_element() -> None:
    """A set to which each side added something, and of which one removed something, is written on both and explained."""
    likes = field_of("likes", Labels(folded=False, name="set"), rule=TAGS)
    with World(
        mapping=mapping_of(contacts(field_of("email", Email()), likes, match=(("email",),)))
    ) as world:
        for side in world.sides.values():
            side._fields[Entity.CONTACT]["likes"] = FieldInfo("json")
        key = world.app.put(Entity.CONTACT, {"email": "ann@x.com", "likes": ["A", "B"]})
        world.run()
        (there,) = world.cells(Side.GHL)
        world.app.edit(Entity.CONTACT, key, {"likes": ["B", "C"]})
        world.ghl.edit(Entity.CONTACT, there, {"likes": ["A", "B", "D"]})
        with seen(world) as found:
            state = balanced(found, world)
            assert dict(state[Entity.CONTACT].app.classes) == {"updated": 1}
            assert state.clean, why(state)


def test_both_sides_come_to_the_number_of_linked_pairs() -> None:
    """Rows, less those without a counterpart, plus those that were created, are the links that the ledger then has."""
    with busy_world() as world, seen(world) as found:
        for each in balanced(found, world).entities:
            assert (
                each.app.adjusted
                == each.ghl.adjusted
                == each.linked
                == len(world.links(each.entity))
            )


def test_before_apply_it_says_what_would_happen() -> None:
    """The statement of a plan balances as if all of it were done."""
    with busy_world() as world, seen(world, apply=False) as found:
        state = balanced(found, world)
        assert not state.applied
        assert state[Entity.CONTACT].app.classes["created"] == 1
        assert state.clean, why(state)


def test_what_was_not_reached_is_not_carried_out() -> None:
    """After a stop in the middle the rest of the plan is counted as not carried out, and the statement balances."""
    with busy_world() as world, seen(world, most=1) as found:
        state = balanced(found, world)
        assert state[Entity.CONTACT].ghl.classes["skipped"] == 2
        assert state.clean, why(state)


def test_a_quiet_run_finds_everything_in_sync_by_its_digests() -> None:
    """Where nothing moved, in sync is counted by joining the digests, without a look at any value."""
    with World() as world:
        world.app.put(Entity.CONTACT, {"first_name": "Ann", "email": "a@x.com"})
        for _ in range(2):
            world.run()
        with seen(world) as found:
            state = balanced(found, world)
            assert found.stage.count("SELECT count(*) FROM moved_contact") == 0
            assert [dict(side.classes) for side in state[Entity.CONTACT].sides] == [
                {"in_sync": 1}
            ] * 2


def test_a_change_of_form_alone_is_formatting() -> None:
    """An email in other letters is a change of form: nothing is written, and the pair is called so."""
    with World() as world:
        key = world.app.put(Entity.CONTACT, {"first_name": "Ann", "email": "a@x.com"})
        for _ in range(2):
            world.run()
        world.app.edit(Entity.CONTACT, key, {"email": "A@X.com"})
        with seen(world) as found:
            state = balanced(found, world)
            assert dict(state[Entity.CONTACT].app.classes) == {"formatting_only": 1}


def test_a_difference_that_was_left_is_not_in_sync() -> None:
    """Two sides that differ since a person said so, unmoved, are an accepted difference on every later night; made equal, they are in sync."""
    with World() as world:
        key = world.app.put(Entity.CONTACT, {"email": "ann@x.com", "company": "A"})
        other = world.ghl.put(Entity.CONTACT, {"email": "ann@x.com", "company": "B"})
        for email in ("bob@x.com", "cyd@x.com"):
            world.app.put(Entity.CONTACT, {"email": email})
        (hold,) = world.run().holds
        world.decide(hold, "leave")
        world.run()
        with seen(world) as found:
            load_standing(found.stage, world.ledger, found.run.mapping)
            state = balanced(found, world)
            assert [dict(side.classes) for side in state[Entity.CONTACT].sides] == [
                {"accepted": 1, "in_sync": 2}
            ] * 2
            assert state.clean, why(state)
        world.app.edit(Entity.CONTACT, key, {"company": "C"})
        world.ghl.edit(Entity.CONTACT, other, {"company": "C"})
        world.run()
        with seen(world) as found:
            load_standing(found.stage, world.ledger, found.run.mapping)
            assert [
                dict(side.classes) for side in balanced(found, world)[Entity.CONTACT].sides
            ] == [{"in_sync": 3}] * 2


def test_after_a_change_of_mapping_nothing_is_called_formatting() -> None:
    """Under another mapping every digest differs: what was compared and is equal is in sync, not a change of form."""
    with World() as world:
        world.app.put(Entity.CONTACT, {"email": "ann@x.com", "company": "A"})
        world.run()
        world.run()
        world.mapping = mapping_of(
            contacts(*(field for field in contacts().fields if field.name != "company"))
        )
        with seen(world) as found:
            state = balanced(found, world)
            assert [dict(side.classes) for side in state[Entity.CONTACT].sides] == [
                {"in_sync": 1}
            ] * 2
            assert state.clean, why(state)


def test_rows_that_were_not_compared_never_count_as_matched() -> None:
    """Where the other side broke off, linked records that were not seen there are not checked."""
    with World() as world:
        for name in "abcd":
            world.app.put(Entity.CONTACT, {"first_name": name, "email": f"{name}@x.com"})
        world.run()
        world.set_vices(Side.GHL, incomplete={Entity.CONTACT: "the connection was lost"})
        with seen(world, apply=False) as found:
            state = balanced(found, world)
            assert state[Entity.CONTACT].app.classes["not_checked"] == 2
            assert state[Entity.CONTACT].ghl.unread == 2
            assert state.clean, why(state)


def test_a_rejected_write_is_a_class_of_its_own() -> None:
    """A record whose write was refused is counted as rejected, not as updated."""
    with World() as world:
        world.app.put(Entity.CONTACT, {"first_name": "Ann", "email": "a@x.com"})
        world.set_vices(Side.GHL, rejects=lambda write: "INVALID_FIELD")
        with seen(world) as found:
            state = balanced(found, world)
            assert dict(state[Entity.CONTACT].app.classes) == {"rejected": 1}
            assert state[Entity.CONTACT].linked == 0
            assert state.clean, why(state)


def test_a_record_is_not_linked_twice() -> None:
    """A create that turned up a record which is linked already is counted as rejected, and the statement balances."""
    with World() as world:
        world.app.put(Entity.CONTACT, {"first_name": "Ann", "email": "a@x.com"})
        world.run()
        world.app.put(Entity.CONTACT, {"first_name": "Twin", "email": "a@x.com"})
        (hold,) = world.run().holds
        world.decide(hold, "create")
        world.set_vices(Side.GHL, unique=("email",))
        with seen(world) as found:
            state = balanced(found, world)
            assert dict(state[Entity.CONTACT].app.classes) == {"in_sync": 1, "rejected": 1}
            assert state[Entity.CONTACT].linked == 1
            assert state.clean, why(state)


def test_a_stage_without_a_plan_has_a_statement_without_entities() -> None:
    """A run that ended before its plan has nothing to balance."""
    with World(mapping=mapping_of(contacts())) as world, seen(world, apply=False) as found:
        found.stage.run("DROP TABLE planned")
        assert statement(found.stage, found.run.mapping).entities == ()


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(min_value=0, max_value=1_000_000))
def test_the_identities_hold_in_every_world(seed: int) -> None:
    """Whatever users do and sides refuse, unexplained is 0 and every identity holds."""
    chance = Random(seed)  # noqa: S311 - a world, no secret
    with random_world(chance) as world:
        for _ in range(2):
            most = chance.randint(0, 4) if chance.random() < 0.2 else None
            with seen(world, apply=chance.random() < 0.85, most=most) as found:
                state = balanced(found, world)
                assert state.clean, why(state)
                names = {
                    name for each in state.entities for side in each.sides for name in side.classes
                }
                assert names <= set(BY_NAME)
                asked = (
                    [hold for hold in draft.holds(found.stage) if hold.options]
                    if found.about.wrote
                    else []
                )
            for hold in asked:
                world.decide(hold, chance.choice(hold.options))
            for _ in range(chance.randint(0, 5)):
                edit(world, chance)


@pytest.mark.parametrize("seed", range(40 if SOAK else 1))
def test_the_identities_hold_in_thousands_of_small_worlds(seed: int) -> None:
    """The same for small worlds side by side, each with identities of its own: 150 of them for a seed, 6,000 in the soak."""
    chance = Random(seed)  # noqa: S311 - a world, no secret
    with random_small(seed).world() as world:
        for side in Side:
            world.sides[side].vices = vices(chance)
        for _ in range(2):
            most = chance.randint(0, 4) if chance.random() < 0.2 else None
            with seen(world, apply=chance.random() < 0.85, most=most) as found:
                state = balanced(found, world)
                assert state.clean, why(state)
                assert {
                    name for each in state.entities for side in each.sides for name in side.classes
                } <= set(BY_NAME)


MUTANTS = {
    "an update is forgotten": "DELETE FROM planned WHERE kind = 'update'",
    "an update carries another value": "UPDATE planned SET after = '{\"company\":\"Other\"}' WHERE kind = 'update'",
    "an update goes to the wrong side": "UPDATE planned SET side = 'app' WHERE kind = 'update'",
    "an update says more than was judged": 'UPDATE planned SET after = \'{"company":"ACME","email":null}\' WHERE kind = \'update\'',
    "a create is forgotten": "DELETE FROM planned WHERE kind = 'create' AND entity = 'contact'",
    "a create is made twice": "INSERT INTO planned SELECT * REPLACE (op_id || 'x' AS op_id) FROM planned WHERE kind = 'create'",
    "a linked record is created again": (
        "INSERT INTO planned SELECT * REPLACE ('z' AS op_id, (SELECT min(app_key) FROM base_contact) AS source_key) "
        "FROM planned WHERE kind = 'create' AND entity = 'contact'"
    ),
    "a create has no source": "UPDATE planned SET source_key = 'nobody' WHERE kind = 'create' AND entity = 'contact'",
    "a delete is forgotten": "DELETE FROM planned WHERE kind = 'delete'",
    "a record in sync is deleted": (
        "UPDATE planned SET link_id = (SELECT min(link_id) FROM base_contact WHERE link_id NOT IN (SELECT link_id FROM absence_contact)) "
        "WHERE kind = 'delete'"
    ),
    "a delete names another record": "UPDATE planned SET key = 'ghl-contact-1' WHERE kind = 'delete'",
    "a tag is not added": "UPDATE planned SET after = '{\"tags\":\"[]\"}' WHERE kind = 'add_tags'",
    "a tag too many is removed": 'UPDATE planned SET after = \'{"tags":"[\\"lead\\",\\"vip\\"]"}\' WHERE kind = \'remove_tags\'',
    "a conflict is not asked": "DELETE FROM hold WHERE kind = 'conflict'",
    "an ambiguous match is not asked": "DELETE FROM hold WHERE kind = 'ambiguous'",
    "a question is about nobody": "UPDATE hold SET subject = 'nobody' WHERE kind = 'ambiguous'",
    "a difference is not judged": "DELETE FROM judged_contact WHERE field = 'company'",
    "a verdict is unknown": "UPDATE judged_contact SET action = 'perhaps' WHERE action = 'ask'",
    "a moved link is not looked at": "DELETE FROM moved_contact WHERE app_state = 'present'",
    "a looked-at pair is lost": "DELETE FROM wide_contact",
    "an absence is not judged": "DELETE FROM absence_contact",
    "a link is lost": "DELETE FROM base_contact WHERE link_id IN (SELECT min(link_id) FROM base_contact)",
    "a link is doubled": "INSERT INTO base_contact SELECT * REPLACE ('twin' AS link_id) FROM base_contact",
    "a row that is left out has no reason": "DELETE FROM passed WHERE class = 'unsyncable'",
    "a row that is left out has a class of its own": "UPDATE passed SET class = 'whatever' WHERE class = 'unsyncable'",
    "a staged row disappears": "DELETE FROM raw_contact_app WHERE key = 'app-contact-1'",
    "a staged row appears": "INSERT INTO raw_contact_app SELECT * REPLACE ('ghost' AS key) FROM raw_contact_app LIMIT 1",
}


@pytest.fixture(scope="module")
def planned() -> Iterator[tuple[Seen, World]]:
    """A busy world's plan that balances; each test changes its stage and takes the change back."""
    with busy_world() as world, seen(world, apply=False) as found:
        assert balanced(found, world).clean
        read = "SELECT table_name FROM duckdb_tables() WHERE database_name = 'stage'"
        for (name,) in found.stage.rows(
            read
        ):  # a transaction writes one database: what was read has to lie beside the rest
            found.stage.run(f"CREATE TABLE work.{name} AS FROM stage.{name}")
        yield found, world


@pytest.mark.parametrize("mutation", MUTANTS.values(), ids=MUTANTS.keys())
def test_a_broken_engine_does_not_balance(mutation: str, planned: tuple[Seen, World]) -> None:
    """Whatever the engine forgets, adds or misdirects makes the statement unclean."""
    found, world = planned
    found.stage.sql.begin()
    try:
        (changed,) = found.stage.one(mutation)
        state = balanced(found, world)
        assert changed
        assert not state.clean
        assert state.unexplained or state.broken
    finally:
        found.stage.sql.rollback()
