"""A whole collection, or the part that was asked for, as pages of lines.

The proof says whether that is all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any, TypeVar

import msgspec

from connectors.rest.api import Api
from connectors.rest.lines import Form, instant
from connectors.rest.pagers import shown_total, total_of, unpaged, walk
from connectors.rest.settings import PagerSettings
from reconcile.entities import OWNER
from reconcile.errors import ConfigError, ConnectorError, Malformed, NotFound, Problem
from reconcile.model import Entity
from reconcile.ports import Page, Proof, Scope

_ENCODER = msgspec.json.Encoder()
_QUARANTINED_MAX = 100
DECLARE = 'declare how the API pages: "pager" of the app, or of the entity'
"""What to do about a list that shows that it goes on."""
CORRECT = 'correct "next" of the pager, or its "kind"'
"""What to do where the pager that is declared does not come to its end."""
Got = TypeVar("Got")

Item = tuple[dict[str, Any], str | None]
"""A record as it came, and the contact under which it was found."""


@dataclass(slots=True)
class Tally:
    """What an extraction has seen.

    Its keys, the totals it was told, and everything that speaks against it being all.
    """

    keys: set[str] = field(default_factory=set)
    total: int | None = None
    why: list[str] = field(default_factory=list)
    quarantined: list[str] = field(default_factory=list)
    unread: int = 0
    unpaged: str = ""

    def doubt(self, why: str) -> None:
        """Something that makes the extraction incomplete; said once."""
        if why not in self.why:
            self.why.append(why)

    def bad(self, why: str) -> None:
        """A record that cannot be read."""
        self.unread += 1
        if self.unread <= _QUARANTINED_MAX:
            self.quarantined.append(why)

    def proof(self, *, partly: bool) -> Proof:
        """The last word of an extraction."""
        why = list(self.why)
        if self.unread:
            why.append(f"{self.unread} records cannot be read")
        return Proof(
            not why, "; ".join(why), self.total, partial=partly, quarantined=tuple(self.quarantined)
        )


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the collections of one API.

    `contacts` gives the keys of all contacts, for lists that lie under each.
    """

    api: Api
    forms: Mapping[Entity, Form]
    pagers: Mapping[Entity, PagerSettings]
    base: str
    concurrency: int
    contacts: Callable[[], Sequence[str]]

    def extract(self, entity: Entity, scope: Scope, tally: Tally) -> Iterator[Page]:
        """The pages of a scope.

        Raises ConnectorError at a fault; what `tally` holds then is what was seen before.
        """
        form = self.forms[entity]
        nested = "{parent}" in form.endpoint.path
        if scope.keys is not None and not entity.parent:
            yield from self._by_key(form, scope, tally)
        elif nested:
            parents = self.contacts() if scope.parents is None else scope.parents
            yield from self._under(entity, parents, scope, tally)
        else:
            yield from self._listed(entity, scope, tally)

    def one_list(
        self, entity: Entity, parent: str | None, tally: Tally, params: Mapping[str, Any]
    ) -> Iterator[list[Item]]:
        """Every page of one list, with the checks that prove it whole.

        A steady total, no key twice, none missing.
        """
        form, pager = self.forms[entity], self.pagers[entity]
        name = form.endpoint.path
        totals: set[int] = set()
        seen = shown = 0

        def fetch(query: Mapping[str, Any] | str) -> Any:
            if not isinstance(query, str):  # an address that the API gave says it all itself
                query = {**params, **query}
            return self.api.page(form.endpoint, query, parent)

        for page in walk(fetch, pager, self.base):
            total = total_of(page, pager)
            seen += len(page.items)
            if total is None:
                shown = max(shown, shown_total(page))
            else:
                totals.add(total)
            self._doubt_page(name, unpaged(page, pager, seen), pager, tally)
            fresh = [(item, parent) for item in page.items if self._is_fresh(form, item, tally)]
            if page.items and not fresh:
                # A server that ignores the pager would be asked for ever.
                tally.doubt(f"{name} gave a page without a single new record")
                return
            yield fresh
        if len(totals) > 1:
            tally.doubt(
                f"{name} changed while it was read: its total went from "
                f"{min(totals)} to {max(totals)}"
            )
        if len(totals) == 1:
            [total] = totals
            tally.total = (tally.total or 0) + total
            if total != seen:
                tally.doubt(f"{name} says it has {total} records, {seen} were read")
        if shown > seen and not tally.unpaged:
            tally.doubt(f"{name} shows a total of {shown} records, {seen} were read")

    @staticmethod
    def _doubt_page(name: str, why: str, pager: PagerSettings, tally: Tally) -> None:
        if why:
            tally.unpaged = f"{name} {why}"
            tally.doubt(f"{tally.unpaged} → {remedy_of(pager)}")

    def _is_fresh(self, form: Form, item: Any, tally: Tally) -> bool:
        try:
            key = form.key_of(item)
            form.parent_of(item, None)
            form.tags_of(item)
        except Malformed as error:
            tally.bad(error.what)
            return False
        if key in tally.keys:
            tally.doubt(
                f"{form.endpoint.path} gave the key {key} twice: it moved while it was read"
            )
            return False
        tally.keys.add(key)
        return True

    def _listed(self, entity: Entity, scope: Scope, tally: Tally) -> Iterator[Page]:
        form = self.forms[entity]
        if scope.parents is not None and entity.parent and form.parent is None:
            what = f"which contact a record of {form.endpoint.path} belongs to is not declared"
            raise ConfigError(
                [Problem(f"app.{entity}", what, 'say in "parent" where a record holds its contact')]
            )
        is_contact = not entity.parent
        params: dict[str, Any] = {}
        if scope.since and form.endpoint.since:
            params[form.endpoint.since] = scope.since
        parents: tuple[str, ...] = ()
        if scope.since is None and not is_contact:
            parents = tuple(scope.parents or ())
        for items in self.one_list(entity, None, tally, params):
            chosen = [item for item in items if _within(form, item, scope)]
            covers = parents
            if is_contact and scope.since is not None:
                covers = tuple(form.key_of(item) for item, _ in chosen)
            yield _page(form, chosen, covers)
            parents = ()
        if scope != Scope():
            tally.total = None

    def _by_key(self, form: Form, scope: Scope, tally: Tally) -> Iterator[Page]:
        def read(key: str) -> Item | None:
            try:
                return self.api.get(form.endpoint, key, None), None
            except NotFound:
                return None

        for keys, items in self._together(read, scope.keys or ()):
            there = [item for item in items if item is not None and _within(form, item, scope)]
            covers = keys
            if scope.since is not None:  # one that was left out is there, and did not change
                covers = [form.key_of(item) for item, _ in there]
            yield _page(form, there, covers)

    def _under(
        self, entity: Entity, parents: Sequence[str], scope: Scope, tally: Tally
    ) -> Iterator[Page]:
        form = self.forms[entity]
        whole = scope.parents is not None and scope.since is None
        for keys, lists in self._together(partial(self._children, entity), parents):
            items: list[Item] = []
            for mine, part in lists:
                items += part
                self._merge(form, tally, mine)
            chosen = [item for item in items if _within(form, item, scope)]
            covers = keys if whole else ()
            yield _page(form, chosen, covers)

    def _children(self, entity: Entity, parent: str) -> tuple[Tally, list[Item]]:
        mine = Tally()
        items: list[Item] = []
        try:
            for page in self.one_list(entity, parent, mine, {}):
                items += page
            return mine, items
        except NotFound:
            if self._is_gone(parent):
                return mine, []
            raise

    def _is_gone(self, contact: str) -> bool:
        """Whether a contact whose list is not found is gone itself.

        Else the path is wrong, and nothing is proven.
        """
        form = self.forms.get(OWNER)
        if form is None:
            return False
        try:
            return form.record(self.api.get(form.endpoint, contact, None)).deleted
        except NotFound:
            return True

    @staticmethod
    def _merge(form: Form, tally: Tally, mine: Tally) -> None:
        for key in mine.keys & tally.keys:
            tally.doubt(f"{form.endpoint.path} gave the key {key} under two contacts")
        tally.keys |= mine.keys
        if mine.total is not None:
            tally.total = (tally.total or 0) + mine.total
        tally.unread += mine.unread
        tally.quarantined += mine.quarantined[: _QUARANTINED_MAX - len(tally.quarantined)]
        for why in mine.why:
            tally.doubt(why)

    def _together(
        self, work: Callable[[str], Got], keys: Iterable[str]
    ) -> Iterator[tuple[list[str], list[Got]]]:
        """The work on each key, a few at a time and in order, in bounded portions."""
        left = iter(keys)
        with ThreadPoolExecutor(self.concurrency) as pool:
            while portion := list(islice(left, self.concurrency * 8)):
                yield portion, list(pool.map(work, portion))


def remedy_of(pager: PagerSettings) -> str:
    """What to do about a list that shows that it goes on after its walk has ended."""
    return DECLARE if pager.kind == "none" else CORRECT


def _within(form: Form, item: Item, scope: Scope) -> bool:
    record = form.record(*item)
    if scope.since is not None:
        since = instant(scope.since) or scope.since
        if record.modified_at and record.modified_at < since:
            return False
    if scope.keys is not None and record.key not in scope.keys:
        return False
    return scope.parents is None or record.parent in scope.parents


def _page(form: Form, items: Sequence[Item], covers: Sequence[str]) -> Page:
    lines = [form.line(item, parent) for item, parent in items]
    encoded = _ENCODER.encode_lines(lines)
    return Page(encoded, len(items), tuple(covers))


def proven(reading: Iterator[Page], tally: Tally, *, partly: bool) -> Iterator[Page | Proof]:
    """The pages, then the proof; a fault on the way becomes the reason why it is not all."""
    try:
        yield from reading
    except ConnectorError as error:
        tally.doubt(str(error))
    yield tally.proof(partly=partly)
