"""Whose turn it is in a fleet: workers are shared fairly, and starts lie apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Pace:
    """When pairs start.

    At least `stagger` seconds lie between two starts, and at least `put_off` seconds between a
    pair's failure and its second try.
    """

    stagger: float = 0.0
    put_off: float = 60.0


USUAL = Pace()


@dataclass(frozen=True, slots=True)
class Turn:
    """A pair that waits or runs.

    `place` is its place in the order asked for, `due` the second from which it may start.
    """

    pair: Path
    group: str
    place: int
    tries: int = 1
    due: float = 0.0


@dataclass(slots=True)
class Turns:
    """The pairs that wait, those that run, and how much each group has had.

    The group with the fewest workers is next, then the one that has had the least of their time;
    within it the order asked for decides. Second tries come after all first ones. Times are seconds
    of any clock that does not go back.
    """

    pace: Pace
    waiting: list[Turn] = field(default_factory=list)
    running: dict[Turn, float] = field(default_factory=dict)
    """When each of them started."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Of the workers' time, by group; what still runs is not in it."""
    next_start: float = 0.0

    @classmethod
    def of(cls, pairs: Iterable[tuple[Path, str]], pace: Pace) -> Turns:
        """All pairs, each with its group, in the order asked for."""
        waiting = [Turn(pair, group, place) for place, (pair, group) in enumerate(pairs)]
        return cls(pace, waiting)

    @property
    def over(self) -> bool:
        """Whether nothing waits and nothing runs, which could come to wait again."""
        return not self.waiting and not self.running

    @property
    def due(self) -> float:
        """From when on a pair may start; infinite while none waits."""
        first = min((turn.due for turn in self.waiting), default=float("inf"))
        return max(first, self.next_start)

    def start(self, at: float) -> Turn | None:
        """The pair that starts at that time on a free worker; None where none may."""
        if at < self.due:
            return None
        workers = Counter(turn.group for turn in self.running)

        def rank(turn: Turn) -> tuple[float, ...]:
            group = turn.group
            return (turn.tries, workers[group], self.seconds.get(group, 0.0), turn.place)

        turn = min((turn for turn in self.waiting if turn.due <= at), key=rank)
        self.waiting.remove(turn)
        self.running[turn] = at
        self.next_start = at + self.pace.stagger
        return turn

    def end(self, turn: Turn, at: float, *, again: bool) -> None:
        """A pair has ended; `again` puts it off for another try."""
        spent = at - self.running.pop(turn)
        self.seconds[turn.group] = self.seconds.get(turn.group, 0.0) + spent
        if again:
            due = at + self.pace.put_off
            self.waiting.append(replace(turn, tries=turn.tries + 1, due=due))
