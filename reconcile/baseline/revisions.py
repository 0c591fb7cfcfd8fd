"""Makes baselines canonical anew where a codec changed since.

What nobody edited must not look as if both sides had moved.
"""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.model import Side
from reconcile.stage.models import render
from reconcile.stage.stage import Stage
from reconcile.values.mapping import EntityMap


def renew_baseline(stage: Stage, mapped: EntityMap, *, same_rows: bool) -> None:
    """Make `basecell_e` what the present codecs give, where it was made with others.

    `same_rows`: whether the stored digests were made as this run's are, so that an equal one means
    the very row.
    """
    entity = mapped.entity
    stage.make("baseline/aged", entity=entity, same_rows=same_rows, codecs=mapped.codecs)
    if stage.some("aged"):  # none, except in the first night after an upgrade that changed a codec
        # Each value once, however many links have it.
        changed = {side: _reread(stage, mapped, side) for side in Side}
        stage.make(
            "baseline/basecell_renewed", entity=entity, fields=mapped.fields, changed=changed
        )
        stage.drop(*(f"anew_{side}" for side in Side))
    stage.drop("aged")


def _reread(stage: Stage, mapped: EntityMap, side: Side) -> list[int]:
    """Create `anew_s` (place, was, now) with each old value that reads otherwise now.

    Returns their places.
    """
    changed: set[int] = set()
    query = render("baseline/aged_values", entity=mapped.entity, side=side)

    def values() -> Iterator[list[tuple[object, ...]]]:
        for batch in stage.stream(query):
            rows: list[tuple[object, ...]] = []
            for place, was in batch:
                at, cell = int(str(place)), str(was)
                now = mapped.fields[at - 1].codec.reread(cell, side)
                if now != cell:  # of the rest, and that is most, nothing is to be joined
                    changed.add(at)
                    rows.append((at, cell, now))
            yield rows

    stage.fill(
        f"anew_{side}", [("place", "INTEGER"), ("was", "VARCHAR"), ("now", "VARCHAR")], values()
    )
    return sorted(changed)
