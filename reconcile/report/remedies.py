"""What an outcome's code means and what to do about it: no failure stands without a remedy."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import NamedTuple


class Remedy(NamedTuple):
    """What a code means, what to do, and whether the next run settles it by itself."""

    meaning: str
    remedy: str
    settles_itself: bool = False


_UNKNOWN = Remedy(
    "The write was not carried out, for a reason that this version has no words for.",
    "Read the detail beside the record; correct the value or the mapping, then run again.",
)


def remedy(code: str) -> Remedy:
    """The remedy for a code; a general one for a code of another version."""
    return _remedies().get(code, _UNKNOWN)


@cache
def _remedies() -> dict[str, Remedy]:
    text = files(__package__).joinpath("codes.toml").read_text(encoding="utf-8")
    return {
        code: Remedy(told["means"], told["do"], told.get("settles", False))
        for code, told in tomllib.loads(text).items()
    }
