"""A database that says that it takes no writes is not written, and says so before anything else is."""

from __future__ import annotations

import getpass
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from connectors.sql import readonly
from connectors.sql.engine import database_url
from reconcile.model import Entity, Status
from tests.connectors.databases import close_all, run
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


# A server that says so as a whole: one of the test's own, since the one that runs serves others, too.


@pytest.fixture(scope="module")
def replica(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A MariaDB server with two people in it, and a user `plain` who may write them and administers nothing."""
    programs = ("mariadb-install-db", "mariadbd")
    if missing := [name for name in programs if shutil.which(name) is None]:
        pytest.skip(f"not on this machine: {', '.join(missing)}")
    install, server = programs
    folder = tmp_path_factory.mktemp("replica")
    own = ("--no-defaults", f"--datadir={folder}/data", f"--user={getpass.getuser()}")
    anybody = "--auth-root-authentication-method=normal"
    subprocess.run([install, *own, anybody], check=True, capture_output=True)  # noqa: S603
    started = [server, *own, f"--socket={folder}/socket", "--skip-networking"]
    with subprocess.Popen(started, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603
        told = process.stderr or []
        if not any("ready for connections" in line for line in told):
            pytest.skip("a MariaDB server of the test's own does not start here")
        try:
            yield from _with_people(f"mariadb://root@localhost/DB?unix_socket={folder}/socket")
        finally:
            close_all()
            process.terminate()


def _with_people(url: str) -> Iterator[str]:
    run(url.replace("DB", ""), "CREATE DATABASE app")
    url = url.replace("DB", "app")
    people(url, 2)
    run(url, "CREATE USER plain@localhost", "GRANT ALL ON app.* TO plain@localhost")
    yield url


@pytest.fixture(params=["plain", "root"])
def demoted(request: pytest.FixtureRequest, replica: str) -> Iterator[str]:
    """The server's URL for one user, once it has become a replica that takes no writes."""
    yield replica.replace("root@", f"{request.param}@")
    run(replica, "SET GLOBAL read_only = 0")


def test_a_server_that_is_read_only_is_not_written_by_anybody(demoted: str, replica: str) -> None:
    """An administrator neither, whom MariaDB itself would let: the server became a replica while the run was on its way."""
    side = connector(demoted)
    assert side.describe().read_only == ""
    run(replica, "SET GLOBAL read_only = 1")
    assert side.describe().read_only == "read_only is on"
    [reply] = side.write([change("1", {"name": "x"})])
    assert (reply.status, reply.code) == (Status.REJECTED, "DB_READ_ONLY")
    assert held(replica, "name") == [("a",), ("a",)]


def test_each_way_of_saying_that_it_is_on_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of late MariaDB's `read_only` is a word, and a replica of Aurora says it by another setting."""
    engine = sa.create_engine("mariadb+pymysql://nobody@nowhere/app")
    for setting, said in (("read_only", "NO_LOCK_NO_ADMIN"), ("innodb_read_only", 1)):
        answers = {f"SELECT @@global.{setting}": said}
        monkeypatch.setattr(
            readonly, "_answer", lambda _, question, told=answers: told.get(question, 0)
        )
        assert readonly.why_read_only(engine) == f"{setting} is on"
