"""Bytes to text and back without losing one.

The encoding is proven by the whole file, or declared, never half guessed.
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from dataclasses import dataclass

from connectors.files.parts import BrokenFileError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WIDE = ("utf-16", "utf-32")
_CHUNK = 1 << 20
_REMEDY = 'save it as UTF-8, or declare its encoding, such as encoding = "cp1252"'


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a file's text is coded: `mark` is the byte order mark it starts with."""

    name: str
    mark: bytes = b""

    @property
    def errors(self) -> str:
        """Bytes that mean nothing become lone surrogates.

        The row that holds them is found by these.
        """
        if self.name.startswith(_WIDE):
            return "strict"
        return "surrogateescape"

    def lines(self, content: bytes) -> Iterator[str]:
        """The lines with their ends as they stand: CR LF, LF or CR."""
        stream = io.BytesIO(content)
        stream.seek(len(self.mark))
        return iter(io.TextIOWrapper(stream, encoding=self.name, errors=self.errors, newline=""))

    def bytes_of(self, text: str) -> bytes:
        """The inverse of reading."""
        return text.encode(self.name, self.errors)

    def can_hold(self, text: str) -> bool:
        """Whether a text can be written."""
        try:
            text.encode(self.name, "strict")
        except UnicodeEncodeError:
            return False
        return True


def is_damaged(text: str) -> bool:
    """Whether a text holds bytes that mean nothing in its file's encoding."""
    return not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text)


def encoding_of(
    content: bytes, declared: str | None, name: str, *, otherwise: str = "cp1252"
) -> Encoding:
    """The encoding of a file; `otherwise` is that of one whose letters outside ASCII are not UTF-8.

    Raises BrokenFileError where none fits, or the declared one is not known.
    """
    mark, marked = next(
        ((mark, coded) for mark, coded in _MARKS if content.startswith(mark)), (b"", None)
    )
    if declared is not None:
        return _declared(content, declared, name, (mark, marked))
    if marked is not None:
        return _checked(content, Encoding(marked, mark), name)
    if (wide := _wide(content)) is not None:
        return _checked(content, wide, name)
    whole, some = _utf8(content)
    if whole or some:
        # With some letters outside ASCII well-formed, the rest is damage: read otherwise, it would
        # spoil them all.
        return Encoding("utf-8")
    return Encoding(otherwise)


def _declared(
    content: bytes, declared: str, name: str, marked: tuple[bytes, str | None]
) -> Encoding:
    try:
        known = codecs.lookup(declared).name
    except LookupError:
        what = f'{name}: there is no encoding "{declared}"'
        raise BrokenFileError(
            what, 'declare one such as "utf-8", "utf-16" or "cp1252", or none'
        ) from None
    plain = known.removesuffix("-sig").removesuffix("-le").removesuffix("-be")
    mark, coded = marked
    if coded is not None and coded.startswith(plain):
        return _checked(content, Encoding(coded, mark), name)
    wide = {"utf-16": "utf-16-le", "utf-32": "utf-32-le"}.get(
        known, known.removesuffix("-sig").replace("utf_8_sig", "utf-8")
    )
    return _checked(content, Encoding(wide), name)


def _checked(content: bytes, encoding: Encoding, name: str) -> Encoding:
    """The encoding, once it is known to fit.

    The whole file is decoded where bad bytes cannot be pinned to a row.
    """
    try:
        for _ in encoding.lines(content):
            if not encoding.name.startswith(_WIDE):
                break
    except UnicodeDecodeError as error:
        raise BrokenFileError(
            f"{name}: byte {error.start} is not {encoding.name}", _REMEDY
        ) from None
    except UnicodeError:
        raise BrokenFileError(f"{name} is not {encoding.name}", _REMEDY) from None
    return encoding


def _wide(content: bytes) -> Encoding | None:
    """UTF-16 without a mark shows by its zero bytes: every other one of a mostly Latin text."""
    head = content[:2000]
    if len(head) < 4 or b"\x00" not in head:
        return None
    even, odd = head[::2].count(0), head[1::2].count(0)
    if odd > 0.7 * len(head) / 2 and not even:
        return Encoding("utf-16-le")
    if even > 0.7 * len(head) / 2 and not odd:
        return Encoding("utf-16-be")
    return None


def _utf8(content: bytes) -> tuple[bool, bool]:
    """Whether all of it is UTF-8, and whether any letter outside ASCII is."""
    whole, some, decoder = True, False, codecs.getincrementaldecoder("utf-8")("surrogateescape")
    for start in range(0, len(content), _CHUNK):
        chunk = decoder.decode(
            content[start : start + _CHUNK], final=start + _CHUNK >= len(content)
        )
        if chunk.isascii():
            continue
        damaged = is_damaged(chunk)
        whole = whole and not damaged
        some = (
            some
            or not damaged
            or any(letter > "\x7f" and not "\ud800" <= letter <= "\udfff" for letter in chunk)
        )
    return whole, some
