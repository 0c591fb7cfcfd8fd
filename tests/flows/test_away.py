"""A worker without a disk: what one left in an object store is enough for another to look, approve, take back and prune."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from flows.config import load
from flows.demo import edits, unmet
from flows.state.pruning import Keep, prune
from flows.state.stores import forget, runs_folder, stored
from reconcile.ledger.ledger import Ledger
from tests.flows.acme import Acme
from tests.flows.calls import say


@pytest.fixture(params=["memory", "file"] if os.environ.get("GHL_RECONCILE_SOAK") else ["memory"])
def acme(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Acme]:
    """A world whose store is an object store, and whose ledger is a database of its own."""
    made = Acme.made(tmp_path / "acme", contacts=44, sales=True)
    store = (
        f"memory://away/{tmp_path.name}"
        if request.param == "memory"
        else f"file://{tmp_path}/bucket"
    )
    text = made.pair.read_text(encoding="utf-8")
    head = f'store = "{store}"\nledger = "sqlite:///ledger.db"\n#'
    made.pair.write_text(text.replace('store = "state"', head, 1), encoding="utf-8")
    yield made
    fsspec.filesystem("memory").store.clear()


def elsewhere(acme: Acme) -> None:
    """Go on at another worker: the disk of the first one is gone."""
    shutil.rmtree(acme.folder / ".ghl-reconcile")


def test_another_worker_knows_what_the_first_did(acme: Acme) -> None:
    """report, explain --as-of and plan --backtest find a run's archive in the store, from a disk that never saw it."""
    ran = acme.run(verify="none").told.document["run_id"]
    elsewhere(acme)
    told = say("report", "--pair", acme.pair, "--json").document
    assert told["run_id"] == ran
    elsewhere(acme)
    tried = say("plan", "--backtest", "1", "--pair", acme.pair, "--json")
    assert tried.code == 0, tried.errors
    assert [(each["run_id"], each["same"]) for each in tried.document["runs"]] == [(ran, True)]
    elsewhere(acme)
    key = next(
        change["app_key"]
        for change in told["changes"]
        if change["entity"] == "contact" and change["app_key"]
    )
    explained = say(
        "explain", "contact", key, "--as-of", "2999-01-01", "--pair", acme.pair, "--json"
    )
    assert explained.code == 0, explained.errors
    assert explained.document["held"]["app"]["seen_in"] == ran


def test_a_plan_is_carried_out_elsewhere(acme: Acme) -> None:
    """A plan that one worker made is applied by another, exactly; then a third takes it back, and what it deleted is there again."""
    acme.run(verify="none")
    made = edits(acme.folder, acme.pair)
    edited = acme.ends()["ghl"]
    planned = say("plan", "--pair", acme.pair, "--json").document
    elsewhere(acme)
    applied = say(
        "apply",
        planned["provenance"]["plan_digest"],
        "--pair",
        acme.pair,
        "--verify",
        "none",
        "--json",
    )
    assert applied.code == 1, applied.errors
    assert unmet(acme.folder, acme.pair, made) == []
    elsewhere(acme)
    undone = say("undo", applied.document["run_id"], "--pair", acme.pair, "--yes", "--json")
    assert undone.code in (0, 1), undone.errors
    assert acme.ends()["ghl"] == edited


def test_prune_clears_the_store_too(acme: Acme) -> None:
    """Files of runs that no rule keeps go from the store as from a disk, wherever prune runs."""
    names = [acme.run(verify="none").told.document["run_id"] for _ in range(4)]
    elsewhere(acme)
    pair = load(acme.pair)
    ledger = Ledger(pair.ledger_url.get_secret_value(), pair.name)
    pruned = prune(
        ledger,
        runs_folder(pair),
        Keep(1, 1),
        now="2999-01-01T00:00:00Z",
        really=True,
        away=stored(pair),
    )
    ledger.close()
    # The first two have open questions (what cannot be read is asked about once its record is linked), the last is the newest.
    assert pruned.runs == (names[2],)
    forget(pair, pruned.runs)
    assert stored(pair) == {names[0], names[1], names[3]}
    assert [say("report", name, "--pair", acme.pair, "--json").code for name in names] == [
        0,
        0,
        3,
        0,
    ]
