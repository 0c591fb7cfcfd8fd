"""The value statement: every value in one class, and never "agree" of what the two sides do not both hold."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from connectors.memory import Crash, Killed, Vices
from flows.outcome.tell import exit_code
from reconcile.errors import Unnamed
from reconcile.model import Entity, Side
from reconcile.ports import FieldInfo
from reconcile.report import verdict
from reconcile.report.classes import AGREED, VALUE_CLASSES
from reconcile.report.document import document
from reconcile.report.schema import FORMAT
from reconcile.stage import stage
from reconcile.stage.models import render
from reconcile.values.mapping import Field
from reconcile.values.policy import Flow, Rule
from reconcile.values.references import Linked
from tests.builders import Date, World, contacts, field_of, mapping_of
from tests.builders_world import COMPUTED, busy_world, edit, random_world, seen
from tests.long_forms import SOAK


def told(world: World, **settings: Any) -> dict[str, Any]:
    """The document of one whole run."""
    with seen(world, **settings) as found:
        return document(found.stage, found.run.mapping, found.about)


def apart(whole: dict[str, Any], entity: str = "contact") -> list[tuple[Any, ...]]:
    """(field, class) of the values that are neither equal nor carried."""
    return [
        (each["field"], each["class"])
        for each in whole["values"]["listed"]
        if each["entity"] == entity
    ]


def account(whole: dict[str, Any], entity: str = "contact") -> dict[str, Any]:
    (found,) = [each for each in whole["values"]["entities"] if each["entity"] == entity]
    return dict(found)


def broken(whole: dict[str, Any]) -> list[Any]:
    return [i for each in whole["values"]["entities"] for i in each["identities"] if not i["holds"]]


def differing(world: World, whole: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(entity, app key, field) of linked values that differ on the two sides, and that no line of the report names."""
    named = {
        (v["entity"], v["app_key"], v["ghl_key"], v["field"]) for v in whole["values"]["listed"]
    }
    found = []
    for mapped in world.mapping.entities:
        entity = mapped.entity
        app, ghl = (world.cells(side, entity) for side in Side)
        for app_key, ghl_key in world.links(entity).items():
            if app_key not in app or ghl_key not in ghl:
                continue
            for field in mapped.fields:
                ours, theirs = app[app_key].get(field.name), ghl[ghl_key].get(field.name)
                same = ours == theirs
                if isinstance(field.codec, Linked):
                    same = _one_thing(world, field.codec.entity, ours, theirs)
                lines = {(entity.value, app_key, ghl_key, name) for name in (field.name, None)}
                if not same and not lines & named:
                    found.append((entity.value, app_key, field.name))
    return found


def _one_thing(world: World, entity: Entity, ours: str | None, theirs: str | None) -> bool:
    """Whether two keys are of one record, or both of none: a key that leads to nothing is blank."""
    there = {side: world.cells(side, entity) for side in Side}
    app = ours if ours in there[Side.APP] else None
    ghl = theirs if theirs in there[Side.GHL] else None
    return (world.links(entity).get(app) if app else None) == ghl


def test_every_value_of_a_busy_world_is_in_one_class() -> None:
    """The classes sum up to the values of all pairs and single records, and what differs is named."""
    with busy_world() as world:
        whole = told(world)
        assert whole["format"] == FORMAT
        assert broken(whole) == []
        assert differing(world, whole) == []
        assert account(whole)["classes"]["held"] > 0
        assert not whole["values"]["agree"]
        assert exit_code("settled", whole) == 1


def test_two_sides_that_hold_the_same_agree() -> None:
    """After a first and a quiet run every value is equal, the verdict says so, and the exit code is 0."""
    with World() as world:
        world.app.put(Entity.CONTACT, {"first_name": "Ann", "email": "ann@x.com"})
        first, second = told(world), told(world)
        assert first["values"]["agree"]
        assert second["values"]["agree"]
        assert account(second)["classes"] == {"equal": account(second)["total"]}
        assert exit_code("settled", second) == 0


