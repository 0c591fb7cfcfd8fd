"""Asks a database whether it takes writes at all.

If not, a run is refused before it has written to the other side.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

import sqlalchemy as sa

from connectors.sql.engine import writing_connection

_ASKED = {
    "postgresql": (
        ("SELECT pg_is_in_recovery()", "it is a standby"),
        (
            "SELECT current_setting('transaction_read_only') = 'on'",
            "default_transaction_read_only is on",
        ),
    ),
    "mysql": (
        # What an administrator may not do either is told first.
        ("SELECT @@global.super_read_only", "super_read_only is on"),
        ("SELECT @@global.read_only", "read_only is on"),
        ("SELECT @@global.innodb_read_only", "innodb_read_only is on"),
        ("SELECT @@session.transaction_read_only", "transaction_read_only is on"),
    ),
    "mariadb": (
        ("SELECT @@global.read_only", "read_only is on"),
        ("SELECT @@global.innodb_read_only", "innodb_read_only is on"),
        ("SELECT @@session.tx_read_only", "tx_read_only is on"),
    ),
}

_OFF = (None, False, 0, "0", "OFF")
"""All else is a way of saying that it is on: of late MariaDB's `read_only` has more than one."""


def why_read_only(engine: sa.Engine) -> str:
    """Why the database takes no writes; "" where it does, or does not say."""
    if engine.dialect.name == "sqlite":
        return _sqlite(engine)
    name = engine.dialect.name
    if getattr(engine.dialect, "is_mariadb", False):  # also behind a URL that says mysql
        name = "mariadb"
    for question, why in _ASKED.get(name, ()):
        if _answer(engine, question) not in _OFF:
            return why
    return ""


def _answer(engine: sa.Engine, question: str) -> object:
    """What the database answers; None from an older one that does not know the setting."""
    try:
        with writing_connection(engine) as connection:
            return connection.exec_driver_sql(question).scalar()
    except sa.exc.DBAPIError:
        return None


def why_not_now(engine: sa.Engine) -> str:
    """Why nothing may be written now, where the database itself would take it.

    It is "" where it refuses whom it has to.

    MySQL and MariaDB let an administrator write while `read_only` is on: to a server that has just
    become a replica.
    """
    if engine.dialect.name in ("mysql", "mariadb"):
        return why_read_only(engine)
    return ""


def _sqlite(engine: sa.Engine) -> str:
    """What the URL and the file say.

    SQLite itself begins a writing transaction of such a file as a reading one, in silence.
    """
    query = engine.url.query
    if query.get("mode") == "ro" or query.get("immutable") == "1":
        return "its file is opened for reading alone"
    path = Path((engine.url.database or "").removeprefix("file:"))
    # Whoever may write to every file, as root may, is told what the file's owner meant all the
    # same.
    meant = path.is_file() and path.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH)
    if path.is_file() and not (meant and os.access(path, os.W_OK)):
        return "its file may not be written to"
    with engine.connect() as connection:
        if connection.exec_driver_sql("PRAGMA query_only").scalar():
            return "query_only is on"
        return ""
