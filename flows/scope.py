"""What a run is about where it is not about everything, and what it need not read."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from reconcile.errors import StateError
from reconcile.model import Entity, Side


@dataclass(frozen=True, slots=True)
class Sought:
    """What a trigger names: keys by entity and side.

    Empty: whatever changed since the watermark.
    """

    app: tuple[str, ...] = ()
    ghl: tuple[str, ...] = ()
    app_tasks: tuple[str, ...] = ()
    ghl_tasks: tuple[str, ...] = ()
    app_notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        keys = [key for each in fields(self) for key in getattr(self, each.name)]
        # It would be read as "whatever changed", of which nobody spoke.
        if not all(key.strip() for key in keys):
            raise StateError(
                "an empty key names no record",
                remedy="name the record's key, or leave it out",
                code="NO_KEY",
            )

    @property
    def by_time(self) -> bool:
        """Whether nothing is named, so that the watermark decides."""
        return not any((self.app, self.ghl, self.app_tasks, self.ghl_tasks, self.app_notes))

    def children(self, entity: Entity, side: Side) -> tuple[str, ...]:
        """The named tasks or notes of a side.

        A GHL note is named by its contact: GHL has no other way to it.
        """
        named: tuple[str, ...] = getattr(self, f"{side}_{entity.plural}", ())
        return named


@dataclass(frozen=True, slots=True)
class Former:
    """An earlier run's reading of GHL's contacts, for those that did not change since.

    `archived` is the file of their rows, `taken_at` when they were read or known to be unchanged,
    `since` from when on GHL is asked for changes, and `as_of` when all of them were last read.
    `columns` and `digests` say what the rows hold.
    """

    archived: Path
    taken_at: str
    since: str
    as_of: str
    columns: tuple[str, ...]
    digests: str


Named = tuple[Entity, Side, str]
"""A record by its entity, side and key."""
