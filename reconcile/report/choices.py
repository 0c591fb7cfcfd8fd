"""Says each choice of a question in words of its own, for the spreadsheet.

It knows the choice by these words again.
"""

from __future__ import annotations

from collections.abc import Mapping as Map
from collections.abc import Sequence
from typing import Any

from reconcile.report.asking import LINK, answer

BETWEEN = " | "
"""What stands between the choices of a question in one cell."""

_LONGEST = 60
_TELLING = ("email", "phone", "birth_date", "company", "city")
"""Fields by which people know somebody, before all others."""


def words(hold: Map[str, Any]) -> list[str]:
    """The question's choices in words, in its order; no two of them are the same."""
    choices = [option["choice"] for option in hold["options"]]
    said = [_word(hold, choice) for choice in choices]
    different = []
    for word, choice in zip(said, choices, strict=True):
        if said.count(word) == 1:
            different.append(word)
        else:
            different.append(f"{word} ({choice.removeprefix(LINK)})")
    return different


def _word(hold: Map[str, Any], choice: str) -> str:
    if choice.startswith(LINK):
        return _plain(_link(hold, choice.removeprefix(LINK)))
    button = answer(hold["kind"], choice).button
    if choice not in ("app", "ghl") or choice not in hold["values"]:
        return button
    value = hold["values"][choice]
    shown = "blank" if value is None else str(value)
    return _plain(f"{button}: {shown}")


def _plain(text: str) -> str:
    """On one line, without what stands between two choices, and not longer than a list shows."""
    line = " ".join(text.replace("|", "/").split())
    if len(line) <= _LONGEST:
        return line
    return f"{line[: _LONGEST - 1]}…"


def _link(hold: Map[str, Any], key: str) -> str:
    """Who a candidate is, and by what it is told from the others."""
    candidates = hold["candidates"]
    mine = next((record for record in candidates if record["key"] == key), None)
    if mine is None:
        return f"Link to {key}"
    others = [record["values"] for record in candidates if record is not mine]
    own = hold["records"][0]["values"] if hold["records"] else {}
    mark = _mark(mine["values"], own, others)
    return f"Link to {mine['label']}{mark}"


def _mark(values: Map[str, Any], own: Map[str, Any], others: Sequence[Map[str, Any]]) -> str:
    """What only this candidate has: best a value that the record in question has as well."""
    # A name alone says who it is where nobody else could be meant.
    if not others:
        return ""
    names = sorted(values, key=lambda name: (name not in _TELLING, name))
    alone = []
    for name in names:
        elsewhere = [other.get(name) for other in others]
        if values[name] is not None and values[name] not in elsewhere:
            alone.append(name)
    for name in alone:
        if own.get(name) == values[name]:
            return f", the one with this {_spaced(name)}"
    if alone:
        name = alone[0]
        return f", the one with {_spaced(name)} {values[name]}"
    return ""


def _spaced(name: str) -> str:
    return name.replace("_", " ")


def choice_of(word: str, known: Map[str, str]) -> str | None:
    """The choice that a word stands for.

    The choice itself is taken as well, and capitals do not count.
    """
    wanted = _folded(word)
    return next((choice for said, choice in known.items() if _folded(said) == wanted), None)


def _folded(word: str) -> str:
    return " ".join(word.split()).casefold()
