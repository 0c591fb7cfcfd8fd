"""Where a contact's tags are.

In a column, in a join table, or in one that other records' tags share.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flows.init.columns import role
from flows.init.ends import End, Scalar, commonest, end_of, holding, new_values, scalar
from flows.init.evidence import is_moment, tag_form
from flows.init.found import Column, Table
from flows.init.proposal import SURE
from flows.init.words import CONTACT, TABLES, likeness, table_likeness, words

_SAID = f"{CONTACT['tags']}|name|title|text|value|caption|bezeichnung|libelle|nombre|nom|nome"
_KINDS = frozenset({"type", "context", "kind", "scope"})
Said = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Link:
    """A join table: where it names the contact, and its rows that do."""

    table: Table
    end: End
    rows: Sequence[Mapping[str, str]]


def tags_place(
    contacts: Table, tables: Sequence[Table], whose: Mapping[str, Scalar]
) -> Said | None:
    """What the pair file says of the tags; `whose` is what rows of this tenant hold.

    None where nothing looks like tags.
    """
    column = max(contacts.columns, key=lambda one: _as_tags(one, contacts))
    if _as_tags(column, contacts) >= SURE and not is_moment(column):
        form, delimiter = tag_form(column)
        said = {"column": column.name, "form": form}
        return said | ({"delimiter": delimiter} if form in ("delimited", "quoted") else {})
    # Categories come last: where an application has both, tags are what people mean by tags.
    for kind in ("tag", "category"):
        for table in tables:
            if (
                joined := _joined(
                    table,
                    contacts,
                    tables,
                    kind,
                    whose,
                )
            ) is not None:
                return joined
    return None


def _as_tags(column: Column, contacts: Table) -> float:
    if column.meaning is not None:
        return float(column.meaning == "tags")
    return likeness(
        column.title,
        CONTACT["tags"],
        context=words(contacts.name),
    )


def _joined(
    table: Table, contacts: Table, tables: Sequence[Table], kind: str, whose: Mapping[str, Scalar]
) -> Said | None:
    """A join table with one row per contact and tag.

    It holds the tag itself or the key of its name.
    """
    end = end_of(table, contacts)
    if end is None or table.name == contacts.name or not table_likeness(table.bare, TABLES[kind]):
        return None
    link = _Link(table, end, holding(table, end.fixed))
    for column, referred in table.references.items():
        names = next((other for other in tables if other.name == referred), None)
        if names is None or referred == contacts.name or not names.key:
            continue
        text = _tag_text(names, contact="")
        if text is not None and not _mixed(
            link,
            column,
            names,
        ):
            return _over_names(
                link,
                column,
                names,
                text,
                whose,
            )
    text = _tag_text(table, contact=end.column)
    if text is None or kind == "category":
        return None
    said = {
        "table": table.name,
        "contact": end.column,
        "tag": text,
    }
    return _filled(said, {"fixed": end.fixed})


def _over_names(
    link: _Link,
    column: str,
    names: Table,
    text: str,
    whose: Mapping[str, Scalar],
) -> Said:
    key = link.end.column
    said = {
        "table": link.table.name,
        "contact": key,
        "tag": column,
        "names": names.name,
        "names_key": names.key[0],
        "names_column": text,
    }
    fixed = {**link.end.fixed, **_constants(link.table, link.rows, [key, column])}
    language = _language(names.column(text))
    said |= {"names_language": language} if language else {}
    linked = _linked(link, column, names)
    of_names = {**whose, **_constants(names, linked, [text])}
    of_names = {name: value for name, value in of_names.items() if _has(names, name)}
    more = {
        "fixed": fixed,
        "on_create": new_values(link.table, [key, column, *fixed, *link.table.key], link.rows)[0],
        "names_fixed": of_names,
        "names_on_create": _new_name(names, [text, *of_names, *names.key]),
    }
    return _filled(said, more)


def _language(column: Column) -> str | None:
    """The language of names that are JSON with a text for each; the one that most of them have."""
    if column.type != "json":
        return None
    parsed = [json.loads(sample) for sample in column.samples]
    languages = [said for names in parsed if isinstance(names, dict) for said in names]
    if not languages:
        return None
    return commonest(languages)


def _new_name(names: Table, given: Sequence[str]) -> dict[str, Scalar]:
    """What a new row of the table of names gets.

    Its time of change too, which the connector does not keep there.
    """
    values, _ = new_values(names, given, names.rows)
    stamp = role(names, "modified_at")
    if stamp is not None and stamp.required:
        values[stamp.name] = "now"
    return values


def _mixed(
    link: _Link,
    column: str,
    names: Table,
) -> bool:
    """Whether names of several kinds hang on contacts.

    Nobody can tell then which kind is meant.
    """
    linked = _linked(link, column, names)
    kinds = [one.name for one in names.columns if words(one.name)[-1:] == ("type",)]
    return any(len({row.get(kind, "") for row in linked}) > 1 for kind in kinds)


def _constants(
    table: Table, rows: Sequence[Mapping[str, str]], except_: Sequence[str]
) -> dict[str, Scalar]:
    """Kinds that are the same in all rows that are contacts' tags."""
    constants: dict[str, Scalar] = {}
    for column in table.columns:
        values = {row.get(column.name, "") for row in rows}
        of_a_kind = words(column.name)[-1:] and words(column.name)[-1] in _KINDS
        if of_a_kind and column.name not in except_ and len(values) == 1 and values != {""}:
            constants[column.name] = scalar(column, values.pop())
    return constants


def _linked(
    link: _Link,
    column: str,
    names: Table,
) -> list[Mapping[str, str]]:
    """The names that contacts have."""
    keys = {row.get(column) for row in link.rows}
    return [row for row in names.rows if row.get(names.key[0]) in keys]


def _has(table: Table, name: str) -> bool:
    return any(column.name == name for column in table.columns)


def _filled(said: Said, more: Mapping[str, Any]) -> Said:
    return {**said, **{name: dict(value) for name, value in more.items() if value}}


def _tag_text(table: Table, *, contact: str) -> str | None:
    texts = [
        column
        for column in table.columns
        if column.name != contact and (column.name not in table.key or len(table.key) > 1)
    ]
    scored = [
        (
            likeness(
                one.name,
                _SAID,
                context=words(table.bare),
            ),
            one.name,
        )
        for one in texts
    ]
    best = max(scored, default=(0.0, ""))
    return best[1] if best[0] >= SURE else None
