"""From a pair file to an app that is a JSON API, or a folder of files, with every setting on its way."""

from __future__ import annotations

from pathlib import Path

from flows.config import load
from flows.wiring.wiring import connect
from reconcile.model import Entity, Side
from reconcile.ports import Page, Proof
from tests.connectors.shop_api import CLIENT, Shop, app_of, served

GHL = """\
[ghl]
url = "sandbox:ghl.db"
location = "loc1"
[contact.fields]
mail = "email"
labels = "tags"
"""
FILES = """\
pair = "acme"
timezone = "Europe/Berlin"
[app]
connector = "csv"
backups = 1
[app.contact]
path = "data"
key = "nr"
modified_at = "changed"
tags = "labels"
tags_delimiter = "|"
delimiter = ";"
"""
REST = """\
pair = "acme"
[app]
connector = "rest"
url = "env:SHOP_URL"
requests = 100000
[app.auth]
kind = "client_credentials"
client_id = "env:SHOP_ID"
client_secret = "env:SHOP_SECRET"
token_url = "/oauth/token"
[app.pager]
kind = "page"
size = 2
size_param = "per"
param = "page"
total = "paging.count"
[app.contact]
path = "/v1/customers"
items = "data.rows"
key = "number"
envelope = "customer"
update = "PATCH"
version = "meta.revision"
modified_at = "meta.changed"
if_match = true
tags = "labels"
tag_name = "text"
search = { mail = "mail" }
"""


def rows_of(file: Path, environ: dict[str, str]) -> tuple[int, Proof]:
    """How many contacts the app of a pair file holds, and the proof."""
    with connect(load(file, environ=environ)) as sides:
        app = sides[Side.APP]
        assert {"mail", "tags"} == set(app.describe().fields[Entity.CONTACT])
        *pages, proof = app.extract(Entity.CONTACT)
    assert isinstance(proof, Proof)
    return sum(page.rows for page in pages if isinstance(page, Page)), proof


def test_an_app_in_files(tmp_path: Path) -> None:
    """Paths are relative to the pair file, and the declared delimiter is the one that counts."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "people.csv").write_text(
        "nr;mail;labels;changed\n1;a@b.test;vip|old;2026-01-01 10:00\n"
    )
    file = tmp_path / "acme.toml"
    file.write_text(FILES + GHL)
    rows, proof = rows_of(file, {})
    assert (rows, proof.complete) == (1, True)


def test_an_app_that_is_a_json_api(tmp_path: Path) -> None:
    """Client id and secret come from the environment, and all pages are read with the token they give."""
    shop = Shop()
    for number in range(5):
        shop.put("customers", {"mail": f"ann{number}@example.test"})
    file = tmp_path / "acme.toml"
    with served(app_of(shop)) as url:
        file.write_text(REST.replace("env:SHOP_URL", url) + GHL)
        rows, proof = rows_of(file, {"SHOP_ID": CLIENT[0], "SHOP_SECRET": CLIENT[1]})
    assert (rows, proof.complete, proof.reported_total) == (5, True, 5)


def test_no_secret_is_shown(tmp_path: Path) -> None:
    """The connector's repr holds its settings, and none of its secrets."""
    file = tmp_path / "acme.toml"
    file.write_text(REST.replace("env:SHOP_URL", "http://127.0.0.1:9") + GHL)
    with connect(load(file, environ={"SHOP_ID": CLIENT[0], "SHOP_SECRET": CLIENT[1]})) as sides:
        assert "EndpointSettings" in repr(sides[Side.APP])
        assert CLIENT[1] not in repr(sides[Side.APP])