@pytest.mark.parametrize("field", ["email", "phone", "born"])
def test_what_cannot_be_read_is_never_dropped_in_silence(field: str) -> None:
    """A value that is none of its kind keeps no record from being made, and every run names it until it is mended."""
    given_values = {"email": "no address", "phone": "call reception, ask for 12", "born": "31 June"}
    fields = [*contacts().fields, field_of("born", Date())]
    with World(mapping=mapping_of(contacts(*fields))) as world:
        for side in world.sides.values():
            side._fields[Entity.CONTACT].setdefault("born", FieldInfo())
        person = {"first_name": "Ann", "email": "ann@x.com", "phone": "+18885551212"}
        world.app.put(Entity.CONTACT, {**person, field: given_values[field]})
        for _ in range(3):
            whole = told(world)
            assert (field, "unreadable") in apart(whole)
            assert broken(whole) == []
            assert whole["verdict"]["code"] != "agreed"
            assert exit_code("settled", whole) == 1
        (key,) = world.cells(Side.GHL)
        assert field not in world.cells(Side.GHL)[key]


def test_addresses_beyond_ascii_travel() -> None:
    """An internationalised address is carried across, and both sides agree."""
    with World() as world:
        for email in ("łukasz.okafor@example.com", "émile@exämple.fr"):
            world.app.put(Entity.CONTACT, {"email": email})
        told(world)
        assert told(world)["values"]["agree"]
        held = {cells["email"] for cells in world.cells(Side.GHL).values()}
        assert held == {"łukasz.okafor@example.com", "émile@exämple.fr"}


def test_a_dropped_value_stays_a_named_difference_until_it_is_equal() -> None:
    """What GHL takes and does not store is told every night, and not sent again while nothing changed."""
    with World() as world:
        key = world.app.put(
            Entity.CONTACT, {"first_name": "Ann", "email": "ann@x.com", "company": "A"}
        )
        world.run()
        world.run()
        world.set_vices(Side.GHL, drops=frozenset({"company"}))
        world.app.edit(Entity.CONTACT, key, {"company": "B"})
        for night in range(3):
            whole = told(world)
            assert apart(whole) == [("company", "dropped")], night
            assert broken(whole) == []
            assert exit_code("settled", whole) == 1
            assert bool(whole["changes"]) is (night == 0)
        world.set_vices(Side.GHL, drops=frozenset())
        (other,) = world.cells(Side.GHL)
        world.ghl.edit(Entity.CONTACT, other, {"company": "B"})
        assert told(world)["values"]["agree"]
        assert told(world)["values"]["agree"]


def test_another_mapping_of_the_field_tries_a_dropped_value_again() -> None:
    """Once the pair file maps the field otherwise, what was dropped is sent again, and both sides agree."""
    with World() as world:
        key = world.app.put(
            Entity.CONTACT, {"first_name": "Ann", "email": "ann@x.com", "company": "A"}
        )
        world.run()
        world.run()
        world.set_vices(Side.GHL, drops=frozenset({"company"}))
        world.app.edit(Entity.CONTACT, key, {"company": "B"})
        world.run()
        world.run()
        world.set_vices(Side.GHL, drops=frozenset())
        assert world.run().writes == ()
        changed = [
            replace(f, fallback="none") if f.name == "company" else f for f in contacts().fields
        ]
        world.mapping = mapping_of(contacts(*changed))
        assert [json.loads(json.dumps(dict(o.after))) for o in world.run().writes] == [
            {"company": "B"}
        ]
        assert told(world)["values"]["agree"]


def test_a_dropped_tag_is_named() -> None:
    """A tag that GHL takes and does not keep is a difference of the tags, on this night and the next."""
    with World() as world:
        world.ghl.unkept_tags = frozenset({"vip"})
        world.app.put(Entity.CONTACT, {"email": "ann@x.com", "tags": ["vip", "lead"]})
        for _ in range(3):
            whole = told(world)
            assert ("tags", "dropped") in apart(whole)
            assert broken(whole) == []


