"""What `init` makes of tables that stand beside one another, as applications have them."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from connectors.ghl.entities import GHL
from connectors.ghl.sandbox import Sandbox
from flows.config import load
from flows.config.pair import read
from flows.init import Proposal, init, propose
from flows.init.run import Wish
from flows.init.survey import survey
from flows.init.telling import summary
from flows.init.writing import Head, pair_text
from flows.wiring.wiring import connect
from reconcile.model import Entity, Side
from reconcile.ports import Description, Page, Proof
from reconcile.values.policy import Flow
from tests.connectors.databases import fresh_database, run

PEOPLE = """
CREATE TABLE people (id INTEGER PRIMARY KEY, first_name TEXT, last_name TEXT, email TEXT{more});
INSERT INTO people (id, first_name, last_name, email) VALUES (1, 'Ann', 'Abel', 'ann@a.test'), (2, 'Ben', 'Bird', 'ben@b.test');
"""
MADE = "0f8fad5b-d9cb-469f-a165-70867728950{}"


def _proposed(sql: str, folder: Path, *, more: str = "") -> Proposal:
    with sqlite3.connect(folder / "some.db") as database:
        database.executescript(PEOPLE.format(more=more) + sql)
    database.close()
    known = {entity: kind.info for entity, kind in GHL.items()}
    return propose(survey(f"sqlite:///{folder}/some.db"), Description("ghl:x", known))


def _joins(proposal: Proposal, entity: Entity = Entity.CONTACT) -> Mapping[str, Mapping[str, Any]]:
    place = proposal.place(entity)
    assert place is not None
    return {join.name: join.said for join in place.joins}


def _fields(proposal: Proposal, entity: Entity = Entity.CONTACT) -> Mapping[str, tuple[str, ...]]:
    return {line.column: line.ghl for line in proposal.fields(entity)}


def _left(proposal: Proposal) -> Mapping[str, str]:
    return {one.where: one.why for one in proposal.unplaced}


def test_deals_become_opportunities(tmp_path: Path) -> None:
    """A table with a stage is opportunities, its words for won and lost are GHL's, and a table of tasks with a status is none."""
    proposal = _proposed(
        "CREATE TABLE deals (id INTEGER PRIMARY KEY, person_id INTEGER REFERENCES people, title TEXT, pipeline TEXT, stage TEXT, status TEXT, amount NUMERIC);"
        "INSERT INTO deals VALUES (1, 1, 'Roof 2026', 'Sales', 'New', 'Open', 500), (2, 2, 'Wall', 'Sales', 'Signed', 'Won', 1200.5);"
        "CREATE TABLE todos (id INTEGER PRIMARY KEY, person_id INTEGER REFERENCES people, title TEXT, due_date TEXT, status TEXT);"
        "INSERT INTO todos VALUES (1, 1, 'Call', '2026-01-01', 'open'), (2, 1, 'Mail', '2026-01-02', 'done');",
        tmp_path,
    )
    place = proposal.place(Entity.OPPORTUNITY)
    assert place is not None
    assert (place.table, place.parent) == ("deals", "person_id")
    assert _fields(proposal, Entity.OPPORTUNITY) == {
        "title": ("name",),
        "pipeline": ("pipeline",),
        "stage": ("stage",),
        "status": ("status",),
        "amount": ("monetaryValue",),
    }
    choices = {line.column: line.choices for line in proposal.fields(Entity.OPPORTUNITY)}
    assert choices["status"] == {"Open": "open", "Won": "won"}
    task = proposal.place(Entity.TASK)
    assert task is not None
    assert task.table == "todos"


