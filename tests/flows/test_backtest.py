"""A changed pair file, tried on what earlier runs saw: the same file plans the same, another one says what it would change."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from connectors.memory import MemoryConnector
from flows.commands import backtested
from flows.jobs import backtest
from reconcile.errors import StateError
from reconcile.model import Entity, Side
from reconcile.undo.backtest import Difference
from reconcile.values.mapping import Mapping
from reconcile.values.policy import OnConflict, Rule
from tests.builders import World, by_email, contacts, field_of, mapping_of
from tests.flows.nights import night
from tests.reconcile.test_restored import given_away_and_corrected


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A first run, a night with edits on both sides, a conflict and a deletion, and a quiet one."""
    with World(whole=True, limits={"max_first_creates": 100}) as world:
        keys = {
            name: world.app.put(
                Entity.CONTACT, {"first_name": name, "email": f"{name}@x.com", "company": name[0]}
            )
            for name in ("ann", "bob", "cyd", "dee")
        }
        task = {"title": "Call", "due": "2026-01-01T10:00:00Z", "completed": False}
        world.app.put(Entity.TASK, task, parent=keys["ann"])
        night(world)
        world.app.edit(Entity.CONTACT, keys["ann"], {"company": "from the app"})
        world.ghl.edit(
            Entity.CONTACT, by_email(world, Side.GHL, "ann@x.com"), {"company": "from GHL"}
        )
        world.app.edit(Entity.CONTACT, keys["bob"], {"company": "BB"})
        world.ghl.edit(
            Entity.CONTACT, by_email(world, Side.GHL, "cyd@x.com"), {"last_name": "Young"}
        )
        world.app.delete(Entity.CONTACT, keys["dee"])
        night(world)
        night(world)
        yield world


def tried(world: World, mapping: Mapping, *, count: int = 3, **limits: Any) -> list[Difference]:
    """The differences of the last runs, oldest first, without anything that could send a request."""
    pair = SimpleNamespace(
        name="p",
        store=str(world.folder),
        path=Path("p.toml"),
        config_digest="x",
        limits=dict(world.limits) | limits,
        located=lambda *_: mapping,
    )
    return list(backtest.backtests(cast("Any", pair), world.ledger, count))[::-1]


def contacts_with(**company: Any) -> Mapping:
    """The world's mapping with another rule for the company."""
    usual = mapping_of()
    changed = tuple(
        dataclasses.replace(f, **company) if f.name == "company" else f
        for f in usual[Entity.CONTACT].fields
    )
    rest = tuple(each for each in usual.entities if each.entity is not Entity.CONTACT)
    return Mapping((dataclasses.replace(usual[Entity.CONTACT], fields=changed), *rest))


@pytest.fixture(scope="module")
def same(world: World) -> list[Difference]:
    """Nothing is changed; and a side that is asked for anything fails."""

    def sent(*_: object, **__: object) -> None:
        raise AssertionError("a backtest asks no side")

    with pytest.MonkeyPatch.context() as patched:
        for name in ("extract", "read", "write", "look", "describe"):
            patched.setattr(MemoryConnector, name, sent)
        return tried(world, world.mapping)


@pytest.fixture(scope="module")
def another(world: World) -> list[Difference]:
    """A conflict over the company goes to the app, and one person may be made in a first run."""
    mapping = contacts_with(rule=Rule(conflict=OnConflict.APP))
    return tried(world, mapping, max_first_creates=1)


def test_the_same_mapping_plans_the_same(same: list[Difference]) -> None:
    """Compared anew from its archive, each run comes to the very operations and holds that it had, and neither side is asked."""
    found = same
    assert len(found) == 3
    assert [each.same for each in found] == [True, True, True]
    assert [each.operations_then for each in found] == [each.operations_now for each in found]
    assert found[1].operations_then >= 3
    assert found[1].holds_then == 1


def test_the_same_mapping_asks_the_same_of_what_went_back() -> None:
    """A restored app, a row of it that was edited since, a question that is open, one that is answered, and a forgotten link: each night plans what it planned."""
    world, backup = given_away_and_corrected({"email": "ann@y.com"})
    with world:
        for name in ("cyd", "dee"):
            world.app.put(Entity.CONTACT, {"email": f"{name}@x.com", "company": "Old"}, key=name)
        night(world)
        world.clock.advance(86_400)
        later = world.app.backup()
        for name in ("cyd", "dee"):
            key = by_email(world, Side.GHL, f"{name}@x.com")
            world.ghl.edit(Entity.CONTACT, key, {"company": f"New {name}"})
        night(world)
        world.clock.advance(86_400)
        world.app.restore(later)
        world.app.edit(Entity.CONTACT, "dee", {"first_name": "Zed"})
        night(world)
        world.clock.advance(86_400)
        world.app.edit(Entity.CONTACT, "cyd", {"first_name": "Zed"})
        for hold in world.plan().holds:
            if hold.field == "company" and hold.app_key == "dee":
                world.decide(hold, "ghl")
        night(world)
        world.clock.advance(86_400)
        world.app.restore(backup)
        told = night(world, allowed=frozenset({"restore-app", "updates"}))
        found = tried(world, world.mapping, count=5)
        assert {"duplicate", "another"} <= {hold["kind"] for hold in told.document["holds"]}
        assert [each.same for each in found] == [True] * 5, found
        assert max(each.holds_now for each in found) > 2


