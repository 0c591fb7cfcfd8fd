"""A week of a fleet's nights with faults: windows against the ideal, each pair settled or told.

    python benchmarks/week.py [--locations 50] [--sample 50] [--nights 3]
                              [--workers 4] [--contacts 8] [--limit 20]

The locations of the sample, among them all faulty ones, lie in one sandbox, in a process of its
own, reached over HTTP; all pairs run in this process, in the fleet's own turns, so that its memory
is a worker's. Waiting takes no time: the clock jumps from the start or end of one run to the next,
so that what is measured does not depend on what else the machine does.

A location without a fault shares nothing with another: its run is measured at the night's begin,
and takes its turn with what was measured. A location beyond the sample replays, in its turn, one of
those runs of the same night, drawn by chance.

A run takes what it waits, its CPU, and `LATENCY` a request, one after the other, which passes while
the answer is on its way. Each day somebody edits each location on both sides. The faults, of each
250 locations: a token is revoked, a location answers 503 for an hour, one is slow, one ledger is
dead for a night; and each 37th request is answered with 429.

The ideal of a night is the sum of what its runs cannot do without, shared out over the workers:
CPU, and the latency of its requests with what each 429 asks it to wait, or the least time in which
the window lets so many through, a refused one among them, as the side counts it. The last line is
one JSON object.
"""

from __future__ import annotations

import argparse
import gc
import heapq
import json
import math
import multiprocessing
import random
import resource
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connectors.ghl.sandbox import Fault, Limit, Sandbox, Settings
from connectors.ghl.sandbox.serve import hosted, make_app
from flows.clock import Clock, going_by
from flows.config import load
from flows.jobs.fleet import is_put_off, longest_first, of_document
from flows.jobs.full import FULL
from flows.jobs.turns import USUAL, Turn, Turns
from flows.outcome.fleet import PairRun
from flows.runner import run_job
from reconcile.errors import ReconcileError

LATENCY = 0.4
"""Seconds of a request (reported of GHL: 340 to 450 ms), one after the other."""
SLOW = 4.0
"""The same of the location that is slow."""
DAY, HOUR = 86_400.0, 3_600.0
WINDOW = 10.0
FAULTY_OF = 250
REVOKED, AWAY, SLOWLY, DEAD = range(1, 5)
"""The faulty ones of each `FAULTY_OF` locations, by their number among these."""
BEGIN = 1_800_000_000.0

PAIR = """\
pair = "{name}"
store = "{name}-store"
region = "US"
[app]
url = "sqlite:///{name}.db"
contact = {{ table = "people" }}
[ghl]
url = "{url}"
token = "pit-{name}"
location = "{name}"
lag_seconds = 0
[contact]
match = ["mail"]
[contact.fields]
name = "lastName"
mail = "email"
city = "city"
[keep]
runs = 2
"""


def fault_of(name: str) -> int:
    """Which fault a location has, by the number that its name or its token ends with.

    It is none where it is 0 or above 4.
    """
    return int(name[-4:] or 0) % FAULTY_OF


class Locations:
    """The sandbox's process: its address, and hands on it."""

    def __init__(self, names: tuple[str, ...], limit: int, clock: Any) -> None:
        self._ours, theirs = multiprocessing.Pipe()
        self.tally = multiprocessing.Array("d", 2, lock=False)
        self._process = multiprocessing.Process(
            target=_serve, args=(names, limit, clock, self.tally, theirs), daemon=True
        )
        self._process.start()
        self.url: str = self._ours.recv()

    def call(self, name: str, *args: Any, **said: Any) -> Any:
        """Call a method of the sandbox there."""
        self._ours.send((name, args, said))
        return self._ours.recv()

    def arm(self, kind: str, **said: Any) -> None:
        """Switch a fault on."""
        self.call("arm", Fault(kind, **said))  # type: ignore[arg-type]

    def close(self) -> None:
        """End the process."""
        self._ours.close()
        self._process.join(10)


