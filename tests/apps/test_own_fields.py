"""Fields that are no column of their own: computed ones, looked-up ones, and owners by their email."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.ghl.sandbox import Sandbox
from tests.apps.world import LOCATION, World
from tests.connectors.databases import fresh_database, run

PAIR = """\
pair = "own"
region = "US"

[app]
url = "env:APP_DATABASE_URL"
[app.contact]
table = "people"
modified_at = "updated"

[ghl]
url = "sandbox:ghl.db"
location = "{location}"
lag_seconds = 0

[contact]
match = ["email"]
[contact.fields]
email = "email"
{fields}
"""

TABLES = (
    "CREATE TABLE people (id INTEGER PRIMARY KEY, email TEXT UNIQUE, first TEXT, last TEXT, seats TEXT,"
    " greeting TEXT, plan INTEGER, owner TEXT, updated TIMESTAMP DEFAULT CURRENT_TIMESTAMP)",
    "CREATE TABLE plans (id INTEGER PRIMARY KEY, name TEXT)",
    "INSERT INTO plans VALUES (1, 'Gold'), (2, 'Silver')",
)


def made(folder: Path, url: str, fields: str) -> World:
    """People in a database, an empty location, and a pair with these fields."""
    run(url, *TABLES)
    world = World(folder, url)
    with Sandbox(path=folder / "ghl.db") as sandbox:
        sandbox.add_location(LOCATION)
        sandbox.seed_custom_field(LOCATION, "plan", "TEXT")
    (folder / "ghl.toml").write_text("lag_seconds = 0.0\n", encoding="utf-8")
    world.pair_file.write_text(PAIR.format(location=LOCATION, fields=fields), encoding="utf-8")
    return world


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    yield from fresh_database("sqlite", tmp_path)


COMPUTED = """\
full_name = { ghl = "source", value = "concat_ws(' ', first, last)" }
seats = { ghl = "companyName", value = "CAST(seats AS INTEGER) * 2" }
greeting = { app = "greeting", value = "'Dear ' || firstName" }
"""


def test_a_computed_value_flows_one_way_and_is_never_guessed(tmp_path: Path, url: str) -> None:
    """It follows its columns, an edit of it in GHL is taken back, and where the expression fails GHL keeps what it has."""
    world = made(tmp_path, url, COMPUTED)
    world.sql(
        "INSERT INTO people (email, first, last, seats) VALUES ('a@x.test', 'Ann', 'Abel', '4')",
        "INSERT INTO people (email, first, seats) VALUES ('b@x.test', 'Ben', 'many')",
    )
    world.add(email="b@x.test", firstName="Ben", companyName="kept")
    assert world.doctor() == []
    world.night()
    assert world.contacts("email", "source", "companyName") == [
        ("a@x.test", "Ann Abel", "8"),
        ("b@x.test", "Ben", "kept"),
    ]
    assert world.rows("SELECT email, greeting FROM people ORDER BY id") == [
        ("a@x.test", None),
        ("b@x.test", "Dear Ben"),
    ]

    world.sql("UPDATE people SET last = 'Adams' WHERE email = 'a@x.test'")
    world.edit(world.key_of("b@x.test"), {"source": "Benjamin"})
    night = world.night()
    assert world.contacts("email", "source", "companyName") == [
        ("a@x.test", "Ann Adams", "8"),
        ("b@x.test", "Ben", "kept"),
    ]
    [back] = [one for one in night.operations if one.before.get("full_name") == "Benjamin"]
    assert (
        back.because == "full_name: changed in GHL, but the field is computed in the app: restored"
    )


OWNED = 'owner = { ghl = "assignedTo", by = "email" }'


def test_an_owner_is_a_user_by_email_and_nobody_is_guessed(tmp_path: Path, url: str) -> None:
    """Owners cross both ways as emails; one whom the location does not have is named once, and clears nothing."""
    world = made(tmp_path, url, OWNED)
    with world.ghl() as sandbox:
        ann, ben, eve = (
            sandbox.seed_user(LOCATION, firstName=name, email=f"{name}@Us.test")
            for name in ("ann", "ben", "eve")
        )
    world.sql(
        "INSERT INTO people (email, owner) VALUES ('a@x.test', 'ANN@us.test'),"
        " ('b@x.test', 'gone@us.test'), ('c@x.test', NULL), ('d@x.test', 'gone@us.test')"
    )
    world.add(email="b@x.test")
    world.add(email="c@x.test", assignedTo=ben)
    assert world.doctor() == []
    night = world.night()
    assert world.contacts("email", "assignedTo") == [
        ("a@x.test", ann),
        ("b@x.test", ""),
        ("c@x.test", ben),
        ("d@x.test", ""),
    ]
    emails = [("ANN@us.test",), ("gone@us.test",), ("ben@us.test",), ("gone@us.test",)]
    assert world.rows("SELECT owner FROM people ORDER BY id") == emails
    values = night.told.document["values"]
    assert [(v["label"], v["class"]) for v in values["listed"]] == [
        ("b@x.test", "unreadable"),
        ("d@x.test", "unreadable"),
    ]
    assert all(identity["holds"] for identity in values["entities"][0]["identities"])
    [finding] = night.told.document["quality"]["invalid"]
    assert (finding["field"], finding["count"]) == ("owner", 2)
    assert (finding["why"], finding["names"]) == (
        "no user of the location",
        ["b@x.test", "d@x.test"],
    )

    world.sql("UPDATE people SET owner = 'ben@us.test' WHERE email = 'a@x.test'")
    world.edit(world.key_of("c@x.test"), {"assignedTo": eve})
    with world.ghl() as sandbox:
        gone = sandbox.seed_user(LOCATION, firstName="Gone", email="gone@us.test")
    world.night()
    assert [owner for _, owner in world.contacts("email", "assignedTo")] == [ben, gone, eve, gone]
    assert world.rows("SELECT owner FROM people ORDER BY id")[2] == ("eve@us.test",)
    world.quiet()
