"""Doctor tries the writes that runs will make, in a transaction that is taken back, and says in words what the database would refuse."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa

from connectors.sql.engine import database_url
from flows.config import load
from flows.doctor.finding import Finding, Level
from flows.doctor.rehearsal import rehearsal
from flows.wiring.wiring import connect
from reconcile.model import Side
from tests.connectors.databases import fresh_database, run

PAIR = """\
pair = "acme"
[app]
url = "env:URL"
[app.contact]
table = "people"
{more}
[app.task]
table = "todos"
parent = "person"
[ghl]
url = "sandbox:ghl.db"
location = "loc1"
[contact]
delete = {{ app = "mirror" }}
[contact.fields]
first_name = "firstName"
email = "email"
[task.fields]
title = "title"
due = "dueDate"
"""
PEOPLE = "CREATE TABLE people (id INTEGER PRIMARY KEY, first_name VARCHAR(5), email VARCHAR(80) UNIQUE{more})"
TODOS = "CREATE TABLE todos (id INTEGER PRIMARY KEY, person INTEGER NOT NULL REFERENCES people (id), title VARCHAR(40), due DATE)"


def found(folder: Path, url: str, more: str = "") -> list[Finding]:
    file = folder / "acme.toml"
    file.write_text(PAIR.format(more=more), encoding="utf-8")
    pair = load(file, environ={"URL": url})
    with connect(pair) as sides:
        return rehearsal(pair, sides[Side.APP])


def made(folder: Path, *statements: str) -> str:
    with sqlite3.connect(folder / "app.db") as connection:
        for statement in statements:
            connection.execute(statement)
    return f"sqlite:///{folder / 'app.db'}"


def rows(url: str, table: str = "people") -> list[tuple[int, ...]]:
    engine = sa.create_engine(database_url(url), poolclass=sa.NullPool)
    with engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(f"SELECT count(*) FROM {table}")]


def held(folder: Path) -> int:
    with sqlite3.connect(folder / "app.db") as connection:
        return int(
            connection.execute(
                "SELECT (SELECT count(*) FROM people) + (SELECT count(*) FROM todos)"
            ).fetchone()[0]
        )


def test_what_works_is_told_once_and_nothing_stays(tmp_path: Path) -> None:
    """Create, update and delete of contacts and tasks are tried, in fields as short as they are, and no row is left."""
    url = made(tmp_path, PEOPLE.format(more=""), TODOS)
    [finding] = found(tmp_path, url)
    assert finding.level is Level.OK
    for word in (
        "create of a contact",
        "update of a contact",
        "delete of a contact",
        "create of a task",
        "update of a task",
    ):
        assert word in finding.what
    assert held(tmp_path) == 0


def test_a_column_that_new_rows_lack_is_named(tmp_path: Path) -> None:
    """A NOT NULL column without default, which nothing is mapped to, is an error with its name; on_create mends it."""
    url = made(tmp_path, PEOPLE.format(more=", tenant INTEGER NOT NULL"), TODOS)
    findings = found(tmp_path, url)
    errors = [finding for finding in findings if finding.level is Level.ERROR]
    assert len(errors) == 1
    assert "contact: a create would be refused" in errors[0].what
    assert "takes no empty value" in errors[0].what
    assert "people.tenant" in errors[0].what
    assert "on_create" in errors[0].remedy
    assert held(tmp_path) == 0
    assert [one.level for one in found(tmp_path, url, "on_create = { tenant = 7 }")] == [Level.OK]


def test_what_a_hurried_person_leaves_out_is_a_warning(tmp_path: Path) -> None:
    """A mapped column that must not be empty: contacts with a first name can be made, those without one would be refused."""
    people = PEOPLE.format(more="").replace(
        "first_name VARCHAR(5)", "first_name VARCHAR(5) NOT NULL CHECK (first_name <> '')"
    )
    findings = found(tmp_path, made(tmp_path, people, TODOS))
    assert [one.level for one in findings] == [Level.OK, Level.WARNING]
    assert "the least that GHL has" in findings[1].what


@pytest.mark.parametrize("database", ["sqlite", "postgresql", "mariadb"])
def test_a_view_that_takes_no_writes_is_told(tmp_path: Path, database: str) -> None:
    """Doctor says before the first night that it is a view that takes no new rows, and what to do about it."""
    for url in fresh_database(database, tmp_path):
        run(
            url,
            PEOPLE.format(more="").replace("people", "base"),
            "CREATE VIEW people AS SELECT id, max(first_name) AS first_name, max(email) AS email FROM base GROUP BY id",
            TODOS.replace("people", "base"),
        )
        findings = found(tmp_path, url)
        (refused,) = [one for one in findings if one.level is Level.ERROR]
        assert "contact: a create would be refused: it is a view" in refused.what
        assert "[VIEW]" in refused.what
        for word in ("INSTEAD OF", "map the table itself"):
            assert word in refused.remedy
        assert not [one for one in findings if one.level is Level.OK]


def test_a_trigger_that_refuses_is_told(tmp_path: Path) -> None:
    """A trigger of the application's own that lets no update through is found, and the create before it is taken back."""
    trigger = (
        "CREATE TRIGGER no BEFORE UPDATE ON people BEGIN SELECT RAISE(ABORT, 'closed period'); END"
    )
    findings = found(tmp_path, made(tmp_path, PEOPLE.format(more=""), TODOS, trigger))
    [refused] = [one for one in findings if one.level is Level.ERROR]
    assert "contact: an update would be refused" in refused.what
    assert held(tmp_path) == 0


def test_a_table_that_takes_nothing_back_is_not_tried(tmp_path: Path) -> None:
    """MyISAM has no transactions: nothing is written to it by doctor, which says that nothing was tried."""
    for url in fresh_database("mariadb", tmp_path):
        run(
            url,
            PEOPLE.format(more="").replace("PRIMARY KEY", "AUTO_INCREMENT PRIMARY KEY")
            + " ENGINE=MyISAM",
            TODOS.replace(" REFERENCES people (id)", ""),
        )
        findings = found(tmp_path, url)
        assert {one.level for one in findings} == {Level.WARNING}
        assert "no transactions" in findings[0].what
        assert rows(url) == [(0,)]


def test_what_a_trigger_may_write_elsewhere_counts(tmp_path: Path) -> None:
    """A trigger's row in a MyISAM table would stay: where there is such a trigger and such a table, nothing is tried."""
    for url in fresh_database("mariadb", tmp_path):
        run(
            url,
            PEOPLE.format(more="").replace("PRIMARY KEY", "AUTO_INCREMENT PRIMARY KEY"),
            TODOS.replace("PRIMARY KEY", "AUTO_INCREMENT PRIMARY KEY"),
            "CREATE TABLE audit_log (what VARCHAR(80)) ENGINE=MyISAM",
            "CREATE TRIGGER logs AFTER INSERT ON people FOR EACH ROW INSERT INTO audit_log VALUES (NEW.email)",
        )
        findings = found(tmp_path, url)
        assert rows(url, "audit_log") == [(0,)]
        assert {one.level for one in findings} == {Level.WARNING}
        assert "audit_log" in findings[0].what
