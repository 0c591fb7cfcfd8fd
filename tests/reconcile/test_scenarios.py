"""The golden cases of tests/scenarios, played on two memory sides; cases with the same settings share one world."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from reconcile.model import Side
from tests.reconcile.scenario import Came, Play, groups

_GROUPS = groups()
_PLACES = [(group, index) for group, cases in enumerate(_GROUPS) for index, _ in enumerate(cases)]


@cache
def _played(group: int) -> list[list[Came]]:
    play = Play([case for _, case in _GROUPS[group]])
    try:
        return play.play()
    finally:
        play.world.close()


@pytest.mark.parametrize(
    "place", _PLACES, ids=[_GROUPS[group][index][0] for group, index in _PLACES]
)
def test_scenario(place: tuple[int, int]) -> None:
    """A golden case comes out as it is written down: operations with their because, holds, and what both sides hold after."""
    group, index = place
    case = _GROUPS[group][index][1]
    parts: list[dict[str, Any]] = [case, *case.get("then", [])]
    came = [found[index] for found in _played(group)]
    for part, found in zip(parts, came, strict=False):
        _compare(part, found)
    if not case.get("unquiet", False):
        assert not came[-1].operations, "a further run without edits must plan nothing"


def _compare(part: dict[str, Any], found: Came) -> None:
    if "refused" in part:
        return
    assert sorted(found.operations) == sorted(part.get("plan", []))
    assert sorted(found.holds) == sorted(part.get("holds", []))
    assert sorted(found.outcomes) == sorted(part.get("outcomes", []))
    if "passed" in part:
        assert sorted(found.passed) == sorted(part["passed"])
    for side, expected in part.get("end", {}).items():
        assert found.end[Side(side)] == expected
