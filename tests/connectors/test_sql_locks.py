"""What other transactions, and the database's own limits, do to a write: tried again by record, in bounded time, once."""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from connectors.ending import Ending
from connectors.sql import SqlConnector, SqlSettings, TableSettings
from connectors.sql.engine import database_url
from connectors.sql.refusals import state
from connectors.sql.waits import waiting_at_most
from reconcile.model import Entity, Status
from reconcile.ports import Reply, Write
from tests.connectors.databases import opened, run
from tests.connectors.test_sql_writing import NOW, add, change, held, serial

CONTACT = Entity.CONTACT
LOCKED = range(10, 18)
"""The rows that somebody else holds, of forty."""


def people(url: str, many: int = 40) -> None:
    """A table of so many contacts, with a version that counts each change."""
    rows = ", ".join(["('a', 1)"] * many)
    run(
        url,
        f"CREATE TABLE contacts ({serial(url)}, name VARCHAR(20) UNIQUE, version INTEGER)".replace(
            " UNIQUE", ""
        ),
        f"INSERT INTO contacts (name, version) VALUES {rows}",
    )


def connector(url: str, *, lock_seconds: int = 1, ending: Ending | None = None) -> SqlConnector:
    settings = SqlSettings(
        url, {CONTACT: TableSettings("contacts", version="version")}, lock_seconds=lock_seconds
    )
    side = opened(settings, clock=lambda: NOW, ending=ending)
    side.describe()
    return side


def renamed(many: int = 40) -> list[Write]:
    """A change of every contact."""
    return [change(str(key), {"name": f"new{key}"}, str(key)) for key in range(1, many + 1)]


@contextmanager
def holding(url: str, keys: Iterator[int] | range) -> Iterator[sa.Connection]:
    """Another user's transaction, which holds these rows; it is rolled back at the end."""
    engine = sa.create_engine(database_url(url), poolclass=sa.NullPool)
    with engine.connect() as connection:
        for key in keys:  # one by one: a scan of a small table locks all of it in MariaDB
            connection.exec_driver_sql(f"SELECT id FROM contacts WHERE id = {key} FOR UPDATE")
        yield connection
        connection.rollback()


def failures(side: SqlConnector) -> list[str]:
    """The database's codes of all statements that fail from now on."""
    seen: list[str] = []
    sa.event.listen(
        side._engine, "handle_error", lambda context: seen.append(state(context.original_exception))
    )
    return seen


def by_key(replies: Iterator[Reply]) -> dict[int, Reply]:
    """Replies by the row that they are about."""
    return {int(reply.op_id): reply for reply in replies}


# Rows that others hold.


def test_rows_that_others_hold_are_left_for_the_next_run(server: str) -> None:
    """Of forty writes in one transaction eight meet a lock: those are skipped by name, the rest is written, and all is later."""
    people(server)
    side = connector(server)
    with holding(server, LOCKED):
        replies = by_key(side.write(renamed()))
    outcomes = {key: (reply.status, reply.code) for key, reply in replies.items()}
    assert {
        key for key, outcome in outcomes.items() if outcome == (Status.SKIPPED, "ROW_LOCKED")
    } == set(LOCKED)
    assert {outcome for key, outcome in outcomes.items() if key not in LOCKED} == {
        (Status.DONE, "")
    }
    assert {reply.status for reply in side.write(renamed())} == {Status.DONE}
    assert held(server, "version") == [(2,)] * 40


def test_each_held_row_is_waited_for_twice_at_most(server: str) -> None:
    """A transaction is not cut in halves around a lock: that made a wait of the full time of every half with a held row."""
    people(server)
    side = connector(server)
    seen = failures(side)
    with holding(server, LOCKED):
        list(side.write(renamed()))
    assert len(seen) <= 2 * len(LOCKED)


