"""Whoever looks on sees what takes long: the step, how many of how many, how fast, how long still, and what is waited for."""

from __future__ import annotations

import logging
import re
import sys
from pathlib import Path

import pytest

from connectors.ending import Ending
from flows.progress import CURRENT, Progress
from tests.flows.acme import Acme
from tests.screens import ROOT, see


class _Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """The present moment."""
        return self.now


@pytest.fixture
def clock() -> _Clock:
    return _Clock()


def test_what_is_quick_is_not_told(clock: _Clock) -> None:
    """In its first two seconds a step says nothing; later it says since when it goes on."""
    progress = Progress(clock=clock)
    progress.step("link")
    clock.now = 1.9
    assert progress.lines() == []
    clock.now = 2.1
    assert progress.lines() == ["linking records: 2 s"]
    progress.step("diff")
    assert progress.lines() == []


def test_what_is_counted_says_how_far_and_how_long_still(clock: _Clock) -> None:
    """Both sides are counted apart: how many of about how many, how fast, and how long it takes still."""
    progress = Progress(clock=clock)
    progress.step("extract")
    progress.count("contacts of GHL", 0, total=5_000, about=True)
    clock.now = 10.0
    progress.count("contacts of GHL", 1_200, total=5_000, about=True)
    progress.count("tasks of the app", 7)
    assert progress.lines() == [
        "reading both sides: 1,200 of about 5,000 contacts of GHL, 120/s, 32 s left",
        "reading both sides: 7 tasks of the app",
    ]


def test_a_wait_is_told_with_its_reason(clock: _Clock) -> None:
    """What the run waits for, such as GHL's window, is told for as long as it does."""
    progress = Progress(clock=clock)
    ending = Ending(clock=clock, sleep=lambda seconds: None)
    ending.watch = progress.waiting
    progress.step("apply")
    clock.now = 5.0
    ending.by(lambda seconds: None, "GHL's window")(9.0)
    assert progress.lines() == ["writing: 5 s", "writing: waiting for GHL's window: 9 s"]
    clock.now = 20.0
    assert progress.lines() == ["writing: 20 s"]


def test_nobody_is_told_who_did_not_ask(capsys: pytest.CaptureFixture[str], clock: _Clock) -> None:
    """In a library or a test progress says nothing."""
    assert not CURRENT.wanted
    with Progress(clock=clock) as progress:
        progress.step("link")
        clock.now = 60.0
    assert capsys.readouterr() == ("", "")


_SLOW = """
import sys, time
import flows.progress
from flows.jobs.full import FULL
from flows.runner import carry_out
from flows.steps import steps
from flows.cli import main
flows.progress.QUIET_SECONDS = 0.0
plain = steps.link
def link(run):
    time.sleep(1.2)
    return plain(run)
steps.link = link
main()
"""


def test_a_terminal_shows_a_live_line_and_none_of_it_stays(tmp_path: Path) -> None:
    """While a run goes on a terminal shows its step; in the end the screen has the result alone, and no log line in JSON."""
    acme = Acme.made(tmp_path / "acme", contacts=40)
    words = [sys.executable, "-c", _SLOW, "plan", "--pair", str(acme.pair)]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "TERM": "xterm-256color"}
    seen = see(words, 80, environment)
    assert "linking records" in seen.raw
    assert "u001b" not in seen.raw
    assert seen.lines[0].startswith("Planned: ")
    assert "linking records" not in seen.text
    assert '{"at"' not in seen.raw


def test_elsewhere_plain_lines_are_written(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal each step that takes long is a plain line with its time; where logs are wanted it is an event."""
    from flows.progress import _say

    _say(["linking records: 2 s"])
    assert re.fullmatch(r"\d\d:\d\d:\d\d linking records: 2 s\n", capsys.readouterr().err)
    log = logging.getLogger("flows.progress")
    before = log.level
    log.setLevel(logging.INFO)
    try:
        _say(["linking records: 2 s"])
    finally:
        log.setLevel(before)
    assert not re.search(r"^\d\d:", capsys.readouterr().err)
