"""Asks about records that would be brought over again though they, or their person, were erased."""

from __future__ import annotations

from reconcile.ledger import tombstones
from reconcile.ledger.ledger import Ledger
from reconcile.link.identity import match_rules
from reconcile.model import Side
from reconcile.stage.quoting import literal
from reconcile.stage.stage import Stage
from reconcile.values.mapping import EntityMap

_COLUMNS = [(name, "VARCHAR") for name in ("entity", "salt", "digest")]


def load(stage: Stage, ledger: Ledger) -> None:
    """Load into `tombstone` by what erased persons would be known again, where there are any."""
    rows = tombstones.read(ledger)
    if rows:
        stage.fill("tombstone", _COLUMNS, [rows])


def ask_about_creates(stage: Stage, mapped: EntityMap) -> None:
    """Ask, in `unsure_e`, about records that would be made and that a tombstone knows."""
    entity = mapped.entity
    buried = f"tombstone WHERE entity = {literal(entity)}"
    free = [f"free_{entity}_{side}" for side in Side]
    if not stage.has("tombstone") or not stage.some(buried) or not stage.some(*free):
        return
    # What hangs on a person is known again by its key alone: its words may be anybody's.
    rules = [] if entity.parent else match_rules(mapped)
    stage.make("compare/erased_again", entity=entity, rules=rules)
