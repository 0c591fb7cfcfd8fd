"""The throttle against a side that counts in a sliding window: simulated second by second, nothing sleeps."""

from __future__ import annotations

import heapq
import itertools
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from connectors.shared import CarriedBudget, SharedBudget
from connectors.throttle import LocalBudget, Quota, Throttle, Window, read_quota
from reconcile.errors import Exhausted


class Side:
    """GHL's counting: `limit` answers in any `interval` seconds, told in the headers; a refused request does not count."""

    def __init__(self, limit: int = 100, interval: float = 10.0, daily: int = 200_000) -> None:
        self.limit, self.interval, self.daily = limit, interval, daily
        self.passed: list[float] = []
        self.arrived: list[float] = []
        self.refused = 0

    def ask(self, now: float) -> Quota:
        """One request that arrives now."""
        self.arrived.append(now)
        recent = [at for at in self.passed[-self.limit :] if at > now - self.interval]
        allowed = len(recent) < self.limit
        if allowed:
            self.passed.append(now)
        self.refused += not allowed
        return Quota(
            limit=self.limit,
            remaining=max(0, self.limit - len(recent) - allowed),
            interval=self.interval,
            day_limit=self.daily,
            day_left=self.daily - len(self.passed),
            refused=not allowed,
        )

    def most(self) -> int:
        """The most requests that ever arrived within one interval."""
        times = sorted(self.arrived)
        window: list[float] = []
        most = 0
        for at in times:
            window = [*(t for t in window if t > at - self.interval), at]
            most = max(most, len(window))
        return most


@dataclass
class Simulation:
    """Workers that ask a window and then a side, in simulated time; an event is (time, order, action)."""

    side: Side
    latency: Callable[[], float]
    events: list[tuple[float, int, Callable[[float], None]]] = field(default_factory=list)
    order: Iterator[int] = field(default_factory=itertools.count)
    answered: int = 0
    refused: int = 0
    ended_at: float = 0.0

    def at(self, when: float, action: Callable[[float], None]) -> None:
        """Let something happen."""
        heapq.heappush(self.events, (when, next(self.order), action))

    def worker(self, window: Window, name: str, requests: Iterator[int]) -> None:
        """A thread that sends one request after another until there are none left."""

        def ask(now: float) -> None:
            ticket = next(requests, None)
            if ticket is not None:
                enter(f"{name}{ticket}", now)

        def enter(ticket: str, now: float) -> None:
            wait = window.take(ticket, now, reserve=0.1)
            if wait > 0:
                self.at(now + min(wait, 0.1), lambda later: enter(ticket, later))
                return
            took = self.latency()
            self.at(now + took / 2, lambda at: arrive(ticket, at, now + took))

        def arrive(ticket: str, now: float, back: float) -> None:
            quota = self.side.ask(now)
            self.at(back, lambda at: done(ticket, at, quota))

        def done(ticket: str, now: float, quota: Quota) -> None:
            window.answer(ticket, now, quota)
            if quota.refused:
                self.refused += 1
                enter(f"{ticket}'", now)
                return
            self.answered += 1
            self.ended_at = now
            ask(now)

        self.at(1000.0, ask)

    def others(self, rate: float, until: float) -> None:
        """Another client of the same quota that knows nothing of ours."""
        step = 1 / rate
        for number in range(int((until - 1000.0) / step)):
            self.at(1000.0 + number * step, lambda now: void(self.side.ask(now)))

    def run(self) -> None:
        """Until nothing is left to happen."""
        while self.events:
            when, _, action = heapq.heappop(self.events)
            action(when)


def void(_: object) -> None:
    """Ignore an answer."""


def jittered(base: float, spread: float = 0.3) -> Callable[[], float]:
    """Latencies around `base` seconds, repeatable."""
    dice = random.Random(4)  # noqa: S311 - repeatable, not secret
    return lambda: base * (1 + spread * (2 * dice.random() - 1))