def test_all_waits_of_a_run_have_one_bound(server: str) -> None:
    """However many rows are held, a run stands before locks for three times `lock_seconds` in all, and then goes on without."""
    people(server)
    side = connector(server, lock_seconds=1)
    granted = allowances(side)
    with holding(server, range(1, 41)):
        replies = list(side.write(renamed()))
    assert {(reply.status, reply.code) for reply in replies} == {(Status.SKIPPED, "ROW_LOCKED")}
    assert len(granted) == 80
    assert sum(granted) <= 3.0 + 80 * 0.001
    assert {reply.status for reply in side.write(renamed())} == {Status.DONE}


def allowances(side: SqlConnector) -> list[float]:
    """The seconds that each transaction from now on may wait for a lock."""
    seen: list[float] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if found := re.search(r"(lock_timeout|lock_wait_timeout) = (\d+)$", statement):
            seen.append(int(found[2]) / (1_000 if found[1] == "lock_timeout" else 1))

    sa.event.listen(side._engine, "before_cursor_execute", note)
    return seen


def test_no_lock_is_waited_for_when_the_run_has_to_end(server: str) -> None:
    """A run that was asked to end begins no further transaction; what is left says so, and is planned again."""
    people(server)
    ending = Ending()
    side = connector(server, lock_seconds=600, ending=ending)
    with holding(server, LOCKED):
        ending.ask("stopped by SIGTERM")
        replies = list(side.write(renamed()))
    assert {(reply.status, reply.code) for reply in replies} == {(Status.SKIPPED, "STOPPED")}
    assert held(server, "version") == [(1,)] * 40


def test_a_database_file_that_is_locked_is_given_up_after_the_same_bound(sqlite: str) -> None:
    """SQLite locks the file as a whole: the whole batch waits, and is skipped."""
    people(sqlite)
    side = connector(sqlite)
    engine = sa.create_engine(sqlite, poolclass=sa.NullPool)
    with engine.connect() as other:
        driver = other.connection.driver_connection
        assert driver is not None
        driver.isolation_level = None
        driver.execute("BEGIN IMMEDIATE")
        replies = list(side.write(renamed()))
        driver.execute("ROLLBACK")
    assert {(reply.status, reply.code) for reply in replies} == {(Status.SKIPPED, "ROW_LOCKED")}
    assert {reply.status for reply in side.write(renamed())} == {Status.DONE}


def test_reading_does_not_wait_for_a_locked_table_for_a_day(server: str) -> None:
    """A table that a migration holds as a whole is an incomplete read after `lock_seconds` (MariaDB's own bound is a day)."""
    people(server)
    side = connector(server)
    engine = sa.create_engine(database_url(server), poolclass=sa.NullPool)
    with engine.connect() as other:
        exclusive = (
            "TABLE contacts IN ACCESS EXCLUSIVE MODE"
            if "postgres" in server
            else "TABLES contacts WRITE"
        )
        other.exec_driver_sql(f"LOCK {exclusive}")
        *_, proof = side.extract(CONTACT)
        if "postgres" not in server:
            other.exec_driver_sql("UNLOCK TABLES")
    assert not proof.complete  # type: ignore[union-attr]
    assert "lock" in proof.why_incomplete  # type: ignore[union-attr]


# Deadlocks, serialisation failures, statement time-outs.


def test_the_victim_of_a_deadlock_is_tried_again(server: str) -> None:
    """Two transactions want each other's row, ours is ended by the server: every write is done in the end, once."""
    people(server)
    if "postgres" in server:
        name = database_url(server).database
        run(server, f"ALTER DATABASE {name} SET deadlock_timeout = '600ms'")
    side = connector(server, lock_seconds=5)
    seen = failures(side)
    with holding(server, range(2, 40)) as other:
        if "postgres" in server:
            other.exec_driver_sql(
                "SET LOCAL deadlock_timeout = '1h'"
            )  # so that it is ours that is ended
        for key in range(20, 40):  # of two, MariaDB ends the one that changed less
            other.exec_driver_sql(f"UPDATE contacts SET name = 'theirs' WHERE id = {key}")
        thread = threading.Timer(0.2, lambda: _take_first(other))
        thread.start()
        replies = list(side.write(renamed(2)))
        thread.join()
    assert {"40P01", "1213"} & set(seen)
    assert {reply.status for reply in replies} == {Status.DONE}
    assert held(server, "id, name, version")[:2] == [(1, "new1", 2), (2, "new2", 2)]