class Far:
    """Lets time pass on the clock with each request, and adds up what a run cannot do without.

    `tally` has the requests, and the seconds that all took or asked for.
    """

    def __init__(self, app: ASGIApp, clock: Any, tally: Any) -> None:
        self._app, self._clock, self._tally = app, clock, tally

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

        async def tallied(message: Message) -> None:
            if message["type"] == "http.response.start":
                refused = message["status"] == 429
                headers = dict(message["headers"])
                self._tally[1] += float(headers.get(b"retry-after", 0)) if refused else 0.0
            await send(message)

        if scope["type"] == "http":
            token = dict(scope["headers"]).get(b"authorization", b"").decode()
            seconds = SLOW if fault_of(token) == SLOWLY else LATENCY
            self._clock.value += seconds
            self._tally[0] += 1
            self._tally[1] += seconds
        await self._app(scope, receive, tallied)


def _serve(names: tuple[str, ...], limit: int, clock: Any, tally: Any, pipe: Connection) -> None:
    quota = Limit(max=limit, window_seconds=WINDOW, daily=100_000)
    box = Sandbox(Settings(pit=quota, lag_seconds=0.0, seed=1), clock=lambda: clock.value)
    for name in names:
        box.add_location(name)
        box.add_token(f"pit-{name}", name)
    with hosted(Far(make_app(box), clock, tally)) as url, suppress(EOFError):
        pipe.send(url)
        while True:
            name, args, said = pipe.recv()
            hand = box.faults.clear if name == "calm" else getattr(box, name)
            pipe.send(hand(*args, **said))


@dataclass(frozen=True, slots=True)
class Measured:
    """A run over HTTP: what came of it, and the seconds that it cannot do without."""

    run: PairRun
    least: float