def test_a_difference_that_a_person_accepted_is_by_rule() -> None:
    """What a person left as it is counts as apart by rule on that night and on later ones, and both sides agree."""
    with World() as world:
        world.app.put(Entity.CONTACT, {"email": "ann@x.com", "company": "A"})
        world.ghl.put(Entity.CONTACT, {"email": "ann@x.com", "company": "B"})
        (hold,) = world.run().holds
        world.decide(hold, "leave")
        for _ in range(3):
            whole = told(world)
            assert apart(whole) == [("company", "by_rule")]
            assert whole["values"]["agree"]
            assert exit_code("settled", whole) == 0


def test_a_difference_without_a_reason_on_record_is_asked_about() -> None:
    """A ledger that holds two values for one field, and no reason, asks instead of passing it by its digest."""
    with World() as world:
        world.app.put(Entity.CONTACT, {"email": "ann@x.com", "company": "A"})
        other = world.ghl.put(Entity.CONTACT, {"email": "ann@x.com", "company": "B"})
        (hold,) = world.run().holds
        world.decide(hold, "leave")
        world.run()
        world.run()
        with world.ledger.transaction() as connection:
            connection.exec_driver_sql("DELETE FROM difference")
        (asked,) = world.run().holds
        assert (asked.kind, asked.field) == ("conflict", "company")
        world.decide(asked, "app")
        world.run()
        assert world.cells(Side.GHL)[other]["company"] == "A"


def test_a_task_of_no_contact_is_not_of_this_pair() -> None:
    """GHL has tasks of no contact: they are counted apart, and both sides agree."""
    with World() as world:
        world.app.put(Entity.CONTACT, {"email": "ann@x.com"})
        for number in range(3):
            world.ghl.put(
                Entity.TASK, {"title": f"T{number}", "due": "2026-01-01T10:00:00Z"}, parent=None
            )
        told(world)
        whole = told(world)
        assert [(each["class"], each["count"]) for each in whole["passed"]["counts"]] == [
            ("apart", 3)
        ]
        assert whole["values"]["agree"]
        assert exit_code("settled", whole) == 0


def test_what_was_not_written_is_a_failure() -> None:
    """Writes that were not made in a run that nobody stopped are told as such, with exit code 2; a run that was stopped has 1."""
    with World() as world:
        world.app.put(Entity.CONTACT, {"first_name": "Ann", "email": "ann@x.com"})
        world.run()
        world.run()
        for number in range(3):
            world.app.put(Entity.CONTACT, {"first_name": f"N{number}", "email": f"n{number}@x.com"})
        stopped = told(world, most=0)
        assert (stopped["verdict"]["code"], exit_code("stopped", stopped)) == ("stopped", 1)
        whole = told(world, most=0, state="settled", stopped="")
        assert whole["verdict"]["headline"] == "3 writes were not made"
        assert exit_code("settled", whole) == 2


def test_what_a_killed_run_overwrote_is_told_by_the_next_one() -> None:
    """A run that was killed left no report: what it wrote, and what stood there before, is in that of the run that settles it."""
    with World(mapping=mapping_of(contacts(*_one_way("company")))) as world:
        world.app.put(Entity.CONTACT, {"first_name": "Ann", "email": "ann@x.com", "company": "A"})
        for _ in range(2):
            world.run()
        (key,) = world.cells(Side.GHL)
        world.ghl.edit(Entity.CONTACT, key, {"company": "typed in GHL"})
        world.set_vices(Side.GHL, crash=Crash(at=world.ghl.carried_out + 1, when="after"))
        with pytest.raises(Killed):
            world.run()
        world.set_vices(Side.GHL, crash=None)
        (run,) = told(world)["interrupted"]
        (entry,) = run["changes"]
        assert entry["status"] == "done"
        assert entry["fields"] == [{"field": "company", "before": "typed in GHL", "after": "A"}]