def _take_first(other: sa.Connection) -> None:
    other.exec_driver_sql("SELECT id FROM contacts WHERE id = 1 FOR UPDATE")
    other.rollback()


def failing(url: str, times: int, key: int, how: str) -> None:
    """Let the first so many changes of a row fail with that: 40001, or a statement that takes too long."""
    if "postgres" in url:
        act = (
            "RAISE EXCEPTION 'no' USING ERRCODE = '40001'"
            if how == "40001"
            else "PERFORM pg_sleep(5)"
        )
        run(
            url,
            "CREATE SEQUENCE tries",
            f"""CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                IF NEW.id = {key} THEN IF nextval('tries') <= {times} THEN {act}; END IF; END IF; RETURN NEW; END $$""",
            "CREATE TRIGGER fail BEFORE UPDATE ON contacts FOR EACH ROW EXECUTE FUNCTION fail()",
        )
        return
    act = "SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213" if how == "40001" else "DO SLEEP(5)"
    run(
        url,
        "CREATE TABLE tries (n INTEGER) ENGINE = MyISAM",  # which no rollback takes back
        "INSERT INTO tries VALUES (0)",
        f"""CREATE TRIGGER fail BEFORE UPDATE ON contacts FOR EACH ROW BEGIN
            IF NEW.id = {key} THEN UPDATE tries SET n = n + 1;
            IF (SELECT n FROM tries) <= {times} THEN {act}; END IF; END IF; END""",
    )


def test_a_serialisation_failure_is_tried_again(server: str) -> None:
    """What a server ends so twice is done the third time, and counted once."""
    people(server)
    failing(server, 2, 5, "40001")
    assert {reply.status for reply in connector(server).write(renamed())} == {Status.DONE}
    assert held(server, "version") == [(2,)] * 40


def test_a_record_that_never_serialises_is_left_alone(server: str) -> None:
    """After a few tries it is skipped by name; its neighbours are written."""
    people(server)
    failing(server, 1_000, 5, "40001")
    replies = by_key(connector(server).write(renamed()))
    assert (replies[5].status, replies[5].code) == (Status.SKIPPED, "DB_CONFLICT")
    assert {reply.status for key, reply in replies.items() if key != 5} == {Status.DONE}