@dataclass
class Week:
    """The fleet's folder, what serves it, and what its nights come to.

    `names` are all locations, `sample` those that there are.
    """

    folder: Path
    names: tuple[str, ...]
    sample: tuple[str, ...]
    limit: int
    locations: Locations
    clock: Any
    workers: int
    until: float = 0.0
    """When the locations that are away answer again; 0 while none is away."""
    least: float = 0.0
    measured: int = 0
    replayed: int = 0
    """Runs of the night."""
    before: dict[str, float] = field(default_factory=dict)

    def night(self, number: int) -> tuple[list[PairRun], float]:
        """One night of the fleet: what came of each pair, and in which time.

        The last night's figures give the order. Seconds in which all wait for a second try are not
        in it.
        """
        begin = BEGIN + number * DAY
        self.least, self.measured, self.replayed = 0.0, 0, 0
        self.calm()
        ordinary = {name: self.run(name, begin) for name in self.sample if not is_faulty(name)}
        if number == 1:
            self.until = begin + HOUR
            for name in self.having(AWAY):
                self.locations.arm("status", path=f"/locations/{name}", status=503)
            for name in self.having(REVOKED):
                self.locations.call("revoke_token", f"pit-{name}")
        pairs = longest_first([self.folder / f"{name}.toml" for name in self.names], self.before)
        dice = random.Random(number)  # noqa: S311 - repeatable, not secret
        with self.dead_ledgers(tonight=number == 1):
            turns = Turns.of([(pair, "") for pair in pairs], USUAL)
            runs, seconds = self.play(turns, begin, ordinary, dice)
        self.before = {one.pair: one.seconds for one in runs}
        return runs, seconds

    def having(self, fault: int) -> list[str]:
        """The locations that have a fault."""
        return [name for name in self.sample if fault_of(name) == fault]

    def play(
        self, turns: Turns, at: float, ordinary: dict[str, Measured], dice: random.Random
    ) -> tuple[list[PairRun], float]:
        """Every pair on the workers' time, from a moment on.

        Returns the last run of each, and for how long any went on.
        """
        busy, last = 0.0, dict[Path, PairRun]()
        ends: list[tuple[float, int, Turn]] = []
        while not turns.over:
            while len(ends) < self.workers and (turn := turns.start(at)):
                one = self.take_turn(turn, at, ordinary, dice)
                self.least += one.least
                last[turn.pair] = replace(one.run, pair=turn.pair.stem, tries=turn.tries)
                heapq.heappush(ends, (at + one.run.seconds, turn.place, turn))
            next_end = ends[0][0] if ends else math.inf
            until = min(next_end, turns.due) if len(ends) < self.workers else next_end
            busy += until - at if ends else 0.0
            at = until
            while ends and ends[0][0] <= at:
                _, _, turn = heapq.heappop(ends)
                again = is_put_off(last[turn.pair], turn)
                turns.end(turn, at, again=again)
        return list(last.values()), busy

    def take_turn(
        self, turn: Turn, at: float, ordinary: dict[str, Measured], dice: random.Random
    ) -> Measured:
        """A turn: measured at the night's begin, run now, or drawn from the ordinary ones."""
        name = turn.pair.stem
        if name in ordinary and turn.tries == 1:
            return ordinary[name]
        if name in self.sample:
            return self.run(name, at)
        self.replayed += 1
        return dice.choice(list(ordinary.values()))

    def calm(self) -> None:
        """No fault but the one of every night."""
        self.until = 0.0
        self.locations.call("calm")
        self.locations.arm("rate_limited", every=37)

    def run(self, name: str, at: float) -> Measured:
        """One pair in this process, over HTTP, from a moment on."""
        if self.until and at >= self.until:
            self.calm()
        self.measured += 1
        self.clock.value = at
        cpu = time.process_time()
        requests, seconds = self.locations.tally
        with going_by(Clock(lambda: self.clock.value, self.wait)):
            ended = outcome(self.folder / f"{name}.toml")
        cpu = time.process_time() - cpu
        self.wait(cpu)
        requests, seconds = self.locations.tally[0] - requests, self.locations.tally[1] - seconds
        windows = max(0, int(requests) - 1) // self.limit
        least = cpu + max(seconds, windows * WINDOW)
        return Measured(replace(ended, seconds=self.clock.value - at), least)

    def wait(self, seconds: float) -> None:
        """Let so many seconds pass."""
        self.clock.value += max(0.0, seconds)

    @contextmanager
    def dead_ledgers(self, *, tonight: bool) -> Iterator[None]:
        """Ledgers that cannot be opened for a night."""
        dead = self.having(DEAD) if tonight else []
        ledgers = [self.folder / f"{name}-store" / "ledger.db" for name in dead]
        for ledger in ledgers:
            ledger.rename(ledger.with_suffix(".away"))
            ledger.mkdir()
        try:
            yield
        finally:
            for ledger in ledgers:
                ledger.rmdir()
                ledger.with_suffix(".away").rename(ledger)

    def edit(self, number: int) -> None:
        """A day: on each side of each location somebody writes down something new."""
        for name in self.sample:
            with closing(sqlite3.connect(self.folder / f"{name}.db")) as app, app:
                town = (f"Town {number}", number % 5 + 1)
                app.execute("UPDATE people SET city = ? WHERE id = ?", town)
                new = (f"New {number}", f"new{number}@{name}.example.com", "Here")
                app.execute("INSERT INTO people (name, mail, city) VALUES (?, ?, ?)", new)
            mails = {str(one["email"]): one["id"] for one in self.locations.call("contacts", name)}
            if mails:
                self.locations.call("edit_contact", mails[max(mails)], city=f"Village {number}")

    def unsettled(self, runs: list[PairRun]) -> list[str]:
        """Pairs of the sample that neither hold the same on both sides nor are told of."""
        told = {run.pair for run in runs if run.exit_code}
        return [name for name in self.sample if name not in told and not self._same(name)]

    def _same(self, name: str) -> bool:
        with closing(sqlite3.connect(self.folder / f"{name}.db")) as app:
            people = set(app.execute("SELECT name, mail, city FROM people"))
        held = self.locations.call("contacts", name)
        return people == {(one["lastName"], one["email"], one.get("city")) for one in held}


def is_faulty(name: str) -> bool:
    """Whether a location has a fault of its own."""
    return REVOKED <= fault_of(name) <= DEAD


