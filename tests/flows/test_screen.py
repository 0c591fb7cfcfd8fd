"""What a person sees in a real terminal: of the width that it has, in its colours or without, and with nothing but what is meant."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from flows.cli import COMMANDS
from tests.flows.calls import say
from tests.screens import ROOT, see


def test_the_version_is_that_of_the_package() -> None:
    """`--version` says which version is installed."""
    assert say("--version").out.strip() == version("ghl-reconcile")


@pytest.mark.parametrize("command", ["plan", "run", "history", "report", "review", "undo"])
def test_a_missing_pair_file_is_named(command: str) -> None:
    """Without `--pair` a command says that it is missing and what to write, and ends with 3."""
    said = say(command, *(["20200101T000000-nightly-0000"] if command == "undo" else []))
    assert said.code == 3
    assert "--pair is missing" in said.errors
    assert f"ghl-reconcile {command} --pair acme.toml" in said.errors


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_no_flag_empties_a_list(command: str) -> None:
    """No command offers a flag that makes a list empty: a list that was not given is."""
    assert "--empty" not in say(command, "--help").out


_COMPLETE = """
{script}
COMP_WORDS=({words}); COMP_CWORD={place}
_ghl_reconcile; printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def _completed(*words: str) -> set[str]:
    script = say("completion", "bash").out
    text = _COMPLETE.format(script=script, words=" ".join(map(repr, words)), place=len(words) - 1)
    ended = subprocess.run(["bash", "-c", text], capture_output=True, text=True)  # noqa: S603, S607 - the script that is tested
    assert ended.returncode == 0, ended.stderr
    return set(ended.stdout.split())


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_commands_and_options() -> None:
    """In bash the begin of a command, and of an option, is completed."""
    assert _completed("ghl-reconcile", "his") == {"history"}
    assert {"--pair", "--engine"} <= _completed("ghl-reconcile", "run", "--")


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_get_their_script(shell: str, tmp_path: Path) -> None:
    """Each of zsh and fish gets a script with every command; where the shell is there, it takes it."""
    said = say("completion", shell)
    assert said.code == 0
    assert all(command in said.out for command in COMMANDS)
    if shutil.which(shell):
        script = tmp_path / "script"
        script.write_text(said.out, encoding="utf-8")
        assert subprocess.run([shell, "-n", script]).returncode == 0  # noqa: S603 - the script that is tested


_LIVE = """
import sys, time
from flows.cli import _make_sure_of_streams
_make_sure_of_streams()
from flows.terminal import Console
console = Console()
with console.status("working"):
    time.sleep(0.3)
    print("a plain line")
console.print("the end", style="bold red")
"""


@pytest.mark.parametrize("colours", [True, False])
def test_a_live_display_keeps_its_codes(colours: bool) -> None:
    """What moves on a terminal reaches it as codes, not written out; with NO_COLOR there are no colours."""
    extra = {} if colours else {"NO_COLOR": "1"}
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "TERM": "xterm-256color"}
    seen = see([sys.executable, "-c", _LIVE], 80, environment | extra)
    assert "u001b" not in seen.raw
    assert ("\x1b[1;31m" in seen.raw) is colours
    assert seen.lines[:2] == ("a plain line", "the end")
