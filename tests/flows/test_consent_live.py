"""A consent between a database and GHL's look-alike, from the pair file to what both sides hold, in both versions."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from connectors.ghl.sandbox import Limit, Sandbox, Settings, serve
from flows.config import load
from flows.jobs.full import FULL
from flows.outcome.tell import Told
from flows.runner import run_job
from tests.connectors.ghl.hosted import VERSIONS

PAIR = """\
pair = "acme"
store = "{folder}/store"
[app]
url = "sqlite:///{folder}/app.db"
[app.contact]
table = "people"
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
sms_ok = {{ ghl = "dnd.sms", true_says = "allowed" }}
no_mail = {{ ghl = "dnd.email", true_says = "denied", opt_in = "travels" }}
"""


def _rows(folder: Path) -> list[tuple[object, ...]]:
    with sqlite3.connect(folder / "app.db") as app:
        found = app.execute("SELECT mail, sms_ok, no_mail FROM people ORDER BY mail").fetchall()
    app.close()
    return found


def _change(folder: Path, statement: str) -> None:
    with sqlite3.connect(folder / "app.db") as app:
        app.execute(statement)
    app.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_p1_a_no_reaches_the_other_side_and_a_yes_where_it_may(
    version: str, tmp_path: Path
) -> None:
    """Night by night: the no of either side, by channel; a yes where it travels; and GHL's other channels stay as they are."""
    _change(
        tmp_path,
        "CREATE TABLE people (id INTEGER PRIMARY KEY, mail TEXT, sms_ok BOOLEAN, no_mail BOOLEAN)",
    )
    _change(tmp_path, "INSERT INTO people VALUES (1, 'ann@x.com', 0, 0), (2, 'bob@x.com', 1, 1)")
    sandbox = Sandbox(Settings(pit=Limit(max=10_000), lag_seconds=0.0))
    sandbox.add_location("loc1")
    sandbox.add_token("pit-whole", "loc1")
    call = {"status": "active", "message": "by phone"}
    sandbox.seed_contact("loc1", email="ann@x.com", dndSettings={"Call": call})
    sandbox.seed_contact(
        "loc1", email="bob@x.com", dndSettings={"SMS": {"status": "permanent"}, "Call": call}
    )
    with serve(sandbox) as url:
        file = tmp_path / "acme.toml"
        file.write_text(PAIR.format(folder=tmp_path, url=url, version=version))
        pair = load(file, environ={"GHL_TOKEN": "pit-whole"})

        def night() -> Told:
            return run_job(pair, FULL)

        def held() -> dict[str, dict[str, str]]:
            return {
                str(contact.email): {
                    name: entry["status"] for name, entry in contact.dnd_settings.items()
                }
                for contact in sandbox.state.contacts.values()
            }

        night()
        assert held() == {
            "ann@x.com": {"SMS": "active", "Call": "active"},
            "bob@x.com": {"SMS": "permanent", "Email": "active", "Call": "active"},
        }
        assert _rows(tmp_path) == [("ann@x.com", 0, 0), ("bob@x.com", 0, 1)]
        _change(tmp_path, "UPDATE people SET sms_ok = 1, no_mail = 0")
        told = night()
        assert [hold["field"] for hold in told.document["holds"]] == ["sms_ok"]
        assert held()["bob@x.com"] == {"SMS": "permanent", "Email": "inactive", "Call": "active"}
        assert held()["ann@x.com"]["SMS"] == "active"
        assert _rows(tmp_path) == [("ann@x.com", 1, 0), ("bob@x.com", 0, 0)]
        assert all(
            contact.dnd_settings["Call"] == call for contact in sandbox.state.contacts.values()
        )
        assert not night().document["changes"]
    sandbox.close()
