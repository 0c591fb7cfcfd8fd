"""Runs a World once more with a hand on its stage, so that a test can look at what a report is made of."""

from __future__ import annotations

import atexit
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from itertools import count
from random import Random
from typing import Any

from connectors.memory import MemoryConnector, Vices
from flows.run import Run
from flows.steps import steps
from reconcile.apply.apply import chunks
from reconcile.entities import OWNER, RECORDS
from reconcile.ledger import runs
from reconcile.ledger.journal import Journal
from reconcile.model import Entity, Side
from reconcile.ports import FieldInfo, Json
from reconcile.report.about import About
from reconcile.stage import archive
from reconcile.stage.formula import formula
from reconcile.stage.stage import Stage
from reconcile.values.codecs import Owner
from reconcile.values.mapping import EntityMap, Field, Filter
from reconcile.values.policy import Flow, OnCreate, OnDelete, Rule
from reconcile.values.references import Linked
from tests.builders import (
    World,
    companies,
    contacts,
    field_of,
    mapping_of,
    notes,
    small_stage,
    tasks,
)

_NAMES = count(1)


@dataclass(frozen=True, slots=True)
class Seen:
    """A run with its stage still open."""

    run: Run
    about: About

    @property
    def stage(self) -> Stage:
        """The run's stage."""
        return self.run.stage


@contextmanager
def seen(
    world: World, *, apply: bool = True, most: int | None = None, **about: Any
) -> Iterator[Seen]:
    """One whole run of `world`; with `most`, it stops after so many chunks. `about` replaces members of the About."""
    name = f"s{next(_NAMES):05d}"
    with small_stage(world.folder / "runs" / name) as stage:
        run = world.open(stage)
        world.look(run)
        if apply:
            _apply(run, most)
        archive.load_outcomes(stage, run.journal)
        yield Seen(run, replace(about_of(run, apply=apply), **about))


def _apply(run: Run, most: int | None) -> None:
    steps.begin_apply(run)
    for done, chunk in enumerate(chunks(steps.operations(run), run.pair.apply.chunk)):
        if most is not None and done >= most:
            run.course.stopped = "the time budget of the run was used up"
            break
        steps.apply(run, chunk)
    steps.settle_run(run)
    steps.read_back(run)


def about_of(run: Run, *, apply: bool = True) -> About:
    """What a report is told of a run."""
    return About(
        run_id=run.run_id,
        pair=run.pair.name,
        job="nightly",
        started_at=run.started_at,
        ended_at=run.clock(),
        state=("stopped" if run.course.stopped else "settled") if apply else "planned",
        plan=run.course.plan,
        residuals=tuple(run.course.residuals),
        usage={side: connector.usage() for side, connector in run.connectors.items()},
        snapshots=run.stage.snapshots,
        described=run.described,
        settlement=run.course.settlement,
        looked_again=run.course.looked_again,
        stopped=run.course.stopped,
        history=tuple(dict(row.summary) for row in runs.runs(run.ledger) if row.summary),
        interrupted={name: Journal(run.ledger, name).entries for name in run.course.recovered},
        versions={"python": "3", "ghl-reconcile": "0"},
    )


def busy_world(**settings: Any) -> World:
    """A world in which nearly everything that can happen has happened; one run of it is done, once for all of them."""
    return _busy_world(**settings).copied()


@cache
def _busy_world(**settings: Any) -> World:
    world = World(**settings)
    atexit.register(world.close)
    app, ghl = world.app, world.ghl
    people = {
        "ann": {
            "first_name": "Ann",
            "last_name": "Lee",
            "email": "ann@x.com",
            "tags": ["vip", "lead"],
        },
        "bob": {"first_name": "Bob", "last_name": "Ray", "email": "bob@x.com", "company": "B"},
        "cyd": {"first_name": "Cyd", "phone": "8885553333"},
        "eve": {"first_name": "Eve", "email": "eve@x.com", "company": "E"},
    }
    keys = {name: app.put(Entity.CONTACT, fields) for name, fields in people.items()}
    ghl.put(Entity.CONTACT, {"first_name": "Ann", "email": "ANN@x.com", "phone": "+18885551212"})
    ghl.put(Entity.CONTACT, {"first_name": "Dee", "email": "dee@x.com"})
    app.put(
        Entity.TASK,
        {"title": "Call", "due": "2026-01-01T10:00:00Z", "completed": False},
        parent=keys["ann"],
    )
    app.put(Entity.NOTE, {"body": "met her at the fair"}, parent=keys["bob"])
    world.run()
    there = {str(cells.get("first_name")): key for key, cells in world.cells(Side.GHL).items()}
    app.edit(Entity.CONTACT, keys["ann"], {"company": "ACME", "tags": ["vip", "won"]})
    app.edit(Entity.CONTACT, keys["bob"], {"company": "From the app"})
    ghl.edit(Entity.CONTACT, there["Bob"], {"company": "From GHL"})
    app.delete(Entity.CONTACT, keys["cyd"])
    app.edit(Entity.CONTACT, keys["eve"], {"email": "EVE@x.com"})
    for _ in range(2):
        app.put(Entity.CONTACT, {"first_name": "Fay", "email": "fay@x.com"})
    ghl.put(Entity.CONTACT, {"first_name": "Fay", "email": "fay@x.com"})
    app.put(Entity.CONTACT, {"first_name": "Guy", "email": "guy@x.com", "tags": ["new"]})
    ghl.put(
        Entity.TASK,
        {"title": "Mail", "due": "2025-01-02T10:00:00Z", "completed": False},
        parent=there["Eve"],
    )
    ghl.put(
        Entity.TASK,
        {"title": "", "due": "2026-01-02T10:00:00Z", "completed": False},
        parent=there["Eve"],
    )
    return world


