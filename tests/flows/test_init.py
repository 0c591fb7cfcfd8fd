"""What `init` proposes for databases that nobody described."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from connectors.ghl.entities import GHL
from connectors.ghl.sandbox import Sandbox, serve
from flows.config import load
from flows.init import Proposal, Written, init, propose
from flows.init.found import Column, Table
from flows.init.run import Wish
from flows.init.survey import survey
from flows.init.words import CONTACT, likeness, words
from flows.wiring.wiring import connect
from reconcile.errors import ConfigError
from reconcile.model import Entity, Side
from reconcile.ports import Description, FieldInfo, Proof
from tests.connectors.databases import fresh_database, run
from tests.flows.schemas import SCHEMAS, statements

TOKEN = "pit-init-secret"


def _known() -> dict[Entity, Mapping[str, FieldInfo]]:
    """GHL's standard fields."""
    return {entity: kind.info for entity, kind in GHL.items()}


def _init(tmp_path: Path, schema: str, **wish: str) -> Written:
    with sqlite3.connect(tmp_path / "app.db") as database:
        database.executescript(SCHEMAS[schema])
    database.close()
    sandbox = Sandbox(path=tmp_path / "ghl.db")
    sandbox.add_location("loc1", country="DE" if schema == "clinic" else "US")
    sandbox.seed_custom_field("loc1", "Customer number")
    sandbox.close()
    told = Wish(
        f"sqlite:///{tmp_path}/app.db",
        "loc1",
        tmp_path / "pair.toml",
        ghl_url=f"sandbox:{tmp_path}/ghl.db",
    )
    return init(told, environ={})


def _placed(proposal: Proposal, entity: Entity) -> Mapping[str, tuple[str, ...]]:
    return {line.column: line.ghl for line in proposal.fields(entity)}


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("server", ["postgresql", "mariadb"])
def test_on_a_database_server(tmp_path: Path, server: str, schema: str) -> None:
    """PostgreSQL and MariaDB, whose types and keys are told otherwise, get the very proposal that SQLite gets."""
    here = _init(tmp_path, schema).proposal
    for url in fresh_database(server, tmp_path):
        run(url, *statements(schema, server))
        wish = Wish(url, "loc1", tmp_path / "server.toml", ghl_url=f"sandbox:{tmp_path}/ghl.db")
        there = init(wish, environ={}).proposal
        assert {(p.entity, p.table, p.modified_at, p.deleted, p.parent) for p in there.places} == {
            (p.entity, p.table, p.modified_at, p.deleted, p.parent) for p in here.places
        }
        assert [place.tags for place in there.places] == [place.tags for place in here.places]
        for entity in Entity:
            assert _placed(there, entity) == _placed(here, entity)
        assert [(line.column, line.choices, line.also) for line in there.lines] == [
            (line.column, line.choices, line.also) for line in here.lines
        ]
        assert {one.where for one in there.unplaced} == {one.where for one in here.unplaced}
        assert load(tmp_path / "server.toml", environ={"APP_DATABASE_URL": url}).mapping.entities


def test_crm(tmp_path: Path) -> None:
    """In a CRM with snake_case columns, a join table for tags, todos and comments, everything finds its place."""
    proposal = _init(tmp_path, "crm").proposal
    assert {place.entity: place.table for place in proposal.places} == {
        Entity.CONTACT: "people",
        Entity.TASK: "todos",
        Entity.NOTE: "comments",
    }
    assert _placed(proposal, Entity.CONTACT) == {
        "first_name": ("firstName",),
        "last_name": ("lastName",),
        "email_address": ("email",),
        "mobile_phone": ("phone",),
        "street": ("address1",),
        "town": ("city",),
        "state": ("state",),
        "zip": ("postalCode",),
        "country_code": ("country",),
        "date_of_birth": ("dateOfBirth",),
        "company": ("companyName",),
        "lead_source": ("source",),
        "customer_number": ("contact.customer_number",),
        "tags": ("tags",),
    }
    contact = proposal.place(Entity.CONTACT)
    assert contact is not None
    assert (contact.modified_at, contact.deleted) == ("updated_at", "deleted_at")
    assert contact.tags == {
        "table": "people_tags",
        "contact": "person_id",
        "tag": "tag_id",
        "names": "tags",
        "names_key": "id",
        "names_column": "name",
    }
    assert _placed(proposal, Entity.TASK) == {
        "subject": ("title",),
        "description": ("body",),
        "due_at": ("dueDate",),
        "status": ("completed",),
    }
    (status,) = (line for line in proposal.lines if line.column == "status")
    assert status.choices == {"open": False, "done": True, "waiting": False}
    (phone,) = (line for line in proposal.lines if line.column == "mobile_phone")
    assert phone.also == ("home_phone",)
    assert {one.where for one in proposal.unplaced} == {
        "company",
        "opportunity",
        "people.display_name",
        "people.owner_id",
        "people.shoe_size",
    }