def test_a_stage_by_its_key_is_looked_up(tmp_path: Path) -> None:
    """Deals that point to rows of stages and pipelines are mapped by what these rows are called, and the file that is written loads."""
    proposal = _proposed(
        "CREATE TABLE pipelines (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO pipelines VALUES (1, 'Sales'), (2, 'Care');"
        "CREATE TABLE deal_stages (id INTEGER PRIMARY KEY, title TEXT, position INTEGER); INSERT INTO deal_stages VALUES (1, 'New', 1), (2, 'Signed', 2);"
        "CREATE TABLE deals (id INTEGER PRIMARY KEY, person_id INTEGER REFERENCES people, title TEXT, pipeline_id INTEGER REFERENCES pipelines,"
        " stage_id INTEGER REFERENCES deal_stages, amount NUMERIC);"
        "INSERT INTO deals VALUES (1, 1, 'Roof 2026', 1, 1, 500), (2, 2, 'Wall', 1, 2, 1200.5);",
        tmp_path,
    )
    lookups = {line.column: (line.ghl, line.lookup) for line in proposal.fields(Entity.OPPORTUNITY)}
    assert lookups == {
        "title": (("name",), {}),
        "pipeline_id": (("pipeline",), {"table": "pipelines", "key": "id", "value": "name"}),
        "stage_id": (("stage",), {"table": "deal_stages", "key": "id", "value": "title"}),
        "amount": (("monetaryValue",), {}),
    }
    head = Head("acme", f"sqlite:///{tmp_path}/x.db", "http://127.0.0.1:1", "loc1", "env:GHL_TOKEN")
    pair = read(
        pair_text(proposal, head), tmp_path / "acme.toml", environ={"GHL_TOKEN": "pit-whole"}
    )
    assert {field.ghl for field in pair.mapping[Entity.OPPORTUNITY].fields} >= {("stage",)}


def test_visits_become_appointments(tmp_path: Path) -> None:
    """A table of visits with a start and an end goes one way, from GHL into it."""
    proposal = _proposed(
        "CREATE TABLE visits (id INTEGER PRIMARY KEY, person_id INTEGER REFERENCES people, subject TEXT, starts_at TIMESTAMP, ends_at TIMESTAMP, status TEXT);"
        "INSERT INTO visits VALUES (1, 1, 'Teeth', '2026-12-01 10:00:00', '2026-12-01 10:30:00', 'confirmed');",
        tmp_path,
    )
    assert _fields(proposal, Entity.APPOINTMENT) == {
        "subject": ("title",),
        "starts_at": ("startTime",),
        "ends_at": ("endTime",),
        "status": ("status",),
    }
    head = Head("acme", f"sqlite:///{tmp_path}/x.db", "http://127.0.0.1:1", "loc1", "env:GHL_TOKEN")
    pair = read(
        pair_text(proposal, head), tmp_path / "acme.toml", environ={"GHL_TOKEN": "pit-whole"}
    )
    assert {field.rule.flow for field in pair.mapping[Entity.APPOINTMENT].fields} == {Flow.TO_APP}


OWN = {"first_name": ("firstName",), "last_name": ("lastName",), "email": ("email",)}


@pytest.mark.parametrize(
    ("more", "sql"),
    [
        (", budget TEXT", "UPDATE people SET budget = '1200000'"),
        (", hired_on DATE", "UPDATE people SET hired_on = '2020-01-31'"),
        (", department TEXT", "UPDATE people SET department = 'Sales'"),
        (", phone_fax TEXT", "UPDATE people SET phone_fax = '+12025550101'"),
        (", fk_departement INTEGER", "UPDATE people SET fk_departement = 7"),
        (", email_normalized TEXT", "UPDATE people SET email_normalized = email"),
        (", country TEXT", ""),
    ],
    ids=[
        "a budget",
        "a day",
        "a department",
        "a fax",
        "a key",
        "an email again",
        "an empty country",
    ],
)
def test_what_is_no_field_is_taken_for_none(more: str, sql: str, tmp_path: Path) -> None:
    """Numbers, days, keys and what only sounds like a field stay out, however well the values would fit."""
    proposal = _proposed(sql, tmp_path, more=more)
    assert _fields(proposal) == OWN


def test_an_empty_column_comes_after_one_with_values(tmp_path: Path) -> None:
    """People keep their numbers where the form shows the field; the column that is called best may never have been used."""
    more = ", phone TEXT, phone_work TEXT, city TEXT, billing_city TEXT, billing_zip TEXT"
    sql = "UPDATE people SET phone_work = '+12025550101', billing_city = 'Rome', billing_zip = '00184'"
    proposal = _proposed(sql, tmp_path, more=more)
    assert _fields(proposal) == OWN | {
        "phone_work": ("phone",),
        "billing_city": ("city",),
        "billing_zip": ("postalCode",),
    }


