"""An app behind any JSON API is rehearsed on a plain API that holds copies of its records."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from connectors.ghl.sandbox import Sandbox, serve
from connectors.rest.changes import Change
from flows.config import load
from flows.rehearse.nights import Rehearsed, rehearse
from tests.connectors.ghl.hosted import unlimited
from tests.connectors.shop_api import CLIENT, Shop, app_of, served
from tests.long_forms import long_form, tried

PAIR = """\
pair = "shop"
region = "US"
[app]
connector = "rest"
url = "{shop}"
requests = 1000
pager = {{ kind = "page", size = 3, size_param = "per", param = "page", total = "paging.count" }}
[app.auth]
kind = "client_credentials"
client_id = "{client}"
client_secret = "file:secret.txt"
token_url = "/oauth/token"
[app.contact]
path = "/v1/customers"
items = "data.rows"
key = "number"
update = "PATCH"
{merges}
envelope = "customer"
modified_at = "meta.changed"
version = "meta.revision"
if_match = true
tags = "labels"
tag_name = "text"
[app.task]
path = "/v1/todos"
items = "data.rows"
key = "number"
update = "PATCH"
envelope = "todo"
modified_at = "meta.changed"
parent = "owner"
[ghl]
url = "{ghl}"
location = "loc1"
token = "file:token.txt"
lag_seconds = 2
[contact]
match = ["mail"]
[contact.fields]
first_name = {{ app = "person.first", ghl = "firstName", blank = "clear" }}
last_name = {{ app = "person.last", ghl = "lastName", blank = "clear" }}
mail = "email"
city = "city"
tags = "tags"
[task.fields]
headline = {{ ghl = "title", required = true }}
until = {{ ghl = "dueDate", required = true }}
"""


MERGES = ["", "merge_patch = true"]
"""Whether an object that is sent takes the place of the one that is there, or goes into it."""


@dataclass(frozen=True, slots=True)
class Place:
    """A pair file, the shop that it leads to, and GHL."""

    pair: Path
    shop: Shop
    ghl: Sandbox

    def write(self, merges: str, **urls: str) -> None:
        """Write the pair file."""
        text = PAIR.format(client=CLIENT[0], merges=merges, **urls)
        self.pair.write_text(text, encoding="utf-8")


@pytest.fixture(params=tried(MERGES, MERGES[:1]), ids=lambda said: said or "replacing")
def place(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Place]:
    """A shop with nested names, page numbers, wrapped bodies and OAuth, and its people in GHL."""
    shop = Shop()
    sandbox = Sandbox(unlimited())
    sandbox.add_location("loc1")
    sandbox.add_token("pit-shop", "loc1")
    for number in range(14):
        mail = f"ann{number}@example.com"
        person = {"first": f"Ann{number}", "last": f"Lee{number}"}
        if number % 7:
            labels: list[dict[str, Any]] = [{"text": "vip"}] if number % 2 else []
            customer = {"person": person, "mail": mail, "city": "Rome", "labels": labels}
            owner = shop.put("customers", customer)
            todo = {"owner": owner, "headline": f"Call {number}", "until": "2026-12-01"}
            shop.put("todos", {**todo, "state": "open"})
        if number % 5:
            sandbox.seed_contact(
                "loc1", firstName=person["first"], lastName=person["last"], email=mail
            )
    (tmp_path / "secret.txt").write_text(CLIENT[1])
    (tmp_path / "token.txt").write_text("pit-shop")
    for secret in ("secret.txt", "token.txt"):
        (tmp_path / secret).chmod(0o600)
    with served(app_of(shop)) as app, serve(sandbox) as ghl:
        made = Place(tmp_path / "shop.toml", shop, sandbox)
        made.write(request.param, shop=app, ghl=ghl)
        yield made
    sandbox.close()


def _rehearsed(place: Place, nights: int, only: tuple[str, ...] | None = None) -> Rehearsed:
    folder = place.pair.parent / "copies"
    folder.mkdir()
    return rehearse(load(place.pair), folder, nights=nights, seed=4, people=None, only=only)


def test_an_app_behind_an_api_is_rehearsed(place: Place) -> None:
    """Two nights hold every promise, values cross both ways, and neither side is written to."""
    before = deepcopy(place.shop.rows)
    contacts = json.dumps(place.ghl.contacts("loc1"), sort_keys=True)
    done = _rehearsed(place, 2)
    assert done.broken == [], done.broken
    assert done.counts["on both sides"] > 40
    assert {"app", "ghl"} <= {side for one in done.practice.values() for side in one.carried}
    assert place.shop.rows == before
    assert json.dumps(place.ghl.contacts("loc1"), sort_keys=True) == contacts


@long_form
def test_a_patch_that_takes_what_lies_beside_it_away_is_named(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a change inside an object is sent without the rest of it, the check misses that rest."""
    if "merge_patch" in place.pair.read_text(encoding="utf-8"):
        pytest.skip("an API that merges keeps it")
    monkeypatch.setattr(Change, "_around", lambda *_: {})
    monkeypatch.setattr(Change, "_gone", lambda *_: {})
    monkeypatch.setattr(
        Change, "_proved", lambda self, _in, _changes, _was, now: self._done(now[0])
    )
    done = _rehearsed(place, 2, only=())
    assert {"invented", "lost"} & {finding.kind for finding in done.broken}, done.nights
