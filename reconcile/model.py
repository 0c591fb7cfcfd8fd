"""The nouns of the domain: what is read, compared, planned, written and remembered."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from reconcile.entities import Entity as Entity

Cell = str | None
"""A canonical value: text in the one form its codec gives it, or None for blank.

Absent, null and "" are one.
"""

Cells = Mapping[str, Cell]
"""The canonical values of one record, by field name."""


class Side(StrEnum):
    """One of the two ends of a pair."""

    APP = "app"
    GHL = "ghl"

    @property
    def other(self) -> Side:
        """The side across."""
        return Side.GHL if self is Side.APP else Side.APP

    @property
    def label(self) -> str:
        """The side's name in sentences for people."""
        return "the app" if self is Side.APP else "GHL"


class Kind(StrEnum):
    """What the three-way comparison says of one field (or one tag) of a linked record."""

    CONVERGED = "converged"
    APP_MOVED = "app_moved"
    GHL_MOVED = "ghl_moved"
    CONFLICT = "conflict"
    STANDING = "standing"


class OpKind(StrEnum):
    """What an operation does. Adopt and Forget touch the ledger alone."""

    CREATE = "create"
    UPDATE = "update"
    COMPLETE = "complete"
    ADD_TAGS = "add_tags"
    REMOVE_TAGS = "remove_tags"
    ARCHIVE = "archive"
    DELETE = "delete"
    ADOPT = "adopt"
    FORGET = "forget"


class Status(StrEnum):
    """What became of an operation."""

    DONE = "done"
    REJECTED = "rejected"
    STALE = "stale"
    UNCERTAIN = "uncertain"
    SKIPPED = "skipped"


def fingerprint(*parts: str | None) -> str:
    """A short stable name (20 hex digits) for a sequence of texts.

    None and "" differ, and so do ("ab",) and ("a", "b").
    """
    hasher = hashlib.blake2b(digest_size=10)
    for part in parts:
        hasher.update(b"\x00" if part is None else b"\x01%d:" % len(part.encode()) + part.encode())
    return hasher.hexdigest()


def link_name(entity: Entity, origin: Side, key: str) -> str:
    """The link_id of the thing that `origin` knows as `key`.

    Stable from the plan that creates it to the end of its life.
    """
    return hashlib.md5(
        f"{entity}\x1f{origin}\x1f{key}".encode(), usedforsecurity=False
    ).hexdigest()[:20]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one side held of one entity when it was read, with the proof whether that is all of it.

    `fingerprint` names the content, whatever the order of the rows. A `partial` snapshot speaks
    only of what it covers. Where `as_of` is set, everybody is in it all the same: `not_read` of its
    rows are as an earlier run read them, and all was last read whole at `as_of`. One of a stretch
    of time (`spanned`) is partial as well: it covers the linked records that were last seen in
    there, and a rule leaves the others out.
    """

    entity: Entity
    side: Side
    rows: int
    complete: bool
    taken_at: str
    fingerprint: str
    why_incomplete: str = ""
    reported_total: int | None = None
    partial: bool = False
    quarantined: tuple[str, ...] = ()
    as_of: str = ""
    not_read: int = 0
    spanned: bool = False

    @property
    def everybody(self) -> bool:
        """Whether every record is in it, read now or as an earlier run read it."""
        return self.complete and (not self.partial or bool(self.as_of))


FREES = 1
"""The turn of the writes that clear a value to break a ring."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One write of the plan, or one change of the ledger alone (adopt, forget).

    `key` is the record's key on `side` (None while it is to be created), `source_key` its key on
    the other side. `parent` is the link_id of the contact of a task or note, `parent_key` the
    contact's key on `side` where it is known already. `source` holds, for a create, all cells of
    the record it is made from; for an update, what the other side holds of the sets that are merged
    by element: of these `before` and `after` are the whole sets, and only what differs between them
    is changed. `before` and `after` hold canonical values of the fields that change; for tags they
    hold one field, "tags", with the set as a canonical JSON list of what is added or removed.
    `turn` orders writes of values that no two records may share: those of a later turn wait for all
    of an earlier one; those of turn FREES clear a value that the same run writes anew, to break a
    ring. `grounds` says of each consent that a yes loosens why it may; without one, none is
    loosened. `guard` is the version the record had when it was read, where the side has versions.
    `because` is a sentence for the person who asks "why did it change my record?".
    """

    op_id: str
    kind: OpKind
    entity: Entity
    side: Side
    link_id: str
    because: str
    key: str | None = None
    source_key: str | None = None
    parent: str | None = None
    parent_key: str | None = None
    source: Cells = dataclasses.field(default_factory=dict)
    before: Cells = dataclasses.field(default_factory=dict)
    after: Cells = dataclasses.field(default_factory=dict)
    grounds: Cells = dataclasses.field(default_factory=dict)
    guard: str | None = None
    risk: Literal["low", "high"] = "low"
    starts_workflows: bool = False
    turn: int = 0

    @property
    def makes_room(self) -> bool:
        """Whether this clears a value for another record to get it.

        This record gets its own value later.
        """
        return self.turn == FREES


@dataclass(frozen=True, slots=True)
class Hold:
    """A question for a person.

    `subject` is a link_id, or the key of a record without a link on `side`.

    `options` are what can be decided, each a short word with its meaning; `values` are what the
    question is about (base_app, base_ghl, app, ghl for a conflict; candidate keys and evidence for
    an ambiguous match).
    """

    hold_id: str
    kind: Literal[
        "conflict",
        "ambiguous",
        "duplicate",
        "delete",
        "unsyncable",
        "required",
        "flapping",
        "moved",
        "another",
        "doubt",
        "refused",
        "erased",
    ]
    entity: Entity
    subject: str
    because: str
    field: str | None = None
    side: Side | None = None
    app_key: str | None = None
    ghl_key: str | None = None
    options: tuple[str, ...] = ()
    values_digest: str = ""
    values: Mapping[str, object] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one operation.

    The key it now has, what the side said it stores, and the side's own reference.

    `settled_at` is our own time when the outcome was written down. `unsent` are the fields that
    were left out, as what they name was to be made before, and was not. `reused`: the key was
    another linked record's before, which its side did not show any more.
    """

    op_id: str
    status: Status
    key: str | None = None
    after: Cells | None = None
    version: str | None = None
    modified_at: str | None = None
    code: str = ""
    detail: str = ""
    trace_id: str | None = None
    settled_at: str | None = None
    unsent: tuple[str, ...] = ()
    reused: bool = False
