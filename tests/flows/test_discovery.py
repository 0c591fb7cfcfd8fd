"""An agency's locations: discovered, put into a table, made into pairs, and each asked whether its pair fits it."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from connectors.ghl import agency
from connectors.ghl.auth import Tokens
from connectors.ghl.sandbox import Limit, Sandbox, Settings, serve
from connectors.ghl.sandbox.sandbox import ALL_SCOPES
from connectors.ghl.tokens import KEY_VARIABLE
from flows.config import load
from flows.fleet.agency import agency_app
from flows.fleet.discovery import discover
from flows.fleet.table import of_csv
from flows.wiring.credentials import agencies_of
from reconcile.errors import ConfigError, Expired, Malformed, WrongLocation
from reconcile.ledger.ledger import Ledger
from tests.flows.calls import Said, say

LATER = 4e9
"""Epoch seconds at which a token of these tests is to be renewed: far off."""

TEMPLATE = """\
pair = "{{column:pair}}"
store = "state/{{column:pair}}"
ledger = "sqlite:///{folder}/fleet.db"
[app]
connector = "sql"
url = "sqlite:///{{column:pair}}.db"
[app.contact]
table = "people"
modified_at = "updated_at"
[ghl]
url = "{url}"
version = "{version}"
location = "{{column:location}}"
default_owner = "ann@example.com"
oauth = {{ client_id = "app1-x", client_secret = "env:SECRET", company = "{{column:company}}" }}
[contact]
match = ["mail"]
[contact.fields]
name = "lastName"
mail = "email"
owner = {{ ghl = "assignedTo", by = "email" }}
size = "contact.shirt_size"
"""

AGENCIES = ("north", "south")
REVOKED, RENAMED, BARE, GONE, MOVED = "north-03", "north-04", "south-05", "south-06", "south-07"


@dataclass(frozen=True, slots=True)
class Fleet:
    """A folder with the template, and the sandbox with the locations of two agencies."""

    folder: Path
    sandbox: Sandbox

    @property
    def template(self) -> Path:
        return self.folder / "template.toml"

    @property
    def table(self) -> Path:
        return self.folder / "locations.csv"

    def discovered(self, *words: object) -> Said:
        return say("fleet", "discover", self.template, *words)

    def made(self, *words: object) -> Said:
        return say(
            "fleet", "make", self.template, "--table", self.table, "--out", self.folder, *words
        )

    def rows(self) -> dict[str, dict[str, str]]:
        with self.table.open(encoding="utf-8", newline="") as file:
            return {row["location"]: row for row in csv.DictReader(file)}


def furnish(sandbox: Sandbox, location: str) -> None:
    """A location of the fleet's, with the custom field and the user that the template names."""
    company = location.partition("-")[0]
    sandbox.add_location(location, name=f"Place {location}", company_id=company)
    sandbox.seed_custom_field(location, "Shirt size")
    sandbox.seed_user(location, email="Ann@Example.com")


@pytest.fixture
def fleet(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Fleet]:
    """Fifty locations of two agencies, whose tokens the ledger has; a location without the app beside them."""
    monkeypatch.setenv(KEY_VARIABLE, Fernet.generate_key().decode())
    monkeypatch.setenv("SECRET", "s")
    monkeypatch.setattr(agency, "PAGE", 10)
    plenty = Limit(max=100_000, daily=1_000_000)
    with ExitStack() as held:
        settings = Settings(oauth=plenty, agency=plenty, lag_seconds=0.0, seed=3)
        sandbox = held.enter_context(Sandbox(settings))
        url = held.enter_context(serve(sandbox))
        with sandbox.bulk():
            for company in AGENCIES:
                reach = {"kind": "agency", "company_id": company, "scopes": ALL_SCOPES}
                sandbox.add_token(f"at-{company}", None, **reach)
                for number in range(25):
                    furnish(sandbox, f"{company}-{number:02d}")
            sandbox.add_location("north-other", name="No app", company_id="north", installed=False)
        made = Fleet(tmp_path, sandbox)
        version = getattr(request, "param", "2021-07-28")
        made.template.write_text(TEMPLATE.format(url=url, version=version, folder=tmp_path))
        with agency_app(made.template).agencies() as agencies:
            for company in AGENCIES:
                agencies.save(Tokens(f"at-{company}", None, LATER, company=company))
        yield made


