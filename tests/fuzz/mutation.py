"""Makes hostile inputs of good ones: bytes that are cut, doubled, swapped, spliced and salted with what parsers stumble over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

SALT: tuple[bytes, ...] = (
    *(
        b"\x00",
        b"\xff\xfe",
        b"\xed\xa0\x80",
        "\u202e".encode(),
        "\u0301".encode() * 9,
        b"\r\n",
        b"\t",
    ),
    *(b"[" * 50, b"{" * 50, b"]]", b"}}", b'"', b"'", b"\\", b"\\ud800", b",", b":", b"=", b"#"),
    *(b"null", b"true", b"NaN", b"Infinity", b"-0", b"1e400", b"9" * 40, b"0x10", b"1_000"),
    *(b"<!--", b"-->", b"<p ", b"&#x", b"&amp;", b"9999-99-99", b"2024-02-30T25:61:61Z", b"+1"),
    *(b"__proto__", b"../../x", b"env:HOME", b"file:/etc/passwd", b"%s%n", b"{{ 7*7 }}", b"'; --"),
)
"""What parsers stumble over."""

Step = Callable[[bytes, Random, Sequence[bytes]], bytes]


def mutate(seeds: Sequence[bytes], chance: Random) -> bytes:
    """One of the seeds, changed in one to six places."""
    text = chance.choice(seeds)
    for _ in range(chance.randint(1, 6)):
        text = chance.choice(_STEPS)(text, chance, seeds)
    return text[:200_000]


def _place(text: bytes, chance: Random) -> tuple[int, int]:
    start = chance.randint(0, len(text))
    return start, min(len(text), start + chance.choice((1, 1, 2, 8, 40)))


def _cut(text: bytes, chance: Random, _: Sequence[bytes]) -> bytes:
    start, end = _place(text, chance)
    return text[:start] + text[end:]


def _truncate(text: bytes, chance: Random, _: Sequence[bytes]) -> bytes:
    return text[: _place(text, chance)[0]]


def _double(text: bytes, chance: Random, _: Sequence[bytes]) -> bytes:
    start, end = _place(text, chance)
    return text[:start] + text[start:end] * chance.choice((2, 3, 30)) + text[end:]


def _flip(text: bytes, chance: Random, _: Sequence[bytes]) -> bytes:
    if not text:
        return text
    at = chance.randrange(len(text))
    return text[:at] + bytes([text[at] ^ (1 << chance.randrange(8))]) + text[at + 1 :]


def _salt(text: bytes, chance: Random, _: Sequence[bytes]) -> bytes:
    start, end = _place(text, chance)
    rest = text[start:] if chance.random() < 0.5 else text[end:]
    return text[:start] + chance.choice(SALT) + rest


def _splice(text: bytes, chance: Random, seeds: Sequence[bytes]) -> bytes:
    other = chance.choice(seeds)
    return text[: _place(text, chance)[0]] + other[_place(other, chance)[0] :]


_STEPS: tuple[Step, ...] = (_cut, _truncate, _double, _flip, _salt, _salt, _splice)
