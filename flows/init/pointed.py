"""What contacts point to: companies, countries and states, which others point to as well."""

from __future__ import annotations

from collections.abc import Iterator

from flows.init.beside import READ, Beside, Search
from flows.init.columns import Guess
from flows.init.found import Table
from flows.init.pivot import called_so
from flows.init.proposal import Join
from flows.init.words import (
    COMPANIES,
    COMPANY_NAMES,
    CONTACT,
    TABLES,
    Concept,
    is_called,
    is_one_of,
    table_likeness,
    words,
)


def pointed(search: Search) -> Iterator[Beside]:
    """The company, the country and the state that a column of the contacts leads to."""
    # Only a country is found by its value: names of companies and states are not one of a kind.
    ways = search.contacts.references.items()
    # A parent comes before other ways to the same table, which an application may compute of it.
    for column, target in sorted(ways, key=lambda way: "parent" not in words(way[0])):
        if target == search.contacts.name:
            yield from _among_contacts(search, column)
            continue
        table = search.named(target)
        if table is None or len(table.key) != 1:
            continue
        said = {"table": table.name, "on": {table.key[0]: column}}
        because = f'the contact\'s column "{column}" points to it'
        if (company := company_of(table)) is not None and not is_own(search, column):
            yield Beside(
                Join(
                    "company",
                    said,
                    because,
                ),
                (company,),
                READ,
            )
        elif (code := _country(table)) is not None:
            join = Join(
                "country",
                {**said, "find": code.column.name},
                because,
            )
            yield Beside(join, (code,))
        elif (state := _state(table)) is not None:
            yield Beside(
                Join(
                    "state",
                    said,
                    because,
                ),
                (state,),
                READ,
            )


def is_own(search: Search, column: str) -> bool:
    """Whether a column says whose the contact is, not for whom it works.

    None lacks it, or it is the users' own company.
    """
    if not search.contacts.column(column).nullable:
        return True
    target = search.contacts.references[column]
    users = [table for table in search.others if table_likeness(table.bare, TABLES["not contact"])]
    return any(
        referred == target and not table.column(own).nullable
        for table in users
        for own, referred in table.references.items()
    )


def _among_contacts(search: Search, column: str) -> Iterator[Beside]:
    """The company of a contact, where companies are rows of the same table."""
    contacts = search.contacts
    flag, name = company_flag(contacts), called_so(list(contacts.columns), COMPANY_NAMES)
    if flag is None or name is None or len(contacts.key) != 1:
        return
    said = {
        "table": contacts.name,
        "on": {contacts.key[0]: column},
        "fixed": {flag: True},
    }
    because = f'the contact\'s column "{column}" points to a row of the same table'
    company = Guess(name, "companyName", 0.9, f'the name of a row of "{contacts.name}"')
    yield Beside(Join("company", said, because), (company,), READ)


def company_flag(table: Table) -> str | None:
    """The yes-or-no column that tells companies from people, where both are in one table."""
    for column in table.columns:
        if column.type == "bool" and is_called(column.name, "is company|is organization"):
            return column.name
    return None


def company_of(table: Table) -> Guess | None:
    """The name of a company, in a table of companies."""
    if table_likeness(table.bare, COMPANIES) < 1:
        return None
    column = called_so(list(table.columns), COMPANY_NAMES)
    if column is None:
        return None
    return Guess(
        column,
        "companyName",
        0.9,
        f'the name of a row of "{table.name}"',
    )


def _country(table: Table) -> Guess | None:
    """The two letters of a country, in a table of countries."""
    if not _is_of(table, "country"):
        return None
    for column in table.columns:
        if column.samples and all(len(one) == 2 and one.isalpha() for one in column.samples):
            return Guess(
                column,
                "country",
                0.95,
                "two letters in each row",
            )
    return None


def _state(table: Table) -> Guess | None:
    """The name of a state. Several countries may have one of that name, so none is chosen by it."""
    if not _is_of(table, "state"):
        return None
    column = called_so(list(table.columns), COMPANY_NAMES)
    if not column:
        return None
    return Guess(
        column,
        "state",
        0.9,
        f'the name of a row of "{table.name}"',
    )


def _is_of(table: Table, concept: Concept) -> bool:
    """Whether a table is called after a concept: countries, c_country, res_country_state."""
    last = words(table.bare)[-1]
    return any(is_one_of(last, word) for word in CONTACT[concept].split("|"))
