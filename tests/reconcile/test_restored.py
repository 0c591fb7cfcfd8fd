"""What a side that was put back to a backup shows, and what of it nobody can see."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import Any

import pytest

from connectors.memory import Crash, Killed, Vices
from reconcile.errors import Refused
from reconcile.model import Entity, Hold, OpKind, Side
from tests.builders import HOLD, World, by_email, contacts, mapping_of, notes, tasks
from tests.long_forms import SOAK
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


# whose link was forgotten meanwhile -----------------------------------------------------------------------------------

RESTORE = ("restore-app", "updates")
NEVER = ("app", 999, "after")


def given_away_and_corrected(corrected: dict[str, str]) -> tuple[World, object]:
    """A world with the app's backup of a day on which a1 was Ann, whose values GHL corrected; a1 was given to Bob since.

    That they are two people is answered, and not carried out yet.
    """
    world = World(limits={"max_deletes": 100, "max_first_creates": 100})
    ann = {"email": "ann@x.com", "phone": "(415) 555-2671", "first_name": "Ann", "last_name": "A"}
    world.app.put(C, ann, key="a1")
    world.app.put(C, {"email": "zoe@x.com", "last_name": "Z", "company": "Old"}, key="a9")
    world.run()
    world.clock.advance(86_400)
    backup = world.app.backup()
    world.ghl.edit(C, by_email(world, Side.GHL, "zoe@x.com"), {"company": "New"})
    world.ghl.edit(C, by_email(world, Side.GHL, "ann@x.com"), corrected)
    world.run()
    world.clock.advance(86_400)
    world.app.delete(C, "a1")
    world.app.put(C, {"email": "bob@x.com", "first_name": "Bob", "last_name": "B"}, key="a1")
    (hold,) = world.run().holds
    assert hold.kind == "another"
    world.decide(hold, "unlink")
    world.clock.advance(86_400)
    return world, backup


def _nobody_is_there_twice(world: World) -> None:
    for side in Side:
        names = Counter(cells.get("last_name") for cells in world.cells(side).values())
        assert max(names.values()) == 1, (side, names)


def _night(world: World, *, allowed: tuple[str, ...] = ()) -> tuple[Hold, ...]:
    result = world.run(allowed=allowed)
    world.clock.advance(86_400)
    _nobody_is_there_twice(world)
    return result.holds


def _choice(hold: Hold) -> str:
    """What somebody answers who knows them: Ann is Ann, Bob is another."""
    linking = [option for option in hold.options if option.startswith("link:")]
    if linking:
        return linking[0]
    return {"another": "unlink", "delete": "restore"}.get(hold.kind, "ghl")


MAIL = {"email": "ann@y.com"}
BOTH = {"email": "ann@y.com", "phone": "(415) 555-9999"}


CASES = [
    (NEVER, MAIL, False),
    (NEVER, BOTH, True),
    (("app", 1, "after"), MAIL, True),
    (("app", 1, "after"), BOTH, False),
    (("ghl", 1, "before"), MAIL, False),
    (("ghl", 1, "after"), BOTH, True),
]


@pytest.mark.parametrize(
    ("killed", "corrected", "restored_twice"), CASES if SOAK else [CASES[0], *CASES[3:]]
)
def test_a_restored_row_whose_link_was_forgotten_is_met_again_or_asked_about(
    killed: tuple[str, int, Any], corrected: dict[str, str], restored_twice: bool
) -> None:
    """The row of before holds Ann again, with values that match no rule: `restore-app` makes no second Ann beside it, and answers end it."""
    world, backup = given_away_and_corrected(corrected)
    with world:
        side, at, when = Side(killed[0]), *killed[1:]
        world.set_vices(side, crash=Crash(world.sides[side].carried_out + at, when))
        with suppress(Killed):
            world.run()
        world.set_vices(side, crash=None)
        world.reopen()
        world.clock.advance(86_400)
        if restored_twice:
            world.app.restore(backup)
            _night(world)
        world.app.restore(backup)
        _night(world, allowed=RESTORE)
        for _ in range(4):
            for hold in _night(world):
                if hold.options:
                    world.decide(hold, _choice(hold))
        assert not world.plan().writes
        for name, email in (("A", corrected["email"]), ("Z", "zoe@x.com")):
            for each in Side:
                (cells,) = [c for c in world.cells(each).values() if c.get("last_name") == name]
                assert cells["email"] == email
