"""What a run logs while it goes on: events with keys, never a secret or a person's value."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from flows.errors import redacted

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


_ACTIVE: list[str] = []


@contextmanager
def named(run_id: str) -> Iterator[None]:
    """While it lasts, every log event of this process says which run it belongs to.

    It does so from whichever thread it comes.

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
        extra = _keys(record)
        head = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S"),
            "level": record.levelname,
            "logger": record.name,
        }
        if len(_ACTIVE) == 1:
            head["run"] = _ACTIVE[0]
        event = {**head, "event": record.getMessage(), **extra}
        # Last of all, over the line as a whole: a secret may be in any key, or in the event itself.
        return redacted(json.dumps(event, ensure_ascii=False))


def _keys(record: logging.LogRecord) -> dict[str, str]:
    """An event's own keys, and the error that it is about."""
    keys = {name: str(value) for name, value in vars(record).items() if name not in _OWN}
    if record.exc_info:
        from flows.errors import reason

        error = record.exc_info[1]
        keys["error"] = reason(error) if error else ""
    return keys


class Words(logging.Formatter):
    """The same for a person at a terminal: level and event, and the keys in brackets."""

    def format(self, record: logging.LogRecord) -> str:
        """The line for one record."""
        keys = ", ".join(f"{name}: {value}" for name, value in _keys(record).items())
        words = f"{record.levelname.lower()}: {record.getMessage()}"
        if keys:
            words += f" ({keys})"
        return redacted(words)


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to what standard error is at the moment.

    A live display takes its place to print above itself.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        self.stream = sys.stderr
        super().emit(record)


def _no_alert(record: logging.LogRecord) -> bool:
    """Alerts stand beside the verdict that a terminal shows anyway."""
    return record.getMessage() != "alert"


def log_to_stderr(level: str = "WARNING") -> None:
    """Send the product's log events to standard error.

    As JSON lines, or in words where a person looks on.
    """
    handler = _Stderr(sys.stderr)
    handler.setFormatter(Lines())
    if sys.stderr.isatty():
        handler.setFormatter(Words())
        handler.addFilter(_no_alert)
    for name in ("flows", "reconcile", "connectors"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level)
        logger.propagate = False
