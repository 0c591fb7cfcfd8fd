"""The statement: both sides' totals, adjusted by classified differences to one figure."""

from __future__ import annotations

from collections.abc import Mapping as Map
from dataclasses import dataclass
from itertools import chain

from reconcile.model import Entity, Side
from reconcile.report.classes import UNEXPLAINED
from reconcile.report.rows import apart, begin, class_rows
from reconcile.stage.models import render
from reconcile.stage.stage import Stage
from reconcile.values.mapping import EntityMap, Mapping

_EXAMPLES = 20


@dataclass(frozen=True, slots=True)
class Identity:
    """Two figures that were counted in different ways and must be equal."""

    says: str
    left: int
    right: int

    @property
    def holds(self) -> bool:
        """Whether they are equal."""
        return self.left == self.right


@dataclass(frozen=True, slots=True)
class Account:
    """One side of one entity: from its snapshot's rows to the linked pairs after the run.

    `read` rows came in bulk, `corrected` were added or taken out (negative) by a look by key;
    `classes` counts each row in exactly one class; `aside` counts, by class, those without a
    counterpart after the run. `created` are records this run made here, `met` records that writing
    turned up here, `unread` linked records this run did not read here. `unexplained_keys` names the
    first of them.
    """

    side: Side
    read: int
    corrected: int
    classes: Map[str, int]
    aside: Map[str, int]
    created: int
    met: int
    unread: int
    unexplained_keys: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """The rows that are classified."""
        return self.read + self.corrected

    @property
    def adjusted(self) -> int:
        """The rows, plus and minus what is accounted for."""
        return self.rows - sum(self.aside.values()) + self.created + self.met + self.unread

    @property
    def unexplained(self) -> int:
        """Rows in no class, or in the class of what nothing accounts for."""
        return abs(self.rows - sum(self.classes.values())) + self.classes.get(UNEXPLAINED, 0)


@dataclass(frozen=True, slots=True)
class EntityStatement:
    """Both sides of one entity.

    `linked` is the figure that both must come to, counted from the links alone.
    """

    entity: Entity
    app: Account
    ghl: Account
    linked: int
    identities: tuple[Identity, ...]

    @property
    def sides(self) -> tuple[Account, Account]:
        """Both accounts."""
        return (self.app, self.ghl)

    @property
    def unexplained(self) -> int:
        """Rows that nothing accounts for, on both sides."""
        return self.app.unexplained + self.ghl.unexplained


@dataclass(frozen=True, slots=True)
class Statement:
    """The statement of one run; `applied` is False where it says what would happen."""

    entities: tuple[EntityStatement, ...]
    applied: bool

    @property
    def unexplained(self) -> int:
        """Rows that nothing accounts for."""
        return sum(entity.unexplained for entity in self.entities)

    @property
    def broken(self) -> tuple[Identity, ...]:
        """Identities that do not hold."""
        identities = chain.from_iterable(entity.identities for entity in self.entities)
        return tuple(each for each in identities if not each.holds)

    @property
    def clean(self) -> bool:
        """Whether every row is accounted for and every identity holds."""
        return not self.unexplained and not self.broken

    def __getitem__(self, entity: Entity) -> EntityStatement:
        """The statement of one entity. Raises KeyError where there is none."""
        for each in self.entities:
            if each.entity is entity:
                return each
        raise KeyError(entity)


def statement(
    stage: Stage, mapping: Mapping, *, applied: bool | None = None, looked_again: int | None = None
) -> Statement:
    """Balance every entity of a run's stage.

    `applied` None takes the run as applied where it has outcomes. `looked_again` is how many rows
    were read by key, if known. A stage that never came to a plan gives a statement without
    entities.
    """
    if not planned(stage):
        return Statement((), applied=bool(applied))
    done = has_outcomes(stage) if applied is None else applied
    begin(stage, applied=done)
    for mapped in mapping.entities:
        class_rows(stage, mapped)
    entities = tuple(_entity(stage, mapped, looked_again) for mapped in mapping.entities)
    return Statement(entities, applied=done)


def planned(stage: Stage) -> bool:
    """Whether the run came as far as a plan."""
    return "planned" in tables(stage)


