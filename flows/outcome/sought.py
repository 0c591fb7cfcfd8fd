"""Finds the records that a key or an email means, and what the runs last saw of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa

from flows.outcome.links import NO_LINKS, Links, links_of
from flows.outcome.past import Evidence
from flows.state.imprints import trusted
from flows.state.stores import runs_folder
from reconcile.entities import OWNER
from reconcile.ledger import erasing, runs, schema
from reconcile.ledger.ledger import Ledger
from reconcile.ledger.runs import RunRow
from reconcile.model import Entity, Side, Snapshot
from reconcile.report import kept
from reconcile.report.schema import FORMAT
from reconcile.stage.archive import TOLD, Archived, Kept
from reconcile.values.mapping import Mapping as PairMapping

if TYPE_CHECKING:
    from flows.config import Pair

_NEWEST, _WHOLE = 12, 3
"""Of so many runs, and so many that are no deltas, the archives are looked into: a delta holds
a part of the records, and there may be hundreds of them since the last night."""

Report = Mapping[str, Any]
"""A run's report.json."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What is asked why a record is as it is: ledger, archives, the pair's mapping, the reports.

    `report` gives a run's report, or None where it left none that is still there; `place` says
    where people find it.
    """

    ledger: Ledger
    evidence: Evidence
    mapping: PairMapping
    report: Callable[[str], Report | None] = lambda _: None
    place: Callable[[str], str | None] = lambda _: None
    links: Links = NO_LINKS

    def rows(self) -> list[RunRow]:
        """The runs that are looked into, newest first."""
        newest = runs.runs(self.ledger, limit=_NEWEST)
        whole = runs.runs(self.ledger, limit=_WHOLE, deltas=False)
        by_id = {row.run_id: row for row in (*newest, *whole)}
        return sorted(by_id.values(), key=lambda row: (row.started_at, row.run_id), reverse=True)

    def archives(self) -> Iterator[tuple[RunRow, Archived]]:
        """Their archives, where they are still there, newest first."""
        for row in self.rows():
            archived = self.evidence.archive(row.run_id)
            if archived is not None:
                yield row, archived


@contextmanager
def sources(pair: Pair, ledger: Ledger) -> Iterator[Sources]:
    """What there is to be asked about a pair, its archives open. `ledger` stays open."""
    folder = runs_folder(pair)

    def report(run_id: str) -> Report | None:
        path = trusted(pair, ledger, folder / run_id, "report.json") / "report.json"
        try:
            document = kept.read(path)
        except (OSError, msgspec.MsgspecError):
            return None
        if document.get("format") == FORMAT:
            return document
        return None

    def place(run_id: str) -> str | None:
        if pair.report_url is not None:
            return pair.report_url.replace("{run}", run_id)
        page = folder / run_id / "report.html"
        if page.exists():
            return str(page)
        return None

    with Evidence(folder, bring=partial(trusted, pair, ledger)) as evidence:
        then = newest_manifest(evidence, ledger)
        # No side is asked: what the location told then is read as it was archived.
        located = pair.located(*(then.get(name) for name in TOLD))
        yield Sources(ledger, evidence, located, report, place, links_of(pair))


def newest_manifest(evidence: Evidence, ledger: Ledger) -> Mapping[str, Any]:
    """What the newest archive that is still there says of itself; empty where there is none."""
    for row in runs.runs(ledger):
        archived = evidence.archive(row.run_id)
        if archived is not None:
            return archived.manifest
    return {}


@dataclass(frozen=True, slots=True)
class Ends:
    """The key of one thing on each side, None where it has none there, and its link."""

    app: str | None
    ghl: str | None
    link_id: str | None = None

    def key(self, side: Side) -> str | None:
        """Its key on a side."""
        return self.app if side is Side.APP else self.ghl

    @property
    def words(self) -> str:
        """Both keys as people read them: app 1 = GHL a1."""
        ends = (("app", self.app), ("GHL", self.ghl))
        return " = ".join(f"{name} {key}" for name, key in ends if key)

    @property
    def any(self) -> str:
        """Its key on either side, the app's first."""
        return self.app or self.ghl or ""


def find(sources: Sources, entity: Entity, name: str) -> list[Ends]:
    """The records of a kind that `name` means: a key of either side, or a contact's email.

    Two that are linked are one. None where neither the ledger nor an archive that is still there
    knows such a record.
    """
    keys = [*_of_ledger(sources.ledger, entity, name), *_of_archives(sources, entity, name)]
    records: dict[Ends, None] = {}
    for side, key in dict.fromkeys(keys):
        records.setdefault(_ends(sources.ledger, entity, side, key))
    return list(records)


def _of_ledger(ledger: Ledger, entity: Entity, name: str) -> Iterator[tuple[Side, str]]:
    if entity is OWNER:
        owners = sorted(erasing.owners(ledger, name))
        yield from ((Side(side), key) for _, side, key in owners)
        return
    for side in Side:
        if _link(ledger, entity, side, name) is not None:
            yield side, name


def _of_archives(sources: Sources, entity: Entity, name: str) -> Iterator[tuple[Side, str]]:
    """The records of that name as a side last showed them."""
    for side in Side:
        for _, archived in sources.archives():
            keys = archived.named(entity, side, name, anywhere=entity is OWNER and "@" in name)
            yield from ((side, key) for key in keys)
            snapshot = archived.snapshot(entity, side)
            if keys or (snapshot is not None and not snapshot.partial):
                break


def _ends(ledger: Ledger, entity: Entity, side: Side, key: str) -> Ends:
    link = _link(ledger, entity, side, key)
    if link is not None:
        return Ends(link.app_key, link.ghl_key, link.link_id)
    if side is Side.APP:
        return Ends(key, None)
    return Ends(None, key)


def _link(ledger: Ledger, entity: Entity, side: Side, key: str) -> Any:
    table = schema.link
    query = sa.select(table).where(
        table.c.pair == ledger.pair,
        table.c.entity == entity.value,
        table.c[f"{side}_key"] == key,
    )
    with ledger.engine.connect() as connection:
        return connection.execute(query).one_or_none()


@dataclass(frozen=True, slots=True)
class Seen:
    """What the newest run that read a side for it saw of a record; `record` None: it was not there.

    `deleted`: the side marked it as deleted. `whole`: the side was read to its end, so that what
    was not seen is not there.
    """

    run: RunRow
    archived: Archived
    snapshot: Snapshot
    record: Kept | None
    deleted: bool

    @property
    def whole(self) -> bool:
        """Whether the side was read to its end."""
        return self.snapshot.complete and not self.snapshot.partial


def seen_by_side(sources: Sources, entity: Entity, ends: Ends) -> dict[Side, Seen]:
    """What was last seen of each end that a record has; a side is left out where nothing tells."""
    seen = {}
    for side in Side:
        key = ends.key(side)
        last = last_seen(sources, entity, side, key) if key else None
        if last is not None:
            seen[side] = last
    return seen


def last_seen(sources: Sources, entity: Entity, side: Side, key: str) -> Seen | None:
    """What was last seen of a record on a side; None where no archive tells.

    One that did not read far enough is taken only where no earlier one did.
    """
    short: Seen | None = None
    for row, archived in sources.archives():
        snapshot = archived.snapshot(entity, side)
        if snapshot is None:
            continue
        matches = archived.records(entity, side, column="key", equals=key)
        deleted = archived.marked(entity, side, key)
        seen = Seen(row, archived, snapshot, next(matches, None), deleted)
        if seen.record is not None or deleted or seen.whole:
            return seen
        short = short or seen
    return short