def test_an_older_index_entry_hides_no_open_question() -> None:
    """A run right after our own write, while GHL's index trails it, still counts what cannot be read, and asks about it."""
    with World(vices={Side.GHL: Vices(lag_seconds=60.0)}) as world:
        key = world.app.put(Entity.CONTACT, {"first_name": "Ann", "email": "ann@x.com"})
        world.run()
        world.clock.advance(3600)
        world.run()
        (other,) = world.cells(Side.GHL)
        world.ghl.edit(Entity.CONTACT, other, {"phone": "ask for 12"})
        world.clock.advance(3600)
        assert ("phone", "unreadable") in apart(told(world))
        world.clock.advance(3600)
        world.app.edit(Entity.CONTACT, key, {"company": "ACME"})
        for _ in range(3):
            whole = told(world)
            assert ("phone", "unreadable") in apart(whole)
            assert [hold["field"] for hold in whole["holds"]] == ["phone"]


def test_what_could_not_be_read_back_is_not_carried() -> None:
    """A new record that cannot be read again afterwards is named: nobody has seen that its values arrived."""
    with World() as world:
        world.app.put(Entity.CONTACT, {"first_name": "Ann", "email": "ann@x.com"})
        for _ in range(2):
            world.run()
        known = set(world.ghl.rows(Entity.CONTACT))
        world.app.put(Entity.CONTACT, {"first_name": "Bob", "email": "bob@x.com"})
        world.set_vices(
            Side.GHL, unreadable=lambda _, key: None if key in known else Unnamed("not now")
        )
        whole = told(world)
        assert sorted(apart(whole)) == [("email", "pending"), ("first_name", "pending")]
        assert account(whole)["classes"].get("carried", 0) == 0
        assert not whole["values"]["agree"]


def _one_way(name: str) -> list[Field]:
    rule = Rule(flow=Flow.TO_GHL)
    return [
        replace(field, rule=rule) if field.name == name else field for field in contacts().fields
    ]


def test_what_this_runs_own_write_turns_is_named_until_it_is_carried() -> None:
    """A phone that comes from GHL turns a value that is computed of it: that night does not agree, the next one carries it."""
    with World(mapping=mapping_of(contacts(*contacts().fields, COMPUTED))) as world:
        for side in world.sides.values():
            side._fields[Entity.CONTACT]["stage"] = FieldInfo()
        world.app.put(Entity.CONTACT, {"first_name": "Dee", "email": "c@x.com"})
        assert told(world)["values"]["agree"]
        (key,) = world.ghl.rows(Entity.CONTACT)
        world.ghl.edit(Entity.CONTACT, key, {"phone": "+18885551212"})
        turned = told(world)
        assert broken(turned) == []
        assert differing(world, turned) == []
        assert apart(turned) == [("stage", "pending")]
        assert not turned["values"]["agree"]
        carried, quiet = told(world), told(world)
    assert carried["values"]["agree"]
    assert account(quiet)["classes"] == {"equal": account(quiet)["total"]}


def test_what_a_write_turns_is_named_though_another_value_of_it_was_dropped() -> None:
    """A phone and a company come from GHL, and the app stores the phone alone: what is computed of the phone differs by now."""
    with World(mapping=mapping_of(contacts(*contacts().fields, COMPUTED))) as world:
        for side in world.sides.values():
            side._fields[Entity.CONTACT]["stage"] = FieldInfo()
        world.app.put(Entity.CONTACT, {"first_name": "Dee", "email": "c@x.com"})
        told(world)
        (key,) = world.ghl.rows(Entity.CONTACT)
        world.set_vices(Side.APP, drops=frozenset({"company"}))
        world.ghl.edit(Entity.CONTACT, key, {"phone": "+18885551212", "company": "ACME"})
        turned = told(world)
        assert broken(turned) == []
        assert differing(world, turned) == []
        assert sorted(apart(turned)) == [("company", "dropped"), ("stage", "pending")]


