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


def skipped(*names: str, whole: bool = True) -> list[str]:
    """Which of these tests are left out."""
    items = [Collected(f"tests/a.py::{name}") for name in names]
    long_forms.leave(items, whole=whole)  # type: ignore[arg-type]
    return [item.nodeid.rpartition(":")[2] for item in items if item.marks]


@pytest.fixture(autouse=True)
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "long_forms.toml"
    path.write_text(LISTED, encoding="utf-8")
    monkeypatch.setattr(long_forms, "LEFT", path)
    monkeypatch.setattr(long_forms, "SOAK", False)


def test_what_is_listed_is_left_out() -> None:
    """A test with all its cases, or the cases that begin like the name; no other."""
    there = ("test_long[a]", "test_long[b]", "test_both[one-1]", "test_both[two]", "test_short")
    assert skipped(*there) == ["test_long[a]", "test_long[b]", "test_both[one-1]"]


def test_the_soak_leaves_nothing_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """There each of them runs."""
    monkeypatch.setattr(long_forms, "SOAK", True)
    assert skipped("test_long", "test_both[one]", "test_short") == []


@pytest.mark.parametrize(
    "there",
    [
        ("test_both[one]", "test_short"),
        ("test_long", "test_short"),
        ("test_long", "test_both[one]"),
    ],
)
def test_a_name_that_no_test_has_is_an_error(there: tuple[str, ...]) -> None:
    """A test that was renamed, or that nothing stands for any more, is told; where a part is collected, nothing is."""
    with pytest.raises(pytest.UsageError, match="no test is called"):
        skipped(*there)
    skipped(*there, whole=False)
