"""Counts the records of a run by what was done to them.

Each once, however many writes that took.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Mapping as Map
from mmap import mmap
from typing import Any, NamedTuple, TypeVar

from reconcile.model import OpKind, Side, Status

NAMES = {
    OpKind.CREATE: "creates",
    OpKind.UPDATE: "updates",
    OpKind.COMPLETE: "updates",
    OpKind.DELETE: "deletes",
    OpKind.ARCHIVE: "deletes",
    OpKind.ADD_TAGS: "tags_added",
    OpKind.REMOVE_TAGS: "tags_removed",
    OpKind.ADOPT: "links",
    OpKind.FORGET: "forgotten",
}
"""What a kind of operation does to its record."""


Entry = TypeVar("Entry", bound=Map[str, Any])

_BITS = 1 << 27
"""How many places there are for names: of two million one in seventy meets another in its own."""


class _Name(NamedTuple):
    """What a record is counted under: what a run makes, and what is written to it, as one."""

    entity: str
    side: str
    counted: str
    key: str


class Sieve:
    """Lets those names through that came more than once, in 32 MB however many there are.

    A few others pass as well: whoever asks counts these by name, so that nothing depends on it.
    """

    def __init__(self) -> None:
        # Of a map without a file, only the pages that are written take memory.
        self._once = mmap(-1, _BITS // 8)
        self._again = mmap(-1, _BITS // 8)

    @classmethod
    def of(cls, entries: Iterable[Map[str, Any]]) -> Sieve:
        """One through which these have gone."""
        made = cls()
        for entry in entries:
            made.add(entry)
        return made

    def watched(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """The same entries, each of which goes through it on its way."""
        for entry in entries:
            self.add(entry)
            yield entry

    def add(self, entry: Map[str, Any]) -> None:
        """Let the names of an operation's record go through it."""
        for name in _names(entry):
            byte, bit = _place(name)
            if self._once[byte] & bit:
                self._again[byte] |= bit
            self._once[byte] |= bit

    def __contains__(self, name: _Name) -> bool:
        byte, bit = _place(name)
        return bool(self._again[byte] & bit)


def _place(name: _Name) -> tuple[int, int]:
    at = hash(name) % _BITS
    return at >> 3, 1 << (at & 7)


def _names(entry: Map[str, Any]) -> list[_Name]:
    """Every name under which `Records` may look for this operation's record."""
    kind = OpKind(entry["kind"])
    side = Side(entry["side"])
    keys = {NAMES[kind]: entry[f"{side}_key"]}
    if kind is OpKind.CREATE:
        keys = {"updates": entry[f"{side}_key"], "creates": _made_of(entry)}
    names = []
    for counted, key in keys.items():
        if key is not None:
            names.append(_Name(entry["entity"], side, counted, key))
    return names


def _made_of(entry: Map[str, Any]) -> str | None:
    """The key of the record that a create is made of, or else its own."""
    side = Side(entry["side"])
    key: str | None = entry[f"{side.other}_key"] or entry[f"{side}_key"]
    return key


class Records:
    """The records that were counted so far, by what was done to them.

    `repeated` are the names that may come more than once: of a million records that are made, each
    once, none has to be remembered.
    """

    def __init__(self, repeated: Sieve) -> None:
        self._repeated = repeated
        self._made: set[_Name] = set()
        self._counted: set[_Name] = set()

    def new(self, entry: Map[str, Any]) -> bool:
        """Whether nothing of that kind was counted of the record yet; it is now.

        What is written to a record that the same run creates is a part of its creation.
        """
        counted = NAMES[OpKind(entry["kind"])]
        side = Side(entry["side"])
        key = entry[f"{side}_key"]
        if counted == "creates":
            # A side that refuses a new record may name another one, which was not made of this.
            if key is not None and entry["status"] != Status.REJECTED:
                self._remember(self._made, _Name(entry["entity"], side, "updates", key))
            key = _made_of(entry)
        # A record that is still to be created has no key yet.
        if key is None:
            return counted != "updates"
        name = _Name(entry["entity"], side, counted, key)
        if name in self._made or name in self._counted:
            return False
        self._remember(self._counted, name)
        return True

    def _remember(self, names: set[_Name], name: _Name) -> None:
        if name in self._repeated:
            names.add(name)
