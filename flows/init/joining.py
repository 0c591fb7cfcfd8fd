"""Looks for every field that the contacts' own table lacks in the tables beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from flows.init.beside import Beside, Search
from flows.init.linked import linked
from flows.init.own import named, own_rows
from flows.init.pointed import pointed
from flows.init.proposal import Join, Unplaced


def beside(search: Search) -> tuple[list[Beside], list[Unplaced]]:
    """Every joined table that holds a field for which there is no column yet.

    The surest kind comes first. What was left is given as well.
    """
    chosen: list[Beside] = []
    left: list[Unplaced] = []
    for look in LOOKS:
        for one in look(search):
            if isinstance(one, Unplaced):
                left.append(one)
                continue
            wanted = search.wants(one.fields)
            if not wanted:
                continue
            chosen.append(
                replace(
                    one,
                    join=_called(one.join, chosen),
                    fields=wanted,
                )
            )
            taken = {guess.concept for guess in wanted}
            search = replace(search, wanted=set(search.wanted) - taken)
    return chosen, left


def _called(join: Join, chosen: Sequence[Beside]) -> Join:
    taken = {one.join.name for one in chosen}
    name = join.name
    while name in taken:
        name = f"{name}_too"
    return replace(join, name=name)


LOOKS: tuple[Callable[[Search], Iterator[Beside | Unplaced]], ...] = (
    named,
    own_rows,
    pointed,
    linked,
)
"""Where a field may lie, in order.

What belongs to one contact alone comes before what several may share, the short way first.
"""
