"""The ordinary work of a day in a rehearsal, in proportion to what is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconcile.entities import OWNER
from reconcile.model import Side

if TYPE_CHECKING:
    from flows.rehearse.town import Town

_SHARE, _SHARE_OF_CHILDREN = 12, 20
"""One of so many records is edited on a day."""


def work(town: Town) -> None:
    """Some of each kind are edited, some people get what hangs on them."""
    for kind in dict.fromkeys(one.entity for one in town.fields):
        share = _SHARE if kind is OWNER else _SHARE_OF_CHILDREN
        for _ in range(max(2, len(town.idents(kind)) // share)):
            _edit(town, kind)
        if kind is OWNER:
            continue
        for _ in range(2):
            owner = town.pick() if kind.parent is not None else None
            if owner is not None or kind.parent is None:
                side = town.side()
                town.enter(
                    side,
                    kind,
                    town.cast.record(kind, Side(side)),
                    owner,
                )


def _edit(town: Town, kind: str) -> None:
    """Somebody types one or two values into a record, on the side where they can."""
    ident, side = town.pick(kind), town.side()
    names = [one.name for one in town.fields if one.entity == kind and side in one.typed]
    if ident is None or not names:
        return
    chosen = town.dice.sample(names, min(len(names), town.dice.choice((1, 1, 2))))
    town.type(
        side,
        ident,
        **{name: town.new_value(kind, ident, name) for name in chosen},
    )
