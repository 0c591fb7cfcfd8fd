"""A table beside the contacts that holds fields of theirs.

It also says what is looked through to find one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from flows.init.columns import Guess, line_of
from flows.init.found import Table
from flows.init.proposal import Join, Line
from flows.init.words import (
    Concept,
)
from reconcile.entities import OWNER

READ = "app->ghl"
"""The flow of what is only read."""


@dataclass(frozen=True, slots=True)
class Beside:
    """A joined table, which of its columns are which field, and what is left of it with the reason.

    `flow` is said where its rows are only read.
    """

    join: Join
    fields: tuple[Guess, ...]
    flow: str = ""

    def lines(self) -> Iterator[Line]:
        """A line of the pair file for each field.

        What the joined table cannot give is said instead.
        """
        for one in self.fields:
            line = line_of(one, OWNER)
            if isinstance(line, Line):
                yield replace(
                    line,
                    column=f"{self.join.name}.{one.column.name}",
                    flow=self.flow,
                )


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked through.

    The contacts, all tables, and the concepts for which the contacts have no column, or an `empty`
    one.
    """

    contacts: Table
    tables: Sequence[Table]
    wanted: Collection[Concept]
    empty: Collection[Concept] = ()

    @property
    def others(self) -> list[Table]:
        """All tables but the contacts' own."""
        return [table for table in self.tables if table.name != self.contacts.name]

    def named(self, name: str) -> Table | None:
        """The table of that name."""
        return next((table for table in self.others if table.name == name), None)

    def wants(self, candidates: Sequence[Guess]) -> tuple[Guess, ...]:
        """Those guesses that fill a gap.

        An empty column does not fill that of another empty one.
        """
        better = [one for one in candidates if one.column.samples or one.concept not in self.empty]
        return tuple(one for one in better if one.concept in self.wanted)
