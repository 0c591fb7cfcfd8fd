"""A task of GHL's that hangs on several contacts: one row of the app's, on the contact that search shows."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from connectors.ghl.sandbox import Limit, Sandbox, Settings, serve
from flows.config import load
from flows.jobs.delta import Delta
from flows.jobs.full import FULL
from flows.runner import run_job
from flows.scope import Sought

PAIR = """\
pair = "acme"
store = "{folder}/store"
[app]
url = "sqlite:///{folder}/app.db"
[app.contact]
table = "people"
[app.task]
table = "todos"
parent = "person"
[ghl]
url = "{url}"
location = "loc1"
token = "env:GHL_TOKEN"
lag_seconds = 0
[contact]
match = ["mail"]
[contact.fields]
mail = "email"
[task.fields]
what = "title"
due = "dueDate"
done = "completed"
"""
TABLES = """
CREATE TABLE people (id INTEGER PRIMARY KEY, mail TEXT);
INSERT INTO people VALUES (1, 'ann@x.com'), (2, 'bob@x.com');
CREATE TABLE todos (id INTEGER PRIMARY KEY, person INTEGER, what TEXT, due TEXT, done INTEGER);
"""


@pytest.mark.parametrize("last", [False, True])
def test_a_task_of_two_contacts_is_one_row_in_nights_and_in_deltas(
    tmp_path: Path, last: bool
) -> None:
    """Whichever contact search shows: it is made once, edits of it travel, and a delta of both contacts agrees."""
    file = tmp_path / "app.db"

    def app(statement: str = "SELECT person, what FROM todos") -> list[tuple[object, ...]]:
        with sqlite3.connect(file) as held:
            found = held.executescript(statement) if ";" in statement else held.execute(statement)
            rows = found.fetchall()
        held.close()
        return rows

    app(TABLES)
    box = Sandbox(Settings(pit=Limit(max=10_000), lag_seconds=0.0, tasks_show_last=last))
    box.add_location("loc1")
    box.add_token("pit-whole", "loc1")
    ann, bob = (box.seed_contact("loc1", email=f"{name}@x.com") for name in ("ann", "bob"))
    task = box.seed_task(ann, also=[bob], title="Sign")
    with serve(box) as url:
        said = tmp_path / "acme.toml"
        said.write_text(PAIR.format(folder=tmp_path, url=url))
        pair = load(said, environ={"GHL_TOKEN": "pit-whole"})
        assert run_job(pair, FULL).exit_code == 0
        assert app() == [(2 if last else 1, "Sign")]
        assert run_job(pair, FULL).document["totals"]["questions"] == 0

        box.edit_task(task, title="Sign both")
        told = run_job(pair, Delta(sought=Sought(ghl=(ann, bob))))
        assert told.document["totals"]["questions"] == 0
        assert app() == [(2 if last else 1, "Sign both")]
    box.close()
