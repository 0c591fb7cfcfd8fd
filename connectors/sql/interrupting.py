"""Ends a statement that runs when the run has to end.

A large read may take longer than anybody waits after a signal.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import sqlalchemy as sa

from connectors.ending import Ending

_LOOK = 0.25
"""Seconds between two looks whether the run has to end."""


@contextmanager
def interruptible(connection: sa.Connection, ending: Ending) -> Iterator[None]:
    """Within it, the database is asked to stop once the run has to end.

    It ends what it does for this connection.
    """
    done = threading.Event()
    watch = threading.Thread(
        target=_watch, args=(connection, ending, done), name="interrupt", daemon=True
    )
    watch.start()
    try:
        yield
    finally:
        done.set()
        watch.join()


def _watch(connection: sa.Connection, ending: Ending, done: threading.Event) -> None:
    number = _number(connection)
    driver: Any = connection.connection.driver_connection
    while not done.wait(_LOOK):
        if ending.over:
            # What cannot be interrupted ends by itself, as it did before.
            with suppress(Exception):
                _interrupt(connection, driver, number)


def _number(connection: sa.Connection) -> int:
    """What MariaDB and MySQL know the connection by."""
    driver: Any = connection.connection.driver_connection
    if hasattr(driver, "thread_id"):
        return int(driver.thread_id())
    return 0


def _interrupt(connection: sa.Connection, driver: Any, number: int) -> None:
    match connection.dialect.name:
        case "sqlite":
            driver.interrupt()
        case "postgresql" if hasattr(driver, "cancel"):
            driver.cancel()
        case "mysql" | "mariadb" if number:
            with connection.engine.connect() as other:
                other.exec_driver_sql(f"KILL QUERY {number}")
