"""What the README tells people to type is true: its commands exist, its pair file loads; test_wheel.py runs its demo."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from flows.cli import COMMANDS
from flows.config import load
from tests.flows.calls import say

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NOT_RUN = "# not run by the tests"


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, its text, and where it begins."""

    language: str
    text: str
    line: int

    def __str__(self) -> str:
        return f"README.md:{self.line}"


BLOCKS = [
    Block(hit[1], hit[2], README[: hit.start()].count("\n") + 1) for hit in _BLOCK.finditer(README)
]
PAIRS = [block for block in BLOCKS if block.language == "toml"]


def _commands() -> Iterator[tuple[str, list[str], bool]]:
    """Where each command stands, its words, and whether its block may be run here."""
    for block in BLOCKS:
        if block.language != "sh":
            continue
        lines = block.text.replace("\\\n", " ").splitlines()
        for at, line in enumerate(lines):
            words = shlex.split(line, comments=True)
            if words:
                yield f"README.md:{block.line + at + 1}", words, _NOT_RUN not in block.text


COMMAND_LINES = list(_commands())


def test_there_is_something_to_check() -> None:
    """The README has commands to type and a pair file to copy."""
    assert any(words[0] == "./dev" for _, words, _ in COMMAND_LINES)
    assert any(words[0] == "ghl-reconcile" for _, words, _ in COMMAND_LINES)
    assert PAIRS


@pytest.mark.parametrize(
    ("where", "words"), [each[:2] for each in COMMAND_LINES], ids=lambda each: str(each)
)
def test_command_is_one_of_ours(where: str, words: list[str]) -> None:
    """Each command line names a command that is there, with options that it takes."""
    if words[0] == "export":
        assert re.fullmatch(r"[A-Z_]+=.*", words[1]), where
    elif words[0] == "./dev":
        assert re.search(
            rf"^    {words[1]}( \||\))", (ROOT / "dev").read_text(encoding="utf-8"), re.MULTILINE
        ), where
    else:
        assert words[0] == "ghl-reconcile", where
        assert words[1] in COMMANDS, where
        told = say(words[1], "--help").out
        assert all(word.partition("=")[0] in told for word in words[2:] if word.startswith("--")), (
            where
        )


@pytest.mark.parametrize("block", PAIRS, ids=str)
def test_pair_file_loads(block: Block, tmp_path: Path) -> None:
    """Each pair file of the README is one that loads without a problem."""
    path = tmp_path / "pair.toml"
    path.write_text(block.text, encoding="utf-8")
    named = dict.fromkeys(re.findall(r'"env:(\w+)"', block.text), "x")
    named |= {name: "sqlite:///app.db" for name in named if name.endswith("URL")}
    assert load(path, environ=named).mapping.entities


def test_commands_of_the_table_exist() -> None:
    """Each command that the README's table lists is one that is there."""
    listed = {
        name.split()[0]
        for row in re.findall(r"^\| (`[^|]*) \|", README, re.MULTILINE)
        for name in re.findall(r"`([^`]+)`", row)
    }
    assert listed <= set(COMMANDS), listed - set(COMMANDS)


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\((?!https?:)([^)#]+)\)", README))))
def test_links_lead_somewhere(link: str) -> None:
    """Each file that the README links to is there."""
    assert (ROOT / link).exists()