def has_outcomes(stage: Stage) -> bool:
    """Whether anything of the plan was carried out."""
    return "outcome" in tables(stage) and stage.count("SELECT count(*) FROM outcome") > 0


def tables(stage: Stage) -> set[str]:
    """The names of the tables in a stage."""
    return {str(name) for (name,) in stage.rows("SELECT table_name FROM duckdb_tables()")}


def _entity(stage: Stage, mapped: EntityMap, looked_again: int | None) -> EntityStatement:
    entity = mapped.entity
    app, ghl = (_account(stage, entity, side) for side in Side)
    linked = stage.count(render("report/linked_count", entity=entity))
    stray = stage.count(render("report/stray_count", entity=entity, **apart(stage, entity)))
    unasked = stage.count(render("report/unasked_count", entity=entity))
    identities = (
        *_identities(stage, entity, app, linked, looked_again),
        *_identities(stage, entity, ghl, linked, looked_again),
        Identity(f"{entity}: operations that belong to no record = 0", stray, 0),
        Identity(f"{entity}: questions about no record = 0", unasked, 0),
        *_both(stage, entity),
    )
    return EntityStatement(entity, app, ghl, linked, identities)


def _account(stage: Stage, entity: Entity, side: Side) -> Account:
    table = f"row_{entity}_{side}"
    classes: dict[str, int] = {}
    aside: dict[str, int] = {}
    counts = f"SELECT class, paired, count(*) FROM {table} GROUP BY ALL ORDER BY 1, 2"
    for named, paired, counted in stage.rows(counts):
        name, count = str(named), int(str(counted))
        classes[name] = classes.get(name, 0) + count
        if not paired:
            aside[name] = count
    created, met = stage.one(render("report/made_count", entity=entity, side=side))
    unread = f"SELECT count(*) FROM tie_{entity} WHERE paired AND {side}_state = 'unknown'"
    unexplained = f"{table} WHERE class = 'unexplained' ORDER BY key LIMIT {_EXAMPLES}"
    examples = stage.rows(f"SELECT key FROM {unexplained}")
    read = stage.snapshots[entity, side].rows
    rows = stage.count(f"SELECT count(*) FROM raw_{entity}_{side}")
    return Account(
        side=side,
        read=read,
        corrected=rows - read,
        classes=classes,
        aside=aside,
        created=int(str(created)),
        met=int(str(met)),
        unread=stage.count(unread),
        unexplained_keys=tuple(str(key) for (key,) in examples),
    )


def _identities(
    stage: Stage, entity: Entity, account: Account, linked: int, looked_again: int | None
) -> tuple[Identity, ...]:
    """What has to hold of one side's account."""
    snapshot = stage.snapshots[entity, account.side]
    # Of a part it is no surprise that linked records were not read.
    whole = snapshot.complete and not snapshot.partial
    unread = account.unread if whole else 0
    corrected = abs(account.corrected)
    beyond = 0 if looked_again is None else max(0, corrected - looked_again)
    classed = sum(account.classes.values())
    of = f"{entity}, {account.side}"
    return (
        Identity(f"{of}: rows = sum of all classes", account.rows, classed),
        Identity(f"{of}: rows, adjusted = linked pairs", account.adjusted, linked),
        Identity(f"{of}: linked records not read, of a whole snapshot = 0", unread, 0),
        Identity(f"{of}: rows corrected beyond those looked at by key = 0", beyond, 0),
    )


def _both(stage: Stage, entity: Entity) -> tuple[Identity, ...]:
    """What was read on both sides of a link is in the same class on both, counted by side."""
    counts: dict[str, dict[str, int]] = {}
    for side in Side:
        query = render("report/class_count", entity=entity, side=side)
        for name, count in stage.rows(query):
            counts.setdefault(str(name), {})[side] = int(str(count))
    identities = []
    for name, sides in sorted(counts.items()):
        says = f"{entity}: {name}, counted in the app = counted in GHL"
        identities.append(Identity(says, sides.get(Side.APP, 0), sides.get(Side.GHL, 0)))
    return tuple(identities)
