"""Chooses whose agenda to read next: GHL tells what is only shown one contact at a time."""

from __future__ import annotations

from dataclasses import dataclass

from reconcile.entities import OWNER
from reconcile.ledger import agendas
from reconcile.ledger.ledger import Ledger
from reconcile.model import Side
from reconcile.stage.models import render
from reconcile.stage.stage import Stage


@dataclass(frozen=True, slots=True)
class Sweep:
    """How many contacts a run asked for, how many of them failed, and why it stopped short."""

    tried: int = 0
    failed: int = 0
    stopped: str = ""


NOTHING = Sweep()


def choose(stage: Stage, ledger: Ledger, *, budget: int) -> list[str]:
    """Keys of at most `budget` GHL contacts; `models/longest_ago.sql` says who comes first."""
    columns = [("contact_key", "VARCHAR"), ("tried_at", "VARCHAR")]
    stage.fill("attempted", columns, [agendas.attempts(ledger)])
    return [
        str(key)
        for (key,) in stage.rows(render("compare/longest_ago", entity=OWNER, budget=budget))
    ]


def gone(stage: Stage) -> list[str]:
    """Contacts asked for before that GHL no longer has; none where it was not read completely."""
    snapshot = stage.snapshots[OWNER, Side.GHL]
    if not snapshot.complete or snapshot.partial:
        return []
    query = (
        f"SELECT contact_key FROM attempted ANTI JOIN (FROM raw_{OWNER}_ghl WHERE NOT deleted) g "
        "ON g.key = contact_key ORDER BY contact_key"
    )
    return [str(key) for (key,) in stage.rows(query)]
