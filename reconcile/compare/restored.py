"""Finds records that went back to an older state, as a restored backup does, and has a person say which state is right."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from collections.abc import Mapping as Map

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from reconcile.compare import flapping
from reconcile.ledger import schema
from reconcile.ledger.ledger import Decision, Ledger
from reconcile.model import Entity, Side
from reconcile.stage.quoting import literal
from reconcile.stage.stage import Stage
from reconcile.values.mapping import EntityMap, Mapping

SLACK = 60
"""A record is older than it was seen only by more than so many seconds: the servers of an application keep time less well."""

UNDONE = "undone by a restored backup"
"""How a link is marked whose record was missing where others went back; see `absence` for what the mark does."""

_BATCH = 5_000

BACK = """coalesce(NOT l.fresh AND {row}.key IN (FROM proven_{e}_{s})
    AND try_cast({row}.modified_at AS TIMESTAMPTZ) < try_cast(l.{s}_modified AS TIMESTAMPTZ) - INTERVAL {slack} SECOND, false)"""
"""SQL for whether a link's row, read by its key, is older than the ledger has seen it already."""


def back(entity: Entity) -> dict[str, str]:
    """SQL for whether each end of a link is older than it was seen."""
    return {side.value: BACK.format(e=entity, s=side, row=side[0], slack=SLACK) for side in Side}


_REWOUND = """
SELECT DISTINCT {entity} AS entity, '{s}' AS side, d.link_id FROM delta_{e} d
SEMI JOIN (FROM wide_{e} WHERE {s}_back) w ON w.link_id = d.link_id
WHERE d.kind <> 'converged' AND d.{s} IS DISTINCT FROM d.base_{s}
"""

# Made since the backup, so that the ledger knows them and the restored side does not; or deleted: nobody can tell.
_MISSED = """
CREATE OR REPLACE TABLE missed_{e} AS
SELECT a.link_id, a.gone, d."by", d.choice FROM absence_{e} a
LEFT JOIN decision d ON d.hold_id = a.hold_id AND d.values_digest = a.values_digest
WHERE a.gone IN (SELECT side FROM rewound) AND a.action IN ('mirror', 'archive', 'quarantine') AND NOT a.tombstone
    AND NOT starts_with(a.because, 'decided by');
UPDATE absence_{e} a SET
    action = CASE m.choice WHEN 'delete' THEN 'mirror' WHEN 'keep' THEN 'ignore' ELSE 'hold' END,
    because = CASE WHEN m.choice IN ('delete', 'keep') THEN 'decided by ' || m."by" || ': ' || m.choice
        ELSE 'missing from ' || a.where_gone || ', where other records went back to an older state, as a restored backup does: '
            || 'shall it be there again, or go from ' || a.where_kept || ' too?' END
FROM missed_{e} m WHERE m.link_id = a.link_id;
"""


def find(stage: Stage, mapping: Mapping) -> None:
    """Create `rewound` (entity, side, link_id): records that are older than they were seen, and hold something else.

    What is missing on such a side is no deletion in this run: it becomes a question, in `absence_e`, and stands in `missed_e`.
    """
    parts = [
        _REWOUND.format(e=mapped.entity, entity=literal(mapped.entity), s=side)
        for mapped in mapping.entities
        for side in Side
        if stage.some(f"wide_{mapped.entity} WHERE {side}_back")
    ]
    nothing = "SELECT NULL::VARCHAR AS entity, NULL::VARCHAR AS side, NULL::VARCHAR AS link_id WHERE false"
    stage.run(f"CREATE OR REPLACE TABLE rewound AS {' UNION ALL '.join([nothing, *parts])}")
    some = bool(stage.some("rewound"))
    for mapped in mapping.entities:
        stage.run(
            _MISSED.format(e=mapped.entity)
            if some
            else f"DROP TABLE IF EXISTS missed_{mapped.entity}"
        )


