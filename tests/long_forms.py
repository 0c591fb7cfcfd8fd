"""How much of a long matrix is tried: in CI a few cases that cover each of its parts, in `./dev soak` all of them."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, TypeVar

import pytest

Case = TypeVar("Case")

SOAK = os.environ.get("GHL_RECONCILE_SOAK") == "1"

long_form = pytest.mark.skipif(
    not SOAK, reason="a long form, of which CI tries a shorter one: ./dev soak"
)


def tried(whole: Sequence[Case], covering: Sequence[Case]) -> list[Case]:
    """The cases to try: those that cover the whole, or the whole in the soak."""
    assert set(covering) <= set(whole)
    return list(whole if SOAK else covering)


def crossed(*parts: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Every combination of three parts and more in the soak; in CI half of them, in which any two values of two parts still meet."""
    numbered = product(*(enumerate(part) for part in parts))
    return [
        tuple(value for _, value in each)
        for each in numbered
        if SOAK or sum(place for place, _ in each) % 2 == 0
    ]


def ring(names: Sequence[Case]) -> list[tuple[Case, Case]]:
    """Of all ordered pairs of names those that have each name once as the first and once as the second."""
    return list(zip(names, [*names[1:], names[0]], strict=True))


LEFT = Path(__file__).with_suffix(".toml")
"""What CI leaves to the soak beside the matrices: tests that take seconds, each with the one that stands for it."""


def leave(items: Sequence[pytest.Item]) -> None:
    """Mark those of the collected tests that `LEFT` names, but in the soak."""
    if SOAK:
        return
    cases = by_test(items)
    for names, instead in listed():
        reason = f"a long form, of which CI tries {instead}: ./dev soak"
        for name in names:
            for case in meant(name, cases):
                case.add_marker(pytest.mark.skip(reason=reason))


def listed() -> Iterator[tuple[list[str], str]]:
    """The names that are left, and the one that stands for them."""
    for each in tomllib.loads(LEFT.read_text(encoding="utf-8"))["left"]:
        yield each["tests"], each["instead"]


def by_test(items: Sequence[pytest.Item]) -> dict[str, list[pytest.Item]]:
    """The collected cases of each test."""
    cases: dict[str, list[pytest.Item]] = {}
    for item in items:
        cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    return cases


def meant(name: str, cases: Mapping[str, list[pytest.Item]]) -> list[pytest.Item]:
    """All cases of a test, or one, or, with a star at the end of the name, those that begin like it."""
    test, _, case = f"tests/{name}".partition("[")
    found = cases.get(test, [])
    if not case:
        return found
    if case.endswith("*"):
        return [each for each in found if each.nodeid.startswith(f"{test}[{case[:-1]}")]
    return [each for each in found if each.nodeid == f"{test}[{case}"]
