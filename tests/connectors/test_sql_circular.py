"""Rows that a record points to and that refer back to it: what is made first, and what goes first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from connectors.contract import create, update
from connectors.sql import Copy, JoinSettings, SqlConnector, SqlSettings, TableSettings
from connectors.sql.engine import database_url
from reconcile.errors import ConfigError
from reconcile.model import Entity, OpKind, Status
from reconcile.ports import Reply, Write
from tests.connectors.databases import fresh_database, opened, run

SERIAL = {
    "sqlite": "INTEGER PRIMARY KEY",
    "mariadb": "INTEGER AUTO_INCREMENT PRIMARY KEY",
    "postgresql": "SERIAL PRIMARY KEY",
}
POINTS = "FOREIGN KEY (main) REFERENCES places (id)"


@pytest.fixture(params=SERIAL)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """People, and places that need a person: a person may point to its main one."""
    serial, lite = SERIAL[request.param], request.param == "sqlite"
    for url in fresh_database(request.param, tmp_path):
        run(
            url,
            f"CREATE TABLE people (id {serial}, name TEXT, main INTEGER{', ' + POINTS if lite else ''})",
            f"CREATE TABLE places (id {serial}, person INTEGER NOT NULL REFERENCES people (id), city TEXT, of TEXT NOT NULL)",
            *([] if lite else [f"ALTER TABLE people ADD {POINTS}"]),
        )
        yield url


def connector(url: str, **changes: Any) -> SqlConnector:
    new = {"person": Copy("id", of_record=True), "of": Copy("name", of_record=True)}
    said: dict[str, Any] = {"on": {"id": "main"}, "own": True, "on_create": new, **changes}
    people = TableSettings("people", joins={"place": JoinSettings("places", **said)})
    fields = {Entity.CONTACT: ("name", "place.city")}
    return opened(SqlSettings(url, {Entity.CONTACT: people}, fields=fields))


def rows(url: str) -> list[tuple[Any, ...]]:
    statement = "SELECT people.name, places.city, places.of, main = places.id FROM people LEFT JOIN places ON person = people.id ORDER BY 1"
    engine = sa.create_engine(database_url(url), poolclass=sa.NullPool)
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(statement))]


def done(reply: Reply) -> str:
    assert (reply.status, reply.detail) == (Status.DONE, "")
    return reply.key or ""


def test_what_refers_back_is_made_after_the_record_and_goes_before_it(url: str) -> None:
    """The database makes both keys: the record is made first, and then points to its row; an update makes one too, a delete takes both."""
    app = connector(url)
    writes = [
        create(Entity.CONTACT, {"name": "Ann", "place.city": "Rome"}),
        create(Entity.CONTACT, {"name": "Ben"}),
    ]
    ann, ben = map(done, app.write(writes))
    assert rows(url) == [("Ann", "Rome", "Ann", 1), ("Ben", None, None, None)]
    before = app.read(Entity.CONTACT, ben)
    assert before is not None
    assert (before.fields["place.city"], rows(url)[1][1]) == (None, None)
    [reply] = app.write([update(Entity.CONTACT, before, {"place.city": "Oslo"})])
    done(reply)
    assert rows(url) == [("Ann", "Rome", "Ann", 1), ("Ben", "Oslo", "Ben", 1)]
    [reply] = app.write([Write("gone", OpKind.DELETE, Entity.CONTACT, ann)])
    assert (reply.status, reply.detail) == (Status.DONE, "")
    assert rows(url) == [("Ben", "Oslo", "Ben", 1)]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"own": False, "find": "city"}, "may be others' too, so no record gives its values"),
        ({"on_create": {"person": Copy("idd", of_record=True)}}, "'people' has no column 'idd'"),
    ],
)
def test_a_value_of_the_record_that_cannot_be_is_told(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    """A shared row is no record's to fill, and a column that the record does not have is named."""
    for url in fresh_database("sqlite", tmp_path):
        run(url, "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, main INTEGER)")
        run(url, "CREATE TABLE places (id INTEGER PRIMARY KEY, person INTEGER, city TEXT, of TEXT)")
        with pytest.raises(ConfigError) as refused:
            connector(url, **changes).describe()
        assert said in str(refused.value)
