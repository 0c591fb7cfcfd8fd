"""The columns that point to those who work with the application: GHL may have them as users."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from connectors.ghl.entities import GHL
from flows.init.columns import guesses
from flows.init.found import Table
from flows.init.proposal import Line, Place, Unplaced
from flows.init.words import TABLES, table_likeness, words
from reconcile.entities import OWNER

_CLERKS = frozenset(["created", "creator", "modified", "updated", "changed", "deleted", "archived"])
"""Who handled a row, which is not whose it is."""


def owners(
    places: Sequence[Place], by_name: Mapping[str, Table], lines: Sequence[Line]
) -> Iterator[Unplaced]:
    """A word for each such column: whether it is the owner is not guessed."""
    for place in places:
        taken = {line.column for line in lines if line.entity is place.entity}
        for column, target in by_name[place.table].references.items():
            clerk = not _CLERKS.isdisjoint(words(column))
            email = _email(by_name.get(target))
            if email is None or clerk or column in taken:
                continue
            for native in sorted(GHL[place.entity].owners):
                why = _why(place, column, target, email, native)
                yield Unplaced(f"{place.table}.{column}", why, place.entity)


def _email(table: Table | None) -> tuple[str, str] | None:
    """The key of a table of those people, and the column of their emails."""
    if table is None or not table_likeness(table.bare, TABLES["not contact"]):
        return None
    if len(table.key) != 1:
        return None
    [key] = table.key
    for one in guesses(table, OWNER):
        if one.concept == "email":
            return key, one.column.name
    return None


def _why(
    place: Place,
    column: str,
    target: str,
    email: tuple[str, str],
    native: str,
) -> str:
    key, address = email
    table = f'table = "{target}", on = {{ {key} = "{column}" }}, find = "{address}"'
    line = f'"owner.{address}" = {{ ghl = "{native}", by = "email" }}'
    return (
        f'it points to "{target}": if that is GHL\'s {native}, write '
        f"[app.{place.entity}.join.owner] with {table}, and {line}"
    )
