"""The copies of a rehearsal hold what the app's tables hold, under the same keys and constraints, and the originals stay as they are."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from connectors.sql.engine import database_url
from flows.rehearse.server import copy_into
from flows.rehearse.tables import copy_tables, keep_only
from reconcile.errors import ConfigError
from tests.connectors.databases import fresh_database, run

APP = {
    "contact": {"table": "crm.people", "key": "id", "tags": {"column": "tags", "form": "array"}},
    "task": {"table": "crm.todos", "parent": "person_id"},
}
_TABLES = (
    "CREATE SCHEMA crm",
    "CREATE TYPE crm.mood AS ENUM ('glad', 'sad')",
    "CREATE TABLE crm.firms (id serial PRIMARY KEY)",
    "CREATE TABLE crm.people (id serial PRIMARY KEY, email varchar(80) UNIQUE, tags text[], mood crm.mood NOT NULL DEFAULT 'glad',"
    " born date, seen timestamptz, score numeric(8, 2), firm int REFERENCES crm.firms (id), active boolean NOT NULL DEFAULT true)",
    "CREATE TABLE crm.todos (id uuid PRIMARY KEY DEFAULT gen_random_uuid(),"
    " person_id int NOT NULL REFERENCES crm.people (id) ON DELETE CASCADE, title text NOT NULL)",
    "INSERT INTO crm.people (email, tags, born, seen, score) VALUES"
    " ('ann@a.test', '{vip,lead}', '1990-01-31', '2026-01-31 12:00+00', 1.50), ('ben@b.test', NULL, NULL, NULL, NULL)",
    "INSERT INTO crm.todos (person_id, title) SELECT id, 'call ' || email FROM crm.people",
)


@pytest.fixture
def app(tmp_path: Path) -> Iterator[str]:
    """A database with a schema of its own, an enum, an array, and a foreign key that leads out of what is copied."""
    for url in fresh_database("postgresql", tmp_path):
        run(url, *_TABLES)
        yield url


def _rows(url: str, statement: str) -> list[tuple[Any, ...]]:
    engine = sa.create_engine(database_url(url), poolclass=sa.NullPool)
    with engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(statement)]


def test_a_file_holds_what_the_tables_hold(app: str, tmp_path: Path) -> None:
    """In an SQLite file a time is the pair's own, an array a list; keys count on, defaults, uniqueness and cascades are there."""
    target = tmp_path / "app.db"
    copied = copy_tables(app, APP, target, timezone="Europe/Berlin")
    assert copied["contact"]["table"] == "people"
    assert copied["contact"]["tags"]["form"] == "json"
    url = f"sqlite:///{target}"
    assert _rows(url, "SELECT id, email, tags, mood, born, seen, score, active FROM people") == [
        (
            1,
            "ann@a.test",
            '["vip", "lead"]',
            "glad",
            "1990-01-31",
            "2026-01-31 13:00:00.000000",
            1.5,
            1,
        ),
        (2, "ben@b.test", None, "glad", None, None, None, 1),
    ]
    run(url, "INSERT INTO people (email) VALUES ('cara@c.test')")
    run(url, "INSERT INTO todos (person_id, title) VALUES (3, 'new')")
    assert _rows(url, "SELECT id, mood, active FROM people WHERE email = 'cara@c.test'") == [
        (3, "glad", 1)
    ]
    with pytest.raises(sqlite3.IntegrityError):
        run(url, "INSERT INTO people (email) VALUES ('ann@a.test')")
    keep_only(target, copied, {"2"})
    assert _rows(url, "SELECT title FROM todos") == [("call ben@b.test",)]
    assert _rows(app, "SELECT count(*) FROM crm.people") == [(2,)]


def test_an_empty_database_gets_the_same_tables(app: str, tmp_path: Path) -> None:
    """In a database of the same kind types and counters are the same; what was kept is put back; in the end it is as empty as before."""
    for into in fresh_database("postgresql", tmp_path):
        server = copy_into(app, APP, into)
        held = "SELECT id, email, tags, mood, seen, score FROM crm.people ORDER BY id"
        assert _rows(into, held) == _rows(app, held)
        kept = server.keep("now")
        run(into, "INSERT INTO crm.people (email) VALUES ('cara@c.test')", "DELETE FROM crm.todos")
        assert _rows(into, "SELECT max(id) FROM crm.people") == [(3,)]
        server.put_back(kept)
        assert _rows(into, held) == _rows(app, held)
        server.keep_only(APP, {"1"})
        assert _rows(into, "SELECT title FROM crm.todos") == [("call ann@a.test",)]
        with pytest.raises(ConfigError, match="already"):
            copy_into(app, APP, into)
        server.drop()
        assert _rows(into, "SELECT count(*) FROM pg_tables WHERE schemaname = 'crm'") == [(0,)]
    assert _rows(app, "SELECT count(*) FROM crm.people") == [(2,)]


def test_a_database_of_another_kind_is_refused(app: str, tmp_path: Path) -> None:
    """Tables of one kind of server do not go into another's."""
    for into in fresh_database("mariadb", tmp_path):
        with pytest.raises(ConfigError, match="of the same kind"):
            copy_into(app, APP, into)


def test_counters_and_keys_of_mysql_are_kept(tmp_path: Path) -> None:
    """A counter that is no key counts on, and a foreign key to a table that is not copied is left out."""
    tables = (
        "CREATE TABLE regions (id int PRIMARY KEY)",
        "CREATE TABLE people (id binary(4) PRIMARY KEY, number int NOT NULL AUTO_INCREMENT UNIQUE, region int,"
        " CONSTRAINT to_region FOREIGN KEY (region) REFERENCES regions (id))",
        "INSERT INTO regions VALUES (7)",
        "INSERT INTO people (id, region) VALUES ('abcd', 7)",
    )
    app: dict[str, Any] = {"contact": {"table": "people"}}
    for url in fresh_database("mariadb", tmp_path):
        run(url, *tables)
        for into in fresh_database("mariadb", tmp_path):
            server = copy_into(url, app, into)
            run(into, "INSERT INTO people (id, region) VALUES ('efgh', 9)")
            assert _rows(into, "SELECT number, region FROM people ORDER BY number") == [
                (1, 7),
                (2, 9),
            ]
            server.drop()
