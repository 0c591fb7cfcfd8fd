"""A rehearsal plays nights on copies, writes to neither side, and names each promise that a fault breaks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from flows.config import load
from flows.demo import make
from flows.rehearse.nights import rehearse
from reconcile.model import Side
from reconcile.values import policy
from reconcile.values.codecs import Email
from tests.flows.calls import Said, say
from tests.long_forms import tried

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


# What a rehearsal says of a product with a fault in it.


def _swallows(monkeypatch: pytest.MonkeyPatch, _pair: Path) -> None:
    """An address with letters of another alphabet becomes blank."""
    decode = Email.decode

    def decoded(self: Email, raws: list[str | None], side: Side) -> str | None:
        cell = decode(self, raws, side)
        return cell if cell is None or cell.isascii() else None

    monkeypatch.setattr(Email, "decode", decoded)


def _never_looks(_monkeypatch: pytest.MonkeyPatch, pair: Path) -> None:
    """Nothing looks at a record before it is written."""
    with pair.open("a", encoding="utf-8") as file:
        file.write('\n[apply]\nrecheck = "never"\n')


def _always_agrees(monkeypatch: pytest.MonkeyPatch, _pair: Path) -> None:
    """Every run ends with 0."""
    monkeypatch.setattr("flows.outcome.tell.exit_code", lambda *_, **__: 0)


def _no_tags(monkeypatch: pytest.MonkeyPatch, _pair: Path) -> None:
    """What somebody tags in GHL stays there alone."""
    decide = policy.decide

    def decided(rule: policy.Rule, situation: policy.Situation) -> policy.Verdict:
        verdict = decide(rule, situation)
        if situation.about == "tag" and situation.kind == "ghl_moved":
            return policy.Leave(verdict.because)
        return verdict

    monkeypatch.setattr("reconcile.compare.verdicts.decide", decided)


Fault = Callable[[pytest.MonkeyPatch, Path], None]

FAULTS: list[tuple[Fault, int, str, str]] = [
    (_swallows, 2, "odd_values", "agree unmentioned lost"),
    (_never_looks, 2, "edited_during_the_run", "lost"),
    (_always_agrees, 1, "", "agree"),
    (_no_tags, 2, "tagged", "agree unmentioned"),
]
"""A fault, after how many nights of what it is named, and the promises of which one is then broken."""


@pytest.mark.parametrize(
    ("fault", "nights", "happening", "kinds"),
    tried(FAULTS, FAULTS[1:3]),
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_a_fault_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: Fault,
    nights: int,
    happening: str,
    kinds: str,
) -> None:
    """With a fault put back, the rehearsal says which promise it breaks."""
    pair = make(tmp_path / "demo", contacts=PEOPLE)
    fault(monkeypatch, pair)
    copies = tmp_path / "copies"
    copies.mkdir()
    done = rehearse(load(pair), copies, nights=nights, seed=5, people=None, only=(happening,))
    assert {finding.kind for finding in done.broken} & set(kinds.split()), done.nights
    assert done.exit_code == 2
