"""What contacts are known by.

The identities of rows without a link, and of the rows that they may be equal to.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from reconcile.link.cells import make_known
from reconcile.model import Side
from reconcile.stage.blurring import ANY, blurred
from reconcile.stage.models import render
from reconcile.stage.stage import Stage
from reconcile.values.mapping import EntityMap, Field


@dataclass(frozen=True, slots=True)
class MatchRule:
    """A match rule as models ask for it.

    `name` is what people read of it: its fields. `places` are theirs in a list of all cells, from
    1. `further` are the tables of `make_further`, by side: a rule of several fields has none, as a
    further value says nothing of the other fields. `folded`: letter case makes no difference.
    """

    name: str
    places: tuple[int, ...]
    further: Mapping[Side, tuple[str, ...]]
    folded: bool = False


def match_rule(mapped: EntityMap, names: Iterable[str]) -> MatchRule:
    """The rule that these fields, all of them, must be equal and not blank."""
    fields = tuple(names)
    further: dict[Side, tuple[str, ...]] = dict.fromkeys(Side, ())
    if len(fields) == 1:
        further = {side: tuple(further_tables(mapped, side, fields[0])) for side in Side}
    places = tuple(map(mapped.place, fields))
    return MatchRule(" + ".join(fields), places, further, mapped.entity.spec.folded)


def match_rules(mapped: EntityMap) -> list[MatchRule]:
    """The declared match rules of an entity, in order."""
    return [match_rule(mapped, names) for names in mapped.match]


@dataclass(frozen=True, slots=True)
class _Sought:
    """How to find the rows that may have an unlinked row's value.

    It is the value of the field at `place` of the blurred ones.

    By `sought_n`, unless `anything` may equal one of its values; and by the tables of further
    values.
    """

    place: int
    anything: bool
    further: Mapping[Side, list[str]]


def make_identities(stage: Stage, mapped: EntityMap) -> None:
    """Create for both sides `known_e_s` (see `make_known`).

    It has what unlinked rows are known by, and the linked rows that one of them may equal.

    And `taken_s` (key): those of them that are linked already.
    """
    for side in Side:
        make_further(stage, mapped, side)
    quick = mapped.blurred()
    linked = bool(stage.some(f"base_{mapped.entity}"))
    slow = any(mapped.field(names[0]) not in quick for names in mapped.match)
    sought: list[_Sought] = []
    # A first run has no linked rows that a new one could equal.
    # Where a rule has no numbers to look them up by, every row is taken.
    if linked and not slow:
        sought = [_seek(stage, mapped, place) for place in range(len(quick))]
    known = partial(_make_known, mapped=mapped, every_row=linked and slow, sought=sought)
    stage.together(*(partial(known, side=side) for side in Side))
    stage.drop(*(f"sought_{each.place}" for each in sought))


def _make_known(
    stage: Stage, mapped: EntityMap, side: Side, *, every_row: bool, sought: Sequence[_Sought]
) -> None:
    """The same for one side.

    `every_row` says that under some rule any linked row may equal an unlinked one.
    """
    entity = mapped.entity
    stage.make("link/alike", entity=entity, side=side, every_row=every_row, sought=sought)
    names = {name for rule in mapped.match for name in rule}
    names |= {rule.field for rule in mapped.filters}
    make_known(stage, mapped, side, rows=f"alike_{side}", names=names)
    stage.drop(f"alike_{side}")
    stage.make("link/taken", entity=entity, side=side)


def _seek(stage: Stage, mapped: EntityMap, place: int) -> _Sought:
    """Create `sought_n`: the blurs of all unlinked rows' values of the nth field."""
    field, column = mapped.blurred()[place], f"k{place}"
    further = {side: further_tables(mapped, side, field.name) for side in Side}
    stage.make(
        "link/sought",
        entity=mapped.entity,
        place=place,
        further=further,
        blurred=blurred(field.codec, "identity"),
    )
    anything = bool(stage.some(f"sought_{place} WHERE {column} = {ANY}"))
    # A linked row that may equal anything may equal one of these.
    if not anything:
        stage.run(f"INSERT INTO sought_{place} VALUES ({ANY})")
    return _Sought(place, anything, further)


def identities(
    mapped: EntityMap,
    side: Side,
    names: Iterable[str],
    *,
    keys: str | None = None,
    rows: str = "known",
) -> str:
    """SQL (key, identity) for a match rule.

    One row for each value that a row of `known_e_s` (or `cell_e_s`) is known by.

    Further values are included. `keys` is SQL (key) for the rows that are asked for.
    """
    asked_for = [keys] if keys else []
    return render(
        "link/identities",
        entity=mapped.entity,
        side=side,
        rule=match_rule(mapped, names),
        keys=asked_for,
        rows=rows,
    )


def further_tables(mapped: EntityMap, side: Side, name: str) -> list[str]:
    """The tables of `make_further` for the field of that name."""
    return [f"further_{mapped.entity}_{side}_{native}" for native in _further(mapped, side, name)]


def _further(mapped: EntityMap, side: Side, name: str) -> list[str]:
    """The raw columns that hold further values of a field, such as additional email addresses."""
    columns = {native: f"r{at}" for at, native in enumerate(mapped.native(side))}
    natives = mapped.field(name).also.get(side, ())
    return [columns[native] for native in natives]


def make_further(stage: Stage, mapped: EntityMap, side: Side) -> None:
    """Create `further_e_s_r` (key, identity) for each raw column r with further values.

    Each value of the field is decoded on its own.
    """
    raw = f"raw_{mapped.entity}_{side}"
    for field in mapped.fields:
        columns = _further(mapped, side, field.name)
        tables = further_tables(mapped, side, field.name)
        for column, table in zip(columns, tables, strict=True):
            filled = f"coalesce({column}, '') NOT IN ('', '[]')"
            rows = stage.stream(f"SELECT key, {column} FROM {raw} WHERE {filled}")
            batches = (_further_values(field, side, batch) for batch in rows)
            stage.fill(table, [("key", "VARCHAR"), ("identity", "VARCHAR")], batches)


def _further_values(
    field: Field, side: Side, rows: Iterable[tuple[object, ...]]
) -> list[tuple[object, ...]]:
    """(key, identity) for each of a field's further values that is not blank."""
    identities: list[tuple[object, ...]] = []
    for key, text in rows:
        for value in _listed(str(text)):
            identity = field.codec.decode([value], side)
            if identity is not None:
                identities.append((key, identity))
    return identities


def _listed(text: str) -> list[str]:
    """The values in a JSON list of texts or of objects with one of GHL's names for the value.

    Else the text itself.
    """
    try:
        parsed = json.loads(text)
    except ValueError:
        return [text]
    members = parsed if isinstance(parsed, list) else [parsed]
    values = map(_inner, members)
    return [str(value) for value in values if value is not None]


def _inner(member: object) -> object:
    """A value, or what an object holds under the first of GHL's names for it."""
    if not isinstance(member, dict):
        return member
    for name in ("email", "phone", "value"):
        if name in member:
            return member[name]
    return None
