"""How much of a cookbook page `init --yes` writes by itself: fields placed right, wrong or not at all, and the lines left to a person."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

BY_HAND = "# by hand"
"""Marks the lines of a page that `init` does not write."""
_HEAD = {"pair", "store", "region", "ghl"}

Leaves = Mapping[tuple[str, ...], str]


@dataclass(frozen=True, slots=True)
class Placed:
    """The fields of a page by what `init` made of them, and how many lines a person changes to come to the page."""

    right: tuple[str, ...]
    wrong: tuple[str, ...]
    missing: tuple[str, ...]
    lines: int

    @staticmethod
    def compared(proposed: str, page: str) -> Placed:
        """What `init` wrote beside what a page says. Fails where the lines marked by hand do not lead from one to the other."""
        written, wanted = _settings(proposed), _settings(page)
        marked = [line for line in page.splitlines() if BY_HAND in line]
        rest = _settings("\n".join(line for line in page.splitlines() if BY_HAND not in line))
        by_hand = {path for path in wanted if wanted[path] != rest.get(path)}
        kept = {path: said for path, said in written.items() if not _under(path, by_hand)}
        assert kept == dict(rest), _difference(kept, rest)
        return Placed(*_fields(written, wanted), lines=len(marked))

    def row(self, name: str) -> str:
        """The line of the table in the cookbook."""
        counts = (len(self.right), len(self.wrong), len(self.missing), self.lines)
        return f"| {name} | {' | '.join(map(str, counts))} |"


def _under(path: tuple[str, ...], by_hand: set[tuple[str, ...]]) -> bool:
    """Whether a person's line stands in place of a setting: of a line, all of it is replaced."""
    return any(path[:depth] == other[:depth] for other in by_hand for depth in [_line_depth(path)])


def _line_depth(path: tuple[str, ...]) -> int:
    """How many names lead to the line on which a setting stands."""
    match path:
        case ("app", _, "join", _, *_):
            return 5
        case (_, "fields", _, *_) | ("app", _, _, *_):
            return 3
        case _:
            return 2


def _settings(text: str) -> Leaves:
    """What a pair file says apart from its head, without what holds anyway."""
    said = {name: held for name, held in tomllib.loads(text).items() if name not in _HEAD}
    said["app"] = {n: held for n, held in said["app"].items() if n not in ("connector", "url")}
    leaves = dict(_leaves(said))
    usual = {path for path, held in leaves.items() if _is_usual(path, held)}
    return {path: held for path, held in leaves.items() if path not in usual}


def _is_usual(path: tuple[str, ...], held: str) -> bool:
    of_names = {"names_key": "id", "names_column": "name", "key": "id"}
    return of_names.get(path[-1]) == held or path[-1] == "match"


def _leaves(held: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(held, Mapping):
        for name, inner in held.items():
            yield from _leaves(inner, (*path, name))
    elif path[-1:] == ("ghl",):
        yield path[:-1], str(held)
    elif isinstance(held, bool):
        yield path, str(int(held))
    else:
        yield path, str(held)


def _fields(written: Leaves, wanted: Leaves) -> tuple[tuple[str, ...], ...]:
    placed = {path: held for path, held in written.items() if _is_field(path)}
    useful = {path: held for path, held in wanted.items() if _is_field(path)}
    right = [path for path in useful if placed.get(path) == useful[path]]
    wrong = [path for path in placed if placed[path] != useful.get(path)]
    taken = {(path[0], held) for path, held in placed.items()}
    missing = [path for path, held in useful.items() if (path[0], held) not in taken]
    return tuple(
        tuple(".".join((p[0], *p[2:])) for p in paths) for paths in (right, wrong, missing)
    )


def _is_field(path: tuple[str, ...]) -> bool:
    return len(path) == 3 and path[1] == "fields"


def _difference(kept: Leaves, rest: Leaves) -> str:
    lines = [f"init alone: {path} = {kept[path]}" for path in kept if kept[path] != rest.get(path)]
    lines += [f"page alone: {path} = {rest[path]}" for path in rest if rest[path] != kept.get(path)]
    return "\n".join(lines)
