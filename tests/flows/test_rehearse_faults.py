"""A rehearsal names the promise that is broken by each fault of the verdict that can be put back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectors.ghl import faults
from connectors.http import Answer, Request
from flows.config import load
from flows.demo import make
from flows.rehearse.nights import rehearse
from flows.steps import lineage, steps
from reconcile import pipeline
from reconcile.baseline import differences
from reconcile.compare import note_sweep, restored, reused_keys
from reconcile.errors import ConnectorError, NotFound
from reconcile.ledger.ledger import Ledger
from reconcile.model import Kind, Side
from reconcile.stage.stage import Stage
from reconcile.values import policy
from reconcile.values.codecs import Email
from reconcile.values.mapping import EntityMap, Mapping
from reconcile.values.references import Directory, Linked
from tests.flows.acme import without_sales
from tests.long_forms import tried

PEOPLE = 40


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


def _one_side_wins(monkeypatch: pytest.MonkeyPatch, _pair: Path) -> None:
    """A set is the app's: a tag that is added in GHL goes."""
    decide = policy.decide

    def decided(rule: policy.Rule, situation: policy.Situation) -> policy.Verdict:
        if situation.about == "tag" and situation.kind is Kind.GHL_MOVED:
            return policy.Agree(Side.APP, "the app's set is kept")
        return decide(rule, situation)

    monkeypatch.setattr("reconcile.compare.verdicts.decide", decided)


def _nothing_went_back(monkeypatch: pytest.MonkeyPatch, pair: Path) -> None:
    """An app that was put back to a backup is taken for one that people edited."""
    find, find_edited = restored.find, restored.find_edited

    def found(stage: Stage, mapping: Mapping) -> None:
        find(stage, mapping)
        stage.run("DELETE FROM rewound")
        for mapped in mapping.entities:
            stage.drop(f"missed_{mapped.entity}")

    def found_edited(stage: Stage, *parts: Any, **more: Any) -> None:
        find_edited(stage, *parts, **more)
        stage.run("DELETE FROM rewound")

    monkeypatch.setattr(restored, "find", found)
    monkeypatch.setattr(restored, "find_edited", found_edited)
    _mirrored(pair)


def _keys_are_people(monkeypatch: pytest.MonkeyPatch, _pair: Path) -> None:
    """Whoever stands under a linked key is taken for whom it was linked with."""
    find = reused_keys.find

    def found(stage: Stage, mapped: EntityMap) -> None:
        find(stage, mapped)
        stage.run(f"DELETE FROM stranger_{mapped.entity}")

    monkeypatch.setattr(reused_keys, "find", found)


def _the_same_notes_first(monkeypatch: pytest.MonkeyPatch, pair: Path) -> None:
    """A night reads the notes of the contacts that every night reads."""

    def chosen(stage: Stage, ledger: Ledger, mapped: EntityMap, *, budget: int | None) -> list[str]:
        keys = choose(stage, ledger, mapped, budget=None)
        return keys[:budget]

    choose = note_sweep.choose
    monkeypatch.setattr(note_sweep, "choose", chosen)
    _edited(pair, ("appointments_budget = 50", "appointments_budget = 50\nnotes_budget = 12"))


def _lost_is_first(monkeypatch: pytest.MonkeyPatch, _pair: Path) -> None:
    """An empty ledger beside a store with runs is a first night."""

    def check(_run: object) -> None:
        return None

    monkeypatch.setattr(lineage, "check", check)


def _dropped_is_forgotten(monkeypatch: pytest.MonkeyPatch, _pair: Path) -> None:
    """What GHL took and did not keep is left as it is, without a word from the next night on."""
    decide = policy.decide

    def decided(rule: policy.Rule, situation: policy.Situation) -> policy.Verdict:
        if situation.kind is Kind.STANDING:
            return policy.Leave("neither side moved")
        return decide(rule, situation)

    monkeypatch.setattr(differences, "dropped", lambda *_: iter(()))
    monkeypatch.setattr("reconcile.baseline.standing.decide", decided)
    monkeypatch.setattr("reconcile.compare.verdicts.decide", decided)


