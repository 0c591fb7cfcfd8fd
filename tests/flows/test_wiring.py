"""From a pair file to two connectors that answer."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa

from connectors.ghl.sandbox import Sandbox, serve
from flows.config import Pair, load
from flows.wiring.wiring import connect
from reconcile.errors import Exhausted
from reconcile.model import Entity, Side
from reconcile.ports import Connector, Page, Proof

PAIR = """\
pair = "acme"
[app]
connector = "sql"
url = "sqlite:///app.db"
[app.contact]
table = "people"
modified_at = "updated_at"
tags = { column = "labels", form = "delimited", delimiter = ";" }
[app.task]
table = "todos"
parent = "person_id"
[ghl]
url = "sandbox:ghl.db"
location = "loc1"
[contact.fields]
mail = "email"
labels = "tags"
[task.fields]
what = "title"
due = "dueDate"
"""


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    with sqlite3.connect(tmp_path / "app.db") as app:
        app.execute(
            "CREATE TABLE people (id INTEGER PRIMARY KEY, mail TEXT, labels TEXT, updated_at TEXT)"
        )
        app.execute(
            "CREATE TABLE todos (id INTEGER PRIMARY KEY, person_id INTEGER, what TEXT, due TEXT)"
        )
        app.execute(
            "INSERT INTO people VALUES (7, 'ann@example.com', 'a;b', '2026-01-01T00:00:00Z')"
        )
    app.close()
    sandbox = Sandbox(path=tmp_path / "ghl.db")
    sandbox.add_location("loc1")
    sandbox.seed_contact("loc1", email="bob@example.com")
    sandbox.close()
    file = tmp_path / "acme.toml"
    file.write_text(PAIR)
    return load(file, environ={})


def test_both_sides_answer(pair: Pair) -> None:
    """The connectors of a pair read the database and the sandbox that its file names, with the mapping's fields."""
    with connect(pair) as sides:
        for side, connector in sides.items():
            described = connector.describe()
            assert set(pair.mapping[Entity.CONTACT].native(side)) <= set(
                described.fields[Entity.CONTACT]
            )
            *pages, proof = connector.extract(Entity.CONTACT)
            assert isinstance(proof, Proof)
            assert proof.complete
            assert sum(page.rows for page in pages if isinstance(page, Page)) == 1


def test_everything_is_closed_at_the_end(pair: Pair) -> None:
    """After the last step the sandbox's file can be opened by someone else, and no request is answered any more."""
    with connect(pair) as sides:
        sides[Side.GHL].describe()
    again = Sandbox(path=Path(pair.ghl.url.removeprefix("sandbox:")))
    assert [contact["email"] for contact in again.contacts("loc1")] == ["bob@example.com"]
    again.close()


def test_a_further_run_of_a_day_leaves_the_reserve_alone(pair: Pair) -> None:
    """A run that ended at the day's reserve tells the next one through the ledger's file: that one sends nothing at all."""
    (pair.path.parent / "ghl.toml").write_text(
        "[pit]\nmax = 1000\nwindow_seconds = 10.0\ndaily = 10\n"
    )
    pair.path.write_text(
        PAIR.replace('location = "loc1"', 'location = "loc1"\ndaily_reserve = 0.5')
    )
    frugal = load(pair.path, environ={})
    engine = sa.create_engine(f"sqlite:///{pair.path.parent}/ledger.db")
    spent = []
    for _ in range(3):
        with connect(frugal, engine=engine) as sides:
            ghl = sides[Side.GHL]
            with pytest.raises(Exhausted):
                _read_until_the_day_is_over(ghl)
            spent.append(sum(ghl.usage().by_endpoint.values()))
    engine.dispose()
    assert spent == [5, 0, 0]


def _read_until_the_day_is_over(ghl: Connector) -> None:
    for _ in range(20):
        ghl.read(Entity.CONTACT, "aaaaaaaaaaaaaaaaaaaa", None)


REST = """\
pair = "acme"
[app]
connector = "rest"
url = "{url}"
headers = { Version = "env:API_VERSION" }
auth = { kind = "bearer", token = "env:APP_TOKEN" }
[app.contact]
path = "/contacts/"
items = "contacts"
params = { locationId = "other" }
[ghl]
url = "sandbox:ghl.db"
location = "loc1"
[contact.fields]
email = "email"
"""


def test_json_api(pair: Pair) -> None:
    """A declared JSON API is asked with the secrets that the environment holds; here it is a sandbox of its own."""
    api = Sandbox()
    api.add_location("other")
    api.add_token("pit-other", "other")
    api.seed_contact("other", email="eve@example.com")
    with serve(api) as url:
        pair.path.write_text(REST.replace("{url}", url))
        found = load(pair.path, environ={"APP_TOKEN": "pit-other", "API_VERSION": "2021-07-28"})
        assert "pit-other" not in repr(found)
        with connect(found) as sides:
            *pages, proof = sides[Side.APP].extract(Entity.CONTACT)
    api.close()
    assert isinstance(proof, Proof)
    assert proof.complete, proof.why_incomplete
    assert [
        page.lines for page in pages if isinstance(page, Page) and b"eve@example.com" in page.lines
    ]


def test_connector_from_outside(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An entry point of the group ghl_reconcile.connectors is called with its part of the file and the mapping's fields."""
    package = tmp_path / "packages"
    (package / "outside-1.0.dist-info").mkdir(parents=True)
    (package / "outside-1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: outside\nVersion: 1.0\n"
    )
    (package / "outside-1.0.dist-info" / "entry_points.txt").write_text(
        "[ghl_reconcile.connectors]\nledgerbook = outside_connector:make\n"
    )
    (package / "outside_connector.py").write_text(
        "from connectors.memory import MemoryConnector\n"
        "from reconcile.model import Side\n"
        "SEEN = []\n"
        "def make(settings, fields):\n"
        "    SEEN.append((settings, fields))\n"
        "    return MemoryConnector(Side.APP)\n"
    )
    monkeypatch.syspath_prepend(package)
    text = (
        PAIR[: PAIR.index("[app]")]
        + '[app]\nconnector = "ledgerbook"\nkey = "env:BOOK"\n[ghl]'
        + PAIR.split("[ghl]")[1]
    )
    pair.path.write_text(text)
    with connect(load(pair.path, environ={"BOOK": "opened"})) as sides:
        assert sides[Side.APP].side is Side.APP
    import outside_connector  # type: ignore[import-not-found]

    ((settings, fields),) = outside_connector.SEEN
    assert settings["key"] == "opened"
    assert fields[Entity.CONTACT] == ("mail", "tags")
