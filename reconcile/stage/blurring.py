"""Numbers that values may be looked up by before they are canonical.

Equal wherever the canonical forms are.
"""

from __future__ import annotations

from reconcile.model import Side
from reconcile.values.codecs import Codec
from reconcile.values.mapping import EntityMap

ANY = "(hash(chr(1)) >> 1)::BIGINT"
"""SQL for the number of a value that may be equal to any other."""


def blurred(codec: Codec, value: str) -> str:
    """SQL for a number that is equal wherever canonical forms are, or ANY; NULL for no value."""
    return (
        f"CASE WHEN {value} <> '' THEN (hash(coalesce({codec.blur(value)}, "
        "chr(1))) >> 1)::BIGINT END"
    )


def blurs(mapped: EntityMap, side: Side) -> str:
    """SQL for the columns of `blur_e_s`.

    A row's digest, and a number for each field that it may be known by.
    """
    place = {native: f"r.r{at}" for at, native in enumerate(mapped.native(side))}
    fields = enumerate(mapped.blurred())
    return ", ".join(
        [
            "r.digest AS row",
            *(f"{blurred(f.codec, place[f.native(side)[0]])} AS k{at}" for at, f in fields),
        ]
    )
