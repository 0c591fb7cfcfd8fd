"""Whose OAuth tokens sign a pair's requests: its own, for its own location, and nobody else's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from connectors.ghl.auth import OAuth, Tokens
from connectors.ghl.tokens import KEY_VARIABLE, SqlTokenStore, cipher_from
from flows.config import Pair, load
from flows.wiring.credentials import auth_of, store_of
from reconcile.errors import Expired, WrongLocation
from reconcile.ledger.ledger import Ledger
from tests.flows.test_wiring import PAIR

LATER = 4e9
"""Epoch seconds at which a token of these tests is to be renewed: far off."""


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pair:
    """A pair that says oauth, for the location loc1."""
    monkeypatch.setenv(KEY_VARIABLE, Fernet.generate_key().decode())
    file = tmp_path / "oauth.toml"
    app = 'url = "http://127.0.0.1:9"\noauth = { client_id = "c", client_secret = "s" }'
    file.write_text(PAIR.replace('url = "sandbox:ghl.db"', app))
    return load(file, environ={})


@pytest.fixture
def ledger(pair: Pair) -> Iterator[Ledger]:
    """The ledger that all pairs of these tests share."""
    made = Ledger(pair.ledger_url.get_secret_value(), pair.name)
    yield made
    made.close()


def signed(pair: Pair, ledger: Ledger) -> str:
    """What the pair's requests are signed with."""
    auth = auth_of(pair, ledger.engine, lambda close: close())
    assert auth is not None
    return auth.headers()["Authorization"]


def test_a_token_is_the_pairs_and_the_locations(pair: Pair, ledger: Ledger) -> None:
    """Of two pairs in one ledger neither signs with the other's token: not for the same location, and not for another."""
    second = replace(pair, name="second")
    moved = replace(pair, ghl=pair.ghl.model_copy(update={"location": "loc2"}))
    store_of(pair, ledger.engine).save(Tokens("mine", "r", LATER, location="loc1"))
    for other in (second, moved):
        with pytest.raises(Expired, match="auth login"):
            signed(other, ledger)
    store_of(second, ledger.engine).save(Tokens("its own", "r", LATER, location="loc1"))
    assert signed(second, ledger) == "Bearer its own"
    assert signed(pair, ledger) == "Bearer mine"


def test_a_token_of_another_location_is_neither_kept_nor_sent(pair: Pair, ledger: Ledger) -> None:
    """Whether GHL answered an exchange with it, or it lies there already."""
    store = store_of(pair, ledger.engine)
    theirs = Tokens("theirs", "r", LATER, location="loc2")
    with pytest.raises(WrongLocation, match=r"for location loc2.* names loc1"):
        OAuth(store, lambda _: theirs).headers()
    assert store.load() is None
    name = f"pair:{pair.name}/location:loc1"
    cipher = cipher_from(os.environ, key_file=Path("unused"))
    SqlTokenStore(ledger.engine, name, cipher=cipher).save(theirs)
    with pytest.raises(WrongLocation):
        signed(pair, ledger)
