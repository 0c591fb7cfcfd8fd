"""Fields that are no column of their own: computed ones, looked-up ones, and owners by their email."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.contract.shapes import read_line
from connectors.ghl.sandbox import Sandbox
from flows.doctor.check import check
from flows.wiring.wiring import connect
from reconcile.model import Entity, Side
from reconcile.ports import Connector, Json, Page, Scope
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
    "CREATE TABLE people (id INTEGER PRIMARY KEY, email VARCHAR(80) UNIQUE, first TEXT, last TEXT, seats TEXT,"
    " greeting TEXT, plan INTEGER, owner TEXT, updated TIMESTAMP DEFAULT CURRENT_TIMESTAMP)",
    "CREATE TABLE plans (id INTEGER PRIMARY KEY, name TEXT)",
    "INSERT INTO plans VALUES (1, 'Gold'), (2, 'Silver')",
)


def made(folder: Path, url: str, fields: str) -> World:
    """People in a database, an empty location, and a pair with these fields."""
    key = "SERIAL" if url.startswith("postgresql") else "INTEGER"
    run(url, *(table.replace("people (id INTEGER", f"people (id {key}") for table in TABLES))
    world = World(folder, url, "none")
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


def test_p2_an_owner_is_a_user_by_email_and_nobody_is_guessed(tmp_path: Path, url: str) -> None:
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


def test_a_default_owner_gets_new_records_and_takes_nobody_elses(tmp_path: Path, url: str) -> None:
    """A new contact whose owner the location does not have, or who has none, gets the default one; doctor names those owners."""
    world = made(tmp_path, url, OWNED)
    said = world.pair_file.read_text(encoding="utf-8")
    world.pair_file.write_text(
        said.replace("[ghl]\n", '[ghl]\ndefault_owner = "Office@us.test"\n'), encoding="utf-8"
    )
    with world.ghl() as sandbox:
        ann = sandbox.seed_user(LOCATION, firstName="Ann", email="ann@us.test")
    [unknown] = world.doctor()
    assert "the owner office@us.test: no user of the location" in unknown
    with world.ghl() as sandbox:
        office = sandbox.seed_user(LOCATION, firstName="Office", email="office@us.test")
    world.sql(
        "INSERT INTO people (email, owner) VALUES ('a@x.test', 'ann@us.test'), ('b@x.test', 'gone@us.test'),"
        " ('c@x.test', NULL), ('d@x.test', 'gone@us.test'), ('e@x.test', 'gone@us.test')"
    )
    world.add(email="d@x.test", assignedTo=ann)
    world.add(email="e@x.test")
    assert world.doctor() == []
    warned = [one for one in check(world.pair, server=list) if "gone@us.test" in one.what]
    assert [(one.level, one.what.partition("location: ")[2]) for one in warned] == [
        ("warning", "gone@us.test (3)")
    ]
    owners = [
        ("a@x.test", ann),
        ("b@x.test", office),
        ("c@x.test", office),
        ("d@x.test", ann),
        ("e@x.test", ""),
    ]
    for _ in range(2):
        night = world.night()
        assert world.contacts("email", "assignedTo") == owners
        emails = [
            ("ann@us.test",),
            ("gone@us.test",),
            (None,),
            ("gone@us.test",),
            ("gone@us.test",),
        ]
        assert world.rows("SELECT owner FROM people ORDER BY id") == emails
        [finding] = night.told.document["quality"]["invalid"]
        assert (finding["field"], finding["count"]) == ("owner", 3)
        assert night.told.document["usage"]["ghl"]["by_endpoint"]["user.list"] == 1
    assert list(night.operations) == []


LOOKED_UP = 'plan = { ghl = "source", lookup = { table = "plans" } }'


def test_a_look_up_goes_by_key_in_the_app_and_by_value_in_ghl(tmp_path: Path, url: str) -> None:
    """Values cross both ways; one that the table lacks, or has twice, is refused by name, and then asked about."""
    world = made(tmp_path, url, LOOKED_UP)
    world.sql(
        "INSERT INTO plans VALUES (3, 'Twice'), (4, 'Twice')",
        "INSERT INTO people (email, plan) VALUES"
        " ('a@x.test', 1), ('b@x.test', 2), ('c@x.test', 0), ('d@x.test', 3)",
    )
    assert world.doctor() == []
    world.night()
    assert world.contacts("email", "source") == [
        ("a@x.test", "Gold"),
        ("b@x.test", "Silver"),
        ("c@x.test", ""),
        ("d@x.test", "Twice"),
    ]
    world.quiet()
    world.sql("UPDATE people SET plan = 2 WHERE email = 'a@x.test'")
    for email, plan in (("b@x.test", "Gold"), ("c@x.test", "Bronze"), ("a@x.test", "Silver")):
        world.edit(world.key_of(email), {"source": plan})
    world.edit(world.key_of("d@x.test"), {"source": "Gold"})
    night = world.night()
    plans = "SELECT plan FROM people ORDER BY id"
    assert world.rows(plans) == [(2,), (1,), (0,), (1,)]
    assert world.rows("SELECT count(*) FROM plans") == [(4,)]
    [failed] = night.told.document["failures"]
    assert failed["code"] == "INVALID_FIELD"
    assert "no row of plans has this name" in failed["examples"][0]["detail"]

    world.sql("UPDATE people SET plan = 99 WHERE email = 'c@x.test'")
    world.edit(world.key_of("c@x.test"), {"source": "Gold"})
    astray = world.night().told.document["failures"][0]["causes"][0]["because"]
    assert "plans: the row that it points to is not there" in astray
    assert world.rows(plans)[2] == (99,)

    world.edit(world.key_of("d@x.test"), {"source": "Twice"})
    night = world.night()
    assert [(hold.kind, hold.values["ghl"]) for hold in night.holds] == [("refused", "Gold")]
    [failed] = night.told.document["failures"]
    assert "several rows of plans have this name" in failed["examples"][0]["detail"]
    assert world.rows(plans) == [(2,), (1,), (99,), (1,)]


STREET = """
"address.street" = "address1"
"meta.city" = "city"
"contract.title" = { ghl = "companyName", flow = "app->ghl" }
[app.contact.join.address]
table = "addresses"
on = { person = "id" }
modified_at = "changed"
[app.contact.join.meta]
table = "meta"
on = { person = "id" }
name = "name"
value = "value"
[app.contact.join.contract]
table = "contracts"
via = { table = "signed", on = { person = "id" }, to = { contract = "id" }, modified_at = "at" }
"""
BESIDE = (
    "CREATE TABLE addresses (person INTEGER PRIMARY KEY, street VARCHAR(80), changed TIMESTAMP)",
    "CREATE TABLE meta (person INTEGER, name VARCHAR(40), value VARCHAR(80), PRIMARY KEY (person, name))",
    "CREATE TABLE contracts (id INTEGER PRIMARY KEY, title VARCHAR(80))",
    "CREATE TABLE signed (person INTEGER PRIMARY KEY, contract INTEGER, at TIMESTAMP)",
    "INSERT INTO contracts VALUES (1, 'Basic'), (2, 'Whole')",
)


@pytest.mark.parametrize("server", ["sqlite", "postgresql"])
def test_a_delta_sees_an_edit_of_a_joined_row_that_has_a_time(tmp_path: Path, server: str) -> None:
    """Also of the link to it; where there is no time, doctor says so."""
    for url in fresh_database(server, tmp_path):
        world = made(tmp_path, url, STREET)
        long_ago, later = "'2020-01-01 00:00:00'", "'2100-01-01 00:00:00'"
        world.sql(*BESIDE)
        for key in (1, 2, 3):
            world.sql(
                f"INSERT INTO people (id, email, updated) VALUES ({key}, 'p{key}@x.test', {long_ago})",
                f"INSERT INTO addresses VALUES ({key}, 'Road {key}', {long_ago})",
                f"INSERT INTO meta VALUES ({key}, 'city', 'Rome')",
                f"INSERT INTO signed VALUES ({key}, 1, {long_ago})",
            )
        said = [one.what for one in check(world.pair, server=list)]
        assert any(one.startswith("[app.contact.join] meta, contract: not") for one in said)
        with connect(world.pair) as sides:
            app = sides[Side.APP]
            app.describe()
            assert changed(app) == {}
            world.sql(
                f"UPDATE addresses SET street = 'Lane 1', changed = {later} WHERE person = 1",
                f"UPDATE signed SET contract = 2, at = {later} WHERE person = 2",
                "UPDATE meta SET value = 'Milan' WHERE person = 3",
            )
            assert changed(app) == {"1": ("Lane 1", "Basic"), "2": ("Road 2", "Whole")}


def changed(app: Connector) -> dict[str, tuple[Json, Json]]:
    """What a delta of 2050 is shown."""
    pages = app.extract(Entity.CONTACT, Scope(since="2050-01-01T00:00:00Z"))
    lines = [line for page in pages if isinstance(page, Page) for line in page.lines.splitlines()]
    shown = [read_line(app.shape(Entity.CONTACT), line) for line in lines]
    return {one.key: (one.fields["address.street"], one.fields["contract.title"]) for one in shown}