def test_fifty_locations_of_two_agencies(fleet: Fleet) -> None:
    """Two commands make fifty pairs; a week later what is revoked, renamed, moved, gone and new is told, and one that lacks a field stops no other."""
    first = fleet.discovered("--out", fleet.table, "--json")
    assert (first.code, first.document["counts"]["new"]) == (1, 50)
    assert fleet.rows()[RENAMED] == {
        "pair": "place-north-04",
        "location": RENAMED,
        "name": "Place north-04",
        "company": "north",
    }
    done = fleet.made("--yes", "--json")
    assert (done.code, len(done.document["changes"]), done.document["unfit"]) == (0, 50, [])
    assert load(fleet.folder / "place-south-24.toml").ghl.location == "south-24"
    assert fleet.discovered("--table", fleet.table).code == 0

    week_later(fleet)
    second = fleet.discovered("--table", fleet.table, "--out", fleet.table, "--json")
    marks = {one["location"]: one["mark"] for one in second.document["locations"]}
    assert {location: mark for location, mark in marks.items() if mark != "known"} == {
        REVOKED: "unauthorised",
        RENAMED: "renamed",
        GONE: "gone",
        MOVED: "moved",
        "north-25": "new",
        BARE + "b": "new",
    }
    rows = fleet.rows()
    assert (len(rows), list(rows)[-2:]) == (52, ["north-25", BARE + "b"])
    assert (rows[RENAMED]["pair"], rows[RENAMED]["name"]) == ("place-north-04", "A new name")

    fleet.template.write_text(fleet.template.read_text().replace("shirt_size", "shoe_size"))
    done = fleet.made("--yes", "--json")
    assert done.code == 1
    left = {one["pair"]: (one["missing"], one["error"]) for one in done.document["unfit"]}
    assert set(left) == {f"place-{name}" for name in (REVOKED, GONE, BARE, BARE + "b")}
    assert left[f"place-{BARE}"] == (["the custom field contact.shoe_size"], "")
    assert left[f"place-{BARE}b"][0][1].startswith("the user ann@example.com: no user")
    for refused in (REVOKED, GONE):
        assert "[WRONG_LOCATION]" in left[f"place-{refused}"][1]
    changed = {one["pair"]: one["keys"] for one in done.document["changes"]}
    assert changed["place-north-00"] == [
        {"key": "[contact.fields] size", "old": "contact.shirt_size", "new": "contact.shoe_size"}
    ]
    assert {"key": "[ghl.oauth] company", "old": "south", "new": "north"} in changed[
        f"place-{MOVED}"
    ]
    sizes = {size_of(fleet, pair) for pair in changed}
    assert sizes == {"contact.shoe_size"}
    assert size_of(fleet, f"place-{BARE}") == "contact.shirt_size"


@pytest.mark.parametrize("fleet", ["v3"], indirect=True)
def test_the_pages_of_the_next_version(fleet: Fleet) -> None:
    """Under v3, whose pages go by a token, the same fifty are found."""
    found = discover(agency_app(fleet.template), None)
    assert (len(found.results), found.counted()["new"], found.exit_code) == (50, 50, 1)


def week_later(fleet: Fleet) -> None:
    """Every kind of thing that happens to an agency's locations in a week."""
    sandbox = fleet.sandbox
    with sandbox.bulk():
        for location in fleet.rows():
            if location != BARE:
                sandbox.seed_custom_field(location, "Shoe size")
        sandbox.add_location(REVOKED, installed=False)
        sandbox.add_location(RENAMED, name="A new name")
        sandbox.add_location(GONE, company_id="elsewhere", installed=False)
        sandbox.add_location(MOVED, company_id="north")
        furnish(sandbox, "north-25")
        sandbox.seed_custom_field("north-25", "Shoe size")
        sandbox.add_location(BARE + "b", name=f"Place {BARE}b", company_id="south")
        sandbox.seed_user(BARE + "b", email="ben@example.com")


