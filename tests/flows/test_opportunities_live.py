"""Opportunities between a table of deals and GHL's look-alike, night by night, from the pair file to what both sides hold."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from connectors.ghl.sandbox import Limit, Sandbox, Settings, serve
from connectors.ghl.sandbox.nouns import User
from flows.config import Pair, load
from flows.jobs.full import FULL
from flows.jobs.undo import Undo
from flows.outcome.tell import Told
from flows.runner import run_job
from reconcile.ledger.ledger import Decision, Ledger

PAIR = """\
pair = "acme"
store = "{folder}/store"
[app]
url = "sqlite:///{folder}/app.db"
[app.contact]
table = "people"
[app.opportunity]
table = "deals"
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
[opportunity.fields]
title = "name"
pipeline = "pipeline"
stage = "stage"
status = "status"
amount = "monetaryValue"
seller = {{ ghl = "assignedTo", by = "email" }}
plan = "opportunity.plan"
"""
TABLES = """
CREATE TABLE people (id INTEGER PRIMARY KEY, mail TEXT);
INSERT INTO people VALUES (1, 'ann@x.com'), (2, 'bob@x.com');
CREATE TABLE deals (id INTEGER PRIMARY KEY, person INTEGER, title TEXT, pipeline TEXT, stage TEXT,
    status TEXT, amount NUMERIC, seller TEXT, plan TEXT);
INSERT INTO deals VALUES (1, 1, 'Roof', 'Sales', 'New', 'open', 500.5, 'sue@acme.com', 'gold'),
    (2, 2, 'Wall', 'Sales', 'Sent', 'open', 90, NULL, NULL);
"""
COLUMNS = ("title", "pipeline", "stage", "status", "amount")


@dataclass(frozen=True, slots=True)
class Shop:
    """The app's file, the location, and the pair between them."""

    folder: Path
    box: Sandbox
    pair: Pair

    def app(self, statement: str = f"SELECT {', '.join(COLUMNS)} FROM deals") -> set[Any]:
        """What a statement gives, by default the deals."""
        with sqlite3.connect(self.folder / "app.db") as app:
            found = set(app.execute(statement).fetchall())
        app.close()
        return found

    def ghl(self) -> set[tuple[Any, ...]]:
        """The opportunities as the app's columns have them."""
        names = ("name", "pipeline", "stage", "status", "monetaryValue")
        return {tuple(row[name] for name in names) for row in self.box.opportunities("loc1")}

    def night(self) -> Told:
        """One nightly run."""
        return run_job(self.pair, FULL)

    def key(self, name: str) -> str:
        """The opportunity of that name."""
        rows = self.box.opportunities("loc1")
        return next(str(row["id"]) for row in rows if row["name"] == name)

    @property
    def seller(self) -> str:
        """The location's one user."""
        (user,) = self.box.state.store.table(User)
        return user

    def sent(self, method: str, path: str) -> int:
        """How often something was asked for."""
        return sum((one.method, one.path) == (method, path) for one in self.box.log)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """Two deals of the app, one of GHL, and two pipelines."""
    with sqlite3.connect(tmp_path / "app.db") as app:
        app.executescript(TABLES)
    app.close()
    box = Sandbox(Settings(pit=Limit(max=10_000), lag_seconds=0.0))
    box.add_location("loc1")
    box.add_token("pit-whole", "loc1")
    box.seed_user("loc1", email="sue@acme.com")
    box.seed_pipeline("loc1", "Sales", ["New", "Signed"])
    box.seed_pipeline("loc1", "Repairs", ["New", "Done"])
    box.seed_pipeline("loc1", "Care", ["Asked", "New"])
    box.seed_custom_field("loc1", "Plan", model="opportunity")
    bob = box.seed_contact("loc1", email="bob@x.com")
    box.seed_opportunity(bob, name="Boiler", pipeline="Repairs", monetaryValue=70)
    with serve(box) as url:
        file = tmp_path / "acme.toml"
        file.write_text(PAIR.format(folder=tmp_path, url=url))
        yield Shop(tmp_path, box, load(file, environ={"GHL_TOKEN": "pit-whole"}))
    box.close()


def test_p4_opportunities_travel_both_ways(shop: Shop) -> None:
    """Made, moved by stage, pipeline and status, and valued on either side; and a run is undone."""
    shop.night()
    roof, boiler = (
        ("Roof", "Sales", "New", "open", 500.5),
        ("Boiler", "Repairs", "New", "open", 70),
    )
    assert shop.ghl() == {roof, boiler}
    assert shop.app() == {roof, boiler, ("Wall", "Sales", "Sent", "open", 90)}
    (made,) = [row for row in shop.box.opportunities("loc1") if row["name"] == "Roof"]
    assert made["assignedTo"] == shop.seller
    assert [item["fieldValue"] for item in made["customFields"]] == ["gold"]

    shop.app("UPDATE deals SET stage = 'Signed' WHERE title = 'Wall'")
    shop.box.edit_opportunity(shop.key("Roof"), stage="Signed", status="won")
    shop.app("UPDATE deals SET pipeline = 'Care', amount = 75 WHERE title = 'Boiler'")
    moved = shop.night()
    after = {
        ("Roof", "Sales", "Signed", "won", 500.5),
        ("Wall", "Sales", "Signed", "open", 90),
        ("Boiler", "Care", "New", "open", 75),
    }
    assert shop.ghl() == after
    assert shop.app() == after
    assert not shop.night().document["changes"]

    run_job(shop.pair, Undo(of=moved.document["run_id"]))
    assert shop.ghl() == {("Roof", "Sales", "Signed", "won", 500.5), boiler}
    assert roof in shop.app()


