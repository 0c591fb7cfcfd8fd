"""The locations of an agency, as GHL lists them for its marketplace app."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from connectors.ghl.endpoints import DIALECTS
from connectors.ghl.oauth import OAuthApp, client_of
from connectors.http import Auth, Client, Request, Transport
from reconcile.errors import Malformed

PAGE = 100
"""The most that GHL gives at once (docs/ghl.md#authentication)."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One location of an agency; `installed` says whether the app may work in it."""

    location: str
    name: str
    installed: bool


def locations(
    app: OAuthApp, *, agency: Auth, company: str, app_id: str, transport: Transport | None = None
) -> list[Listed]:
    """All locations of the agency `company`, in GHL's order, read a page at a time.

    `agency` signs with the agency's token (scope oauth.readonly). Raises Malformed where the list
    is not whole: what is missing in it would prove nothing.
    """
    client = client_of(app, auth=agency, transport=transport)
    results: dict[str, Listed] = {}
    total = 0
    try:
        for rows, said in _pages(client, app, {"companyId": company, "appId": app_id}):
            total = max(total, said)
            results |= {one.location: one for one in map(_listed, rows)}
    finally:
        client.close()
    if len(results) < total:
        raise Malformed(
            f"GHL listed {len(results):,} locations of the agency, and counts {total:,}",
            remedy="try again: nothing is concluded from a part of the list",
        )
    return list(results.values())


def _pages(
    client: Client, app: OAuthApp, query: Mapping[str, str]
) -> Iterator[tuple[list[Any], int]]:
    """The rows of each page, and how many locations GHL says there are (0: it does not say)."""
    endpoint = DIALECTS[app.version]["oauth.installed"]
    by_token = app.version == "v3"
    params: dict[str, str | int] = {"limit": PAGE, "skip": 0}
    if by_token:
        params = {"pageSize": PAGE}
    seen: set[str] = set()
    while True:
        request = Request(
            endpoint.method, endpoint.path, endpoint=endpoint.name, params={**query, **params}
        )
        reply = client.send(request).json()
        page = _page_by_token(reply) if by_token else _page_by_skip(reply)
        yield page.rows, page.total
        fresh = {str(row.get("_id")) for row in page.rows} - seen
        seen |= fresh
        if not page.following:
            return
        if not fresh:
            raise Malformed("GHL gave the same page of locations again", remedy="try again later")
        if by_token:
            params["pageToken"] = page.following
        else:
            params["skip"] = len(seen)


class _Page(NamedTuple):
    """`total` is 0 where GHL does not say; `following` is the next page's token, or "skip"."""

    rows: list[Any]
    total: int
    following: str


def _page_by_token(reply: Mapping[str, Any]) -> _Page:
    about = reply.get("pagination") or {}
    total = int(about.get("totalRecords") or 0)
    return _Page(reply.get("items") or [], total, str(about.get("nextPageToken") or ""))


def _page_by_skip(reply: Mapping[str, Any]) -> _Page:
    rows = reply.get("locations") or []
    following = "skip" if len(rows) == PAGE else ""
    return _Page(rows, int(reply.get("count") or 0), following)


def _listed(row: Any) -> Listed:
    if not isinstance(row, dict) or not row.get("_id"):
        raise Malformed("expected a location with an _id in GHL's list, found none")
    # What does not say that it is installed is not worked in.
    return Listed(
        location=str(row["_id"]),
        name=str(row.get("name") or ""),
        installed=row.get("isInstalled") is True,
    )