def test_shop(tmp_path: Path) -> None:
    """In a shop with PascalCase columns the customers are found among tables alike, with tags in a delimited column."""
    proposal = _init(tmp_path, "shop").proposal
    assert {place.entity: place.table for place in proposal.places} == {
        Entity.CONTACT: "Customers",
        Entity.TASK: "FollowUps",
    }
    assert _placed(proposal, Entity.CONTACT) == {
        "CustomerName": ("firstName", "lastName"),
        "EMail": ("email",),
        "TelephoneNo": ("phone",),
        "AddressLine1": ("address1",),
        "CityName": ("city",),
        "County": ("state",),
        "PostCode": ("postalCode",),
        "Country": ("country",),
        "tags": ("tags",),
    }
    contact = proposal.place(Entity.CONTACT)
    assert contact is not None
    assert contact.tags == {"column": "Labels", "form": "delimited", "delimiter": ";"}
    assert _placed(proposal, Entity.TASK) == {
        "TaskName": ("title",),
        "Details": ("body",),
        "DueDate": ("dueDate",),
        "IsDone": ("completed",),
    }


def test_clinic(tmp_path: Path) -> None:
    """In a clinic with German names what has a place finds it, and what has none is said, with the reason."""
    written = _init(tmp_path, "clinic")
    proposal = written.proposal
    assert _placed(proposal, Entity.CONTACT) == {
        "vorname": ("firstName",),
        "name": ("lastName",),
        "geburtsdatum": ("dateOfBirth",),
        "e_mail": ("email",),
        "telefon": ("phone",),
        "straße": ("address1",),
        "plz": ("postalCode",),
        "ort": ("city",),
    }
    why = {one.where: one.why for one in proposal.unplaced}
    assert set(why) == {
        "company",
        "task",
        "opportunity",
        "tags",
        "patienten.geschlecht",
        "patienten.krankenkasse",
        "patienten.blutgruppe",
        "patienten.versichertennr",
    }
    assert "no table looks like tasks" in why["task"]
    assert "only when a contact is created" in why["patienten.geschlecht"]
    text = written.path.read_text(encoding="utf-8")
    for where in why:
        assert where in text


@pytest.mark.parametrize("schema", SCHEMAS)
def test_the_file_works(schema: str, tmp_path: Path) -> None:
    """The pair file that init writes is accepted, and both sides can be read with it as it is."""
    written = _init(tmp_path, schema)
    pair = load(written.path, environ={})
    with connect(pair) as sides:
        for side, connector in sides.items():
            described = connector.describe()
            for entity in pair.mapping.entities:
                assert set(entity.native(side)) <= set(described.fields[entity.entity]), (
                    f"{side} {entity.entity}"
                )
                *_, proof = connector.extract(entity.entity)
                assert isinstance(proof, Proof)
                assert proof.complete, proof.why_incomplete
        if schema == "clinic":
            assert pair.region == "DE"
    assert sides[Side.APP].side is Side.APP


def test_over_http_with_a_token(tmp_path: Path) -> None:
    """Against a server the token comes from the named variable and stays out of the file."""
    with sqlite3.connect(tmp_path / "app.db") as database:
        database.executescript(SCHEMAS["crm"])
    database.close()
    sandbox = Sandbox()
    sandbox.add_location("loc1")
    sandbox.add_token(TOKEN, "loc1")
    with serve(sandbox) as url:
        wish = Wish(
            f"sqlite:///{tmp_path}/app.db",
            "loc1",
            tmp_path / "pair.toml",
            ghl_url=url,
            token_env="ACME_TOKEN",
        )
        written = init(wish, environ={"ACME_TOKEN": TOKEN})
    sandbox.close()
    text = written.path.read_text()
    assert 'token = "env:ACME_TOKEN"' in text
    assert TOKEN not in text
    assert 'url = "sqlite:///app.db"' in text


def _tables(sql: str, tmp_path: Path) -> Proposal:
    with sqlite3.connect(tmp_path / "some.db") as database:
        database.executescript(sql)
    database.close()
    return propose(survey(f"sqlite:///{tmp_path}/some.db"), Description("ghl:x", _known()))


