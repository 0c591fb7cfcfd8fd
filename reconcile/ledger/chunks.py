"""Lists in parts: a statement takes only so many values, and a transaction's rows fit in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

_Value = TypeVar("_Value")


def chunks(values: Sequence[_Value], size: int) -> Iterator[list[_Value]]:
    """The values in their order, at most `size` at a time."""
    for start in range(0, len(values), size):
        yield list(values[start : start + size])
