"""A contact's tags, whichever of the four ways a database keeps them in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from connectors.sql.inserting import new_row
from connectors.sql.schema import Layout, TagPlace
from connectors.sql.values import Field, Kind, UnfitError, coerce
from reconcile.model import OpKind
from reconcile.ports import Json


def _quoted(text: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    # MariaDB's own json_arrayagg turns characters beyond ASCII into question marks where it groups
    # (seen in 10.11).
    unicode = sa.cast(
        text, sa.String().with_variant(mysql.CHAR(charset="utf8mb4"), "mysql", "mariadb")
    )
    return sa.func.concat("[", sa.func.group_concat(sa.func.json_quote(unicode)), "]")


_AGGREGATES: Mapping[str, Callable[[sa.ColumnElement[Any]], sa.ColumnElement[Any]]] = {
    "postgresql": sa.func.json_agg,
    "sqlite": sa.func.json_group_array,
    "mysql": _quoted,
    "mariadb": _quoted,
}


def parse(place: TagPlace, value: Any) -> list[str]:
    """The tags in what a column (or an aggregate of the join table) holds.

    Raises UnfitError where it holds no tags.
    """
    if value is None or value == "":
        return []
    if place.form == "delimited":
        tags: Iterable[object] = str(value).split(place.delimiter)
    else:
        tags = _listed(value)
    texts = [str(tag).strip() for tag in tags if tag is not None]
    named = [text for text in texts if text]
    return list(dict.fromkeys(named))


def _parsed(text: str | bytes) -> Any:
    try:
        return msgspec.json.decode(text)
    except (ValueError, msgspec.DecodeError):
        pass  # what json takes beyond the standard
    try:
        return json.loads(text)
    except ValueError:
        return None


def _listed(value: Any) -> list[object]:
    parsed = _parsed(value) if isinstance(value, str | bytes) else value
    if not isinstance(parsed, list):
        raise UnfitError("the tag column does not hold a JSON list")
    return parsed


def fold(tag: str) -> str:
    """The form in which tags are compared.

    GHL knows them in lower case alone (observed behaviour).
    """
    return " ".join(tag.split()).lower()


def changed(
    current: Sequence[str],
    kind: OpKind,
    named: Sequence[str],
) -> list[str]:
    """The tags after some are added or removed; one that is there in another case is there."""
    folded = {fold(tag) for tag in named}
    if kind is OpKind.REMOVE_TAGS:
        return [tag for tag in current if fold(tag) not in folded]
    known = {fold(tag) for tag in current}
    new = {fold(tag): tag for tag in named if fold(tag) not in known}
    return [*current, *new.values()]


def check(place: TagPlace, named: Sequence[str]) -> None:
    """Raises UnfitError when a tag cannot be kept the way this database keeps tags."""
    if place.form == "delimited" and any(place.delimiter in tag for tag in named):
        raise UnfitError(f"a tag contains {place.delimiter!r}, which separates tags in this column")
    if place.tag is not None and place.names_name is None:
        for tag in named:
            coerce(place.tag, tag)


def stored(
    place: TagPlace,
    tags: Sequence[str],
    current: Any,
) -> Any:
    """Tags as their column takes them, spaced as the column was."""
    assert place.field is not None  # noqa: S101  only called for the forms that have a column
    if place.form == "delimited":
        between = place.delimiter
        if isinstance(current, str) and f"{between} " in current:
            between = f"{between} "
        return coerce(place.field, between.join(tags) or None)
    if place.field.kind in (Kind.JSON, Kind.ARRAY) and not place.field.raw:
        return list(tags)
    return json.dumps(list(tags), ensure_ascii=False)


def wanted(value: Json) -> list[str]:
    """The tags of a native "tags" field. Raises UnfitError when it is no list of texts."""
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(tag, str) for tag in value):
        raise UnfitError("tags: expected a list of texts")
    return [str(tag) for tag in value]


# The join table.


def _joined(place: TagPlace) -> tuple[sa.ColumnElement[Any], sa.FromClause]:
    """The tag's text, and what it is selected from."""
    assert place.tag is not None  # noqa: S101  only called for the form "table"
    join = place.tag.column.table
    if place.names_key is None or place.names_name is None:
        return _text(place.tag), join
    names = place.names_name.column.table
    same = names.c[place.names_key.name] == place.tag.column
    return _name(place, place.names_name), join.join(names, same)


def _name(place: TagPlace, field: Field) -> sa.ColumnElement[Any]:
    """The text of a name.

    Of its language, where it has one for each, or of the language in which Odoo has every name.
    """
    if place.language is None:
        return _text(field)
    own = field.column[place.language].as_string()
    first = field.column[_FIRST].as_string()
    return sa.func.coalesce(own, first)


def _text(field: Field) -> sa.ColumnElement[Any]:
    if field.padded:
        return sa.func.rtrim(field.column)
    return field.column


