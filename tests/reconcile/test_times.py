"""Time that runs backwards, or that our own writes move: what counts as the time of a person's edit."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.memory import Vices
from reconcile.codecs import Labels, Name
from reconcile.errors import Refused
from reconcile.mapping import Mapping as PairMapping
from reconcile.model import Entity, OpKind, Side
from reconcile.policy import TAGS, OnConflict, Rule
from reconcile.ports import Write
from tests.builders import World, by_email, contacts, field_of, mapping_of, notes, tasks

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
    world.app.put(C, {"email": "ann@x.com", "first_name": "Ann", "company": "Old", "tags": []}, key="a1")
    world.run()
    world.run()
    world.clock.advance(3600)
    return world


def _no_company(write: Write) -> str | None:
    return "INVALID" if "company" in write.fields else None


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
    keys = [world.app.put(C, {"email": f"p{n}@x.com", "first_name": f"P{n}", "company": "Old"}) for n in range(people)]
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
        assert [(o.side, o.after["company"]) for o in world.run().writes].count((Side.GHL, "Old")) == 1
        assert sorted(cells["company"] for cells in world.cells(Side.APP).values() if "company" in cells) == sorted(
            cells["company"] for cells in world.cells(Side.GHL).values() if "company" in cells
        )
        (lead,) = world.run().holds
        assert "undone by a restored backup" in lead.because
        world.decide(lead, "restore")
        world.run()
        assert by_email(world, Side.APP, "lead@x.com")
        assert keys[0] in world.cells(Side.APP)
        assert not world.run().operations


def test_an_app_that_went_back_is_refused_and_brought_back_by_name() -> None:
    """More of them than the limit refuse the run; one word brings all of them, and what is missing, back from GHL."""
    world, _ = restored(people=4, max_rewound=3)
    with world:
        with pytest.raises(Refused) as refusal:
            world.run()
        assert "4 linked records are older there than they were seen already, 1 are missing" in str(refusal.value)
        assert "--allow restore-app" in str(refusal.value)
        assert "--allow rewound-app" in str(refusal.value)
        world.run(allowed=["restore-app", "updates"])
        assert world.cells(Side.APP)
        for n in range(4):
            assert world.cells(Side.APP)[by_email(world, Side.APP, f"p{n}@x.com")]["company"] == f"New {n}"
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
