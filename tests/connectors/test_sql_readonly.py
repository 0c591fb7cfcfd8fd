"""A database that says that it takes no writes is not written, and says so before anything else is."""

from __future__ import annotations

from pathlib import Path

from connectors.sql.engine import database_url
from reconcile.model import Entity, Status
from tests.connectors.databases import run
from tests.connectors.test_sql_locks import connector, people
from tests.connectors.test_sql_writing import change, held

CONTACT = Entity.CONTACT


def read_only(url: str) -> str:
    """The URL of the same database once it says that it takes no writes."""
    parsed = database_url(url)
    match parsed.get_backend_name():
        case "postgresql":
            run(url, f"ALTER DATABASE {parsed.database} SET default_transaction_read_only = on")
            return url
        case "sqlite":
            return f"sqlite:///file:{parsed.database}?mode=ro&uri=true"
        case _:
            more = parsed.update_query_dict({"init_command": "SET SESSION TRANSACTION READ ONLY"})
            return more.render_as_string(hide_password=False)


def test_it_is_described_as_read_only(anywhere: str) -> None:
    """What the database says of itself is in its description, and nothing is there where it takes writes."""
    people(anywhere, 2)
    assert connector(anywhere).describe().read_only == ""
    assert connector(read_only(anywhere)).describe().read_only


def test_it_is_not_written_after_it_was_read(anywhere: str) -> None:
    """A read leaves nothing on its connection that would let the next transaction write."""
    people(anywhere, 2)
    side = connector(read_only(anywhere))
    list(side.extract(CONTACT))
    [reply] = side.write([change("1", {"name": "x"})])
    assert (reply.status, reply.code) == (Status.REJECTED, "DB_READ_ONLY")
    assert held(anywhere, "name") == [("a",), ("a",)]


def test_a_file_that_nobody_may_write_is_read_only(sqlite: str) -> None:
    """Not even root writes to it, who could."""
    people(sqlite, 2)
    Path(str(database_url(sqlite).database)).chmod(0o444)
    assert connector(sqlite).describe().read_only == "its file may not be written to"


def test_a_database_that_takes_writes_is_written_after_it_was_read(server: str) -> None:
    """The snapshot is read-only, and the next transaction of the same connection is not."""
    people(server, 2)
    side = connector(server)
    list(side.extract(CONTACT))
    [reply] = side.write([change("1", {"name": "x"})])
    assert reply.status is Status.DONE
