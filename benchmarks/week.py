"""A week of nights of a fleet with faults: how near its windows come to the ideal, and whether every pair is settled or told.

    python benchmarks/week.py [--locations 50] [--nights 3] [--workers 4] [--contacts 8] [--limit 20]

All locations lie in one sandbox, in a process of its own, reached over HTTP; all pairs run in this process, through the
fleet's own order and its second tries, so that its memory is a worker's. Waiting takes no time: each worker has a time line
of its own, and whoever is furthest behind runs next, so that what is measured does not depend on what else the machine does.
A run takes what it waited, its CPU, and `LATENCY` a request. Each day somebody edits each location on both sides. The
faults: a token is revoked, a location answers 503 for an hour, one is slow, one ledger is dead for a night, and each 37th
request is answered with 429. The ideal of a night is the sum of what its runs cannot do without, shared out over the
workers: CPU, latency, and the least time in which the window lets so many requests through, or a window for each 429.
The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import gc
import json
import multiprocessing
import resource
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from connectors.ghl.sandbox import Fault, Limit, Sandbox, Settings, serve
from flows.clock import Clock, going_by
from flows.config import load
from flows.jobs.fleet import PASSING, Job, Pace, fleet, longest_first, of_document
from flows.jobs.full import FULL
from flows.outcome.fleet import FleetReport, PairRun
from flows.runner import run_job
from reconcile.errors import ReconcileError

LATENCY = 0.4
"""Seconds of a request (reported of GHL: 340 to 450 ms), one after the other."""
SLOW = 4.0
"""The same of the location that is slow."""
DAY, HOUR = 86_400.0, 3_600.0
WINDOW = 10.0
REVOKED, AWAY, SLOWLY, DEAD = "place0001", "place0002", "place0003", "place0004"
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


class Locations:
    """The sandbox's process: its address, and hands on it."""

    def __init__(self, names: tuple[str, ...], limit: int, clock: Any) -> None:
        self._ours, theirs = multiprocessing.Pipe()
        self._process = multiprocessing.Process(
            target=_serve, args=(names, limit, clock, theirs), daemon=True
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


def _serve(names: tuple[str, ...], limit: int, clock: Any, pipe: Connection) -> None:
    quota = Limit(max=limit, window_seconds=WINDOW, daily=100_000)
    box = Sandbox(Settings(pit=quota, lag_seconds=0.0, seed=1), clock=lambda: clock.value)
    for name in names:
        box.add_location(name)
        box.add_token(f"pit-{name}", name)
    with serve(box) as url, suppress(EOFError):
        pipe.send(url)
        while True:
            name, args, said = pipe.recv()
            hand = box.faults.clear if name == "calm" else getattr(box, name)
            pipe.send(hand(*args, **said))


@dataclass
class Workers:
    """As many time lines as workers: whoever is furthest behind runs next, and nobody beside it."""

    clock: Any
    many: int
    start: float = 0.0
    left: int = 0
    busy: float = 0.0
    at: dict[int, float] = field(default_factory=dict)
    waiting: set[int] = field(default_factory=set)
    running: bool = False
    turn: threading.Condition = field(default_factory=threading.Condition)

    def begin(self, at: float, pairs: int) -> None:
        """So many pairs are to run from that moment on."""
        self.at, self.start, self.left = {}, at, pairs

    def end(self) -> float:
        """When the last of them is through."""
        over = max(self.at.values(), default=self.start)
        self.busy += over - self.start
        return over

    @contextmanager
    def turns(self) -> Iterator[None]:
        """This worker's turn: the clock shows its own time."""
        me = threading.get_ident()
        with self.turn:
            self.at.setdefault(me, self.start)
            self.waiting.add(me)
            self.turn.notify_all()
            self.turn.wait_for(lambda: self._next(me))
            self.waiting.discard(me)
            self.running, self.clock.value = True, self.at[me]
        try:
            yield
        finally:
            with self.turn:
                self.at[me], self.running = self.clock.value, False
                self.left -= 1
                self.turn.notify_all()

    def _next(self, me: int) -> bool:
        all_here = len(self.waiting) >= min(self.many, self.left)
        first = min(self.waiting, key=self.at.__getitem__)
        return all_here and not self.running and first == me


@dataclass
class Week:
    """The fleet's folder, what serves it, and what its nights come to."""

    folder: Path
    names: tuple[str, ...]
    limit: int
    locations: Locations
    clock: Any
    workers: Workers
    until: float = 0.0
    """When the location that is away answers again; 0 while none is away."""
    least: dict[str, float] = field(default_factory=dict)
    off: set[str] = field(default_factory=set)
    before: dict[str, float] = field(default_factory=dict)

    def night(self, number: int) -> FleetReport:
        """One night of the fleet, in the order that the last one's figures give."""
        begin = BEGIN + number * DAY
        self.clock.value, self.workers.busy = begin, 0.0
        self.least, self.off, self.until = {}, set(), 0.0
        self.calm()
        if number == 1:
            self.until = begin + HOUR
            self.locations.arm("status", path=f"/locations/{AWAY}", status=503)
            self.locations.call("revoke_token", f"pit-{REVOKED}")
        pairs = longest_first([self.folder / f"{name}.toml" for name in self.names], self.before)
        self.workers.begin(begin, len(pairs))
        pace = Pace(sleep=self.between)
        with self.dead_ledger(tonight=number == 1):
            report = fleet(pairs, workers=self.workers.many, runner=self.run, pace=pace)
        self.workers.end()
        self.before = {one.pair: one.seconds for one in report.runs}
        return report

    def between(self, seconds: float) -> None:
        """What the fleet waits before its second tries."""
        self.workers.begin(self.workers.end() + seconds, len(self.off))

    def calm(self) -> None:
        """No fault but the one of every night."""
        self.until = 0.0
        self.locations.call("calm")
        self.locations.arm("rate_limited", every=37)

    def run(self, path: Path, _job: Job) -> PairRun:
        """One pair in this process, on its worker's own time line."""
        with self.workers.turns():
            if self.until and self.clock.value >= self.until:
                self.calm()
            began, cpu = self.clock.value, time.process_time()
            with going_by(Clock(lambda: self.clock.value, self.wait)):
                ended, refusals = outcome(path)
            work = time.process_time() - cpu
            work += ended.requests * (SLOW if path.stem == SLOWLY else LATENCY)
            self.wait(work)
            windows = max(0, (ended.requests - 1) // self.limit, refusals)
            self.least[path.stem] = work + windows * WINDOW
            if ended.code in PASSING:
                self.off.add(path.stem)
            return replace(ended, seconds=self.clock.value - began)

    def wait(self, seconds: float) -> None:
        """Let so many seconds pass for the worker whose turn it is."""
        self.clock.value += max(0.0, seconds)

    @contextmanager
    def dead_ledger(self, *, tonight: bool) -> Iterator[None]:
        """A ledger that cannot be opened for a night."""
        ledger = self.folder / f"{DEAD}-store" / "ledger.db"
        away = ledger.with_suffix(".away")
        if tonight:
            ledger.rename(away)
            ledger.mkdir()
        try:
            yield
        finally:
            if tonight:
                ledger.rmdir()
                away.rename(ledger)

    def edit(self, number: int) -> None:
        """A day: on each side of each location somebody writes down something new."""
        for name in self.names:
            with closing(sqlite3.connect(self.folder / f"{name}.db")) as app, app:
                town = (f"Town {number}", number % 5 + 1)
                app.execute("UPDATE people SET city = ? WHERE id = ?", town)
                new = (f"New {number}", f"new{number}@{name}.example.com", "Here")
                app.execute("INSERT INTO people (name, mail, city) VALUES (?, ?, ?)", new)
            mails = {str(one["email"]): one["id"] for one in self.locations.call("contacts", name)}
            if mails:
                self.locations.call("edit_contact", mails[max(mails)], city=f"Village {number}")

    def unsettled(self, report: FleetReport) -> list[str]:
        """Pairs that neither hold the same on both sides nor are told of."""
        told = {run.pair for run in report.runs if run.exit_code}
        return [name for name in self.names if name not in told and not self._same(name)]

    def _same(self, name: str) -> bool:
        with closing(sqlite3.connect(self.folder / f"{name}.db")) as app:
            people = set(app.execute("SELECT name, mail, city FROM people"))
        held = self.locations.call("contacts", name)
        return people == {(one["lastName"], one["email"], one.get("city")) for one in held}


def outcome(path: Path) -> tuple[PairRun, int]:
    """What one pair's run comes to, and how often it was answered with 429."""
    try:
        told = run_job(load(path), FULL)
    except ReconcileError as error:
        return PairRun(path.stem, 3, 0.0, state="failed", error=error.what, code=error.code), 0
    refusals = sum(side.get("answers_429") or 0 for side in told.document["usage"].values())
    return of_document(path, told.exit_code, dict(told.document), 0.0), refusals


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
        report = week.night(number)
        ideal = sum(week.least.values()) / week.workers.many
        worst = max(week.locations.call("max_in_window", name) for name in week.names)
        night = {
            "night": number + 1,
            "settled": sum(run.exit_code == 0 for run in report.runs),
            "told": {run.pair: run.code or run.state for run in report.runs if run.exit_code},
            "second_tries": len([run for run in report.runs if run.tries == 2]),
            "neither": week.unsettled(report),
            "requests": sum(run.requests for run in report.runs),
            "busy_seconds": round(week.workers.busy, 1),
            "ideal_seconds": round(ideal, 1),
            "vs_ideal": round(week.workers.busy / ideal, 3),
            "beyond_seconds": round(week.workers.busy - ideal, 1),
            "most_in_a_window": worst,
            "memory_mb": round(held(), 1),
        }
        print(json.dumps(night), flush=True)
        found.append(night)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--locations", type=int, default=50)
    parser.add_argument("--nights", type=int, default=3)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--contacts", type=int, default=8)
    parser.add_argument("--limit", type=int, default=20)
    asked = parser.parse_args()
    names = tuple(f"place{number:04d}" for number in range(max(5, asked.locations)))
    clock = multiprocessing.Value("d", BEGIN, lock=False)
    with tempfile.TemporaryDirectory() as folder:
        locations = Locations(names, asked.limit, clock)
        make_pairs(Path(folder), names, asked.contacts, locations.url)
        workers = Workers(clock, asked.workers)
        week = Week(Path(folder), names, asked.limit, locations, clock, workers)
        began, cpu = time.monotonic(), time.process_time()
        found = nights(week, asked.nights)
        locations.close()
    whole = {
        "locations": len(names),
        "nights": asked.nights,
        "workers": asked.workers,
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
