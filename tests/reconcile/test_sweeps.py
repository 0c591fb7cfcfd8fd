"""A night that reads what changed in GHL concludes what a night that reads all of it would."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from reconcile.entities import Entity
from reconcile.errors import Transient
from reconcile.ledger import hints
from reconcile.ledger.ledger import Decision
from reconcile.model import OpKind, Side, Snapshot
from reconcile.plan.limits import NAMES
from reconcile.ports import Record, Scope
from tests.builders import (
    HOLD,
    MIRROR,
    Result,
    Witness,
    World,
    by_email,
    contacts,
    mapping_of,
)
from tests.builders_world import edit, random_world
from tests.long_forms import SOAK

C = Entity.CONTACT
DAY = 86_400.0
SEEDS = range(600) if SOAK else (16,)


@pytest.fixture
def world(settled: World) -> Iterator[World]:
    with settled.copied() as world:
        yield world


@pytest.fixture(scope="module")
def settled() -> Iterator[World]:
    """Five people on both sides, and one night that read all of them."""
    with World(mapping=mapping_of(contacts(delete=HOLD)), sweep=7) as world:
        for number in range(5):
            world.app.put(C, {"first_name": f"Ann{number}", "email": f"a{number}@x.com"})
        world.run()
        next_day(world)
        world.run()
        next_day(world)
        yield world


def next_day(world: World) -> None:
    world.clock.advance(DAY)


def night(world: World, **members: Any) -> tuple[Result, Snapshot, list[Scope]]:
    """One night: what it came to, what it showed of GHL's contacts, and how they were asked for.

    It begins an hour after the last edit, so that no overlap shows that again.
    """
    world.clock.advance(3_600)
    asked: list[Scope] = []
    found: list[Snapshot] = []
    ghl = world.ghl
    extract, read = type(ghl).extract, world.look

    def extracting(entity: Entity, scope: Scope = Scope()) -> Any:  # noqa: B008 - frozen
        if entity is C:
            asked.append(scope)
        return extract(ghl, entity, scope)

    def looking(run: Any) -> Any:
        plan = read(run)
        found.append(run.stage.snapshots[C, Side.GHL])
        return plan

    ghl.extract = extracting  # type: ignore[method-assign]
    world.look = looking  # type: ignore[method-assign]
    try:
        result = world.run(**members)
    finally:
        del ghl.extract, world.look
    next_day(world)
    return result, found[0], asked


def swept(asked: list[Scope]) -> bool:
    return Scope() in asked


def test_a_night_without_changes_reads_whoever_changed_last(world: World) -> None:
    """Everybody is staged, all but one as of the last full reading; nothing is left to write."""
    result, snapshot, asked = night(world)
    assert not swept(asked)
    assert (snapshot.rows, snapshot.not_read, snapshot.everybody) == (5, 4, True)
    assert snapshot.as_of < snapshot.taken_at
    assert not result.operations
    assert not result.holds


def test_what_changed_on_either_side_arrives(world: World) -> None:
    """An edit in GHL, one in the app, and somebody new on each side."""
    world.ghl.edit(C, by_email(world, Side.GHL, "a0@x.com"), {"company": "ACME"})
    world.app.edit(C, by_email(world, Side.APP, "a1@x.com"), {"company": "Mill"})
    world.ghl.put(C, {"first_name": "New", "email": "new@x.com"})
    world.app.put(C, {"first_name": "Own", "email": "own@x.com"})
    result, snapshot, asked = night(world)
    assert not swept(asked)
    assert (snapshot.rows, snapshot.not_read) == (6, 3)
    assert {o.kind for o in result.writes} == {OpKind.CREATE, OpKind.UPDATE}
    assert sorted(world.cells(Side.APP).values(), key=str) == sorted(
        world.cells(Side.GHL).values(), key=str
    )
    assert len(world.links()) == 7
    again, _, asked = night(world)
    assert not swept(asked)
    assert not again.operations


def test_after_its_days_a_night_reads_all_again(world: World) -> None:
    """A week after the last full reading the next one comes."""
    weekly = [swept(night(world)[2]) for _ in range(9)]
    assert weekly.count(True) == 1


@pytest.mark.parametrize("also_new", [False, True])
def test_a_deletion_in_ghl_makes_the_night_read_all(world: World, also_new: bool) -> None:
    """The count shows it, also where as many were added: who is new was read."""
    world.ghl.delete(C, by_email(world, Side.GHL, "a0@x.com"))
    if also_new:
        world.ghl.put(C, {"first_name": "New", "email": "new@x.com"})
    result, snapshot, asked = night(world)
    assert swept(asked)
    assert not snapshot.as_of
    assert [hold.kind for hold in result.holds] == ["delete"]


def test_a_merge_in_ghl_makes_the_night_read_all(world: World) -> None:
    """The loser is missing in the count."""
    keys = [by_email(world, Side.GHL, f"a{number}@x.com") for number in (0, 1)]
    world.ghl.merge(*keys)
    _, _, asked = night(world)
    assert swept(asked)


def test_what_the_job_deleted_itself_is_asked_by_key(world: World) -> None:
    """After a deletion that it carried out, the next night need not read all."""
    mapped = world.mapping[C]
    mirrored = replace(mapped, delete=MIRROR)
    world.mapping = replace(world.mapping, entities=(mirrored, *world.mapping.entities[1:]))
    night(world)  # another mapping: all are read
    world.app.delete(C, by_email(world, Side.APP, "a0@x.com"))
    result, _, asked = night(world)
    assert (result.of(OpKind.DELETE, C, Side.GHL) != [], swept(asked)) == (True, False)
    _, snapshot, asked = night(world)
    assert not swept(asked)
    assert snapshot.rows == 4


def test_a_restored_contact_without_a_date_is_found(world: World) -> None:
    """GHL counts one more than is known."""
    backup = world.ghl.backup()
    gone = by_email(world, Side.GHL, "a0@x.com")
    world.ghl.delete(C, gone)
    night(world)
    world.ghl._tables[C][gone] = backup[C][gone]
    _, _, asked = night(world)
    assert swept(asked)


def test_who_was_restored_while_another_was_deleted_is_not_made_twice(world: World) -> None:
    """The count adds up, and no date tells: GHL is asked before a contact is made there."""
    backup = world.ghl.backup()
    gone = by_email(world, Side.GHL, "a0@x.com")
    world.ghl.delete(C, gone)
    world.app.delete(C, by_email(world, Side.APP, "a0@x.com"))
    night(world)
    world.ghl._tables[C][gone] = backup[C][gone]
    world.ghl.delete(C, by_email(world, Side.GHL, "a1@x.com"))
    world.app.put(C, {"first_name": "Ann0", "email": "a0@x.com"})
    result, _, asked = night(world)
    assert swept(asked)
    assert not result.of(OpKind.CREATE, C, Side.GHL)


def test_what_could_not_be_written_is_tried_again(world: World) -> None:
    """An edit in GHL that the app refused is not forgotten, though GHL dates no change since."""
    world.ghl.edit(C, by_email(world, Side.GHL, "a0@x.com"), {"company": "ACME"})
    world.set_vices(Side.APP, rejects=lambda _: "UNAVAILABLE")
    night(world)
    world.set_vices(Side.APP, rejects=lambda _: None)
    for _ in range(2):
        _, _, asked = night(world)
        assert not swept(asked)
    key = by_email(world, Side.APP, "a0@x.com")
    assert world.cells(Side.APP)[key]["company"] == "ACME"


def test_an_open_question_stays_and_its_answer_is_carried_out(world: World) -> None:
    """Between two full readings a conflict is asked about each night, and decided in the next."""
    keys = {side: by_email(world, side, "a0@x.com") for side in Side}
    for side, key in keys.items():
        world.sides[side].edit(C, key, {"company": f"of {side}"})
    first, _, _ = night(world)
    second, _, asked = night(world)
    assert [hold.hold_id for hold in second.holds] == [hold.hold_id for hold in first.holds]
    assert not swept(asked)
    world.decide(second.holds[0], "ghl")
    third, _, asked = night(world)
    assert (third.holds, swept(asked)) == ((), False)
    assert world.cells(Side.APP)[keys[Side.APP]]["company"] == "of ghl"


@pytest.mark.parametrize(("choice", "reads_all"), [("delete", True), ("keep", False)])
def test_an_answer_about_a_deletion_is_carried_out(
    world: World, choice: str, reads_all: bool
) -> None:
    """While the question waits, nights are short; a deletion is concluded from a full reading."""
    world.ghl.delete(C, by_email(world, Side.GHL, "a0@x.com"))
    night(world)
    waiting, _, asked = night(world)
    assert not swept(asked)
    assert not waiting.of(OpKind.DELETE)
    (hold,) = waiting_holds(world)
    answer = Decision(hold.hold_id, choice, hold.values_digest, "Ada", world.clock(), "")
    world.ledger.decide(answer)
    result, _, asked = night(world)
    assert swept(asked) is reads_all
    assert len(result.of(OpKind.DELETE, C, Side.APP)) == reads_all
    assert not swept(night(world)[2])


def test_an_answer_to_make_somebody_anew_is_carried_out(world: World) -> None:
    """Who is in doubt is looked for as well, once a person said that it is a new contact."""
    for name in ("Fay", "Eve"):
        world.ghl.put(C, {"first_name": name, "email": "f@x.com"})
    world.app.put(C, {"first_name": "Fay", "email": "f@x.com"})
    night(world)
    (hold,) = [each for each in waiting_holds(world) if '"side":"app"' in each.body]
    answer = Decision(hold.hold_id, "create", hold.values_digest, "Ada", world.clock(), "")
    world.ledger.decide(answer)
    result, _, asked = night(world)
    assert not swept(asked)
    assert len(result.of(OpKind.CREATE, C, Side.GHL)) == 1


def waiting_holds(world: World) -> list[Any]:
    return [hold for hold in world.ledger.holds() if hold.decision is None]


def test_a_hinted_contact_is_read(world: World) -> None:
    """A webhook may tell of what moves no date."""
    key = by_email(world, Side.GHL, "a0@x.com")
    with world.ledger.transaction() as connection:
        hints.hint(world.ledger, connection, [key], at=world.clock())
    _, snapshot, asked = night(world)
    assert not swept(asked)
    assert snapshot.not_read == 3
    assert not list(hints.hinted(world.ledger))


def _no_archive(world: World) -> None:
    for path in (world.folder / "runs").glob("*/*.parquet"):
        path.unlink()


def _clock_back(world: World) -> None:
    world.clock.advance(-10 * DAY)


def _undated(world: World) -> None:
    world.set_vices(Side.GHL, undated=frozenset({C}))


def _other_mapping(world: World) -> None:
    mapped = replace(world.mapping[C], absent_runs=3)
    world.mapping = replace(world.mapping, entities=(mapped, *world.mapping.entities[1:]))


def _uncounted(world: World) -> None:
    world.ghl.count = lambda entity: None  # type: ignore[method-assign]


def _miscounted(world: World) -> None:
    world.ghl.count = lambda entity: 6  # type: ignore[method-assign]


def _broken(world: World) -> None:
    world.set_vices(Side.GHL, incomplete={C: "the side broke off"})


@pytest.mark.parametrize(
    "doubt",
    [_no_archive, _clock_back, _undated, _other_mapping, _uncounted, _miscounted, _broken],
)
def test_where_anything_is_not_sure_all_are_read(
    world: World, doubt: Callable[[World], None]
) -> None:
    """No archive, a clock set back, no dates, another mapping, no or another count, a fault."""
    doubt(world)
    _, snapshot, asked = night(world)
    assert swept(asked)
    assert not snapshot.as_of


def test_a_record_that_cannot_be_read_by_key_makes_the_night_read_all(world: World) -> None:
    """What is not as it was settled has to be read; where it cannot be, the full reading tells."""
    for side in Side:
        world.sides[side].edit(C, by_email(world, side, "a0@x.com"), {"company": f"of {side}"})
    world.ghl.edit(C, by_email(world, Side.GHL, "a1@x.com"), {"company": "Mill"})  # the last one
    night(world)

    def unreadable(entity: Entity, _: str) -> Transient | None:
        return Transient("it does not answer") if entity is C else None

    world.set_vices(Side.GHL, unreadable=unreadable)
    _, _, asked = night(world)
    assert swept(asked)


# worlds made by chance ----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_sparse_nights_then_a_sweep_are_a_sweep(seed: int) -> None:
    """Both worlds see the same edits; one reads all each night. In the end they are the same."""
    worlds = [_lived(seed, sweep) for sweep in (None, 30)]
    try:
        full, sparse = (_held(world) for world in worlds)
        assert sparse == full
    finally:
        for world in worlds:
            world.close()


def _lived(seed: int, sweep: int | None) -> World:
    """A world after some nights, the last two of which read all."""
    chance = Random(seed)  # noqa: S311 - a world made by chance, not a secret
    world = random_world(chance)
    world.sweep = sweep
    for _ in range(4):
        _night_of(world, chance)
        for _ in range(chance.randint(0, 3)):
            edit(world, chance)
        _half_a_day(world)
    world.sweep = None
    for _ in range(2):
        _night_of(world, chance)
    return world


def _night_of(world: World, chance: Random) -> None:
    result = _allowed(world)
    for hold in result.holds:
        if hold.options and chance.random() < 0.2:
            world.decide(hold, chance.choice(hold.options))
    _half_a_day(world)


def _half_a_day(world: World) -> None:
    """The same moment in both worlds, however often each asked for the time."""
    half = DAY / 2
    world.clock.advance(half - world.clock.seconds() % half)


def _allowed(world: World) -> Result:
    return world.run(allowed=NAMES)


def _held(world: World) -> dict[str, Any]:
    def rows(side: Witness) -> dict[str, Record]:
        return {
            key: replace(record, modified_at=None, version=None)
            for entity in Entity
            if entity in world.mapping
            for key, record in side.rows(entity).items()
        }

    return {
        "app": rows(world.app),
        "ghl": rows(world.ghl),
        "links": {mapped.entity: world.links(mapped.entity) for mapped in world.mapping.entities},
        "asked": sorted(hold.hold_id for hold in world.ledger.holds()),
    }