# A row that somebody edited after it was restored has a new time; what else it holds is as old as the others'.
_EDITED = """
SELECT d.link_id, d.field, d.item, d.{s} FROM delta_{e} d JOIN wide_{e} w USING (link_id)
WHERE NOT w.fresh AND d.kind IN ('{s}_moved', 'conflict') AND d.{s} IS DISTINCT FROM d.base_{s}
    AND d.link_id NOT IN (SELECT link_id FROM rewound WHERE entity = {entity} AND side = '{s}')
ORDER BY ALL
"""


def find_edited(stage: Stage, ledger: Ledger, mapping: Mapping, *, since: str) -> None:
    """Add to `rewound` the records with a value that this job saw replaced since then, where others of their side went back.

    Elsewhere an old value that is there again is somebody's edit: only beside a restored backup is it doubted.
    """
    for side in Side:
        for mapped in mapping.entities if stage.some(f"rewound WHERE side = '{side}'") else ():
            older = sorted(_older(stage, ledger, mapped, side, since=since))
            for link_id in older:
                stage.rows(
                    "INSERT INTO rewound VALUES (?, ?, ?)", mapped.entity.value, side.value, link_id
                )


def _older(stage: Stage, ledger: Ledger, mapped: EntityMap, side: Side, *, since: str) -> set[str]:
    """The links whose end on a side holds a value again that a write of this job replaced."""
    query = _EDITED.format(e=mapped.entity, entity=literal(mapped.entity), s=side)
    moved = {
        (str(link_id), str(field), item): cell for link_id, field, item, cell in stage.rows(query)
    }
    names = sorted({link_id for link_id, _, _ in moved})
    found = set()
    for start in range(0, len(names), _BATCH):
        written = flapping.history(ledger, mapped, names[start : start + _BATCH], since=since)
        for place, writes in written.items():
            if place in moved and moved[place] in {write.before for write in writes}:
                found.add(place[0])
    return found


_ASKED = """
CREATE OR REPLACE TABLE asked_back AS
SELECT j.link_id, j.field, j.item, r.side, d.choice, d."by", d.reason,
    CASE d.choice WHEN 'app' THEN j.app_fault WHEN 'ghl' THEN j.ghl_fault END AS unfit,
    CASE d.choice WHEN 'app' THEN j.app WHEN 'ghl' THEN j.ghl END AS chosen
FROM judged_{e} j JOIN rewound r ON r.entity = {entity} AND r.link_id = j.link_id
LEFT JOIN decision d ON d.hold_id = j.hold_id AND d.values_digest = j.values_digest
WHERE NOT starts_with(j.because, 'decided by')
    AND CASE r.side WHEN 'app' THEN j.app IS DISTINCT FROM j.base_app ELSE j.ghl IS DISTINCT FROM j.base_ghl END
    AND (j.action = 'agree' AND j.winner = r.side OR j.action = 'leave' AND j.kind = r.side || '_moved');
UPDATE judged_{e} j SET
    action = CASE WHEN b.choice = 'leave' THEN 'leave' WHEN b.choice IS NULL THEN 'ask'
        WHEN b.unfit IS NOT NULL OR j.required AND b.chosen IS NULL THEN 'unsyncable' ELSE 'agree' END,
    winner = CASE WHEN b.choice <> 'leave' THEN b.choice END, fault = b.unfit, value = b.chosen,
    because = CASE WHEN b.choice IS NOT NULL THEN 'decided by ' || b."by" || coalesce(': ' || nullif(b.reason, ''), '')
        ELSE CASE b.side WHEN 'app' THEN 'the app''s' ELSE 'GHL''s' END || ' record went back to an older state, as a restored '
            || 'backup does: is that value right, or ' || CASE b.side WHEN 'app' THEN 'GHL''s' ELSE 'the app''s' END || '?' END
FROM asked_back b WHERE b.link_id = j.link_id AND b.field = j.field AND b.item IS NOT DISTINCT FROM j.item;
INSERT INTO held_back SELECT DISTINCT {entity}, side, link_id FROM asked_back WHERE choice IS NULL;
UPDATE judged_{e} j SET action = 'ask', winner = NULL, fault = NULL, value = NULL,
    because = CASE h.side WHEN 'app' THEN 'the app''s' ELSE 'GHL''s' END || ' record went back to an older state, and other values of it '
        || 'are not answered yet: a write of this one would make them look new'
FROM held_back h WHERE h.entity = {entity} AND h.link_id = j.link_id AND j.action = 'agree' AND j.winner <> h.side;
DROP TABLE asked_back;
"""
"""Nothing is written into a record that went back before all of it is answered: our write would be the time of its last change."""


