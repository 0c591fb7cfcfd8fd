"""A night in a process of its own, with the soak's clock: `python -m tests.soak.process SECONDS_AHEAD run --pair ...`."""

from __future__ import annotations

import sys

from flows.cli import call
from flows.rehearse.clock import Moving as Clock
from flows.rehearse.clock import moved

if __name__ == "__main__":
    with moved(Clock(float(sys.argv[1]))):
        sys.exit(call(sys.argv[2:]))
