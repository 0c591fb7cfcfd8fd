"""What a run tells of itself: where its time went, and who approved what it did."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.flows.acme import Acme
from tests.flows.calls import Said, say


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Acme:
    """A pair whose first run goes over two limits."""
    made = Acme.made(tmp_path_factory.mktemp("told") / "acme", contacts=40)
    text = made.pair.read_text(encoding="utf-8")
    strict = re.sub(r"max_first_creates = \d+", "max_first_creates = 1", text)
    made.pair.write_text(strict, encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def first(acme: Acme) -> Said:
    """A run that somebody let go over a limit, by name."""
    return _run(acme, "--allow", "first-creates", "--by", "ann", "--full", "--verify", "full")


def _run(acme: Acme, *words: str) -> Said:
    return say("run", "--pair", acme.pair, "--engine", "local", *words)


def _newest(acme: Acme) -> Any:
    return say("report", "--pair", acme.pair, "--json").document


def _page(said: Said) -> str:
    return Path(said.out.partition("\nReport: ")[2].strip()).read_text(encoding="utf-8")


def test_the_steps_take_all_the_time_that_the_run_took(acme: Acme, first: Said) -> None:
    """What the steps took, together, is what the run took; the second look at both sides is told apart from the first."""
    whole = _newest(acme)
    times = {each["says"]: each["seconds"] for each in whole["times"]}
    assert sum(times.values()) == pytest.approx(whole["seconds"], abs=0.06)
    assert {"reading both sides", "checking afterwards: reading both sides", "writing"} <= set(
        times
    )
    assert len(times) == len(whole["times"])


def test_page_and_terminal_show_the_times_of_the_report(acme: Acme, first: Said) -> None:
    """Each step that took a tenth of a second stands on the page and in the full list of the terminal, with the same figure."""
    page = _page(first)
    slow = [each for each in _newest(acme)["times"] if each["seconds"] >= 0.1]
    assert slow
    for each in slow:
        assert f"{each['says']}</span><b>{each['seconds']:,.1f} s</b>" in page
        assert f"{each['says']} {each['seconds']:,.1f} s" in " ".join(first.out.split())


def test_who_let_a_run_go_over_a_limit_is_named_everywhere(acme: Acme, first: Said) -> None:
    """The report, its page, the terminal and `history` name who gave the flag."""
    (flag,) = _newest(acme)["approvals"]
    assert (flag["by"], flag["what"], flag["names"]) == ("ann", "limits", ["first-creates"])
    said = "Allowed by ann: first-creates"
    assert said in first.out
    assert said in _page(first)
    assert "approved by ann" in " ".join(say("history", "--pair", acme.pair).out.split())
    (row,) = say("history", "--pair", acme.pair, "--json", "--limit", "1").document
    assert row["approvals"] == [flag]


def test_who_approved_a_plan_and_who_answered_is_named(
    acme: Acme, first: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plan that is carried out by its digest names who did so, the account where nobody says; so do answers."""
    monkeypatch.setenv("LOGNAME", "bob")
    asked = say("review", "--pair", acme.pair, "--json").document
    question = next(each for each in asked if each["options"])
    choice = question["options"][0]
    say("review", question["hold_id"], choice, "--pair", acme.pair, "--by", "cyd")
    digest = say("plan", "--pair", acme.pair, "--print", "digest").out.strip()
    assert _newest(acme)["approvals"][0]["what"] == "answers"
    say("apply", digest, "--pair", acme.pair, "--verify", "none")
    told = {each["what"]: each for each in _newest(acme)["approvals"]}
    assert (told["plan"]["by"], told["plan"]["names"]) == ("bob", [digest])
    assert (told["answers"]["by"], told["answers"]["count"]) == ("cyd", 1)


def test_a_run_that_nobody_approved_says_nothing_of_it(acme: Acme, first: Said) -> None:
    """Who looks on approves nothing, whatever account it is: what stays are the answers that still count."""
    other = say("audit", "--pair", acme.pair, "--json").document
    assert {each["what"] for each in other["approvals"]} <= {"answers"}
