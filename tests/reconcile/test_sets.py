"""Sets that are merged by element end as tags do, whatever happened to each element, and whatever of it failed."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from connectors.memory import Vices
from reconcile.model import OpKind, Side
from reconcile.ports import Write
from tests.long_forms import tried
from tests.reconcile.scenario import Play

_PLACES = ("base_app", "base_ghl", "app", "ghl")


def _case(*elements: tuple[bool, ...]) -> dict[str, Any]:
    """A contact whose tags and likes are alike: of each element, where it is (see `_PLACES`)."""
    held = {
        place: [name for name, there in zip("abc", elements, strict=False) if there[at]]
        for at, place in enumerate(_PLACES)
    }
    both = {place: {"tags": words, "likes": words} for place, words in held.items()}
    return {
        "baseline": {"ann": {"app": both["base_app"], "ghl": both["base_ghl"]}},
        "app": {"ann": both["app"]},
        "ghl": {"ann": both["ghl"]},
    }


_STATES = list(product((False, True), repeat=4))
_EVERY = [_case(first, second) for first, second in product(_STATES, repeat=2)]


def _refusing(write: Write) -> str | None:
    return "REFUSED" if write.kind is OpKind.UPDATE and "likes" in write.fields else None


@pytest.mark.parametrize("refused", tried([None, *Side], [None, Side.GHL]))
def test_a_set_ends_as_tags_do(refused: Side | None) -> None:
    """Over every state of two elements a set ends on both sides as tags end, also where one side refused it for a night."""
    play = Play(_EVERY)
    try:
        play._edit_all(_EVERY)
        if refused:
            play.world.sides[refused].vices = Vices(rejects=_refusing)
            play.world.run()
            play.world.sides[refused].vices = Vices()
        for case, came in zip(_EVERY, play._sorted(play.world.run()), strict=True):
            for side in Side:
                held = came.end[side]["ann"]
                assert held.get("likes") == held.get("tags"), (case, side, came)
        assert not play.world.plan().operations
    finally:
        play.world.close()