def test_of_several_addresses_the_one_that_is_called_the_main_one(tmp_path: Path) -> None:
    """Rows of their own: the kind is chosen by its name, and written into new rows; the way there is told."""
    proposal = _proposed(
        "CREATE TABLE addresses (id INTEGER PRIMARY KEY, person_id INTEGER, kind TEXT, street TEXT, city TEXT);"
        "INSERT INTO addresses VALUES (1, 1, 'shipping', 'A', 'Rome'), (2, 1, 'billing', 'B', 'Bari');",
        tmp_path,
    )
    assert _joins(proposal) == {
        "address": {"table": "addresses", "on": {"person_id": "id"}, "fixed": {"kind": "billing"}}
    }
    assert _fields(proposal) == OWN | {"address.street": ("address1",), "address.city": ("city",)}
    assert '  address: addresses, its column "person_id" refers to the contacts' in list(
        summary(proposal)
    )


def test_of_several_addresses_none_is_guessed(tmp_path: Path) -> None:
    """Where no kind is called the main one, nothing is joined, and the reason is said."""
    proposal = _proposed(
        "CREATE TABLE addresses (id INTEGER PRIMARY KEY, person_id INTEGER, kind TEXT, street TEXT, city TEXT);"
        "INSERT INTO addresses VALUES (1, 1, 'summer', 'A', 'Rome'), (2, 1, 'winter', 'B', 'Bari');",
        tmp_path,
    )
    assert (_joins(proposal), _fields(proposal)) == ({}, OWN)
    assert "summer, winter" in _left(proposal)["addresses"]


def test_keys_that_a_machine_made_are_met_by_their_values(tmp_path: Path) -> None:
    """A column that says nothing of a reference is one where it holds another table's keys; numbers tell nothing of the kind."""
    one, two = MADE.format(1), MADE.format(2)
    proposal = _proposed(
        "DROP TABLE people;"
        "CREATE TABLE clients (id TEXT PRIMARY KEY, name TEXT, email TEXT);"
        f"INSERT INTO clients VALUES ('{one}', 'Ann Abel', 'ann@a.test'), ('{two}', 'Ben Bird', 'ben@b.test');"
        "CREATE TABLE remarks (id INTEGER PRIMARY KEY, about TEXT, other INTEGER, body TEXT);"
        f"INSERT INTO remarks VALUES (1, '{one}', 1, 'likes tea'), (2, '{two}', 2, 'likes milk');",
        tmp_path,
    )
    note = proposal.place(Entity.NOTE)
    assert note is not None
    assert (note.table, note.parent) == ("remarks", "about")


def test_who_wrote_a_note_is_not_whom_it_is_about(tmp_path: Path) -> None:
    """Of two ways to the contacts, the author's is none; a pair of type and key is, for the rows of that type."""
    proposal = _proposed(
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, author_id INTEGER REFERENCES people (id), model TEXT, res_id INTEGER,"
        " body TEXT);"
        "INSERT INTO notes VALUES (1, 2, 'app.people', 1, 'x'), (2, 1, 'people', 1, 'likes tea'), (3, 1, 'orders', 1, 'y');",
        tmp_path,
    )
    note = proposal.place(Entity.NOTE)
    assert note is not None
    assert (note.parent, note.fixed) == ("res_id", {"model": "people"})


def test_a_table_of_companies_is_a_kind_of_its_own(tmp_path: Path) -> None:
    """Companies that contacts refer to are proposed with what they hold, and the reference as a link by key."""
    proposal = _proposed(
        "CREATE TABLE accounts (id INTEGER PRIMARY KEY, name TEXT, phone TEXT, street TEXT, country TEXT);"
        "INSERT INTO accounts VALUES (7, 'Acme', '+14155550100', '1 Main St', 'Ireland');",
        tmp_path,
        more=", account_id INTEGER REFERENCES accounts",
    )
    company = proposal.place(Entity.COMPANY)
    assert company is not None
    assert (company.table, company.key) == ("accounts", ("id",))
    assert _fields(proposal, Entity.COMPANY) == {
        "name": ("name",),
        "phone": ("phone",),
        "street": ("address",),
        "country": ("country",),
    }
    (link,) = (line for line in proposal.fields(Entity.CONTACT) if line.by)
    assert (link.column, link.ghl, link.by) == ("account_id", ("businessId",), "key")


