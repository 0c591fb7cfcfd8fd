"""What a rehearsal tells of a broken promise: everything, or with `--masked` nothing that anybody had typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.demo import make
from flows.rehearse.findings import KINDS, Finding
from flows.rehearse.nights import Night, Rehearsed
from tests.flows.calls import Said, say

TYPED = "Quxley"
"""A name that one person has, and that stands nowhere else."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's pair file."""
    return make(tmp_path_factory.mktemp("own") / "demo", contacts=40)


def _broken(*_args: object, **_settings: object) -> Rehearsed:
    """A rehearsal of two nights, of which the second lost a name."""
    finding = Finding(
        2,
        "lost",
        ("contact", "c7"),
        "first_name",
        f"{TYPED} is gone",
        story=(f"app: first_name {TYPED} typed on day 1",),
        nights=("all well", "killed"),
    )
    nights = [
        Night(1, 0, "Both sides agree", "all well", 9, 0, 20),
        Night(2, 0, "Both sides agree", "killed", 1, 0, 8, broken=(finding,)),
    ]
    sides = {"app": 5, "ghl": 5}
    return Rehearsed("acme", 3, sides, sides, nights=nights)


@pytest.fixture
def said(
    demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> tuple[Said, str]:
    """What the command says on the terminal, and its two files."""
    monkeypatch.setattr("flows.rehearse.nights.rehearse", _broken)
    monkeypatch.setenv("COPY", "sqlite://")
    folder = tmp_path / "rehearsal"
    words = ("--people", "5", "--seed", "3", "--into", "env:COPY", "--folder", folder)
    told = say("rehearse", "--pair", demo, *words, *request.param)
    files = (folder / name for name in ("rehearsal.md", "rehearsal.json"))
    return told, "\n".join(file.read_text(encoding="utf-8") for file in files)


@pytest.mark.parametrize("said", [()], indirect=True)
def test_a_broken_promise_is_told_with_its_story(said: tuple[Said, str]) -> None:
    """The terminal and the page show what was typed and where it went."""
    told, page = said
    assert told.code == 2
    assert f"{TYPED} is gone" in told.out
    assert f"{TYPED} is gone" in page


@pytest.mark.parametrize("said", [("--masked",), ("--masked", "--json")], indirect=True)
def test_a_masked_rehearsal_shows_nothing_that_was_typed(said: tuple[Said, str]) -> None:
    """Neither on the terminal nor in a file; the promise, the record and the field are named all the same."""
    told, page = said
    assert told.code == 2
    for text in (told.out, told.errors, page):
        assert TYPED not in text
    for text in (told.out, page):
        assert "c7" in text
        assert KINDS["lost"] in text


@pytest.mark.parametrize("said", [()], indirect=True)
def test_the_page_has_the_command_that_repeats_it(said: tuple[Said, str], demo: Path) -> None:
    """With the same people, on whom the edits depend; a database is named by its variable."""
    _, page = said
    again = f"--pair {demo} --people 5 --seed 3 --into env:COPY --nights 2 --keep"
    assert f"`ghl-reconcile rehearse {again}`" in page
