"""One table of activities that holds tasks and notes by their type, and people who are only marked as deleted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.ghl.sandbox import Sandbox
from reconcile.model import Entity
from tests.apps.world import LOCATION, World
from tests.connectors.databases import fresh_database, run

PAIR = f"""\
pair = "activities"
region = "US"
[app]
url = "env:APP_DATABASE_URL"
[app.contact]
table = "people"
deleted = "gone"
[app.task]
table = "acts"
parent = "person"
fixed = {{ type = "task" }}
[app.note]
table = "acts"
parent = "person"
fixed = {{ type = "note" }}
[ghl]
url = "sandbox:ghl.db"
location = "{LOCATION}"
lag_seconds = 0
[contact]
match = ["email"]
[contact.fields]
email = "email"
[task]
delete = {{ app = "mirror", ghl = "mirror" }}
[task.fields]
title = "title"
due = "dueDate"
[note]
delete = {{ app = "mirror", ghl = "mirror" }}
[note.fields]
body = "body"
"""
DUE = "2030-01-01T00:00:00Z"
ACTS = "SELECT type, person, title, body FROM acts ORDER BY id"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    for url in fresh_database("sqlite", tmp_path):
        run(
            url,
            "CREATE TABLE people (id INTEGER PRIMARY KEY, email TEXT UNIQUE, gone INTEGER DEFAULT 0)",
            "CREATE TABLE acts (id INTEGER PRIMARY KEY, type TEXT NOT NULL, person INTEGER, title TEXT,"
            " due TEXT, body TEXT)",
            "INSERT INTO people VALUES (1, 'a@x.test', 0), (2, 'b@x.test', 1)",
            "INSERT INTO acts (type, person, title, due, body) VALUES"
            f" ('task', 1, 'Call', '{DUE}', NULL), ('task', 2, 'Late', '{DUE}', NULL),"
            " ('note', 1, NULL, NULL, 'Met'), ('note', 2, NULL, NULL, 'Old'),"
            f" ('visit', 1, 'Visit', '{DUE}', 'none of ours')",
        )
        with Sandbox(path=tmp_path / "ghl.db") as sandbox:
            sandbox.add_location(LOCATION)
        (tmp_path / "ghl.toml").write_text("lag_seconds = 0.0\n", encoding="utf-8")
        made = World(tmp_path, url, "none")
        made.pair_file.write_text(PAIR, encoding="utf-8")
        yield made


def test_one_table_holds_tasks_and_notes_by_type(world: World) -> None:
    """Each is created, read and deleted as the kind that its type says; a third kind stays alone."""
    assert world.doctor() == []
    assert world.night().told.exit_code == 0
    with world.ghl() as sandbox:
        assert [task["title"] for task in sandbox.tasks(LOCATION)] == ["Call"]
        assert [note["body"] for note in sandbox.notes(LOCATION)] == ["Met"]
        contact = world.key_of("a@x.test")
        sandbox.seed_task(contact, title="From GHL", dueDate=DUE)
        sandbox.seed_note(contact, body="Said")
    world.night()
    assert world.rows(ACTS) == [
        ("task", 1, "Call", None),
        ("task", 2, "Late", None),
        ("note", 1, None, "Met"),
        ("note", 2, None, "Old"),
        ("visit", 1, "Visit", "none of ours"),
        ("task", 1, "From GHL", None),
        ("note", 1, None, "Said"),
    ]
    world.quiet()


def test_what_hangs_on_a_deleted_person_is_out_of_the_pair(world: World) -> None:
    """It is counted apart and alarms nobody; nothing of it is made in GHL, and nothing there is deleted for it."""
    world.night()
    world.sql(
        "UPDATE people SET gone = 1 WHERE id = 1",
        f"INSERT INTO acts (type, person, title, due) VALUES ('task', 1, 'Later', '{DUE}')",
    )
    night = world.night()
    assert [(hold.entity, hold.kind) for hold in night.holds] == [(Entity.CONTACT, "delete")]
    assert not night.operations
    statement = night.told.document["statement"]["entities"]
    apart = {each["entity"]: each["sides"][0]["aside"] for each in statement}
    assert (apart["task"], apart["note"]) == ({"apart": 2}, {"apart": 1})
    with world.ghl() as sandbox:
        assert [task["title"] for task in sandbox.tasks(LOCATION)] == ["Call"]
