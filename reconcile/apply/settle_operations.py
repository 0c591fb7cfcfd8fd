"""Brings what done operations changed into the ledger, from the journal alone."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from reconcile.apply.known_cells import advance_both, packed
from reconcile.apply.settle import blank_link
from reconcile.baseline import claims, differences
from reconcile.entities import RECORDS
from reconcile.ledger import schema
from reconcile.ledger.journal import Journal
from reconcile.ledger.ledger import Ledger
from reconcile.model import Entity, Operation, OpKind, Outcome, Side, Status

CREATED = "created by this job"
"""How a link came about whose record this job made for the other one."""

Link = dict[str, Any]
"""A row of the ledger's links, without the pair."""

Name = tuple[Entity, str]
"""A link by entity and link_id."""

_Entry = tuple[Operation, Outcome]

_BATCH = 1_000
_DROPPING = (OpKind.DELETE, OpKind.ARCHIVE, OpKind.FORGET)


@dataclass(frozen=True, slots=True)
class _Run:
    """The run whose operations are settled.

    `seen` is False where it did not come to settle what it saw before it wrote. `edited` are the
    ends of links that somebody edited since the run had read them, as it saw right before a write.
    """

    run_id: str
    codecs: Mapping[Entity, str]
    seen: bool
    edited: frozenset[tuple[Name, Side]]


def settle_operations(
    ledger: Ledger,
    connection: Connection,
    journal: Journal,
    source: differences.Source,
    codecs: Mapping[Entity, str] | None,
) -> tuple[int, int]:
    """Bring what done operations changed into the ledger, and what sides dropped into the register.

    Returns (links new, links forgotten). `codecs` say by what the run's values are canonical. It
    needs nothing but the journal, so that a run that was killed is settled by the next one, without
    `codecs`: those, and what it had seen before it wrote, nobody knows then. A link is dropped
    before anything is made: a record may be deleted to be made again under the same link.
    """
    edited = frozenset((name_of(o), o.side) for o in journal.stale())
    run = _Run(source.run_id, codecs or {}, seen=codecs is not None, edited=edited)
    entries = journal.entries()
    linked = forgotten = 0
    while batch := list(islice(entries, _BATCH)):
        done = [(operation, outcome) for operation, outcome in batch if _counts(outcome)]
        dropped = _dropped_links(done)
        names = [(entity.value, link_id) for entity, link_id in dropped]
        forgotten += ledger.bury_links(connection, names, at=source.at)
        staying = [entry for entry in done if _stays(entry[0], dropped)]
        staying, vacated = claims.settle(ledger, connection, staying)
        forgotten += ledger.bury_links(connection, vacated, at=source.at)
        linked += _settle_batch(ledger, connection, staying, run)
        differences.put(ledger, connection, _dropped_values(staying, source))
    return linked, forgotten


def _dropped_links(entries: Iterable[_Entry]) -> dict[Name, None]:
    """The links whose record went away, each once, in the order in which they went."""
    removals = (operation for operation, _ in entries if operation.kind in _DROPPING)
    return dict.fromkeys(name_of(operation) for operation in removals)


def _stays(operation: Operation, dropped: Collection[Name]) -> bool:
    """Whether there still is a link to change once these are dropped."""
    return operation.kind is OpKind.CREATE or name_of(operation) not in dropped


def _dropped_values(
    entries: Iterable[_Entry], source: differences.Source
) -> Iterator[differences.Difference]:
    """What sides took and do not show."""
    for operation, outcome in entries:
        yield from differences.dropped(operation, outcome, source)


def _counts(outcome: Outcome) -> bool:
    """Whether an operation changed what is known: a record that was there is linked, too."""
    return outcome.status is Status.DONE or outcome.code == "EXISTS"


def name_of(operation: Operation) -> Name:
    """The name of the link that an operation is about; tags are a contact's."""
    entity = operation.entity.record
    return entity, operation.link_id


def _settle_batch(
    ledger: Ledger, connection: Connection, entries: Iterable[_Entry], run: _Run
) -> int:
    """Change the links of some operations. Returns how many are new."""
    entries = list(entries)
    links = links_named(ledger, connection, {name_of(operation) for operation, _ in entries})
    linked = sum(_settle_one(links, operation, outcome, run) for operation, outcome in entries)
    ledger.put_links(connection, list(links.values()))
    return linked


def links_named(ledger: Ledger, connection: Connection, names: Iterable[Name]) -> dict[Name, Link]:
    """The links of these names, as far as there are any."""
    ids: dict[Entity, list[str]] = {entity: [] for entity in RECORDS}
    for entity, link_id in names:
        ids[entity].append(link_id)
    table = schema.link
    columns = [column for column in table.columns if column.name != "pair"]
    links: dict[Name, Link] = {}
    for entity, link_ids in ids.items():
        query = sa.select(*columns).where(
            ledger.owns(table),
            table.c.entity == entity.value,
            table.c.link_id.in_(link_ids),
        )
        rows = connection.execute(query).mappings()
        # Without the pair, which the ledger puts into each row that it writes.
        links |= {(entity, row["link_id"]): dict(row) for row in rows}
    return links


def _settle_one(links: dict[Name, Link], operation: Operation, outcome: Outcome, run: _Run) -> int:
    """Change one of the links; 1 where it is new."""
    name = name_of(operation)
    link = links.get(name)
    # A create begins its link anew: what was known under that name was of a record that is gone.
    new = link is None or operation.kind is OpKind.CREATE
    if new:
        if outcome.key is None and operation.key is None:
            return 0
        links[name] = _new_link(operation, outcome, run)
    link = links[name]
    side, other = operation.side, operation.side.other
    written_cells = json.loads(link[f"{side}_cells"])
    other_cells = json.loads(link[f"{other}_cells"])
    advance_both(operation, outcome, written_cells, other_cells)
    link |= {
        f"{side}_cells": packed(written_cells),
        f"{other}_cells": packed(other_cells),
        f"{side}_digest": None,
        f"{side}_written": outcome.settled_at,
    }
    known = run.seen and (name, side) not in run.edited
    link |= _times(link, operation, outcome, known=known)
    return int(new)


def _new_link(operation: Operation, outcome: Outcome, run: _Run) -> Link:
    entity, link_id = name_of(operation)
    side, other = operation.side, operation.side.other
    how = CREATED if operation.kind is OpKind.CREATE else "linked"
    return blank_link(entity, run.run_id) | {
        "link_id": link_id,
        f"{side}_key": outcome.key or operation.key,
        f"{other}_key": operation.source_key,
        "parent": operation.parent,
        "how": how,
        "codecs": run.codecs.get(entity),
    }


def _times(link: Link, operation: Operation, outcome: Outcome, *, known: bool) -> Link:
    """When our write changed the record.

    Where the side told no time, when a person last did is not known any more.

    Nor is it where the run did not come to settle what it had seen before it wrote, or where
    somebody edited the record between: then it is not `known`.
    """
    modified, edited = f"{operation.side}_modified", f"{operation.side}_edited"
    ours = _moment(outcome.modified_at)
    instants = [instant for instant in (link[modified], ours) if instant]
    times: Link = {modified: max(instants, default=None)}
    if operation.kind is OpKind.CREATE:
        times[edited] = ours
    elif ours is None or not known:
        times[edited] = None
    return times


def _moment(text: str | None) -> str | None:
    """A side's instant in the one form that staged rows have, which sorts as text.

    None where it is none.
    """
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    in_utc = moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    to_the_microsecond = in_utc.strftime("%Y-%m-%dT%H:%M:%S.%f")
    return to_the_microsecond[:-3] + "Z"
