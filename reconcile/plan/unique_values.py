"""Puts writes of unique values in order: one record lets go of a value before another gets it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from reconcile.model import FREES, Operation, OpKind, Side
from reconcile.plan import phases
from reconcile.ports import Description, FieldInfo
from reconcile.stage.blurring import blurred
from reconcile.stage.models import render
from reconcile.stage.quoting import literal
from reconcile.stage.stage import Stage
from reconcile.values.mapping import EntityMap
from reconcile.values.mapping import Mapping as PairMapping

AMONG = "REFUSED_AMONG_OTHERS"
"""How a value is marked that was refused together with others.

The next run sends each by itself.
"""

FIRST = FREES + 1
"""The turn of the writes that wait for no other."""


@dataclass(frozen=True, slots=True)
class Turn:
    """When a record's new value is written; `room`: its old one is cleared first.

    `stuck`: each of a ring waits for another, and no value may be blank for a moment.
    """

    turn: int
    room: bool = False
    stuck: bool = False


@dataclass(frozen=True, slots=True)
class Holder:
    """Where to look for who holds a value of a field on a side; see `models/_holders.sql`.

    `blur` is SQL for the number of a wanted value, which is looked up in column `k<place>` of the
    side's blurs; where it is empty, `place` is that of the field in a list of cells.
    """

    side: Side
    field: str
    place: int
    blur: str = ""


def take_turns(stage: Stage, mapped: EntityMap) -> None:
    """Create `lot_e`: the fields that are written apart from their record, and at which turn.

    These are the values that another record of that side holds as it was read, those that such a
    record lets go, and those of which one was refused, nobody knows which. All else of the record
    is written whether or not the side takes such a value.
    """
    entity = mapped.entity
    stage.make("plan/lot", entity=entity)
    turns_of = {place: (place[1], FIRST, False) for place in refused_among(stage, mapped)}
    for part, whole in mapped.joint:
        # What says something only together is never written apart.
        for link_id, field, side in list(turns_of):
            if field in (part, whole):
                turns_of |= {(link_id, name, side): (whole, FIRST, False) for name in (part, whole)}
    for place, turn in _passing_on(stage, mapped):
        turns_of[place] = (place[1], turn.turn, turn.room)
    if turns_of:
        rows = [(*place, *turn) for place, turn in turns_of.items()]
        stage.fill(f"lot_{entity}", _LOT, [rows])


def stuck(stage: Stage, mapped: EntityMap) -> list[_Place]:
    """The values that cannot be written in any order.

    Each of a ring waits for another, and none may be blank meanwhile.
    """
    return [place for place, turn in _passing_on(stage, mapped) if turn.stuck]


def _passing_on(stage: Stage, mapped: EntityMap) -> Iterator[tuple[_Place, Turn]]:
    """The unique values that records pass on to one another, each with its turn."""
    unique = unique_fields(mapped)
    if unique:
        stage.make("plan/want", entity=mapped.entity, unique=unique)
    for holder in holders(mapped):
        if stage.some(f"want WHERE {_wanted(holder)}"):
            yield from _lots(stage, mapped, holder)


_Place = tuple[str, str, str]
"""A value by link id, field and side."""

_LOT = [
    ("link_id", "VARCHAR"),
    ("field", "VARCHAR"),
    ("target", "VARCHAR"),
    ("lot", "VARCHAR"),
    ("turn", "INTEGER"),
    ("room", "BOOLEAN"),
]


def _wanted(holder: Holder) -> str:
    """SQL for which rows of `want` would have a value of this field on this side."""
    field = literal(holder.field)
    return f"target = '{holder.side}' AND field = {field} AND new_value IS NOT NULL"


_FILLED = [(name, "VARCHAR") for name in ("entity", "field", "side")]


def note_never_blank(
    stage: Stage, mapping: PairMapping, described: Mapping[Side, Description]
) -> None:
    """Create `never_blank`.

    The unique fields of which a side cannot leave a record blank, not for a moment either.
    """
    rows = []
    for mapped in mapping.entities:
        for name, (side, description) in product(unique_fields(mapped), described.items()):
            fields = description.fields.get(mapped.entity, {})
            natives = mapped.field(name).native(side)
            if any(not fields.get(native, _ANY).nullable for native in natives):
                rows.append((mapped.entity.value, name, side.value))
    stage.fill("never_blank", _FILLED, [rows])


_ANY = FieldInfo()
"""A field that a side does not describe: it may be blank."""


def _may_clear(stage: Stage, mapped: EntityMap, holder: Holder) -> bool:
    """Whether a record's value may be blank for a moment."""
    if mapped.field(holder.field).required_on(holder.side):
        return False
    if not stage.has("never_blank"):
        return True
    field = literal(holder.field)
    place = f"entity = '{mapped.entity}' AND field = {field} AND side = '{holder.side}'"
    return not stage.some(f"never_blank WHERE {place}")


def make_room(stage: Stage, mapped: EntityMap) -> None:
    """Add the writes that clear a value to break a ring to `operation`."""
    if stage.some(f"lot_{mapped.entity} WHERE room"):
        stage.make("plan/room", entity=mapped.entity, phase=phases.of_turn(FREES))


def unique_fields(mapped: EntityMap) -> tuple[str, ...]:
    """The fields that name a contact by themselves."""
    # What hangs on a contact is matched below it: the title of a task names none.
    if mapped.entity.parent:
        return ()
    return tuple(dict.fromkeys(rule[0] for rule in mapped.match if len(rule) == 1))


