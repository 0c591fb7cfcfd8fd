"""Extractions of all but whole contacts, which `sweep` reads: each ends in its Proof."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, TypeAlias, TypeVar

import msgspec

from connectors.ghl import apart, calendars, children, contacts, located
from connectors.ghl.api import Api
from connectors.ghl.entities import GHL
from connectors.ghl.lines import Head, Row, SearchPage, fresh, join, rows_of
from connectors.ghl.overlap import overlapped, skipping
from connectors.ghl.settings import GhlSettings
from connectors.ghl.sweep import FATAL, Sweep, remember, single
from reconcile.entities import OWNER
from reconcile.errors import Blocked, ConnectorError, Expired, Malformed
from reconcile.model import Entity
from reconcile.patience import Patience, unread
from reconcile.ports import Page, Proof, Scope, Span

Item = TypeVar("Item")
Read: TypeAlias = Iterator[Page | Proof]
Fetch: TypeAlias = Callable[[str], "dict[str, Any] | None"]

PARENTS_A_PAGE = 200
"""How many contacts' notes or tasks one Page combines."""


class Reader:
    """Reads one location in bulk. `clock` gives epoch seconds."""

    def __init__(self, api: Api, *, settings: GhlSettings, clock: Callable[[], float]) -> None:
        self._api = api
        self._settings = settings
        self._clock = clock

    def contacts(self, scope: Scope) -> Iterator[Page | Proof]:
        """Contacts: all of them, or a part.

        A part is a scope, or the configured businesses.
        """
        if scope.keys is not None:
            fetch = partial(contacts.get, self._api)
            return self._guarded(self._by_key(scope.keys, fetch, what=OWNER))
        if self._settings.business_ids:
            return self._guarded(self._of_businesses())
        if scope.since is not None:
            return self._guarded(self._since(scope.since))
        width = self._settings.concurrency if self._settings.range_reads else 1
        sweep = Sweep(
            self._search, page_size=self._settings.page_size, width=width, now=self._clock()
        )
        return sweep.pages()

    def located(self, entity: Entity, scope: Scope) -> Iterator[Page | Proof]:
        """What the location lists: all of it, those of the scope's keys, or the pair's businesses.

        GHL does not say which of them changed since then: they are all read.
        """
        keys = scope.keys
        if keys is None and self._settings.business_ids:
            keys = self._settings.business_ids
        if keys is not None:
            fetch = partial(located.get, self._api, entity)
            return self._guarded(self._by_key(keys, fetch, what=entity))
        return self._guarded(self._listed(entity, whole=scope.since is None))

    def _listed(self, entity: Entity, *, whole: bool) -> Read:
        for rows in located.every(self._api, entity, width=self._settings.concurrency):
            yield Page(join(rows), len(rows))
        yield Proof(complete=True, partial=not whole)

    def children(self, entity: Entity, scope: Scope) -> Iterator[Page | Proof]:
        """What hangs on the scope's parents, or all of it.

        All is read by the search of the location, else by a request a contact.
        """
        own_paths = GHL[entity].apart or GHL[entity].spanned
        if own_paths and scope.keys is not None:
            fetch = partial(children.get, self._api, entity, "")
            return self._guarded(self._by_key(scope.keys, fetch, what=entity))
        # What GHL has under a contact alone cannot be asked for by its key.
        pages = self._children(entity, scope)
        return self._guarded(_only(scope.keys, pages))

    def _children(self, entity: Entity, scope: Scope) -> Read:
        if scope.parents is not None:
            return self._under(entity, scope.parents)
        if self._settings.business_ids:
            return self._under(entity, self._business_keys())
        if GHL[entity].spanned:
            return self._by_calendar(entity)
        if GHL[entity].apart:
            return self._by_cursor(entity)
        if GHL[entity].searched:
            return self._searched(entity)
        return self._swept(entity)

    def _guarded(self, pages: Iterator[Page | Proof]) -> Iterator[Page | Proof]:
        """Turn a fault into an incomplete Proof.

        Only credentials that cannot read anything more stop the run.
        """
        rows = 0
        try:
            for page in pages:
                if isinstance(page, Page):
                    rows += page.rows
                yield page
        except FATAL:
            raise
        except ConnectorError as error:
            yield Proof(complete=False, why_incomplete=f"{rows} rows read, then: {error}")

    def _search(self, filters: list[dict[str, Any]], after: list[Any] | None) -> SearchPage:
        return contacts.search(
            self._api, page_size=self._settings.page_size, filters=filters, after=after
        )

    def _by_key(self, keys: Sequence[str], fetch: Fetch, *, what: Entity) -> Read:
        lost: list[str] = []
        answers = self._each(keys, fetch, lost, what=what)
        for part in _runs(answers, PARENTS_A_PAGE):
            items = [item for _, item in part if item is not None]
            rows = [Row(Head(id=str(item.get("id"))), msgspec.json.encode(item)) for item in items]
            covers: tuple[str, ...] = ()
            if not what.parent:  # what hangs on a contact is covered by all that the contact has
                covers = tuple(key for key, _ in part)
            yield Page(join(rows), len(rows), covers=covers)
        yield Proof(complete=True, partial=True, quarantined=tuple(lost))

    def _of_businesses(self) -> Iterator[Page | Proof]:
        seen: set[str] = set()
        for business in self._settings.business_ids:
            for rows in contacts.of_business(self._api, business):
                remember(seen, rows)
                yield _covering(rows)
        yield Proof(complete=True, partial=True)

    def _business_keys(self) -> Iterator[str]:
        for business in self._settings.business_ids:
            for rows in contacts.of_business(self._api, business):
                yield from (row.head.key for row in rows)

    def _since(self, since: str) -> Iterator[Page | Proof]:
        changed = [{"field": "dateUpdated", "operator": "range", "value": {"gte": since}}]
        seen: set[str] = set()
        total = 0
        for page in single(self._search, page_size=self._settings.page_size, filters=changed):
            rows = rows_of(page.contacts)
            remember(seen, rows)
            total = page.total or 0
            if rows:
                yield _covering(rows)
        # The last page's own count: who was changed meanwhile has moved to the end, and was read
        # there.
        short = ""
        if total > len(seen):
            short = f"GHL counts {total} changed contacts, {len(seen)} were read"
        yield Proof(complete=not short, why_incomplete=short, partial=True)

    def _under(self, entity: Entity, parents: Iterable[str]) -> Iterator[Page | Proof]:
        lost: list[str] = []
        seen: set[str] = set()  # what hangs on several contacts comes with each
        span = None
        if GHL[entity].spanned:
            span = self._span(entity)
        fetch = partial(children.of_contact, self._api, entity)
        answers = self._each(parents, fetch, lost, what=f"of {entity.parent}")
        for part in _runs(answers, PARENTS_A_PAGE):
            listed = [row for _, rows in part for row in rows if not row.head.deleted]
            rows = fresh(listed, seen)
            if span is not None:
                rows = [row for row in rows if calendars.within(span, row.raw)]
            yield Page(join(rows), len(rows), covers=tuple(contact for contact, _ in part))
        yield Proof(
            complete=True,
            partial=True,
            quarantined=tuple(lost),
            span=span,
        )

    def _each(
        self, keys: Iterable[str], fetch: Callable[[str], Item], lost: list[str], *, what: str
    ) -> Iterator[tuple[str, Item]]:
        """Each key with what GHL has of it.

        What cannot be read is told in `lost`, and stops no other.

        Raises the error where it is the side that fails. A refusal of credentials, or by a gateway,
        may be about one key alone; where no other was read, it is about all.
        """

        def attempt(key: str) -> tuple[str, Item | ConnectorError]:
            try:
                return key, fetch(key)
            except ConnectorError as error:
                return key, error

        patience = Patience()
        read = 0
        refused: ConnectorError | None = None
        for key, item in overlapped(attempt, keys, width=self._settings.concurrency):
            if isinstance(item, ConnectorError):
                patience.spend(item)
                if isinstance(item, (Expired, Blocked)):
                    refused = item
                lost.append(unread(what, key, item))
            else:
                patience.renew()
                read += 1
                yield key, item
        if refused is not None and not read:
            raise refused

    def _swept(self, entity: Entity) -> Iterator[Page | Proof]:
        ids: list[str] = []
        shortfall = ""
        lost: tuple[str, ...] = ()
        for page in self.contacts(Scope()):
            if isinstance(page, Proof):
                shortfall = page.why_incomplete
                continue
            heads = [msgspec.json.decode(line, type=Head) for line in page.lines.splitlines()]
            ids += [head.key for head in heads]
        for read in self._under(entity, ids):
            if isinstance(read, Page):
                yield read
            else:
                lost = read.quarantined
        yield Proof(complete=not shortfall, why_incomplete=shortfall, quarantined=lost)

    def _searched(self, entity: Entity) -> Iterator[Page | Proof]:
        """Those of no contact as well (docs/ghl.md#tasks).

        They are read, and have no contact to hang on.
        """
        seen: set[str] = set()
        for _ in range(self._settings.task_sweeps):
            moved = False
            for rows, shifted in skipping(
                partial(self._page, entity), width=self._settings.concurrency
            ):
                moved = moved or shifted
                live = [row for row in fresh(rows, seen) if not row.head.deleted]
                if live:
                    yield Page(join(live), len(live))
            if not moved:
                yield Proof(complete=True)
                return
        why = (
            f"{entity.plural} kept moving between pages through {self._settings.task_sweeps} reads"
        )
        yield Proof(complete=False, why_incomplete=why)

    def _by_calendar(self, entity: Entity) -> Read:
        """A stretch of time of the whole location, a request a calendar: contacts are many more."""
        lost: dict[str, str] = {}
        seen: set[str] = set()
        span = self._span(entity)
        fetch = partial(children.of_calendar, self._api, entity, span)
        width = self._settings.concurrency
        for items in overlapped(fetch, self._api.calendars(), width=width):
            new = fresh(items, seen)
            live = [row for row in new if not row.head.deleted]
            rows = self._named(entity, live, lost)
            if rows:
                yield Page(join(rows), len(rows))
        yield Proof(
            complete=True,
            quarantined=tuple(lost.values()),
            span=span,
        )

    def _span(self, entity: Entity) -> Span:
        """The days that are read of what is `spanned`."""
        past, ahead = self._settings.days(entity)
        return calendars.span_of(
            GHL[entity].spanned,
            now=self._clock(),
            past=past,
            ahead=ahead,
        )

    def _by_cursor(self, entity: Entity) -> Iterator[Page | Proof]:
        """All of the location, twice where GHL's own count and what was read differ."""
        lost: dict[str, str] = {}
        known: set[str] = set()
        for _ in range(2):
            total, seen = None, set[str]()
            for page in apart.pages(self._api, entity):
                total = page.total if page.total is not None else total
                seen.update(row.head.key for row in page.rows)
                rows = self._named(entity, fresh(page.rows, known), lost)
                if rows:
                    yield Page(join(rows), len(rows))
            if total is None or total == len(seen):
                yield Proof(complete=True, quarantined=tuple(lost.values()))
                return
        why = (
            f"GHL counts {total} {entity.plural}, a second read found {len(seen)}: "
            "its index may be catching up"
        )
        yield Proof(complete=False, why_incomplete=why, quarantined=tuple(lost.values()))

    def _named(self, entity: Entity, rows: Iterable[Row], lost: dict[str, str]) -> list[Row]:
        """The rows with the names of what GHL holds by id; those without are told in `lost`."""
        named: list[Row] = []
        for row in rows:
            try:
                named.append(apart.row_with_names(self._api, entity, row))
            except Malformed as error:
                lost[row.head.key] = unread(entity, row.head.key, error)
        return named

    def _page(self, entity: Entity, skip: int) -> list[Row]:
        return children.search(self._api, entity, limit=self._settings.task_page, skip=skip)


def _only(keys: Sequence[str] | None, pages: Read) -> Read:
    """The pages with these records alone.

    GHL has no reading of a task or note by its own key, without its contact.
    """
    wanted = set(keys or ())
    for page in pages:
        if keys is None:
            yield page
        elif isinstance(page, Proof):
            yield dataclasses.replace(page, partial=True, reported_total=None)
        else:
            heads = (
                Row(msgspec.json.decode(line, type=Head), line) for line in page.lines.splitlines()
            )
            rows = [row for row in heads if row.head.key in wanted]
            yield Page(join(rows), len(rows))


def _covering(rows: list[Row]) -> Page:
    return Page(join(rows), len(rows), covers=tuple(row.head.key for row in rows))


def _runs(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    run: list[Item] = []
    for item in items:
        run.append(item)
        if len(run) == size:
            yield run
            run = []
    if run:
        yield run
