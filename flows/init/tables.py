"""Which table holds each kind of record: by its columns, its name and what refers to what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from connectors.ghl.entities import GHL
from flows.init.beside import Search
from flows.init.columns import guesses, role
from flows.init.ends import End, end_of, reference
from flows.init.entities import LIKENESS
from flows.init.found import Table
from flows.init.pivot import names_and_values, pivoted
from flows.init.pointed import company_of, is_own
from flows.init.proposal import Join, Line, Place
from flows.init.words import TABLES, Concept, table_likeness, words
from reconcile.entities import OWNER
from reconcile.model import Entity

_WEIGHTS = {
    "email": 3.0,
    "phone": 2.0,
    "firstName": 1.5,
    "lastName": 1.5,
    "name": 1.5,
    "dateOfBirth": 1.0,
}
_AT_LEAST = 4.0
"""Below this a table is none of contacts."""
_CHILD = 1.5
"""Below this a table is none of tasks or notes."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A table in the running for an entity.

    `end` is where it holds the contact's key, `join` the table between them.
    """

    table: Table
    score: float
    because: str
    end: End | None = None
    join: Join | None = None


def contact_places(tables: Sequence[Table]) -> list[Place]:
    """The tables that may be the contacts', the likeliest first."""
    scored = [_as_contact(table, tables) for table in tables]
    likely = [one for one in scored if one.score >= _AT_LEAST]
    # What hangs on a contact refers to the table, and would not be found by a view of it.
    led = [one.table for one in likely if _is_referred_to(one.table, tables)]
    likely.sort(
        key=lambda one: (
            any(_shows(one.table, table) for table in led),
            -one.score,
        )
    )
    return [
        _place(
            OWNER,
            one,
            min(1.0, one.score / 10),
        )
        for one in likely
    ]


def _is_referred_to(table: Table, tables: Sequence[Table]) -> bool:
    return any(table.name in other.references.values() for other in tables if other.key)


def _shows(view: Table, table: Table) -> bool:
    """Whether rows without a key of their own are those of a table, as a view has them."""
    if view.key or len(table.key) != 1:
        return False
    [key] = table.key
    own = {column.name for column in view.columns}
    shared = own.intersection(column.name for column in table.columns)
    if len(shared) < 2:
        return False
    known = {row[key]: row for row in table.rows if key in row}
    met = 0
    same = 0
    for row in view.rows:
        other = known.get(row.get(key, ""))
        if other is None:
            continue
        met += 1
        same += all(row.get(name) == other.get(name) for name in shared)
    return met > 0 and same >= 0.8 * met


def linked_places(contacts: Table, tables: Sequence[Table]) -> list[tuple[Place, Line]]:
    """The tables that hold companies, with the line of the contacts' column that points there.

    Not one that says whose the contacts are.
    """
    linked = []
    search = Search(contacts, tables, ())
    links = [(name, kind) for name, kind in GHL[OWNER].links.items() if kind in LIKENESS]
    for native, kind in links:
        for column, target in contacts.references.items():
            table = search.named(target)
            if table is None or len(table.key) != 1 or is_own(search, column):
                continue
            guessed = company_of(table)
            if guessed is None or table.name == contacts.name:
                continue
            because = f'the contacts\' column "{column}" refers to it, and it has a name'
            place = _place(kind, Scored(table, 1.0, because), guessed.confidence)
            why = f'it holds the key of "{table.name}"'
            line = Line(OWNER, column, (native,), guessed.confidence, why, by="key")
            linked.append((place, line))
    return linked


def _as_contact(table: Table, tables: Sequence[Table]) -> Scored:
    concepts = {one.concept: one.confidence for one in guesses(table, OWNER)}
    for other in tables:
        concepts = {**_named(other, table), **concepts}
    score = sum(_WEIGHTS.get(concept, 0.5) * sure for concept, sure in concepts.items())
    score += 3 * table_likeness(table.bare, LIKENESS[OWNER].tables)
    score -= 3 * table_likeness(table.bare, TABLES["not contact"])
    score += min(2.0, 0.5 * sum(table.name in other.references.values() for other in tables))
    return Scored(
        table,
        score,
        "it has " + ", ".join(concepts),
    )


