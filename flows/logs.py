"""What a run lets people see while it goes on: progress on a terminal, and log events with keys, never a secret or a person's value."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self

from flows.errors import redacted

if TYPE_CHECKING:
    from rich.progress import Progress as Bars

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


_ACTIVE: list[str] = []


@contextmanager
def named(run_id: str) -> Iterator[None]:
    """While it lasts, every log event of this process says which run it belongs to, from whichever thread it comes.

    Not where several runs go on in one process: then an event belongs to no known one.
    """
    _ACTIVE.append(run_id)
    try:
        yield
    finally:
        _ACTIVE.remove(run_id)


class Lines(logging.Formatter):
    """One JSON object a line: time, level, logger, event, and the event's keys."""

    def format(self, record: logging.LogRecord) -> str:
        """The line for one record."""
        told = _keys(record)
        head = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S"),
            "level": record.levelname,
            "logger": record.name,
        }
        if len(_ACTIVE) == 1:
            head["run"] = _ACTIVE[0]
        return redacted(
            json.dumps({**head, "event": record.getMessage(), **told}, ensure_ascii=False)
        )


def _keys(record: logging.LogRecord) -> dict[str, str]:
    """An event's own keys, and the error that it is about."""
    keys = {name: str(value) for name, value in vars(record).items() if name not in _OWN}
    if record.exc_info:
        from flows.errors import reason

        keys["error"] = reason(record.exc_info[1]) if record.exc_info[1] else ""
    return keys


class Words(logging.Formatter):
    """The same for a person at a terminal: level and event, and the keys in brackets."""

    def format(self, record: logging.LogRecord) -> str:
        """The line for one record."""
        keys = ", ".join(f"{name}: {value}" for name, value in _keys(record).items())
        words = f"{record.levelname.lower()}: {record.getMessage()}"
        return redacted(f"{words} ({keys})" if keys else words)


def _no_alert(record: logging.LogRecord) -> bool:
    """Alerts stand beside the verdict that a terminal shows anyway."""
    return record.getMessage() != "alert"


def log_to_stderr(level: str = "WARNING") -> None:
    """Send the product's log events to standard error: as JSON lines, or in words where a person looks on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines())
    if sys.stderr.isatty():
        handler.setFormatter(Words())
        handler.addFilter(_no_alert)
    for name in ("flows", "reconcile", "connectors"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level)
        logger.propagate = False


class Progress:
    """A progress bar on standard error where a person is looking, and nothing elsewhere."""

    def __init__(self, what: str, *, total: int) -> None:
        self.what, self.total = what, total
        self._bars: Bars | None = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty() and self.total:
            from rich.progress import Progress as Bars

            from flows.terminal import Console

            self._bars = Bars(console=Console(stderr=True), transient=True)
            self._bars.start()
            self._bars.add_task(self.what, total=self.total)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def advance(self, by: int) -> None:
        """Say that `by` more are done."""
        if self._bars is not None:
            self._bars.advance(self._bars.task_ids[0], by)
