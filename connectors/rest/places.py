"""Dotted text as a path into JSON, read and written.

So a declared place means the same in both directions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from reconcile.ports import Item, Only, Path

_UNNAMED: Mapping[Path, Any] = {}
_STEP = re.compile(r"(?:^|\.)([^.\[\]]+)|\[([^=\[\]]+)=([^\]]*)\]")


def parse(text: str) -> Path:
    """Dotted text as a Path. Raises ValueError where it is none.

    "a.b" is ("a", "b"), "list[id=x].value" looks in a list, and "" is the object itself.
    """
    steps: list[str | Item] = []
    at = 0
    while at < len(text):
        step = _STEP.match(text, at)
        if step is None:
            raise ValueError(
                f'"{text}" is not a dotted path such as "data.name" or "fields[id=x9].value"'
            )
        name, where, equals = step.groups()
        steps.append(Item(where, equals) if name is None else name)
        at = step.end()
    return tuple(steps)


def text(value: Any) -> str:
    """A JSON value as it stands in a query or a path."""
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()


def find(value: Any, path: Path) -> Any:
    """What lies at a path, None where there is nothing."""
    for step in path:
        match step:
            case str():
                value = _member(value, step)
            case Item():
                value = _among(value, step)
            case Only():
                if text(value) != step.equals:
                    return None
    return value


def find_all(value: Any, path: Path) -> list[Any]:
    """What lies at a path, in each member of the lists on the way; blanks left out."""
    if isinstance(value, list):
        nested = [find_all(item, path) for item in value]
        return [item for items in nested for item in items]
    if not path:
        if value in (None, ""):
            return []
        return [value]
    return find_all(find(value, path[:1]), path[1:])


def filled_in(template: Any, word: str, value: Any) -> Any:
    """JSON with `value` in place of each text that is `word`."""
    if isinstance(template, Mapping):
        return {name: filled_in(member, word, value) for name, member in template.items()}
    if isinstance(template, list | tuple):
        return [filled_in(member, word, value) for member in template]
    return value if template == word else template


def fill(body: dict[str, Any], more: Mapping[str, Any], now: str) -> None:
    """Set what lies at each dotted path where the body says nothing; "now" is a time."""
    for place, value in more.items():
        path = parse(place)
        if find(body, path) is not None:
            continue
        put(body, path, now if value == "now" else value)


def merge(body: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Add members to a body; an object is added to the one that is there."""
    for name, member in more.items():
        there = body.get(name)
        if isinstance(there, dict) and isinstance(member, dict):
            merge(there, member)
        else:
            body[name] = member


def _member(value: Any, name: str) -> Any:
    if not isinstance(value, dict):
        return None
    return value.get(name)


def _among(value: Any, step: Item) -> Any:
    if not isinstance(value, list):
        return None
    for item in value:
        if isinstance(item, dict) and _is_named(item.get(step.where), step):
            return item
    return None


def _is_named(own: Any, step: Item) -> bool:
    """Whether a list member's own name is the step's: a number is its text, as in a bulk read."""
    return own == step.equals or (own is not None and text(own) == step.equals)


def members(path: Path) -> list[Path]:
    """The paths of the list members on the way."""
    return [path[: at + 1] for at, step in enumerate(path) if isinstance(step, Item)]


def put(body: dict[str, Any], path: Path, value: Any, names: Mapping[Path, Any] = _UNNAMED) -> None:
    """Set what lies at a path, making the objects and list members on the way.

    `names` tells how a new member names itself.
    """
    *way, last = path
    holder: Any = body
    if not isinstance(last, str):
        raise TypeError("a value lies in a member of an object, not in a place of a list")
    for at, (step, after) in enumerate(zip(way, path[1:], strict=True)):
        name = None
        if isinstance(step, Item):
            name = names.get(path[: at + 1], step.equals)
        empty: Any = [] if isinstance(after, Item) else {}
        holder = _entered(holder, step, name, empty)
    holder[last] = value


def _entered(holder: Any, step: str | Item | Only, name: Any, empty: Any) -> Any:
    if isinstance(step, Only):
        raise TypeError("nothing lies behind a condition")
    if isinstance(step, str):
        if not isinstance(holder.get(step), type(empty)):
            holder[step] = empty
        return holder[step]
    member = _among(holder, step)
    if member is None:
        member = {step.where: name}
        holder.append(member)
    return member


def shows(value: Any, path: Path) -> bool:
    """Whether an object says what lies at a path, be it null.

    A list says of every member whether it is there.
    """
    for step in path:
        if isinstance(step, Item):
            return isinstance(value, list)
        if not isinstance(value, dict) or step not in value:
            return False
        value = value[step]
        if value is None:
            return True
    return True


def lost(before: Any, after: Any, prefix: str = "") -> Iterator[str]:
    """The dotted paths of what was there before and is blank after.

    A list that became shorter is one.
    """
    if isinstance(before, dict):
        for name, value in before.items():
            place = f"{prefix}.{name}" if prefix else name
            yield from lost(value, _member(after, name), place)
    elif isinstance(before, list):
        if before and (not isinstance(after, list) or len(after) < len(before)):
            yield prefix
    elif before not in (None, "") and after in (None, "", [], {}):
        yield prefix


def leaves(value: Any, prefix: str = "") -> Iterator[str]:
    """The dotted paths of the values in an object; a list is one value."""
    for name, member in value.items():
        if re.search(r"[.\[\]]", name) or not name:
            continue
        if isinstance(member, dict) and member:
            yield from leaves(member, f"{prefix}{name}.")
        else:
            yield prefix + name


def words(value: Any) -> Iterable[str]:
    """Every text and number in a JSON value, for blanking them out of messages."""
    if isinstance(value, dict):
        return [word for member in value.values() for word in words(member)]
    if isinstance(value, list):
        return [word for member in value for word in words(member)]
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return [str(value)]
    return []
