"""A migration: planned and approved first, then carried out over days of quota and through kills, complete and without duplicates."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import connectors.ghl
from connectors.ghl import GhlConnector
from connectors.ghl.sandbox import Fault, Limit, Sandbox, Settings, serve
from connectors.ghl.sandbox.requestlog import RequestRecord
from flows.config import Pair, load
from flows.jobs.full import FULL
from flows.jobs.legs import begun, migrate, propose
from flows.jobs.migrate import Move
from flows.opening import open_run
from flows.run import Options
from flows.runner import carry_out
from reconcile.errors import Refused
from reconcile.plan.plan import LEDGER_ONLY
from reconcile.plan.planfile import operations
from reconcile.ports import Reply, Write
from tests.long_forms import SOAK, long_form

DAY = 86_400.0
SIZE = (20_000, 12_000) if SOAK else (300, 220)
"""People, and requests a day."""
DRIVER = Path(__file__).with_name("mover.py")
ROOT = DRIVER.parents[2]

PAIR = """\
pair = "move"
region = "US"
[app]
connector = "sql"
url = "sqlite:///app.db"
[app.contact]
table = "people"
modified_at = "updated_at"
tags = { column = "labels", form = "delimited", delimiter = ";" }
[app.task]
table = "todos"
parent = "person_id"
[app.note]
table = "remarks"
parent = "person_id"
[ghl]
url = "URL"
token = "pit-move"
location = "loc1"
lag_seconds = 2
[contact]
match = ["mail", "tel"]
[contact.fields]
name = { ghl = "lastName" }
mail = "email"
tel = "phone"
labels = "tags"
[task.fields]
what = "title"
due = "dueDate"
[note.fields]
said = "body"
[limits]
max_first_creates = 10
"""


class Clock:
    """Simulated time, shared by the sandbox and the job: sleeping moves it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 1, tzinfo=UTC).timestamp()
        self._lock = threading.Lock()

    def __call__(self) -> float:
        with self._lock:
            self.now += 0.001
            return self.now

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.now += seconds

    @property
    def day(self) -> int:
        return int(self.now // DAY)


class Leaping(Clock):
    """The wall clock, so that processes agree on it, put forward by what is slept."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead

    def sleep(self, seconds: float) -> None:
        self.ahead += seconds


class Wire(deque[RequestRecord]):
    """The sandbox's log: it counts, and kills a process whose N-th write was carried out and not answered yet."""

    def __init__(self) -> None:
        super().__init__(maxlen=1_000)
        self.requests = self.writes = self.at = self.victim = 0

    def append(self, record: RequestRecord, /) -> None:
        super().append(record)
        self.requests += 1
        if record.method != "GET" and not record.path.endswith("/search"):
            self.writes += 1
            if self.writes == self.at:
                os.kill(self.victim, signal.SIGKILL)


class Killed(BaseException):
    """The process is gone: nothing catches it."""


class Killer:
    """Ends the process, so to say, after so many writes; then lets it live until armed again."""

    def __init__(self) -> None:
        self.left: int | None = None

    def __call__(self, connector: GhlConnector, writes: Sequence[Write]) -> Iterator[Reply]:
        for reply in GhlConnector.write(connector, writes):
            if self.left is not None:
                self.left -= 1
                if self.left < 0:
                    self.left = None
                    raise Killed
            yield reply


class Place:
    """An app with people, tasks, notes and tags; a location; and a quota that takes days."""

    def __init__(
        self, folder: Path, *, people: int, daily: int, clock: Clock | None = None
    ) -> None:
        self.folder = folder
        self.clock = clock or Clock()
        limit = Limit(max=10_000, window_seconds=1.0, daily=daily)
        self.sandbox = Sandbox(Settings(pit=limit, lag_seconds=0.0, seed=3), clock=self.clock)
        self.sandbox.add_location("loc1")
        self.sandbox.add_token("pit-move", "loc1")
        self.engine = sa.create_engine(f"sqlite:///{folder / 'app.db'}")
        self._fill(people)

    def _fill(self, people: int) -> None:
        dice = random.Random(people)  # noqa: S311 - made-up people
        with self.engine.begin() as app:
            for table in (
                "people (id INTEGER PRIMARY KEY, name TEXT, mail TEXT, tel TEXT, labels TEXT, updated_at TEXT)",
                "todos (id INTEGER PRIMARY KEY, person_id INTEGER, what TEXT, due TEXT)",
                "remarks (id INTEGER PRIMARY KEY, person_id INTEGER, said TEXT)",
            ):
                app.execute(sa.text(f"CREATE TABLE {table}"))
            rows = [
                {
                    "i": i,
                    "n": f"Person {i}",
                    "m": f"p{i}@example.com",
                    "t": f"+1512{i:07d}",
                    "l": dice.choice(["", "a", "a;b"]),
                }
                for i in range(people)
            ]
            app.execute(
                sa.text("INSERT INTO people VALUES (:i, :n, :m, :t, :l, '2026-02-01T00:00:00Z')"),
                rows,
            )
            every = [{"p": i} for i in range(0, people, 4)]
            app.execute(
                sa.text(
                    "INSERT INTO todos (person_id, what, due) VALUES (:p, 'Call', '2026-05-01T09:00:00Z')"
                ),
                every,
            )
            app.execute(
                sa.text("INSERT INTO remarks (person_id, said) VALUES (:p, 'Kind.')"), every[::2]
            )

    def pair(self, url: str) -> Pair:
        file = self.folder / "move.toml"
        file.write_text(PAIR.replace("URL", url), encoding="utf-8")
        return load(file, environ={})

    def moved(self) -> tuple[Counter[str], int, int, Counter[str]]:
        """Contacts by email, tasks, notes, and tags, as GHL holds them."""
        contacts = self.sandbox.contacts("loc1")
        tags = Counter(tag for row in contacts for tag in row["tags"])
        emails = Counter(row["email"] for row in contacts)
        return emails, len(self.sandbox.tasks("loc1")), len(self.sandbox.notes("loc1")), tags

    def due(self) -> tuple[Counter[str], int, int, Counter[str]]:
        with self.engine.connect() as app:
            emails = Counter(app.execute(sa.text("SELECT mail FROM people")).scalars())
            tags = Counter(
                tag
                for row in app.execute(sa.text("SELECT labels FROM people")).scalars()
                for tag in (row or "").split(";")
                if tag
            )
            tasks, notes = (
                app.execute(sa.text(f"SELECT count(*) FROM {t}")).scalar_one()
                for t in ("todos", "remarks")
            )
        return emails, tasks, notes, tags


@pytest.fixture
def killer() -> Killer:
    return Killer()


@pytest.fixture
def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killer: Killer
) -> Iterator[tuple[Place, Pair]]:
    people, daily = getattr(request, "param", (60, 100_000))
    made = Place(tmp_path, people=people, daily=daily)

    class Timed(GhlConnector):
        """The connector on the simulated clock, in a process that can be killed."""

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options, clock=made.clock, sleep=made.clock.sleep)

        def write(self, writes: Sequence[Write]) -> Iterator[Reply]:
            return killer(self, writes)

    monkeypatch.setattr(connectors.ghl, "GhlConnector", Timed)
    with serve(made.sandbox) as url:
        yield made, made.pair(url)
    made.engine.dispose()


