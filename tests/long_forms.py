"""How much of a long matrix is tried: in CI a few cases that cover each of its parts, in `./dev soak` all of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import product
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
