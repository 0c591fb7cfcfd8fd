"""GHL's many shapes of one record, as paths for DuckDB and as the same reading in Python.

Search, GET, list, write reply, webhook and v3 differ in names and casing (docs/ghl.md#contacts):
each field lists its paths in order of preference, and the first value that is not null wins.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from connectors.ghl.entities import GHL, one
from reconcile.errors import InvalidField, Malformed
from reconcile.model import Entity
from reconcile.ports import Item, Json, Only, Path, Record, Shape


def custom_paths(field_id: str, members: Iterable[str]) -> tuple[Path, ...]:
    """Where a custom field's value lies, by the `members` that may hold it."""
    return tuple(("customFields", Item("id", field_id), name) for name in members)


def shape_of(entity: Entity, names: Iterable[str], custom: Mapping[str, str]) -> Shape:
    """The Shape of `names`; `custom` maps a custom field's key ("contact.xyz") to its id.

    Raises InvalidField for a name that is neither, with the nearest ones that exist.
    """
    fields = {name: _paths(entity, name, custom) for name in names}
    kind = GHL[entity]
    updated = one(kind.updated)
    return Shape(
        key=one("id", "_id"),
        fields=fields,
        parent=one("contactId") if entity.parent else (),
        version=updated if kind.versioned else (),
        modified_at=updated if kind.dated else (),
        deleted=one("deleted"),
    )


def _paths(entity: Entity, name: str, custom: Mapping[str, str]) -> tuple[Path, ...]:
    kind = GHL[entity]
    if name in kind.paths:
        return kind.paths[name]
    if kind.custom and name in custom:
        return custom_paths(custom[name], kind.custom_values)
    known = [*kind.paths]
    if kind.custom:
        known += custom
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    what = f"GHL has no {entity} field {name!r}"
    if near:
        what += f"; near matches: {', '.join(near)}"
    raise InvalidField(
        what,
        remedy="name a field that `doctor` lists, or create the custom field in GHL first",
        code="UNKNOWN_FIELD",
    )


def record(item: Mapping[str, Any], shape: Shape, *, parent: str | None = None) -> Record:
    """One JSON object in any of GHL's shapes as a Record.

    The twin of what DuckDB does with a Shape.

    `parent` stands in where the object does not name its contact. Raises Malformed for an object
    without a key.
    """
    key = first(item, shape.key)
    if not isinstance(key, str) or not key:
        members = ", ".join(sorted(item)[:5]) or "nothing"
        raise Malformed(f"expected a record with an id, found one with {members}")
    stated = first(item, shape.parent)
    version = first(item, shape.version)
    return Record(
        key=key,
        fields={name: first(item, paths) for name, paths in shape.fields.items()},
        parent=stated if isinstance(stated, str) else parent,
        version=None if version is None else str(version),
        modified_at=instant(first(item, shape.modified_at)),
        deleted=first(item, shape.deleted) is True,
    )


def instant(value: Json) -> str | None:
    """A time as ISO 8601: text as it is, epoch milliseconds converted."""
    if isinstance(value, str) or value is None:
        return value or None
    if isinstance(value, int | float) and not isinstance(value, bool):
        moment = datetime.fromtimestamp(value / 1000, UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return None


def first(item: Any, paths: Iterable[Path]) -> Json:
    """The value at the first of these paths that leads to one; None where none does."""
    for path in paths:
        value: Json = _walk(item, path)
        if value is not None:
            return value
    return None


def _walk(value: Any, path: Path) -> Any:
    for step in path:
        match step:
            case str():
                value = value.get(step) if isinstance(value, dict) else None
            case Item():
                value = _among(value, step)
            case Only():
                text = str(value).lower() if isinstance(value, bool) else value
                if text != step.equals:
                    return None
        if value is None:
            return None
    return value


def _among(value: Any, step: Item) -> Any:
    """The list member that a step names."""
    if not isinstance(value, list):
        return None
    for item in value:
        if isinstance(item, dict) and item.get(step.where) == step.equals:
            return item
    return None