def test_only_what_was_approved_goes_on_by_itself(place: tuple[Place, Pair]) -> None:
    """Another mode, another direction, and a load after a complete one are shown first, whatever was approved before."""
    _, pair = place
    linking = Move(mode="match-only")
    migrate(pair, linking)
    assert not begun(pair, Move())
    assert not begun(pair, Move(to="app", mode="match-only"))
    assert migrate(pair, Move()).complete
    assert not begun(pair, Move())


def test_proposed_first(place: tuple[Place, Pair]) -> None:
    """A migration is planned whole before anything is written; its digest carries out exactly that plan."""
    made, pair = place
    told = propose(pair, Move())
    assert made.moved()[0].total() == 0
    digest = told.document["provenance"]["plan_digest"]
    assert not begun(pair, Move())
    moved = migrate(pair, Move(), approved=digest)
    assert moved.complete
    assert made.moved() == made.due()


def test_cutover_report(place: tuple[Place, Pair]) -> None:
    """The cutover report counts what was matched by which rule, what was created, and proves the end by a fresh reading."""
    made, pair = place
    for i in range(10):
        made.sandbox.seed_contact(
            "loc1", lastName=f"Person {i}", email=f"p{i}@example.com", phone=f"+1512{i:07d}"
        )
    made.sandbox.seed_contact("loc1", lastName="Elsewhere", email="else@example.com")
    moved = migrate(pair, Move())
    assert moved.complete
    (contacts, tasks, _) = moved.report.counts
    assert (contacts.app, contacts.ghl, contacts.linked) == (60, 61, 60)
    assert contacts.created == {"ghl": 50}
    assert contacts.matched == {"mail": 10}
    assert contacts.left == (
        ("ghl: excluded", "the rules do not create records of this kind in the app", 1),
    )
    assert tasks.created == {"ghl": 15}
    written = json.loads(moved.report.paths["json"].read_text())
    assert written["complete"] is True
    assert "**Complete.**" in moved.report.paths["md"].read_text()
    html = moved.report.paths["html"].read_text()
    assert "Migration complete</h1>" in html
    assert "<td>60</td><td>61</td><td>60</td><td>0</td><td>50</td><td>0</td>" in html
    assert "the rules do not create records of this kind in the app" in html
    assert "https://" not in html


