"""No value that a stranger put into a field moves the cursor, hides a line or turns the writing round on a terminal."""

from __future__ import annotations

import ast
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from rich.table import Table
from rich.text import Text

from flows.commands.show import changes
from flows.terminal import Console, Shown, shown

ROOT = Path(__file__).parents[2]
HOSTILE = "Ann\x1b[2K\x1b[1A\x9b8m\u202egnp\u2066\r\x07\x08\x7f Bo\u0301 É"
SIGNS = frozenset(HOSTILE) - frozenset("Ann[2K1A8mgnp Bo\u0301É")


def test_control_characters_are_written_out_and_nothing_else() -> None:
    """C0, C1 and the marks of direction become visible; letters, tabs and line ends stay; in JSON the value is the same."""
    assert not SIGNS & set(shown(HOSTILE))
    assert shown("Bo\u0301 É\t\n漢 🙂") == "Bo\u0301 É\t\n漢 🙂"
    assert json.loads(shown(json.dumps(HOSTILE, ensure_ascii=False))) == HOSTILE


def test_a_stream_shows_what_is_printed() -> None:
    """Print and json.dump through the stream leave no control character."""
    under = io.StringIO()
    stream = Shown(under)
    print(HOSTILE, file=stream)  # type: ignore[call-overload]
    json.dump({HOSTILE: 1}, stream, ensure_ascii=False)  # type: ignore[arg-type]
    assert not SIGNS & set(under.getvalue())


@pytest.mark.parametrize(
    "made", [str, Text, lambda text: _table(text)], ids=["str", "Text", "Table"]
)
def test_a_console_keeps_its_own_colours_alone(made: object) -> None:
    """On a terminal the product's own codes are there, those of a value are not."""
    plain, hostile = (_rendered(made, text) for text in ("Ann", HOSTILE))
    assert "\x1b[1m" in plain
    assert hostile.count("\x1b") == plain.count("\x1b")
    assert not (SIGNS - {"\x1b"}) & set(hostile)


def _table(text: str) -> Table:
    table = Table(box=None)
    table.add_column(text)
    table.add_row(text)
    return table


def _rendered(made: object, text: str) -> str:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=200, color_system="standard")
    console.print(made(text), style="bold", highlight=False, markup=False)  # type: ignore[operator]
    return out.getvalue()


def test_a_contact_cannot_fake_the_plan_that_is_approved() -> None:
    """A contact named with escape sequences stands in the listed changes as what it is."""
    entry = {
        "kind": "delete",
        "entity": "contact",
        "side": "ghl",
        "label": HOSTILE,
        "because": HOSTILE,
        "status": "planned",
        "fields": [],
        "under": None,
        "detail": None,
        "code": None,
        "app_key": "1",
        "ghl_key": "2",
        "risk": "high",
    }
    out = io.StringIO()
    changes(Console(file=out, width=200), [entry])
    assert "delete" in out.getvalue()
    assert not SIGNS & set(out.getvalue())


def test_the_command_line_shows_control_characters() -> None:
    """What a command says of a file whose name holds an escape sequence reaches the terminal without it."""
    command = [sys.executable, "-m", "flows.cli", "doctor", "--pair", "none\x1b[2J\u202e.toml"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60)  # noqa: S603 - our own command
    said = (ended.stdout + ended.stderr).decode()
    assert "none\\u001b[2J\\u202e.toml" in said
    assert not SIGNS & set(said)


def test_there_is_one_console() -> None:
    """No other file makes a console of Rich's own, or writes to the streams past the one that shows."""
    for file in (ROOT / "flows").rglob("*.py"):
        if file.name == "terminal.py":
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = (
                {alias.name for alias in node.names} if isinstance(node, ast.ImportFrom) else set()
            )
            assert not (
                isinstance(node, ast.ImportFrom)
                and node.module == "rich.console"
                and "Console" in names
            ), file
            assert not (isinstance(node, ast.ImportFrom) and node.module == "rich"), file
            assert not (
                isinstance(node, ast.Attribute) and node.attr in ("__stdout__", "__stderr__")
            ), file
