"""What stands behind a link table: shared emails, and companies."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from flows.init.beside import READ, Beside, Search
from flows.init.columns import Guess, guesses, role
from flows.init.ends import End, end_of, new_values, not_deleted, primary, scalar
from flows.init.found import Table
from flows.init.pointed import company_of
from flows.init.proposal import Join
from flows.init.words import TABLES, Concept, table_likeness, words
from reconcile.entities import OWNER

_READ = ("table", "on", "to", "fixed")
"""What is said of a link table that is only read."""
_NAMES = frozenset({"firstName", "lastName", "name"})
"""What a person has, and an address has not."""


def linked(search: Search) -> Iterator[Beside]:
    """What each link table leads to."""
    for link in search.others:
        end = end_of(link, search.contacts)
        if end is None or len(search.contacts.key) != 1 or not _is_link(link, end):
            continue
        for column, target in link.references.items():
            table = search.named(target)
            if table is None or column == end.column or len(table.key) != 1:
                continue
            if (
                one := _over(
                    search,
                    link,
                    end,
                    column,
                    table,
                )
            ) is not None:
                yield one


def _is_link(table: Table, end: End) -> bool:
    """Whether a table holds little but keys, flags and times, and leads to one other table."""
    # A table that leads to several others joins more than the two: tasks to people and companies.
    further = {*table.references} - {end.column}
    return len(further) == 1 and not guesses(table, OWNER) and not _has_texts(table)


def _has_texts(table: Table) -> bool:
    """Whether people write into its rows: a link is deleted where a value is cleared."""
    guessed = [one for kind in OWNER.children for one in guesses(table, kind)]
    return any(one.concept == "body" for one in guessed)


def _is_of_addresses(table: Table, known: Collection[Concept]) -> bool:
    """Whether its rows are addresses: those of who looks after contacts are not the contacts'."""
    people = table_likeness(table.bare, TABLES["not contact"]) > 0
    return not people and _NAMES.isdisjoint(known)


def _over(
    search: Search,
    link: Table,
    end: End,
    column: str,
    table: Table,
) -> Beside | None:
    """What a link table leads to, where that is an email or a company."""
    via = _via(
        link,
        end,
        column,
        search.contacts.key[0],
        table,
    )
    because = f'behind the link table "{link.name}"'
    known = {one.concept: one for one in guesses(table, OWNER)}
    if "email" in known and _is_of_addresses(table, known):
        return _emails(table, known["email"], via, because)
    company = company_of(table)
    if company is None:
        return None
    # The name is not this contact's to change, and a link to another company nobody's but the
    # application's.
    said = {
        "table": table.name,
        "fixed": not_deleted(table),
        "via": {name: value for name, value in via.items() if name in _READ},
    }
    filled = {name: value for name, value in said.items() if value}
    return Beside(
        Join(
            "company",
            filled,
            because,
        ),
        (company,),
        READ,
    )


def _emails(
    table: Table,
    email: Guess,
    via: Mapping[str, Any],
    because: str,
) -> Beside:
    """Addresses that others may share.

    The one that holds the value is looked for, and made where there is none.
    """
    address = email.column.name
    fixed = not_deleted(table)
    stamp = role(table, "modified_at")
    created = new_values(
        table,
        [
            address,
            *fixed,
            *table.key,
        ],
        table.rows,
    )[0]
    on_create: dict[str, Any] = {**_derived(table, address), **created}
    if stamp is not None:
        on_create[stamp.name] = "now"
    said = {
        "table": table.name,
        "fixed": fixed,
        "find": address,
        "create": True,
        "on_create": on_create,
        "via": via,
    }
    filled = {name: value for name, value in said.items() if value}
    return Beside(Join("email", filled, because), (email,))


def _via(
    link: Table,
    end: End,
    column: str,
    key: str,
    table: Table,
) -> dict[str, Any]:
    """What is said of a link table."""
    gone = not_deleted(link)
    flag = primary(link)
    chosen = {flag: scalar(link.column(flag), "1")} if flag else {}
    fixed = {**end.fixed, **chosen, **gone}
    via: dict[str, Any] = {
        "table": link.name,
        "on": {end.column: key},
        "to": {column: table.key[0]},
        "fixed": fixed,
    }
    stamp = role(link, "modified_at")
    given = [
        end.column,
        column,
        *fixed,
        *link.key,
        *([stamp.name] if stamp else []),
    ]
    via["on_create"] = new_values(
        link,
        given,
        link.rows,
    )[0]
    via["on_unlink"] = {name: scalar(link.column(name), "1") for name in gone}
    via["modified_at"] = stamp.name if stamp else None
    return {name: value for name, value in via.items() if value}


def _derived(table: Table, source: str) -> dict[str, dict[str, str]]:
    """Columns that hold another column's value in one case, in every row."""
    cases: dict[str, Callable[[str], str]] = {"upper": str.upper, "lower": str.lower}
    derived = {}
    for column in table.columns:
        alike = words(column.name)[: len(words(source))] == words(source)
        rows = [row for row in table.rows if source in row]
        if column.name == source or not alike or not rows:
            continue
        for case, change in cases.items():
            if all(row.get(column.name) == change(row[source]) for row in rows):
                derived[column.name] = {case: source}
                break
    return derived