def test_match_only(place: tuple[Place, Pair]) -> None:
    """match-only links what matches and writes nothing to either side."""
    made, pair = place
    made.sandbox.seed_contact(
        "loc1", lastName="Person 3", email="p3@example.com", phone="+15120000003"
    )
    before = made.moved()
    moved = migrate(pair, Move(mode="match-only"))
    assert made.moved() == before
    assert moved.report.counts[0].linked == 1
    assert not [log for log in made.sandbox.log if log.method in ("PUT", "DELETE")]


def test_to_the_app(place: tuple[Place, Pair]) -> None:
    """In the other direction, what GHL has is created in the app, and the app's own people stay out of GHL."""
    made, pair = place
    made.sandbox.seed_contact("loc1", lastName="New", email="new@example.com")
    assert migrate(pair, Move(to="app")).complete
    assert made.due()[0]["new@example.com"] == 1
    assert made.moved()[0].total() == 1


def test_afterwards_a_nightly_run_is_quiet(place: tuple[Place, Pair]) -> None:
    """The first nightly run after a migration has nothing to do."""
    _, pair = place
    migrate(pair, Move())
    with open_run(pair, Options("nightly")) as run:
        carry_out(run, FULL)
        assert [o for o in operations(run.plan_path) if o.kind not in LEDGER_ONLY] == []


@pytest.mark.parametrize("place", [(60, 70)], indirect=True)
def test_stops_at_the_reserve(place: tuple[Place, Pair]) -> None:
    """Without being told to wait, a migration stops at the day's reserve, says so, and another call goes on."""
    made, pair = place
    first = migrate(pair, Move())
    assert not first.complete
    assert first.result.state == "stopped"
    assert 0 < made.moved()[0].total() < 60
    made.clock.sleep(DAY)
    migrate(pair, Move())
    assert made.moved()[0].total() > 30


def test_a_leg_that_is_blocked_half_way_counts_what_it_did(place: tuple[Place, Pair]) -> None:
    """What was done before GHL's CDN shut us out in the middle of a chunk is told as done, and the next leg goes on from there."""
    made, pair = place
    made.sandbox.arm(Fault("cdn_block", method="POST", path="/contacts/", nth=20))
    first = migrate(pair, Move())
    assert first.result.state == "stopped"
    assert 0 < first.report.done == made.moved()[0].total() < 60
    assert migrate(pair, Move()).complete
    assert made.moved() == made.due()


