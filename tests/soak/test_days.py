"""What belongs to a night of the soak and of a rehearsal."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any, cast

from flows.rehearse.days import _evening
from flows.rehearse.events import Event


def test_what_a_plan_takes_away_in_the_evening_is_judged_with_the_night() -> None:
    """What both sides hold is kept before the first thing happens; else a company that an approved plan deleted had never been there."""
    happened: list[str] = []
    world = SimpleNamespace(
        day=3,
        habits=lambda: None,
        judge=SimpleNamespace(nights=()),
        remember=lambda: happened.append("remembered"),
        wire=SimpleNamespace(calm=lambda: None),
    )
    names = ("burst_of_503", "planned_and_applied_later")
    harms = [Event(name, lambda _, name=name: happened.append(name), 0.1) for name in names]
    _evening(cast("Any", world), harms, Counter())
    assert happened == ["remembered", "planned_and_applied_later", "burst_of_503"]
