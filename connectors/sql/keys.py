"""A record's key as one text, whatever the database keys it by.

Integer, UUID, text, or several columns together.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from connectors.sql.values import Field, Kind, UnfitError, coerce, native
from reconcile.ports import Json


def key_text(fields: Sequence[Field], values: Sequence[Any]) -> str | None:
    """The key as text: of one column plain, of several a JSON list without spaces.

    None when a part is null.
    """
    if len(fields) == 1 and type(values[0]) is int:
        return str(values[0])
    parts = [native(field, value) for field, value in zip(fields, values, strict=True)]
    if any(part is None for part in parts):
        return None
    if len(parts) == 1:
        part = parts[0]
        if isinstance(part, str):
            return part
        return json.dumps(part)
    return json.dumps(parts, separators=(",", ":"), ensure_ascii=False)


def key_values(fields: Sequence[Field], text: str) -> list[Any]:
    """The column values of a key. Raises UnfitError when no record can have this key."""
    parts: list[Json] = [text]
    if len(fields) > 1:
        try:
            parsed = json.loads(text)
        except ValueError:
            parsed = None
        if not isinstance(parsed, list) or len(parsed) != len(fields):
            raise UnfitError(f"expected a JSON list of {len(fields)} values")
        parts = parsed
    values = [_part(field, part) for field, part in zip(fields, parts, strict=True)]
    # "07" is no key where keys are numbers: as 7 it would lead to somebody else.
    if key_text(fields, values) != text:
        raise UnfitError("not in the form in which this side writes its keys")
    return values


def _part(field: Field, part: Json) -> Any:
    if field.raw and field.kind is Kind.TEXT and isinstance(part, int | float):
        return part
    return coerce(field, part)


def key_is(fields: Sequence[Field], text: str) -> sa.ColumnElement[bool]:
    """The condition that a record has this key; false when none can have it."""
    try:
        values = key_values(fields, text)
    except UnfitError:
        return sa.false()
    return sa.and_(*(field.column == value for field, value in zip(fields, values, strict=True)))


def key_among(fields: Sequence[Field], texts: Sequence[str]) -> sa.ColumnElement[bool]:
    """The condition that a record has one of these keys."""
    if len(fields) > 1:
        return sa.or_(sa.false(), *(key_is(fields, text) for text in texts))
    values = []
    for text in texts:
        try:
            values += key_values(fields, text)
        except UnfitError:
            continue
    return fields[0].column.in_(values)


_UUID_BYTES = 16


def text_key(field: Field) -> bool:
    """Whether a new key can be made up for this column: a UUID, or text long enough to hold one."""
    if field.kind is Kind.BYTES:
        return getattr(field.column.type, "length", None) == _UUID_BYTES
    return field.kind is Kind.UUID or (
        field.kind is Kind.TEXT and (field.length is None or field.length >= 32)
    )


def new_key(field: Field, identifier: UUID) -> Any:
    """A made-up key in the column's own form."""
    if field.kind is Kind.BYTES:
        return identifier.bytes
    if field.kind is Kind.UUID:
        return coerce(field, str(identifier))
    if field.length is None or field.length >= 36:
        return str(identifier)
    return identifier.hex
