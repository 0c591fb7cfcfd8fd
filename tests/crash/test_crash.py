"""Kill a run anywhere and run again: the end is that of an uninterrupted run, with nothing twice."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from connectors.ghl.sandbox.requestlog import RequestRecord
from flows.config import load
from flows.demo import edits
from flows.demo.compare import agreed
from flows.demo.seen import opened
from flows.demo.tables import PEOPLE
from reconcile.ledger import schema
from reconcile.model import Entity, OpKind, Side
from reconcile.plan import planfile
from tests.connectors.databases import server_url
from tests.flows.acme import Acme, Night, Served, State
from tests.long_forms import SOAK

SAMPLE = {"sqlite": 2, "postgresql": 1}
"""How many points are tried where the soak is not asked for; each takes two runs, the first in a process of its own."""
DRIVER = Path(__file__).with_name("driver.py")
ROOT = DRIVER.parents[2]
EVERY_KIND = {
    (OpKind.CREATE, Entity.CONTACT, Side.APP),
    (OpKind.CREATE, Entity.CONTACT, Side.GHL),
    (OpKind.CREATE, Entity.TASK, Side.APP),
    (OpKind.CREATE, Entity.TASK, Side.GHL),
    (OpKind.CREATE, Entity.NOTE, Side.APP),
    (OpKind.CREATE, Entity.NOTE, Side.GHL),
    (OpKind.UPDATE, Entity.CONTACT, Side.APP),
    (OpKind.UPDATE, Entity.CONTACT, Side.GHL),
    (OpKind.COMPLETE, Entity.TASK, Side.GHL),
    (OpKind.ADD_TAGS, Entity.TAG, Side.APP),
    (OpKind.ADD_TAGS, Entity.TAG, Side.GHL),
    (OpKind.REMOVE_TAGS, Entity.TAG, Side.APP),
    (OpKind.REMOVE_TAGS, Entity.TAG, Side.GHL),
    (OpKind.DELETE, Entity.CONTACT, Side.GHL),
    (OpKind.DELETE, Entity.TASK, Side.APP),
}


class Tripwire(deque[RequestRecord]):
    """The sandbox's log, which kills a process when the N-th write has been carried out and not been answered yet."""

    def __init__(self, at: int) -> None:
        super().__init__(maxlen=100_000)
        self.at, self.writes, self.victim = at, 0, 0

    def append(self, record: RequestRecord, /) -> None:
        super().append(record)
        if record.method != "GET" and not record.path.endswith("/search"):
            self.writes += 1
            if self.writes == self.at:
                os.kill(self.victim, signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class Stand:
    """A world after its first night and a day of edits, kept to be put back; and what an uninterrupted night makes of it."""

    acme: Acme
    kept: Path
    database: Database
    points: list[str]
    end: State
    holds: list[str]


@dataclass(frozen=True, slots=True)
class Database:
    """How the app's database is put back to a moment that was kept."""

    name: str
    url: str | None

    def keep(self) -> None:
        """Keep what it holds. SQLite's file lies in the folder, and is kept with it."""
        self._copy("{name}_kept", "{name}")

    def restore(self) -> None:
        """Put back what was kept."""
        self._copy("{name}", "{name}_kept")

    def _copy(self, to: str, of: str) -> None:
        if self.url is None:
            return
        name = sa.make_url(self.url).database
        _execute(
            f'DROP DATABASE IF EXISTS "{to.format(name=name)}" WITH (FORCE)',
            f'CREATE DATABASE "{to.format(name=name)}" TEMPLATE "{of.format(name=name)}"',
        )


def _execute(*statements: str) -> None:
    url = sa.make_url(server_url("postgresql")).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


@contextmanager
def _database(name: str) -> Iterator[Database]:
    if name == "sqlite":
        yield Database(name, None)
        return
    made = f"ghl_crash_{os.getpid()}"
    url = sa.make_url(server_url(name)).set(drivername="postgresql+psycopg", database=made)
    _execute(f'DROP DATABASE IF EXISTS "{made}" WITH (FORCE)', f'CREATE DATABASE "{made}"')
    try:
        yield Database(name, url.render_as_string(hide_password=False))
    finally:
        _execute(
            *(f'DROP DATABASE IF EXISTS "{each}" WITH (FORCE)' for each in (made, f"{made}_kept"))
        )


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def stand(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stand]:
    folder = tmp_path_factory.mktemp("crash")
    with _database(request.param) as database:
        acme = Acme.made(folder / "acme", contacts=44, app_url=database.url, search_lag=1.0)
        acme.run(verify="none")
        _a_day(acme)
        shutil.copytree(acme.folder, folder / "kept")
        database.keep()
        with acme.served() as served:
            counted = json.loads(_driven(served, "none").stdout)
            night = _again(acme, served)
            end = acme.state(served.sandbox)
        assert (night.residual, len(night.operations)) == (0, 0)
        assert _kinds(acme) >= EVERY_KIND
        points = [
            f"{what}:{when}:{number}"
            for what, whens in (
                ("commit", ("before", "after")),
                ("send", ("before", "after", "served")),
            )
            for number in range(1, counted[what] + 1)
            for when in whens
        ]
        yield Stand(
            acme,
            folder / "kept",
            database,
            points,
            end,
            sorted(hold.hold_id for hold in night.holds),
        )


def _kinds(acme: Acme) -> set[tuple[OpKind, Entity, Side]]:
    """The kinds of operations that the nights of a world had."""
    plans = acme.folder.rglob("plan.jsonl")
    return {(o.kind, o.entity, o.side) for path in plans for o in planfile.operations(path)}


def _a_day(acme: Acme) -> None:
    """The demo's edits, and those that make the remaining kinds of operations."""
    edits(acme.folder, acme.pair)
    with opened(acme.folder, acme.pair, None) as ends:
        untouched = [couple for couple in agreed(ends) if couple[0].tags]
        (_, there), (here, _), *_ = untouched
        ends.sandbox.tag_contact(there.key, add=("met at the fair",))
        ends.sandbox.seed_task(
            there.key, title="Ring back", dueDate="2025-12-24T10:00:00.000Z", completed=False
        )
        with ends.engine.begin() as connection:
            connection.execute(
                sa.update(PEOPLE).where(PEOPLE.c.id == int(here.key)).values(tags=[])
            )


def _driven(served: Served, point: str) -> subprocess.CompletedProcess[str]:
    """Run the driver until it ends or is killed."""
    _, when, number = point.split(":") if point != "none" else ("", "", "0")
    wire = Tripwire(int(number) if when == "served" else 0)
    served.sandbox.log = wire
    command = [sys.executable, str(DRIVER), str(served.pair), point]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(  # noqa: S603 - the tests' own command
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        wire.victim = process.pid
        out, errors = process.communicate(timeout=120)
    assert "Traceback" not in errors, errors
    return subprocess.CompletedProcess(command, process.returncode, out, errors)


def _again(acme: Acme, served: Served) -> Night:
    """The next run, after the dead one's lease has expired."""
    engine = sa.create_engine(load(served.pair).ledger_url.get_secret_value())
    with engine.begin() as connection:
        connection.execute(sa.update(schema.lease).values(expires_at="2020-01-01T00:00:00.000Z"))
    engine.dispose()
    return acme.run(pair=served.pair, verify="full", allowed=frozenset({"another-app"}))


def _killed_and_run_again(stand: Stand, point: str) -> list[str]:
    """What is not as it should be after a kill at that point and another run."""
    stand.acme.replaced_by(stand.kept)
    stand.database.restore()
    with stand.acme.served() as served:
        ended = _driven(served, point)
        night = _again(stand.acme, served)
        end = stand.acme.state(served.sandbox)
    wrong = [
        f"{name}: too many {end[name] - kept}, too few {kept - end[name]}"
        for name, kept in stand.end.items()
        if end[name] != kept
    ]
    if ended.returncode != -signal.SIGKILL:
        wrong.append(f"it was not killed there (exit {ended.returncode})")
    if night.residual:
        wrong.append(f"{night.residual} operations are left after the next run")
    if sorted(hold.hold_id for hold in night.holds) != stand.holds:
        wrong.append("other questions are open")
    return [f"{point}: {line}" for line in wrong]


@pytest.mark.timeout(0 if SOAK else 900)
def test_kill_anywhere(stand: Stand, capsys: pytest.CaptureFixture[str]) -> None:
    """Killed at any commit or request, a run leaves what the next run brings to the end of an uninterrupted one."""
    chosen = stand.points if SOAK else _spread(stand.points, SAMPLE[stand.database.name])
    wrong = [line for point in chosen for line in _killed_and_run_again(stand, point)]
    with capsys.disabled():
        sys.stdout.write(
            f"\n{stand.database.name}: killed at {len(chosen)} of {len(stand.points)} points\n"
        )
    assert not wrong, "\n".join(wrong)


def _spread(points: list[str], many: int) -> list[str]:
    """Evenly spread ones, the same each time, of every kind."""
    step = len(points) / many
    return [points[int(step * (number + 0.5))] for number in range(many)]