def test_a_tenant_is_no_company(tmp_path: Path) -> None:
    """A reference that no contact lacks says whose it is: most contacts' value selects, and the others are named."""
    proposal = _proposed(
        "CREATE TABLE accounts (id INTEGER PRIMARY KEY, name TEXT);"
        "INSERT INTO accounts VALUES (7, 'Ours'), (8, 'Theirs');"
        "INSERT INTO people VALUES (3, 'Cara', 'Cole', 'cara@c.test', 8);"
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, account_id INTEGER NOT NULL, person_id INTEGER, body TEXT);",
        tmp_path,
        more=", account_id INTEGER NOT NULL DEFAULT 7",
    )
    contact, note = proposal.place(Entity.CONTACT), proposal.place(Entity.NOTE)
    assert contact is not None
    assert note is not None
    assert (contact.fixed, note.fixed) == ({"account_id": 7}, {"account_id": 7})
    assert "contacts of 8 are not touched" in _left(proposal)["people.account_id"]
    assert _fields(proposal) == OWN
    assert proposal.place(Entity.COMPANY) is None


@pytest.mark.parametrize(
    ("kinds", "tags"),
    [("4, 4", {"type": 4}), ("4, 0", None)],
    ids=["of one kind", "of two kinds"],
)
def test_names_of_tags_that_other_things_share(
    kinds: str, tags: Mapping[str, int] | None, tmp_path: Path
) -> None:
    """The kind that all tags of contacts have selects them; where contacts have names of two kinds, nobody can tell which is meant."""
    first, second = kinds.split(", ")
    proposal = _proposed(
        "CREATE TABLE categories (id INTEGER PRIMARY KEY, label TEXT, type INTEGER);"
        f"INSERT INTO categories VALUES (1, 'vip', {first}), (2, 'new', {second}), (3, 'goods', 0);"
        "CREATE TABLE categories_people (category_id INTEGER REFERENCES categories (id), person_id INTEGER REFERENCES people (id),"
        " PRIMARY KEY (category_id, person_id));"
        "INSERT INTO categories_people VALUES (1, 1), (2, 2);",
        tmp_path,
    )
    contact = proposal.place(Entity.CONTACT)
    assert contact is not None
    assert (contact.tags or {}).get("names_fixed") == tags
    assert ("tags" in _fields(proposal)) == (tags is not None)


def test_new_rows_that_nobody_can_fill_are_not_made(tmp_path: Path) -> None:
    """A column that needs a value gets the one that all rows have; where they differ, records are created in GHL alone."""
    more = ", lang TEXT NOT NULL DEFAULT 'x', number TEXT NOT NULL DEFAULT 'x'"
    proposal = _proposed(
        "CREATE TABLE made (id INTEGER PRIMARY KEY, lang TEXT NOT NULL, number TEXT NOT NULL, name TEXT, email TEXT);"
        "INSERT INTO made VALUES (1, 'de', 'K1', 'Ann', 'ann@a.test'), (2, 'de', 'K2', 'Ben', 'ben@b.test');"
        "DROP TABLE people; ALTER TABLE made RENAME TO customers;",
        tmp_path,
        more=more,
    )
    contact = proposal.place(Entity.CONTACT)
    assert contact is not None
    assert contact.on_create == {"lang": "de"}
    assert contact.creates == 'a new row of "customers" needs number, and its rows differ there'


def test_those_who_work_with_an_application_are_no_contacts(tmp_path: Path) -> None:
    """Where nothing but a table of users holds people, nobody is created on either side until a person says who is meant."""
    proposal = _proposed("ALTER TABLE people RENAME TO users", tmp_path, more=", phone TEXT")
    contact = proposal.place(Entity.CONTACT)
    assert contact is not None
    assert (contact.table, contact.creates_on) == ("users", "none")


