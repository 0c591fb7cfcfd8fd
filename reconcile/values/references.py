"""Values that name a record of another kind: a contact's company, by key or by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from reconcile.model import Cell, Entity, Side, fingerprint
from reconcile.ports import Json
from reconcile.values.codec import LEARNED, Codec, Raw, clean
from reconcile.values.codecs import Name

Ends = Mapping[Side, str | None]
"""The keys of one thing on both sides; None where it is still to be created."""


class Directory:
    """Which records of a kind are one thing on both sides, by their keys.

    It begins with what the ledger links. What a run links is put in place of that by `renew`, and
    what it creates is added by `add`; what a value is called stays the same within a run.
    """

    def __init__(self, entity: Entity, ends: Iterable[Ends] = ()) -> None:
        self.entity = entity
        self._keys: dict[str, dict[Side, str]] = {}
        self._names: dict[Side, dict[str, str]] = {side: {} for side in Side}
        self._gone: dict[str, Side] = {}
        self._doubts: Mapping[str, str] = {}
        self._there: dict[Side, frozenset[str] | None] = dict.fromkeys(Side)
        self.renew(ends)
        linked = sorted((name, *sorted(keys.values())) for name, keys in self._keys.items())
        self.first = fingerprint(*chain.from_iterable(linked))
        """A name for what the ledger linked: with other links, a key means another thing."""

    def renew(
        self,
        ends: Iterable[Ends],
        there: Mapping[Side, frozenset[str] | None] | None = None,
        doubts: Mapping[str, str] | None = None,
    ) -> None:
        """Take these for all that are one thing, or are about to be.

        `there` are a side's keys, where all of them were read. `doubts` says of what it is called
        why nothing may be pointed to it.
        """
        self._doubts = doubts or {}
        self._keys = {}
        self._names = {side: {} for side in Side}
        self._gone = {}
        self._there |= there or {}
        for each in ends:
            keys = {side: key for side, key in each.items() if key is not None}
            # The app's key, by which its people know it; GHL's own while the app has none.
            name = keys.get(Side.APP) or keys[Side.GHL]
            self._keys[name] = keys
            for side, key in keys.items():
                self._names[side][key] = name
                if self._lacks(side, key):
                    self._gone[name] = side

    def _lacks(self, side: Side, key: str) -> bool:
        """Whether a side was read to the end and has no such record."""
        there = self._there[side]
        return there is not None and key not in there

    def add(self, side: Side, key: str, other_key: str) -> None:
        """Note the key under which a record was made on `side` for the other side's."""
        name = self._names[side.other].get(other_key)
        if name is None:
            name = other_key
            self._keys[name] = {side.other: other_key}
            self._names[side.other][other_key] = name
        self._keys[name][side] = key
        self._names[side][key] = name

    def name(self, side: Side, key: str) -> str | None:
        """What the thing is called that `side` knows by this key; None where it has no other end.

        Where the side has no such record, it is "".
        """
        name = self._names[side].get(key)
        if name is None and self._lacks(side, key):
            return ""
        return name

    def key(self, side: Side, name: str) -> str | None:
        """Its key on a side; None where it has none there, or not yet."""
        return self._keys.get(name, {}).get(side)

    def doubt(self, name: str) -> str | None:
        """Why nothing may be pointed to it, though it is linked; None where something may."""
        side = self._gone.get(name)
        if side is not None:
            return f"is gone from {side.label}"
        return self._doubts.get(name)

    def __contains__(self, name: str) -> bool:
        return name in self._keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked(Codec):
    """A record of another kind, which each side holds by its own key; canonical is the app's.

    The ledger says which keys are one thing: it is not asked when a pair file is read.
    """

    entity: Entity
    directory: Directory | None = field(default=None, metadata={LEARNED: True})
    name: str = "linked"

    @property
    def learned(self) -> str:
        """A name for the links as the run found them."""
        if not self.directory:
            return ""
        return self.directory.first

    def decode(self, raws: Sequence[Raw], side: Side) -> Cell:
        key = clean(raws)
        if not key or self.directory is None:
            return key or None
        name = self.directory.name(side, key)
        if name is None:
            return key
        # A key of nothing is blank: what a deleted record leaves behind, or a 0 for none.
        return name or None

    def encode(self, cell: Cell, side: Side, arity: int) -> tuple[Json, ...]:
        native = cell
        if self.directory and cell:
            native = self.directory.key(side, cell) or cell
        return (native,) * arity

    def writable(self, cell: Cell, side: Side) -> bool:
        """Whether the record is there on that side by now."""
        if cell is None:
            return True
        return self.directory is not None and self.directory.key(side, cell) is not None

    def reread(self, cell: str, side: Side) -> Cell:
        # What the app had no key for when it was compared is called by the app's key by now.
        if self.directory is None or cell in self.directory:
            return cell
        return self.directory.name(Side.GHL, cell) or cell

    def fault(self, cell: Cell) -> str | None:
        if cell is None:
            return None
        if self.directory is None or cell not in self.directory:
            return f"the key of a {self.entity} that is not linked"
        doubt = self.directory.doubt(cell)
        if doubt is None:
            return None
        return f"the key of a {self.entity} that {doubt}"

    def blur(self, column: str) -> str:
        """NULL (may equal anything): two keys of one thing have nothing in common."""
        return f"CASE WHEN false THEN {column} END"


