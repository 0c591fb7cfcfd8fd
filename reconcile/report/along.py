"""What goes along with the contacts that a plan deletes.

Their tasks and notes on that side, which no operation of its own names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from collections.abc import Mapping as Map
from typing import TYPE_CHECKING, Any

from reconcile.entities import PARENTS
from reconcile.model import Entity, OpKind, Side
from reconcile.plan.dependants import words
from reconcile.stage.models import render
from reconcile.stage.quoting import literal

if TYPE_CHECKING:
    from reconcile.stage.stage import Stage
    from reconcile.values.mapping import Mapping

__all__ = ["Along", "Alongs", "added", "alongs", "by_side", "words"]

Along = dict[str, int]
"""How many tasks and notes, by entity."""

Alongs = Map[tuple[str, str], Along]
"""By side and key of the contact."""


def alongs(stage: Stage, mapping: Mapping) -> dict[tuple[str, str], Along]:
    """The tasks and notes of each contact that the plan deletes, as far as this run read them."""
    counts: dict[tuple[str, str], Along] = {}
    kinds = ", ".join(map(literal, PARENTS))
    children = [mapped.entity for mapped in mapping.entities if mapped.entity.parent]
    if not stage.some(f"planned WHERE kind = 'delete' AND entity IN ({kinds})"):
        return counts
    for side in Side:
        for child in children:
            for key, count in stage.rows(render("report/along", entity=child, side=side)):
                mine = counts.setdefault((side.value, str(key)), {})
                mine[child.value] = int(str(count))
    return counts


def by_side(counted: Alongs) -> dict[Side, Along]:
    """The same, summed over all contacts of a side."""
    sums: dict[Side, Counter[str]] = {}
    for (side, _), mine in counted.items():
        sums.setdefault(Side(side), Counter()).update(mine)
    return {side: dict(total) for side, total in sums.items()}


def added(entries: Iterable[dict[str, Any]], counted: Alongs) -> Iterator[dict[str, Any]]:
    """The entries of a plan; one that deletes a contact says in `along` what goes with it."""
    for entry in entries:
        if entry["kind"] == OpKind.DELETE and Entity(entry["entity"]).children:
            key = entry[f"{entry['side']}_key"]
            entry["along"] = counted.get((entry["side"], str(key)), {})
        yield entry
