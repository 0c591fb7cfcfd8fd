"""One window of requests per location.

With it, threads and processes together never exceed what a side allows.

A request occupies the window from the moment it is sent until one interval after its *answer*:
whenever the side counted it, it has left the side's own sliding window by then. Hence no window of
the published length ever holds more requests than the published limit, whatever the latency; the
price is latency / interval of the rate (3 % at 300 ms in 10 s).
"""

from __future__ import annotations

import bisect
import math
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Protocol, TypeVar

from reconcile.errors import Exhausted

Result = TypeVar("Result")

MARGIN = 0.002
"""Share of the interval kept free beside the latency, for clocks of different grain."""

CREDIT = 0.2
"""Share of the interval that requests may catch up after a slow start or an oversleep."""

NOISE = 0.05
"""Share of the limit below which an estimate of other clients' requests is noise."""

ABANDONED_SECONDS = 180.0
"""A request without an answer for this long belonged to a process that died."""

DOUBT = 3
"""Intervals after a refusal in which another one slows down whatever room it tells of.

Against a side that allows less than it tells, two do as well as six; with one, it refuses twice as
often.
"""

OVERTAKING = 50
"""How many requests may be in the air at once, at most."""

FORGET_DAY_SECONDS = 600.0
"""How long a daily remainder without a reset time is believed."""

LONGEST_PAUSE = 900.0
"""Seconds of a pause that is waited for.

A run that is asked for a longer one ends, and the next one goes on.
"""

LONGEST_WAIT = 7 * 24 * 3600.0
"""Seconds: what an answer says of a longer wait is taken for an error of its sender."""

MOST_REQUESTS = 1_000_000_000
"""Likewise for a count of requests."""

POLL_SECONDS = 0.1
"""A waiting request looks again this often.

So a larger limit in an answer takes effect at once.
"""


@dataclass(frozen=True, slots=True)
class Quota:
    """What one answer said of the quotas: requests, seconds; None where it said nothing."""

    limit: int | None = None
    remaining: int | None = None
    interval: float | None = None
    day_limit: int | None = None
    day_left: int | None = None
    day_resets_in: float | None = None
    retry_after: float | None = None
    refused: bool = False
    overloaded: bool = False


def _number(headers: Mapping[str, str], name: str, *, most: float) -> float | None:
    """The number that a header says.

    None where it says none, or one that no side means: no run waits for it.
    """
    try:
        value = float(headers[name])
    except (KeyError, ValueError):
        return None
    if 0 <= value <= most:  # not a number (nan) compares as false
        return value
    return None


def _whole(headers: Mapping[str, str], name: str) -> int | None:
    value = _number(headers, name, most=MOST_REQUESTS)
    if value is None:
        return None
    return int(value)


