"""Makes baselines canonical anew where a codec changed since: what nobody edited must not look as if both sides had moved."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.model import Side
from reconcile.stage.quoting import literal
from reconcile.stage.stage import Stage
from reconcile.values.mapping import EntityMap

# Which ends of links with an old baseline show the very row that it was made of: that baseline is what the row gives now,
# also where the former canonical form had lost something of it.
_AGED = """
CREATE OR REPLACE TABLE aged AS
SELECT b.link_id, m.app_key, m.ghl_key, {same} AND coalesce(m.app_row = m.app_digest, false) AS app_same,
    {same} AND coalesce(m.ghl_row = m.ghl_digest, false) AS ghl_same
FROM basecell_{e} b JOIN moved_{e} m USING (link_id) WHERE b.codecs IS DISTINCT FROM {codecs};
"""

# The others' values are read once more, as the text that they are.
_VALUES = """
SELECT DISTINCT place, cell FROM (
    SELECT generate_subscripts({s}, 1) AS place, unnest({s}) AS cell
    FROM basecell_{e} b JOIN aged USING (link_id) WHERE NOT {s}_same)
WHERE cell IS NOT NULL
"""

_RENEWED = """
CREATE OR REPLACE TABLE basecell_{e} AS
SELECT b.* REPLACE ({app} AS app, {ghl} AS ghl) FROM basecell_{e} b LEFT JOIN aged x ON x.link_id = b.link_id
LEFT JOIN cell_{e}_app a ON a.key = x.app_key AND x.app_same LEFT JOIN cell_{e}_ghl g ON g.key = x.ghl_key AND x.ghl_same
{joins};
"""


def renew_baseline(stage: Stage, mapped: EntityMap, *, same_rows: bool) -> None:
    """Make `basecell_e` what the present codecs give, where it was made with others.

    `same_rows`: whether the stored digests were made as this run's are, so that an equal one means the very row.
    """
    entity = mapped.entity
    stage.run(_AGED.format(e=entity, same=str(same_rows).lower(), codecs=literal(mapped.codecs)))
    if stage.some("aged"):
        changed = {side: _reread(stage, mapped, side) for side in Side}
        renewed = {side.value: _cells(mapped, side, changed[side]) for side in Side}
        joins = "".join(
            f"LEFT JOIN anew_{side} {side}{at} ON {side}{at}.place = {at} AND {side}{at}.was = b.{side}[{at}] "
            for side, places in changed.items()
            for at in places
        )
        stage.run(_RENEWED.format(e=entity, joins=joins, **renewed))
        stage.drop(*(f"anew_{side}" for side in Side))
    stage.drop("aged")


def _reread(stage: Stage, mapped: EntityMap, side: Side) -> list[int]:
    """Create `anew_s` (place, was, now) with each old value that reads otherwise now; returns their places."""
    found: set[int] = set()

    def values() -> Iterator[list[tuple[object, ...]]]:
        for batch in stage.stream(_VALUES.format(e=mapped.entity, s=side)):
            rows: list[tuple[object, ...]] = []
            for place, was in batch:
                at, cell = int(str(place)), str(was)
                now = mapped.fields[at - 1].codec.reread(cell, side)
                if now != cell:
                    found.add(at)
                    rows.append((at, cell, now))
            yield rows

    stage.fill(
        f"anew_{side}", [("place", "INTEGER"), ("was", "VARCHAR"), ("now", "VARCHAR")], values()
    )
    return sorted(found)


def _cells(mapped: EntityMap, side: Side, changed: list[int]) -> str:
    """SQL for a side's baseline: the row's cells, or the old ones with what reads otherwise now in place."""
    cells = f"b.{side}"
    if changed:
        members = (
            f"CASE WHEN {side}{at}.was IS NULL THEN b.{side}[{at}] ELSE {side}{at}.now END"
            if at in changed
            else f"b.{side}[{at}]"
            for at in range(1, len(mapped.fields) + 1)
        )
        cells = f"CASE WHEN x.link_id IS NULL THEN b.{side} ELSE [{', '.join(members)}] END"
    return f"CASE WHEN x.{side}_same THEN {side[0]}.cells ELSE {cells} END"
