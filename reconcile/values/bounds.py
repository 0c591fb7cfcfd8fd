"""How much of a text is looked into: beyond it, work on Unicode or markup would not end in time."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

LONGEST = 1_000_000
"""Characters of a value: a note with a whole e-mail in it has fewer."""
LONGEST_WORD = 1_000
"""Characters of one word of a set."""
_MOST_MARKS = 64
"""On one letter; Unicode's own "stream-safe" text has 30.

Putting n of them into order takes n * n steps.
"""
_HALVES = re.compile("[\ud800-\udfff]+")


@cache
def _too_many_marks() -> re.Pattern[str]:
    marks = "".join(chr(code) for code in range(0x300, 0x1F000) if unicodedata.combining(chr(code)))
    return re.compile(f"[{marks}]{{{_MOST_MARKS + 1}}}")


def beyond(text: str | None, most: int = LONGEST) -> str | None:
    """Why a text is not looked into: more of it than the work on Unicode and markup is done for.

    None where it is.
    """
    if text is None:
        return None
    if len(text) > most:
        return f"longer than {most:,} characters"
    if len(text) > _MOST_MARKS and not text.isascii() and _too_many_marks().search(text):
        return f"a letter with more than {_MOST_MARKS} combining marks"
    return None


def whole(text: str) -> str:
    """Text that UTF-8 can hold.

    Each half of a character, as JSON may have it, becomes the replacement character.
    """
    if text.isascii() or not _HALVES.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
