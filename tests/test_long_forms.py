"""What CI leaves to the soak is there, and has something that stands for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests import long_forms

LISTED = """
[[left]]
tests = ["a.py::test_long", "a.py::test_both[one*"]
instead = "a.py::test_short"
"""


class Collected:
    """A collected test, of which nothing is looked at but its name."""

    def __init__(self, nodeid: str) -> None:
        self.nodeid = nodeid
        self.marks: list[Any] = []

    def add_marker(self, mark: Any) -> None:
        self.marks.append(mark)


def skipped(*names: str) -> list[str]:
    """Which of these tests are left out."""
    items = [Collected(f"tests/a.py::{name}") for name in names]
    long_forms.leave(items)  # type: ignore[arg-type]
    return [item.nodeid.rpartition(":")[2] for item in items if item.marks]


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "long_forms.toml"
    path.write_text(LISTED, encoding="utf-8")
    monkeypatch.setattr(long_forms, "LEFT", path)
    monkeypatch.setattr(long_forms, "SOAK", False)


@pytest.mark.usefixtures("listed")
def test_what_is_listed_is_left_out() -> None:
    """A test with all its cases, or the cases that begin like the name; no other."""
    there = ("test_long[a]", "test_long[b]", "test_both[one-1]", "test_both[two]", "test_short")
    assert skipped(*there) == ["test_long[a]", "test_long[b]", "test_both[one-1]"]


@pytest.mark.usefixtures("listed")
def test_the_soak_leaves_nothing_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """There each of them runs."""
    monkeypatch.setattr(long_forms, "SOAK", True)
    assert skipped("test_long", "test_both[one]", "test_short") == []


@pytest.mark.skipif(long_forms.SOAK, reason="the soak has other cases")
def test_each_name_is_a_test_and_what_stands_for_it_runs(request: pytest.FixtureRequest) -> None:
    """A test that was renamed, or that nothing stands for any more, is named. It asks what this process collected."""
    cases = long_forms.by_test(request.session.items)
    files = {test.partition("::")[0] for test in cases}
    named = [name for names, instead in long_forms.listed() for name in (*names, instead)]
    if not files.issuperset(f"tests/{name.partition('::')[0]}" for name in named):
        pytest.skip("asked where all tests are collected")
    assert [name for name in named if not long_forms.meant(name, cases)] == []
    left = {
        case
        for names, _ in long_forms.listed()
        for each in names
        for case in long_forms.meant(each, cases)
    }
    alone = [
        instead
        for _, instead in long_forms.listed()
        if left.issuperset(long_forms.meant(instead, cases))
    ]
    assert alone == []
