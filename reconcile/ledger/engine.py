"""Opens a ledger's database, SQLite's with the settings that several processes need."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from reconcile.errors import StateError, to_install


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


def _sqlite_settings(connection: object, _: object) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined]
    # SQLAlchemy begins transactions itself.
    connection.isolation_level = None  # type: ignore[attr-defined]
    for pragma in (
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "busy_timeout=30000",
        "foreign_keys=ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _sqlite_begin(connection: Connection) -> None:
    # A writer that begins as a reader can deadlock with another on the upgrade; a reader must not
    # lock writers out.
    writes = connection.get_execution_options().get("writes", False)
    # Kilobytes of cache: with the default 2 MB, a million links with their three indexes take half
    # as long again to write.
    connection.exec_driver_sql(f"PRAGMA cache_size={-64_000 if writes else -8_000}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