def test_a_person_chooses_among_what_is_alike(tmp_path: Path) -> None:
    """Two tables of people, two kinds of tasks and two tenants: each is asked about once, the likeliest first, and what is chosen is taken."""
    with sqlite3.connect(tmp_path / "some.db") as database:
        database.executescript(
            "CREATE TABLE accounts (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO accounts VALUES (7, 'Ours'), (8, 'Theirs');"
            "CREATE TABLE leads (id INTEGER PRIMARY KEY, account_id INTEGER NOT NULL, first_name TEXT, last_name TEXT, email TEXT);"
            "INSERT INTO leads VALUES (1, 7, 'Ann', 'Abel', 'ann@a.test'), (2, 7, 'Ben', 'Bird', 'ben@b.test'),"
            " (3, 8, 'Cara', 'Cole', 'cara@c.test');"
            "CREATE TABLE people AS SELECT id, first_name, last_name, email FROM leads;"
            "CREATE TABLE tasks (id INTEGER PRIMARY KEY, lead_id INTEGER, account_id INTEGER NOT NULL, title TEXT, due_date TEXT);"
            "CREATE TABLE reminders (id INTEGER PRIMARY KEY, lead_id INTEGER, title TEXT, due_date TEXT);"
        )
    database.close()
    asked: dict[str, list[str]] = {}

    def choose(question: str, candidates: Sequence[str]) -> str:
        asked[question] = list(candidates)
        [wanted] = {*candidates} & {"leads", "reminders", "8"}
        return wanted

    known = {entity: kind.info for entity, kind in GHL.items()}
    tables = survey(f"sqlite:///{tmp_path}/some.db")
    proposal = propose(tables, Description("ghl:x", known), choose)
    contact, task = proposal.place(Entity.CONTACT), proposal.place(Entity.TASK)
    assert contact is not None
    assert task is not None
    assert (contact.table, contact.fixed, task.table) == ("leads", {"account_id": 8}, "reminders")
    assert [sorted(candidates) for candidates in asked.values()] == [
        ["leads", "people"],
        ["reminders", "tasks"],
        ["7", "8"],
    ]
    assert list(asked.values())[-1] == ["7", "8"]


@pytest.mark.parametrize("server", ["sqlite", "postgresql", "mariadb"])
def test_names_in_mixed_case_are_names_on_every_server(server: str, tmp_path: Path) -> None:
    """Between double quotes stands a name, but in MariaDB and MySQL a text: there a condition on it would select nothing."""
    with Sandbox(path=tmp_path / "ghl.db") as sandbox:
        sandbox.add_location("loc1")
    for url in fresh_database(server, tmp_path):
        mark = "`" if server == "mariadb" else '"'
        statements = (
            'CREATE TABLE person (id INTEGER PRIMARY KEY, "firstName" VARCHAR(50), email VARCHAR(50))',
            "INSERT INTO person VALUES (1, 'Ann', 'ann@a.test')",
            'CREATE TABLE task (id INTEGER PRIMARY KEY, title VARCHAR(50), "dueAt" TIMESTAMP NULL)',
            "INSERT INTO task VALUES (7, 'Call', '2026-03-01 09:00:00'), (8, 'Nobody''s', '2026-03-01 09:00:00')",
            'CREATE TABLE "taskTarget" (id INTEGER PRIMARY KEY, "taskId" INTEGER, "personId" INTEGER)',
            'INSERT INTO "taskTarget" VALUES (1, 7, 1)',
        )
        run(url, *(statement.replace('"', mark) for statement in statements))
        out = tmp_path / "pair.toml"
        init(
            Wish(url, "loc1", out, ghl_url=f"sandbox:{tmp_path}/ghl.db"),
            environ={"APP_DATABASE_URL": url},
        )
        with connect(load(out, environ={"APP_DATABASE_URL": url})) as sides:
            *pages, proof = sides[Side.APP].extract(Entity.TASK)
        assert isinstance(proof, Proof)
        assert proof.complete
        lines = [page.lines for page in pages if isinstance(page, Page)]
        assert b"".join(lines).count(b"\n") == 1


def test_tables_that_are_alike_are_named(tmp_path: Path) -> None:
    """Of two tables that look like contacts one is taken, and the other is said with the reason."""
    proposal = _proposed(
        "CREATE TABLE leads (id INTEGER PRIMARY KEY, first_name TEXT, last_name TEXT, email TEXT, phone TEXT)",
        tmp_path,
    )
    assert '"leads" was taken' in _left(proposal)["people"]