# worlds made by chance ----------------------------------------------------------------------------------------------

_NAMES_OF_PEOPLE = ("Ann", "Bob", "Cyd", "Dee", "Eve")
_EMAILS = (None, "a@x.com", "b@x.com", "B@x.com ", "c@x.com", "not an email")
_PHONES = (None, "8885551212", "(888) 555-1212", "+18885553333", "12")
_COMPANIES = (None, "ACME", "acme", "", "Mill Ltd")
_TAG_SETS: tuple[list[str], ...] = ([], ["vip"], ["VIP", "lead"], ["lead", "won"])


COMPUTED = field_of(
    "stage",
    app=("first_name", "phone"),
    formula=formula("first_name || ' ' || CAST(replace(phone, '+', '') AS BIGINT)"),
    rule=Rule(flow=Flow.TO_GHL, computed=True),
)
"""A value that is computed in the app; of a phone in brackets it cannot be."""


FIRM = field_of("firm", Linked(entity=Entity.COMPANY))
"""A contact's company, by key."""
_CITIES = (None, "Oslo", "Bergen")
_STAGES = (None, "New", "Signed")


USERS = {"u1": "ann@us.test", "u2": "Ben@us.test", "u3": "twice@us.test", "u4": "twice@us.test"}
"""The location's users, two of them with one email."""
_OWNERS: Mapping[Side, tuple[Json, ...]] = {
    Side.APP: (None, "ANN@us.test", "ben@us.test", "gone@us.test", "twice@us.test"),
    Side.GHL: (None, "u1", "u2", "u3", "u9"),
}
"""Whom each side names: also one whom the location does not have, and one whom it has twice."""


def owner(chance: Random) -> Field:
    """A user by email, with somebody by default or not."""
    default = chance.choice((None, None, "ben@us.test"))
    return field_of("owner", Owner(users=USERS), fallback=default)


def _firms(chance: Random) -> EntityMap:
    """Companies, which come before their contacts."""
    return companies(
        delete={side: chance.choice(list(OnDelete)) for side in Side},
        create=chance.choice((OnCreate.BOTH, OnCreate.BOTH, *OnCreate)),
    )


def _deals(chance: Random) -> EntityMap:
    """What is sold to a contact."""
    stage = field_of("stage", within="pipeline")
    fields = (field_of("name", required=True), field_of("pipeline"), stage)
    deletes = {side: chance.choice(list(OnDelete)) for side in Side}
    deals = tasks(*fields, match=(("name",),), delete=deletes)
    return replace(deals, entity=Entity.OPPORTUNITY)


def random_world(chance: Random) -> World:
    """A world with rules and vices by chance, and a few records on each side.

    It has companies or opportunities sometimes, then without tasks or notes: each kind costs.
    """
    choose = chance.choice
    more = (COMPUTED,) if chance.random() < 0.4 else ()
    more += (owner(chance),) if chance.random() < 0.5 else ()
    firms, deals = chance.random() < 0.3, chance.random() < 0.3
    more += (FIRM,) if firms else ()
    mapped = mapping_of(
        *([_firms(chance)] if firms else []),
        contacts(
            *(*contacts().fields, *more),
            delete={side: choose(list(OnDelete)) for side in Side},
            absent_runs=choose((1, 1, 2)),
            create=choose((OnCreate.BOTH, OnCreate.BOTH, *OnCreate)),
            exclude=(Filter("company", ("ACME",)),) if chance.random() < 0.3 else (),
        ),
        *([] if firms else [tasks(delete={side: choose(list(OnDelete)) for side in Side})]),
        *([_deals(chance)] if deals else [notes()]),
    )
    world = World(
        mapping=mapped,
        vices={side: vices(chance) for side in Side},
        notes_budget=choose((None, None, 1)),
    )
    for side in world.sides.values():
        side._fields[Entity.CONTACT].setdefault("owner", FieldInfo())
        side._fields[Entity.CONTACT].setdefault("firm", FieldInfo())
    for _ in range(chance.randint(2, 9)):
        edit(world, chance)
    return world


