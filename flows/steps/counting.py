"""Lets whoever looks on see how much of a side has been read, and about how much there is."""

from __future__ import annotations

from collections.abc import Iterator

from flows.progress import CURRENT
from flows.run import Run
from reconcile.ledger import runs
from reconcile.model import Entity, Side
from reconcile.ports import Page, Proof, Scope

_RUNS = 10
"""How many earlier runs are asked how many rows a side had."""


def counted(
    run: Run, pages: Iterator[Page | Proof], entity: Entity, side: Side, scope: Scope
) -> Iterator[Page | Proof]:
    """The same pages: of named contacts these are counted, else the rows."""
    parents = scope.parents or ()
    about = not parents
    if about:
        what = f"{entity.plural} of {side.label}"
        total = _before(run, entity, side)
    else:
        what = f"contacts whose {entity.plural} were read"
        total = len(parents)
    for page in pages:
        if isinstance(page, Page):
            many = page.rows if about else len(page.covers)
            CURRENT.count(what, many, total=total, about=about)
        yield page


def _before(run: Run, entity: Entity, side: Side) -> int | None:
    """How many rows the last run that read the side whole found there."""
    name = f"{entity}.{side}"
    for row in runs.runs(run.ledger, limit=_RUNS):
        rows = row.summary.get("rows", {})
        if name in rows:
            return int(rows[name])
    return None
