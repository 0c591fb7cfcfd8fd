"""A sandbox with a hand-moved clock, every exchange with it checked against the official documents."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from starlette.applications import Starlette

from connectors.ghl.sandbox import Limit, Sandbox, Settings, make_app
from tests.connectors.ghl import openapi

PLACE = "ve9EPM428h8vShlRW1KT"
TOKEN = "pit-0a1b2c3d"
V2, V3 = "2021-07-28", "v3"
PLENTY = Limit(max=1_000_000, daily=10_000_000)


@dataclass
class Clock:
    """Seconds since the epoch, moved by hand."""

    now: float = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class InProcess:
    """Calls the application without a socket; redirects are not followed."""

    def __init__(self, app: Starlette) -> None:
        self._loop = asyncio.new_event_loop()
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://sandbox"
        )

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self._loop.run_until_complete(self._client.request(method, path, **options))

    def close(self) -> None:
        self._loop.run_until_complete(self._client.aclose())
        self._loop.close()


@dataclass
class Rig:
    """A sandbox, its clock, and a client that speaks one version with one token."""

    sandbox: Sandbox
    clock: Clock
    http: InProcess
    version: str | None = V2
    token: str | None = TOKEN
    last: httpx.Response = field(init=False)

    def call(
        self, method: str, path: str, body: Any = None, *, expect: int = 200, **params: Any
    ) -> Any:
        """Send a request, check status and documents, return the decoded reply."""
        headers = {"User-Agent": "rig/1"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if self.version:
            headers["Version"] = self.version
        if self.version == V2 and path.startswith("/calendars"):
            headers["Version"] = "2021-04-15"
        content = b""
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(body).encode()
        reply = self.http.request(method, path, content=content, headers=headers, params=params)
        self.last = reply
        assert reply.status_code == expect, f"{method} {path}: {reply.status_code} {reply.text}"
        if self.version in openapi.VERSIONS:
            sent = f"{path}?{httpx.QueryParams(params)}"
            openapi.check(
                self.version,
                method,
                sent,
                headers,
                content,
                reply.status_code,
                dict(reply.headers),
                reply.content,
            )
        return reply.json() if reply.content.startswith(b"{") else reply.text

    def form(self, path: str, *, expect: int = 200, **fields: str) -> Any:
        """Post a form, as OAuth wants it."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if self.version and (self.version == V3 or path != "/oauth/token"):
            headers["Version"] = self.version
        content = str(httpx.QueryParams(fields)).encode()
        reply = self.http.request("POST", path, content=content, headers=headers)
        self.last = reply
        assert reply.status_code == expect, f"POST {path}: {reply.status_code} {reply.text}"
        version = self.version or V2
        openapi.check(
            version,
            "POST",
            path,
            headers,
            content,
            reply.status_code,
            dict(reply.headers),
            reply.content,
        )
        return reply.json()

    def contact(self, **fields: Any) -> str:
        """Create a contact over HTTP; returns its id."""
        created = self.call("POST", "/contacts/", {"locationId": PLACE, **fields}, expect=201)
        return str(created["contact"]["id"])

    def search(self, **body: Any) -> Any:
        """Search contacts: pages of 100 oldest first unless said otherwise."""
        asked = {
            "locationId": PLACE,
            "pageLimit": 100,
            "sort": [{"field": "dateAdded", "direction": "asc"}],
            **body,
        }
        return self.call("POST", "/contacts/search", asked)


@contextmanager
def rig(version: str = V2, **settings: Any) -> Iterator[Rig]:
    """A fresh sandbox with one location and one token for it; limits are never reached unless set."""
    clock = Clock()
    sandbox = Sandbox(
        Settings(**{"pit": PLENTY, "oauth": PLENTY, "agency": PLENTY, **settings}), clock=clock
    )
    sandbox.add_location(PLACE)
    sandbox.add_token(TOKEN, PLACE)
    http = InProcess(make_app(sandbox))
    try:
        yield Rig(sandbox, clock, http, version)
    finally:
        http.close()
