"""Consent is never loosened unasked: not by a plan that was changed, a yes that was taken back, an undo, a backup or a merge."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconcile.errors import Refused
from reconcile.model import Entity, OpKind, Side, Status
from reconcile.ports import FieldInfo
from reconcile.report.markdown import markdown
from reconcile.report.mask import masked
from reconcile.report.page import page
from reconcile.values.codecs import Consent, Email, Labels
from reconcile.values.mapping import Field, Mapping
from reconcile.values.policy import TAGS, OnConflict, OnMerge, Rule
from tests.builders import World, by_email, contacts, field_of, mapping_of
from tests.builders_report import dumped
from tests.flows.nights import night, take_back
from tests.schemas import valid

C = Entity.CONTACT
TRAVELS = Rule(conflict=OnConflict.RESTRICT, opt_in=True)
ASKS = Rule(conflict=OnConflict.RESTRICT)


def mapping(rule: Rule, **more: object) -> Mapping:
    """A column that is true where one may write, and GHL's channel."""
    sms = Field("sms", ("sms_ok",), ("dnd.sms",), Consent.of_truth("allowed"), rule=rule)
    email = field_of("email", Email(), also=dict.fromkeys(Side, ("more_emails",)))
    tags = field_of("tags", Labels(), rule=TAGS)
    return mapping_of(contacts(email, field_of("company"), sms, tags, match=(("email",),), **more))


def world_of(rule: Rule = TRAVELS, **more: object) -> World:
    """A world with these two fields, and more emails on both sides."""
    world = World(mapping=mapping(rule), limits={"max_first_creates": 100} | dict(**more))
    for side in world.sides.values():
        side._fields[C]["sms_ok"] = FieldInfo("bool")
        side._fields[C]["dnd.sms"] = FieldInfo()
        side._fields[C]["more_emails"] = FieldInfo("json")
    return world


def ann(world: World, *, says: bool = False) -> tuple[str, str]:
    """Ann, linked, on both sides; her keys."""
    world.app.put(C, {"email": "ann@x.com", "sms_ok": says}, key="ann")
    world.run()
    return "ann", by_email(world, Side.GHL, "ann@x.com")


def ghl_says(world: World) -> list[str | None]:
    """What GHL holds of everybody."""
    return sorted(str(cells.get("sms")) for cells in world.cells(Side.GHL).values())


def without_grounds(path: Path) -> None:
    """Take every ground out of a plan file, as somebody who edits it might."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for each in lines:
        each.pop("grounds", None)
    path.write_text("".join(json.dumps(each) + "\n" for each in lines))


def test_what_has_no_ground_is_not_written() -> None:
    """The last gate is beside the write: an operation that opts somebody in says why, or is rejected, whoever planned it."""
    with world_of() as world:
        key, _ = ann(world)
        world.app.edit(C, key, {"sms_ok": True})
        plan = world.plan()
        (planned,) = plan.operations
        assert planned.grounds == {"sms": "changed in the app, not in GHL"}
        assert planned.risk == "high"
        assert plan.plan.groups[0].opt_ins == 1
        path = world.folder / "runs" / "r0003" / plan.path.name
        result = world.run(between=lambda: without_grounds(path))
        assert [(o.status, o.code) for o in result.outcomes] == [(Status.REJECTED, "CONSENT")]
        assert ghl_says(world) == ["denied"]


def test_a_yes_that_was_taken_back_meanwhile_lifts_nothing() -> None:
    """Between the plan and the write, days may pass: who said yes is looked at once more, also where nothing else is."""
    with world_of() as world:
        world.recheck = "never"
        key, _ = ann(world)
        world.app.edit(C, key, {"sms_ok": True})
        result = world.run(between=lambda: world.app.edit(C, key, {"sms_ok": False}))
        assert [(o.status, o.code) for o in result.outcomes] == [(Status.STALE, "CHANGED")]
        assert ghl_says(world) == ["denied"]
        world.app.edit(C, key, {"sms_ok": True})
        world.run()
        assert ghl_says(world) == ["allowed"]


def test_a_no_since_the_plan_stands() -> None:
    """What the other side says by now is looked at as well: a no for good that came meanwhile is not lifted."""
    with world_of() as world:
        world.recheck = "never"
        world.set_vices(Side.GHL, unversioned=True)
        key, there = ann(world)
        world.app.edit(C, key, {"sms_ok": True})
        world.run(between=lambda: world.ghl.edit(C, there, {"dnd.sms": "permanent"}))
        assert ghl_says(world) == ["permanent"]
        world.run()
        assert world.cells(Side.APP)[key]["sms"] == "denied"


def test_many_who_are_opted_in_at_once_are_refused() -> None:
    """A column that is read the wrong way round opts everybody in: more than `max_opt_ins` need a person's word."""
    with world_of(max_opt_ins=2) as world:
        for number in range(3):
            world.app.put(C, {"email": f"p{number}@x.com", "sms_ok": False}, key=f"p{number}")
        world.run()
        for number in range(3):
            world.app.edit(C, f"p{number}", {"sms_ok": True})
        with pytest.raises(Refused, match=r"3 contacts that say no in GHL, or nothing, would be"):
            world.run()
        assert ghl_says(world) == ["denied"] * 3
        world.run(allowed=["opt-ins"])
        assert ghl_says(world) == ["allowed"] * 3