def size_of(fleet: Fleet, pair: str) -> str:
    document = tomllib.loads((fleet.folder / f"{pair}.toml").read_text())
    return str(document["contact"]["fields"]["size"])


def test_what_was_not_asked_is_not_gone(fleet: Fleet) -> None:
    """Where an agency's token is refused, its locations are unauthorised and none is gone; the other agency is told all the same."""
    fleet.discovered("--out", fleet.table)
    fleet.sandbox.revoke_token("at-south")
    done = fleet.discovered("--table", fleet.table, "--json")
    counts = done.document["counts"]
    assert (done.code, counts["known"], counts["unauthorised"], counts["gone"]) == (2, 25, 25, 0)
    assert list(done.document["failures"]) == ["south"]


def test_a_list_that_is_not_whole_proves_nothing(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where GHL lists fewer locations than it counts, or the same page again, nothing is concluded of them."""
    app = agency_app(fleet.template)
    pages = [([{"_id": "a", "isInstalled": True}], 3)]
    monkeypatch.setattr(agency, "_pages", lambda *_: iter(pages))
    with pytest.raises(Malformed, match="listed 1 locations of the agency, and counts 3"):
        agency.locations(app.app, agency=None, company="north", app_id="app1")  # type: ignore[arg-type]


def test_a_private_token_lists_nothing(tmp_path: Path) -> None:
    """A template with a private integration token is refused before any request: each location needs one of its own."""
    file = tmp_path / "template.toml"
    file.write_text('pair = "{column:pair}"\n[ghl]\ntoken = "env:TOKEN_{column:pair}"\n')
    done = say("fleet", "discover", file)
    assert done.code == 3
    assert "template.toml:3" in done.errors
    assert "a private integration token is of one location" in done.errors
    assert 'token = "env:GHL_TOKEN_{column:pair}"' in done.errors


def test_without_an_agencys_token(fleet: Fleet) -> None:
    """Without a token of an agency discovery says how to log in; what all share may be no column."""
    text = fleet.template.read_text()
    fleet.template.write_text(text.replace("fleet.db", "empty.db"))
    with pytest.raises(Expired, match="auth login --agency"):
        discover(agency_app(fleet.template), None)
    text = text.replace('"app1-x"', '"{column:app}"').replace(f"{fleet.folder}/", "")
    fleet.template.write_text(text)
    with pytest.raises(ConfigError) as refused:
        agency_app(fleet.template)
    assert [problem.where for problem in refused.value.problems] == [
        "template.toml:3",
        "template.toml:15",
    ]


def test_tables_that_name_no_locations(fleet: Fleet) -> None:
    """A table without the column, with an empty cell, or with one location twice, is refused with the line."""
    app = agency_app(fleet.template)
    for text, what in (
        ("place\nx\n", 'has no column "location"'),
        ("location,name\n,x\n", 'column "location" is empty'),
        ("location\nx\nx\n", "location x stands in locations.csv:2 already"),
    ):
        fleet.table.write_text(text)
        with pytest.raises(ConfigError, match=what):
            discover(app, of_csv(fleet.table))


def test_whose_token_a_pair_gets(fleet: Fleet) -> None:
    """Tokens of two agencies lie side by side; a pair that names none of them is told to, and one of a lone agency gets its token."""
    fleet.discovered("--out", fleet.table)
    fleet.made("--yes", "--offline")
    pair = load(fleet.folder / "place-north-00.toml")
    ledger = Ledger(pair.ledger_url.get_secret_value(), pair.name)
    agencies = agencies_of(pair, ledger.engine)
    assert set(agencies.each()) == set(AGENCIES)
    with pytest.raises(ConfigError, match="company"):
        agencies.one()
    with pytest.raises(WrongLocation):
        agencies.save(Tokens("at-x", None, LATER, location="loc", company="north"))
    south = agencies.one("south")
    assert south is not None
    south.forget()
    lone = agencies.one()
    assert lone is not None
    assert lone.load() == Tokens("at-north", None, LATER, company="north")
    ledger.close()