def test_a_legacy_schema(tmp_path: Path) -> None:
    """Abbreviated prefixes, references by the key's own name and no declared foreign keys are no obstacle."""
    proposal = _tables(
        "CREATE TABLE tblCustomer (CustID INTEGER PRIMARY KEY, CustFName TEXT, CustLName TEXT, CustEmail TEXT, CustZip TEXT);"
        "CREATE TABLE tblActivity (ActID INTEGER PRIMARY KEY, CustID INTEGER, ActSubject TEXT, ActDue TEXT, ActStatus TEXT);"
        "INSERT INTO tblActivity VALUES (1, 1, 'Call', '2026-01-01 00:00:00', 'Closed'), (2, 1, 'x', '2026-01-01', 'Open');",
        tmp_path,
    )
    assert _placed(proposal, Entity.CONTACT) == {
        "CustFName": ("firstName",),
        "CustLName": ("lastName",),
        "CustEmail": ("email",),
        "CustZip": ("postalCode",),
    }
    task = proposal.place(Entity.TASK)
    assert task is not None
    assert task.parent == "CustID"
    assert _placed(proposal, Entity.TASK) == {
        "ActSubject": ("title",),
        "ActDue": ("dueDate",),
        "ActStatus": ("completed",),
    }


def test_what_only_looks_right_is_left_out(tmp_path: Path) -> None:
    """A status called state and a password are not mapped, and said; addresses in a table of their own are joined."""
    proposal = _tables(
        "CREATE TABLE clientes (id INTEGER PRIMARY KEY, nombre TEXT, apellidos TEXT, correo TEXT, estado TEXT, pwd_hash TEXT);"
        "INSERT INTO clientes VALUES (1, 'Ana', 'Ruiz', 'ana@x.example', 'activo', 'x'), (2, 'Eva', 'Gil', 'e@x.example', 'inactivo', 'y');"
        "CREATE TABLE direcciones (id INTEGER PRIMARY KEY, cliente_id INTEGER, calle TEXT, ciudad TEXT, cp TEXT);",
        tmp_path,
    )
    assert _placed(proposal, Entity.CONTACT) == {
        "nombre": ("firstName",),
        "apellidos": ("lastName",),
        "correo": ("email",),
        "address.calle": ("address1",),
        "address.ciudad": ("city",),
        "address.cp": ("postalCode",),
    }
    contact = proposal.place(Entity.CONTACT)
    assert contact is not None
    assert [join.said for join in contact.joins] == [
        {"table": "direcciones", "on": {"cliente_id": "id"}}
    ]
    why = {one.where: one.why for one in proposal.unplaced}
    assert "secret" in why["clientes.pwd_hash"]
    assert "clientes.estado" in why


def test_a_new_sandbox_gets_the_location_and_another_one_is_told(tmp_path: Path) -> None:
    """A sandbox file that is not there yet is a location without records; one with other locations names them."""
    with sqlite3.connect(tmp_path / "app.db") as database:
        database.executescript(SCHEMAS["crm"])
    database.close()
    wish = Wish(
        f"sqlite:///{tmp_path}/app.db",
        "mine",
        tmp_path / "pair.toml",
        ghl_url=f"sandbox:{tmp_path}/new.db",
    )
    assert init(wish, environ={}).proposal.places
    with pytest.raises(ConfigError) as raised:
        init(replace(wish, location="other", out=tmp_path / "other.toml"), environ={})
    (problem,) = raised.value.problems
    assert "has no location 'other'" in problem.what
    assert "Name one that it has: mine." in problem.remedy


