"""Where each key of a TOML text stands.

`tomllib` gives values without positions, and errors must name a line.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field

Step = str | int
KeyPath = tuple[Step, ...]
"""A place in a TOML document: table and key names, and positions in arrays counted from 0."""

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_INLINE_BLANK = re.compile(r"[ \t]*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:\\.|(?!""")[^\\])*"{3,5}|'
    r"'''(?:(?!''').)*'{3,5}|"
    r'"(?:\\.|[^"\\\n])*"|'
    r"'[^'\n]*'",
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]\}#\n]+")


@dataclass(slots=True)
class _Scanner:
    """One pass over a text that `tomllib` has accepted.

    `at` is the position of the next character.
    """

    text: str
    at: int = 0
    lines: dict[KeyPath, int] = field(default_factory=dict)
    arrays: dict[KeyPath, int] = field(default_factory=dict)
    texts: dict[KeyPath, tuple[int, int]] = field(default_factory=dict)

    def line(self) -> int:
        return self.text.count("\n", 0, self.at) + 1

    def skip(self, pattern: re.Pattern[str]) -> str:
        hit = pattern.match(self.text, self.at)
        if hit is None:
            return ""
        self.at = hit.end()
        return hit.group()

    def peek(self, token: str) -> bool:
        return self.text.startswith(token, self.at)

    def note(self, path: KeyPath) -> None:
        for depth in range(1, len(path) + 1):
            self.lines.setdefault(path[:depth], self.line())

    def document(self) -> None:
        table: KeyPath = ()
        self.skip(_BLANK)
        while self.at < len(self.text):
            if self.peek("["):
                table = self.header()
            else:
                self.pair(table)
            self.skip(_BLANK)

    def header(self) -> KeyPath:
        many = self.peek("[[")
        self.at += 2 if many else 1
        path = self.inside(self.dotted())
        if many:
            self.arrays[path] = self.arrays.get(path, -1) + 1
            path = (*path, self.arrays[path])
        self.lines.pop(path, None)
        self.note(path)
        self.at += 2 if many else 1
        return path

    def inside(self, path: KeyPath) -> KeyPath:
        """The path with the position of the last element after each name of an array of tables."""
        whole: KeyPath = ()
        for depth, step in enumerate(path, start=1):
            whole = (*whole, step)
            if whole in self.arrays and depth < len(path):
                whole = (*whole, self.arrays[whole])
        return whole

    def dotted(self) -> KeyPath:
        steps: list[Step] = []
        while True:
            self.skip(_INLINE_BLANK)
            steps.append(self.key())
            self.skip(_INLINE_BLANK)
            if not self.peek("."):
                return tuple(steps)
            self.at += 1

    def key(self) -> str:
        if not (self.peek('"') or self.peek("'")):
            return self.skip(_BARE)
        return next(iter(tomllib.loads(f"{self.skip(_STRING)} = 0")))

    def pair(self, table: KeyPath) -> None:
        path = (*table, *self.dotted())
        self.note(path)
        self.at += 1
        self.skip(_INLINE_BLANK)
        self.value(path)

    def value(self, path: KeyPath) -> None:
        if self.peek("["):
            self.array(path)
        elif self.peek("{"):
            self.inline(path)
        elif text := self.skip(_STRING):
            self.texts[path] = (self.at - len(text), self.at)
        else:
            self.skip(_SCALAR)

    def array(self, path: KeyPath) -> None:
        self.at += 1
        position = 0
        self.skip(_BLANK)
        while not self.peek("]"):
            self.note((*path, position))
            self.value((*path, position))
            self.separator()
            position += 1
        self.at += 1

    def inline(self, path: KeyPath) -> None:
        self.at += 1
        self.skip(_BLANK)
        while not self.peek("}"):
            self.pair(path)
            self.separator()
        self.at += 1

    def separator(self) -> None:
        self.skip(_BLANK)
        if self.peek(","):
            self.at += 1
            self.skip(_BLANK)


def key_lines(text: str) -> Mapping[KeyPath, int]:
    """The line, from 1, of every table, key and array element of a valid TOML text."""
    scanner = _Scanner(text)
    scanner.document()
    return scanner.lines


def text_spans(text: str) -> Mapping[KeyPath, tuple[int, int]]:
    """From where to where each text of a valid TOML text stands, with its quotes."""
    scanner = _Scanner(text)
    scanner.document()
    return scanner.texts


def line_of(lines: Mapping[KeyPath, int], path: KeyPath) -> int:
    """The line of `path`, or of the nearest thing around it that stands in the text.

    It is 1 for the document itself.
    """
    for depth in range(len(path), 0, -1):
        if (line := lines.get(path[:depth])) is not None:
            return line
    return 1
