"""A collection of a JSON API, as its document or a saved answer shows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.files.parts import text_of
from connectors.rest.places import find, leaves, parse
from flows.init.found import Column, Table
from flows.init.survey import ROWS
from reconcile.ports import FieldType

DEEPEST = 3
"""How many objects in one another are looked into."""
TOTALS = ("total", "total_count", "totalCount", "count")
_CURSORS: Mapping[str, tuple[str, str]] = {
    "paging.next.after": ("after", "limit"),
    "additional_data.next_cursor": ("cursor", "limit"),
    "offset": ("offset", "pageSize"),
}
"""Where HubSpot, Pipedrive and Airtable show the next cursor.

It also says which parameters take it and the size of a page.
"""
_KEYS = ("id", "uuid", "key", "_id")


@dataclass(frozen=True, slots=True)
class Collection:
    """Where a collection lies, its columns by dotted path, and its key.

    It also has what a pair file has to say besides.
    """

    path: str
    columns: tuple[Column, ...]
    key: str | None
    said: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What it is called: the last part of its path."""
        return self.path.rstrip("/").rpartition("/")[2]

    @property
    def table(self) -> Table:
        """The collection as `propose` takes it."""
        return Table(self.name, self.columns, (self.key,) if self.key else ())


def key_of(columns: Sequence[Column]) -> str | None:
    """The path of the key: a member that is called so, at the top."""
    names = [column.name for column in columns]
    return next((key for key in _KEYS if key in names), None)


def collection_of(name: str, answer: Any) -> Collection | None:
    """The collection that a saved answer is a page of.

    None where it holds no list of objects, or several.
    """
    lists = list(_lists(answer, ""))
    if len(lists) != 1:
        return None
    items, rows = lists[0]
    paths = dict.fromkeys(path for row in rows[:ROWS] for path in _leaves(row))
    columns = tuple(_column(path, rows[:ROWS]) for path in paths)
    said: dict[str, Any] = {"items": items} if items else {}
    for place, (param, size_param) in _CURSORS.items():
        if isinstance(find(answer, parse(place)), str):
            said["pager"] = {
                "kind": "cursor",
                "param": param,
                "next": place,
                "size_param": size_param,
            }
    return Collection(f"/{name}", columns, key_of(columns), said)


def _lists(answer: Any, place: str) -> Iterator[tuple[str, list[Any]]]:
    if isinstance(answer, list):
        if answer and all(isinstance(row, dict) for row in answer):
            yield place, answer
    elif isinstance(answer, dict) and place.count(".") < 1:
        for name, inner in answer.items():
            path = f"{place}.{name}" if place else name
            yield from _lists(inner, path)


def _leaves(row: dict[str, Any]) -> Iterator[str]:
    """The paths of a record's values; of a list of emails or phones, the primary one."""
    for path in leaves(row):
        value = find(row, parse(path))
        primary = isinstance(value, list) and any(
            isinstance(one, dict) and "primary" in one and "value" in one for one in value
        )
        yield f"{path}[primary=true].value" if primary else path


def _column(path: str, rows: Sequence[dict[str, Any]]) -> Column:
    values = [find(row, parse(path)) for row in rows]
    filled = [value for value in values if value not in (None, "", [], {})]
    called = path.partition("[")[0].rpartition(".")[2]
    samples = tuple(text_of(value) for value in filled)
    return Column(path, _type(filled), samples, called=called)


def _type(values: Sequence[Any]) -> FieldType:
    kinds = {type(value) for value in values}
    if kinds == {bool}:
        return "bool"
    if kinds == {int}:
        return "integer"
    if kinds == {list} and all(isinstance(word, str) for value in values for word in value):
        return "tags"
    return "json" if kinds & {list, dict} else "text"
