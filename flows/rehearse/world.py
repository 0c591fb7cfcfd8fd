"""What every world of made-up nights has: people on two sides who type into records."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from connectors.ghl.sandbox import Sandbox
from flows.rehearse.book import SIDES, Book, Ident, Seen
from flows.rehearse.clock import Moving
from flows.rehearse.findings import Finding
from flows.rehearse.judge import Judge
from flows.rehearse.ledgers import Ledgers
from flows.rehearse.told import Told
from flows.rehearse.wire import Wire

_BELIEVED = 0.3
"""How often an operator goes on from an older ledger."""


class Killable(Protocol):
    """A run in a process of its own."""

    pid: int

    def wait(self) -> int:
        """Wait for its end; its exit code, negative where a signal ended it."""


class Operator(Protocol):
    """Who runs the pair."""

    def run(self, *words: str) -> Told:
        """One night; `words` are `--allow` and the names of limits."""

    def command(self, name: str, *words: str) -> int:
        """Another job on the pair; its report is read with the night's."""

    def plan(self) -> str | None:
        """A plan that is only shown; its digest."""

    def reports(self) -> list[Mapping[str, Any]]:
        """The reports that were not read yet."""

    def begin(self, ahead: float) -> Killable:
        """The same night in a process of its own, which can be killed."""

    def restore_ledger(self, backup: Path) -> None:
        """Put a backup of the ledger back."""


@dataclass(frozen=True, slots=True)
class Known:
    """The fields of contacts by what people do with them."""

    texts: Mapping[str, tuple[str, ...]]
    """By kind of record those that anybody retypes without a thought."""
    clears: tuple[str, ...]
    """Those that people blank."""
    alone: tuple[str, ...]
    """Those of which only one contact may have a value: its addresses and numbers."""
    sets: tuple[str, ...] = ()
    """Those that are sets of words."""
    consents: tuple[str, ...] = ()
    """Those that say whether a person may be written to."""
    moves: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By kind of record the choices that say where it stands, such as a deal's stage."""
    links: Mapping[str, str] = field(default_factory=dict)
    """Those that name a record of another kind, as a contact's company; by that kind."""

    def text(self, dice: random.Random, entity: str = "contact") -> str | None:
        """One of the texts of a kind, where it has any."""
        candidates = self.texts.get(entity, ())
        return dice.choice(candidates) if candidates else None


