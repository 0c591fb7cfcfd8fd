"""How long a run may stand before other transactions' locks: before each record, and in all."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import sqlalchemy as sa

from connectors.ending import Ending

IN_ALL = 3
"""How many times `lock_seconds` the waits of a run may take together."""

FIRST = 1.0
"""Seconds that a write waits within a transaction of many.

What is held for longer is tried alone, after the others.
"""


class Waits:
    """What is left of a run's waits. `each` is the most that the next one may take."""

    def __init__(
        self, lock_seconds: float, ending: Ending, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.left = IN_ALL * lock_seconds
        self._longest = lock_seconds
        self._ending = ending
        self._clock = clock

    @property
    def each(self) -> float:
        """Seconds that one record may wait now."""
        return min(self._longest, self.left, self._ending.left)

    @property
    def first(self) -> float:
        """Seconds within a transaction of many.

        Most of the run's waits are kept for what is tried alone.
        """
        return min(FIRST, self.each, max(0.0, self.left - (IN_ALL - 1) * self._longest))

    def share(self, among: int) -> float:
        """Seconds for the next one of so many records that still wait."""
        return min(self.each, self.left / max(1, among))

    @property
    def now(self) -> float:
        """The clock's time, to be given to `spend`."""
        return self._clock()

    def spend(self, since: float) -> None:
        """Take off what a wait took that led to nothing."""
        rest = self.left - (self._clock() - since)
        self.left = rest if rest > FIRST / 10 else 0.0


@contextmanager
def waiting_at_most(connection: sa.Connection, seconds: float, usual: float) -> Iterator[None]:
    """Within it, a transaction of this connection waits so long for a lock.

    0.0 is as little as the database can.
    """
    match connection.dialect.name:
        case "sqlite":
            # Set on the driver's connection: as a statement of SQLAlchemy's it would begin a
            # transaction.
            driver: Any = connection.connection.driver_connection
            driver.execute(f"PRAGMA busy_timeout={int(seconds * 1000)}")
            try:
                yield
            finally:
                # Whatever interrupts a commit closes the connection: it has no setting any more.
                with suppress(sqlite3.ProgrammingError):
                    driver.execute(f"PRAGMA busy_timeout={int(usual * 1000)}")
        case _:
            yield


def limit_waits(connection: sa.Connection, seconds: float) -> None:
    """Let the statements of a transaction that has just begun wait so long for a row."""
    match connection.dialect.name:
        case "postgresql":
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {max(1, int(seconds * 1000))}")
        case "mysql" | "mariadb":
            # Whole seconds; 0 is "not at all" to MariaDB, and 1 to MySQL.
            connection.exec_driver_sql(f"SET SESSION innodb_lock_wait_timeout = {int(seconds)}")
