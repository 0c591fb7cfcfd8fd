"""A night in a process of its own: `python -m flows.rehearse.process SECONDS_AHEAD PAIR_FILE`."""

from __future__ import annotations

import sys
from pathlib import Path

from flows.config import load
from flows.jobs.full import FULL
from flows.rehearse.clock import Moving, moved
from flows.runner import run_job

if __name__ == "__main__":
    with moved(Moving(float(sys.argv[1]))):
        run_job(load(Path(sys.argv[2])), FULL)
