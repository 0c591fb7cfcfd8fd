"""Mends JSON that holds half of a character, as a text has that JavaScript cut inside an emoji."""

from __future__ import annotations

import re

_ESCAPED = re.compile(
    rb"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)


def with_whole_characters(body: bytes) -> bytes:
    """JSON with a replacement character, as a browser shows it, for each half of one.

    A text that JavaScript cut inside an emoji has such a half.

    Nothing that reads UTF-8 reads such a half, so that one record's would keep every other record
    from being read.
    """
    if b"\\ud" not in body and b"\\uD" not in body:
        return body
    return _ESCAPED.sub(lambda match: rb"\ufffd" if match["half"] else match[0], body)
