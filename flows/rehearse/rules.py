"""What the check of a rehearsal has to know of a field: which of two values a rule lets go."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

Value = str | None
"""A value as the check compares it; None is blank."""

ALLOWED, DENIED, PERMANENT = "allowed", "denied", "permanent"
"""What a consent may say, in the words of the check."""

Shown = Callable[[Any], Collection[Value]]
"""From a value as a report shows it to the values that it may stand for."""


def _as_it_is(shown: Any) -> Collection[Value]:
    return (None if shown is None else str(shown),)


@dataclass(frozen=True, slots=True)
class Rule:
    """A field's rule as people expect it to be kept.

    `loses` says which side's value a rule may overwrite: "app", "ghl", "older" or "" for none.
    `keeps`: a blank on one side leaves the other's value. `items`: it is a set, and each element is
    a value of its own. `owner` is the side that a one-way field comes from, and `leaves` says that
    what the other one holds stays. `alone`: only one record of a side may hold the value.
    `consent`: it says whether a person may be written to; `opt_in` that a yes of its travels.
    `names`: it holds the uid of a record of that kind. `follows`: the sides on which nobody can
    write it: what they show follows from other values, as a company's name that is read by its key.
    """

    loses: str = ""
    keeps: bool = False
    items: bool = False
    owner: str = ""
    leaves: bool = False
    alone: bool = False
    consent: bool = False
    opt_in: bool = False
    names: str = ""
    follows: Collection[str] = ()
    shown: Shown = _as_it_is


Rules = Mapping[tuple[str, str], Rule]
"""By entity and field."""


@dataclass(slots=True)
class Row:
    """A record as it is on a side.

    Its key there, whose it is (a contact's uid), and its values by field; `tags:x` is "on".
    """

    key: str
    of: str | None = None
    cells: dict[str, Value] = field(default_factory=dict)


def base(name: str) -> str:
    """The field of a cell: that of `tags:vip` is tags."""
    return name.partition(":")[0]
