"""Whose turn it is in a fleet: fair between groups, the longest first within one, and no worker idle while a pair may start."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from flows.jobs.turns import Pace, Turn, Turns
from tests.properties.profiles import profile


@dataclass
class Night:
    """A fleet's night on a clock of its own: each pair takes its seconds, and some fail of what passes the first time."""

    turns: Turns
    seconds: dict[Path, float]
    workers: int
    failing: frozenset[Path] = frozenset()
    starts: list[tuple[float, Turn]] = field(default_factory=list)
    idle: float = 0.0
    """Of all workers, while some pair waited that might have started."""
    leads: list[int] = field(default_factory=list)
    """By how many workers a group was ahead of one whose first tries waited, after each moment."""

    def play(self) -> None:
        at, ends = 0.0, list[tuple[float, int, Turn]]()
        while not self.turns.over:
            while len(ends) < self.workers and (turn := self.turns.start(at)):
                self.starts.append((at, turn))
                heapq.heappush(ends, (at + self.seconds[turn.pair], turn.place, turn))
            self.leads.append(self._lead())
            until = min([end for end, _, _ in ends] + [self.turns.due] * (len(ends) < self.workers))
            if self.turns.due <= at:
                self.idle += (self.workers - len(ends)) * (until - at)
            at = until
            while ends and ends[0][0] <= at:
                _, _, turn = heapq.heappop(ends)
                again = turn.pair in self.failing and turn.tries == 1
                self.turns.end(turn, at, again=again)

    def _lead(self) -> int:
        running = Counter(turn.group for turn in self.turns.running)
        waiting = [running[turn.group] for turn in self.turns.waiting if turn.tries == 1]
        return max(running.values(), default=0) - min(waiting) if waiting else 0

    def order(self, tries: int = 1) -> list[str]:
        return [turn.pair.stem for _, turn in self.starts if turn.tries == tries]


def night(
    groups: dict[str, Sequence[float]],
    workers: int,
    *,
    failing: Sequence[str] = (),
    pace: Pace = Pace(),  # noqa: B008 - frozen
) -> Night:
    """A night of groups of pairs that take so many seconds each, the longest first; pair "a0" is the first of group a."""
    seconds = {Path(f"{name}{at}"): took for name in groups for at, took in enumerate(groups[name])}
    pairs = sorted(seconds, key=lambda pair: -seconds[pair])
    turns = Turns.of([(pair, pair.name.rstrip("0123456789")) for pair in pairs], pace)
    result = Night(turns, seconds, workers, frozenset(map(Path, failing)))
    result.play()
    return result


def test_a_large_agency_starves_no_small_one() -> None:
    """Of an agency's 900 pairs and another's 10, on four workers, the ten run two at a time from the beginning."""
    result = night({"large": [5.0] * 900, "small": [5.0] * 10}, 4)
    places = [at for at, name in enumerate(result.order()) if name.startswith("small")]
    assert places[-1] < 20
    assert max(at for at, turn in result.starts if turn.group == "small") == 20.0


def test_one_group_is_as_before() -> None:
    """Where no pair says a group the longest start first, and nothing else decides."""
    assert night({"p": [1.0, 9.0, 3.0, 5.0]}, 2).order() == ["p1", "p3", "p2", "p0"]


def test_time_is_shared_and_not_starts() -> None:
    """On one worker a group of long pairs gets one run where a group of short ones gets as many as take as long."""
    order = night({"long": [30.0] * 2, "short": [10.0] * 6}, 1).order()
    assert order == ["long0", "short0", "short1", "short2", "long1", "short3", "short4", "short5"]


def test_what_failed_waits_for_all_others_and_for_no_worker() -> None:
    """A second try starts when no first one waits and its time has come, while others still run; there is no third."""
    pace = Pace(put_off=60.0)
    result = night({"a": [500.0, 20.0, 10.0], "b": [30.0]}, 2, failing=["a1", "b0"], pace=pace)
    assert result.order() == ["a0", "b0", "a1", "a2"]
    assert [(at, turn.pair.name) for at, turn in result.starts if turn.tries == 2] == [
        (90.0, "b0"),
        (120.0, "a1"),
    ]
    assert all(turn.tries <= 2 for _, turn in result.starts)


def test_starts_lie_apart() -> None:
    """So many seconds lie between the starts of two pairs, however many workers are free, and none before the first."""
    result = night({"p": [9.0, 8.0, 7.0]}, 3, pace=Pace(stagger=5.0))
    assert [at for at, _ in result.starts] == [0.0, 5.0, 10.0]


GROUPS = st.dictionaries(
    st.sampled_from("abcde"),
    st.lists(st.integers(1, 100).map(float), min_size=1, max_size=12),
    min_size=1,
)


@given(GROUPS, st.integers(1, 6), st.data())
@profile(ci=(150, 1), soak=(5_000, 1))
def test_shares_are_fair_and_nothing_is_lost(
    groups: dict[str, list[float]], workers: int, data: st.DataObject
) -> None:
    """Each pair runs once, a failed one twice; no worker idles while a pair may start; no group that waits is two workers behind."""
    names = [f"{name}{at}" for name in groups for at in range(len(groups[name]))]
    failing = data.draw(st.lists(st.sampled_from(names), unique=True))
    result = night(groups, workers, failing=failing)
    assert sorted(result.order()) == sorted(names)
    assert sorted(result.order(tries=2)) == sorted(failing)
    assert len(result.starts) == len(names) + len(failing)
    assert all(turn.due <= at for at, turn in result.starts)
    assert result.idle == 0.0
    assert max(result.leads, default=0) <= 1


@given(GROUPS)
@profile(ci=(150, 1), soak=(5_000, 1))
def test_one_worker_is_shared_by_time(groups: dict[str, list[float]]) -> None:
    """While two groups both wait, one has had at most one run's time more than the other."""
    result = night(groups, 1)
    had, left = dict.fromkeys(groups, 0.0), {name: len(groups[name]) for name in groups}
    longest = max(result.seconds.values())
    for _, turn in result.starts:
        waiting = [had[name] for name in groups if left[name]]
        assert max(waiting) - min(waiting) <= longest
        had[turn.group] += result.seconds[turn.pair]
        left[turn.group] -= 1
