"""What hangs on a contact, and goes with it where the contact is deleted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from reconcile.entities import RECORDS
from reconcile.model import Entity


@dataclass(frozen=True, slots=True)
class Hanging:
    """The tasks and notes of a contact as (entity, key).

    `unread` says of an entity why it cannot be read.
    """

    there: Sequence[tuple[Entity, str]] = ()
    unread: Mapping[Entity, str] = field(default_factory=dict)

    def staying(self, going: Collection[tuple[Entity, str | None]]) -> str:
        """Why the contact cannot go when only `going` goes before it, in words; "" where it can."""
        reasons = []
        staying = Counter(entity for entity, key in self.there if (entity, key) not in going)
        if staying:
            counts = [entity.counted(count) for entity, count in sorted(staying.items())]
            more = " and ".join(counts)
            reasons.append(f"what hangs on it is not the run's, or changed since: {more}")
        for entity, why in self.unread.items():
            reasons.append(f"its {entity.plural} cannot be read: {why}")
        return "; ".join(reasons)


def words(along: Mapping[str, int]) -> str:
    """How many tasks and notes go along: 49 tasks and 33 notes; "" where none do."""
    counts = ((kind, along.get(kind, 0)) for kind in RECORDS)
    return " and ".join(kind.counted(count) for kind, count in counts if count)
