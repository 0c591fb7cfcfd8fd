"""Companies and their contacts between a database and GHL's look-alike, from the pair file to what both sides hold."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from connectors.ghl.sandbox import Limit, Sandbox, Settings, serve
from connectors.ghl.sandbox.nouns import Business
from flows.config import Pair, load
from flows.jobs.approval import carry_out, propose
from flows.jobs.full import FULL
from flows.run import Options
from flows.runner import run_job
from reconcile.errors import ConfigError
from tests.connectors.ghl.hosted import VERSIONS

PAIR = """\
pair = "acme"
store = "{folder}/store"
[app]
url = "sqlite:///{folder}/app.db"
[app.contact]
table = "people"
{app}
[ghl]
url = "{url}"
location = "loc1"
token = "env:GHL_TOKEN"
version = "{version}"
lag_seconds = 0
[contact]
match = ["mail"]
[contact.fields]
mail = "email"
{fields}
"""
BY_KEY = {
    "app": '[app.company]\ntable = "firms"',
    "fields": 'firm = { app = "firm_id", ghl = "businessId", by = "key" }\n'
    '[company.fields]\ntitle = "name"\ntown = "city"',
}
BY_NAME = {"app": "", "fields": 'firm = { ghl = "businessId", by = "name" }'}
FIRMS = "CREATE TABLE firms (id INTEGER PRIMARY KEY, title TEXT NOT NULL, town TEXT)"
PEOPLE = "CREATE TABLE people (id INTEGER PRIMARY KEY, mail TEXT, firm_id INTEGER REFERENCES firms)"


def sql(folder: Path, *statements: str) -> list[tuple[object, ...]]:
    """Carry out statements in the app's database; the last one's rows."""
    rows: list[tuple[object, ...]] = []
    with sqlite3.connect(folder / "app.db") as app:
        for statement in statements:
            rows = app.execute(statement).fetchall()
    app.close()
    return rows


@contextmanager
def location() -> Iterator[tuple[Sandbox, str]]:
    sandbox = Sandbox(Settings(pit=Limit(max=10_000), lag_seconds=0.0))
    sandbox.add_location("loc1")
    sandbox.add_token("pit-whole", "loc1")
    with serve(sandbox) as url:
        yield sandbox, url
    sandbox.close()


def pair_of(folder: Path, url: str, said: dict[str, str], version: str) -> Pair:
    file = folder / "acme.toml"
    file.write_text(PAIR.format(folder=folder, url=url, version=version, **said))
    return load(file, environ={"GHL_TOKEN": "pit-whole"})


def employers(sandbox: Sandbox) -> dict[str, str | None]:
    """The name of each contact's company in GHL, by the contact's email."""
    named = {one.id: one.name for one in sandbox.state.live(Business, "loc1")}
    people = sandbox.contacts("loc1")
    return {str(one["email"]): named.get(str(one.get("businessId"))) for one in people}


@pytest.mark.parametrize("version", VERSIONS)
def test_p3_a_company_and_its_contact_arrive_together(version: str, tmp_path: Path) -> None:
    """As a plan that is approved: firms that both have, that the app alone has, and that GHL alone has, each with its people; then a change of firm, and a firm that goes."""
    sql(
        tmp_path,
        FIRMS,
        PEOPLE,
        "INSERT INTO firms VALUES (1, 'Acme', 'Cork'), (2, 'Bond', 'Bern')",
        "INSERT INTO people VALUES (1, 'ann@x.com', 1), (2, 'bob@x.com', 2)",
    )
    with location() as (sandbox, url):
        acme = sandbox.seed_business("loc1", "ACME", city="Cork")
        cole = sandbox.seed_business("loc1", "Cole", city="Caen")
        for mail, firm in (("amy@x.com", acme), ("cyd@x.com", cole)):
            sandbox.seed_contact("loc1", email=mail, businessId=firm)
        pair = pair_of(tmp_path, url, BY_KEY, version)
        carry_out(pair, propose(pair).plan.digest, Options())
        assert employers(sandbox) == {
            "ann@x.com": "ACME",
            "amy@x.com": "ACME",
            "bob@x.com": "Bond",
            "cyd@x.com": "Cole",
        }
        joined = "SELECT mail, lower(title) FROM people JOIN firms ON firms.id = firm_id ORDER BY 1"
        assert sql(tmp_path, joined) == [
            ("amy@x.com", "acme"),
            ("ann@x.com", "acme"),
            ("bob@x.com", "bond"),
            ("cyd@x.com", "cole"),
        ]
        sql(tmp_path, "UPDATE people SET firm_id = 2 WHERE mail = 'ann@x.com'")
        told = run_job(pair, FULL)
        assert [each["entity"] for each in told.document["changes"]] == ["contact"]
        assert employers(sandbox)["ann@x.com"] == "Bond"
        assert not run_job(pair, FULL).document["changes"]


def test_a_company_by_its_name_follows_the_location_s_own(tmp_path: Path) -> None:
    """A text of the app is a company of GHL, whatever its letter case; one that GHL has not is named, and clears nothing."""
    sql(
        tmp_path,
        "CREATE TABLE people (id INTEGER PRIMARY KEY, mail TEXT, firm TEXT)",
        "INSERT INTO people VALUES (1, 'ann@x.com', 'acme'), (2, 'bob@x.com', 'Nowhere')",
    )
    with location() as (sandbox, url):
        acme = sandbox.seed_business("loc1", "ACME")
        sandbox.seed_contact("loc1", email="cyd@x.com", businessId=acme)
        pair = pair_of(tmp_path, url, BY_NAME, VERSIONS[0])
        told = run_job(pair, FULL)
        assert employers(sandbox) == {"ann@x.com": "ACME", "bob@x.com": None, "cyd@x.com": "ACME"}
        firms = sql(tmp_path, "SELECT mail, firm FROM people ORDER BY mail")
        assert firms == [("ann@x.com", "acme"), ("bob@x.com", "Nowhere"), ("cyd@x.com", "ACME")]
        (value,) = told.document["quality"]["invalid"]
        assert "no company of the location" in str(value)


NAMED = {
    "app": '[app.company]\ntable = "firms"',
    "fields": 'firm = { ghl = "businessId", by = "name" }\n[company]\nabsent_runs = 1\n'
    'delete = { app = "mirror", ghl = "mirror" }\n[company.fields]\ntitle = "name"\ntown = "city"',
}


@pytest.mark.parametrize("gone", ["app", "ghl"])
def test_a_company_that_somebody_new_names_does_not_go_unasked(tmp_path: Path, gone: str) -> None:
    """Where people name their company by its name, one that is deleted on one side, and given to somebody on the other, is asked about as one that they know by key."""
    sql(
        tmp_path,
        FIRMS,
        "CREATE TABLE people (id INTEGER PRIMARY KEY, mail TEXT, firm TEXT)",
        "INSERT INTO firms VALUES (1, 'Acme', 'Cork'), (2, 'Bond', 'Bern')",
        "INSERT INTO people VALUES (1, 'ann@x.com', 'Acme'), (2, 'bob@x.com', 'Bond')",
    )
    with location() as (sandbox, url):
        acme = sandbox.seed_business("loc1", "Acme", city="Cork")
        sandbox.seed_business("loc1", "Bond", city="Bern")
        pair = pair_of(tmp_path, url, NAMED, VERSIONS[0])
        run_job(pair, FULL)
        if gone == "app":
            sql(tmp_path, "DELETE FROM firms WHERE id = 1")
            sandbox.seed_contact("loc1", email="cyd@x.com", businessId=acme)
        else:
            business = next(one for one in sandbox.state.live(Business, "loc1") if one.id == acme)
            sandbox.state.store.put(msgspec.structs.replace(business, deleted=True))
            sql(tmp_path, "UPDATE people SET firm = 'acme' WHERE mail = 'bob@x.com'")
        questions = []
        for _ in range(2):
            holds = run_job(pair, FULL).document["holds"]
            questions += [hold for hold in holds if hold["kind"] == "delete"]
        assert "somebody new belongs to it" in questions[0]["because"]
        # An answer to the first counts in the second night.
        assert len({each["values_digest"] for each in questions}) == 1
        assert len(questions) == 2
        there = {one.name for one in sandbox.state.live(Business, "loc1")}
        kept = {title for (title,) in sql(tmp_path, "SELECT title FROM firms")}
        assert "Acme" in (there if gone == "app" else kept)


def test_a_company_by_key_needs_companies(tmp_path: Path) -> None:
    """Without companies in the pair file no key has another end: the file is refused, with what to write."""
    with pytest.raises(ConfigError, match=r"(?s)follows the links of companies.*by = .name."):
        pair_of(
            tmp_path,
            "http://127.0.0.1:1",
            {"app": "", "fields": 'firm = { ghl = "businessId", by = "key" }'},
            VERSIONS[0],
        )