def begin(stage: Stage) -> None:
    """Create `held_back` (entity, side, link_id), empty: the records whose older state a person is asked about."""
    stage.run("CREATE OR REPLACE TABLE held_back (entity VARCHAR, side VARCHAR, link_id VARCHAR)")


def ask(stage: Stage, mapped: EntityMap) -> None:
    """Ask, in `judged_e`, about each value that a record went back to and that would be carried across; an answer is carried out."""
    if stage.some(f"rewound WHERE entity = {literal(mapped.entity)}"):
        stage.run(_ASKED.format(e=mapped.entity, entity=literal(mapped.entity)))


def counts(stage: Stage, mapping: Mapping) -> Map[Side, tuple[int, int]]:
    """How many records of each side are asked about because they went back, and how many because they are missing there."""
    found: dict[Side, tuple[int, int]] = {}
    for side in Side if stage.has("held_back") else ():
        older = stage.count(f"SELECT count(*) FROM held_back WHERE side = '{side}'")
        missing = sum(
            stage.count(
                f"SELECT count(*) FROM missed_{mapped.entity} WHERE gone = '{side}' AND choice IS NULL"
            )
            for mapped in mapping.entities
            if older and stage.has(f"missed_{mapped.entity}")
        )
        if older:
            found[side] = (older, missing)
    return found


_CONFLICTS = """
SELECT md5('conflict' || chr(31) || {entity} || chr(31) || d.link_id || chr(31) || d.field || chr(31) || coalesce(d.item, ''))[1:20],
    md5(coalesce('=' || d.app, '-') || chr(31) || coalesce('=' || d.ghl, '-'))[1:20]
FROM delta_{e} d JOIN rewound r ON r.entity = {entity} AND r.side = '{s}' AND r.link_id = d.link_id
WHERE d.kind = '{s}_moved' AND (d.item IS NOT NULL OR d.{o} IS NOT NULL) ORDER BY ALL
"""

_LOST = """
SELECT a.hold_id, a.values_digest FROM absence_{e} a SEMI JOIN missed_{e} m ON m.link_id = a.link_id
WHERE a.gone = '{s}' AND a.action = 'hold' ORDER BY ALL
"""


def answers(
    stage: Stage, mapping: Mapping, sides: Collection[Side], *, by: str, at: str
) -> list[Decision]:
    """What a person says with "bring it back", as answers to every question about these sides.

    For all that went back the other side is right, and what is missing is made again. A value that is blank on the other
    side, or that was changed there as well, stays a question.
    """
    return [
        Decision(str(hold_id), choice, str(digest), by, at, "")
        for mapped in mapping.entities
        for side in sides
        for choice, query in _queries(stage, mapped, side)
        for hold_id, digest in stage.rows(query)
    ]


def _queries(stage: Stage, mapped: EntityMap, side: Side) -> Iterator[tuple[str, str]]:
    named = {"e": mapped.entity, "entity": literal(mapped.entity), "s": side, "o": side.other}
    yield side.other.value, _CONFLICTS.format(**named)
    if stage.has(f"missed_{mapped.entity}"):
        yield "restore", _LOST.format(**named)


def mark(stage: Stage, ledger: Ledger, connection: Connection, entity: Entity) -> None:
    """Mark the links that lost an end where others went back: however that is resolved, the loss stays a question."""
    if not stage.has(f"missed_{entity}"):
        return
    link = schema.link
    mine = (
        link.c.pair == ledger.pair,
        link.c.entity == entity.value,
        link.c.link_id == sa.bindparam("named"),
    )
    held = f"SELECT link_id FROM absence_{entity} SEMI JOIN missed_{entity} USING (link_id) WHERE action = 'hold'"
    for batch in stage.stream(held):
        connection.execute(
            sa.update(link).where(*mine).values(how=UNDONE),
            [{"named": link_id} for (link_id,) in batch],
        )
