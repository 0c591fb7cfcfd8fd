"""Whatever text a person, an importer or a stranger left in a field: a codec ends with a value or a fault, in linear time."""

from __future__ import annotations

import time
from collections.abc import Callable

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.model import Side
from reconcile.values.codecs import CODECS, Codec, codec_named, raw_text
from tests.properties.profiles import profile

MARKS = "\u0301\u0327"
HOSTILE: dict[str, Callable[[int], str]] = {
    "a reference to no character": lambda n: "Thanks &#" + "9" * n + ";",
    "a reference in base 16": lambda n: "&#x" + "f" * n + ";",
    "brackets": lambda n: "[" * n,
    "a list in a list": lambda n: "[" * n + "]" * n,
    "objects in objects": lambda n: "[" + '{"a":' * n + "1" + "}" * n + "]",
    "a number in a list": lambda n: "[" + "9" * n + "]",
    "comments without an end": lambda n: "<!--" * n,
    "one comment with an end": lambda n: "<!--" * n + "-->",
    "comments": lambda n: "<!--x-->" * n,
    "tags without an end": lambda n: "<p " * n,
    "tags in tags": lambda n: "<b" * n + ">" * n,
    "tags around tags": lambda n: "<" * n + "b>" * n,
    "quotes in tags": lambda n: '<p a="' * n,
    "signs of equality": lambda n: "<p " + "=\"='" * n,
    "escaped escapes": lambda n: "&" + "amp;" * n,
    "escapes by number": lambda n: "&" + "#38;" * n,
    "declarations": lambda n: "<!" * n,
    "marks on one letter": lambda n: "a" + MARKS * n,
    "marks in the wrong order": lambda n: "a" + "\u0301" * n + "\u0327" * n,
    "halves of emoji": lambda n: '["' + "\\ud83d" * n + '"]',
    "white space": lambda n: "x" + " " * n + "x",
    "line ends": lambda n: "\r\n" * n + "x",
    "plus signs": lambda n: "+1" * n,
    "extensions": lambda n: "1 ext " * n,
    "dots": lambda n: "1." * n,
    "labels of a domain": lambda n: "a@" + "a-" * n,
    "a domain in Punycode": lambda n: "a@xn--" + "a" * n + "-" + "b9" * n + ".com",
    "many domains in Punycode": lambda n: "a@" + "xn--bcher-kva." * n + "com",
    "dashes": lambda n: "-" * n + "1",
    "a date and more": lambda n: "2024-01-01 " + "0" * n,
    "commas": lambda n: "a," * n,
}


def _codec(name: str) -> Codec:
    return codec_named(name, region="US", timezone="Europe/Berlin", choices={"open": "false"})


def _decode(name: str, text: str) -> None:
    codec = _codec(name)
    cell = codec.decode([text], Side.APP)
    codec.fault(cell)
    codec.encode(cell, Side.GHL, 1)


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("size", [1, 7, 70, 1_200, 4_400])
def test_hostile_text_ends_as_a_cell_that_reads_as_itself(kind: str, size: int) -> None:
    """Deep, endless or senseless text raises nothing; its cell stays the same when it is read again and can be stored."""
    for name in CODECS:
        codec, text = _codec(name), HOSTILE[kind](size)
        cell = codec.decode([text], Side.GHL)
        assert codec.decode([cell], Side.GHL) == cell, name
        assert cell != ""
        (cell or "").encode()
        codec.fault(cell)
        codec.encode(cell, Side.APP, 1)


@pytest.mark.parametrize("kind", HOSTILE)
def test_time_grows_no_faster_than_the_text(kind: str) -> None:
    """Text that is eight times as long takes about eight times as long, whatever is in it: never sixty-four times."""
    for name in CODECS:
        short, long = (_seconds(name, HOSTILE[kind](size)) for size in (2_000, 16_000))
        if long > 24 * max(
            short, 0.001
        ):  # noise of the machine: measured again, with the best of more
            short, long = (_seconds(name, HOSTILE[kind](size), times=5) for size in (2_000, 16_000))
        assert long <= 24 * max(short, 0.001), (name, short, long)


def _seconds(name: str, text: str, times: int = 1) -> float:
    best = float("inf")
    for _ in range(times):
        begun = time.thread_time()
        _decode(name, text)
        best = min(best, time.thread_time() - begun)
    return best


