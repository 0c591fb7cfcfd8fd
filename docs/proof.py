"""Makes the page of proof: each promise with its tests, what was measured last, and what is not proven."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent

_PROMISE = re.compile(r"^## (\d+\. .*)$", re.MULTILINE)
_TEST = re.compile(r"`(tests/[\w/]+\.py(?:::\w+)*)`")
_MARK = re.compile(r"^\|[^|]+\| (verified|reported|unknown)\b", re.MULTILINE)

_HEAD = """\
# What is proven, and what is not

Each promise, the tests that would fail if it were broken, what the long runs found last, how fast it is beside other tools, and what nobody has proven.
[Invariants](invariants.md) says more on each promise.

## Each promise and its tests

"""

_SOAK = """
## What the long runs found last

`./dev test` tries a part of each that covers the whole; `./dev soak` all of it. What a run found is written into `docs/proof.toml` by hand, with its day.

| run | command | it found | on |
|---|---|---|---|
"""

_BENCHMARKS = """
## Beside other tools

Each line is of one run on one machine, so that its ratios count. [Beside other tools](compare.md) says what those tools are for.

| what | here | beside it | command | on |
|---|---|---|---|---|
"""

_NOT = """
## What is not proven

"""

_NOTHING = "no figure is written down yet"


def page(note: str) -> str:
    """The whole page."""
    measured = tomllib.loads((DOCS / "proof.toml").read_text(encoding="utf-8"))
    parts = [note, _HEAD, "| promise | tests |\n|---|---|\n", *map(_promise, promises())]
    parts += [_SOAK, *map(_soak, measured["soak"])]
    parts += [_BENCHMARKS, *map(_benchmark, measured["benchmark"]), _NOT]
    parts += [f"- {each['says']}\n" for each in measured["not_proven"]]
    return "".join([*parts, f"- {_facts()}\n"])


def promises() -> Iterator[tuple[str, str, list[str]]]:
    """(title, what is promised, the tests that prove it) of each promise of the invariants."""
    text = (DOCS / "invariants.md").read_text(encoding="utf-8")
    _, *pieces = _PROMISE.split(text)
    for title, body in zip(pieces[::2], pieces[1::2], strict=True):
        says = " ".join(body.strip().partition("\n\n")[0].split())
        yield title, says, list(dict.fromkeys(_TEST.findall(body)))


def _promise(promise: tuple[str, str, Sequence[str]]) -> str:
    title, says, tests = promise
    named = ", ".join(f"`{test}`" for test in tests) or "**none**"
    return f"| **{title}.** {says} | {named} |\n"


def _soak(each: Mapping[str, Any]) -> str:
    found = each["says"] or _NOTHING
    return f"| {each['what']} | `{each['command']}` | {found} | {each.get('on', '')} |\n"


def _benchmark(each: Mapping[str, Any]) -> str:
    ours = each["ours"] or _NOTHING
    beside = "; ".join(each["peers"])
    return f"| {each['what']} | {ours} | {beside} | `{each['command']}` | {each.get('on', '')} |\n"


def _facts() -> str:
    """How many facts about GHL nobody has verified."""
    marks = Counter(_MARK.findall((DOCS / "ghl.md").read_text(encoding="utf-8")))
    return (
        f"**{marks['reported'] + marks['unknown']} of {marks.total()} facts about GHL.** "
        f"{marks['verified']} were read in its own documents; {marks['reported']} were reported by "
        f"users and not reproduced, {marks['unknown']} are unknown. What follows from each stands "
        "beside it."
    )
