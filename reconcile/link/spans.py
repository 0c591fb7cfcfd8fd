"""What a read of a stretch of time says of the linked records that it did not show."""

from __future__ import annotations

import json
from collections.abc import Iterator

from reconcile.ledger.ledger import Ledger
from reconcile.model import Side
from reconcile.ports import Span
from reconcile.stage.stage import Stage
from reconcile.values.mapping import EntityMap, Field


def cover(
    stage: Stage,
    ledger: Ledger,
    mapped: EntityMap,
    side: Side,
    span: Span,
) -> None:
    """Fill `cover_e_s` with what was last seen within the stretch, and was not read there now.

    Of anything else nothing is concluded: it may stand outside, as what is past does. Without the
    field in the mapping nobody knows where a record stood.
    """
    field = _field(mapped, side, span.field)
    snapshot = stage.snapshots[mapped.entity, side]
    if field is None or not snapshot.complete:
        return
    since = field.codec.decode([span.since], side)
    until = field.codec.decode([span.until], side)
    within = [
        (key,)
        for key, moment in _last_seen(stage, ledger, mapped, side, field)
        if str(since) <= moment < str(until)
    ]
    table = f"stage.cover_{mapped.entity}_{side}"
    stage.fill(table, [("key", "VARCHAR")], [within])


def _field(mapped: EntityMap, side: Side, native: str) -> Field | None:
    """The field of the mapping that holds this native one, and nothing else."""
    for field in mapped.fields:
        if field.native(side) == (native,):
            return field
    return None


def _last_seen(
    stage: Stage,
    ledger: Ledger,
    mapped: EntityMap,
    side: Side,
    field: Field,
) -> Iterator[tuple[str, str]]:
    """The key and the moment of each linked record that was not read, as the ledger has it."""
    entity = mapped.entity
    missing = stage.rows(
        f"SELECT link_id FROM base_{entity} ANTI JOIN raw_{entity}_{side} r "
        f"ON r.key = {side}_key ORDER BY link_id"
    )
    names = [str(link_id) for (link_id,) in missing]
    columns = (f"{side}_key", f"{side}_cells")
    for batch in ledger.link_rows(entity, names, columns):
        for key, text in batch:
            cells = json.loads(str(text))
            moment = cells.get(field.name)
            if moment is not None:
                yield str(key), moment
