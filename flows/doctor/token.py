"""How old a private integration token is, as far as anything tells.

GHL does not (docs/ghl.md#authentication).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from flows.config import Pair
from flows.doctor.finding import Finding, ok, warning

ROTATED_DAYS = 90
"""After so many days GHL asks for a new one, and ends one that nobody used."""

OVERLAP_DAYS = 7
"""For which the old one goes on after a rotation."""


def token(pair: Pair, now: datetime) -> Iterator[Finding]:
    """The age of the file that holds it, and how long it has until it should be rotated."""
    if pair.ghl.token is None or pair.is_sandbox:
        return
    file = _file(pair)
    rotate = (
        "Make a new one in GHL (Settings, Private Integrations; at most five are in force) and put "
        f"it in place of this one: the old one ends {OVERLAP_DAYS} days later, without a word."
    )
    if file is None:
        yield ok(
            "GHL does not tell how old a private integration token is: "
            f"rotate it every {ROTATED_DAYS} days"
        )
        return
    age = (now - datetime.fromtimestamp(file.stat().st_mtime, UTC)).days
    left = ROTATED_DAYS - age
    said = f"the private integration token's file is {age} days old"
    if left > OVERLAP_DAYS:
        yield ok(f"{said}: rotate the token within {left} days")
    else:
        yield warning(f"{said}; a token is to be rotated every {ROTATED_DAYS} days", rotate)


def _file(pair: Pair) -> Path | None:
    """The file that the pair file names for it."""
    written = tomllib.loads(pair.path.read_text(encoding="utf-8")).get("ghl", {}).get("token", "")
    if not str(written).startswith("file:"):
        return None
    file = pair.path.parent / str(written).removeprefix("file:")
    return file if file.is_file() else None