def _constant_takes_all(monkeypatch: pytest.MonkeyPatch, pair: Path) -> None:
    """A constant is written over what rows of another kind hold."""
    monkeypatch.setattr(EntityMap, "filters", property(lambda mapped: mapped.exclude))
    line = 'source = { ghl = "source", flow = "app->ghl" }'
    _edited(pair, (line, 'source = { app = "source", constant = "Website" }'))


def _lifts_a_no(monkeypatch: pytest.MonkeyPatch, _pair: Path) -> None:
    """A consent is a value like any other."""
    decide = policy.decide

    def decided(rule: policy.Rule, situation: policy.Situation) -> policy.Verdict:
        plain = replace(rule, conflict=policy.OnConflict.NEWEST)
        return decide(plain, situation)

    monkeypatch.setattr("reconcile.compare.verdicts.decide", decided)
    monkeypatch.setattr(pipeline, "keep_consents", lambda *_: None)
    monkeypatch.setattr("reconcile.apply.apply.loosened", lambda *_: [])


Fault = Callable[[pytest.MonkeyPatch, Path], None]

FAULTS: list[tuple[Fault, int, str, str]] = [
    (_swallows, 2, "odd_values", "agree unmentioned lost"),
    (_never_looks, 2, "edited_during_the_run", "lost"),
    (_always_agrees, 1, "", "agree"),
    (_unread_is_blank, 3, "search_lacks_fields", "invented lost"),
    (_merged_is_gone, 3, "merged_in_ghl", "deleted"),
    (_anything_proves, 2, "location_not_found", "deleted"),
    (_oldest_wins, 2, "conflict", "oldest"),
    (_one_side_wins, 2, "tagged", "lost"),
    (_nothing_went_back, 5, "app_restored", "invented deleted edit-deleted"),
    (_keys_are_people, 3, "key_given_away", "stranger"),
    (_the_same_notes_first, 10, "", "one-sided"),
    (_lost_is_first, 2, "deleted ledger_emptied", "revived"),
    (_dropped_is_forgotten, 3, "values_dropped", "unmentioned agree"),
    (_constant_takes_all, 1, "", "others"),
    (_lifts_a_no, 2, "consent_said", "loosened"),
]
"""A fault, after how many nights of what it is named, and the promises of which one is then broken."""


@pytest.mark.parametrize(
    ("fault", "nights", "happening", "kinds"),
    tried(FAULTS, [FAULTS[1], FAULTS[-1]]),
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
    done = rehearse(load(pair), copies, nights=nights, seed=5, people=None, only=happening.split())
    assert {finding.kind for finding in done.broken} & set(kinds.split()), done.nights
    assert done.exit_code == 2


def _another_company(monkeypatch: pytest.MonkeyPatch) -> None:
    """A contact is linked to another company than the one that was meant."""
    key = Directory.key

    def of_another(directory: Directory, side: Side, name: str) -> str | None:
        others = (one for one in directory._keys if one != name and key(directory, side, one))
        return key(directory, side, min(others, default=name))

    monkeypatch.setattr(Directory, "key", of_another)


def _no_company(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of GHL's contacts no run sees where they work."""
    decode = Linked.decode

    def decoded(codec: Linked, raws: list[str | None], side: Side) -> str | None:
        return None if side is Side.GHL else decode(codec, raws, side)

    monkeypatch.setattr(Linked, "decode", decoded)


LINKS = [(_another_company, "invented"), (_no_company, "unmentioned")]


@pytest.mark.parametrize(
    ("fault", "kind"),
    tried(LINKS, LINKS[:1]),
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_a_wrong_link_to_a_company_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: Callable[[pytest.MonkeyPatch], None],
    kind: str,
) -> None:
    """Who works where is checked by what people typed: with a fault put back, the rehearsal names the contact and its field."""
    pair = make(tmp_path / "demo", contacts=PEOPLE)
    fault(monkeypatch)
    copies = tmp_path / "copies"
    copies.mkdir()
    done = rehearse(load(pair), copies, nights=1, seed=5, people=None, only=["hired"])
    assert {(each.kind, each.name) for each in done.broken} == {(kind, "firm_id")}
