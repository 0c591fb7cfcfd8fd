"""The neighbourhood of a new contact is found by what the ledger knows, and is what a whole reading gives."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from flows.jobs.delta import Delta
from flows.runner import plainly
from flows.scope import Sought
from flows.steps import steps
from reconcile.apply.apply import chunks
from reconcile.entities import Entity
from reconcile.ledger import known, runs
from reconcile.model import Side
from reconcile.plan import planfile
from reconcile.ports import FieldInfo, Json, Scope
from reconcile.values.codecs import Email
from reconcile.values.references import Linked
from tests.builders import (
    World,
    companies,
    contacts,
    field_of,
    hold_of,
    mapping_of,
    small_stage,
)
from tests.long_forms import SOAK

C = Entity.CONTACT
SEEDS = range(400) if SOAK else (0,)

PEOPLE = 7
"""So many different emails, phones and names there are: few share one, and those that do may be anywhere."""

PHONES = ("888555{:04}", "(888) 555-{:04}", "+1888555{:04}")
EMAILS = ("p{}@x.com", "P{}@X.com ")


def pair() -> Any:
    email = field_of("email", Email(), also={Side.GHL: ("more_emails",)})
    fields = tuple(email if each.name == "email" else each for each in contacts().fields)
    return mapping_of(contacts(*fields, match=(("email",), ("phone",), ("last_name", "company"))))


def person(chance: random.Random) -> dict[str, Json]:
    """Somebody who is known by one or two things, written in one form or another."""

    def told(share: float, *forms: str) -> str | None:
        number = chance.randrange(PEOPLE)
        return chance.choice(forms).format(number) if chance.random() < share else None

    return {
        "first_name": chance.choice(("Ann", "Bob", "Cyd")),
        "last_name": told(0.9, "Lee{}", "lee{}"),
        "email": told(0.4, *EMAILS),
        "phone": told(0.5, *PHONES),
        "company": told(0.5, "Mill"),
    }


def stir(world: World, chance: random.Random, *, deletes: bool) -> None:
    """What some user does on some side."""
    side = world.sides[chance.choice(list(Side))]
    people = sorted(side.rows(C))
    what = chance.random()
    if what < 0.5 or not people:
        side.put(C, person(chance))
    elif what < 0.8:
        name = chance.choice(("email", "phone", "last_name", "company"))
        side.edit(C, chance.choice(people), {name: person(chance)[name]})
    elif what < 0.9 and side is world.ghl:
        side.edit(
            C, chance.choice(people), {"more_emails": [EMAILS[0].format(chance.randrange(PEOPLE))]}
        )
    elif deletes:
        side.delete(C, chance.choice(people))


def settled(chance: random.Random, *, deletes: bool = True) -> World:
    """A world that a full run brought together and that users of both sides changed since."""
    world = World(mapping=pair())
    world.ghl._fields[C].setdefault("more_emails", FieldInfo())
    for _ in range(8):
        stir(world, chance, deletes=False)
    for _ in range(
        2
    ):  # what a look by time shows anyway, as the first night's writes, proves nothing
        world.clock.advance(86_400)
        world.run()
    world.clock.advance(86_400)
    for _ in range(chance.randint(1, 4)):
        stir(world, chance, deletes=deletes)
    world.clock.advance(chance.choice((0, 20_000)))
    return world


def delta(world: World, *, write: bool = True, **sought: Any) -> tuple[list[str], set[str]]:
    """A delta; what it plans, and how it read the contacts."""
    world._runs += 1
    with small_stage(world.folder / "runs" / f"d{world._runs:04d}") as stage:
        run = world.open(stage)
        runs.start(world.ledger, run.run_id, "delta", at=world.clock())
        how = set[str]()
        for side, connector in world.sides.items():
            watch(connector, side, how)
        run, job = Delta(sought=Sought(**sought)).prepare(run, plainly)
        plan = job.plan(run, plainly)
        told = [line_of(o) for o in steps.operations(run)]
        told += [line_of(hold) for hold in planfile.holds(run.plan_path)]
        for connector in world.sides.values():
            vars(connector).pop("extract", None)
        if write:
            steps.check(run, plan)
            steps.begin_apply(run)
            for chunk in chunks(steps.operations(run), 100):
                steps.apply(run, chunk)
            steps.settle_run(run)
        return sorted(told), how


def watch(connector: Any, side: Side, how: set[str]) -> None:
    """Note each whole reading of contacts."""
    read = type(connector).extract

    def extract(entity: Entity, scope: Scope = Scope()) -> Any:  # noqa: B008 - frozen
        if entity is C and scope == Scope():
            how.add(side.value)
        return read(connector, entity, scope)

    connector.extract = extract


def line_of(planned: Any) -> str:
    """An operation or a question, without what is of its run alone."""
    names = (
        "kind",
        "entity",
        "side",
        "key",
        "source_key",
        "after",
        "link_id",
        "because",
        "subject",
        "values",
        "field",
    )
    return repr([(name, getattr(planned, name)) for name in names if hasattr(planned, name)])


def sought(world: World, chance: random.Random) -> dict[str, Any]:
    """Some contacts by name, new ones first; nothing: whatever changed."""
    if chance.random() < 0.3:
        return {}
    links = world.links()
    ends = {Side.APP: set(links), Side.GHL: set(links.values())}
    new = [
        (side, key)
        for side in Side
        for key in sorted(world.sides[side].rows(C))
        if key not in ends[side]
    ]
    some = chance.sample(new, min(len(new), chance.randint(1, 2)))
    return {side.value: tuple(key for at, key in some if at is side) for side in Side}


def held(world: World) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """What each side holds, and who is linked with whom, whatever their keys."""
    cells = {
        side: {k: repr(sorted(c.items())) for k, c in world.cells(side).items()} for side in Side
    }
    pairs = ((cells[Side.APP].get(a), cells[Side.GHL].get(g)) for a, g in world.links().items())
    return (
        Counter(cells[Side.APP].values()),
        Counter(cells[Side.GHL].values()),
        Counter(map(repr, pairs)),
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_it_concludes_what_a_full_run_concludes(seed: int) -> None:
    """In worlds made by chance: the writes and questions of a delta are those of one that reads both sides whole.

    After it a full run comes to what one would come to without it, and the next has nothing to do: nobody is doubled, lost or linked with another.
    """
    chance = random.Random(seed)  # noqa: S311
    with settled(chance) as world, world.copied() as other:
        named = sought(world, chance)
        told, how = delta(world, **named)
        assert how == set()
        with other.ledger.transaction() as connection:
            known.doubt(other.ledger, connection)
        again, how = delta(other, write=False, **named)
        assert (told, how) == (again, {"app", "ghl"} if how else set())
        for each in (world, other):
            each.run()
        assert held(world) == held(other)
        assert not world.run().writes


@pytest.fixture(scope="module")
def acquainted() -> Iterator[World]:
    """People of both sides who were brought together long ago, in each way in which somebody may be known."""
    with World(mapping=pair()) as world:
        world.ghl._fields[C].setdefault("more_emails", FieldInfo())
        world.app.put(C, {"last_name": "Ann", "email": "ann@x.com"})
        world.app.put(C, {"last_name": "Bob", "phone": "(888) 555-0001"})
        world.ghl.put(C, {"last_name": "Cyd", "email": "cyd@x.com", "more_emails": ["old@x.com"]})
        world.app.put(C, {"last_name": "Dee", "company": "Mill"})
        world.app.put(C, {"last_name": "Eve", "email": "eve@x.com"}, key="first")
        world.app.put(C, {"last_name": "Eva", "email": "eve@x.com"}, key="second")
        for _ in range(2):
            world.clock.advance(86_400)
            world.run()
        world.clock.advance(86_400)
        yield world


@pytest.mark.parametrize(
    ("side", "new"),
    [
        (Side.GHL, {"email": "ANN@X.com "}),
        (Side.GHL, {"phone": "+1 888 555 0001"}),
        (Side.APP, {"email": "Old@x.com"}),
        (Side.GHL, {"last_name": "Dee ", "company": "Mill"}),
        (Side.GHL, {"email": "EVE@x.com"}),
        (Side.APP, {"email": "eve@x.com", "phone": "8885559999"}),
    ],
    ids=["case", "phone", "secondary", "name", "ambiguous", "twin"],
)
def test_who_is_known_already_is_not_made_again(
    acquainted: World, side: Side, new: dict[str, Json]
) -> None:
    """A new record that equals one of long ago in another form is asked about, and nobody is read but who is concerned."""
    with acquainted.copied() as world:
        key = world.sides[side].put(C, {"first_name": "New", **new})
        named: dict[str, Any] = {side.value: (key,)}
        told, how = delta(world, **named)
        assert how == set()
        assert not [line for line in told if "OpKind.CREATE" in line]
        assert [line for line in told if key in line]
        assert key not in {*world.links(), *world.links().values()}


def test_what_no_index_shows_yet_is_found_by_its_email(acquainted: World) -> None:
    """Who was made in GHL a moment ago is linked with the same person of the app, not made once more."""
    with acquainted.copied() as world:
        world.set_vices(Side.GHL, lag_seconds=60.0)
        there = world.ghl.put(C, {"last_name": "Fay", "email": "fay@x.com"})
        key = world.app.put(C, {"last_name": "Fay", "email": "fay@x.com"})
        _, how = delta(world, app=(key,))
        assert (how, world.links()[key]) == (set(), there)


@pytest.mark.parametrize("side", list(Side))
def test_who_is_not_dated_is_read_whole_for(acquainted: World, side: Side) -> None:
    """Where a side does not say when its records were changed, nobody can be asked for what changed: both sides are read whole."""
    with acquainted.copied() as world:
        world.set_vices(side, undated=frozenset({C}))
        world.run()
        key = world.app.put(C, {"last_name": "Fay", "email": "fay@x.com"})
        told, how = delta(world, app=(key,))
        assert how == {"app", "ghl"}
        assert [line for line in told if "OpKind.CREATE" in line]


def test_who_has_no_date_yet_is_seen(acquainted: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who was put into the app today and carries no date, as some carry none until they are first changed, is not made once more for one of GHL."""
    with acquainted.copied() as world:
        there = world.app.put(C, {"last_name": "Fay", "phone": "(888) 555-0042"})
        dated = type(world.app)._record

        def record(side: Any, entity: Entity, key: str, row: Any) -> Any:
            shown = dated(side, entity, key, row)
            return replace(shown, modified_at=None) if key == there else shown

        monkeypatch.setattr(type(world.app), "_record", record)
        key = world.ghl.put(C, {"first_name": "Fay", "phone": "+18885550042"})
        _, how = delta(world, ghl=(key,))
        assert (how, world.links()[there]) == ({"app", "ghl"}, key)


