"""Puts writes of values that no two contacts of a side may share in order: one record lets go of a value before another gets it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from reconcile.model import FREES, Entity, Operation, OpKind, Side
from reconcile.stage.quoting import literal
from reconcile.stage.stage import Stage, blurred
from reconcile.values.mapping import EntityMap

FIRST = FREES + 1
"""The turn of the writes that wait for no other."""

_WANT = """
CREATE OR REPLACE TABLE want AS
SELECT link_id, field, target, CASE target WHEN 'app' THEN app_key ELSE ghl_key END AS key, held, value
FROM (
    SELECT link_id, field, CASE winner WHEN 'app' THEN 'ghl' ELSE 'app' END AS target,
        CASE winner WHEN 'app' THEN ghl ELSE app END AS held, CASE winner WHEN 'app' THEN app ELSE ghl END AS value
    FROM judged_{e} WHERE action = 'agree' AND item IS NULL AND field IN ({fields})
) JOIN wide_{e} USING (link_id);
"""

_RIVALS = """
SELECT w.key, h.key AS rival FROM (FROM {wanted}) w JOIN ({holders}) h ON h.value = w.value AND h.key <> w.key ORDER BY ALL
"""

# Of a link that did not move there are no cells; every row has its blurs, which are equal wherever canonical forms are. A row
# that merely looks alike makes a write of its own at worst.
_BLURRED = """
SELECT DISTINCT v.value, r.key FROM (SELECT DISTINCT {value} AS value FROM {wanted}) v
JOIN blur_{e}_{s} b ON b.k{at} = {blur} JOIN raw_{e}_{s} r ON r.digest = b.row AND NOT coalesce(r.deleted, false)
"""
_CELLS = "SELECT cells[{place}] AS value, key FROM cell_{e}_{s} WHERE cells[{place}] IS NOT NULL"

_LOT = """
CREATE OR REPLACE TABLE lot_{e} (link_id VARCHAR, field VARCHAR, target VARCHAR, turn INTEGER, room BOOLEAN);
"""

_ROOM = """
INSERT INTO operation
SELECT {phase}, 'update', {entity}, target, link_id, w.key,
    CASE target WHEN 'app' THEN x.ghl_key ELSE x.app_key END, NULL, NULL, '{{}}',
    '{{' || to_json(field) || ':' || to_json(held) || '}}', '{{' || to_json(field) || ':null}}', NULL,
    field || ': makes room, as the same run gives this value to another record and this one gets its own right after', 'low'
FROM want w JOIN lot_{e} l USING (link_id, field, target) JOIN wide_{e} x USING (link_id) WHERE l.room;
"""


@dataclass(frozen=True, slots=True)
class Turn:
    """When a record's new value is written; `room`: its old one is cleared first."""

    turn: int
    room: bool = False


def phase(turn: int) -> float:
    """Where in a plan a turn stands: after what touches the ledger alone, before creates, which may need the values let go."""
    return 1 + turn / 1_000


def take_turns(stage: Stage, mapped: EntityMap) -> None:
    """Create `lot_e`: the fields that are written apart from the rest of their record, and at which turn.

    These are the values that another record of that side holds as it was read, and those that such a record lets go. All
    else of the record is written whether or not the side takes such a value.
    """
    entity = mapped.entity
    stage.run(_LOT.format(e=entity))
    unique = unique_fields(mapped)
    if not unique:
        return
    stage.run(_WANT.format(e=entity, fields=", ".join(map(literal, unique))))
    rows: list[tuple[object, ...]] = []
    for name in unique:
        for side in Side:
            wanted = (
                f"want WHERE target = '{side}' AND field = {literal(name)} AND value IS NOT NULL"
            )
            if not stage.some(wanted):
                continue
            held = holders(mapped, side, name, value="value", wanted=wanted)
            waits = {
                str(key): str(rival)
                for key, rival in stage.rows(_RIVALS.format(wanted=wanted, holders=held))
            }
            if waits:
                rows += _lots(stage, name, side, waits, may_clear=not mapped.field(name).required)
    if rows:
        columns = [(n, "VARCHAR") for n in ("link_id", "field", "target")] + [
            ("turn", "INTEGER"),
            ("room", "BOOLEAN"),
        ]
        stage.fill(f"lot_{entity}", columns, [rows])


