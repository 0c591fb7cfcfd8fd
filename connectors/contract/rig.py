"""A connector with hands on its side behind its back.

What the author of a connector gives the contract suite.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import pytest

from connectors.contract.shapes import read_line
from reconcile.model import Entity, OpKind, Side
from reconcile.ports import Connector, Json, Page, Proof, Record, Reply, Scope, Write

ALL = Scope()
"""An extraction of everything."""

AWKWARD = 'Zoë "O\'Neil" \\ 寿司 🦊; a,b\tc\nline two'
"""Text that quoting, encoding and line splitting get wrong first."""


class Can(StrEnum):
    """What not every side can do."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    ARCHIVE = "archive"
    TAGS = "tags"
    CLEAR = "clear"
    GUARD = "guard"
    """It compares `expected` with what it holds, in the write itself."""
    VERSIONS = "versions"
    """Its contacts carry a version, which a write may name."""
    KEYS = "keys"
    """It can extract given contacts."""
    PARENTS = "parents"
    """It can extract the tasks and notes of given contacts."""
    SINCE = "since"
    """It can extract the contacts that changed since an instant."""
    AWKWARD = "awkward"
    """It keeps any text as it was written."""


WRITES = frozenset({Can.CREATE, Can.UPDATE, Can.DELETE})


def _nothing() -> None:
    return


@dataclass(frozen=True, slots=True)
class Rig:
    """A connector, and hands on the side behind its back.

    sample(entity, n): the native fields of the n-th distinct record, as CREATE and `seed` take
    them. text: per entity that the side keeps, a plain text field of it that can be written; the
    tests of other entities are skipped. seed(entity, fields, parent): a user adds a record; its
    key. edit(entity, key, fields), remove(entity, key): a user
    changes, deletes it. bad: per entity, fields that the side must reject. volatile: fields that
    the side changes by itself at every write. settle: let a bulk read catch up with writes, without
    sleeping. completed: the fields that say a task is done. absent: a key that no record has.
    """

    connector: Connector
    sample: Callable[[Entity, int], dict[str, Json]]
    text: Mapping[Entity, str]
    seed: Callable[[Entity, Mapping[str, Json], str | None], str]
    edit: Callable[[Entity, str, Mapping[str, Json]], None]
    remove: Callable[[Entity, str], None]
    can: frozenset[Can] = frozenset(Can)
    bad: Mapping[Entity, Mapping[str, Json]] = field(default_factory=dict)
    volatile: frozenset[str] = frozenset()
    settle: Callable[[], None] = _nothing
    completed: Mapping[str, Json] = field(default_factory=dict)
    absent: str = "no-such-key"

    def needs(self, *abilities: Can, entity: Entity = Entity.CONTACT) -> None:
        """Skip the test where the side lacks an ability or an entity."""
        lacking = [ability for ability in abilities if ability not in self.can]
        if lacking or entity not in self.text:
            pytest.skip(f"this side has no {', '.join(lacking) or entity}")
        if entity.spec.read_only and self.connector.side is Side.GHL and WRITES & set(abilities):
            pytest.skip(f"{entity.plural} are never written in GHL")

    def add(self, entity: Entity, number: int = 1, parent: str | None = None) -> str:
        """Seed the n-th sample.

        A task or note gets a contact of its own unless `parent` says which.
        """
        if entity.parent and parent is None:
            parent = self.add(entity.parent, 1000 + number)
        key = self.seed(entity, self.sample(entity, number), parent)
        self.settle()
        return key

    def read(self, entity: Entity, key: str, parent: str | None = None) -> Record:
        """The record as the connector reads it now."""
        record = self.connector.read(entity, key, parent or self.parent(entity, key))
        assert record is not None, f"{entity} {key} cannot be read"
        return record

    def parent(self, entity: Entity, key: str) -> str | None:
        """The contact of a task or note, as a bulk read shows it."""
        if not entity.parent:
            return None
        return next((record.parent for record in self.records(entity) if record.key == key), None)

    def records(self, entity: Entity, scope: Scope = ALL) -> list[Record]:
        """All that an extraction shows, read through the shape."""
        shape, (pages, _) = self.connector.shape(entity), self.extraction(entity, scope)
        return [read_line(shape, line) for page in pages for line in page.lines.splitlines()]

    def extraction(self, entity: Entity, scope: Scope = ALL) -> tuple[list[Page], Proof]:
        """The pages and the one proof of an extraction."""
        self.settle()
        *pages, proof = self.connector.extract(entity, scope)
        assert isinstance(proof, Proof)
        assert all(isinstance(page, Page) for page in pages), "one proof, and it comes last"
        return [page for page in pages if isinstance(page, Page)], proof

    def write(self, *writes: Write) -> dict[str, Reply]:
        """Carry out writes; the replies by op_id."""
        replies = list(self.connector.write(writes))
        assert sorted(reply.op_id for reply in replies) == sorted(
            write.op_id for write in writes
        ), "one reply a write"
        return {reply.op_id: reply for reply in replies}

    def one(self, write: Write) -> Reply:
        """Carry out one write."""
        return self.write(write)[write.op_id]


def create(
    entity: Entity, fields: Mapping[str, Json], parent: str | None = None, op_id: str = "op"
) -> Write:
    """A Write that creates a record."""
    return Write(op_id, OpKind.CREATE, entity, parent=parent, fields=fields)


def update(entity: Entity, record: Record, fields: Mapping[str, Json], op_id: str = "op") -> Write:
    """A Write that changes fields of a record, with nothing expected."""
    return Write(op_id, OpKind.UPDATE, entity, key=record.key, parent=record.parent, fields=fields)


def tags_of(record: Record | None) -> set[str]:
    """The tags of a record, none where there is no record."""
    tags = record.fields.get("tags") if record is not None else None
    if isinstance(tags, list):
        return {str(tag) for tag in tags}
    return set()


def guarded(write: Write, expected: Mapping[str, Json]) -> Write:
    """The same write, with what it expects to find."""
    return Write(
        write.op_id,
        write.kind,
        write.entity,
        write.key,
        write.parent,
        write.fields,
        expected=expected,
    )