_FIRST = "en_US"


def _conditions(place: TagPlace) -> list[sa.ColumnElement[bool]]:
    """What selects this entity's rows of the join table, and its names."""
    conditions = []
    for rows in (place.links, place.named):
        if rows is not None:
            conditions += rows.conditions()
    return conditions


def aggregated(layout: Layout, dialect: str) -> sa.Subquery | None:
    """The join table as one row a contact (`held_contact`, `held_tags` as JSON).

    None where the database cannot aggregate so.
    """
    place = layout.tags
    if place is None or place.contact is None or dialect not in _AGGREGATES:
        return None
    text, source = _joined(place)
    together = _AGGREGATES[dialect](text)
    statement = sa.select(
        place.contact.column.label("held_contact"), together.label("held_tags")
    ).select_from(source)
    statement = statement.where(text.is_not(None), *_conditions(place))
    return statement.group_by(place.contact.column).subquery("held_tags")


def all_joined(connection: sa.Connection, place: TagPlace) -> dict[Any, list[str]]:
    """Every contact's tags by the value of the join table's contact column.

    For databases that cannot aggregate.
    """
    assert place.contact is not None  # noqa: S101  only called for the form "table"
    text, source = _joined(place)
    by_contact: dict[Any, list[str]] = {}
    rows = sa.select(place.contact.column, text).select_from(source).where(*_conditions(place))
    for contact, tag in connection.execute(rows):
        by_contact.setdefault(contact, []).append(tag)
    return by_contact


def joined(
    connection: sa.Connection,
    place: TagPlace,
    contact: Any,
) -> list[str]:
    """One contact's tags from the join table."""
    assert place.contact is not None  # noqa: S101  only called for the form "table"
    text, source = _joined(place)
    ours = (place.contact.column == contact, *_conditions(place))
    statement = sa.select(text).select_from(source).where(*ours)
    return parse(place, list(connection.execute(statement).scalars()))


def join(
    connection: sa.Connection,
    place: TagPlace,
    contact: Any,
    after: Sequence[str],
    now: str,
) -> None:
    """Make the join table hold exactly these tags for a contact.

    Only the rows that differ are touched.
    """
    assert place.contact is not None  # noqa: S101  only called for the form "table"
    assert place.tag is not None  # noqa: S101
    assert place.links is not None  # noqa: S101
    current = joined(connection, place, contact)
    ours = (place.contact.column == contact, *place.links.conditions())
    for tag in current:
        if tag not in after:
            ids = _ids(connection, place, tag)
            of_tag = place.tag.column.in_(ids)
            connection.execute(sa.delete(place.links.table).where(*ours, of_tag))
    for tag in after:
        if tag not in current:
            ids = _ids(connection, place, tag) or [_named(connection, place, tag, now)]
            row = {place.contact.name: contact, place.tag.name: ids[0]}
            new_row(connection, place.links, row, now)


def unjoin(
    connection: sa.Connection,
    place: TagPlace,
    contact: Any,
) -> None:
    """Remove a contact's rows from the join table before the contact itself goes."""
    assert place.contact is not None  # noqa: S101  only called for the form "table"
    assert place.links is not None  # noqa: S101
    ours = (place.contact.column == contact, *place.links.conditions())
    connection.execute(sa.delete(place.links.table).where(*ours))


def _ids(
    connection: sa.Connection,
    place: TagPlace,
    tag: str,
) -> list[Any]:
    """The values of the join table's tag column that mean this tag.

    The exact name first, then the same in another case.
    """
    assert place.tag is not None  # noqa: S101  only called for the form "table"
    if place.names_key is None or place.names_name is None:
        return [coerce(place.tag, tag)]
    name, key = _name(place, place.names_name), place.names_key.column
    named = sa.select(key, name)
    if place.named is not None:
        named = named.where(*place.named.conditions())
    if tag.isascii():
        # SQLite's lower() knows ASCII alone: other names are all read, and compared here.
        named = named.where(sa.func.lower(name) == tag.lower())
    same = [row for row in connection.execute(named) if str(row[1]).lower() == tag.lower()]
    exact_first = sorted(same, key=lambda row: row[1] != tag)
    return [tag_id for tag_id, _ in exact_first]


def _named(
    connection: sa.Connection,
    place: TagPlace,
    tag: str,
    now: str,
) -> Any:
    """Make a name for a tag that has none; the key that the join table holds of it."""
    # It is only called where tags have names of their own.
    assert place.names_name is not None  # noqa: S101
    assert place.named is not None  # noqa: S101
    # A name of several languages needs a text in the first one, from which the application
    # translates.
    said: Json = tag
    if place.language is not None:
        said = dict.fromkeys((_FIRST, place.language), tag)
    new_row(connection, place.named, {place.names_name.name: coerce(place.names_name, said)}, now)
    return _ids(connection, place, tag)[0]
