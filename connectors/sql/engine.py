"""Opens the database the same way everywhere.

The right driver, one meaning of time and text, real transactions.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from connectors.sql.settings import SqlSettings
from reconcile.errors import ConfigError, Problem, to_install

WRITING = "reconcile_writing"
"""The execution option of a connection that is going to write."""

_GATHERED = 100_000_000
"""Bytes of one contact's tags that MySQL gathers before it cuts them off.

By itself it would after 1,024.
"""

_DRIVERS = {
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
}


def _refused(what: str, remedy: str) -> ConfigError:
    return ConfigError([Problem("app url", what, remedy)])


def database_url(text: str) -> sa.URL:
    """The parsed URL, with a driver that this product ships with.

    Raises ConfigError, never with the URL in it.
    """
    try:
        url = sa.make_url(text)
    except (ArgumentError, ValueError):
        remedy = "write it as dialect://user:password@host:port/database, or sqlite:///file.db"
        raise _refused("this is not a database URL", remedy) from None
    url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
    if url.get_backend_name() in ("mysql", "mariadb"):
        url = url.update_query_dict({"charset": url.query.get("charset", "utf8mb4")})
    if url.get_backend_name() == "sqlite":
        _check_file(url)
    return url


def _check_file(url: sa.URL) -> None:
    name = url.database
    if not name or name == ":memory:" or name.startswith("file:") or Path(name).is_file():
        return
    # SQLite would make an empty one: all people would be gone.
    raise _refused(
        f"there is no database file {Path(name).absolute()}",
        "correct the path, or create the database",
    )


def open_engine(settings: SqlSettings) -> sa.Engine:
    """An engine that has not connected yet. Raises ConfigError where the driver is missing."""
    url = database_url(settings.url)
    try:
        engine = sa.create_engine(url, pool_size=2, pool_pre_ping=True, hide_parameters=True)
    except NoSuchModuleError:
        name = url.drivername
        raise _refused(
            f"SQLAlchemy knows no dialect {name}", "install its package, or correct the URL"
        ) from None
    except ModuleNotFoundError as error:
        remedy = f"install it: {to_install(str(error.name))}"
        raise _refused(f"the driver {error.name} is not installed", remedy) from None
    except TypeError:  # a dialect whose pool takes no size
        engine = sa.create_engine(url, hide_parameters=True)
    match engine.dialect.name:
        case "sqlite":
            _prepare_sqlite(engine, settings.lock_seconds)
        case "mysql" | "mariadb":
            _prepare_mysql(engine, settings.lock_seconds)
        case "postgresql":
            _prepare_postgresql(engine, settings.lock_seconds)
    return engine


def _prepare_sqlite(engine: sa.Engine, lock_seconds: int) -> None:
    @sa.event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: object) -> None:
        # The driver opens a transaction only at the first write; a snapshot and savepoints need one
        # from the start.
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute(f"PRAGMA busy_timeout={int(lock_seconds * 1000)}")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        # IMMEDIATE: a read that turns into a write later would fail at once when another writer
        # came first.
        writing = connection.get_execution_options().get(WRITING)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _prepare_mysql(engine: sa.Engine, lock_seconds: int) -> None:
    @sa.event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: object) -> None:
        # TIMESTAMP columns follow the session's zone; without strict mode a value that is too long
        # is cut silently.
        with connection.cursor() as cursor:
            cursor.execute("SET time_zone = '+00:00'")
            cursor.execute("SET SESSION sql_mode = CONCAT_WS(',', @@sql_mode, 'STRICT_ALL_TABLES')")
            cursor.execute(f"SET SESSION group_concat_max_len = {_GATHERED}")
            cursor.execute(f"SET SESSION innodb_lock_wait_timeout = {max(1, int(lock_seconds))}")
            # For a table as a whole, which a migration may hold; the server's own bound is a day.
            cursor.execute(f"SET SESSION lock_wait_timeout = {max(1, int(lock_seconds))}")


def _prepare_postgresql(engine: sa.Engine, lock_seconds: int) -> None:
    @sa.event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: object) -> None:
        if engine.dialect.driver == "psycopg":
            from connectors.sql import lenient  # psycopg may not be installed

            lenient.register(connection)
        with connection.cursor() as cursor:
            cursor.execute(f"SET lock_timeout = '{int(lock_seconds * 1000)}ms'")
            cursor.execute("SET TIME ZONE 'UTC'")
        connection.commit()


def begin_snapshot(engine: sa.Engine) -> sa.Connection:
    """A connection inside a read-only transaction that sees one moment, on databases that can."""
    match engine.dialect.name:
        case "postgresql":
            connection = engine.connect().execution_options(isolation_level="REPEATABLE READ")
            connection.begin()
            # Not postgresql_readonly: it leaves "read write" on the pooled connection, over what
            # the database says of itself.
            connection.exec_driver_sql("SET TRANSACTION READ ONLY")
        case "mysql" | "mariadb":
            connection = engine.connect().execution_options(isolation_level="REPEATABLE READ")
            connection.begin()
            connection.exec_driver_sql("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
        case _:
            connection = engine.connect()
            connection.begin()
    return connection


def writing_connection(engine: sa.Engine) -> sa.Connection:
    """A connection whose transactions see what others committed.

    They lock what they are about to change.
    """
    connection = engine.connect().execution_options(**{WRITING: True})
    if engine.dialect.name in ("postgresql", "mysql", "mariadb"):
        connection = connection.execution_options(isolation_level="READ COMMITTED")
    return connection


_INNER = {
    "postgresql": (
        "SELECT (SELECT system_identifier FROM pg_control_system())::text || '/' || oid"
        " FROM pg_database WHERE datname = current_database()",
        "SELECT oid::text FROM pg_database WHERE datname = current_database()",
    ),
    "mysql": ("SELECT @@server_uuid", "SELECT @@server_uid"),
    "mariadb": ("SELECT @@server_uid", "SELECT @@server_id"),
    "sqlite": ("PRAGMA application_id",),
}


def identity(engine: sa.Engine) -> str:
    """The database by name, without user or password.

    What the database itself says it is comes with it.
    """
    url = engine.url
    name = url.database or ""
    place = f"{url.host or ''}:{url.port or ''}/{name}"
    if engine.dialect.name == "sqlite":
        place = name
        if name and not name.startswith(":"):
            place = str(Path(name).absolute())
    return f"{engine.dialect.name}://{place}#{_inner_identity(engine)}"


def place_of(engine: sa.Engine, table: sa.Table) -> str:
    """A table, the same by whatever host name, user or spelling it is reached."""
    schema = table.schema or sa.inspect(engine).default_schema_name
    kind = engine.dialect.name
    if kind == "sqlite":
        server = _file_of(engine.url)
    else:
        # The first statement alone asks for what no other server says of itself.
        server = _inner_identity(engine, _INNER.get(kind, ())[:1]) or _address(engine.url)
    return f"{kind}:{server}/{schema}.{table.name}"


def _file_of(url: sa.URL) -> str:
    name = url.database or ""
    if not name or name.startswith((":", "file:")):
        return name
    return str(Path(name).resolve())


def _address(url: sa.URL) -> str:
    """Host and port; of PostgreSQL with the database, since a schema's name does not say it."""
    address = f"{(url.host or '').lower()}:{url.port or ''}"
    if url.get_backend_name() == "postgresql":
        address += f"/{url.database}"
    return address


def _inner_identity(engine: sa.Engine, statements: Sequence[str] | None = None) -> str:
    if statements is None:
        statements = _INNER.get(engine.dialect.name, ())
    for statement in statements:
        try:
            with engine.connect() as connection:
                return str(connection.exec_driver_sql(statement).scalar())
        except sa.exc.DBAPIError:  # not every user may ask it, and not every version knows it
            continue
    return ""