def simulate(
    limit: int,
    requests: int,
    *,
    latency: float,
    windows: int = 1,
    workers: int = 5,
    others: float = 0.0,
) -> Simulation:
    """`requests` through one window or several that do not know of each other."""
    simulation = Simulation(Side(limit), jittered(latency))
    if others:
        simulation.others(others, 1000.0 + 3 * requests * 10 / limit)
    queue = iter(range(requests))
    for number in range(windows):
        window = Window()
        for worker in range(workers):
            simulation.worker(window, f"{number}.{worker}.", queue)
    simulation.run()
    return simulation


@pytest.mark.parametrize("limit", [20, 25, 100])
@pytest.mark.parametrize("latency", [0.001, 0.3, 0.45, 2.0])
def test_no_window_ever_exceeds_the_published_limit(limit: int, latency: float) -> None:
    """Whatever the latency and its jitter, the side never sees more than the limit in any interval, and refuses nothing."""
    simulation = simulate(limit, 6 * limit, latency=latency, workers=8)
    assert simulation.answered == 6 * limit
    assert simulation.side.most() <= limit
    assert simulation.side.refused == 0


@pytest.mark.parametrize("limit", [20, 100])
def test_the_window_is_used_at_300_ms(limit: int) -> None:
    """At 300 ms five workers use at least 95 % of what is allowed."""
    simulation = simulate(limit, 4 * limit, latency=0.3)
    allowed = limit * (simulation.ended_at - 1000.0) / 10
    assert 4 * limit / allowed >= 0.95


def test_requests_are_spread_over_the_window() -> None:
    """In no second are more than a quarter of the window's requests sent: a burst would hit other limits."""
    simulation = simulate(100, 400, latency=0.3)
    arrived = sorted(simulation.side.arrived)
    assert max(sum(at <= other < at + 1 for other in arrived) for at in arrived) <= 25


def test_another_client_of_the_quota_is_made_room_for() -> None:
    """With half of the quota used by others, at most a handful is refused and the rest is used."""
    simulation = simulate(100, 400, latency=0.3, others=5.0)
    assert simulation.refused <= 5
    fair_seconds = 400 / 5.0
    assert simulation.ended_at - 1000.0 <= 1.1 * fair_seconds


def test_a_strange_window_slows_down_and_recovers() -> None:
    """Two processes that do not share a budget still finish, with few refusals."""
    simulation = simulate(100, 600, latency=0.3, windows=2)
    assert simulation.answered == 600
    assert simulation.refused <= 12


def test_it_starts_low_until_the_first_answer() -> None:
    """Before anything is known, the pace is 20 in 10 seconds."""
    window = Window()
    granted = sum(
        window.take(f"t{tick}", 1000 + tick * 0.01, reserve=0.1) == 0 for tick in range(1000)
    )
    assert granted <= 20


def test_a_refusal_halves_once_and_honours_retry_after() -> None:
    """Requests in the air at the first refusal do not halve again, and Retry-After is waited for."""
    window = Window(limit=100)
    for ticket in ("a", "b"):
        window.next_at = 0.0
        assert window.take(ticket, 1000.0, reserve=0.1) == 0
    for ticket in ("a", "b"):
        window.answer(ticket, 1001.0, Quota(limit=100, refused=True, retry_after=7.0))
    assert window.scale == 0.5
    assert window.take("c", 1001.0, reserve=0.1) == pytest.approx(7.0)


def refuse(window: Window, at: float, *, remaining: int | None) -> None:
    """One request that is refused a moment after it was sent."""
    window.next_at = window.blocked_until = 0.0
    assert window.take("t", at, reserve=0.1) == 0
    window.answer("t", at + 0.3, Quota(limit=20, remaining=remaining, refused=True))


def test_a_refusal_that_tells_of_room_is_waited_for_at_the_same_pace() -> None:
    """Where GHL refuses and tells in the same answer that the window has room, our pace is no reason to slow down by."""
    window = Window(limit=20)
    refuse(window, 1000.0, remaining=12)
    assert window.scale == 1.0
    assert window.take("next", 1000.4, reserve=0.1) > 0.5
    assert window.take("next", 1001.4, reserve=0.1) == 0


