"""What every codec is: one total, idempotent canonical form of native values, and the way back."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import ClassVar

from reconcile.model import Cell, Side
from reconcile.ports import Json
from reconcile.values.bounds import beyond, whole

Raw = str | None
"""A native value as DuckDB reads it from JSON into text.

Strings as they are, other values as their JSON text.
"""


def raw_text(value: Json) -> Raw:
    """The Raw form of a native value, the same text that a bulk read gives.

    "" stays "". Numbers and lists become JSON.
    """
    if value is None or isinstance(value, str):
        return value and whole(value)
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    # DuckDB writes the digits of an escape in upper case, Python in lower.
    return _ESCAPE.sub(lambda match: match[0][:2] + match[0][2:].upper(), text)


_ESCAPE = re.compile(r"\\(?:\\|u[0-9a-f]{4})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """How one kind of value is read and written; every method is total and pure.

    `name` is the word a pair file uses.

    `revision` changes with what is canonical: baselines that were made with another one are made
    canonical anew.
    """

    revision: ClassVar[str] = "1"
    name: str = "codec"

    def decode(self, raws: Sequence[Raw], side: Side) -> Cell:
        """The canonical form of native values.

        What cannot be understood stays as trimmed text (see `fault`).
        """
        return clean(raws) or None

    def encode(self, cell: Cell, side: Side, arity: int) -> tuple[Json, ...]:
        """The native values, `arity` of them, whose canonical form is `cell`."""
        return (cell,) * arity

    def reread(self, cell: str, side: Side) -> Cell:
        """The canonical form of a text that was canonical under another revision.

        The value is one that `side` showed.
        """
        # A well-formed one is canonical: read as the app's, it would be translated once more.
        spoken = side if self.fault(cell) else Side.GHL
        return self.decode([cell], spoken)

    def fault(self, cell: Cell) -> str | None:
        """Why `cell` is not a well-formed value of this kind; None when it is (blank always is)."""
        return beyond(cell)

    def writable(self, cell: Cell, side: Side) -> bool:
        """Whether a side can be told this value now; what it names may have to be made first."""
        return True

    @property
    def learned(self) -> str:
        """A name for what a side told of it, beyond what the pair file says.

        It is "" where that is nothing.
        """
        return ""

    def fast(self, column: str) -> tuple[str, str] | None:
        """SQL (condition, value) over one Raw column.

        Where the condition holds, value is canonical and well-formed.
        """
        return None

    def blur(self, column: str) -> str:
        """SQL that is equal wherever two values' canonical forms are equal, and cheap.

        It narrows down, it never decides.
        """
        return f"regexp_replace(strip_accents(lower({column})), '[^a-z0-9]', '', 'g')"


LEARNED = "learned"
"""Marks, in a codec's field, what a side tells when it is asked: it is no part of the pair file."""


def declared(codec: Codec) -> dict[str, object]:
    """What the pair file says of a codec, by member."""
    members = (each for each in fields(codec) if LEARNED not in each.metadata)
    return {each.name: getattr(codec, each.name) for each in members}


_TRUE = frozenset({"true", "t", "yes", "y", "1", "on"})
_FALSE = frozenset({"false", "f", "no", "n", "0", "off"})


def truth(text: str) -> str:
    """The text, or true or false where it is another word for that."""
    word = text.lower()
    if word in _TRUE:
        return "true"
    if word in _FALSE:
        return "false"
    return text


def clean(raws: Sequence[Raw]) -> str:
    """The native values as one trimmed text, in Unicode's composed form.

    A text that is beyond the bounds stays as it stands.
    """
    parts = [raw.strip() for raw in raws if raw is not None]
    text = " ".join(part for part in parts if part)
    # To compose a text takes longer than all else here, and changes nothing of ASCII.
    if text.isascii() or beyond(text):
        return text
    composed = [unicodedata.normalize("NFC", raw).strip() for raw in raws if raw is not None]
    return " ".join(part for part in composed if part)
