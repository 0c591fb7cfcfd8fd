"""The rights that reading needs are enough for reading, and those that a run needs are enough for a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.ghl.sandbox.sandbox import ALL_SCOPES
from flows.demo.pairfile import LOCATION
from tests.flows.acme import Acme, Served
from tests.flows.calls import say

READING = [scope for scope in ALL_SCOPES if scope.endswith(".readonly")]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A world whose location is served with a token for reading, and one that may write contacts as well."""
    acme = Acme.made(tmp_path_factory.mktemp("rights") / "acme", contacts=44)
    with acme.served() as made:
        made.sandbox.add_token("reader", LOCATION, scopes=READING)
        made.sandbox.add_token("writer", LOCATION, scopes=[*READING, "contacts.write"])
        yield made


def _with(token: str, served: Served) -> Path:
    (served.pair.parent / "token.txt").write_text(token, encoding="utf-8")
    return served.pair


@pytest.mark.parametrize("command", ["plan", "audit", "doctor"])
def test_looking_needs_the_readonly_scopes_alone(served: Served, command: str) -> None:
    """With a token that may write nothing each of them does its work."""
    said = say(command, "--pair", _with("reader", served))
    assert said.code < 2, said.errors


def test_a_run_needs_contacts_write_beside_them(served: Served) -> None:
    """Without it GHL refuses the first write; with it contacts, tags, tasks and notes are written."""
    words = ("run", "--engine", "local", "--verify", "none", "--pair")
    assert say(*words, _with("reader", served)).code > 1
    said = say(*words, _with("writer", served))
    assert said.code < 2, said.errors