def test_what_ghl_requires_and_the_app_may_lack_is_told(tmp_path: Path) -> None:
    """A due date that is blank here and there, may be blank or has no column at all, is said on the screen and in the file."""

    def tried(name: str, due: str, rows: str) -> tuple[str, str]:
        folder = tmp_path / name
        folder.mkdir()
        SCHEMAS[name] = f"""
            CREATE TABLE people (id INTEGER PRIMARY KEY, first_name TEXT, last_name TEXT, email TEXT);
            INSERT INTO people VALUES (1, 'Ann', 'Lee', 'ann@example.com');
            CREATE TABLE tasks (id INTEGER PRIMARY KEY, person_id INTEGER REFERENCES people(id), title TEXT NOT NULL{due});
            INSERT INTO tasks VALUES {rows};"""
        try:
            written = _init(folder, name)
        finally:
            del SCHEMAS[name]
        return "\n".join(written.todo), written.path.read_text()

    due = ", due_date DATETIME"
    told, text = tried("some", due, "(1, 1, 'Call', '2026-02-01 09:00:00'), (2, 1, 'Mail', NULL)")
    assert (
        "GHL takes no new task without dueDate, and due_date is blank in 1 of the 2 rows looked at"
        in told
    )
    assert 'fallback = "…"' in told
    assert "GHL takes no new task without it, and it is blank in 1 of the 2 rows looked at" in text
    told, text = tried("none", due, "(1, 1, 'Call', '2026-02-01 09:00:00')")
    assert "GHL takes no new task" not in told
    assert "GHL takes no new task without it, and it may be blank" in text
    told, _ = tried("always", f"{due} NOT NULL", "(1, 1, 'Call', '2026-02-01 09:00:00')")
    assert "GHL takes no new task" not in told
    told, text = tried("unmapped", "", "(1, 1, 'Call')")
    assert "GHL takes no new task without dueDate, and no column is mapped to that" in told
    assert 'create = "app"' in text


def test_an_existing_file_is_left_alone(tmp_path: Path) -> None:
    """Init never overwrites a pair file."""
    (tmp_path / "pair.toml").write_text("mine")
    with pytest.raises(ConfigError, match="exists already"):
        _init(tmp_path, "crm")
    assert (tmp_path / "pair.toml").read_text() == "mine"


def test_without_a_token(tmp_path: Path) -> None:
    """A missing token is said by the name of its variable before GHL is asked anything."""
    with sqlite3.connect(tmp_path / "app.db") as database:
        database.executescript(SCHEMAS["crm"])
    database.close()
    wish = Wish(
        f"sqlite:///{tmp_path}/app.db", "loc1", tmp_path / "pair.toml", token_env="ACME_TOKEN"
    )
    with pytest.raises(ConfigError, match="ACME_TOKEN is not set"):
        init(wish, environ={})


def test_no_contacts(tmp_path: Path) -> None:
    """A database without anything like contacts is refused with the tables that were seen; no file is written."""
    with sqlite3.connect(tmp_path / "app.db") as database:
        database.executescript("CREATE TABLE stock (sku TEXT PRIMARY KEY, amount INTEGER);")
    database.close()
    Sandbox(path=tmp_path / "ghl.db").close()
    sandbox = Sandbox(path=tmp_path / "ghl.db")
    sandbox.add_location("loc1")
    sandbox.close()
    wish = Wish(
        f"sqlite:///{tmp_path}/app.db",
        "loc1",
        tmp_path / "pair.toml",
        ghl_url=f"sandbox:{tmp_path}/ghl.db",
    )
    with pytest.raises(ConfigError, match="tables seen: stock"):
        init(wish, environ={})
    assert not (tmp_path / "pair.toml").exists()


def test_a_person_is_asked_where_it_is_unsure(tmp_path: Path) -> None:
    """Lines that are not quite sure are asked about; what is denied stands in the file as a comment only."""
    with sqlite3.connect(tmp_path / "app.db") as database:
        database.executescript(
            "CREATE TABLE clients (id INTEGER PRIMARY KEY, full_name TEXT, reach_at TEXT, phone TEXT, city TEXT);"
            "INSERT INTO clients VALUES (1, 'Ann Lee', 'ann@x.example', '+1 212 555 0101', 'Troy');"
        )
    database.close()
    sandbox = Sandbox(path=tmp_path / "ghl.db")
    sandbox.add_location("loc1")
    sandbox.close()
    asked = []
    wish = Wish(
        f"sqlite:///{tmp_path}/app.db",
        "loc1",
        tmp_path / "pair.toml",
        ghl_url=f"sandbox:{tmp_path}/ghl.db",
    )
    init(wish, ask=lambda line: bool(asked.append(line.column)), environ={})
    assert asked == ["reach_at"]
    assert '# reach_at = "email"' in wish.out.read_text()


