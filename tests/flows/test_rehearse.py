"""A rehearsal plays nights on copies, writes to neither side, and says that every promise held."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from flows.demo import make
from tests.flows.calls import Said, say

PEOPLE = 40


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's pair file, with both sides beside it."""
    return make(tmp_path_factory.mktemp("own") / "demo", contacts=PEOPLE)


def _content(folder: Path) -> dict[str, str]:
    """Every file beside the pair, by what it holds; GHL's look-alike keeps a token for each who opens it."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if not path.name.startswith("ghl-sandbox.db")
    }


@pytest.fixture(scope="module")
def played(demo: Path) -> tuple[Said, dict[str, str], dict[str, str]]:
    """Two nights of it, as a person asks for them; and the files beside the pair, before and after."""
    before = _content(demo.parent)
    folder = demo.parents[1] / "rehearsal"
    said = say(
        "rehearse", "--pair", demo, "--nights", "2", "--seed", "3", "--json", "--folder", folder
    )
    return said, before, _content(demo.parent)


def test_a_rehearsal_holds_every_promise(
    played: tuple[Said, dict[str, str], dict[str, str]],
) -> None:
    """Two nights of the demo with what happens in them break no promise, and the exit code is 0."""
    said, _, _ = played
    document = said.document
    assert document["broken"] == []
    assert said.code == document["exit_code"] == 0
    assert len(document["nights"]) == 2
    assert document["values"]["typed"] > 100
    assert document["first_night"]["done"]["creates"] > 0
    assert any(rule["field"] == "email" for rule in document["rules"])


def test_a_rehearsal_writes_to_neither_side(
    played: tuple[Said, dict[str, str], dict[str, str]],
) -> None:
    """No file beside the pair is another one after it, and there is no ledger: nothing was written where the pair leads."""
    _, before, after = played
    assert before == after
    assert "app.db" in before


def test_a_rehearsal_leaves_its_page_alone(
    played: tuple[Said, dict[str, str], dict[str, str]], demo: Path
) -> None:
    """The folder holds the page and the same for machines; the copies, which hold people's values, are gone."""
    said, _, _ = played
    folder = demo.parents[1] / "rehearsal"
    assert {path.name for path in folder.iterdir()} == {"rehearsal.md", "rehearsal.json"}
    page = (folder / "rehearsal.md").read_text(encoding="utf-8")
    assert page.startswith("# Rehearsal of acme")
    assert "Every promise held in 2 nights" in page
    assert json.loads((folder / "rehearsal.json").read_text(encoding="utf-8")) == said.document