PIECES = [
    *(
        "<",
        ">",
        "</",
        "<b>",
        "</p>",
        "<br",
        "<!--",
        "-->",
        "--",
        "!",
        "&",
        "&amp",
        "&lt;",
        "&#60;",
        "&#x3c;",
        "&#",
        "9" * 40,
    ),
    *(
        "\u037e",
        "\u0338",
        "[",
        "]",
        '["',
        '"]',
        '"',
        ",",
        "\\",
        "\\ud83d",
        "\ud83d",
        "{",
        "}",
        ":",
        "null",
        "\u0301" * 40,
        "é",
    ),
    *(
        " ",
        "\n",
        "\r",
        "\u00a0",
        "\u2028",
        "\x00",
        "=",
        "'",
        "+",
        "1",
        "0",
        "-",
        ".",
        "/",
        "T",
        "Z",
        "@",
        "a",
        "B",
        "e",
    ),
    "İ",
    "xn--",
]


@given(
    name=st.sampled_from(CODECS),
    pieces=st.lists(st.sampled_from(PIECES), max_size=14),
    side=st.sampled_from(list(Side)),
)
@profile(ci=(1_500, 1), soak=(200_000, 1))
def test_text_of_awkward_pieces_ends_as_a_cell_that_reads_as_itself(
    name: str, pieces: list[str], side: Side
) -> None:
    """Whatever is put together of the signs that mean something to a codec ends as a cell, which reads as itself."""
    codec, raw = _codec(name), raw_text("".join(pieces))
    cell = codec.decode([raw], side)
    assert codec.decode([cell], Side.GHL if codec.fault(cell) is None else side) == cell
    (cell or "").encode()
    codec.encode(cell, side, 1)


@pytest.mark.parametrize("name", ["text", "name", "html"])
@pytest.mark.parametrize(
    ("text", "why"),
    [("x" * 1_000_001, "1,000,000 characters"), ("a" + MARKS * 50_000, "combining marks")],
)
def test_text_beyond_the_bounds_is_kept_with_a_fault(name: str, text: str, why: str) -> None:
    """Text that is too long, or a letter with too many marks, stays as it is and has a fault that says which."""
    cell = _codec(name).decode([text], Side.APP)
    assert cell == text
    assert why in (_codec(name).fault(cell) or "")


def test_markup_in_markup_without_an_end_is_kept_with_a_fault() -> None:
    """Markup that is escaped over and over again is no text that anybody meant: it stays as it is, with a fault."""
    text = "&" + "amp;" * 50 + "lt;"
    cell = _codec("html").decode([text], Side.APP)
    assert cell == text
    assert "escaped" in (_codec("html").fault(cell) or "")
    assert _codec("html").decode(["&amp;amp;amp;lt;"], Side.APP) == "<"


def test_a_word_beyond_the_bounds_has_a_fault() -> None:
    """A tag longer than any tag, such as a note in the wrong column, is kept as one word with a fault."""
    codec = _codec("tags")
    assert codec.fault(codec.decode(["[" * 2_000], Side.APP)) is not None
    assert codec.fault(codec.decode(["[" * 1_000], Side.APP)) is None
    assert codec.fault(codec.decode(["vip," * 2_000], Side.APP)) is None


@pytest.mark.parametrize("name", CODECS)
def test_no_sql_takes_what_python_finds_a_fault_with(name: str) -> None:
    """The shortcut in SQL leaves text beyond the bounds to Python, which knows its fault."""
    codec = _codec(name)
    fast = codec.fast("raw")
    long = ["x" * 1_000_001, '["' + "x" * 1_001 + '"]', '["' + '","'.join(["x" * 400] * 4) + '"]']
    for text in long if fast else []:
        assert fast is not None
        taken = duckdb.execute(
            f"SELECT raw FROM (SELECT ?::VARCHAR AS raw) WHERE {fast[0]}", [text]
        ).fetchall()
        assert not taken or codec.fault(codec.decode([text], Side.APP)) is None


def test_line_ends_of_several_returns_are_read_once() -> None:
    """A fuzzer's find: one line end made of several became another one with each reading."""
    cell = _codec("text").decode(["y\r\r\r\ns"], Side.APP)
    assert cell == "y\ns"
    assert _codec("text").decode([cell], Side.APP) == cell
