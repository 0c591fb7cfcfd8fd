"""The order in which a plan is carried out: each phase, with the reason for its place."""

from __future__ import annotations

from reconcile.model import Entity, OpKind

FORGET = 0
"""Links end in the ledger first: the same plan may link their records anew, or make them again."""

ADOPT = 1
"""New links enter the ledger before anything is written to their records."""

MAKE_WAY = 1
"""GHL's copy of a task or note that moved goes before it is made again.

With both, GHL would have the same thing twice.
"""

PASS_ON = 1
"""Unique values go from one record to another, turn by turn (`of_turn`).

This comes after what touches the ledger alone, and before creates, which may need a value that
is let go.
"""

CREATE = 2
"""What is missing altogether comes before what differs.

Within the phase, contacts come before what hangs on them.
"""

UPDATE = 3
"""Values are written before tags: a workflow that a tag starts finds them there."""

ADD_TAGS = 4
"""Tags are added before others are removed: no contact lacks both the old one and the new one."""

REMOVE_TAGS = 5
"""Tags are removed once the new ones are there."""

DELETE_CHILD = 6
"""What is deleted or archived goes last, and what hangs on a contact before the contact."""

DELETE_CONTACT = 7
"""A contact goes after its tasks and notes: what still hangs on it would go with it, unasked."""

DELETE_ALONE = 8
"""What nothing hangs on goes last: until then a contact may name it, as by a foreign key."""


def of_turn(turn: int) -> float:
    """Where in a plan a turn of the values that are passed on stands."""
    return PASS_ON + turn / 1_000


_OF_KIND = {
    OpKind.FORGET: FORGET,
    OpKind.ADOPT: ADOPT,
    OpKind.CREATE: CREATE,
    OpKind.UPDATE: UPDATE,
    OpKind.COMPLETE: UPDATE,
    OpKind.ADD_TAGS: ADD_TAGS,
    OpKind.REMOVE_TAGS: REMOVE_TAGS,
}


def of(kind: OpKind, entity: Entity) -> int:
    """The phase of an operation that makes no way and passes no value on."""
    return _OF_KIND.get(kind, last(entity))


def last(entity: Entity) -> int:
    """The phase in which records of a kind are deleted or archived."""
    if entity.parent:
        return DELETE_CHILD
    return DELETE_CONTACT if entity.children else DELETE_ALONE
