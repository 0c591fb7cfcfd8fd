"""What corresponds to what.

Entities and fields of the two sides, and the way from native values to cells and back.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping as Map
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from reconcile.model import Cell, Cells, Entity, Side, fingerprint
from reconcile.ports import Json, Record
from reconcile.values.codec import declared
from reconcile.values.codecs import Codec, Labels, Raw, raw_text
from reconcile.values.policy import OnConflict, OnCreate, OnDelete, OnMerge, Rule
from reconcile.values.references import CompanyName, Directory, Linked

TAGS = "tags"
"""The name of the one field that holds a contact's tags."""

UNCOMPUTED = "\x02cannot be computed"
"""What a formula gives in place of a raw text where it fails: no codec takes it for a value."""


@dataclass(frozen=True, slots=True)
class Formula:
    """An expression over one record's raw texts; `reconcile.stage.formula` evaluates it."""

    text: str
    names: tuple[str, ...]

    def sql(self, columns: Sequence[str]) -> str:
        """SQL for the raw text that it gives, over SQL for those of `names`."""
        raise NotImplementedError

    def of(self, raws: Sequence[Raw]) -> Raw:
        """The raw text that it gives of those of `names`."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Field:
    """One line of `[contact.fields]`: a canonical value and the native fields it has on each side.

    `app` and `ghl` are native field names (two for a name split in first and last; none for a
    constant's other side). `fallback` is written on create where the source is blank; `required`
    makes a record without value and fallback unsyncable; `required_by` are the sides that are known
    to refuse one, to which none is sent. `within` is the native field of GHL's in whose value alone
    this one means something, as a stage is one of its pipeline. `constant` is the value itself: a
    record that holds another one is not of this entity (see `EntityMap.filters`); with
    `create_only` it is written into new records and never looked at again. `also` names native
    fields of a side that hold further values of the same kind (GHL's additionalEmails): they count
    when matching and are never written. With a `formula` the value is computed of the native fields
    of the side that it flows from, and is never written there.
    """

    name: str
    app: tuple[str, ...]
    ghl: tuple[str, ...]
    codec: Codec
    rule: Rule = dataclasses.field(default_factory=Rule)
    required: bool = False
    fallback: Cell = None
    constant: Cell = None
    create_only: bool = False
    also: Map[Side, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    formula: Formula | None = None
    # What a side is like is no part of what the pair file declares, nor of its digest.
    required_by: tuple[Side, ...] = dataclasses.field(default=(), compare=False)
    within: str = dataclasses.field(default="", compare=False)

    def required_on(self, side: Side) -> bool:
        """Whether a blank may not be written to `side`."""
        return self.required or side in self.required_by

    def native(self, side: Side) -> tuple[str, ...]:
        """The native field names on `side`."""
        return self.app if side is Side.APP else self.ghl

    def read(self, side: Side) -> tuple[str, ...]:
        """The native field names on `side` that its cell is made of.

        None where the cell is the constant.
        """
        if self.create_only:
            return ()
        return self.native(side)

    @property
    def by_item(self) -> bool:
        """Whether each element of the value is compared and decided on its own.

        So it is with tags, and with sets that keep what either holds.
        """
        if self.name == TAGS:
            return True
        return isinstance(self.codec, Labels) and self.rule.conflict is OnConflict.UNION

    def decode(self, native: Map[str, Json], side: Side) -> Cell:
        """The cell that native values give.

        The constant where this side has no field of its own.
        """
        names = self.read(side)
        if not names:
            return self.constant
        raws = [raw_text(native.get(name)) for name in names]
        formula = self.computed(side)
        if formula is not None:
            raws = [formula.of(raws)]
        return self.cell(raws, side)

    def computed(self, side: Side) -> Formula | None:
        """The formula that its value is computed by on `side`; None where it is read as it is."""
        return self.formula if self.rule.flow.owner is side else None

    def cell(self, raws: Sequence[Raw], side: Side) -> Cell:
        """The canonical form of raw texts; of what a formula gave, where there is one."""
        if raws == [UNCOMPUTED]:
            return UNCOMPUTED.strip("\x02")
        return self.codec.decode(raws, side)

    def fault(self, cell: Cell) -> str | None:
        """Why `cell` is not a well-formed value; None when it is."""
        if self.formula is not None and cell == UNCOMPUTED.strip("\x02"):
            return "not computed: the expression fails on this record"
        return self.codec.fault(cell)

    def encode(self, cell: Cell, side: Side) -> dict[str, Json]:
        """The native fields to write so that the side holds `cell`."""
        names = self.native(side)
        values = self.codec.encode(cell, side, len(names))
        return dict(zip(names, values, strict=True))


@dataclass(frozen=True, slots=True)
class Filter:
    """A rule that leaves records out: those whose `field` is (or, negated, is not) one of `values`.

    None means blank.
    """

    field: str
    values: tuple[Cell, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class EntityMap:
    """One entity: its fields, and how unlinked records are matched.

    It also says what may be created or deleted on which side.

    `match` lists rules in order; a rule is the names of the fields that must all be equal and not
    blank.
    `absent_runs` is in how many complete runs a record must be missing before it counts as deleted.
    `merged` is what becomes of the counterpart of a contact that was merged into another one.
    """

    entity: Entity
    fields: tuple[Field, ...]
    match: tuple[tuple[str, ...], ...] = ()
    create: OnCreate = OnCreate.BOTH
    delete: Map[Side, OnDelete] = dataclasses.field(
        default_factory=lambda: {Side.APP: OnDelete.HOLD, Side.GHL: OnDelete.HOLD}
    )
    absent_runs: int = 2
    merged: OnMerge = OnMerge.HOLD
    exclude: tuple[Filter, ...] = ()

    def field(self, name: str) -> Field:
        """The field of that name. Raises KeyError where there is none."""
        for candidate in self.fields:
            if candidate.name == name:
                return candidate
        raise KeyError(name)

    def cell(self, name: str) -> str:
        """SQL for the cell of the field of that name, in a row with `cells`.

        `cells` is the list of all fields' cells, in order.
        """
        return f"cells[{self.place(name)}]"

    def place(self, name: str) -> int:
        """At which place of a list of all fields' cells that field's is: from 1, as SQL counts.

        Raises KeyError.
        """
        return self.fields.index(self.field(name)) + 1

    @property
    def name_places(self) -> list[int]:
        """The place of the value that GHL calls a record's name, where it is mapped."""
        return [at for at, field in enumerate(self.fields, start=1) if field.ghl == ("name",)]

    @property
    def codecs(self) -> str:
        """A name for what is canonical of this entity.

        It changes with a field's codec, and with a codec's revision.
        """
        kinds = {field.name: _canonical(field.codec) for field in self.fields}
        return fingerprint(json.dumps(kinds, sort_keys=True))

    @property
    def has_tags(self) -> bool:
        """Whether this entity carries tags."""
        return any(candidate.name == TAGS for candidate in self.fields)

    @property
    def joint(self) -> tuple[tuple[str, str], ...]:
        """The names of fields that say something only together: a part, and what it is a part of.

        What every record holds alike is in no question, and not among them.
        """
        wholes = {field.ghl[0]: field for field in self.fields if len(field.ghl) == 1}
        parts = [field for field in self.fields if field.within in wholes]
        pairs = [(part, wholes[part.within]) for part in parts]
        return tuple((part.name, whole.name) for part, whole in pairs if whole.constant is None)

    @property
    def selecting(self) -> tuple[Field, ...]:
        """The fields whose constant tells which records are of this entity.

        Others, say of another parent's kind, are not.
        """
        return tuple(
            field for field in self.fields if field.constant is not None and not field.create_only
        )

    @property
    def filters(self) -> tuple[Filter, ...]:
        """What leaves records out: the declared rules, and constants.

        A blank holds no other value, and is filled.
        """
        others = (
            Filter(field.name, (None, field.constant), negated=True) for field in self.selecting
        )
        return (*self.exclude, *others)

    @property
    def sets(self) -> tuple[Field, ...]:
        """The fields that are compared by element and written as a whole.

        Tags are written by element.
        """
        return tuple(field for field in self.fields if field.by_item and field.name != TAGS)

    @property
    def consents(self) -> tuple[str, ...]:
        """The names of the fields that say if a person may be written to."""
        return tuple(field.name for field in self.fields if field.rule.consent)

    def native(self, side: Side) -> tuple[str, ...]:
        """Every native field of `side` that is read, in order, once each."""
        names: dict[str, None] = {}
        for field in self.fields:
            names |= dict.fromkeys(field.native(side))
            names |= dict.fromkeys(field.also.get(side, ()))
        return tuple(names)

    def blurred(self) -> tuple[Field, ...]:
        """The fields that contacts' match rules begin with, each once.

        Only those are there that both sides hold in one native field.
        """
        if self.entity.parent:
            return ()
        firsts = dict.fromkeys(rule[0] for rule in self.match)
        read = [field for field in map(self.field, firsts) if field.formula is None]
        return tuple(field for field in read if len(field.app) == 1 and len(field.ghl) == 1)

    def waiting(self, cells: Cells, side: Side) -> list[str]:
        """The fields of these cells whose value names a record that the side does not have yet."""
        codecs = {name: self.field(name).codec for name in cells}
        return [name for name, cell in cells.items() if not codecs[name].writable(cell, side)]

    def decode(self, record: Record, side: Side) -> dict[str, Cell]:
        """All cells of a native record."""
        return {field.name: field.decode(record.fields, side) for field in self.fields}

    def encode(self, cells: Cells, side: Side) -> dict[str, Json]:
        """The native fields to write for these cells."""
        native: dict[str, Json] = {}
        for name, cell in cells.items():
            native |= self.field(name).encode(cell, side)
        return native


@dataclass(frozen=True)
class Mapping:
    """The whole correspondence of a pair, parents first."""

    entities: tuple[EntityMap, ...]

    def __getitem__(self, entity: Entity) -> EntityMap:
        """The map of one entity. Raises KeyError where it is not mapped."""
        for candidate in self.entities:
            if candidate.entity is entity:
                return candidate
        raise KeyError(entity)

    def __contains__(self, entity: Entity) -> bool:
        """Whether the entity is mapped."""
        return any(candidate.entity is entity for candidate in self.entities)

    def children(self, entity: Entity) -> list[EntityMap]:
        """The maps of what hangs on records of `entity`."""
        return [mapped for mapped in self.entities if mapped.entity.parent is entity]

    def directories(self, entity: Entity) -> list[Directory]:
        """By which the values that name records of this kind know them."""
        codecs = [field.codec for mapped in self.entities for field in mapped.fields]
        linked = [codec for codec in codecs if isinstance(codec, Linked)]
        directories = [codec.directory for codec in linked if codec.entity is entity]
        return [directory for directory in directories if directory is not None]

    def referring(self, entity: Entity) -> list[tuple[Entity, int, int | None]]:
        """The kinds whose records name one of `entity`, each with the place of that value.

        Where it names one by its name, with the place of that among the values of `entity`.
        """
        values: list[tuple[Entity, int, int | None]] = []
        for mapped in self.entities:
            for field in mapped.fields:
                codec = field.codec
                if isinstance(codec, Linked) and codec.entity is entity:
                    values.append((mapped.entity, mapped.place(field.name), None))
                if isinstance(codec, CompanyName) and codec.entity is entity:
                    names = self[entity].name_places
                    values += [(mapped.entity, mapped.place(field.name), at) for at in names]
        return values

    def people(self) -> list[EntityMap]:
        """The maps of the kinds that are people."""
        return [mapped for mapped in self.entities if mapped.entity.spec.person]

    @cached_property
    def digest(self) -> str:
        """A name for this mapping that changes when anything in it does.

        The codecs' revisions alone are left out.
        """
        declarations = [plain(entity) for entity in self.entities]
        return fingerprint(json.dumps(declarations, sort_keys=True))

    @cached_property
    def codecs(self) -> str:
        """A name for what is canonical.

        It changes with a codec's revision, though the pair file stays.
        """
        return fingerprint(*(entity.codecs for entity in self.entities))


def _canonical(codec: Codec) -> list[object]:
    """All that says what a codec makes canonical."""
    members = [plain(codec), codec.revision]
    # Only where something was learned: the name of all others stays what ledgers hold.
    if codec.learned:
        members.append(codec.learned)
    return members


def plain(value: object) -> object:
    """A JSON form of nested dataclasses, the class names of codecs included."""
    if isinstance(value, Codec):
        members = {name: plain(member) for name, member in declared(value).items()}
        return [type(value).__name__, members]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [f.name for f in dataclasses.fields(value) if f.compare]
        return {name: plain(getattr(value, name)) for name in names}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, Map):
        return {str(key): plain(item) for key, item in value.items()}
    return value