@pytest.mark.parametrize("side", list(Side))
def test_what_a_backup_brought_back_is_seen(acquainted: World, side: Side) -> None:
    """A side that was put back to a backup shows people as they were, with the dates of then: a new one who equals one of them is asked about, not made again."""
    with acquainted.copied() as world:
        (bob,) = [key for key, cells in world.cells(side).items() if cells["last_name"] == "Bob"]
        backup = world.sides[side].backup()
        world.sides[side].edit(C, bob, {"phone": "8885550043"})
        for _ in range(2):
            world.run()
            world.clock.advance(86_400)
        world.sides[side].restore(backup)
        key = world.sides[side.other].put(C, {"first_name": "New", "phone": "+1 888 555 0001"})
        named: dict[str, Any] = {side.other.value: (key,)}
        told, how = delta(world, **named)
        assert how == {"app", "ghl"}
        assert [line for line in told if key in line]
        assert not [line for line in told if "OpKind.CREATE" in line and key in line]


def test_who_could_not_be_read_is_not_taken_for_unchanged(
    acquainted: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose row a look by time could not read may be known by something else by now: nobody is made who may be that one, also where later looks do not show it."""
    with acquainted.copied() as world:
        named = {str(cells["last_name"]): k for k, cells in world.cells(Side.APP).items()}
        bob = named["Bob"]
        world.app.edit(C, bob, {"phone": "(888) 555-0045"})
        world.app.edit(C, named["Ann"], {"first_name": "Anna"})
        world.clock.advance(3_600)
        read = type(world.app).extract

        def extract(self: Any, entity: Entity, scope: Scope = Scope()) -> Any:  # noqa: B008 - frozen
            """As it is, but for that row."""
            hidden = None
            if entity is C and self.side is Side.APP and len(self._tables[C][bob]) > 1:
                hidden = self._tables[C].pop(bob)
            *pages, proof = read(self, entity, scope)
            if hidden:
                self._tables[C][bob] = hidden
                asked = bob in scope.keys if scope.keys is not None else True
                if asked and hidden[-1].at >= (scope.since or ""):
                    proof = replace(proof, quarantined=(f"contact {bob}: no text",))
            yield from (*pages, proof)

        monkeypatch.setattr(type(world.app), "extract", extract)
        delta(world)
        world.clock.advance(86_400)
        key = world.ghl.put(C, {"first_name": "New", "phone": "+18885550045"})
        told, _ = delta(world, ghl=(key,))
        assert not [line for line in told if "OpKind.CREATE" in line]


def test_who_is_probably_somebody_is_not_made_meanwhile(acquainted: World) -> None:
    """Whom an audit asked about for a likeness, though no match rule joins the two, stays a question in a delta, too."""
    with acquainted.copied() as world:
        key = world.app.put(C, {"first_name": "Jon", "last_name": "Lee", "email": "jon@x.com"})
        there = world.ghl.put(C, {"first_name": "John", "last_name": "Lee", "phone": "8885550044"})
        values = {"rule": "likeness 99 %: alike first name", "candidates": [there]}
        hold = hold_of(
            kind="ambiguous", subject=key, side=Side.APP, field=None, options=(), values=values
        )
        with world.ledger.transaction() as connection:
            runs.put_holds(world.ledger, connection, [hold], run_id="r0002", at=world.clock())
        world.clock.advance(86_400)
        with world.copied() as other:
            with other.ledger.transaction() as connection:
                known.doubt(other.ledger, connection)
            whole, _ = delta(other, app=(key,), write=False)
        told, how = delta(world, app=(key,))
        assert (told, how) == (whole, set())
        assert [line for line in told if "'ambiguous'" in line and key in line]
        assert not [line for line in told if "OpKind.CREATE" in line]


def test_whose_company_is_new_as_well_is_found_by_it() -> None:
    """Two new contacts of one name are one where their companies are, though each side knows those by a key of its own and neither was linked before."""
    company = field_of("company", Linked(entity=Entity.COMPANY))
    match = (("email",), ("last_name", "company"))
    people = contacts(field_of("last_name"), field_of("email", Email()), company, match=match)
    with World(mapping=mapping_of(companies(), people)) as world:
        world.app.put(Entity.COMPANY, {"name": "Inn"}, key="old")
        world.app.put(C, {"last_name": "Ann", "company": "old"})
        for _ in range(2):
            world.run()
            world.clock.advance(86_400)
        ends = {}
        for side in Side:
            at = world.sides[side].put(Entity.COMPANY, {"name": "Mill"})
            ends[side] = world.sides[side].put(C, {"last_name": "Lee", "company": at})
        _, how = delta(world, app=(ends[Side.APP],))
        assert (how, world.links()[ends[Side.APP]]) == (set(), ends[Side.GHL])


@pytest.mark.parametrize("side", list(Side))
def test_of_whom_a_person_said_that_they_are_one_are_linked(acquainted: World, side: Side) -> None:
    """An answer holds in a delta as well where what the two had in common was corrected meanwhile: they are linked, and neither is made again."""
    with acquainted.copied() as world:
        key = world.app.put(C, {"last_name": "Fay", "email": "fay@x.com"})
        there = [world.ghl.put(C, {"first_name": n, "email": "fay@x.com"}) for n in ("F", "G")]
        (hold,) = [hold for hold in world.run().holds if hold.subject == key]
        world.decide(hold, f"link:{there[0]}")
        world.clock.advance(86_400)
        for number, each in enumerate(there):
            world.ghl.edit(C, each, {"email": f"fay{number}@x.com"})
        named = {side.value: (key if side is Side.APP else there[0],)}
        told, how = delta(world, **named)
        assert (how, world.links().get(key)) == (set(), there[0])
        assert not [line for line in told if "OpKind.CREATE" in line]


def test_what_an_import_dated_back_is_seen(acquainted: World) -> None:
    """An import keeps the dates of where it comes from: two of its rows that may be one person are asked about, though nothing says that the other one is new."""
    with acquainted.copied() as world:
        keys = [world.app.put(C, {"last_name": name, "email": "f@x.com"}) for name in ("Fay", "F")]
        for key in keys:
            rows = world.app._tables[C][key]
            rows[-1] = replace(rows[-1], at="2020-01-01T00:00:00Z")
        told, how = delta(world, app=(keys[0],))
        assert how == {"app", "ghl"}
        assert [line for line in told if "'duplicate'" in line and keys[0] in line]
        assert not [line for line in told if "OpKind.CREATE" in line]