def test_files(tmp_path: Path) -> None:
    """A folder of CSV files is surveyed like a database: the key by its values, references by their names."""
    (tmp_path / "customers.csv").write_text(
        "CustomerNo;Full Name;E-Mail;Phone;Tags\n7;Ann Lee;ann@x.example;+1 212 555 0101;vip|new\n8;Bob Ray;bob@x.example;;vip\n"
    )
    (tmp_path / "todos.csv").write_text("id,customer_id,title,due\n1,7,Call,2026-01-01T09:00:00Z\n")
    (tmp_path / "readme.md").write_text("nothing")
    sandbox = Sandbox(path=tmp_path / "ghl.db")
    sandbox.add_location("loc1")
    sandbox.close()
    written = init(
        Wish(str(tmp_path), "loc1", tmp_path / "pair.toml", ghl_url=f"sandbox:{tmp_path}/ghl.db"),
        environ={},
    )
    assert _placed(written.proposal, Entity.CONTACT) == {
        "Full Name": ("firstName", "lastName"),
        "E-Mail": ("email",),
        "Phone": ("phone",),
        "tags": ("tags",),
    }
    text = written.path.read_text()
    for line in (
        'connector = "csv"',
        'path = "customers.csv"',
        'key = "CustomerNo"',
        'tags_delimiter = "|"',
        'parent = "customer_id"',
    ):
        assert line in text
    pair = load(written.path, environ={})
    with connect(pair) as sides:
        for entity in pair.mapping.entities:
            shown = sides[Side.APP].describe().fields[entity.entity]
            assert set(entity.native(Side.APP)) <= set(shown)
            *_, proof = sides[Side.APP].extract(entity.entity)
            assert isinstance(proof, Proof)
            assert proof.complete, proof.why_incomplete


def test_the_variable_that_a_pair_file_names_is_read(tmp_path: Path) -> None:
    """`--app env:APP_DATABASE_URL`, the very name that init writes itself, leads to what the variable holds."""
    with sqlite3.connect(tmp_path / "app.db") as database:
        database.executescript(SCHEMAS["crm"])
    database.close()
    with Sandbox(path=tmp_path / "ghl.db") as sandbox:
        sandbox.add_location("loc1")
    wish = Wish(
        "env:APP_DATABASE_URL", "loc1", tmp_path / "pair.toml", ghl_url=f"sandbox:{tmp_path}/ghl.db"
    )
    written = init(wish, environ={"APP_DATABASE_URL": f"sqlite:///{tmp_path}/app.db"})
    assert 'url = "env:APP_DATABASE_URL"' in written.path.read_text()


def test_the_address_of_a_json_api_is_not_enough(tmp_path: Path) -> None:
    """A web address as the app is refused with what to give instead."""
    with pytest.raises(ConfigError, match="Save its OpenAPI document"):
        init(Wish("https://api.example", "loc1", tmp_path / "pair.toml"), environ={})


def test_passwords_stay_out_of_the_file(tmp_path: Path) -> None:
    """A database URL with a password is written as a reference to a variable."""
    from flows.init.run import _written_url

    wish = Wish("postgresql://me:hunter2@db.example/app", "loc1", tmp_path / "pair.toml")
    assert _written_url(wish) == "env:APP_DATABASE_URL"


@pytest.mark.parametrize(
    ("name", "concept"),
    [
        ("FIRST-NAME", "firstName"),
        ("strFirstName", "firstName"),
        ("customer_fname", "firstName"),
        ("apellidos", "lastName"),
        ("prénom", "firstName"),
        ("correo_electrónico", "email"),
        ("e-mail", "email"),
        ("tel_nr", "phone"),
        ("Cellulare", "phone"),
        ("código_postal", "postalCode"),
        ("PLZ", "postalCode"),
        ("fecha_nacimiento", "dateOfBirth"),
        ("dob", "dateOfBirth"),
        ("pays", "country"),
        ("indirizzo", "address1"),
        ("emaill", "email"),
    ],
)
def test_names_in_other_conventions(name: str, concept: str) -> None:
    """A column's name is recognised across naming conventions and languages, and better than as anything else."""
    scores = {other: likeness(name, said) for other, said in CONTACT.items()}
    assert max(scores, key=lambda other: scores[other]) == concept, scores
    assert scores[concept] >= 0.6


def test_words() -> None:
    """Case, separators, accents and digits part a name into the same words."""
    assert (
        words("addressLine1")
        == words("ADDRESS_LINE_1")
        == words("address-line 1")
        == ("address", "line", "1")
    )
    assert words("HTTPServer") == ("http", "server")
    assert words("Straße") == ("strasse",)


def test_the_proposal_depends_on_nothing_else() -> None:
    """The same tables in another order give the same proposal."""
    people = Table("people", (Column("id", "integer"), Column("email"), Column("phone")), ("id",))
    staff = Table("staff", (Column("id", "integer"), Column("email"), Column("phone")), ("id",))
    ghl = Description(
        "ghl:x",
        {**_known(), Entity.CONTACT: {**GHL[Entity.CONTACT].info, "contact.x": FieldInfo()}},
    )
    assert propose((people, staff), ghl) == propose((staff, people), ghl)
