"""The end of a run, as whatever waits sees it."""

from __future__ import annotations

import pytest

from connectors.ending import OVER, Ending
from reconcile.errors import Exhausted, Stopped


class Clock:
    """Seconds, moved by sleeping."""

    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


def test_a_wait_ends_with_the_time_of_the_run() -> None:
    """A wait that is longer than what is left of the run's time raises Stopped when that is over, not later."""
    clock = Clock()
    ending = Ending(30.0, clock=clock, sleep=clock.sleep)
    ending.sleep(10.0)
    with pytest.raises(Stopped, match="time given to the run"):
        ending.sleep(600.0)
    assert clock.now == pytest.approx(80.0, abs=0.2)
    assert ending.reason == OVER
    assert ending.left == 0.0


def test_a_wait_ends_when_somebody_asks_for_it() -> None:
    """A signal's handler only notes it; the wait that goes on meanwhile looks every tenth of a second."""
    clock = Clock()

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if clock.now >= 53.0:
            ending.ask("stopped by SIGTERM")

    ending = Ending(clock=clock, sleep=sleep)
    with pytest.raises(Stopped, match="SIGTERM"):
        ending.sleep(600.0)
    assert clock.now == pytest.approx(53.0, abs=0.2)


def test_what_is_in_doubt_may_still_be_looked_up() -> None:
    """Within the grace nothing is over, and after it everything is."""
    clock = Clock()
    ending = Ending(clock=clock, sleep=clock.sleep)
    ending.ask("stopped by SIGINT")
    with ending.grace(30.0):
        ending.sleep(20.0)
        assert ending.left == pytest.approx(10.0)
        with pytest.raises(Stopped):
            ending.sleep(20.0)
    with pytest.raises(Exhausted):
        ending.check()


def test_a_run_without_a_bound_never_ends_by_itself() -> None:
    """Nobody gave it a time: it waits as long as it takes."""
    clock = Clock()
    ending = Ending(clock=clock, sleep=clock.sleep)
    ending.sleep(100_000.0)
    assert not ending.over
    assert ending.reason == ""
