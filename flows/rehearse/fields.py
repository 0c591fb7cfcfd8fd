"""The fields of a pair as a rehearsal sees them: what people type into, and what is checked."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from flows.rehearse.rules import Rule, Rules, Value
from reconcile.entities import OWNER
from reconcile.model import Entity, Side
from reconcile.ports import FieldInfo, Json, Record
from reconcile.values.codecs import Choice, raw_text
from reconcile.values.mapping import EntityMap, Field
from reconcile.values.mapping import Mapping as PairMapping
from reconcile.values.policy import Blank, Drift, OnConflict
from reconcile.values.references import CompanyName, Linked

ON = "on"
"""The value of an element that a set holds."""

_LOSES = {OnConflict.APP: "ghl", OnConflict.GHL: "app", OnConflict.NEWEST: "older"}

_MARKUP = re.compile(r"<[^>]*>|&\w+;|null")
_SAYS = re.compile(r"\w")

Known = tuple[str, str, str]
"""A record: its kind, its side, and its key there."""

Natives = Mapping[Side, Mapping[Entity, Mapping[str, FieldInfo]]]
"""What each side says of its native fields."""


@dataclass(frozen=True, slots=True)
class Played:
    """A mapped field.

    `typed` are the sides on which people type into it, `choices` the only values that GHL takes.
    `shows` are those that cannot be written at all: what they show follows from other values.
    """

    entity: Entity
    field: Field
    typed: tuple[Side, ...]
    choices: tuple[str, ...] = ()
    shows: tuple[Side, ...] = ()

    @property
    def name(self) -> str:
        """Its name in the pair file."""
        return self.field.name

    @property
    def names(self) -> Entity | None:
        """The kind of the record whose key it holds, as a contact's company; None of most."""
        codec = self.field.codec
        return codec.entity if isinstance(codec, Linked) else None

    @property
    def clears(self) -> bool:
        """Whether people blank it: what is required they do not."""
        return not self.field.required and self.entity is OWNER and not self.choices

    def read(self, native: Mapping[str, Json], side: Side) -> dict[str, Value]:
        """Its values in a record; of a set each element.

        They are canonical as the pair file says, with one thing that no codec may do: what is
        there is never blank.
        """
        raws = [raw_text(native.get(name)) for name in self.field.native(side)]
        cell = self.field.codec.decode(raws, side)
        if self.field.by_item:
            return {f"{self.name}:{word}": ON for word in json.loads(cell or "[]")}
        if cell is None:
            said = _MARKUP.sub(" ", " ".join(raw for raw in raws if raw))
            cell = said.strip() if _SAYS.search(said) else None
        return {self.name: cell}

    def write(self, cell: Value, side: Side) -> Json:
        """The native value that people type, so that the side shows `cell`."""
        (name,) = self.field.native(side)
        return self.field.encode(cell, side)[name]


def played(mapping: PairMapping, natives: Natives) -> list[Played]:
    """The fields that are checked, in the order of the pair file."""
    return [
        Played(
            mapped.entity,
            field,
            tuple(_typed(mapped, field, natives)),
            tuple(_choices(mapped, field, natives)),
            tuple(_shows(mapped, field, natives)),
        )
        for mapped in mapping.entities
        for field in mapped.fields
        if not why_unchecked(field)
    ]


def why_unchecked(field: Field) -> str:
    """Why a field is carried and not checked; "" where it is."""
    if field.formula is not None:
        return "it is computed"
    if field.create_only or field.constant is not None:
        return "it is a constant"
    if isinstance(field.codec, CompanyName):
        return "it is a company by its name"
    return ""


def _typed(mapped: EntityMap, field: Field, natives: Natives) -> Iterator[Side]:
    deciding = {one.field for one in mapped.exclude}
    for side in Side:
        names = field.native(side)
        if len(names) != 1 or field.name in deciding or field.codec.name == "owner":
            continue
        known = natives[side].get(mapped.entity, {}).get(names[0])
        if known is not None and known.writable:
            yield side


def _shows(mapped: EntityMap, field: Field, natives: Natives) -> Iterator[Side]:
    """The sides that take no value of the field."""
    for side in Side:
        known = natives[side].get(mapped.entity, {})
        names = field.native(side)
        if names and all(name in known and not known[name].writable for name in names):
            yield side


def _choices(mapped: EntityMap, field: Field, natives: Natives) -> Iterator[str]:
    names = field.native(Side.GHL)
    known = natives[Side.GHL].get(mapped.entity, {}).get(names[0]) if names else None
    if known is None or known.type != "choice":
        return
    for word in known.choices:
        cell = field.codec.decode([word], Side.GHL)
        if cell is not None:
            yield cell


def rules_of(fields: Collection[Played], uid: Callable[[Known], str]) -> Rules:
    """What the check has to know of each field; `uid` is by what it knows a record."""
    return {(one.entity.value, one.name): _rule(one, uid) for one in fields}


def _rule(one: Played, uid: Callable[[Known], str]) -> Rule:
    field = one.field
    rule = field.rule
    owner = rule.flow.owner
    loses = _LOSES.get(rule.conflict, "")
    if owner is not None:
        loses = owner.other.value
    return Rule(
        loses=loses,
        keeps=rule.blank is Blank.KEEP,
        items=field.by_item,
        owner=owner.value if owner else "",
        leaves=owner is not None and rule.drift is Drift.LEAVE,
        alone=field.codec.name in ("email", "phone"),
        consent=rule.consent,
        opt_in=rule.opt_in,
        names=one.names.value if one.names else "",
        follows=tuple(side.value for side in one.shows),
        shown=partial(_named, one.names, uid) if one.names else partial(_shown, field),
    )


def _named(kind: Entity, uid: Callable[[Known], str], shown: Any) -> Collection[Value]:
    """The records that a key in a report may stand for: it is either side's."""
    key = raw_text(shown)
    if not key:
        return [None]
    ends = ((kind.value, side.value, key) for side in Side)
    return [uid(end) for end in ends]


def _shown(field: Field, shown: Any) -> Collection[Value]:
    """What a value of a report may stand for: as it is, or as either side would show it."""
    if isinstance(field.codec, Choice):
        return {None, *field.codec.table.values()}
    raw = raw_text(shown)
    return {raw or None, *(field.codec.decode([raw], side) for side in Side)}


def belongs(mapped: EntityMap, record: Record, side: Side) -> bool:
    """Whether the pair is about this record: no rule of its leaves it out."""
    if not sorts(mapped):
        return True
    cells = mapped.decode(record, side)
    for each in mapped.exclude:
        if (cells[each.field] in each.values) is not each.negated:
            return False
    return all(cells[one.name] in (None, one.constant) for one in mapped.selecting)


def sorts(mapped: EntityMap) -> bool:
    """Whether a rule or a constant leaves records of a kind out."""
    return bool(mapped.exclude or mapped.selecting)
