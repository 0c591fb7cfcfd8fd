"""A command in a pseudo-terminal of some width, and the screen that a person sees of it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import sys
import termios
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
_PART = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])|\r|\n|[^\x1b\r\n]+|\x1b")


@dataclass(frozen=True, slots=True)
class Seen:
    """The exit code, every byte that came, and the lines that stand on the screen in the end."""

    code: int
    raw: str
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """The lines as one text."""
        return "\n".join(self.lines)

    @property
    def flowing(self) -> str:
        """The lines as one text without the breaks that the width made."""
        return " ".join(self.text.split())


def watch(*words: object, columns: int = 80, **variables: str) -> Seen:
    """Carry out `ghl-reconcile WORDS` in a terminal that is so many columns wide."""
    command = [sys.executable, "-m", "flows.cli", *map(str, words)]
    environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "NO_COLOR")}
    return see(
        command,
        columns,
        environment | {"TERM": "xterm-256color", "PYTHONPATH": str(ROOT)} | variables,
    )


def see(command: list[str], columns: int, environment: Mapping[str, str]) -> Seen:
    """Carry out a command in a terminal, and read it to its end."""
    child, terminal = pty.fork()
    if child == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        os.execvpe(command[0], command, dict(environment))  # noqa: S606 - our own command
    raw = b""
    while part := _read(terminal):
        raw += part
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    text = raw.decode()
    return Seen(os.waitstatus_to_exitcode(status), text, tuple(_screen(text, columns)))


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # Linux says so where the other end has closed
        return b""


def _screen(text: str, columns: int) -> list[str]:
    """What is left on the screen: lines, with carriage returns, cursor movements up and erasures carried out."""
    lines, row, column = [""], 0, 0
    for found in _PART.finditer(text):
        part, code = found[0], found[2]
        if part == "\n":
            row += 1
        elif part == "\r":
            column = 0
        elif code == "A":
            row = max(0, row - int(found[1] or 1))
        elif code == "K":
            lines[row] = "" if found[1] == "2" else lines[row][:column]
        elif code is None:
            for character in part:
                row, column = (row + 1, 0) if column == columns else (row, column)
                lines += [""] * (row + 1 - len(lines))
                line = lines[row].ljust(column)
                lines[row] = line[:column] + character + line[column + 1 :]
                column += 1
        lines += [""] * (row + 1 - len(lines))
    return [line.rstrip() for line in lines]