def sampled(names: tuple[str, ...], many: int) -> tuple[str, ...]:
    """All faulty locations, and others up to so many in all."""
    faulty = [name for name in names if is_faulty(name)]
    ordinary = [name for name in names if not is_faulty(name)]
    return tuple(sorted(faulty + ordinary[: max(1, many - len(faulty))]))


def outcome(path: Path) -> PairRun:
    """What one pair's run comes to."""
    try:
        told = run_job(load(path), FULL)
    except ReconcileError as error:
        return PairRun(path.stem, 3, 0.0, state="failed", error=error.what, code=error.code)
    return of_document(path, told.exit_code, dict(told.document), 0.0)


def make_pairs(folder: Path, names: tuple[str, ...], contacts: int, url: str) -> None:
    """The applications' databases and the pair files."""
    for name in names:
        with closing(sqlite3.connect(folder / f"{name}.db")) as app, app:
            app.execute(
                "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, mail TEXT, city TEXT)"
            )
            rows = [(f"Person {i}", f"{i}@{name}.example.com", "Town") for i in range(contacts)]
            app.executemany("INSERT INTO people (name, mail, city) VALUES (?, ?, ?)", rows)
        text = PAIR.format(name=name, url=url)
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")


def held() -> float:
    """Megabytes that this process holds now."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def nights(week: Week, many: int) -> list[dict[str, Any]]:
    """The figures of each night."""
    found = []
    for number in range(many):
        if number:
            week.edit(number)
        runs, seconds = week.night(number)
        ideal = week.least / week.workers
        worst = max(week.locations.call("max_in_window", name) for name in week.sample)
        night = {
            "night": number + 1,
            "measured": week.measured,
            "replayed": week.replayed,
            "settled": sum(run.exit_code == 0 for run in runs),
            "told": {run.pair: run.code or run.state for run in runs if run.exit_code},
            "second_tries": len([run for run in runs if run.tries == 2]),
            "neither": week.unsettled(runs),
            "requests": sum(run.requests for run in runs),
            "seconds": round(seconds, 1),
            "ideal_seconds": round(ideal, 1),
            "vs_ideal": round(seconds / ideal, 3),
            "beyond_seconds": round(seconds - ideal, 1),
            "most_in_a_window": worst,
            "memory_mb": round(held(), 1),
        }
        print(json.dumps(night), flush=True)
        found.append(night)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--locations", type=int, default=50)
    parser.add_argument(
        "--sample", type=int, help="how many of them run over HTTP; all unless said"
    )
    parser.add_argument("--nights", type=int, default=3)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--contacts", type=int, default=8)
    parser.add_argument("--limit", type=int, default=20)
    asked = parser.parse_args()
    names = tuple(f"place{number:04d}" for number in range(max(6, asked.locations)))
    sample = sampled(names, asked.sample or len(names))
    clock = multiprocessing.Value("d", BEGIN, lock=False)
    with tempfile.TemporaryDirectory() as folder:
        locations = Locations(sample, asked.limit, clock)
        make_pairs(Path(folder), sample, asked.contacts, locations.url)
        week = Week(Path(folder), names, sample, asked.limit, locations, clock, asked.workers)
        began, cpu = time.monotonic(), time.process_time()
        found = nights(week, asked.nights)
        locations.close()
    whole = {
        "locations": len(names),
        "sample": len(sample),
        "nights": asked.nights,
        "workers": asked.workers,
        "runs_over_http": sum(night["measured"] for night in found),
        "runs_replayed": sum(night["replayed"] for night in found),
        "vs_ideal": max(night["vs_ideal"] for night in found),
        "neither": sum(len(night["neither"]) for night in found),
        "most_in_a_window": max(night["most_in_a_window"] for night in found),
        "limit": asked.limit,
        "memory_mb": [night["memory_mb"] for night in found],
        "cpu_minutes": round((time.process_time() - cpu) / 60, 1),
        "minutes": round((time.monotonic() - began) / 60, 1),
    }
    print(json.dumps(whole))


if __name__ == "__main__":
    main()
