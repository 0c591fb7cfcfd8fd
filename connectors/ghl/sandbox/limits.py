"""The quota of each client on each location.

A sliding window and a UTC day, told in every answer's headers.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from dataclasses import dataclass, field

from connectors.ghl.sandbox.settings import Limit

DAY = 86_400


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether a request may pass (docs/ghl.md#rate-limits).

    The rate-limit headers of its answer come with it.
    """

    allowed: bool
    headers: tuple[tuple[bytes, bytes], ...]


@dataclass(slots=True)
class _Usage:
    passed: deque[float] = field(default_factory=deque)
    day: int = -1
    today: int = 0


@dataclass(slots=True)
class _Arrivals:
    recent: deque[float] = field(default_factory=deque)
    most: int = 0


class Quotas:
    """Counts requests per (client, location).

    A refused request does not count against the window.
    """

    def __init__(self) -> None:
        self._usage: dict[tuple[str, str], _Usage] = defaultdict(_Usage)
        self._arrivals: dict[str, _Arrivals] = defaultdict(_Arrivals)

    def admit(self, client: str, place: str, limit: Limit, now: float) -> Admission:
        """Count a request that arrived now, and say whether it passes."""
        self._arrive(place, limit, now)
        usage = self._usage[client, place]
        while usage.passed and usage.passed[0] <= now - limit.window_seconds:
            usage.passed.popleft()
        if usage.day != int(now // DAY):
            usage.day, usage.today = int(now // DAY), 0
        allowed = len(usage.passed) < limit.max and usage.today < limit.daily
        if allowed:
            usage.passed.append(now)
            usage.today += 1
        return Admission(allowed, _headers(usage, limit, now))

    def retry_after(self, client: str, place: str, limit: Limit, now: float) -> int:
        """Whole seconds until the next request of this client may pass."""
        usage = self._usage[client, place]
        if usage.today >= limit.daily:
            return math.ceil(DAY - now % DAY)
        oldest = usage.passed[0] if usage.passed else now
        return max(math.ceil(oldest + limit.window_seconds - now), 1)

    def spend(self, client: str, place: str, requests: int, now: float) -> None:
        """Take from today's quota, as other integrations of the location would."""
        usage = self._usage[client, place]
        if usage.day != int(now // DAY):
            usage.day, usage.today = int(now // DAY), 0
        usage.today += requests

    def max_in_window(self, place: str) -> int:
        """The most requests of one location that ever arrived within one window.

        Refused ones are counted.
        """
        return self._arrivals[place].most

    def _arrive(self, place: str, limit: Limit, now: float) -> None:
        arrivals = self._arrivals[place]
        arrivals.recent.append(now)
        while arrivals.recent[0] <= now - limit.window_seconds:
            arrivals.recent.popleft()
        arrivals.most = max(arrivals.most, len(arrivals.recent))


def _headers(usage: _Usage, limit: Limit, now: float) -> tuple[tuple[bytes, bytes], ...]:
    return (
        (b"x-ratelimit-limit-daily", b"%d" % limit.daily),
        (b"x-ratelimit-daily-remaining", b"%d" % max(limit.daily - usage.today, 0)),
        (b"x-ratelimit-daily-reset", b"%d" % int((DAY - now % DAY) * 1000)),
        (b"x-ratelimit-interval-milliseconds", b"%d" % int(limit.window_seconds * 1000)),
        (b"x-ratelimit-max", b"%d" % limit.max),
        (b"x-ratelimit-remaining", b"%d" % max(limit.max - len(usage.passed), 0)),
    )
