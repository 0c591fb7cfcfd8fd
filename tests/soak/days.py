"""The soak, day by day: people work, things happen, the job runs, and the oracle looks."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

from flows.rehearse.days import one_day
from flows.rehearse.events import Event
from flows.rehearse.findings import Finding
from flows.rehearse.told import Told
from tests.soak.events import EVENTS
from tests.soak.harms import HARMS
from tests.soak.world import made


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
        by_day, by_night = (
            [one for one in listed if _may(one, without, only)] for listed in (EVENTS, HARMS)
        )
        for day in range(1, days + 1):
            world.day = done.days = day
            found, told = one_day(world, by_day, by_night, done.events)
            done.findings += found
            done.codes[told.code] += 1
            done.counts = world.book.counts
            done.cpu = time.process_time() - began
            if heard is not None:
                heard(done, found, told)
    return done


def _may(event: Event, without: Collection[str], only: Collection[str] | None) -> bool:
    return event.name not in without and (only is None or event.name in only)
