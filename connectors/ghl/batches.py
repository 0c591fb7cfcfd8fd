"""Writes gathered into the few requests that GHL takes in bulk.

Equal tag changes, and equal business links.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from connectors.ghl.outgoing import LINKED
from reconcile.model import OpKind
from reconcile.ports import Reply, Write

if TYPE_CHECKING:
    from connectors.ghl.settings import GhlSettings

T = TypeVar("T")

LOOKED_AT = 10
"""How many contacts, looked at one after the other, one request links."""


@dataclass(frozen=True, slots=True)
class Job:
    """One or more writes that one call carries out."""

    writes: tuple[Write, ...]
    run: Callable[[], list[Reply]]


class Carrier(Protocol):
    """What carries out a write alone, or many in one request."""

    def one(self, write: Write) -> list[Reply]:
        """A single write."""
        ...

    def tags(self, writes: Sequence[Write]) -> list[Reply]:
        """The same tag change on many contacts."""
        ...

    def business(self, writes: Sequence[Write]) -> list[Reply]:
        """The same business link for many contacts."""
        ...


def jobs_of(writes: Sequence[Write], settings: GhlSettings, carrier: Carrier) -> list[Job]:
    """The writes as jobs, in the order of the first write of each."""
    groups: dict[tuple[object, ...], list[Write]] = {}
    for write in writes:
        groups.setdefault(_group(write), []).append(write)
    jobs: list[Job] = []
    for (kind, *_), members in groups.items():
        if kind == "tags" and len(members) > 1:
            jobs += [_job(part, carrier.tags) for part in chunks(members, settings.tag_batch)]
        elif kind == "business" and len(members) > 1:
            size = _size(members, settings.business_batch)
            jobs += [_job(part, carrier.business) for part in chunks(members, size)]
        else:
            jobs += [_single(write, carrier) for write in members]
    return jobs


def _size(members: Sequence[Write], usual: int) -> int:
    """How many links go in one request.

    Few where each contact is looked at first, lest the first is out of sight for long.
    """
    if any(write.check for write in members):
        return min(usual, LOOKED_AT)
    return usual


def _group(write: Write) -> tuple[object, ...]:
    if write.kind in (OpKind.ADD_TAGS, OpKind.REMOVE_TAGS) and write.key:
        return ("tags", write.kind, tuple(sorted(write.tags)))
    if write.kind is OpKind.UPDATE and write.key and set(write.fields) == {LINKED}:
        return ("business", write.fields[LINKED])
    return ("one", write.op_id)


def _job(members: Sequence[Write], run: Callable[[Sequence[Write]], list[Reply]]) -> Job:
    return Job(tuple(members), lambda: run(members))


def _single(write: Write, carrier: Carrier) -> Job:
    return Job((write,), lambda: carrier.one(write))


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The items in runs of at most `size`."""
    for start in range(0, len(items), max(1, size)):
        yield items[start : start + max(1, size)]
