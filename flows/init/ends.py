"""By which column a table belongs to the contacts.

It also finds what else of its rows says that the contacts are meant.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from flows.init.columns import role
from flows.init.entities import LIKENESS
from flows.init.evidence import is_moment, is_yes_or_no
from flows.init.found import Column, Table
from flows.init.words import is_one_of, words
from reconcile.entities import OWNER

_KEY_WORDS = frozenset(
    {
        "id",
        "fk",
        "ref",
        "key",
        "nr",
        "no",
        "uuid",
        "guid",
        "codigo",
        "cod",
    }
)
_ACTORS = frozenset(
    [
        "author",
        "creator",
        "created",
        "modified",
        "updated",
        "owner",
        "assigned",
        "request",
        "sender",
    ]
)
"""Who did something to a row, which is not whose it is."""
_KINDS = frozenset({"type", "module", "model", "class"})
_TENANTS = frozenset(
    [
        "account",
        "tenant",
        "entity",
        "organization",
        "workspace",
        "site",
        "company",
        "mandant",
    ]
)
_PRIMARY = frozenset(
    {
        "primary",
        "default",
        "main",
        "preferred",
    }
)


Scalar: TypeAlias = "str | int | bool"


@dataclass(frozen=True, slots=True)
class End:
    """The column that holds a contact's key.

    The values that rows of contacts have beside it come with it.
    """

    column: str
    fixed: Mapping[str, Scalar] = field(default_factory=dict)


def end_of(table: Table, target: Table) -> End | None:
    """Where a table holds the target's keys, if it does."""
    column = reference(table, target)
    if column is not None:
        return End(column)
    return polymorphic(table, target)


def reference(table: Table, target: Table) -> str | None:
    """The column of `table` that refers to `target`.

    As the database says, or by its name (customer_id, customerId).
    """
    if table.name == target.name:
        return None
    declared = [column for column, referred in table.references.items() if referred == target.name]
    meant = [column for column in declared if _ACTORS.isdisjoint(words(column))]
    wanted = _singulars(words(target.bare)[-1])
    # Of several ways the one that is called after the table is meant: partner_id before
    # company_partner_id.
    if meant:
        return next((one for one in meant if wanted & {*words(one)}), meant[0])
    same = [
        column.name
        for column in table.columns
        if (column.name,) == target.key and len(words(column.name)) > 1
    ]
    if same:
        return same[0]
    wanted |= {*LIKENESS[OWNER].tables.split()}
    for candidate in table.columns:
        own = {*words(candidate.title)}
        if own & wanted and own & _KEY_WORDS and candidate.name not in table.references:
            return candidate.name
    return None


def _singulars(word: str) -> set[str]:
    endings = ("", "s", "es", "n", "en")
    return {word.removesuffix(ending) for ending in endings}


def polymorphic(table: Table, target: Table) -> End | None:
    """A pair of columns such as `taggable_type` and `taggable_id`.

    Some of the rows name the target.
    """
    for key in table.columns:
        *before, last = words(key.name) or ("",)
        if last != "id" or not before or key.name in table.references:
            continue
        for kind in table.columns:
            if not _is_kind(kind, tuple(before)):
                continue
            named = [word for word in kind.distinct if _names(word, target)]
            if len(named) == 1:
                return End(key.name, {kind.name: scalar(kind, named[0])})
    return None


def _is_kind(column: Column, before: Sequence[str]) -> bool:
    """Whether a column says of what the key beside it is.

    Such columns are parent_type, bean_module, res_model, model.
    """
    own = words(column.name)
    return bool(own) and own[-1] in _KINDS and own[:-1] in ((), tuple(before))


def _names(word: str, target: Table) -> bool:
    """Whether a word of the application means the target's records.

    Such words are Contact, App.Models.Contact, res.partner.
    """
    own = words(re.split(r"[\\/]", word)[-1])
    called = words(target.bare)
    return bool(own) and own[:-1] == called[:-1] and is_one_of(own[-1], called[-1])


def tenant(contacts: Table, tables: Sequence[Table]) -> str | None:
    """The column that says whose a contact is, where several parties share the tables.

    It is never blank, and stands in other tables, too.
    """
    for column in contacts.columns:
        named = not _TENANTS.isdisjoint(words(column.name))
        if not named or column.nullable or not column.samples:
            continue
        # One column of that name in one table may be anything, such as the country of a bank
        # account.
        others = [table for table in tables if column.name in _columns(table)]
        if len(others) > 1:
            return column.name
    return None


def _columns(table: Table) -> set[str]:
    return {column.name for column in table.columns}


def tenant_of(
    table: Table,
    column: str,
    value: str,
) -> dict[str, Scalar]:
    """The tenant's value, where a table has its column."""
    if column not in _columns(table):
        return {}
    return {column: scalar(table.column(column), value)}


def holding(table: Table, fixed: Mapping[str, Scalar]) -> list[Mapping[str, str]]:
    """The sampled rows that hold these values."""
    return [row for row in table.rows if _holds(row, table, fixed)]


def _holds(row: Mapping[str, str], table: Table, fixed: Mapping[str, Scalar]) -> bool:
    # A database says yes as True, true or 1: both sides are brought to the column's own form.
    columns = {name: table.column(name) for name in fixed}
    return all(
        name in row and scalar(columns[name], row[name]) == value for name, value in fixed.items()
    )


def scalar(column: Column, text: str) -> Scalar:
    """A value as a pair file has it: numbers and yes or no without quotes."""
    if column.type == "bool":
        return text.lower() in ("true", "1")
    if column.type == "integer" and text.lstrip("-").isdecimal():
        return int(text)
    return text


def commonest(values: Sequence[str]) -> str:
    """The value that most rows hold; of equals, the first in order."""
    counted = Counter(values)
    return min(counted, key=lambda value: (-counted[value], value))


def primary(table: Table) -> str | None:
    """The yes-or-no column that marks one of several rows."""
    for column in table.columns:
        if is_yes_or_no(column) and not _PRIMARY.isdisjoint(words(column.name)):
            return column.name
    return None


def not_deleted(table: Table) -> dict[str, Scalar]:
    """What a row holds that is not marked as deleted.

    Nothing where a time marks it, which no value selects.
    """
    column = role(table, "deleted")
    if column is None or is_moment(column):
        return {}
    return {column.name: scalar(column, "0")}


def new_values(
    table: Table, given: Sequence[str], rows: Sequence[Mapping[str, str]]
) -> tuple[dict[str, Scalar], list[str]]:
    """What a new row gets beside the columns that are `given`, as all `rows` have it.

    What is lacking follows.
    """
    values: dict[str, Scalar] = {}
    lacking: list[str] = []
    # Only a time that the database does not set itself: its default knows better.
    created = role(table, "created")
    for column in table.columns:
        if column.name in given or column.default:
            continue
        if created == column and is_moment(column):
            values[column.name] = "now"
        elif not column.required:
            continue
        elif is_moment(column):
            values[column.name] = "now"
        elif len(distinct := {row.get(column.name, "") for row in rows}) == 1 and distinct != {""}:
            values[column.name] = scalar(column, distinct.pop())
        else:
            lacking.append(column.name)
    return values, lacking
