"""What came in: one bounded record per request.

Tests of the throttle look at it, and people who watch.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request.

    `at` is seconds, `path` the template, `status` 0 where the connection was reset.
    """

    at: float
    method: str
    path: str
    status: int
    kind: str | None
    client: str | None
    location_id: str | None
    limited: bool
    faults: tuple[str, ...] = ()
