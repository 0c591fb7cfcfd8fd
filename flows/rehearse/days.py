"""A day and its night in any world: people work, things happen, the job runs, all is checked."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Sequence

from flows.rehearse.events import Event
from flows.rehearse.findings import Finding
from flows.rehearse.told import Told, limits_named
from flows.rehearse.world import World

DAY = 86_400.0

NEVER_ALLOWED = ("empty", "shrunk", "another", "rewound", "restore", "older")
"""What an operator does not wave through: limits whose names begin so."""

_MOST_HARMS = 2
"""So many things happen to the machines in one night, at most."""

_FIRST = ("killed", "delta_before", "planned_and_applied_later")
"""What is over before the night of which the report is read."""


def one_day(
    world: World,
    events: Collection[Event],
    harms: Collection[Event],
    happened: Counter[str],
) -> tuple[list[Finding], Told]:
    """A day and its night; `happened` counts what did.

    The first night is for itself: what nothing links yet is known by its values alone.
    """
    world.touched.clear()
    _next_morning(world)
    by_day = [one for one in events if world.dice.random() < one.share]
    by_night = [one for one in harms if world.dice.random() < one.share]
    if world.day == 1:
        by_day = by_night = []
    else:
        world.work()
    for one in _shuffled(world.dice, by_day):
        one.happens(world)
        happened[one.name] += 1
    world.close_day()
    world.backups = [*world.backups[-2:], world.backup()]
    world.clock.sleep(6 * 3600)
    _evening(
        world,
        _shuffled(world.dice, by_night)[:_MOST_HARMS],
        happened,
    )
    outcome = night(world)
    return world.judged(outcome), outcome


def _evening(world: World, harms: Sequence[Event], happened: Counter[str]) -> None:
    # What a delta or an approved plan takes away in the evening is judged with the night.
    world.remember()
    world.wire.calm()
    world.habits()
    names = " and ".join(one.name for one in harms) or "quiet"
    earlier = world.judge.nights[-4:]
    world.judge.nights = (*earlier, f"{world.day} {names}")
    for one in sorted(harms, key=lambda one: one.name not in _FIRST):
        one.happens(world)
        happened[one.name] += 1


def _next_morning(world: World) -> None:
    now = world.clock()
    world.clock.sleep(DAY - (now % DAY) + 8 * 3600)


def _shuffled(dice: random.Random, events: Sequence[Event]) -> list[Event]:
    return dice.sample(events, len(events))


def night(world: World) -> Told:
    """The nightly run, and what the operator does about a refusal."""
    outcome = world.operator.run()
    world.clock.step = 0.0
    world.sandbox.faults.clear()
    if outcome.code == 3:
        outcome = _answered(world, outcome)
    for document in world.operator.reports():
        if document.get("run_id") != outcome.document.get("run_id") and document.get(
            "applied", True
        ):
            outcome.add(document)
    for trouble in world.wire.troubles:
        world.book.counts[f"hand failed: {type(trouble).__name__}"] += 1
    world.wire.troubles.clear()
    return outcome


def _answered(world: World, outcome: Told) -> Told:
    """What the operator does: says which backup it was, or lets through what is right."""
    named = limits_named(outcome)
    code = outcome.errors.partition("]")[0].strip("[")
    world.book.counts[f"refused: {', '.join(named) or code}"] += 1
    mended = world.mended(outcome)
    if mended is not None:
        return mended
    plain = [name for name in named if not name.startswith(NEVER_ALLOWED)]
    if any(name.startswith("rewound") for name in named):
        back = "restore-app" if world.dice.random() < 0.7 else "rewound-app"
        if back == "restore-app":  # by name, all that is missing in the app, whoever deleted it
            for where in world.book.gone.values():
                where.pop("app", None)
        plain.insert(0, back)
    elif len(plain) < len(named):
        return outcome
    return (
        world.operator.run(*(word for name in plain for word in ("--allow", name)))
        if plain
        else outcome
    )