def vices(chance: Random) -> Vices:
    """What a side does that it should not, by chance."""
    sometimes = chance.random
    return Vices(
        lowercase_tags=sometimes() < 0.5,
        e164=sometimes() < 0.5,
        lag_seconds=20.0 if sometimes() < 0.2 else 0.0,
        drops=frozenset({"company"}) if sometimes() < 0.2 else frozenset(),
        rejects=(
            lambda write: "INVALID_FIELD" if write.fields.get("company") == "Mill Ltd" else None
        )
        if sometimes() < 0.3
        else (lambda write: None),
        unique=("email",) if sometimes() < 0.3 else (),
        incomplete={chance.choice(RECORDS): "the side broke off"} if sometimes() < 0.15 else {},
    )


def edit(world: World, chance: Random) -> None:
    """What some user does on some side."""
    which = chance.choice(list(Side))
    side = world.sides[which]
    people = sorted(side.rows(Entity.CONTACT))
    hanging = [each for each in OWNER.children if each in world.mapping]
    children = [(entity, key) for entity in hanging for key in sorted(side.rows(entity))]
    if Entity.COMPANY in world.mapping and chance.random() < 0.35:
        _edit_firm(side, chance, people)
        return
    action = chance.random()
    if action < 0.4 or not people:
        side.put(Entity.CONTACT, _person(chance, which))
    elif action < 0.6:
        key = chance.choice(people)
        name = chance.choice(("first_name", "email", "phone", "company", "tags", "stage", "owner"))
        side.edit(Entity.CONTACT, key, {name: _person(chance, which)[name]})
    elif action < 0.7:
        side.delete(Entity.CONTACT, chance.choice(people))
    elif action < 0.9 or not children:
        _add_child(side, chance, chance.choice(people), chance.choice(hanging))
    elif (chosen := chance.choice(children))[0] is Entity.OPPORTUNITY and chance.random() < 0.7:
        side.edit(*chosen, _moved_deal(chance))
    else:
        side.delete(*chosen)


def _moved_deal(chance: Random) -> dict[str, str | None]:
    """Another stage, another pipeline, or both."""
    moved = {"stage": chance.choice(_STAGES), "pipeline": chance.choice(("Sales", "Care"))}
    names = chance.choice((("stage",), ("pipeline",), ("stage", "pipeline")))
    return {name: moved[name] for name in names}


def _edit_firm(side: MemoryConnector, chance: Random, people: Sequence[str]) -> None:
    """A company comes, changes or goes, or somebody begins or stops to work there."""
    firms, action = sorted(side.rows(Entity.COMPANY)), chance.random()
    if action < 0.35 or not firms:
        name = chance.choice(("Acme", "Bond", "acme "))
        side.put(Entity.COMPANY, {"name": name, "city": chance.choice(_CITIES)})
    elif action < 0.5:
        side.edit(Entity.COMPANY, chance.choice(firms), {"city": chance.choice(_CITIES)})
    elif action < 0.6:
        side.delete(Entity.COMPANY, chance.choice(firms))
    elif people:
        firm = chance.choice((None, *firms))
        side.edit(Entity.CONTACT, chance.choice(people), {"firm": firm})


def _add_child(side: MemoryConnector, chance: Random, parent: str, entity: Entity) -> None:
    if entity is Entity.OPPORTUNITY:
        name, stage = chance.choice(("Roof", "Wall")), chance.choice(_STAGES)
        side.put(entity, {"name": name, "pipeline": "Sales", "stage": stage}, parent=parent)
    elif entity is Entity.TASK:
        title = chance.choice(("Call", "Mail", ""))
        side.put(
            Entity.TASK,
            {"title": title, "due": "2026-01-02T10:00:00Z", "completed": chance.random() < 0.5},
            parent=parent,
        )
    else:
        side.put(
            Entity.NOTE, {"body": chance.choice(("hello", "<p>hello</p>", "bye"))}, parent=parent
        )


def _person(chance: Random, side: Side) -> dict[str, Json]:
    choose = chance.choice
    return {
        "first_name": choose(_NAMES_OF_PEOPLE),
        "email": choose(_EMAILS),
        "phone": choose(_PHONES),
        "company": choose(_COMPANIES),
        "stage": choose((None, "Ann 12")),
        "owner": choose(_OWNERS[side]),
        "tags": list[Json](choose(_TAG_SETS)),
    }
