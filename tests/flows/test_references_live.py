"""References to what is gone, between a database with real foreign keys and GHL's look-alike: the record goes on, the reference alone waits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from connectors.ghl.sandbox import Limit, Sandbox, Settings, serve
from connectors.ghl.sandbox.nouns import Business
from connectors.sql.engine import database_url
from flows.config import Pair, load
from flows.jobs.full import FULL
from flows.runner import run_job
from reconcile.ledger.ledger import Decision, Ledger
from tests.connectors.databases import fresh_database, run

PAIR = """\
pair = "acme"
store = "{folder}/store"
[app]
url = "{app}"
[app.contact]
table = "people"
[app.company]
table = "firms"
[ghl]
url = "{url}"
location = "loc1"
token = "env:GHL_TOKEN"
lag_seconds = 0
[contact]
match = ["mail"]
[contact.fields]
mail = "email"
town = "city"
firm = {{ app = "firm_id", ghl = "businessId", by = "key" }}
[company]
absent_runs = 1
[company.fields]
title = "name"
"""
TABLES = (
    "CREATE TABLE firms (id {key} PRIMARY KEY, title VARCHAR(80) NOT NULL)",
    "CREATE TABLE people (id {key} PRIMARY KEY, mail VARCHAR(80), town VARCHAR(80), "
    "firm_id INTEGER, FOREIGN KEY (firm_id) REFERENCES firms (id) ON DELETE SET NULL)",
)
KEYS = {"sqlite": "INTEGER", "postgresql": "SERIAL"}


@dataclass
class Place:
    """An app with foreign keys, a location, and a pair of both."""

    folder: Path
    app: str
    sandbox: Sandbox
    url: str

    def pair(self) -> Pair:
        file = self.folder / "acme.toml"
        file.write_text(PAIR.format(folder=self.folder, app=self.app, url=self.url))
        return load(file, environ={"GHL_TOKEN": "pit-whole"})

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Carry out a statement in the app's database; its rows."""
        engine = sa.create_engine(database_url(self.app), poolclass=sa.NullPool)
        with engine.begin() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA foreign_keys=ON")
            said = connection.exec_driver_sql(statement)
            return [tuple(row) for row in said] if said.returns_rows else []

    def people(self) -> dict[str, tuple[str | None, str | None]]:
        """The town and the firm of each person in the app, by their mail."""
        joined = "SELECT mail, town, title FROM people LEFT JOIN firms ON firms.id = firm_id"
        return {mail: (town, firm) for mail, town, firm in self.sql(joined)}

    def contacts(self) -> dict[str, tuple[str | None, str | None]]:
        """The same in GHL."""
        named = {one.id: one.name for one in self.sandbox.state.live(Business, "loc1")}
        return {
            str(one["email"]): (one["city"], named.get(str(one["businessId"])))
            for one in self.sandbox.contacts("loc1")
        }

    def acme(self) -> str:
        """GHL's key of Acme."""
        firms = self.sandbox.state.live(Business, "loc1")
        return next(str(one.id) for one in firms if one.name == "Acme")

    def restore(self, document: Mapping[str, Any]) -> None:
        """Somebody answers the question about a company that was deleted."""
        (question,) = [one for one in document["holds"] if one["entity"] == "company"]
        ledger = Ledger(f"sqlite:///{self.folder}/store/ledger.db", "acme")
        (row,) = [row for row in ledger.holds() if row.hold_id == question["hold_id"]]
        at = "2026-01-01T00:00:00Z"
        ledger.decide(Decision(row.hold_id, "restore", row.values_digest, "Ada", at, ""))
        ledger.close()


@pytest.fixture(params=KEYS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Acme and other firms, and Ann, who works nowhere, in the app; nothing in GHL."""
    for app in fresh_database(request.param, tmp_path):
        run(app, *(one.format(key=KEYS[request.param]) for one in TABLES))
        sandbox = Sandbox(Settings(pit=Limit(max=10_000), lag_seconds=0.0))
        sandbox.add_location("loc1")
        sandbox.add_token("pit-whole", "loc1")
        with serve(sandbox) as url:
            made = Place(tmp_path, app, sandbox, url)
            made.sql("INSERT INTO firms (title) VALUES ('Acme'), ('Bond'), ('Cole'), ('Dane')")
            made.sql("INSERT INTO people (mail, town) VALUES ('ann@x.com', 'Cork')")
            yield made
        sandbox.close()


def unsent(document: Mapping[str, Any], gone_from: str) -> int:
    """How many links to a firm that is gone the report names, of a run that does not say that both sides agree."""
    assert document["verdict"]["code"] == "holds"
    (why,) = {one["why"] for one in document["quality"]["invalid"]}
    assert why == f"the key of a company that is gone from {gone_from}"
    listed = [one for one in document["values"]["listed"] if one["class"] == "unreadable"]
    assert {(one["entity"], one["field"]) for one in listed} == {("contact", "firm")}
    return len(listed)


def test_what_works_at_a_firm_that_the_app_deleted_arrives_without_it(place: Place) -> None:
    """A database with foreign keys takes no key of a row that is gone: the new contact and the other value arrive, the links wait, named, for the firm."""
    pair = place.pair()
    run_job(pair, FULL)
    place.sql("DELETE FROM firms WHERE title = 'Acme'")
    (ann,) = place.sandbox.contacts("loc1")
    place.sandbox.edit_contact(ann["id"], city="Basel", businessId=place.acme())
    place.sandbox.seed_contact("loc1", email="bob@x.com", city="Bern", businessId=place.acme())
    first = run_job(pair, FULL).document
    assert place.people() == {"ann@x.com": ("Basel", None), "bob@x.com": ("Bern", None)}
    assert unsent(first, "the app") == 2
    place.restore(first)
    second = run_job(pair, FULL).document
    assert place.people() == {"ann@x.com": ("Basel", "Acme"), "bob@x.com": ("Bern", "Acme")}
    assert second["verdict"]["code"] == "agreed"


def test_what_works_at_a_firm_that_ghl_deleted_arrives_without_it(place: Place) -> None:
    """GHL would take the contact and drop the link, which nobody would send again: it waits, named, for the firm."""
    pair = place.pair()
    run_job(pair, FULL)
    place.sandbox.delete_business(place.acme())
    place.sql("UPDATE people SET town = 'Basel', firm_id = 1")
    place.sql("INSERT INTO people (mail, town, firm_id) VALUES ('bob@x.com', 'Bern', 1)")
    first = run_job(pair, FULL).document
    assert place.contacts() == {"ann@x.com": ("Basel", None), "bob@x.com": ("Bern", None)}
    assert unsent(first, "GHL") == 2
    place.restore(first)
    second = run_job(pair, FULL).document
    assert place.contacts() == {"ann@x.com": ("Basel", "Acme"), "bob@x.com": ("Bern", "Acme")}
    assert second["verdict"]["code"] == "agreed"
