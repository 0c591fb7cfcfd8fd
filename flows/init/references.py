"""Which column holds another table's key where the database does not say so.

By its name, or by the values it holds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from flows.init.found import Column, Table
from flows.init.words import COMPANIES, CONTACT, is_one_of, words

Holds = Callable[[Table, Sequence[str]], int]
"""How many of these values are keys of a table."""

_MARKS = frozenset({"id", "fk", "ref", "uuid", "guid"})
_MADE = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
"""A key that a machine made up: met in two tables, it is the same thing.

A number is not: every table has a 1.
"""
_TRIED = 20
_KINDS = (CONTACT["country"], CONTACT["state"], COMPANIES.replace(" ", "|"))


def with_references(tables: Sequence[Table]) -> tuple[Table, ...]:
    """The tables with those references that the names of columns tell.

    What the database says comes first.
    """
    prefix = _prefix(tables)
    return tuple(
        _named(
            table,
            tables,
            prefix,
        )
        for table in tables
    )


def met(
    table: Table,
    tables: Iterable[Table],
    holds: Holds,
) -> Table:
    """A table with those references that its values tell.

    Keys that a machine made up, found in another table.
    """
    references = dict(table.references)
    keyed = [other for other in tables if other != table and _made(other)]
    for column in table.columns:
        values = column.distinct[:_TRIED]
        if column.name in {*references, *table.key} or not _are_made(values):
            continue
        hits = [other.name for other in keyed if holds(other, values) > 0.8 * len(values)]
        if len(hits) == 1:
            references[column.name] = hits[0]
    return replace(table, references=references)


def _made(table: Table) -> bool:
    return len(table.key) == 1 and _are_made(table.column(table.key[0]).distinct[:_TRIED])


def _are_made(values: Sequence[str]) -> bool:
    return bool(values) and all(map(_MADE.fullmatch, values))


def _named(
    table: Table,
    tables: Sequence[Table],
    prefix: str,
) -> Table:
    references = dict(table.references)
    for column in table.columns:
        rest = _without_marks(words(column.title))
        if not rest or column.name in references or (column.name,) == table.key:
            continue
        others = [other for other in tables if other.name != table.name and _fits(column, other)]
        target = _target(rest, others, prefix)
        if target is not None:
            references[column.name] = target.name
    return replace(table, references=references)


def _without_marks(own: tuple[str, ...]) -> tuple[str, ...]:
    """What a column's name says apart from being a key.

    Nothing where it does not say that it is one.
    """
    if len(own) < 2 or _MARKS.isdisjoint({own[0], own[-1]}):
        return ()
    if own[0] in _MARKS:
        return own[1:]
    return own[:-1]


def _fits(column: Column, other: Table) -> bool:
    if len(other.key) != 1:
        return False
    return other.column(other.key[0]).type == column.type


def _target(
    rest: tuple[str, ...],
    others: Sequence[Table],
    prefix: str,
) -> Table | None:
    """The one table that is called so; else the one that ends so; else the one of the same kind."""
    named = {other.name: _bare(other, prefix) for other in others}
    for test in (_same, _ends, _alike):
        hits = [other for other in others if test(rest, named[other.name])]
        # Two tables of the name: which one is meant is not known, so neither is taken.
        if hits:
            return hits[0] if len(hits) == 1 else None
    return None


def _same(rest: tuple[str, ...], table: tuple[str, ...]) -> bool:
    return rest[:-1] == table[:-1] and is_one_of(rest[-1], table[-1])


def _ends(rest: tuple[str, ...], table: tuple[str, ...]) -> bool:
    return _same(rest, table[-len(rest) :]) or _same(rest[-1:], table)


def _alike(rest: tuple[str, ...], table: tuple[str, ...]) -> bool:
    """Both are words for one kind of thing, as in fk_pays and c_country, fk_soc and societe."""
    for said in _KINDS:
        known = set(said.split("|"))
        if not known.isdisjoint(rest) and not known.isdisjoint(table):
            return True
    return False


def _bare(table: Table, prefix: str) -> tuple[str, ...]:
    own = words(table.bare)
    if prefix and own[0] == prefix and len(own) > 1:
        return own[1:]
    return own


def _prefix(tables: Sequence[Table]) -> str:
    """The word with which all tables begin, as WordPress's do."""
    first = {words(table.bare)[:1] for table in tables}
    if len(first) == 1 and len(tables) > 1 and first != {()}:
        return next(iter(first))[0]
    return ""
