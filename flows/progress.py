"""What a run is at: a live display on a terminal, plain lines elsewhere.

Nothing is shown of what takes less than two seconds.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Self

from flows.clock import took

if TYPE_CHECKING:
    from rich.console import RenderableType

log = logging.getLogger("flows.progress")

QUIET_SECONDS = 2.0
"""What takes less is not told."""

EVERY_SECONDS = 30.0
"""How often a plain line tells of the same step."""

_LOOK_SECONDS = 0.5

STEPS = {
    "recover": "finishing what an earlier run left",
    "extract": "reading both sides",
    "stage": "loading what was read",
    "complete": "bringing what did not change",
    "sweep_notes": "reading the notes of GHL",
    "link": "linking records",
    "canary": "checking what was read",
    "diff": "comparing",
    "look_for_new": "looking for new contacts in GHL",
    "suggest": "looking for probable matches",
    "make_plan": "planning",
    "take_over": "taking up the approved plan",
    "keep": "keeping what goes along with deletions",
    "check": "checking the limits",
    "begin_apply": "writing",
    "apply": "writing",
    "watch": "watching what was written first",
    "resolve_doubts": "looking up what is in doubt",
    "settle_run": "remembering what was done",
    "settle_undo": "remembering what was done",
    "find": "finding what changed",
    "read_back": "reading back what was written",
    "read_agendas": "reading the appointments of GHL",
    "tell": "writing the report",
}
"""What people call the steps of a run, by the names of their functions.

Others go without a word.
"""


@dataclass(slots=True)
class _Count:
    """How far something is that is counted.

    `total` None where nobody knows, `about` where it is a guess.
    """

    began: float
    done: int = 0
    total: int | None = None
    about: bool = False


@dataclass(slots=True)
class _State:
    """What is shown: the step and since when, and what is counted in it.

    It also shows what the step waits for, and until when.
    """

    step: str = ""
    began: float = 0.0
    counts: dict[str, _Count] = field(default_factory=dict)
    reason: str = ""
    until: float = 0.0


class Progress:
    """One command's progress.

    Where nobody asked for it, as in a library or a test, it says nothing.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._state = _State()
        self._shown = ExitStack()
        self.wanted = False
        """Whether somebody looks on: the command line says so."""

    # what a run says -----------------------------------------------------------------------------

    def step(self, name: str, *, again: bool = False) -> str:
        """A step begins, named by its function; `again` where it proves what was done.

        Returns what people call it, if they do.
        """
        words = STEPS.get(name)
        if words is None:
            return ""
        if again:
            words = f"checking afterwards: {words}"
        with self._lock:
            # Writing is a step for each chunk: what is counted goes on through all of them.
            if words != self._state.step:
                self._state = _State(words, self._clock())
        return words

    def count(self, what: str, by: int, *, total: int | None = None, about: bool = False) -> None:
        """`by` more of something are done, of so many altogether, or of `about` so many."""
        with self._lock:
            known = self._state.counts.get(what)
            if known is None:
                known = _Count(self._clock(), total=total, about=about)
                self._state.counts[what] = known
            known.done += by

    def waiting(self, reason: str, seconds: float) -> None:
        """Nothing goes on for so long, and why."""
        with self._lock:
            self._state.reason = reason
            self._state.until = self._clock() + seconds

    # what is shown -------------------------------------------------------------------------------

    def lines(self) -> list[str]:
        """What there is to show now; nothing in a step's first two seconds."""
        with self._lock:
            now = self._clock()
            state = self._state
            if not state.step or now - state.began < QUIET_SECONDS:
                return []
            shown = [_counted(what, count, now) for what, count in state.counts.items()]
            if not shown:
                shown.append(took(now - state.began))
            left = state.until - now
            # Waits of a fraction of a second are the rule in a full window, and no news.
            if left >= 1:
                shown.append(f"waiting for {state.reason}: {took(left)}")
            return [f"{state.step}: {line}" for line in shown]

    def __enter__(self) -> Self:
        """Begin to show: live on a terminal, else in plain lines.

        Where logs were asked for, it shows log events.
        """
        if self.wanted and sys.stderr.isatty():
            self._live()
        elif self.wanted:
            self._plain()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    def end(self) -> None:
        """Show nothing any more: what the run came to is told next."""
        self._shown.close()
        with self._lock:
            self._state = _State()

    def _live(self) -> None:
        from rich.live import Live

        from flows.terminal import Console

        console = Console(stderr=True)
        # Standard output stays what it is: what is printed there may be a document for a machine.
        live = Live(
            console=console, get_renderable=self._picture, transient=True, redirect_stdout=False
        )
        self._shown.enter_context(live)

    def _picture(self) -> RenderableType:
        from rich.text import Text

        return Text("\n".join(self.lines()), style="dim")

    def _plain(self) -> None:
        ended = threading.Event()
        # A step may be one long query: nothing of the run's own comes by to tell of it.
        ticker = threading.Thread(target=self._tick, args=(ended,), daemon=True)
        ticker.start()
        self._shown.callback(ticker.join)
        self._shown.callback(ended.set)

    def _tick(self, ended: threading.Event) -> None:
        step = ""
        said_at = 0.0
        while not ended.wait(_LOOK_SECONDS):
            lines = self.lines()
            now = self._clock()
            if lines and (self._state.step != step or now - said_at >= EVERY_SECONDS):
                step = self._state.step
                said_at = now
                _say(lines)


def _say(lines: list[str]) -> None:
    """Plain lines with the time; where log events are wanted, they are events."""
    if log.isEnabledFor(logging.INFO):
        for line in lines:
            log.info("progress", extra={"at_work": line})
        return
    at = time.strftime("%H:%M:%S")
    for line in lines:
        sys.stderr.write(f"{at} {line}\n")
    sys.stderr.flush()


def _counted(what: str, count: _Count, now: float) -> str:
    """1,200 of about 5,000 contacts of GHL, 120/s, 32 s left."""
    words = f"{count.done:,}"
    if count.total is not None:
        guess = "about " if count.about else ""
        words += f" of {guess}{count.total:,}"
    words += f" {what}"
    seconds = now - count.began
    if not seconds or not count.done:
        return words
    rate = count.done / seconds
    if rate >= 1:
        words += f", {rate:,.0f}/s"
    else:
        a_minute = 60 * rate
        words += f", {a_minute:,.0f}/min"
    rest = (count.total or 0) - count.done
    if rest > 0:
        left = took(rest / rate)
        words += f", {left} left"
    return words


CURRENT = Progress()
"""The progress of this process.

A command shows it while it lasts, and whatever runs within says what it is at.
"""
