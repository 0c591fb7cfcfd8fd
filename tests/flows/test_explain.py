"""Why a value is what it is, and what it was: every write with its run, rule and reference, and the past from the archives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from flows.outcome.explain import explanation
from flows.outcome.past import Evidence, lines_at, moment_of, values_at
from reconcile.errors import StateError
from reconcile.ledger import runs
from reconcile.model import Entity, Side
from tests.builders import World, by_email, hold_of
from tests.flows.nights import night


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """Ann's company goes from A to B in the app, then to C in GHL; Bob is deleted in the app; a moment is noted after each."""
    with World(limits={"max_first_creates": 100}) as world:
        moments = []
        ann = world.app.put(
            Entity.CONTACT,
            {"first_name": "Ann", "email": "ann@x.com", "company": "A", "tags": ["x"]},
        )
        bob = world.app.put(Entity.CONTACT, {"first_name": "Bob", "email": "bob@x.com"})
        night(world)
        moments.append(world.clock())
        world.app.edit(Entity.CONTACT, ann, {"company": "B", "tags": ["x", "y"]})
        night(world)
        moments.append(world.clock())
        world.ghl.edit(Entity.CONTACT, by_email(world, Side.GHL, "ann@x.com"), {"company": "C"})
        world.app.delete(Entity.CONTACT, bob)
        night(world)
        moments.append(world.clock())
        world.moments = moments  # type: ignore[attr-defined]
        world.bob = bob  # type: ignore[attr-defined]
        yield world


def held(world: World, key: str, at: str) -> dict[str, Any]:
    """What both sides held of a contact."""
    told = explanation(world.ledger, "contact", key, None)
    with Evidence(world.folder / "runs") as evidence:
        return values_at(
            world.ledger, evidence, world.mapping, entity=Entity.CONTACT, story=told, at=at
        )


def companies(world: World, key: str) -> list[tuple[Any, Any]]:
    """The company on both sides at each moment."""
    return [
        tuple(
            (held(world, key, at)[side]["values"] or {}).get("company") for side in ("app", "ghl")
        )  # type: ignore[misc]
        for at in world.moments  # type: ignore[attr-defined]
    ]


def test_j3_each_moment_shows_what_both_sides_held_then(world: World) -> None:
    """After each night the value of that night is on both sides, whatever came later."""
    assert companies(world, by_email(world, Side.APP, "ann@x.com")) == [
        ("A", "A"),
        ("B", "B"),
        ("C", "C"),
    ]


def test_a_record_is_found_by_its_key_on_either_side(world: World) -> None:
    """The key of the other side tells the same story."""
    assert companies(world, by_email(world, Side.GHL, "ann@x.com")) == [
        ("A", "A"),
        ("B", "B"),
        ("C", "C"),
    ]


def test_tags_written_since_the_last_look_are_in_the_past_too(world: World) -> None:
    """A tag that the run added in GHL is there after that run and not before."""
    ann = by_email(world, Side.APP, "ann@x.com")
    tags = [held(world, ann, at)["ghl"]["values"]["tags"] for at in world.moments]  # type: ignore[attr-defined]
    assert tags == ['["x"]', '["x","y"]', '["x","y"]']


def test_a_deleted_record_was_there_before_and_is_not_afterwards(world: World) -> None:
    """The archive still shows Bob as he was, and the journal that the run deleted him."""
    first, second, third = (held(world, world.bob, at) for at in world.moments)  # type: ignore[attr-defined]
    assert first["ghl"]["values"]["email"] == second["ghl"]["values"]["email"] == "bob@x.com"
    assert third["ghl"]["values"] is None
    assert third["app"]["values"] is None
    assert any("it was not there" in line for line in lines_at(third, "then", None))


def test_before_the_first_archive_nothing_is_claimed(world: World) -> None:
    """A moment before anything was read is answered with what is known: nothing."""
    ann = by_email(world, Side.APP, "ann@x.com")
    found = held(world, ann, "2000-01-01T00:00:00.000Z")
    assert [each["values"] for each in found.values()] == [None, None]
    assert "no archive of that time is left" in "\n".join(lines_at(found, "then", None))