class World(ABC):
    """Everything there is.

    `now` is what both sides were seen to hold at the start of the day, or after the last night.
    """

    dice: random.Random
    clock: Moving
    wire: Wire
    operator: Operator
    book: Book
    judge: Judge
    known: Known
    day: int
    touched: set[Ident]
    now: Seen
    before: Seen
    """What both sides held as the last night began."""
    ledgers: Ledgers
    backups: list[Any]
    """What the app held before each of the last nights."""

    @property
    @abstractmethod
    def sandbox(self) -> Sandbox:
        """GHL's look-alike."""

    @property
    @abstractmethod
    def kinds(self) -> tuple[str, ...]:
        """The kinds of record that there are."""

    @abstractmethod
    def look(self) -> Seen:
        """What both sides hold now."""

    @abstractmethod
    def put(self, side: str, ident: Ident, values: Mapping[str, Any]) -> None:
        """Type values into the record that the ident stands for since the day began."""

    @abstractmethod
    def enter(self, side: str, entity: str, values: dict[str, Any], of: Ident | None = None) -> Any:
        """A person enters a new record."""

    @abstractmethod
    def remove(self, side: str, ident: Ident) -> None:
        """Delete a record."""

    @abstractmethod
    def give_key(self, ident: Ident) -> None:
        """Delete a person in the app, and enter a new one, who gets their key."""

    @abstractmethod
    def put_back(self, kept: Any) -> None:
        """Put the app back to what a backup of it holds."""

    @abstractmethod
    def new_value(self, entity: str, ident: Ident, name: str) -> Any:
        """What somebody types over what is there."""

    @abstractmethod
    def odd_values(self) -> dict[str, Any]:
        """Values for a contact that people type and that no rule of a form expects."""

    @abstractmethod
    def new_person(self) -> dict[str, Any]:
        """A whole new person."""

    # the day and the night

    @abstractmethod
    def work(self) -> None:
        """The ordinary work of a day."""

    @abstractmethod
    def backup(self) -> Any:
        """A backup of the app as it is now."""

    def habits(self) -> None:  # noqa: B027 - most worlds have none
        """What GHL does every night from when somebody met it."""

    def mended(self, told: Told) -> Told | None:
        """What became of a refused night once its operator mended what it was refused for.

        A ledger that is lost, or older than the store's runs, is put back, or believed.
        """
        if "[LEDGER_" not in told.errors:
            return None
        if "[LEDGER_OLDER]" in told.errors and self.dice.random() < _BELIEVED:
            return self.operator.run("--rebase")
        self.operator.restore_ledger(self.ledgers.newest)
        return self.operator.run()

    def close_day(self) -> None:
        """Enter what people did on the day that ends."""
        seen = self.look()
        self.book.compare(self.now, seen, self.day, self.clock())
        for loser in self.book.merged:  # a merge is no deletion
            self.book.gone[loser].pop("ghl", None)
        self.now = seen

    def remember(self) -> None:
        """Keep what both sides hold as the evening begins, or since a backup was put back."""
        self.before = self.now

    def judged(self, told: Told) -> list[Finding]:
        """What is wrong after the night."""
        self.ledgers.keep()
        after = self.look()
        findings = self.judge.night(self.day, self.before, after, told)
        self.judge.meet(self.before, after, told)
        self.now = after
        return findings

    # picking

    def idents(self, entity: str, *sides: str) -> list[Ident]:
        """The untouched records of an entity that are on these sides, each once."""
        wanted = sides or SIDES
        candidates = (
            ident
            for ident in self.now.idents()
            if ident[0] == entity
            and ident not in self.touched
            and all(len(self.now.rows[side].get(ident, ())) == 1 for side in wanted)
        )
        return sorted(candidates, key=self.order)

    def order(self, ident: Ident) -> Any:
        """By what records are sorted before one is picked: it has to be the same for a seed."""
        return ident

    def pick(self, entity: str = "contact", *sides: str) -> Ident | None:
        """One of them, which nothing else happens to today."""
        candidates = self.idents(entity, *sides)
        if not candidates:
            return None
        chosen = self.dice.choice(candidates)
        self.touched.add(chosen)
        return chosen

    def key(self, side: str, ident: Ident) -> str:
        """The record's key on a side where it was when the day began."""
        row = self.now.row(side, ident)
        if row is None:
            raise KeyError(ident)
        return row.key

    def side(self) -> str:
        """One of both."""
        return self.dice.choice(SIDES)

    # typing

    def type(self, side: str, ident: Ident, **values: Any) -> None:
        """A person types values into a record."""
        self.clock.sleep(self.dice.uniform(1, 90))
        self.put(side, ident, values)
        now = self.clock()
        self.book.last_edit[side, ident] = now
        self.book.moments |= dict.fromkeys(((side, (*ident, name)) for name in values), now)

    def retype(self, side: str, ident: Ident, name: str) -> None:
        """A person types another value over the one that is there."""
        value = self.new_value(ident[0], ident, name)
        self.type(side, ident, **{name: value})

    def delete(self, side: str, ident: Ident) -> None:
        """A person deletes a record."""
        self.clock.sleep(self.dice.uniform(1, 90))
        self.remove(side, ident)

    def meanwhile(self, side: str, ident: Ident, **values: Any) -> None:
        """A person types while the job runs: what changes by it is entered at once."""
        before = self.look().row(side, ident)
        if before is None:
            return
        self.type(side, ident, **values)
        after = self.look().row(side, ident)
        if after is None:
            return
        for name in before.cells.keys() | after.cells.keys():
            if before.cells.get(name) != after.cells.get(name):
                value = after.cells.get(name)
                self.book.type(side, ident, name, value, self.day, self.clock(), during=True)
