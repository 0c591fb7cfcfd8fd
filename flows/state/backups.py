"""Care for the ledger.

A backup at one moment while runs go on, the way back from one, and its version.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from pathlib import Path

import sqlalchemy as sa

from flows.clock import now
from flows.config.pair import Pair
from flows.state.leases import holder_name, lease
from reconcile.errors import StateError
from reconcile.ledger import schema
from reconcile.ledger.ledger import Ledger


def back_up(pair: Pair, file: Path) -> Path:
    """Copy the ledger to a new file.

    An SQLite database, or what pg_dump writes for PostgreSQL (its custom format).

    Raises StateError where the file is there already, or the ledger cannot be copied.
    """
    if file.exists():
        raise StateError(
            f"{file} is there already",
            remedy="name a new file; a backup replaces nothing",
            code="BACKUP",
        )
    url = sa.make_url(pair.ledger_url.get_secret_value())
    partial = file.with_name(file.name + ".partial")
    if url.get_backend_name() == "sqlite":
        _sqlite(Path(url.database or ""), partial)
    elif url.get_backend_name() == "postgresql":
        _postgres(url, partial)
    else:
        kind = url.get_backend_name()
        raise StateError(
            f"a ledger in {kind} has tools of its own", remedy=f"use those of {kind}", code="BACKUP"
        )
    done = partial.replace(file)
    _remember(pair, done)
    return done


def _remember(pair: Pair, file: Path) -> None:
    """Note in the ledger that there is this copy: who is erased is taken out of it, too."""
    ledger = Ledger(pair.ledger_url.get_secret_value(), pair.name)
    table, name = schema.backup, str(file.resolve())
    try:
        with ledger.transaction() as connection:
            mine = (table.c.pair == pair.name, table.c.file == name)
            connection.execute(sa.delete(table).where(*mine))
            connection.execute(sa.insert(table).values(pair=pair.name, file=name, at=now()))
    finally:
        ledger.close()


def restore(pair: Pair, file: Path) -> Path | None:
    """Put a backup in the place of an SQLite ledger.

    What was there before goes into a file beside it, which is returned.

    Raises StateError where the file is no ledger of this pair, or where the ledger is a PostgreSQL
    database, and Locked while a run goes on.
    """
    url = sa.make_url(pair.ledger_url.get_secret_value())
    if url.get_backend_name() != "sqlite":
        raise StateError(
            "a ledger on a database server is restored with the server's own tools",
            remedy=(
                f"`pg_restore --clean --if-exists --dbname=... {file}`, while no run goes on; "
                "it takes every pair of that ledger back"
            ),
            code="BACKUP",
        )
    if not _knows(file, pair.name):
        raise StateError(
            f"{file} is no ledger that knows pair {pair.name!r}",
            remedy="name what `ledger backup` wrote",
            code="BACKUP",
        )
    target = Path(url.database or "")
    if not target.exists():
        _sqlite(file, target)
        return None
    ledger = Ledger(pair.ledger_url.get_secret_value(), pair.name)
    try:
        with lease(ledger, holder_name("restore")):
            aside = target.with_name(f"{target.name}.before-{now().replace(':', '')}")
            _sqlite(target, aside)
            _sqlite(file, target)
    finally:
        ledger.close()
    return aside


def _knows(file: Path, pair: str) -> bool:
    """Whether a file is an SQLite ledger in which that pair was settled."""
    if not file.is_file():
        return False
    engine = sa.create_engine(
        f"sqlite:///file:{file.resolve()}?mode=ro&uri=true", hide_parameters=True
    )
    try:
        with engine.connect() as connection:
            generations = connection.execute(
                sa.select(schema.pair.c.generation).where(schema.pair.c.pair == pair)
            )
            return bool(generations.scalar_one_or_none())
    except sa.exc.DatabaseError:
        return False
    finally:
        engine.dispose()


def _sqlite(source: Path, target: Path) -> None:
    if not source.exists():
        raise StateError(
            f"there is no ledger at {source}", remedy="nothing was run yet", code="BACKUP"
        )
    there, here = sqlite3.connect(source), sqlite3.connect(target)
    try:
        there.backup(here)
    finally:
        here.close()
        there.close()


def _postgres(url: sa.URL, target: Path) -> None:
    program = shutil.which("pg_dump")
    if program is None:
        raise StateError(
            "pg_dump is not installed", remedy="install PostgreSQL's client programs", code="BACKUP"
        )
    environment = {"PGPASSWORD": url.password} if url.password else {}
    parts = {"-h": url.host, "-p": url.port, "-U": url.username, "-d": url.database, "-f": target}
    stated = [
        word for name, value in parts.items() if value is not None for word in (name, str(value))
    ]
    done = subprocess.run(  # noqa: S603 - a program by its full path, with the ledger's own address
        [program, "--format=custom", *stated],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise StateError(
            f"pg_dump failed: {done.stderr.strip()[-500:]}", remedy="see its message", code="BACKUP"
        )


def revision(pair: Pair) -> tuple[str | None, str | None]:
    """The version of the ledger's tables before and after it was opened, which migrates it."""
    url = pair.ledger_url.get_secret_value()
    before = _version(url)
    Ledger(url, pair.name).close()
    return before, _version(url)


def _version(url: str) -> str | None:
    parts = sa.make_url(url)
    if parts.get_backend_name() == "sqlite" and not Path(parts.database or "").exists():
        return None
    engine = sa.create_engine(parts, hide_parameters=True)
    try:
        with engine.connect() as connection:
            if not sa.inspect(connection).has_table("ledger_version"):
                return None
            return connection.execute(
                sa.text("SELECT version_num FROM ledger_version")
            ).scalar_one_or_none()
    finally:
        engine.dispose()