@pytest.mark.parametrize("remaining", [0, None])
def test_a_refusal_that_tells_of_no_room_halves_the_pace(remaining: int | None) -> None:
    """Neither where the window is full nor where nothing is told is the pace kept."""
    window = Window(limit=20)
    refuse(window, 1000.0, remaining=remaining)
    assert window.scale == 0.5


def test_what_a_second_refusal_tells_is_not_believed() -> None:
    """A second refusal soon after the first halves the pace, whatever room it tells of; a late one is a first one again."""
    window = Window(limit=20)
    refuse(window, 1000.0, remaining=12)
    refuse(window, 1012.0, remaining=12)
    assert window.scale == 0.5
    late = Window(limit=20)
    refuse(late, 1000.0, remaining=12)
    refuse(late, 1100.0, remaining=12)
    assert late.scale == 1.0


class Boaster(Side):
    """It tells of 25 in a window, and refuses what is beyond `limit`, as was reported of a white-label token."""

    def ask(self, now: float) -> Quota:
        """One request that arrives now."""
        quota = super().ask(now)
        recent = [at for at in self.passed[-25:] if at > now - self.interval]
        return replace(quota, limit=25, remaining=25 - len(recent))


def test_a_side_that_allows_less_than_it_tells_is_seldom_run_against() -> None:
    """Its headers do not bring on a storm of refusals: less than one in eight, and most of what it allows is used."""
    simulation = Simulation(Boaster(10), jittered(0.3))
    requests = iter(range(300))
    window = Window()
    for number in range(5):
        simulation.worker(window, f"{number}.", requests)
    simulation.run()
    assert simulation.answered == 300
    assert simulation.refused <= 300 / 8
    assert simulation.ended_at - 1000.0 <= 1.35 * 300


def test_success_recovers_what_a_refusal_took() -> None:
    """After enough good answers the whole window is used again."""
    window = Window(limit=100, scale=0.5)
    for number in range(100):
        window.answer(f"t{number}", 1000.0 + number, Quota(limit=100))
    assert window.scale == 1.0


def test_the_daily_reserve_is_never_spent() -> None:
    """With the remainder at the reserve, the next request raises EXHAUSTED_DAY and says for how long."""
    window = Window()
    window.take("a", 1000.0, reserve=0.1)
    window.answer("a", 1000.3, Quota(limit=100, day_limit=200, day_left=20, day_resets_in=500.0))
    with pytest.raises(Exhausted) as caught:
        window.take("b", 1001.0, reserve=0.1)
    assert caught.value.code == "EXHAUSTED_DAY"
    assert caught.value.until_seconds == pytest.approx(499.3)


def test_requests_in_the_air_count_against_the_reserve() -> None:
    """What is under way is taken off the remainder that the last answer told."""
    window = Window(limit=100, day_limit=100, day_left=12, day_told_at=1000.0)
    assert [window.take(f"t{n}", 1000.0 + n, reserve=0.1) for n in range(2)] == [0.0, 0.0]
    with pytest.raises(Exhausted):
        window.take("t2", 1003.0, reserve=0.1)


def test_a_request_that_was_overtaken_counts_against_the_reserve_until_it_is_answered() -> None:
    """Which of the two the side counted first is unknown: the day may end a request early, and never one late."""
    window = Window(limit=100, day_limit=100, day_left=13, day_told_at=1000.0)
    assert [window.take(ticket, 1000.0 + at, reserve=0.1) for at, ticket in enumerate("ab")] == [
        0.0,
        0.0,
    ]
    window.answer("b", 1002.0, Quota(limit=100, day_limit=100, day_left=11))
    with pytest.raises(Exhausted, match="11 requests left, 10 of them kept"):
        window.take("c", 1003.0, reserve=0.1)
    window.answer("a", 1004.0, Quota(limit=100, day_limit=100, day_left=12))
    assert window.day_left == 11
    assert window.take("c", 1005.0, reserve=0.1) == 0


