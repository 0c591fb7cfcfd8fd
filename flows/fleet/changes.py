"""What a template and a table would change in a folder of pair files, and the change itself."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flows.config.lines import KeyPath
from flows.config.problems import name
from flows.config.references import is_reference
from flows.fleet.pairs import Made
from flows.fleet.template import Template
from reconcile.errors import ConfigError, Problem

_MARK = "# Made by `ghl-reconcile fleet make` from {template}: change that or the table, not this."

_SECRET = frozenset(
    {"token", "password", "user", "client_id", "client_secret", "headers", "params", "notify"}
)
"""The keys at and below which a text may be a secret."""

_HIDDEN = "(not shown)"


class Kind(StrEnum):
    """What becomes of a pair."""

    ADDED = "added"
    GONE = "gone"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of a pair's file, with each key that changes: its name, its old and new value.

    A value that is not there is None. `text` is what the file will hold; None for one that goes.
    """

    kind: Kind
    pair: str
    keys: tuple[tuple[str, str | None, str | None], ...]
    text: str | None


def changes(template: Template, pairs: Sequence[Made], folder: Path) -> list[Change]:
    """What differs between the folder's files of this template and the pairs that it makes now.

    Files that it did not make are left alone. Raises ConfigError where a pair would take the place
    of one of those.
    """
    mark = _MARK.format(template=template.path.name)
    before = _of_this(mark, folder)
    texts = {one.pair.name: f"{mark}\n{one.text}" for one in pairs}
    _require_free(texts, before, folder)
    _require_same(pairs, before)
    results = [Change(Kind.GONE, pair, (), None) for pair in sorted(before) if pair not in texts]
    for pair, text in texts.items():
        if pair not in before:
            results.append(Change(Kind.ADDED, pair, tuple(_keys("", text)), text))
        elif before[pair] != text:
            results.append(Change(Kind.CHANGED, pair, tuple(_keys(before[pair], text)), text))
    return results


def _of_this(mark: str, folder: Path) -> dict[str, str]:
    """The texts of the files in the folder that this template made, by pair."""
    results = {}
    for path in sorted(folder.glob("*.toml")):
        text = path.read_text(encoding="utf-8", errors="replace")
        if text.partition("\n")[0] == mark:
            results[path.stem] = text
    return results


def _require_free(texts: Mapping[str, str], before: Mapping[str, str], folder: Path) -> None:
    there = {path.stem.casefold(): path for path in folder.glob("*.toml")}
    problems = []
    for pair in texts:
        path = there.get(pair.casefold())
        if path is not None and path.stem not in before:
            what = f"{path} is a pair file that this template did not make"
            remedy = "Move it out of the folder, or give the row another pair."
            problems.append(Problem(path.name, what, remedy))
    if problems:
        raise ConfigError(problems)


def _require_same(pairs: Sequence[Made], before: Mapping[str, str]) -> None:
    """Raise where a location would get another pair, which knows nothing of the first one's links.

    It would take everybody for new.
    """
    now = {one.pair.name for one in pairs}
    locations = {_values(text).get(_LOCATION): pair for pair, text in before.items()}
    problems = []
    for one in pairs:
        former = locations.get(one.pair.ghl.location)
        if former is not None and former not in now and one.pair.name not in before:
            what = f'location {one.pair.ghl.location} is pair "{former}", and would be another'
            remedy = (
                f'Keep "{former}": a new pair knows none of its links. To begin anew all the same, '
                "take its file out of the folder first."
            )
            problems.append(Problem(one.row.where, what, remedy))
    if problems:
        raise ConfigError(problems)


_LOCATION: KeyPath = ("ghl", "location")


def _keys(old: str, new: str) -> Iterator[tuple[str, str | None, str | None]]:
    """The keys whose values differ, in the order of the new text and then of the old."""
    before, after = _values(old), _values(new)
    for path in dict.fromkeys((*after, *before)):
        if before.get(path) != after.get(path):
            yield (
                name(path) or ".".join(map(str, path)),
                _shown(path, before[path]) if path in before else None,
                _shown(path, after[path]) if path in after else None,
            )


def _values(text: str) -> dict[KeyPath, Any]:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return {}
    return dict(_leaves(document, ()))


def _leaves(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, (*path, key))
    else:
        yield path, value


def _shown(path: KeyPath, value: Any) -> str:
    """A value as a person sees it. A secret is shown as where it is kept alone."""
    if isinstance(value, list):
        return f"[{', '.join(_shown(path, item) for item in value)}]"
    if not isinstance(value, str):
        return str(value).lower() if isinstance(value, bool) else str(value)
    if is_reference(value):
        return value
    if _SECRET.intersection(map(str, path)):
        return _HIDDEN
    return _without_secrets(value) if "://" in value else value


def _without_secrets(url: str) -> str:
    """A URL without who opens it, and without what it asks."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return _HIDDEN
    host = parts.netloc.rpartition("@")[2]
    query = "?…" if parts.query else ""
    return f"{parts.scheme}://{host}{parts.path}{query}"


def take_effect(results: Sequence[Change], folder: Path) -> None:
    """Write the files that are added or changed, each in one step; then remove those that go.

    Stopped in between, the next one shows what is left. What runs of a pair left in its store and
    in the ledger stays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for change in results:
        if change.text is not None:
            file = folder / f"{change.pair}.toml"
            partial = file.with_name(f".{file.name}.{os.getpid()}")
            partial.touch(mode=0o600)
            partial.write_text(change.text, encoding="utf-8")
            partial.replace(file)
    for change in results:
        if change.text is None:
            (folder / f"{change.pair}.toml").unlink(missing_ok=True)
