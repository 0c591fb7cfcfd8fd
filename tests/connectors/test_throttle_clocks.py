"""A shared window where somebody sets the clock: nobody waits longer than the window is long, and the limit holds."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from connectors.shared import SharedBudget
from connectors.sql.engine import database_url
from connectors.throttle import Quota, Throttle
from tests.connectors.test_throttle import engine

INTERVAL = 10.0


class World:
    """True time, which passes by waiting alone, and the clock of the ledger's server, which somebody sets."""

    def __init__(self) -> None:
        self.true = 5_000.0
        self.server = 1_800_000_000.0

    def sleep(self, seconds: float) -> None:
        """Wait."""
        self.true += seconds
        self.server += seconds

    def process(self, held: sa.Engine, *, booted: float) -> Throttle:
        """The gate of a process whose own clock began at another moment."""

        def clock() -> float:
            return self.true - booted

        budget = SharedBudget(
            held, "loc", clock=clock, moment=lambda: sa.literal(self.server, sa.Float)
        )
        return Throttle(budget, clock=clock, sleep=self.sleep)

    def send(self, gate: Throttle, many: int) -> list[float]:
        """So many requests one after the other; the true times at which they were let through."""
        times = []
        for _ in range(many):
            ticket = gate.enter()
            times.append(self.true)
            gate.leave(ticket, Quota(limit=20, interval=INTERVAL))
        return times


def most_within(times: list[float]) -> int:
    """The most requests in any interval."""
    return max(sum(1 for at in times if 0 <= at - first < INTERVAL) for first in times)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[sa.Engine]:
    with engine(tmp_path / "ledger.db") as held:
        yield held


@pytest.mark.parametrize(
    "step", [-3_600.0, -86_400.0, 3_600.0], ids=["an hour back", "a day back", "an hour on"]
)
def test_in_mid_run_a_clock_that_is_set_changes_nothing(
    world: World, ledger: sa.Engine, step: float, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither is the step waited for, nor does the side see more than its limit in any interval, and the log says so."""
    gate = world.process(ledger, booted=0.0)
    times = world.send(gate, 40)
    world.server += step
    with caplog.at_level(logging.WARNING, logger="connectors.shared"):
        times += world.send(gate, 40)
    assert most_within(times) <= 20
    assert times[40] - times[39] <= INTERVAL * 1.1
    assert times[-1] - times[0] <= 80 / 20 * INTERVAL * 1.2
    assert "was set" in caplog.text


def test_a_window_in_the_future_is_waited_for_as_long_as_it_is(
    world: World, ledger: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    """A process that begins after the clock was set back sends its first request within one interval: it waited the step."""
    times = world.send(world.process(ledger, booted=0.0), 40)
    world.server -= 3_600.0
    with caplog.at_level(logging.WARNING, logger="connectors.shared"):
        times += world.send(world.process(ledger, booted=4_000.0), 40)
    assert most_within(times) <= 20
    assert times[40] - times[39] <= INTERVAL * 1.1
    assert "was set back" in caplog.text


def test_processes_with_clocks_of_their_own_share_one_window(
    world: World, ledger: sa.Engine
) -> None:
    """What their own clocks say is no matter: the database's is the one that they have in common."""
    gates = [world.process(ledger, booted=booted) for booted in (0.0, 4_000.0, -90_000.0)]
    times: list[float] = []
    for number in range(90):
        times += world.send(gates[number % 3], 1)
    assert most_within(times) <= 20


def test_the_server_tells_its_own_time(postgresql: str) -> None:
    """PostgreSQL's clock, an hour earlier at the second look: the window moves along."""
    held = sa.create_engine(database_url(postgresql), poolclass=sa.NullPool)
    told: dict[str, Any] = {"earlier": 0}

    def moment() -> sa.ColumnElement[float]:
        return sa.literal_column(f"extract(epoch FROM clock_timestamp()) - {told['earlier']}")

    budget = SharedBudget(held, "loc")
    blocked = budget.change(lambda window: window.take("a", time.monotonic(), reserve=0.1))
    assert blocked == 0.0
    told["earlier"] = 3_600
    later = SharedBudget(held, "loc", moment=moment)
    assert later.change(lambda window: window.take("b", time.monotonic(), reserve=0.1)) <= INTERVAL