def test_p4_what_ghl_would_not_take_is_asked_about(shop: Shop) -> None:
    """A stage that GHL lacks, a second deal of one pipeline and a deleted deal are questions, and nothing is sent twice."""
    shop.app("INSERT INTO deals VALUES (3, 1, 'Roof 2', 'Sales', 'New', 'open', 5, NULL, NULL)")
    shop.night()
    assert len(shop.ghl()) == 2
    tries = shop.sent("POST", "/opportunities/")
    told = shop.night()
    holds = [hold for hold in told.document["holds"] if hold["entity"] == "opportunity"]
    assert len(holds) == 2
    assert shop.sent("POST", "/opportunities/") == tries
    assert told.document["statement"]["unexplained"] == 0

    shop.app("DELETE FROM deals WHERE title = 'Boiler'")
    shop.night()
    told = shop.night()
    assert len(told.document["holds"]) == 3
    assert "Boiler" in {row[0] for row in shop.ghl()}


def _asked(told: Told) -> dict[str, str]:
    """The questions and held values about deals: why, by field."""
    holds = [hold for hold in told.document["holds"] if hold["entity"] == "opportunity"]
    return {hold["field"]: hold["because"] for hold in holds if hold["field"]}


def _answer(shop: Shop, choice: str, *fields: str) -> None:
    """Somebody answers the questions about these fields."""
    ledger = Ledger(f"sqlite:///{shop.folder}/store/ledger.db", "acme")
    for row in ledger.holds():
        if json.loads(str(row.body)).get("field") in fields:
            at = "2026-01-01T00:00:00Z"
            ledger.decide(Decision(row.hold_id, choice, row.values_digest, "Ada", at, ""))
    ledger.close()


def _deal(rows: set[Any], name: str = "Boiler") -> tuple[str, str]:
    """The pipeline and the stage of the deal of that name."""
    return next((row[1], row[2]) for row in rows if row[0] == name)


BOILER = "UPDATE deals SET pipeline = '{}', stage = '{}' WHERE title = 'Boiler'"


def test_a_stage_is_one_of_its_pipeline(shop: Shop) -> None:
    """Where each side moved a deal, nothing of it is written until both values are answered, and then one side's deal stands."""
    in_app, in_ghl = ("Care", "Asked"), ("Repairs", "Done")
    shop.night()
    shop.app(BOILER.format(*in_app))
    shop.box.edit_opportunity(shop.key("Boiler"), pipeline=in_ghl[0], stage=in_ghl[1])
    for _ in range(2):
        told = shop.night()
        assert (_deal(shop.app()), _deal(shop.ghl())) == (in_app, in_ghl)
        assert _asked(told).keys() == {"pipeline", "stage"}
        assert not told.document["changes"]

    _answer(shop, "ghl", "stage")
    told = shop.night()
    assert (_deal(shop.app()), _deal(shop.ghl())) == (in_app, in_ghl)
    assert "waits for its pipeline" in _asked(told)["stage"]

    _answer(shop, "ghl", "pipeline")
    told = shop.night()
    assert not _asked(told)
    assert (_deal(shop.app()), _deal(shop.ghl())) == (in_ghl, in_ghl)
    assert not shop.night().document["changes"]


def test_a_pipeline_does_not_move_a_deal_to_a_stage_that_nobody_chose(shop: Shop) -> None:
    """GHL would put the deal on the new pipeline's first stage, in place of the one that a person set."""
    shop.box.edit_opportunity(shop.key("Boiler"), stage="Done")
    shop.night()
    shop.app("UPDATE deals SET pipeline = 'Care' WHERE title = 'Boiler'")
    shop.night()
    asked = _asked(shop.night())
    assert _deal(shop.ghl()) == ("Repairs", "Done")
    assert _deal(shop.app()) == ("Care", "Done")
    assert "pipeline" in asked
    shop.app(BOILER.format("Care", "Asked"))
    shop.night()
    assert _deal(shop.ghl()) == ("Care", "Asked")


def test_an_undo_leaves_a_pipeline_whose_stage_was_changed_since(shop: Shop) -> None:
    """What a run moved goes back whole, or not at all."""
    shop.box.edit_opportunity(shop.key("Boiler"), stage="Done")
    shop.night()
    shop.app(BOILER.format("Care", "Asked"))
    moved = shop.night()
    shop.box.edit_opportunity(shop.key("Boiler"), stage="New")
    undone = run_job(shop.pair, Undo(of=moved.document["run_id"]))
    assert _deal(shop.ghl()) == ("Care", "New")
    assert "changed since" in str(undone.document)


def test_a_stage_that_ghl_lacks_keeps_its_pipeline_back(shop: Shop) -> None:
    """Of values that GHL refused together, the others travel by themselves; the stage and the pipeline stay one value."""
    shop.night()
    shop.app(
        "UPDATE deals SET pipeline = 'Care', stage = 'Nowhere', amount = 75 WHERE title = 'Boiler'"
    )
    for _ in range(3):
        told = shop.night()
        assert _deal(shop.ghl()) == ("Repairs", "New")
    assert ("Boiler", "Repairs", "New", "open", 75) in shop.ghl()
    assert _asked(told).keys() == {"pipeline", "stage"}

    shop.app("UPDATE deals SET stage = 'Asked' WHERE title = 'Boiler'")
    told = shop.night()
    assert _deal(shop.ghl()) == ("Care", "Asked")
    assert not _asked(told)