def test_an_undo_opts_nobody_in() -> None:
    """What a run denied stays denied when the run is taken back, and is named; what it opted in is denied again."""
    with world_of() as world:
        for name, says in (("ann", True), ("bob", False)):
            world.app.put(C, {"email": f"{name}@x.com", "company": "Old", "sms_ok": says}, key=name)
        world.run()
        world.app.edit(C, "ann", {"sms_ok": False, "company": "New"})
        world.app.edit(C, "bob", {"sms_ok": True})
        told = night(world)
        assert ghl_says(world) == ["allowed", "denied"]
        undone = take_back(world, told)
        assert ghl_says(world) == ["denied", "denied"]
        assert {cells["company"] for cells in world.cells(Side.GHL).values()} == {"Old"}
        (left,) = undone.document["undo"]["left"]
        assert left["because"] == "a no that the run passed on stays: an undo opts nobody in: sms"


def test_who_comes_back_by_an_undo_says_no_where_the_counterpart_does() -> None:
    """A deleted contact is made again with what it held, but for a no that the other side says since."""
    with world_of() as world:
        world.app.put(C, {"email": "bob@x.com", "sms_ok": False}, key="bob")
        key, _ = ann(world, says=True)
        world.app.delete(C, key)
        told = night(world)
        assert ghl_says(world) == ["denied"]
        world.app.put(C, {"email": "ann@x.com", "sms_ok": False}, key=key)
        take_back(world, told)
        assert ghl_says(world) == ["denied", "denied"]


@pytest.mark.parametrize("rule", [TRAVELS, ASKS], ids=["travels", "asks"])
def test_a_backup_opts_nobody_in(rule: Rule) -> None:
    """A side that went back to a time when somebody said yes is asked about, and no answer to many says yes for him."""
    with world_of(rule) as world:
        key, _ = ann(world, says=True)
        backup = world.app.backup()
        world.clock.advance(7200)
        world.app.edit(C, key, {"sms_ok": False})
        world.run()
        world.clock.advance(7200)
        world.app.restore(backup)
        result = world.run()
        assert ghl_says(world) == ["denied"]
        (hold,) = result.holds
        assert hold.options == ("deny", "allow", "leave")
        world.decide(hold, "app")
        world.run()
        assert ghl_says(world) == ["denied"]
        world.decide(hold, "allow")
        (lifted,) = world.run().of(OpKind.UPDATE)
        assert lifted.grounds == {"sms": "decided by Ada"}
        assert ghl_says(world) == ["allowed"]


def test_who_was_merged_keeps_his_no() -> None:
    """Where GHL merges a contact that says no into one that says yes, the application's no wins, and lifts nothing."""
    with world_of() as world:
        world.mapping = mapping(TRAVELS, merged=OnMerge.RELINK)
        _, loser = ann(world)
        survivor = world.ghl.put(C, {"email": "a.lee@y.com", "dnd.sms": "inactive"})
        world.ghl.merge(survivor, loser)
        for _ in range(3):
            world.run()
            assert "allowed" not in {cells.get("sms") for cells in world.cells(Side.APP).values()}
        assert world.links() == {"ann": survivor}
        assert world.cells(Side.GHL)[survivor]["sms"] == "denied"


def test_a_report_names_each_change_with_its_ground() -> None:
    """Who was opted in and out, on which side, and why, in the document, the sheet of text and the page; masked like the rest."""
    with world_of() as world:
        for name, says in (("ann", True), ("bob", False)):
            world.app.put(C, {"email": f"{name}@x.com", "sms_ok": says}, key=name)
        world.run()
        world.app.edit(C, "ann", {"sms_ok": False})
        world.app.edit(C, "bob", {"sms_ok": True})
        whole = night(world).document
    assert whole["consent"]["counts"] == {"opted in": 1, "opted out": 1}
    grounds = [(each["label"], each["ground"]) for each in whole["consent"]["changes"]]
    assert grounds == [
        ("bob@x.com", "changed in the app, not in GHL"),
        ("ann@x.com", "sms: the app says no, and a no of either side wins"),
    ]
    assert "Consent: 1 opted out, 1 opted in." in whole["verdict"]["sentences"]
    assert "bob@x.com | sms | GHL | denied | allowed | changed in the app" in markdown(whole)
    assert "Changes of consent" in page(whole)
    assert {each["label"] for each in masked(whole)["consent"]["changes"]} == {
        "a•••@x•••",
        "b•••@x•••",
    }
    valid(json.loads(dumped(whole)))


def test_a_no_for_good_that_becomes_a_plain_no_across_is_accounted_for() -> None:
    """The app can hold but a plain no: that it was written is no unexplained value, though the sides' words differ."""
    with world_of(ASKS) as world:
        world.app.put(C, {"email": "ann@x.com", "sms_ok": True}, key="ann")
        world.ghl.put(C, {"email": "ann@x.com", "dnd.sms": "permanent"}, key="g-ann")
        told = night(world)
        assert world.cells(Side.APP)["ann"]["sms"] == "denied"
        assert told.document["statement"]["unexplained"] == 0
        assert told.exit_code == 0, told.document["verdict"]
        (contact,) = told.document["values"]["entities"]
        assert "unexplained" not in contact["classes"]
        assert night(world).exit_code == 0


def test_a_no_that_was_refused_with_another_value_goes_the_next_night() -> None:
    """A side refuses the whole update for its email; the night after sends the no without it, though nobody edited anything."""
    with world_of() as world:
        key, _ = ann(world, says=True)
        world.set_vices(
            Side.GHL,
            rejects=lambda write: "INVALID_FIELD" if "email" in write.fields else None,
        )
        world.app.edit(C, key, {"email": "ann@elsewhere.example", "sms_ok": False})
        world.run()
        assert ghl_says(world) == ["allowed"]
        world.run()
        assert ghl_says(world) == ["denied"]