def test_an_answer_that_was_overtaken_gives_nothing_back() -> None:
    """A remainder that is a little larger than the one known is older, and is not believed; a much larger is a new day."""
    window = Window()
    for left, expected in ((100, 100), (98, 98), (99, 98), (97, 97), (200_000, 200_000)):
        window.answer("t", 1000.0, Quota(limit=100, day_limit=200_000, day_left=left))
        assert window.day_left == expected


def test_a_new_day_is_believed_when_the_reset_has_passed() -> None:
    """After the reset time, and after ten minutes where no reset was told, requests are sent again."""
    told = Window(day_limit=100, day_left=0, day_resets_at=2000.0)
    assert told.take("a", 2000.5, reserve=0.1) == 0
    untold = Window(day_limit=100, day_left=0, day_told_at=1000.0)
    with pytest.raises(Exhausted):
        untold.take("a", 1100.0, reserve=0.1)
    assert untold.take("a", 1601.0, reserve=0.1) == 0


def test_headers_are_read_as_documented() -> None:
    """All six headers and Retry-After, with milliseconds as seconds; nonsense is nothing."""
    headers = {
        "x-ratelimit-max": "100",
        "x-ratelimit-remaining": "99",
        "x-ratelimit-interval-milliseconds": "10000",
        "x-ratelimit-limit-daily": "200000",
        "x-ratelimit-daily-remaining": "171000",
        "x-ratelimit-daily-reset": "49013000",
        "retry-after": "3",
    }
    assert read_quota(200, headers) == Quota(100, 99, 10.0, 200_000, 171_000, 49_013.0, 3.0)
    assert read_quota(429, {"x-ratelimit-max": "many", "retry-after": "-1"}) == Quota(refused=True)


@pytest.mark.parametrize(
    ("date", "after", "wait"),
    [
        ("Fri, 27 Nov 2026 10:00:00 GMT", "Fri, 27 Nov 2026 10:00:30 GMT", 30.0),
        ("Fri, 27 Nov 2026 10:00:00 GMT", "Fri, 27 Nov 2026 09:00:00 GMT", 0.0),
        ("Fri, 27 Nov 2026 10:00:00 GMT", "tomorrow", None),
        ("", "Fri, 27 Nov 2026 10:00:30 GMT", None),
    ],
)
def test_retry_after_may_be_a_moment(date: str, after: str, wait: float | None) -> None:
    """A moment in Retry-After is counted from the answer's own Date, so that no clock of ours has to be right."""
    assert read_quota(429, {"date": date, "retry-after": after}).retry_after == wait