def test_other_limits_hold(place: tuple[Place, Pair]) -> None:
    """Creating is allowed, nothing else is: a location that is not the known one is refused as ever."""
    made, pair = place
    migrate(pair, Move())
    made.sandbox.add_location("loc1", company_id="another")
    with pytest.raises(Refused, match="location"):
        migrate(pair, Move())


def test_command(place: tuple[Place, Pair], capsys: pytest.CaptureFixture[str]) -> None:
    """`migrate` shows the plan and writes nothing; with its digest it is carried out; called again, it has nothing left."""
    from flows.commands.moving import migrate as command

    made, pair = place
    command(pair=pair.path, json=True)
    digest = json.loads(capsys.readouterr().out)["provenance"]["plan_digest"]
    assert made.moved()[0].total() == 0
    assert command(pair=pair.path, approve=digest, json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["complete"] is True
    assert made.moved() == made.due()
    assert command(pair=pair.path, json=True) == 0
    again = json.loads(capsys.readouterr().out)
    assert (again["state"], again["changes"]) == ("planned", [])


@pytest.mark.parametrize("place", [SIZE], indirect=True)
def test_over_days_and_through_kills(place: tuple[Place, Pair], killer: Killer) -> None:
    """Contacts with tasks, notes and tags, over a quota that takes days, killed three times: complete, nothing twice."""
    made, pair = place
    people = made.due()[0].total()
    started = made.clock.day
    for at in (people // 10, people // 7, people // 5):
        killer.left = at
        with pytest.raises(Killed):
            migrate(pair, Move(wait=True), sleep=made.clock.sleep)
    killer.left = None
    moved = migrate(pair, Move(wait=True), sleep=made.clock.sleep)
    assert moved.complete
    assert made.moved() == made.due()
    assert made.clock.day - started >= 2
    assert moved.report.counts[0].created == {"ghl": people}
    assert moved.report.counts[0].linked == people


def _leg(pair: Pair, wire: Wire, *, ahead: float, point: str) -> dict[str, Any] | None:
    """One call of `migrate` in a process of its own; what it came to, or None where it was killed at `point`."""
    what, when, number = point.split(":") if point != "none" else ("", "", "0")
    wire.at = wire.writes + int(number) if (what, when) == ("send", "served") else 0
    command = [sys.executable, str(DRIVER), str(pair.path), str(ahead), point]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(  # noqa: S603 - the tests' own command
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        wire.victim = process.pid
        out, errors = process.communicate()
    assert process.returncode in (0, -signal.SIGKILL), errors
    told: dict[str, Any] = json.loads(out) if process.returncode == 0 else {}
    return told or None


@long_form
@pytest.mark.timeout(0)
def test_over_days_and_through_sigkill(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same with processes killed by SIGKILL: before a request, after GHL served it, and before its reply was noted."""
    people, daily = SIZE
    clock, wire, begun_at = Leaping(), Wire(), time.monotonic()
    made = Place(tmp_path, people=people, daily=daily, clock=clock)
    made.sandbox.log = wire
    kills = [
        f"send:before:{people // 10}",
        f"send:served:{people // 7}",
        f"commit:before:{people // 5}",
    ]
    killed, days, told = 0, 1, None
    with serve(made.sandbox) as url:
        pair = made.pair(url)
        while not (told and told["complete"]):
            assert days < 30, told
            told = _leg(
                pair,
                wire,
                ahead=clock.ahead,
                point=kills[killed] if killed < len(kills) else "none",
            )
            if told is None:
                killed += 1
            elif not told["complete"]:
                clock.sleep(DAY)
                days += 1
    assert (killed, days >= 2) == (3, True)
    assert made.moved() == made.due()
    assert told["created"] == told["linked"] == people
    twice = made.moved()[0].total() - people
    with capsys.disabled():
        sys.stdout.write(
            f"\n{people:,} contacts moved in {days} days and {time.monotonic() - begun_at:.0f} s "
            f"with {wire.requests:,} requests, killed {killed} times, {twice} twice\n"
        )
    made.engine.dispose()
