"""A rehearsal plays nights on copies, writes to neither side, and names each promise that a fault breaks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connectors.ghl import faults
from connectors.http import Answer, Request
from flows.config import load
from flows.demo import make
from flows.rehearse.nights import rehearse
from flows.steps import steps
from reconcile import pipeline
from reconcile.errors import ConnectorError, NotFound
from reconcile.model import Side
from reconcile.stage.stage import Stage
from reconcile.values import policy
from reconcile.values.codecs import Email
from reconcile.values.mapping import EntityMap
from tests.flows.acme import without_sales
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


def _edited(pair: Path, *changes: tuple[str, str]) -> None:
    text = pair.read_text(encoding="utf-8")
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    pair.write_text(text, encoding="utf-8")


def _mirrored(pair: Path) -> None:
    """What is deleted in GHL goes from the app, too."""
    before, after = 'ghl = "mirror", app = "hold"', 'ghl = "mirror", app = "mirror"'
    _edited(pair, (f"delete = {{ {before} }}", f"delete = {{ {after} }}"))


def _unread_is_blank(monkeypatch: pytest.MonkeyPatch, pair: Path) -> None:
    """A field that the search does not carry is taken for blank."""

    def canary(_run: object) -> None:
        return None

    monkeypatch.setattr(steps, "canary", canary)
    _edited(pair, ('street = "address1"', 'street = { ghl = "address1", blank = "clear" }'))


def _merged_is_gone(monkeypatch: pytest.MonkeyPatch, pair: Path) -> None:
    """Nobody looks for the survivor of a merge."""
    find = pipeline.find_survivors

    def found(stage: Stage, mapped: EntityMap, **more: Any) -> None:
        find(stage, mapped, **more)
        stage.run(f"DELETE FROM survivor_{mapped.entity}")

    monkeypatch.setattr(pipeline, "find_survivors", found)
    _mirrored(pair)


def _anything_proves(monkeypatch: pytest.MonkeyPatch, pair: Path) -> None:
    """A refusal that does not name the record proves that it is gone."""
    explain = faults._explain

    def explained(request: Request, answer: Answer) -> ConnectorError | None:
        error = explain(request, answer)
        return (
            NotFound("gone") if error is not None and "Location not found" in str(error) else error
        )

    monkeypatch.setattr(faults, "_explain", explained)
    _mirrored(pair)


def _oldest_wins(monkeypatch: pytest.MonkeyPatch, pair: Path) -> None:
    """Where the newest is to win, the older one does."""
    decide = policy.decide

    def decided(rule: policy.Rule, situation: policy.Situation) -> policy.Verdict:
        verdict = decide(rule, situation)
        newer = situation.newer
        if rule.conflict is policy.OnConflict.NEWEST and situation.kind == "conflict" and newer:
            return policy.Agree(newer.other, "changed on both sides")
        return verdict

    monkeypatch.setattr("reconcile.compare.verdicts.decide", decided)
    columns = {"city": "city", "state": "state", "street": "address1", "last_name": "lastName"}
    _edited(
        pair,
        *(
            (f'{name} = "{ghl}"', f'{name} = {{ ghl = "{ghl}", conflict = "newest" }}')
            for name, ghl in columns.items()
        ),
    )


Fault = Callable[[pytest.MonkeyPatch, Path], None]

FAULTS: list[tuple[Fault, int, str, str]] = [
    (_swallows, 2, "odd_values", "agree unmentioned lost"),
    (_never_looks, 2, "edited_during_the_run", "lost"),
    (_always_agrees, 1, "", "agree"),
    (_unread_is_blank, 3, "search_lacks_fields", "invented lost"),
    (_merged_is_gone, 3, "merged_in_ghl", "deleted"),
    (_anything_proves, 2, "location_not_found", "deleted"),
    (_oldest_wins, 2, "conflict", "oldest"),
]
"""A fault, after how many nights of what it is named, and the promises of which one is then broken."""


@pytest.mark.parametrize(
    ("fault", "nights", "happening", "kinds"),
    tried(FAULTS, FAULTS[1:2]),
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
    pair.write_text(without_sales(pair.read_text(encoding="utf-8")), encoding="utf-8")
    fault(monkeypatch, pair)
    copies = tmp_path / "copies"
    copies.mkdir()
    done = rehearse(load(pair), copies, nights=nights, seed=5, people=None, only=(happening,))
    assert {finding.kind for finding in done.broken} & set(kinds.split()), done.nights
    assert done.exit_code == 2