def test_a_database_that_is_serializable_by_default_is_written(postgresql: str) -> None:
    """Another's transaction changes the row while ours waits for it: that is no failure, ours sees what it did."""
    people(postgresql)
    name = database_url(postgresql).database
    run(postgresql, f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'")
    side = connector(postgresql, lock_seconds=5)
    with holding(postgresql, range(1, 2)) as other:
        other.exec_driver_sql("UPDATE contacts SET name = 'theirs' WHERE id = 1")
        thread = threading.Timer(0.3, other.commit)
        thread.start()
        [reply] = side.write([change("1", {"name": "ours"}, "1", expected={"name": "a"})])
        thread.join()
    assert reply.status is Status.STALE
    assert held(postgresql, "name")[-1] == ("theirs",)


def limited(url: str) -> str:
    """The URL of a database that ends statements after three tenths of a second."""
    parsed = database_url(url)
    if "postgres" in url:
        run(url, f"ALTER DATABASE {parsed.database} SET statement_timeout = '300ms'")
        return url
    limit = parsed.update_query_dict({"init_command": "SET SESSION max_statement_time = 0.3"})
    return limit.render_as_string(hide_password=False)


def test_a_statement_that_took_too_long_is_tried_again(server: str) -> None:
    """The database's own limit ends a statement once: the record is done on the next try, and the rest with it."""
    people(server)
    failing(server, 1, 5, "slow")
    side = connector(limited(server))
    seen = failures(side)
    assert {reply.status for reply in side.write(renamed())} == {Status.DONE}
    assert {"57014", "1969"} & set(seen)
    assert held(server, "version") == [(2,)] * 40


def test_a_statement_that_always_takes_too_long_concerns_its_record_alone(server: str) -> None:
    """It is no value that the database refuses: it is skipped, by name, and its neighbours are written."""
    people(server)
    failing(server, 1_000, 5, "slow")
    replies = by_key(connector(limited(server)).write(renamed()))
    assert (replies[5].status, replies[5].code) == (Status.SKIPPED, "DB_TIMED_OUT")
    assert {reply.status for key, reply in replies.items() if key != 5} == {Status.DONE}


def test_a_create_that_is_tried_again_is_made_once(server: str) -> None:
    """What was undone by the server left nothing behind: its second try is no duplicate."""
    people(server, 1)
    failing(server, 0, 5, "40001")
    act = "ALTER TABLE contacts ADD UNIQUE (name)"
    run(server, act)
    side = connector(server)
    with holding(server, range(1, 2)):
        replies = list(
            side.write(
                [add({"name": "b"}, "1"), change("1", {"name": "c"}, "2"), add({"name": "d"}, "3")]
            )
        )
    assert [reply.status for reply in sorted(replies, key=lambda reply: reply.op_id)] == [
        Status.DONE,
        Status.SKIPPED,
        Status.DONE,
    ]
    assert sorted(name for (name,) in held(server, "name")) == ["a", "b", "d"]


def test_a_statement_is_interrupted_when_the_run_has_to_end(server: str) -> None:
    """A view that takes ten minutes to read is given up as soon as somebody asks the run to end."""
    people(server)
    nap = "SELECT pg_sleep(600)" if "postgres" in server else "SELECT SLEEP(600)"
    run(server, "ALTER TABLE contacts RENAME TO people")
    cast = "::text" if "postgres" in server else ""
    run(
        server,
        f"CREATE VIEW contacts AS SELECT id, name, version, ({nap}){cast} AS slow FROM people WHERE id = 1",
    )
    ending = Ending()
    side = connector(server, ending=ending)
    threading.Timer(0.5, lambda: ending.ask("stopped by SIGTERM")).start()
    *_, proof = side.extract(CONTACT)
    assert not proof.complete  # type: ignore[union-attr]


# A database that is in trouble itself.


def in_trouble(url: str, side: SqlConnector) -> None:
    """From now on the database has no room for what is inserted: it says so itself, or a trigger does in its words."""
    raised = {
        "postgresql": (
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'no space' USING ERRCODE = '53100'; END $$",
            "CREATE TRIGGER full_disk BEFORE INSERT ON contacts FOR EACH ROW EXECUTE FUNCTION full_disk()",
        ),
        "mariadb": (
            "CREATE TRIGGER full_disk BEFORE INSERT ON contacts FOR EACH ROW"
            " SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1114, MESSAGE_TEXT = 'the table is full'",
        ),
    }
    kind = database_url(url).get_backend_name()
    if kind in raised:
        run(url, *raised[kind])
        return

    @sa.event.listens_for(side._engine, "checkout")
    def _no_room(connection: sqlite3.Connection, *_: object) -> None:
        connection.execute("PRAGMA max_page_count = 1")  # it keeps the pages that it has


def test_a_database_without_room_refuses_no_value(anywhere: str) -> None:
    """A full disk is no rule against a value: nobody is asked about it, and the next run writes it."""
    people(anywhere, 2)
    run(anywhere, "ALTER TABLE contacts ADD COLUMN remarks TEXT")
    side = connector(anywhere)
    in_trouble(anywhere, side)
    [reply] = side.write([add({"remarks": "x" * 9_000})])
    assert (reply.status, reply.code) == (Status.REJECTED, "TRANSIENT")
    assert "no value" in reply.detail


def test_an_interrupted_commit_is_told_as_what_it_was() -> None:
    """What interrupts a commit closes SQLite's connection; it comes out as itself, not as a setting that could not be put back."""
    engine = sa.create_engine("sqlite://")
    with pytest.raises(KeyboardInterrupt):
        _interrupted(engine)
    engine.dispose()


def _interrupted(engine: sa.Engine) -> None:
    with engine.connect() as connection, waiting_at_most(connection, 1.0, 10.0):
        connection.invalidate()
        raise KeyboardInterrupt
