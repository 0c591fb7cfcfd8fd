"""The ways in which APIs hand out pages.

Each has its own proof that the walk went forward and reached the end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import urljoin, urlsplit

from connectors.rest.places import find, parse
from connectors.rest.settings import PagerSettings
from reconcile.errors import Malformed, NotFound

_COUNTS = (
    "total",
    "count",
    "total_count",
    "totalCount",
    "total_records",
    "totalRecords",
    "total_results",
    "@odata.count",
)
_AHEAD = (
    "next",
    "next_page",
    "nextPage",
    "next_page_url",
    "next_cursor",
    "nextCursor",
    "next_page_token",
    "nextPageToken",
)
_FURTHER = (*_AHEAD, "@odata.nextLink", "has_more", "hasMore")
_AROUND = (
    "meta",
    "_meta",
    "paging",
    "pagination",
    "page",
    "links",
    "_links",
    "data",
    "result",
    "response",
)
"""Where APIs commonly say how many records there are, and that there is another page.

They say it at the top, or in one of these.
"""

_NO_CURSOR = (None, "", False)

LAST = "@last."
"""What the place of a cursor begins with where it lies in the page's last record."""

_LINK = re.compile(r'<([^>]*)>\s*((?:;\s*[\w*-]+(?:\s*=\s*(?:"[^"]*"|[^\s;,"]+))?\s*)*)')
_NEXT = re.compile(r"\brel\*?\s*=[^;,]*(?<![\w-])next(?![\w-])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ListPage:
    """A page: its records as they came, the whole body and the headers.

    The body is None where there is none. One of the headers may have the count of all.

    `address` is where it was asked for; `partial` tells that HTTP itself calls it a part (206).
    """

    items: list[Any]
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    counted: str | None = None
    address: str = ""
    partial: bool = False

    @property
    def link(self) -> str:
        """The Link header."""
        return self.headers.get("link", "")


Fetch: TypeAlias = Callable[[Mapping[str, Any] | str], ListPage]
"""Fetches the page that the parameters, or an address, ask for."""


def walk(fetch: Fetch, pager: PagerSettings, base: str) -> Iterator[ListPage]:
    """Every page of a list. `base` is the API's URL: a Link header may not lead elsewhere.

    Raises Malformed where a cursor or a link does not advance. A page shorter than asked for ends
    nothing: servers cap sizes. An empty page does, or the declared total.
    """
    match pager.kind:
        case "none":
            return iter([fetch({})])
        case "page":
            return _numbered(fetch, pager, pages=True)
        case "offset":
            return _numbered(fetch, pager, pages=False)
        case "cursor":
            return _by_cursor(fetch, pager)
        case "link" | "body_link":
            return _by_link(fetch, pager, base)


def total_of(page: ListPage, pager: PagerSettings) -> int | None:
    """The count of all records that a page tells.

    Raises Malformed where it is declared and not there.
    """
    if pager.total is None or page.body is None:
        return None
    count = find(page.body, parse(pager.total))
    total = _whole(count)
    if total is not None:
        return total
    raise Malformed(
        f'expected the total at "{pager.total}", found {type(count).__name__}',
        remedy='correct "total" of the pager, or take it away',
    )


def shown_total(page: ListPage) -> int:
    """The largest count that a page shows in one of the usual places, declared or not.

    It is 0 where the page shows none.
    """
    counts = map(_whole, (page.counted, *_beside(page, _COUNTS)))
    return max(count or 0 for count in counts)


def is_empty(body: Any) -> bool:
    """Whether a page says that there are no records at all."""
    return 0 in map(_whole, _beside(ListPage([], body), _COUNTS))


def unpaged(page: ListPage, pager: PagerSettings, seen: int) -> str:
    """Why the page with which a walk ends, after `seen` records, is not the last.

    It is "" where nothing says so.
    """
    total = _told_total(page, pager)
    if pager.kind == "none":
        if total > len(page.items):
            return (
                f"says it has {total} records and gave {len(page.items)}, "
                "and no pager is declared for the others"
            )
        if page.partial and total != len(page.items):
            return (
                f"was answered 206, a part of {len(page.items)} records, "
                "and no pager is declared for the others"
            )
    if not _ends(page, pager, seen) or not goes_on(page):
        return ""
    if pager.kind == "none":
        return (
            f"names a page after its {len(page.items)} records, and no pager is "
            "declared to ask for it"
        )
    return (
        f'names a page after {seen} records, and a pager of kind "{pager.kind}" does not come to it'
    )


def _told_total(page: ListPage, pager: PagerSettings) -> int:
    """The declared total, else the largest count that the page shows; 0 where it tells none."""
    if pager.total is None:
        return shown_total(page)
    return total_of(page, pager) or 0


def _ends(page: ListPage, pager: PagerSettings, seen: int) -> bool:
    """Whether a page ends the walk without the proof of a declared total."""
    match pager.kind:
        case "none":
            return True
        case "page" | "offset":
            return not page.items and total_of(page, pager) != seen
        case "cursor":
            return _next(page, pager) in _NO_CURSOR
        case "link" | "body_link":
            return _ahead(page, pager) is None


def goes_on(page: ListPage) -> bool:
    """Whether a page names a further one in any of the usual places.

    It counts also in a form that cannot be followed.
    """
    if next_link(page.link) is not None or _NEXT.search(re.sub("<[^>]*>", "", page.link)):
        return True
    return any(map(_leads_on, _beside(page, _FURTHER)))


def _beside(page: ListPage, names: Iterable[str]) -> list[Any]:
    """What a page holds under one of `names`, beside its records."""
    if not isinstance(page.body, dict):
        return []
    around = [page.body.get(name) for name in _AROUND]
    holders = [page.body, *(holder for holder in around if isinstance(holder, dict))]
    return [holder[name] for name in names for holder in holders if name in holder]


def _whole(value: Any) -> int | None:
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return None


def _leads_on(value: Any) -> bool:
    """Whether a member that names the next page does name one.

    Some APIs wrap its address in an object.
    """
    if isinstance(value, dict):
        return bool(value.get("href") or value.get("url"))
    return bool(value)


def _sized(pager: PagerSettings) -> dict[str, Any]:
    if not pager.size_param:
        return {}
    return {pager.size_param: pager.size}


@dataclass(slots=True)
class _Progress:
    """How far a walk has come towards the declared total.

    A total that is too low must not end it early.
    """

    pager: PagerSettings
    seen: int = 0
    longest: int = 0
    total: int = 0

    def is_all(self, page: ListPage) -> bool:
        """Whether the total is reached.

        A page is shorter than a page may be, and names no further one.
        """
        # Servers cap sizes: only the first page is measured by what was asked for.
        most = self.longest if self.seen else self.pager.size
        short = len(page.items) < most
        self.seen += len(page.items)
        self.longest = max(self.longest, len(page.items))
        total = total_of(page, self.pager)
        self.total = shown_total(page) if total is None else total
        if total is None or self.seen < total:
            return False
        further = bool(page.items) and goes_on(page)
        return short and not further


def _numbered(fetch: Fetch, pager: PagerSettings, *, pages: bool) -> Iterator[ListPage]:
    at, progress = pager.first if pages else 0, _Progress(pager)
    name = pager.param or ("page" if pages else "offset")
    while True:
        try:
            page = fetch({**_sized(pager), name: at})
        except NotFound:
            # Some APIs have no page after the last: the end, where the total says so too.
            if progress.seen and progress.seen == progress.total:
                return
            raise
        yield page
        if progress.is_all(page) or not page.items:
            return
        at += 1 if pages else len(page.items)


def _by_cursor(fetch: Fetch, pager: PagerSettings) -> Iterator[ListPage]:
    cursors: list[Any] = []
    progress = _Progress(pager)
    while True:
        query = _sized(pager)
        if cursors:
            query[pager.param or "cursor"] = cursors[-1]
        page = fetch(query)
        yield page
        cursor = _next(page, pager)
        if cursor in _NO_CURSOR or progress.is_all(page):
            return
        if cursor in cursors[-1000:]:
            raise Malformed(
                "the cursor does not advance: it was given before",
                remedy='check "param" and "next" of the pager',
            )
        cursors.append(cursor)


def _next(page: ListPage, pager: PagerSettings) -> Any:
    place = pager.next or "next"
    if not place.startswith(LAST):
        return find(page.body, parse(place))
    if not page.items:
        return None
    cursor = find(page.items[-1], parse(place.removeprefix(LAST)))
    if cursor is None:
        raise Malformed(
            f'expected the cursor at "{place}", found none',
            remedy='say in "next" where the next cursor lies',
        )
    return cursor


def _by_link(fetch: Fetch, pager: PagerSettings, base: str) -> Iterator[ListPage]:
    query: Mapping[str, Any] | str = _sized(pager)
    addresses: set[str] = set()
    while True:
        page = fetch(query)
        yield page
        address = _ahead(page, pager)
        if address is None:
            return
        try:
            address = urljoin(urljoin(base.rstrip("/") + "/", page.address.lstrip("/")), address)
            elsewhere = urlsplit(address)[:2] != urlsplit(base)[:2]
        except ValueError:
            raise Malformed(
                "the link to the next page is no address", remedy="use another pager"
            ) from None
        if elsewhere:
            # The credentials would go with it.
            raise Malformed(
                "the link to the next page leads to another host", remedy="use another pager"
            )
        if address in addresses:
            raise Malformed(
                "the link to the next page does not advance", remedy="use another pager"
            )
        addresses.add(address)
        query = address


def _ahead(page: ListPage, pager: PagerSettings) -> str | None:
    """The address of the next page: in the body, in the header that is declared, or in Link.

    Raises Malformed for what is none.
    """
    if pager.kind == "body_link":
        place = pager.next or "next"
        address = find(page.body, parse(place))
        if isinstance(address, dict):
            address = address.get("href") or address.get("url")
        if address in _NO_CURSOR:
            return None
        if isinstance(address, str):
            return address
        raise Malformed(
            f'expected an address at "{place}", found {type(address).__name__}',
            remedy='say in "next" where the address of the next page lies, or use another pager',
        )
    if pager.next is None:
        return next_link(page.link)
    return page.headers.get(pager.next.lower()) or None


def next_link(header: str) -> str | None:
    """The address of rel="next" in a Link header (RFC 8288)."""
    for address, parameters in _LINK.findall(header):
        relations = re.search(r"""\brel\s*=\s*["']?([^"';]*)""", parameters, re.IGNORECASE)
        if relations and "next" in relations[1].lower().split():
            return str(address)
    return None
