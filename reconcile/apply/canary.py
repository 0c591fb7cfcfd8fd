"""The first few writes of each kind, looked at for a while before the rest follows.

What a side does by itself with a record that was just written is seen there: a workflow that a tag
started, an owner that was assigned, a consent that changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from reconcile.model import Entity, Operation, OpKind, Side
from reconcile.plan.plan import LEDGER_ONLY
from reconcile.ports import Json

_TAKING = frozenset({OpKind.DELETE, OpKind.ARCHIVE})


GONE = (("the record", "there", "gone"),)
"""What changed in a record that is gone by the second look."""


@dataclass(frozen=True, slots=True)
class Stirred:
    """What changed in a written record while we left it alone, as (member, before, after)."""

    entity: Entity
    side: Side
    key: str
    changes: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of the first few writes, and of the records that they were made to.

    `failed` counts those that were not made, by their code. `looked_at` is how many records were
    read twice, `unread` how many could not be: of these nothing is known.
    """

    written: int
    failed: Mapping[str, int]
    looked_at: int = 0
    unread: int = 0
    stirred: tuple[Stirred, ...] = ()


def first(operations: Iterable[Operation], few: int) -> Iterator[Operation]:
    """The first few of each kind, entity and side, in the plan's order.

    What depends on an operation that is left for later is left, too: a task of a contact that is
    yet to be made, a value that another record has to let go first, a contact whose tasks are yet
    to be deleted. What changes the ledger alone is taken whole: the writes build on it.
    """
    taken: Counter[tuple[OpKind, Entity, Side]] = Counter()
    later: set[str] = set()
    hanging: set[str] = set()
    for operation in operations:
        if operation.kind in LEDGER_ONLY:
            yield operation
            continue
        taking = operation.kind in _TAKING
        waits = operation.turn != 0 or operation.link_id in later or operation.parent in later
        if taking and operation.link_id in hanging:
            waits = True
        group = (operation.kind, operation.entity, operation.side)
        if taken[group] < few and not waits:
            taken[group] += 1
            yield operation
            continue
        later.add(operation.link_id)
        if operation.parent and taking:
            hanging.add(operation.parent)


def changes(
    before: Mapping[str, Json], after: Mapping[str, Json]
) -> tuple[tuple[str, str, str], ...]:
    """What differs between two looks at one record, as (member, before, after); blank is ""."""
    then = dict(_leaves(dict(before)))
    now = dict(_leaves(dict(after)))
    differing = []
    for name in sorted(then.keys() | now.keys()):
        was, is_now = then.get(name, ""), now.get(name, "")
        if was != is_now:
            differing.append((name, was, is_now))
    return tuple(differing)


def _leaves(value: Json, at: str = "") -> Iterator[tuple[str, str]]:
    """Each member as a path and a text; the order of a list says nothing."""
    if isinstance(value, dict):
        prefix = f"{at}." if at else ""
        for name, item in value.items():
            yield from _leaves(item, prefix + name)
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for place, item in enumerate(value):
            yield from _element(item, at, place)
    elif isinstance(value, list):
        yield at, ", ".join(sorted(map(str, value)))
    elif value is not None:
        yield at, str(value)


def _element(item: Json, at: str, place: int) -> Iterator[tuple[str, str]]:
    """What a list of objects holds: each by its id, such as a custom field's, else by its place."""
    if not isinstance(item, dict):
        yield f"{at}.{place}", str(item)
        return
    rest: Json = {name: each for name, each in item.items() if name != "id"}
    yield from _leaves(rest, f"{at}.{item.get('id', place)}")