def make_room(stage: Stage, mapped: EntityMap) -> None:
    """Add the writes that clear a value to break a ring to `operation`."""
    if stage.some(f"lot_{mapped.entity}"):
        stage.run(_ROOM.format(e=mapped.entity, entity=literal(mapped.entity), phase=phase(FREES)))


def unique_fields(mapped: EntityMap) -> tuple[str, ...]:
    """The fields that name a contact by themselves."""
    rules = mapped.match if mapped.entity is Entity.CONTACT else ()
    return tuple(dict.fromkeys(rule[0] for rule in rules if len(rule) == 1))


def holders(mapped: EntityMap, side: Side, field: str, *, value: str, wanted: str) -> str:
    """SQL (value, key) for the rows of a side that hold, in a field, one of the values that a relation wants."""
    quick = mapped.blurred()
    found = mapped.field(field)
    if found not in quick:
        return _CELLS.format(e=mapped.entity, s=side, place=mapped.fields.index(found) + 1)
    blur = blurred(found.codec, "v.value")
    return _BLURRED.format(
        e=mapped.entity, s=side, at=quick.index(found), blur=blur, value=value, wanted=wanted
    )


def _lots(
    stage: Stage, field: str, side: Side, waits: Mapping[str, str], *, may_clear: bool
) -> Iterable[tuple[object, ...]]:
    concerned = ", ".join(map(literal, sorted({*waits, *waits.values()})))
    query = f"SELECT key, link_id FROM want WHERE target = '{side}' AND field = {literal(field)} AND key IN ({concerned})"
    links = {str(key): str(link_id) for key, link_id in stage.rows(query)}
    for key, turn in turns(waits, set(links), may_clear=may_clear).items():
        yield links[key], field, side.value, turn.turn, turn.room


def in_turn(operations: Iterable[Operation]) -> list[Operation]:
    """The operations of an undo, with their turns anew: it gives back in the other direction what a run passed on."""
    rest: list[Operation] = []
    passed: dict[tuple[Side, str], list[Operation]] = {}
    for operation in operations:
        if operation.turn and operation.kind is OpKind.UPDATE and len(operation.after) == 1:
            passed.setdefault((operation.side, next(iter(operation.after))), []).append(operation)
        else:
            rest.append(operation)
    for (_, field), members in passed.items():
        holder = {each.before.get(field): each.key or "" for each in members}
        waits = {
            each.key or "": holder[each.after[field]]
            for each in members
            if each.after[field] in holder
        }
        taken = turns(waits, {each.key or "" for each in members})
        for each in members:
            turn = taken[each.key or ""]
            if turn.room:
                rest.append(dataclasses.replace(each, after={field: None}, turn=FREES))
            before = {field: None} if turn.room else each.before
            rest.append(dataclasses.replace(each, before=before, turn=turn.turn))
    return rest


def turns(
    waits: Mapping[str, str], changing: set[str], *, may_clear: bool = True
) -> dict[str, Turn]:
    """The turn of each record whose value changes. `waits` names the record that holds the value which another one gets.

    A record waits only for one that changes itself: one that keeps its value will be refused, whenever that is. A ring is
    broken at its first key, where that may be blank for a moment; where not, its writes take no turns.
    """
    found: dict[str, Turn] = {}
    for start in sorted(changing):
        path: list[str] = []
        key: str | None = start
        while key is not None and key not in found and key not in path:
            path.append(key)
            following = waits.get(key)
            key = following if following in changing else None
        ring = path[path.index(key) :] if key in path else []
        if ring and may_clear:
            # The breaker's value is free from the first turn on: who waits for it waits for nothing else.
            breaker = min(ring)
            cut = ring.index(breaker)
            behind = [*ring[cut + 1 :], *ring[:cut]]
            for turn, member in enumerate(reversed(behind), FIRST + 1):
                found[member] = Turn(turn)
            found[breaker] = Turn(FIRST + 1 + len(behind), room=True)
        elif ring:
            found |= dict.fromkeys(ring, Turn(FIRST))
        for member in reversed([each for each in path if each not in found]):
            ahead = found.get(waits.get(member, ""))
            found[member] = Turn(
                FIRST if ahead is None else FIRST + 1 if ahead.room else ahead.turn + 1
            )
    return found