@dataclass(frozen=True, slots=True, kw_only=True)
class CompanyName(Codec):
    """A company of the location, by its name; GHL holds its id.

    `companies` gives each id's name, as the location tells it: it is not asked when a pair file is
    read.
    """

    # Which kind that is, GHL's own field says, and not the pair file.
    entity: Entity | None = field(default=None, metadata={LEARNED: True})
    companies: Mapping[str, str] | None = field(default=None, metadata={LEARNED: True})
    name: str = "company"

    @property
    def learned(self) -> str:
        """A name for the companies: with others, an id means another name."""
        listed = sorted((self.companies or {}).items())
        return fingerprint(*chain.from_iterable(listed))

    def decode(self, raws: Sequence[Raw], side: Side) -> Cell:
        if side is Side.APP:
            said = Name().decode(raws, side)
            spelled = {self._spelled(key) for key in self._keys(said)}
            if len(spelled) == 1:
                return spelled.pop()
            return said
        key = clean(raws)
        if not key or self.companies is None:
            return key or None
        # A company that is deleted may leave its id behind (docs/ghl.md#companies).
        return self._spelled(key)

    def encode(self, cell: Cell, side: Side, arity: int) -> tuple[Json, ...]:
        native = cell
        if side is Side.GHL and (keys := self._keys(cell)):
            native = keys[0]
        return (native,) * arity

    def _spelled(self, key: str) -> Cell:
        """The name of the company with that id, as the location spells it."""
        name = (self.companies or {}).get(key)
        return Name().decode([name], Side.GHL)

    def _keys(self, cell: Cell) -> list[str]:
        """The ids of the companies of that name, whatever its letter case."""
        if cell is None:
            return []
        folded = cell.casefold()
        keys = []
        for key in self.companies or {}:
            spelled = self._spelled(key) or ""
            if spelled.casefold() == folded:
                keys.append(key)
        return keys

    def reread(self, cell: str, side: Side) -> Cell:
        return cell

    def fault(self, cell: Cell) -> str | None:
        if cell is None or self.companies is None:
            return Name().fault(cell)
        many = len(self._keys(cell))
        if many > 1:
            return f"the name of {many} companies of the location"
        if many:
            return None
        return "no company of the location"

    def blur(self, column: str) -> str:
        """NULL (may equal anything): an id and a name have nothing in common."""
        return f"CASE WHEN false THEN {column} END"
