"""What every file format is read into.

Parts that know their line, and say what they hold or why they cannot be read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

import msgspec

from reconcile.ports import Json


class BrokenFileError(Exception):
    """A file that cannot be read or written as a whole.

    `what` names no value, `remedy` says what to do.
    """

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.what} → {self.remedy}"


class UnfitError(ValueError):
    """A native value that a file cannot hold; the message says why, without the value."""


class State(StrEnum):
    """What is to become of a part when its file is written."""

    KEPT = "kept"
    CHANGED = "changed"
    NEW = "new"
    GONE = "gone"


@dataclass(slots=True)
class Part:
    """A piece of a file: a record, something unreadable, or neither.

    A record has `values` by column, something unreadable has `why`. Neither are a blank line and
    the footer.

    `line` counts from 1, in Parquet it is the row. `raw` is what the format needs to write the part
    as it was, `touched` are the columns that were written to.
    """

    line: int
    raw: Any = None
    values: dict[str, Json] | None = None
    why: str = ""
    state: State = State.KEPT
    touched: set[str] = field(default_factory=set)
    is_footer: bool = False

    def put(self, column: str, value: Json) -> None:
        """Set a column of a record."""
        if self.values is not None:
            self.values[column] = value
            self.touched.add(column)
        if self.state is State.KEPT:
            self.state = State.CHANGED


class Sheet(Protocol):
    """One file of some format, held in memory as the bytes it was read as."""

    @property
    def columns(self) -> tuple[str, ...] | None:
        """The columns in order; None where each record names its own."""
        ...

    @property
    def fixed(self) -> str:
        """Why rows can neither be added nor taken out; "" where they can."""
        ...

    def parts(self) -> Iterator[Part]:
        """Everything in the file, in order. Raises BrokenFileError where it cannot be read on."""
        ...

    def fit(self, column: str, value: Json, part: Part | None) -> Json:
        """The value as this file can hold it. Raises UnfitError where it cannot."""
        ...

    def lists(self, column: str) -> bool:
        """Whether a column holds lists as they are."""
        ...

    def dump(self, parts: Sequence[Part]) -> bytes:
        """The file with its parts as they are now; what is kept stays as it was.

        Raises BrokenFileError.
        """
        ...


def text_of(value: Json) -> str:
    """A native value as text.

    Blank is "", a truth value is true or false, a list or object is JSON.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()


def unix(text: str) -> str:
    """A text with one kind of line end, as XML reads it back."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def same(current: Json, wanted: Json) -> bool:
    """Whether two native values are one: blank is blank, and a number is its text."""
    return ("" if current == [] else text_of(current)) == ("" if wanted == [] else text_of(wanted))
