"""What `init` says on the screen.

Where things were found, which column is which field, and what was left.
"""

from __future__ import annotations

from collections.abc import Iterator

from flows.init.proposal import SURE, Line, Place, Proposal

_LEFT = 12
"""How many things without a place are named on the screen; the file names all."""


def summary(proposal: Proposal) -> Iterator[str]:
    """The mapping, a line a field, and then what found no place, with the reason."""
    for place in proposal.places:
        yield from _place(place, proposal)
    left = [f"{one.where}: {one.why}" for one in proposal.unplaced]
    doubted = [line for line in proposal.lines if line.confidence < SURE]
    left += [f"{line.column}: not sure enough to be {' and '.join(line.ghl)}" for line in doubted]
    if left:
        yield f"left out: {len(left)}"
    yield from (f"  {said}" for said in left[:_LEFT])
    if len(left) > _LEFT:
        yield f"  and {len(left) - _LEFT} more, which the file names"


def _place(place: Place, proposal: Proposal) -> Iterator[str]:
    lines = [line for line in proposal.fields(place.entity) if line.confidence >= SURE]
    yield f"{place.entity.plural}: {place.table}"
    for join in place.joins:
        yield f"  {join.name}: {join.said['table']}, {join.because}"
    width = max((len(line.column) for line in lines), default=0)
    yield from (_line(line, width) for line in lines)


def _line(line: Line, width: int) -> str:
    way = "→" if line.flow else "↔"
    return f"  {line.column:<{width}} {way} {', '.join(line.ghl)}"
