"""A world that nobody tuned: a few days of it in CI, forty with three hundred people in `./dev soak`."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.soak.days import Soaked, soak

LONG = os.environ.get("GHL_RECONCILE_SOAK") == "1"
TODAY = int(datetime.now(UTC).strftime("%Y%m%d"))
"""The seed that changes with the date; a failure names it."""


def _check(done: Soaked) -> None:
    shown = "\n".join(map(str, done.findings[:40]))
    assert not done.findings, (
        f"{done}\n{shown}\nto see it again: python -m tests.soak --seed {done.seed} --days {done.days} --people {done.people}"
    )
    assert done.counts["typed"] > 200
    assert done.counts["on both sides"] > 150


@pytest.mark.parametrize("seed", [1, 2, TODAY] if LONG else [1, TODAY])
def test_a_few_days(tmp_path: Path, seed: int) -> None:
    """Of what people type in a few days everything is on both sides, lost to a rule or decision that names it, or held."""
    _check(soak(tmp_path, seed=seed, days=3, people=16))


@pytest.mark.skipif(not LONG, reason="part of ./dev soak")
def test_forty_days(tmp_path: Path) -> None:
    """The same for forty days, three hundred people, and the seed of the date."""
    done = soak(tmp_path, seed=TODAY, days=40, people=300)
    print(done)  # noqa: T201 - figures for whoever runs the soak
    _check(done)


@pytest.mark.skipif(not LONG, reason="part of ./dev soak")
def test_a_job_that_does_not_look_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the look before each write switched off in the pair file, the soak sees that values are lost."""
    monkeypatch.setattr("tests.soak.pairfile.RECHECK", "never")
    done = soak(tmp_path, seed=9, days=12, people=40, only=("edited_during_the_run", "conflict"))
    assert "lost" in {finding.kind for finding in done.findings}, str(done)


@pytest.mark.skipif(not LONG, reason="part of ./dev soak")
def test_a_run_that_always_agrees_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that ends each run with 0 is caught in the first nights in which the sides differ."""
    monkeypatch.setattr("flows.outcome.tell.exit_code", lambda *_, **__: 0)
    done = soak(tmp_path, seed=9, days=4, people=40, only=("conflict", "value_dropped"))
    assert "agree" in {finding.kind for finding in done.findings}, str(done)