def _seconds(headers: Mapping[str, str], name: str, *, most: float) -> float | None:
    value = _number(headers, name, most=most * 1000)
    if value is None:
        return None
    return value / 1000


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Retry-After in seconds, in either of its forms (RFC 9110, 10.2.3).

    A moment is counted from the answer's own Date.
    """
    seconds = _number(headers, "retry-after", most=LONGEST_WAIT)
    if seconds is not None:
        return seconds
    try:
        until = parsedate_to_datetime(headers["retry-after"])
        wait = (until - parsedate_to_datetime(headers["date"])).total_seconds()
    except (KeyError, TypeError, ValueError, OverflowError):
        return None  # not there, no date, or one of the two without a zone
    if wait <= LONGEST_WAIT:
        return max(0.0, wait)
    return None


def read_quota(status: int, headers: Mapping[str, str]) -> Quota:
    """The X-RateLimit headers (docs/ghl.md#rate-limits) and Retry-After.

    `headers` has lower-case names.
    """
    return Quota(
        limit=_whole(headers, "x-ratelimit-max"),
        remaining=_whole(headers, "x-ratelimit-remaining"),
        interval=_seconds(headers, "x-ratelimit-interval-milliseconds", most=LONGEST_PAUSE),
        day_limit=_whole(headers, "x-ratelimit-limit-daily"),
        day_left=_whole(headers, "x-ratelimit-daily-remaining"),
        day_resets_in=_seconds(headers, "x-ratelimit-daily-reset", most=LONGEST_WAIT),
        retry_after=_retry_after(headers),
        refused=status == 429,
        overloaded=status == 503,
    )


@dataclass(slots=True)
class Window:
    """What is known of one location's quotas.

    Times are seconds of one clock shared by all who use the window.

    `at` is when a shared window was last changed, by the clock of the database that keeps it.
    """

    # Low until a header says more: private tokens were measured at 20 to 25 requests in 10 s
    # (docs/ghl.md#rate-limits).
    limit: int = 20
    interval: float = 10.0
    sent: list[float] = field(default_factory=list)
    leaving: list[float] = field(default_factory=list)
    flying: dict[str, float] = field(default_factory=dict)
    next_at: float = 0.0
    scale: float = 1.0
    others: float = 0.0
    latency: float = 0.0
    blocked_until: float = 0.0
    refused_at: float = -1.0
    day_limit: int | None = None
    day_left: int | None = None
    day_resets_at: float | None = None
    day_told_at: float = 0.0
    at: float = 0.0

    def shift(self, seconds: float) -> None:
        """Give every time on a clock that is so much later."""
        self.sent = [at + seconds for at in self.sent]
        self.leaving = [at + seconds for at in self.leaving]
        self.flying = {ticket: at + seconds for ticket, at in self.flying.items()}
        self.next_at += seconds
        self.blocked_until += seconds
        self.refused_at += seconds
        self.day_told_at += seconds
        if self.day_resets_at is not None:
            self.day_resets_at += seconds

    @property
    def capacity(self) -> int:
        """How many requests of ours the window may hold: the limit less what others use.

        What looks like one or two requests of others is the jitter of our own, and is ignored.
        """
        if self.others <= max(2.0, NOISE * self.limit):
            return max(1, self.limit)
        return max(1, math.floor(self.limit - self.others))

    @property
    def pace(self) -> float:
        """Seconds between two requests.

        The capacity spread over the window, twice that after a refusal.
        """
        return (self.interval * (1 + MARGIN) + self.latency) / (self.capacity * self.scale)

    def take(self, ticket: str, now: float, *, reserve: float) -> float:
        """Enter the window (0.0), or the seconds to wait before asking again.

        Raises Exhausted (EXHAUSTED_DAY) when one more request would touch `reserve`, a share of the
        daily quota, and (EXHAUSTED) when the side asked for a pause that is too long to be waited
        for.
        """
        self._forget(now)
        if self.blocked_until - now > LONGEST_PAUSE:
            raise pause_is_long(self.blocked_until - now)
        self._refuse_reserve(now, reserve)
        wait = max(self.blocked_until - now, self.next_at - now, self._until_free(now))
        if wait > 0:
            return wait
        self.next_at = max(self.next_at, now - CREDIT * self.interval) + self.pace
        self.flying[ticket] = now
        bisect.insort(self.sent, now)
        return 0.0

    def answer(self, ticket: str, now: float, quota: Quota) -> None:
        """Learn from an answer (or from its absence: an empty Quota).

        The request leaves one interval from `now`.
        """
        sent_at = self.flying.pop(ticket, now)
        self._learn_limits(quota)
        bisect.insort(self.leaving, now + self.interval * (1 + MARGIN))
        self.latency += 0.2 * (now - sent_at - self.latency)
        self._learn_others(sent_at, quota)
        self._learn_day(now, quota)
        if quota.refused:
            self._slow_down(sent_at, now, quota)
        else:
            self.scale = min(1.0, self.scale + 0.5 / self.capacity)
        if quota.overloaded and quota.retry_after is not None:
            self.blocked_until = max(self.blocked_until, now + quota.retry_after)

    def _forget(self, now: float) -> None:
        del self.leaving[: bisect.bisect_right(self.leaving, now)]
        del self.sent[: bisect.bisect_left(self.sent, now - self.interval - self.latency - 1)]
        self.flying = {
            ticket: at for ticket, at in self.flying.items() if now - at < ABANDONED_SECONDS
        }

    def _until_free(self, now: float) -> float:
        excess = len(self.leaving) + len(self.flying) - self.capacity
        if excess < 0:
            return 0.0
        if excess < len(self.leaving):
            return self.leaving[excess] - now
        return POLL_SECONDS

    def _refuse_reserve(self, now: float, reserve: float) -> None:
        expires = self.day_resets_at
        if expires is None:
            expires = self.day_told_at + FORGET_DAY_SECONDS
        if self.day_left is None or now >= expires:
            self.day_left = None
            return
        reserved = reserved_of(self.day_limit, reserve)
        if self.day_left - len(self.flying) <= reserved:
            seconds = None if self.day_resets_at is None else self.day_resets_at - now
            raise day_is_over(self.day_left, reserved, seconds)

    def _learn_limits(self, quota: Quota) -> None:
        if quota.limit:
            if quota.limit > self.limit:
                self.next_at = 0.0  # the pace so far was that of a smaller window
            self.limit = quota.limit
        self.interval = quota.interval or self.interval

    def _learn_others(self, sent_at: float, quota: Quota) -> None:
        if quota.remaining is None:
            return
        first = bisect.bisect_right(self.sent, sent_at - self.interval)
        ours = bisect.bisect_right(self.sent, sent_at) - first
        seen = max(0.0, float(self.limit - quota.remaining - ours))
        # Up quickly, down slowly: to take others for gone too early costs a refusal.
        share = 0.5 if seen > self.others else 0.2
        self.others += share * (seen - self.others)

    def _learn_day(self, now: float, quota: Quota) -> None:
        if quota.day_left is None:
            return
        self.day_limit = quota.day_limit or self.day_limit
        known = self.day_left
        # Answers overtake one another: a slightly larger remainder is an older one, a much larger
        # one a new day.
        overtaken = known is not None and 0 < quota.day_left - known <= OVERTAKING
        if not overtaken:
            self.day_left = quota.day_left
        self.day_told_at = now
        if quota.day_resets_in is not None:
            self.day_resets_at = now + quota.day_resets_in

    def _slow_down(self, sent_at: float, now: float, quota: Quota) -> None:
        # Requests that were in the air at the first refusal are refused for the same reason.
        if sent_at > self.refused_at:
            # Where the answer tells of room in the window, our pace is no reason, and the pause is
            # enough: half the pace took five seconds of a run of nine. Where it is refused again
            # soon, what it tells is not believed.
            soon = now - self.refused_at <= DOUBT * self.interval
            if soon or not quota.remaining:
                self.scale = max(1 / 32, self.scale / 2)
            self.refused_at = now
        pause = quota.retry_after
        if pause is None:  # GHL may not say how long (docs/ghl.md#rate-limits)
            pause = self.interval / 10
        self.blocked_until = max(self.blocked_until, now + pause)


def reserved_of(daily: int | None, reserve: float) -> int:
    """How many requests of a day's quota are left to others."""
    return math.ceil(reserve * (daily or 0))


def day_is_over(left: int, reserved: int, resets_in: float | None) -> Exhausted:
    """The error that says that today's quota, less the reserve, is spent."""
    error = Exhausted(
        (
            f"the daily quota is spent: {left} requests left, {reserved} of them "
            "kept in reserve for others"
        ),
        remedy="run again after the quota resets; what is left undone is kept",
        code="EXHAUSTED_DAY",
    )
    error.until_seconds = resets_in
    return error


def pause_is_long(seconds: float) -> Exhausted:
    """The error that says that the side asked to be left alone for longer than a run waits."""
    error = Exhausted(
        f"the side asks for a pause of {seconds:.0f} seconds",
        remedy="run again after it; what is left undone is kept",
    )
    error.until_seconds = seconds
    return error


class Budget(Protocol):
    """Where a Window is kept, so that everyone who sends to one location sees the same one."""

    def change(self, step: Callable[[Window], Result]) -> Result:
        """Run `step` on the window, alone.

        What it leaves in the window is seen by the next step.
        """
        ...


class LocalBudget:
    """A window shared by the threads of one process."""

    def __init__(self, window: Window | None = None) -> None:
        self._window = window or Window()
        self._lock = threading.Lock()

    def change(self, step: Callable[[Window], Result]) -> Result:
        """Run `step` on the window under the lock."""
        with self._lock:
            return step(self._window)


class Throttle:
    """The gate that every request passes: `enter` before it is sent, `leave` when it is answered.

    `reserve` is the share of the daily quota left to others. `clock` gives seconds that nobody
    sets, `sleep` takes seconds.
    """

    def __init__(
        self,
        budget: Budget | None = None,
        *,
        reserve: float = 0.1,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._budget = budget or LocalBudget()
        self._reserve = reserve
        self._clock = clock
        self._sleep = sleep
        self._turn = threading.Lock()
        self._refusals = 0

    @property
    def refusals(self) -> int:
        """How many answers with status 429 passed this gate."""
        return self._refusals

    def enter(self) -> str:
        """Wait for a place in the window and return the ticket for `leave`.

        Raises Exhausted, see Window.take.
        """
        ticket = uuid.uuid4().hex
        # One thread asks at a time: first come, first served, and one reader of a shared budget.
        with self._turn:
            while (wait := self._ask(ticket)) > 0:
                self._sleep(min(wait, POLL_SECONDS))
        return ticket

    def _ask(self, ticket: str) -> float:
        return self._budget.change(
            lambda window: window.take(ticket, self._clock(), reserve=self._reserve)
        )

    def leave(self, ticket: str, quota: Quota) -> None:
        """Hand back the ticket with what the answer said; `Quota()` where there was no answer."""
        self._refusals += quota.refused
        self._budget.change(lambda window: window.answer(ticket, self._clock(), quota))

    def window(self) -> tuple[int, float]:
        """The published limit as last seen: (requests, seconds)."""
        return self._budget.change(lambda window: (window.limit, window.interval))

    def remaining_today(self) -> int | None:
        """Requests left today by the last answer, reserve included.

        None where the side does not say.
        """
        return self._budget.change(lambda window: window.day_left)

    def daily(self) -> tuple[int | None, int]:
        """The day's quota as last seen, and how much of it is kept in reserve.

        None means that the side does not say.
        """
        limit = self._budget.change(lambda window: window.day_limit)
        return limit, reserved_of(limit, self._reserve)