def holders(mapped: EntityMap) -> list[Holder]:
    """Where to look for who holds a unique value: each unique field on each side."""
    blurred_fields = mapped.blurred()
    places = []
    for name in unique_fields(mapped):
        field = mapped.field(name)
        for side in Side:
            if field in blurred_fields:
                blur = blurred(field.codec, "v.new_value")
                places.append(Holder(side, name, blurred_fields.index(field), blur))
            else:
                places.append(Holder(side, name, mapped.place(name)))
    return places


def refused_among(stage: Stage, mapped: EntityMap) -> list[tuple[str, str, str]]:
    """(link id, field, side) of values that a side refused together with others of their record."""
    if not stage.some(f"difference_{mapped.entity} WHERE code = {literal(AMONG)}"):
        return []
    query = render("plan/refused_among", entity=mapped.entity, among=AMONG)
    return [(str(link), str(field), str(side)) for link, field, side in stage.rows(query)]


def _lots(stage: Stage, mapped: EntityMap, holder: Holder) -> Iterator[tuple[_Place, Turn]]:
    """The turns of one field's values on one side."""
    query = render("plan/rivals", entity=mapped.entity, holder=holder, wanted=_wanted(holder))
    waits = {str(key): str(rival) for key, rival in stage.rows(query)}
    if not waits:
        return
    keys = sorted({*waits, *waits.values()})
    concerned = ", ".join(map(literal, keys))
    place = f"target = '{holder.side}' AND field = {literal(holder.field)}"
    # A record that holds the value and keeps it is not in `want`: nobody waits for it.
    members = stage.rows(f"SELECT key, link_id FROM want WHERE {place} AND key IN ({concerned})")
    links = {str(key): str(link_id) for key, link_id in members}
    may_clear = _may_clear(stage, mapped, holder)
    for key, turn in turns(waits, set(links), may_clear=may_clear).items():
        yield (links[key], holder.field, holder.side.value), turn


def in_turn(operations: Iterable[Operation]) -> list[Operation]:
    """The operations of an undo, with new turns: it gives back what a run passed on."""
    rest: list[Operation] = []
    passed: dict[tuple[Side, str], list[Operation]] = {}
    for operation in operations:
        # What takes turns was written apart from the rest of its record: one field alone.
        if operation.turn and operation.kind is OpKind.UPDATE and len(operation.after) == 1:
            (field,) = operation.after
            passed.setdefault((operation.side, field), []).append(operation)
        else:
            rest.append(operation)
    for (_, field), members in passed.items():
        rest += _given_back(field, members)
    return rest


def _given_back(field: str, members: Sequence[Operation]) -> Iterator[Operation]:
    """The writes that pass one field's values on among records of a side, in their turns."""
    holder = {each.before.get(field): _key(each) for each in members}
    waits = {}
    for each in members:
        wanted = each.after[field]
        if wanted in holder:
            waits[_key(each)] = holder[wanted]
    keys = {_key(each) for each in members}
    taken = turns(waits, keys)
    for each in members:
        turn = taken[_key(each)]
        if turn.room:
            yield dataclasses.replace(each, after={field: None}, turn=FREES)
            yield dataclasses.replace(each, before={field: None}, turn=turn.turn)
        else:
            yield dataclasses.replace(each, turn=turn.turn)


def _key(operation: Operation) -> str:
    return operation.key or ""


def turns(
    waits: Mapping[str, str], changing: set[str], *, may_clear: bool = True
) -> dict[str, Turn]:
    """The turn of each record whose value changes; `waits` says who has the value that it gets.

    A record waits only for one that changes itself: one that keeps its value will be refused,
    whenever that is. A ring is broken at its first key, where that may be blank for a moment; where
    not, its writes take no turns.
    """
    settled: dict[str, Turn] = {}
    for start in sorted(changing):
        path: list[str] = []
        key: str | None = start
        while key is not None and key not in settled and key not in path:
            path.append(key)
            following = waits.get(key)
            key = following if following in changing else None
        if key in path:
            ring = path[path.index(key) :]
            settled |= _ring(ring, may_clear=may_clear)
        # From the end of the path: each has its turn after the one that it waits for.
        for member in reversed(path):
            if member not in settled:
                ahead = settled.get(waits.get(member, ""))
                settled[member] = _after(ahead)
    return settled


def _ring(ring: list[str], *, may_clear: bool) -> dict[str, Turn]:
    """The turns of records each of which waits for the next, and the last for the first."""
    if not may_clear:
        return dict.fromkeys(ring, Turn(FIRST, stuck=True))
    breaker = min(ring)
    cut = ring.index(breaker)
    # The breaker's value is free from the first turn on: who waits for it goes right after.
    behind = [*ring[cut + 1 :], *ring[:cut]]
    settled = {member: Turn(turn) for turn, member in enumerate(reversed(behind), FIRST + 1)}
    settled[breaker] = Turn(FIRST + 1 + len(behind), room=True)
    return settled


def _after(ahead: Turn | None) -> Turn:
    """The turn of a record that waits for another one's."""
    if ahead is None:
        return Turn(FIRST)
    # A value that is cleared to break a ring is free before its record's own turn.
    if ahead.room:
        return Turn(FIRST + 1)
    return Turn(ahead.turn + 1)
