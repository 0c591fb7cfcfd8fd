"""Finds the linked values that are known to differ and did not move, with the reason.

A digest alone would pass them as equal.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import sqlalchemy as sa

from reconcile.baseline.differences import Why
from reconcile.ledger import schema
from reconcile.ledger.ledger import Ledger
from reconcile.model import Cell, Kind
from reconcile.stage.stage import Stage
from reconcile.values.consent import NOES, PERMANENT
from reconcile.values.mapping import EntityMap, Field
from reconcile.values.mapping import Mapping as PairMapping
from reconcile.values.policy import Leave, Situation, decide

_BATCH = 10_000

BY_RULE, UNKNOWN = "by_rule", "unknown"

_CLASSES = {
    Why.REJECTED: "rejected",
    Why.DROPPED: "dropped",
    Why.ACCEPTED: BY_RULE,
    Why.UNDONE: BY_RULE,
}

_COLUMNS = (
    *(("link_id", "VARCHAR"), ("field", "VARCHAR"), ("class", "VARCHAR"), ("because", "VARCHAR")),
    *(("app", "VARCHAR"), ("ghl", "VARCHAR")),
)

Known = Mapping[tuple[str, str, str], tuple[str, str]]
"""What the register says: (class, because) by link_id, field and item."""


def load_standing(stage: Stage, ledger: Ledger, mapping: PairMapping) -> None:
    """Create `standing_e` (link_id, field, class, because, app, ghl).

    It has the values that differ in the baseline, one row a field.

    `class` is by_rule, rejected, dropped, or unknown where neither a rule nor the register gives a
    reason. The database compares whole texts; only where those differ are the fields looked at.
    """
    for mapped in mapping.entities:
        batches = _batches(ledger, mapped, _known(stage, mapped))
        stage.fill(f"stage.standing_{mapped.entity}", _COLUMNS, batches)


def doubt_unknown(stage: Stage, mapping: PairMapping) -> None:
    """Have the links looked at that differ for no known reason, though nothing moved.

    A person is asked about them.
    """
    for mapped in mapping.entities:
        unknown = f"SELECT link_id FROM standing_{mapped.entity} WHERE class = '{UNKNOWN}'"
        stage.run(f"UPDATE base_{mapped.entity} SET app_digest = NULL WHERE link_id IN ({unknown})")


def _known(stage: Stage, mapped: EntityMap) -> Known:
    query = f"SELECT link_id, field, item, kind, because FROM difference_{mapped.entity}"
    known = {}
    for link_id, field, item, kind, because in stage.rows(query):
        place = (str(link_id), str(field), str(item))
        known[place] = (_CLASSES[Why(str(kind))], str(because))
    return known


def _batches(ledger: Ledger, mapped: EntityMap, known: Known) -> Iterator[list[tuple[object, ...]]]:
    link = schema.link
    query = sa.select(link.c.link_id, link.c.app_cells, link.c.ghl_cells).where(
        ledger.owns(link),
        link.c.entity == mapped.entity.value,
        link.c.app_cells != link.c.ghl_cells,
        # Without digests a link is compared in any case, or was never seen.
        link.c.app_digest.is_not(None),
        link.c.ghl_digest.is_not(None),
    )
    fields = [field for field in mapped.fields if field.app and field.ghl]
    with ledger.engine.connect() as connection:
        result = connection.execution_options(yield_per=_BATCH).execute(query)
        for rows in result.partitions():
            batch: list[tuple[object, ...]] = []
            for link_id, app_cells, ghl_cells in rows:
                app, ghl = json.loads(app_cells), json.loads(ghl_cells)
                batch.extend(_standing(link_id, app, ghl, fields, known))
            yield batch


def _standing(
    link_id: str, app: dict[str, Cell], ghl: dict[str, Cell], fields: list[Field], known: Known
) -> Iterator[tuple[object, ...]]:
    """The values of one link that differ, with their reasons."""
    for field in fields:
        left, right = app.get(field.name), ghl.get(field.name)
        if left != right:
            reason = _reason(link_id, field, left, right, known)
            yield link_id, field.name, *reason, left, right


def _reason(link_id: str, field: Field, app: Cell, ghl: Cell, known: Known) -> tuple[str, str]:
    """(class, because) of a difference; of a set, those of the worst of its items."""
    if field.by_item:
        apart = set(json.loads(app or "[]")) ^ set(json.loads(ghl or "[]"))
        reasons = [known.get((link_id, field.name, item), _unexplained()) for item in apart]
        return max(reasons, key=_severity)
    if (link_id, field.name, "") in known:
        return known[link_id, field.name, ""]
    verdict = decide(field.rule, _at_rest(field, app, ghl))
    if isinstance(verdict, Leave):
        return BY_RULE, verdict.because
    ends = (app, ghl)
    if field.fallback is not None and None in ends and field.fallback in ends:
        return BY_RULE, "blank on one side, the fallback on the other"
    return _unexplained()


def _at_rest(field: Field, app: Cell, ghl: Cell) -> Situation:
    """The situation of two values that differ while neither side moved."""
    consent = field.rule.consent
    return Situation(
        Kind.STANDING,
        newer=None,
        app_blank=app is None,
        ghl_blank=ghl is None,
        app_dnd=consent and app in NOES,
        ghl_dnd=consent and ghl in NOES,
        lasting=consent and PERMANENT in (app, ghl),
    )


def _unexplained() -> tuple[str, str]:
    return UNKNOWN, "nothing on record says why"


def _severity(reason: tuple[str, str]) -> int:
    return (BY_RULE, "dropped", "rejected", UNKNOWN).index(reason[0])
