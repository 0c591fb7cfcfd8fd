"""The page of proof is made of the promises and of figures with a day: each promise has tests, and each test is there."""

from __future__ import annotations

import datetime
import re
import sys
import tomllib
from typing import Any

import pytest

from tests.docs.pages import DOCS, ROOT

sys.path.append(str(DOCS))
from proof import page, promises

PROMISES = list(promises())
MEASURED: dict[str, list[dict[str, Any]]] = tomllib.loads(
    (DOCS / "proof.toml").read_text(encoding="utf-8")
)


def test_the_promises_are_those_of_the_readme() -> None:
    """What the README lets people rely on is what the page proves, in the same order."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^(\d+\. )\*\*(.+?)\.\*\*", text, re.MULTILINE)
    assert [f"{number}{title}" for number, title in listed] == [title for title, _, _ in PROMISES]


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise[0])
def test_each_promise_has_tests_that_are_there(promise: tuple[str, str, list[str]]) -> None:
    """A promise without a test is none, and a test that was renamed proves nothing."""
    _, says, tests = promise
    assert says.endswith(".")
    assert tests
    for test in tests:
        file, _, name = test.partition("::")
        text = (ROOT / file).read_text(encoding="utf-8")
        word = name.rpartition("::")[2] or r"test_\w+"
        assert re.search(rf"^ *(?:def |class )?{word}\b *[=(:]", text, re.MULTILINE)


@pytest.mark.parametrize("kind", ["soak", "benchmark"])
def test_a_figure_has_its_day_and_its_command(kind: str) -> None:
    """What is written down says when it was measured and how; without a day nothing is claimed."""
    for each in MEASURED[kind]:
        figure = each["says"] if kind == "soak" else each["ours"]
        assert bool(figure) == ("on" in each), each["what"]
        assert figure == "" or isinstance(each["on"], datetime.date)
        script = each["command"].split()[0]
        assert script == "python" or (ROOT / script.removeprefix("./")).exists()


def test_what_is_missing_is_said() -> None:
    """A run without a figure and a promise without a test stand on the page as such."""
    text = page("")
    missing = [each for each in MEASURED["soak"] if not each["says"]]
    missing += [each for each in MEASURED["benchmark"] if not each["ours"]]
    assert text.count("no figure is written down yet") == len(missing)
    assert text.count("\n- **") == len(MEASURED["not_proven"]) + 1
