"""What a side that was put back to a backup shows, and what of it nobody can see."""

from __future__ import annotations

import pytest

from connectors.memory import Vices
from reconcile.errors import Refused
from reconcile.model import Entity, OpKind, Side
from tests.builders import HOLD, World, by_email, contacts, mapping_of, notes, tasks
from tests.reconcile.test_times import restored

C = Entity.CONTACT


@pytest.mark.parametrize(("seconds", "asked"), [(50, False), (70, True)])
def test_a_record_went_back_where_it_is_more_than_a_minute_older(
    seconds: int, *, asked: bool
) -> None:
    """An older value is an edit where its time is within a minute of what the ledger saw, and a question where it is not."""
    with World() as world:
        world.app.put(C, {"email": "ann@x.com", "company": "Old"}, key="a1")
        written = world.clock.seconds()
        backup = world.app.backup()
        world.run()
        world.clock.advance(written + seconds - world.clock.seconds())
        world.app.edit(C, "a1", {"company": "New"})
        world.run()
        world.clock.advance(3600)
        world.app.restore(backup)
        result = world.run()
        assert [hold.field for hold in result.holds] == (["company"] if asked else [])
        assert bool(result.writes) is not asked


def test_a_ghl_that_went_back_is_refused_under_its_own_name() -> None:
    """What holds for the app holds for GHL: more records than the limit refuse the run, and `restore-ghl` brings them back."""
    with World(limits={"max_rewound": 1}) as world:
        for name in ("ann", "bea"):
            world.app.put(C, {"email": f"{name}@x.com", "company": "Old"}, key=name)
        world.run()
        world.clock.advance(86_400)
        backup = world.ghl.backup()
        for name in ("ann", "bea"):
            world.app.edit(C, name, {"company": "New"})
        world.clock.advance(86_400)
        world.run()
        world.ghl.restore(backup)
        with pytest.raises(Refused, match="--allow rewound-ghl"):
            world.run()
        world.run(allowed=["restore-ghl", "updates"])
        assert {cells["company"] for cells in world.cells(Side.GHL).values()} == {"New"}


def test_a_blank_in_ghl_stays_a_question_when_the_app_is_brought_back() -> None:
    """Where GHL is blank by now, `restore-app` does not blank the app: the value stays a question."""
    world, _ = restored(people=1)
    with world:
        world.ghl.edit(C, by_email(world, Side.GHL, "p0@x.com"), {"company": None})
        result = world.run(allowed=["restore-app"])
        assert [hold.field for hold in result.holds] == ["company"]
        assert not result.of(OpKind.UPDATE)


def test_without_a_time_of_change_a_restored_app_is_not_seen() -> None:
    """An app that says of no record when it changed: its older values look like edits of people, and travel."""
    with World(vices={Side.APP: Vices(undated=frozenset({C}))}) as world:
        world.app.put(C, {"email": "ann@x.com", "company": "Old"}, key="a1")
        world.run()
        world.clock.advance(86_400)
        backup = world.app.backup()
        world.ghl.edit(C, by_email(world, Side.GHL, "ann@x.com"), {"company": "New"})
        world.run()
        world.clock.advance(86_400)
        world.app.restore(backup)
        (update,) = world.run().of(OpKind.UPDATE)
        assert (update.side, dict(update.after)) == (Side.GHL, {"company": "Old"})


def test_a_backup_that_lacks_new_records_alone_looks_like_deletions() -> None:
    """Without an older record beside it, one that the backup lacks is gone as any other: held where the pair file says so."""
    with World(mapping=mapping_of(contacts(delete=HOLD), tasks(), notes())) as world:
        world.app.put(C, {"email": "ann@x.com"}, key="a1")
        world.run()
        backup = world.app.backup()
        world.app.put(C, {"email": "bea@x.com"}, key="a2")
        world.run()
        world.clock.advance(86_400)
        world.app.restore(backup)
        (hold,) = world.run().holds
        assert (hold.kind, hold.app_key) == ("delete", "a2")
        assert "restored backup" not in hold.because


def test_who_was_deleted_after_the_backup_counts_as_new() -> None:
    """A record that was deleted on both sides, and is there again with the backup, is created across."""
    with World(limits={"max_deletes": 100}) as world:
        world.app.put(C, {"email": "ann@x.com"}, key="a1")
        world.app.put(C, {"email": "bea@x.com"}, key="a2")
        world.run()
        backup = world.app.backup()
        world.app.delete(C, "a2")
        world.run()
        assert len(world.cells(Side.GHL)) == 1
        world.clock.advance(86_400)
        world.app.restore(backup)
        (create,) = world.run().of(OpKind.CREATE)
        assert (create.side, create.after["email"]) == (Side.GHL, "bea@x.com")


def test_an_import_with_older_times_looks_like_a_record_that_went_back() -> None:
    """An edit that says of itself that it is older than our last write is asked about."""
    with World() as world:
        world.app.put(C, {"email": "ann@x.com", "company": "Old"}, key="a1")
        world.run()
        world.clock.advance(86_400)
        world.ghl.edit(C, by_email(world, Side.GHL, "ann@x.com"), {"company": "Ours"})
        world.run()
        world.clock.advance(-43_200)
        world.app.edit(C, "a1", {"company": "Imported"})
        world.clock.advance(86_400)
        result = world.run()
        assert [hold.field for hold in result.holds] == ["company"]
        assert not result.writes
