"""What reaches a terminal.

Text whose control characters are written out, so that no value moves the cursor or hides a line.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterable
from io import BufferedWriter, RawIOBase, TextIOWrapper
from pathlib import Path
from typing import IO, Any, TextIO

from rich.console import Console as RichConsole
from rich.console import ConsoleOptions, RenderableType
from rich.segment import Segment

# C0 but tab and line end, DEL, C1, and what turns the direction of writing (Unicode's
# Bidi_Control).
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def shown(text: str) -> str:
    r"""The text with each control character as `\u001b`: to be seen, and of no effect.

    It is the same value wherever it stands in JSON.
    """
    return _CONTROLS.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


class _Pipe(RawIOBase):
    """Writes to a file descriptor for as long as somebody reads it.

    Afterwards what is written goes nowhere.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._left = False

    def writable(self) -> bool:
        """It is for writing."""
        return True

    def fileno(self) -> int:
        """The file descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return os.isatty(self._descriptor)

    def write(self, content: Any) -> int:
        """Write what the reader takes."""
        if not self._left:
            try:
                return os.write(self._descriptor, content)
            except BrokenPipeError:
                self._left = True
        return len(content)


def heard(stream: TextIOWrapper) -> TextIOWrapper:
    """The same stream for somebody who may stop to listen; it takes every character.

    The given one has to stay open.
    """
    stream.flush()
    return TextIOWrapper(
        BufferedWriter(_Pipe(stream.fileno())),
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


class Shown:
    """A text stream that writes control characters out.

    Rich writes past it, by Console below, whose colours are its own.
    """

    def __init__(self, stream: TextIO) -> None:
        self.rich_proxied_file = stream

    def write(self, text: str) -> int:
        """Write the text as it is shown."""
        self.rich_proxied_file.write(shown(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each line as it is shown."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.rich_proxied_file, name)


class Console(RichConsole):
    """Rich's console, which keeps its own control codes and writes out everybody else's."""

    @property
    def file(self) -> IO[str]:
        """The stream behind every one that stands before it.

        A live display of Rich's puts its own before ours.
        """
        stream = self._file or (sys.stderr if self.stderr else sys.stdout)
        while hasattr(stream, "rich_proxied_file"):
            stream = stream.rich_proxied_file
        return stream

    @file.setter
    def file(self, stream: IO[str]) -> None:
        self._file = stream

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Rich's segments, their text as it is shown."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(shown(segment.text), segment.style)


def program() -> str:
    """How this program is started from here.

    By its name, or by its path where the shell would not find the name.
    """
    name = "ghl-reconcile"
    beside = Path(sys.executable).with_name(name)
    if shutil.which(name) or not beside.exists():
        return name
    return shlex.quote(os.path.relpath(beside))
