"""The locations of an agency, as GHL lists them for its marketplace app."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

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
    params: dict[str, str | int] = {"pageSize": PAGE} if by_token else {"limit": PAGE, "skip": 0}
    seen: set[str] = set()
    while True:
        request = Request(
            endpoint.method, endpoint.path, endpoint=endpoint.name, params={**query, **params}
        )
        reply = client.send(request).json()
        rows = reply.get("items" if by_token else "locations") or []
        about = (reply.get("pagination") or {}) if by_token else reply
        yield rows, int(about.get("totalRecords" if by_token else "count") or 0)
        fresh = {str(row.get("_id")) for row in rows} - seen
        seen |= fresh
        following = about.get("nextPageToken") if by_token else len(rows) == PAGE
        if not following:
            return
        if not fresh:
            raise Malformed("GHL gave the same page of locations again", remedy="try again later")
        params |= {"pageToken": str(following)} if by_token else {"skip": len(seen)}


def _listed(row: Any) -> Listed:
    if not isinstance(row, dict) or not row.get("_id"):
        raise Malformed("expected a location with an _id in GHL's list, found none")
    # What does not say that it is installed is not worked in.
    return Listed(
        location=str(row["_id"]),
        name=str(row.get("name") or ""),
        installed=row.get("isInstalled") is True,
    )
