"""A call of `migrate` in a process of its own, on a clock put forward, which may kill itself: `mover.py PAIR SECONDS POINT`.

POINT is one of tests/crash/driver.py; `send:served:N` is the sandbox's to carry out. It prints what it came to.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import connectors.ghl
from connectors.ghl import GhlConnector
from flows.config import load
from flows.jobs.legs import migrate
from flows.jobs.migrate import Move
from reconcile.errors import Exhausted
from tests.crash.driver import arm


def main() -> None:
    file, ahead, point = sys.argv[1:]

    class Ahead(GhlConnector):
        """The connector on the clock of the test's sandbox."""

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options, clock=lambda: time.time() + float(ahead))

    connectors.ghl.GhlConnector = Ahead  # type: ignore[misc]
    arm(point)
    try:
        moved = migrate(load(Path(file), environ={}), Move())
    except Exhausted as spent:
        told: dict[str, Any] = {"complete": False, "stopped": str(spent)}
    else:
        contacts = moved.report.counts[0]
        told = {
            "complete": moved.complete,
            "legs": moved.legs,
            "created": contacts.created.get("ghl", 0),
            "linked": contacts.linked,
        }
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
