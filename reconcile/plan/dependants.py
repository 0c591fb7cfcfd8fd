"""What hangs on a contact, and goes with it where the contact is deleted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

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
        counts = sorted(
            Counter(entity for entity, key in self.there if (entity, key) not in going).items()
        )
        more = " and ".join(
            f"{count} {entity}{'s' if count > 1 else ''}" for entity, count in counts
        )
        told = [f"what hangs on it is not the run's, or changed since: {more}"] if more else []
        return "; ".join(
            [
                *told,
                *(f"its {entity}s cannot be read: {why}" for entity, why in self.unread.items()),
            ]
        )
