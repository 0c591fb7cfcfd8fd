"""Lets people write the beginning of an id, as long as it can mean one thing only."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from reconcile.errors import StateError

_FEWEST = 6
"""So many characters of an id are shown at least: fewer would soon mean several."""


def whole_id(beginning: str, ids: Iterable[str], *, otherwise: StateError) -> str:
    """The one id that begins so.

    Raises `otherwise` where none does, StateError (AMBIGUOUS_ID) where several do.
    """
    known = list(ids)
    if beginning in known:
        return beginning
    possible = sorted(each for each in known if beginning and each.startswith(beginning))
    if not possible:
        raise otherwise
    if len(possible) > 1:
        shown = ", ".join(possible[:10])
        more = f" and {len(possible) - 10} more" if len(possible) > 10 else ""
        raise StateError(
            f"{beginning!r} could be {len(possible)} of them: {shown}{more}",
            remedy="write more of the id",
            code="AMBIGUOUS_ID",
        )
    return possible[0]


def short_ids(ids: Collection[str]) -> Mapping[str, str]:
    """The shortest beginning of each id that no other has; all are of the same length."""
    longest = max(map(len, ids), default=_FEWEST)
    length = next(
        (
            size
            for size in range(_FEWEST, longest)
            if len({each[:size] for each in ids}) == len(ids)
        ),
        longest,
    )
    return {each: each[:length] for each in ids}
