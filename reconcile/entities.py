"""What kinds of record there are, declared once: every stage, side and command reads it here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Entity(StrEnum):
    """A kind of thing that is reconciled. Tags live on contacts as a set, and are counted apart."""

    COMPANY = "company"
    CONTACT = "contact"
    TASK = "task"
    NOTE = "note"
    OPPORTUNITY = "opportunity"
    APPOINTMENT = "appointment"
    TAG = "tag"

    @property
    def spec(self) -> EntitySpec:
        """What it is."""
        return SPECS[self]

    @property
    def parent(self) -> Entity | None:
        """What each of its records hangs on, and is gone with."""
        return self.spec.parent

    @property
    def children(self) -> tuple[Entity, ...]:
        """What hangs on its records, in the order of `RECORDS`."""
        return tuple(each for each in RECORDS if each.parent is self)

    @property
    def record(self) -> Entity:
        """The kind of record that holds it: a contact holds tags, every other kind is itself."""
        return self.spec.set_of or self

    @property
    def plural(self) -> str:
        """The word for more than one."""
        return self.spec.plural

    @property
    def indefinite(self) -> str:
        """With its article: a task, an opportunity."""
        return f"{'an' if self.value[0] in 'aeiou' else 'a'} {self.value}"

    @property
    def budget(self) -> str:
        """The setting under `[ghl]` that says of how many parents a run reads this kind.

        GHL tells it one parent at a time.
        """
        return f"{self.plural}_budget"

    def counted(self, count: int) -> str:
        """A count in words: 1 contact, 2,000 contacts."""
        return f"{count:,} {self.value if count == 1 else self.plural}"


class Shown(StrEnum):
    """A kind of thing that GHL has of a contact at a time, and that is only shown.

    It is neither compared nor written.
    """

    APPOINTMENT = "appointment"

    @property
    def plural(self) -> str:
        """The word for more than one, and its member of a report."""
        return f"{self.value}s"

    @property
    def budget(self) -> str:
        """The setting under `[ghl]` that says of how many contacts a run reads it."""
        return f"{self.plural}_budget"


@dataclass(frozen=True, slots=True)
class EntitySpec:
    """What a kind of record is, on whichever side.

    `parent` is what it hangs on: it is matched among what hangs on the same record, and comes and
    goes with it. What has none is matched by what it is known by. `set_of` says whose records hold
    it as a set of words; such a kind has no records of its own. A `person` may be merged with
    another, stand under the key of another by now, and be looked for by likeness. What `completes`
    is open or completed, and can be overdue. What is `swept` GHL tells one parent at a time, so
    that it is read within a budget. What is `folded` is matched whatever its letter case. What is
    `usual` an application is taken to have, also where a pair file does not say where: of anything
    else that means it has none. What is `read_only` is GHL's: it travels into the app, and is never
    written in GHL. What is `shared` may hang on several at once, of which a read shows one.
    """

    plural: str
    parent: Entity | None = None
    set_of: Entity | None = None
    person: bool = False
    completes: bool = False
    swept: bool = False
    folded: bool = False
    usual: bool = False
    read_only: bool = False
    shared: bool = False


SPECS: Mapping[Entity, EntitySpec] = MappingProxyType(
    {
        Entity.COMPANY: EntitySpec("companies", folded=True),
        Entity.CONTACT: EntitySpec("contacts", person=True),
        Entity.TAG: EntitySpec("tags", set_of=Entity.CONTACT),
        Entity.TASK: EntitySpec(
            "tasks", parent=Entity.CONTACT, completes=True, usual=True, shared=True
        ),
        Entity.NOTE: EntitySpec("notes", parent=Entity.CONTACT, swept=True, usual=True),
        Entity.OPPORTUNITY: EntitySpec("opportunities", parent=Entity.CONTACT),
        Entity.APPOINTMENT: EntitySpec("appointments", parent=Entity.CONTACT, read_only=True),
    }
)
"""Every kind, in the order in which a plan's phase writes them.

What others hang on, or are a set of, comes first.
"""

RECORDS: tuple[Entity, ...] = tuple(entity for entity, spec in SPECS.items() if not spec.set_of)
"""The kinds that are records of their own, parents first."""

PARENTS: tuple[Entity, ...] = tuple(entity for entity in RECORDS if entity.children)
"""The kinds that others hang on."""

(OWNER,) = PARENTS
"""The one kind that others hang on, by whose records a partial run, a sweep and an undo go."""

ALONE: tuple[Entity, ...] = tuple(
    entity for entity in RECORDS if not entity.parent and not entity.children
)
"""The kinds that hang on nothing, and nothing on them: a partial run reads all of each."""

SWEPT: tuple[Entity, ...] = tuple(entity for entity in RECORDS if entity.spec.swept)
"""The kinds that GHL tells one parent at a time."""