class FakeTime:
    """A clock that moves when someone sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.now += seconds


@pytest.mark.parametrize("value", ["1e300", "9" * 400, "\u00b2", "-5", "nan", "inf", "", "1e12"])
def test_a_header_that_no_side_means_is_not_kept(value: str) -> None:
    """A huge, negative or unreadable number makes no run wait for years."""
    names = [
        *(
            "x-ratelimit-max",
            "x-ratelimit-remaining",
            "x-ratelimit-interval-milliseconds",
            "retry-after",
        ),
        *("x-ratelimit-limit-daily", "x-ratelimit-daily-remaining", "x-ratelimit-daily-reset"),
    ]
    assert read_quota(200, dict.fromkeys(names, value)) == Quota()


def test_enter_waits_for_a_place() -> None:
    """The gate sleeps through the injected sleep until the window has room."""
    time = FakeTime()
    throttle = Throttle(LocalBudget(Window(limit=2)), clock=time, sleep=time.sleep)
    for _ in range(3):
        throttle.leave(throttle.enter(), Quota(limit=2, interval=10.0))
    assert 10.0 <= time.slept <= 11.0
    assert throttle.window() == (2, 10.0)


def test_refusals_are_counted() -> None:
    """Answers with 429 are counted for the usage report."""
    time = FakeTime()
    throttle = Throttle(clock=time, sleep=time.sleep)
    throttle.leave(throttle.enter(), Quota(refused=True))
    assert throttle.refusals == 1


@contextmanager
def engine(path: Path) -> Iterator[sa.Engine]:
    """An SQLite file in WAL mode."""
    made = sa.create_engine(f"sqlite:///{path}", connect_args={"timeout": 30})
    with made.connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")
    try:
        yield made
    finally:
        made.dispose()


def test_a_shared_budget_is_one_window(tmp_path: Path) -> None:
    """Two budgets of one name on one database grant no more together than one would alone."""
    with engine(tmp_path / "ledger.db") as one, engine(tmp_path / "ledger.db") as two:
        time = FakeTime()
        clocks: Any = {"clock": time, "moment": lambda: sa.literal(time.now)}
        budgets = [
            SharedBudget(at, name, **clocks)
            for at, name in ((one, "loc"), (two, "loc"), (one, "another"))
        ]
        granted = 0
        for tick in range(60):
            now = 1000.0 + tick * 0.02
            budget = budgets[tick % 2]
            granted += (
                budget.change(
                    lambda window, tick=tick, now=now: window.take(f"t{tick}", now, reserve=0.1)
                )
                == 0
            )
        alone = Window()
        expected = sum(
            alone.take(f"t{tick}", 1000.0 + tick * 0.02, reserve=0.1) == 0 for tick in range(60)
        )
        assert granted == expected
        assert budgets[2].change(lambda window: len(window.flying)) == 0


def test_a_shared_budget_loses_no_change_between_threads(tmp_path: Path) -> None:
    """Concurrent changes are serialised by the database: none overwrites another."""
    with engine(tmp_path / "ledger.db") as held:
        budget = SharedBudget(held, "loc")

        def bump(window: Window) -> None:
            window.limit += 1

        threads = [
            threading.Thread(target=lambda: [budget.change(bump) for _ in range(25)])
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert budget.change(lambda window: window.limit) == Window().limit + 100


def test_a_refused_change_is_not_stored(tmp_path: Path) -> None:
    """A step that raises leaves the shared window as it was."""
    with engine(tmp_path / "ledger.db") as held:
        budget = SharedBudget(held, "loc")
        with pytest.raises(Exhausted):
            budget.change(_spoil)
        assert budget.change(lambda window: window.limit) == Window().limit


def test_a_further_run_of_the_day_takes_nothing_from_the_reserve(tmp_path: Path) -> None:
    """Where a run ended at the reserve, the next one of that day asks for nothing, and the one after the reset goes on."""
    with engine(tmp_path / "ledger.db") as held:
        time = FakeTime()
        clocks: Any = {"clock": time, "moment": lambda: sa.literal(time.now)}
        first = CarriedBudget(held, "loc", **clocks)
        told = Quota(day_limit=1000, day_left=100, day_resets_in=3600.0)
        first.change(lambda window: window.take("one", time.now, reserve=0.1))
        first.change(lambda window: window.answer("one", time.now, told))
        first.save()
        time.now += 60
        second = CarriedBudget(held, "loc", **clocks)
        with pytest.raises(Exhausted, match="kept in reserve"):
            second.change(lambda window: window.take("two", time.now, reserve=0.1))
        second.save()
        time.now += 3600
        third = CarriedBudget(held, "loc", **clocks)
        assert third.change(lambda window: window.take("three", time.now, reserve=0.1)) == 0


def test_a_ledger_that_takes_no_more_ends_no_run(tmp_path: Path) -> None:
    """Where what is left of the day cannot be kept, saving it raises nothing."""
    with engine(tmp_path / "ledger.db") as held:
        carried = CarriedBudget(held, "loc")
        with held.begin() as connection:
            connection.execute(sa.text("DROP TABLE budgets"))
        carried.save()


def _spoil(window: Window) -> None:
    window.limit = 1
    raise Exhausted("no")


def test_a_dead_process_does_not_hold_its_place_for_ever() -> None:
    """A request that was never answered leaves the window after three minutes."""
    window = Window(limit=1)
    assert window.take("dead", 1000.0, reserve=0.1) == 0
    assert window.take("a", 1100.0, reserve=0.1) > 0
    assert window.take("a", 1181.0, reserve=0.1) == 0
