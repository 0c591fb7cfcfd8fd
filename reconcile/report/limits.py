"""The limits that a plan went over, in the words of a table.

Which, what was found, what is allowed, what goes with it, and the flag.
"""

from __future__ import annotations

from collections.abc import Mapping as Map
from typing import Any

from reconcile.entities import Entity
from reconcile.model import Side
from reconcile.plan.dependants import words

Limit = Map[str, Any]


def cells(limit: Limit) -> tuple[str, str, str, str, str]:
    """A limit's row: its name and where, what was found, what is allowed.

    The dependants and the flag follow.
    """
    name = str(limit["name"])
    flag = f"--allow {name}"
    entity = limit["entity"]
    side = limit["side"]
    if entity:
        name += f" of {Entity(entity).plural}"
    if side:
        name += f" in {Side(side).label}"
    return name, _found(limit), _allowed(limit), words(limit["along"]), flag


def _found(limit: Limit) -> str:
    count = limit["found"]
    whole = limit["of"]
    text = ""
    if count is not None:
        text = f"{count:,}"
    if whole is not None:
        text += f" of {whole:,}"
    return text


def _allowed(limit: Limit) -> str:
    """25 (max_deletes); a share also as the count that it comes to."""
    setting = str(limit["setting"])
    allowed = limit["allowed"]
    if allowed is None:
        return ""
    number = f"{allowed:,.0f}"
    if setting.endswith("_share"):
        count = int(limit["of"] * allowed)
        number = f"{allowed:.0%} = {count:,}"
    if setting.startswith("min_"):
        number = f"at least {number}"
    return f"{number} ({setting})"