WORLDS = int(os.environ.get("GHL_RECONCILE_WORLDS", "2400" if SOAK else "4"))
"""How many worlds are tried."""

FIRST_WORLD = int(os.environ.get("GHL_RECONCILE_FIRST_WORLD", "0"))
"""The first one's seed: `./dev soak` makes it of the date, so that each day tries others."""


@pytest.mark.parametrize("seed", range(FIRST_WORLD, FIRST_WORLD + WORLDS))
def test_random_worlds_add_up_and_hide_no_difference(seed: int) -> None:
    """In worlds made by chance, over nights with edits, the classes sum up and each value that differs is named."""
    chance = Random(seed)  # noqa: S311 - a world made by chance, not a secret
    with random_world(chance) as world:
        for _ in range(3):
            whole = told(world)
            assert broken(whole) == []
            lagging = any(side.vices.lag_seconds for side in world.sides.values())
            if not lagging:
                assert differing(world, whole) == []
            if whole["values"]["agree"] and not lagging:
                assert whole["verdict"]["code"] in ("agreed", "unread", "holds", "nowhere", "left")
            for _ in range(chance.randint(0, 4)):
                edit(world, chance)


MUTANTS = {
    "what stands is swallowed": ("standing", "    t.paired\n", "    false AND t.paired\n"),
    "what is held is swallowed": (
        "compared",
        "WHERE w.class <> 'equal'",
        "WHERE w.class NOT IN ('equal', 'held')",
    ),
    "what was carried is swallowed": (
        "compared",
        "WHERE w.class <> 'equal'",
        "WHERE w.class NOT IN ('equal', 'carried')",
    ),
    "single records are swallowed": (
        "alone",
        "WHERE NOT paired",
        "WHERE false AND NOT paired",
    ),
    "a created record's values are counted twice": (
        "created",
        "WHERE value.class IN",
        "WHERE true OR value.class IN",
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_statement_that_swallows_values_does_not_add_up(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each way to lose values from the account breaks its identity in some night of a busy world, and the verdict says so."""
    model, sound, mutant = MUTANTS[name]

    def mutated(name: str, **context: object) -> str:
        text = render(name, **context)
        if name != f"report/value_{model}":
            return text
        assert sound in text
        return text.replace(sound, mutant)

    monkeypatch.setattr(stage, "render", mutated)
    with busy_world() as world:
        world.set_vices(Side.GHL, drops=frozenset({"company"}))
        world.app.put(Entity.CONTACT, {"first_name": "Hal", "email": "hal@x.com", "company": "H"})
        nights = (told(world) for _ in range(3))
        whole = next(whole for whole in nights if broken(whole))
    assert whole["verdict"]["code"] == "unbalanced"
    assert exit_code("settled", whole) == 2


@pytest.mark.parametrize("name", [c.name for c in VALUE_CLASSES if c.name not in AGREED])
def test_the_verdict_ignores_no_class(name: str) -> None:
    """One value in any class but equal, carried and by rule keeps the headline from saying that both sides agree."""
    entity = {"entity": "contact", "classes": {"equal": 10, name: 1}, "identities": []}
    whole = {
        "state": "settled",
        "statement": {"clean": True, "entities": [], "broken": []},
        "values": {
            "classes": [{"name": each.name, "label": each.label} for each in VALUE_CLASSES],
            "entities": [entity],
        },
        "entities": {"contact": Counter[str]()},  # all figures are 0
        "provenance": {"snapshots": []},
        "nowhere": [],
        "interrupted": [],
        "holds": [],
        "failures": [],
        "changes": [],
        "certificate": {"mode": "none"},
        "refusal": "",
        "stopped": "",
        "applied": True,
    }
    whole["verdict"] = verdict.verdict(whole)
    assert whole["verdict"]["code"] == "apart"
    assert exit_code("settled", whole) == 1
