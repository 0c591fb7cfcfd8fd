"""Whatever a stranger hands to the job ends as the product says: seconds of each in CI, as long as one likes in `./dev soak`."""

from __future__ import annotations

import os
import time
from pathlib import Path
from random import Random

import pytest

from tests.fuzz.mutation import mutate
from tests.fuzz.targets import TARGETS

SECONDS = float(os.environ.get("GHL_RECONCILE_FUZZ_SECONDS", "0"))
"""CPU seconds for each target; without them, a few hundred inputs, the same each time."""

FEW = 300
SEED = time.time_ns()
"""Other inputs each time, also on one day: a failure shows its own."""


@pytest.mark.parametrize("name", TARGETS)
def test_any_input_ends_as_it_should(name: str, tmp_path: Path) -> None:
    """Inputs made of good ones raise nothing that the product does not promise; a failure shows the input."""
    chance = Random(SEED if SECONDS else 7)  # noqa: S311 - inputs made by chance, no secret
    begun, taken = time.process_time(), 0
    with TARGETS[name](tmp_path) as target:
        for seed in target.seeds:
            target.take(seed)
        while taken < FEW or time.process_time() - begun < SECONDS:
            text = mutate(target.seeds, chance)
            try:
                target.take(text)
            except Exception as error:
                raise AssertionError(f"{type(error).__name__}: {error}\n{text!r}") from error
            taken += 1
    print(f"{name}: {taken:,} inputs in {time.process_time() - begun:.0f} s of CPU")  # noqa: T201 - figures of the soak
