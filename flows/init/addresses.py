"""Which columns are one address, where a table has several.

Primary and alternative, billing and shipping.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from flows.init.found import Column
from flows.init.words import CONTACT, Concept, is_called, words

PARTS: tuple[Concept, ...] = ("address1", "city", "state", "postalCode", "country")
PLACES = frozenset({"address1", "city", "postalCode"})
"""What a thing without an address does not have: a phone may have a country, too."""
PREFERRED = ("primary", "main", "default", "billing", "invoice", "home", "private", "mailing")
"""What the address is called that counts, the surest first.

One that is called nothing comes before.
"""
_SAYS_NOTHING = frozenset({"address", "addr", "adresse"})

Prefix = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Addresses:
    """The address that counts, `chosen` by column, and what stands before its parts.

    The columns of the `others` come with it.
    """

    chosen: Mapping[str, Concept] = field(default_factory=dict)
    prefix: Prefix = ()
    others: frozenset[str] = frozenset()


def addresses(columns: Iterable[Column]) -> Addresses:
    """The addresses of a table; none where at most one part of any is there."""
    listed = list(columns)
    groups: dict[Prefix, dict[Concept, str]] = {}
    for column in listed:
        if (match := _part(column)) is not None:
            prefix, part = match
            groups.setdefault(prefix, {}).setdefault(part, column.name)
    whole = {
        prefix: parts
        for prefix, parts in groups.items()
        if len(parts) > 1 and not PLACES.isdisjoint(parts)
    }
    if not whole:
        return Addresses()
    # Mixing two addresses would send letters to a street of one and a city of the other.
    best = min(whole, key=rank)
    strange = [prefix for prefix in whole if prefix not in ((), best)]
    others = {one.name for one in listed if _begins(one, strange)}
    chosen = {name: part for part, name in whole[best].items()}
    return Addresses(
        chosen,
        best,
        frozenset(others - {*chosen}),
    )


def rank(prefix: Prefix) -> tuple[int, int, int, Prefix]:
    """How far down the list an address stands by what it is called."""
    known = [PREFERRED.index(word) for word in prefix if word in PREFERRED]
    place = min(known, default=len(PREFERRED)) if prefix else -1
    return place, -len(known), len(prefix), prefix


def _part(column: Column) -> tuple[Prefix, Concept] | None:
    own = words(column.title)
    for cut in range(len(own)):
        said = " ".join(own[cut:])
        for part in PARTS:
            if is_called(said, CONTACT[part]):
                return _bare(own[:cut]), part
    return None


def _bare(prefix: Prefix) -> Prefix:
    return tuple(word for word in prefix if word not in _SAYS_NOTHING)


def _begins(column: Column, prefixes: Iterable[Prefix]) -> bool:
    own = words(column.title)
    return any(own[: len(prefix)] == prefix for prefix in prefixes)
