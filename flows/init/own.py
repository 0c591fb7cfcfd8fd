"""Rows that belong to one contact alone: tables of names and values, and rows such as addresses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from flows.init.addresses import PARTS, PREFERRED, rank
from flows.init.beside import Beside, Search
from flows.init.columns import Guess, guesses, is_key_like, role
from flows.init.ends import End, Scalar, end_of, new_values, not_deleted, primary, reference, scalar
from flows.init.evidence import is_yes_or_no
from flows.init.found import Column, Table
from flows.init.pivot import names_and_values, pivoted
from flows.init.proposal import Join, Unplaced
from flows.init.words import (
    TABLES,
    is_one_of,
    table_likeness,
    words,
)
from reconcile.entities import OWNER


def named(search: Search) -> Iterator[Beside]:
    """Each table of names and values: a name is a field then."""
    for table in search.others:
        column = reference(table, search.contacts)
        pair = names_and_values(table)
        if column is None or pair is None or not search.contacts.key:
            continue
        name, value = pair
        said: dict[str, Any] = {
            "table": table.name,
            "on": {column: search.contacts.key[0]},
            "name": name.name,
            "value": value.name,
        }
        if table.key:
            said["first"] = table.key[0]
        because = f'rows of names ("{name.name}") and values'
        fields = guesses(pivoted(table, name, value), OWNER)
        yield Beside(Join("meta", said, because), fields)


# Rows of their own.


def own_rows(search: Search) -> Iterator[Beside | Unplaced]:
    """Each table of addresses, phones or details.

    What is left where a contact has several rows that are alike.
    """
    for table in search.others:
        end = end_of(table, search.contacts)
        if end is None or not table_likeness(table.bare, TABLES["beside"]):
            continue
        fields = search.wants(guesses(table, OWNER))
        address = {one.concept for one in fields} & {*PARTS}
        # A single city or country may be anything; an address has two parts at least.
        if not fields or (len(address) == 1 and len(fields) == 1):
            continue
        yield _own(search, table, end, fields)


def _own(
    search: Search,
    table: Table,
    end: End,
    fields: tuple[Guess, ...],
) -> Beside | Unplaced:
    name = "address" if {one.concept for one in fields} & {*PARTS} else _short(table)
    # A shop names the main one of several addresses in the customer: that is surer than any flag.
    pointer = _pointer(search, table)
    if pointer is not None:
        said = {
            "table": table.name,
            "on": {table.key[0]: pointer},
            "own": True,
        }
        return Beside(
            Join(
                name,
                said,
                f'the contact\'s column "{pointer}" says which row',
            ),
            fields,
        )
    key = search.contacts.key[0]
    said = {"table": table.name, "on": {end.column: key}}
    fixed = {**end.fixed, **not_deleted(table)}
    kind, others = _kind(table, end)
    flag = primary(table)
    if others and kind is None and flag is None:
        why = (
            f"a contact has several of its rows ({', '.join(others)}), and none is called the main "
            "one: fixed = { … } chooses"
        )
        return Unplaced(table.name, why)
    fixed |= kind or {}
    if flag is not None:
        said["first"] = ", ".join([f"{flag} desc", *table.key[:1]])
    # Among rows of other kinds another one may be the main one.
    marked = {flag: scalar(table.column(flag), "1")} if flag is not None and not fixed else {}
    return Beside(
        _finished(
            Join(
                name,
                said,
                f'its column "{end.column}" refers to the contacts',
            ),
            table,
            fixed,
            marked,
            fields,
        ),
        fields,
    )


def _finished(
    join: Join,
    table: Table,
    fixed: Mapping[str, Scalar],
    marked: Mapping[str, Scalar],
    fields: Sequence[Guess],
) -> Join:
    """With what selects rows, and what new ones get."""
    columns = [*fixed, *marked, *(one.column.name for one in fields)]
    columns += [*join.said["on"], *table.key]
    said = dict(join.said)
    if fixed:
        said["fixed"] = dict(fixed)
    stamp = role(table, "modified_at")
    if stamp:
        columns.append(stamp.name)
    values, _ = new_values(table, columns, table.rows)
    on_create = {**values, **marked}
    if on_create:
        said["on_create"] = on_create
    if stamp:
        said["modified_at"] = stamp.name
    return replace(join, said=said)


def _pointer(search: Search, table: Table) -> str | None:
    """The contact's column that says which row of a table is its main one."""
    if len(table.key) != 1:
        return None
    columns = search.contacts.columns
    pointers = [column.name for column in columns if _points(search, column, table)]
    return min(pointers, key=lambda name: rank(words(name)), default=None)


def _points(search: Search, column: Column, table: Table) -> bool:
    """Whether a column leads to a table, as the database says or by its name.

    Default_billing_address_id.
    """
    if search.contacts.references.get(column.name) == table.name:
        return True
    if not is_key_like(column):
        return False
    *before, last, mark = words(column.name)[-4:]
    if mark != "id" or not is_one_of(last, words(table.bare)[-1]):
        return False
    return not {*before}.isdisjoint(PREFERRED)


def _kind(table: Table, end: End) -> tuple[dict[str, Scalar] | None, list[str]]:
    """Which kind of row is meant, where a column tells several kinds apart; and the other kinds."""
    for column in table.columns:
        if words(column.name)[-1:] not in (("type",), ("kind",), ("label",)):
            continue
        kinds = list(column.distinct)
        if column.name in end.fixed or not kinds or is_yes_or_no(column):
            continue
        known = [kind for kind in kinds if not {*words(kind)}.isdisjoint(PREFERRED)]
        if known:
            best = min(known, key=lambda kind: rank(words(kind)))
            others = [kind for kind in kinds if kind != best]
            return {column.name: scalar(column, best)}, others
        if len(kinds) == 1:
            return None, []
        return None, kinds
    return {}, []


def _short(table: Table) -> str:
    last = words(table.bare)[-1]
    return last if last.isidentifier() else "more"