def test_g8_backtest_says_what_another_conflict_rule_would_have_done(
    another: list[Difference],
) -> None:
    """With `conflict = app` the held conflict becomes an operation; nothing else changes."""
    _, edited, quiet = another
    assert [(row["kind"], row["after"]) for row in edited.gained] == [
        ("update", {"company": "from the app"})
    ]
    assert [row["field"] for row in edited.holds_lost] == ["company"]
    assert not edited.lost
    assert not edited.holds_gained
    assert [row["after"] for row in quiet.gained] == [{"company": "from the app"}]


def test_a_field_that_is_mapped_no_more_loses_its_operations(world: World) -> None:
    """Without the company, its update and its conflict are gone, and the creates of the first run carry less."""
    fields = tuple(f for f in world.mapping[Entity.CONTACT].fields if f.name != "company")
    first, edited, _ = tried(world, mapping_of(contacts(*fields), *world.mapping.entities[1:]))
    assert [row["key"] for row in edited.lost] == [by_email(world, Side.GHL, "bob@x.com")]
    assert edited.holds_lost
    assert {row["kind"] for row in first.changed} == {"create"}
    assert all("company" in row["then"] and "company" not in row["after"] for row in first.changed)


def test_a_field_that_was_never_read_is_left_out_and_said(world: World) -> None:
    """Nothing is guessed of what the archive does not hold: the field is named and left out."""
    fields = (*world.mapping[Entity.CONTACT].fields, field_of("city"))
    found = tried(world, mapping_of(contacts(*fields), *world.mapping.entities[1:]))
    assert all(
        each.caveats == ["contact.city: city, city was not read then; the field is left out"]
        for each in found
    )
    assert all(each.same for each in found)


def test_limits_of_the_changed_file_are_tried_too(another: list[Difference]) -> None:
    """A plan that the changed limits would refuse is named with the limit."""
    first, _, quiet = another
    assert [breach.name for breach in first.refused] == ["first-creates"]
    assert not quiet.refused


def test_only_as_many_runs_as_asked_for_are_tried(world: World) -> None:
    """`--backtest 1` tries the newest run."""
    assert len(tried(world, world.mapping, count=1)) == 1


def test_without_an_archive_there_is_nothing_to_try_on() -> None:
    """A pair that never ran gives an error that says what to do."""
    with World() as empty, pytest.raises(StateError, match="make a plan or a run first"):
        tried(empty, empty.mapping)


def test_the_differences_are_told_as_a_table_and_as_json(
    same: list[Difference],
    another: list[Difference],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Both forms name the run and count the same; the exit code says whether anything would differ."""
    pair, found = cast("Any", SimpleNamespace(name="p", config_digest="x")), another
    assert backtested.show(pair, iter(found), form="json") == 1
    document = json.loads(capsys.readouterr().out)
    assert [len(each["gained"]) for each in document["runs"]] == [
        len(each.gained) for each in found
    ]
    assert backtested.show(pair, iter(found)) == 1
    assert found[1].run_id in capsys.readouterr().out
    assert backtested.show(pair, iter(same)) == 0


def test_a_pull_requests_comment_is_as_it_was_agreed(
    another: list[Difference], capsys: pytest.CaptureFixture[str]
) -> None:
    """The Markdown of another rule and a tighter limit is the golden file's, without any person's values."""
    pair = cast("Any", SimpleNamespace(name="acme", config_digest="x"))
    assert backtested.show(pair, iter(another), form="markdown", masked=True) == 1
    said = capsys.readouterr().out
    for number, each in enumerate(another, start=1):
        said = said.replace(each.run_id, f"night-{number}")
    golden = Path(__file__).parents[1] / "data" / "pull-request.md"
    assert said == golden.read_text(encoding="utf-8")


def test_a_comment_without_differences_says_so() -> None:
    """No table of examples, no risk; and where nothing is archived, that is said."""
    same = {"run_id": "r1", "same": True, "caveats": [], "refused": []}
    counts = {f"{what}_{when}": 3 for what in ("operations", "holds") for when in ("then", "now")}
    lists = dict.fromkeys(("gained", "lost", "changed", "holds_gained", "holds_lost"), ())
    said = backtested.comment({"pair": "acme", "runs": [same | counts | lists]})
    assert "Every plan would have been the same." in said
    assert "<details>" not in said
    assert "No run has an archive" in backtested.comment({"pair": "acme", "runs": []})
