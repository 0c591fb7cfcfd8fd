"""How hard a property is tried: little in CI, long in `./dev soak` (HYPOTHESIS_PROFILE=soak)."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

SOAK = os.environ.get("HYPOTHESIS_PROFILE") == "soak"


def profile(*, ci: tuple[int, int], soak: tuple[int, int]) -> settings:
    """Settings for (examples, steps) in CI, where the same examples are tried each time, and in the soak."""
    examples, steps = soak if SOAK else ci
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=not SOAK,
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
