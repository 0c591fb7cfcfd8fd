"""`python -m tests.soak --seed 1 --days 40 --people 300`: a world that nobody tuned, with every finding and the figures at the end."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from flows.rehearse.findings import Finding
from flows.rehearse.told import Told
from tests.soak.days import Soaked, soak

_MOST = 4
"""So many findings of a kind are shown for a night."""


def main() -> int:
    words = argparse.ArgumentParser(prog="tests.soak", description=__doc__)
    words.add_argument("--seed", type=int, default=int(datetime.now(UTC).strftime("%Y%m%d")))
    words.add_argument("--days", type=int, default=40)
    words.add_argument("--people", type=int, default=300)
    words.add_argument("--without", default="", help="events that are not to happen, with commas")
    words.add_argument(
        "--only", default=None, help="the only events that happen, besides ordinary edits"
    )
    words.add_argument("--keep", default=None, help="a folder to work in, which stays")
    given = words.parse_args()
    if given.keep:
        Path(given.keep).mkdir(parents=True)
    with tempfile.TemporaryDirectory() as made:
        done = soak(
            Path(given.keep or made),
            seed=given.seed,
            days=given.days,
            people=given.people,
            without=given.without.split(","),
            only=None if given.only is None else given.only.split(","),
            heard=_heard,
        )
    print(done)
    return int(bool(done.findings))


def _heard(done: Soaked, found: list[Finding], told: Told) -> None:
    headline = told.document.get("verdict", {}).get("headline") or told.errors.strip()[:160]
    print(f"day {done.days:3d}  exit {told.code}  {headline}  [{done.cpu:.0f} s]", flush=True)
    shown: Counter[str] = Counter()
    for finding in found:
        shown[finding.kind] += 1
        if shown[finding.kind] <= _MOST:
            print(f"  {finding}".replace("\n", "\n  "), flush=True)
    for kind, many in shown.items():
        if many > _MOST:
            print(f"  ... and {many - _MOST} more that are {kind}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
