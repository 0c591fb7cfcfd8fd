"""What `init` proposes.

Where the app keeps its entities, which column is which GHL field, and what found no place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reconcile.model import Entity

SURE = 0.6
"""From this confidence on a line is written into the pair file; below, it is only mentioned."""


@dataclass(frozen=True, slots=True)
class Join:
    """A table beside an entity's own.

    `said` is what the pair file says of it, `because` why it is there.
    """

    name: str
    said: Mapping[str, Any]
    because: str


@dataclass(frozen=True, slots=True)
class Place:
    """The table of an entity. `tags` is what the pair file says of them, as a TOML table.

    `fixed` selects its records, `on_create` is for new ones, `where` is a condition in SQL.
    `creates` is why records are created in GHL alone, where they are; `reads` that nothing at all
    is written to the app.
    """

    entity: Entity
    table: str
    key: tuple[str, ...]
    confidence: float
    because: str
    parent: str | None = None
    modified_at: str | None = None
    version: str | None = None
    deleted: str | None = None
    tags: Mapping[str, Any] | None = None
    joins: tuple[Join, ...] = ()
    fixed: Mapping[str, Any] = field(default_factory=dict)
    on_create: Mapping[str, Any] = field(default_factory=dict)
    where: str = ""
    creates: str = ""
    creates_on: str = "ghl"
    reads: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One field: a column and its GHL field, with the reason and a few samples.

    It has two GHL fields for a name that GHL splits.

    `flow` is said where a value goes one way alone; `true_says` of a consent; `value` where it is
    computed; `by` where it names a record of another kind; `lookup` where it holds the key of a row
    that says what GHL holds; `blank` how often the column is, where GHL takes no record without.
    """

    entity: Entity
    column: str
    ghl: tuple[str, ...]
    confidence: float
    because: str
    samples: tuple[str, ...] = ()
    codec: str | None = None
    choices: Mapping[str, bool | str] = field(default_factory=dict)
    also: tuple[str, ...] = ()
    digits: int | None = None
    flow: str = ""
    true_says: str = ""
    value: str = ""
    by: str = ""
    lookup: Mapping[str, str] = field(default_factory=dict)
    blank: str = ""

    def __str__(self) -> str:
        """The question that a person is asked about it."""
        shown = ", ".join(self.samples)
        values = f" It holds {shown}." if shown else ""
        return f'Is "{self.column}" GHL\'s {" and ".join(self.ghl)}? {self.because}.{values}'


@dataclass(frozen=True, slots=True)
class Unplaced:
    """A column, or a whole entity, that found no place; `why` is a sentence for a person."""

    where: str
    why: str
    entity: Entity | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """The whole: places, lines in the order of the columns, and what found no place."""

    places: tuple[Place, ...]
    lines: tuple[Line, ...]
    unplaced: tuple[Unplaced, ...] = ()
    region: str | None = None
    timezone: str = ""

    def place(self, entity: Entity) -> Place | None:
        """The table of an entity, if one was found."""
        return next((place for place in self.places if place.entity is entity), None)

    def fields(self, entity: Entity) -> tuple[Line, ...]:
        """The lines of an entity."""
        return tuple(line for line in self.lines if line.entity is entity)
