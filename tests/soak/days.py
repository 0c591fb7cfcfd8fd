"""The soak, day by day: people work, things happen, the job runs, and the oracle looks."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

from tests.soak.book import Seen, look
from tests.soak.events import EVENTS, Event, edits
from tests.soak.harms import HARMS, habits
from tests.soak.judge import Finding
from tests.soak.night import Told, limits_named
from tests.soak.world import DAY, World, made

_NEVER_ALLOWED = ("empty", "shrunk", "another", "rewound", "restore", "older")
"""What an operator does not wave through: limits whose names begin so."""


@dataclass
class Soaked:
    """What became of a world: its findings, and figures."""

    seed: int
    people: int
    days: int = 0
    findings: list[Finding] = field(default_factory=list)
    events: Counter[str] = field(default_factory=Counter)
    codes: Counter[int] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    cpu: float = 0.0

    def __str__(self) -> str:
        kinds = Counter(finding.kind for finding in self.findings)
        lines = [f"seed {self.seed}: {self.days} days, {self.people} people, {self.cpu:.0f} s CPU"]
        for name, counted in (
            ("exit codes", self.codes),
            ("events", self.events),
            ("values", self.counts),
            ("findings", kinds),
        ):
            lines.append(
                f"  {name}: "
                + ", ".join(f"{key} {many:,}" for key, many in sorted(counted.items(), key=str))
            )
        return "\n".join(lines)


def soak(
    folder: Path,
    *,
    seed: int,
    days: int,
    people: int,
    without: Collection[str] = (),
    only: Collection[str] | None = None,
    heard: Callable[[Soaked, list[Finding], Told], None] | None = None,
) -> Soaked:
    """So many days of a world of its own. `without` and `only` name events; `heard` is told of every day."""
    done = Soaked(seed, people)
    began = time.process_time()
    with made(folder, seed=seed, people=people) as world:
        chosen = [
            one
            for one in (*EVENTS, *HARMS)
            if one.name not in without and (only is None or one.name in only)
        ]
        for day in range(1, days + 1):
            world.day = done.days = day
            found, told = one_day(world, chosen, done.events)
            done.findings += found
            done.codes[told.code] += 1
            done.counts = world.book.counts
            done.cpu = time.process_time() - began
            if heard is not None:
                heard(done, found, told)
    return done


def one_day(
    world: World, chosen: Collection[Event], events: Counter[str]
) -> tuple[list[Finding], Told]:
    """A day and its night."""
    world.touched.clear()
    _next_morning(world)
    by_day = [one for one in chosen if one in EVENTS and world.dice.random() < one.share]
    by_night = [one for one in chosen if one in HARMS and world.dice.random() < one.share]
    if (
        world.day == 1
    ):  # a first night is for itself: what nothing links yet is known by its values alone
        by_day = by_night = []
    else:
        if world.day == 2:
            world.settle_in()
        edits(world)
    for one in _shuffled(world.dice, by_day):
        one.happens(world)
        events[one.name] += 1
    seen = look(world.app, world.place)
    world.book.compare(world.now, seen, world.day, world.clock())
    _merged_is_not_deleted(world)
    world.now = seen
    world.backups = [*world.backups[-2:], world.app.backup()]
    world.clock.sleep(6 * 3600)
    _evening(world, _shuffled(world.dice, by_night)[:2], events)
    told, before = night(world)
    world.keep_ledger()
    after = look(world.app, world.place)
    found = world.judge.night(world.day, before, after, told)
    world.now = after
    return found, told


def _evening(world: World, harms: list[Event], events: Counter[str]) -> None:
    """What is going to happen in the night. A killed run is over before the night of which the report is read."""
    world.wire.calm()
    habits(world)
    names = " and ".join(one.name for one in harms) or "quiet"
    world.judge.nights = (*world.judge.nights[-4:], f"{world.day} {names}")
    first = ("killed", "delta_before", "planned_and_applied_later")
    for one in sorted(harms, key=lambda one: one.name not in first):
        one.happens(world)
        events[one.name] += 1


def _next_morning(world: World) -> None:
    now = world.clock()
    world.clock.sleep(DAY - (now % DAY) + 8 * 3600)


def _shuffled(dice: random.Random, events: list[Event]) -> list[Event]:
    return dice.sample(events, len(events))


def _merged_is_not_deleted(world: World) -> None:
    for loser in world.book.merged:
        world.book.gone[loser].pop("ghl", None)


def night(world: World) -> tuple[Told, Seen]:
    """The nightly run, and what the operator does about a refusal."""
    others = world.app.others()
    before = look(world.app, world.place) if world.book.rewound else world.now
    told = world.operator.run()
    world.clock.step = 0.0
    world.place.sandbox.faults.clear()
    if told.code == 3:
        told = _answered(world, told)
    for document in world.operator.reports():
        if document.get("run_id") != told.document.get("run_id") and document.get("applied", True):
            told.add(document)
    for trouble in world.wire.troubles:
        world.book.counts[f"hand failed: {type(trouble).__name__}"] += 1
    world.wire.troubles.clear()
    assert world.app.others() == others, "rows of others were touched"
    return told, before


def _answered(world: World, told: Told) -> Told:
    """What the operator does about a refusal: says which backup it was, or lets through what is right."""
    named = limits_named(told)
    world.book.counts[
        f"refused: {', '.join(named) or told.errors.partition(']')[0].strip('[')}"
    ] += 1
    if "[LEDGER_" in told.errors:
        if "[LEDGER_OLDER]" in told.errors and world.dice.random() < 0.3:
            return world.operator.run("--rebase")
        world.operator.restore_ledger(world.folder / "ledger-0.db")
        return world.operator.run()
    if any(name.startswith("rewound") for name in named):
        allowed = ["restore-app" if world.dice.random() < 0.7 else "rewound-app"]
        if allowed == [
            "restore-app"
        ]:  # by name, all that is missing in the app, whoever deleted it
            for where in world.book.gone.values():
                where.pop("app", None)
        allowed += [name for name in named if not name.startswith(_NEVER_ALLOWED)]
    elif named and not any(name.startswith(_NEVER_ALLOWED) for name in named):
        allowed = named
    else:
        return told
    return world.operator.run(*(word for name in allowed for word in ("--allow", name)))