def _named(other: Table, table: Table) -> dict[str, float]:
    """What a table of names and values says of the rows of a table."""
    pair = names_and_values(other)
    if pair is None or reference(other, table) is None:
        return {}
    return {one.concept: one.confidence for one in guesses(pivoted(other, *pair), OWNER)}


def child_places(
    entity: Entity,
    contacts: Table,
    tables: Sequence[Table],
) -> list[Place]:
    """The tables that may be tasks or notes, the likeliest first.

    They lead to the contacts, and have what a task or a note has.
    """
    scored = [
        _as_child(
            entity,
            table,
            end,
        )
        for table in tables
        for end in _ends(table, contacts)
    ]
    scored += [
        _as_child(entity, table, end, join)
        for table in tables
        for end, join in _links(table, contacts, tables)
    ]
    # The others are told beside the one that is taken.
    scored.sort(key=lambda one: -one.score)
    likely = [one for one in scored if one.score >= _CHILD]
    return [
        _place(
            entity,
            one,
            min(1.0, one.score / 4),
        )
        for one in likely
    ]


def _ends(table: Table, contacts: Table) -> list[End]:
    end = end_of(table, contacts)
    if end is None:
        return []
    return [end]


def _links(
    table: Table,
    contacts: Table,
    tables: Sequence[Table],
) -> list[tuple[End, Join]]:
    """The tables between a table and the contacts, where it does not lead to them itself."""
    if end_of(table, contacts) is not None or len(table.key) != 1:
        return []
    links = []
    for link in tables:
        end, own = (end_of(link, contacts), reference(link, table))
        # A table with fields of a person is no link: an order stands between a customer and its
        # items.
        if end is None or own is None or link.name == table.name or guesses(link, OWNER):
            continue
        said: dict[str, Any] = {"table": link.name, "on": {own: table.key[0]}}
        if end.fixed:
            said["fixed"] = dict(end.fixed)
        join = Join("of", said, f'"{link.name}" stands between them and the contacts')
        links.append((End(f"of.{end.column}"), join))
    return links


def _as_child(
    entity: Entity,
    table: Table,
    end: End,
    join: Join | None = None,
) -> Scored:
    concepts = {one.concept: one.confidence for one in guesses(table, entity)}
    like = LIKENESS[entity]
    named = table_likeness(table.bare, like.tables)
    siblings = (each for each in OWNER.children if each is not entity)
    other = max(table_likeness(table.bare, LIKENESS[each].tables) for each in siblings)
    because = f'its column "{end.column}" refers to the contacts, and it has {", ".join(concepts)}'
    score = 0.0
    if like.fits(concepts, named=named > 0):
        score = 2 * named + like.weigh(concepts) - 2 * other
    return Scored(table, score, because, end, join)


def _place(
    entity: Entity,
    chosen: Scored,
    confidence: float,
) -> Place:
    table, end, join = chosen.table, chosen.end, chosen.join
    key = table.key
    if not key:  # a view has no primary key, and often the column of one
        key = tuple(column.name for column in table.columns if words(column.name) == ("id",))
    place = Place(
        entity,
        table.name,
        key,
        round(confidence, 2),
        chosen.because,
        modified_at=_called(table, "modified_at"),
        version=_called(table, "version"),
        deleted=_called(table, "deleted"),
    )
    if end:
        place = replace(place, parent=end.column, fixed=end.fixed)
    if join:
        place = replace(place, joins=(join,), where=_has_contact(end, join))
    return place


def _called(table: Table, concept: Concept) -> str | None:
    column = role(table, concept)
    if column is None:
        return None
    return column.name


def _has_contact(end: End | None, join: Join | None) -> str:
    """The condition that a record hangs on a contact at all, where a table between them says it."""
    if join is None or end is None:
        return ""
    [(own, key)] = join.said["on"].items()
    column = end.column.removeprefix(f"{join.name}.")
    selected = f"SELECT {_quoted(own)} FROM {_quoted(join.said['table'])}"
    return f"{_quoted(key)} IN ({selected} WHERE {_quoted(column)} IS NOT NULL)"


def _quoted(name: str) -> str:
    """A name, with its schema, as SQL has it whatever it is.

    Order is a word of the language, taskId small letters without quotes.
    """
    return ".".join(f'"{part}"' for part in name.split("."))
