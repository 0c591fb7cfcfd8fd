"""Opens a ledger's database, SQLite's with the settings that several processes need."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from reconcile.errors import StateError, to_install

_BUSY_SECONDS = 30
"""How long a connection waits for another one's lock."""


def open_engine(url: str) -> Engine:
    """The engine of a ledger's database, which has not connected yet.

    Raises StateError where its driver is not installed.
    """
    try:
        engine = sa.create_engine(url, hide_parameters=True)
    except ModuleNotFoundError as error:
        name = str(error.name)
        raise StateError(
            f"the driver {name} of the ledger's database is not installed",
            remedy=f"install it: {to_install(name)}",
            code="LEDGER",
        ) from None
    if engine.dialect.name == "sqlite":
        if engine.url.database and engine.url.database != ":memory:":
            Path(engine.url.database).parent.mkdir(parents=True, exist_ok=True)
        sa.event.listen(engine, "connect", _sqlite_settings)
        sa.event.listen(engine, "begin", _sqlite_begin)
    return engine


def _sqlite_settings(connection: Any, _: object) -> None:
    # SQLAlchemy begins transactions itself.
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout={_BUSY_SECONDS * 1000}")
    _write_ahead(connection)
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA foreign_keys=ON")


def _write_ahead(connection: Any) -> None:
    """Let readers and a writer not wait for one another.

    SQLite does not wait where two processes change a new file to it at once, or where another one
    closes the file's last connection: it says at once that the file is locked.
    """
    patient_until = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > patient_until:
                raise
        time.sleep(0.02)


def _sqlite_begin(connection: Connection) -> None:
    # A writer that begins as a reader can deadlock with another on the upgrade; a reader must not
    # lock writers out.
    writes = connection.get_execution_options().get("writes", False)
    # Kilobytes of cache: with the default 2 MB, a million links with their three indexes take half
    # as long again to write.
    connection.exec_driver_sql(f"PRAGMA cache_size={-64_000 if writes else -8_000}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