def test_i9_each_change_says_run_side_rule_and_the_values_compared(world: World) -> None:
    """A write comes with the baseline and the values of both sides that led to it, and with the rule's reason."""
    with Evidence(world.folder / "runs") as evidence:
        told = explanation(
            world.ledger,
            "contact",
            by_email(world, Side.APP, "ann@x.com"),
            "company",
            evidence=evidence,
        )
    update, back = [write for write in told["writes"] if write["kind"] == "update"]
    assert update["side"] == "ghl"
    (situation,) = update["situation"]
    assert {name: situation[name] for name in ("kind", "base_app", "base_ghl", "app", "ghl")} == {
        "kind": "app_moved",
        "base_app": "A",
        "base_ghl": "A",
        "app": "B",
        "ghl": "A",
    }
    assert situation["because"] == "changed in the app, not in GHL"
    assert back["side"] == "app"
    assert any("'A' → 'B'" in line for line in told["lines"])


def test_a_removed_tag_is_told_as_removed_with_its_own_comparison() -> None:
    """Of tags that one run added and removed, each write has just the comparison that led to it."""
    with World() as world:
        ann = world.app.put(Entity.CONTACT, {"email": "ann@x.com", "tags": ["lead"]})
        night(world)
        world.app.edit(Entity.CONTACT, ann, {"tags": ["vip"]})
        night(world)
        with Evidence(world.folder / "runs") as evidence:
            told = explanation(world.ledger, "contact", ann, "tags", evidence=evidence)
        _, added, removed = told["writes"]
        assert [each["item"] for each in added["situation"]] == ["vip"]
        assert [each["item"] for each in removed["situation"]] == ["lead"]
        assert removed["changed"] == {"tags": ['["lead"]', None]}
        assert "tags removed: lead" in told["write_lines"][2]
        assert held(world, ann, world.clock())["ghl"]["values"]["tags"] == '["vip"]'


@pytest.mark.parametrize("key", ["é-1", 'a"b', "a\\b", "50%_"])
def test_the_whole_story_is_found_by_either_key_after_the_link_is_gone(key: str) -> None:
    """Creation and deletion alike, also where the key has letters that JSON or SQL escapes."""
    with World() as world:
        world.app.put(Entity.CONTACT, {"email": "ann@x.com"}, key=key)
        world.app.put(Entity.CONTACT, {"email": "bob@x.com"})
        night(world)
        made = by_email(world, Side.GHL, "ann@x.com")
        world.app.delete(Entity.CONTACT, key)
        night(world)
        for one in (key, made):
            writes = explanation(world.ledger, "contact", one, None)["writes"]
            assert [write["kind"] for write in writes] == ["create", "delete"]


def test_a_question_about_a_tag_is_one_about_tags() -> None:
    """Asked for the tags alone, the story has what was asked about one of them, and nothing about the company."""
    with World() as world:
        ann = world.app.put(Entity.CONTACT, {"email": "ann@x.com"})
        night(world)
        for field in ("tags: vip", "company"):
            asked = hold_of(hold_id=field, field=field, app_key=ann)
            with world.ledger.transaction() as connection:
                runs.put_holds(
                    world.ledger, connection, [asked], run_id="r", at=world.clock(), within=()
                )
        assert [
            hold["field"] for hold in explanation(world.ledger, "contact", ann, "tags")["holds"]
        ] == ["tags: vip"]


@pytest.mark.parametrize(
    ("entity", "field", "said"),
    [
        (
            "contacts",
            None,
            "no kind of record 'contacts' → known are company, contact, task, note, opportunity",
        ),
        (
            "contact",
            "compny",
            "no field 'compny' → known are first_name, last_name, email, phone, company, tags",
        ),
    ],
)
def test_an_unknown_word_is_told_with_the_known_ones(
    world: World, entity: str, field: str | None, said: str
) -> None:
    """A kind of record or a field that is not there is no empty story."""
    ann = by_email(world, Side.APP, "ann@x.com")
    with Evidence(world.folder / "runs") as evidence, pytest.raises(StateError, match=said):
        explanation(world.ledger, entity, ann, field, evidence=evidence)
    with Evidence(world.folder / "runs") as evidence:  # mapped, and blank on both sides
        assert not explanation(world.ledger, "contact", ann, "phone", evidence=evidence)["writes"]


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-01-31", "2026-01-31T23:59:59.999Z"),
        ("2026-01-31T18:00", "2026-01-31T18:00:00.000Z"),
        ("2026-01-31T18:00+02:00", "2026-01-31T16:00:00.000Z"),
    ],
)
def test_a_moment_may_be_written_as_people_do(text: str, at: str) -> None:
    """A date means its end, a time without a zone is UTC."""
    assert moment_of(text) == at


def test_what_is_no_moment_is_refused_with_an_example() -> None:
    """The error shows how to write one."""
    with pytest.raises(StateError, match="write 2026-01-31"):
        moment_of("last tuesday")
