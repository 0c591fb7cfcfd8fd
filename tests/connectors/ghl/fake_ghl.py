"""A few lines of GHL in memory, for what the sandbox over HTTP would be too slow or too honest to show."""

from __future__ import annotations

import bisect
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

import httpx
import msgspec

from connectors.ghl import GhlConnector, GhlSettings, PrivateToken
from connectors.http import Transport
from connectors.throttle import LocalBudget, Window

START = 1_600_000_000_000

Handler = Callable[[httpx.Request], httpx.Response]


def answer(body: object, *, status: int = 200, **headers: str) -> httpx.Response:
    """A JSON answer."""
    return httpx.Response(
        status,
        content=msgspec.json.encode(body),
        headers={"content-type": "application/json", **headers},
    )


class Clock:
    """A clock that moves only when someone sleeps."""

    def __init__(self, now: float = 1_750_000_000.0) -> None:
        self.now = now
        self.lock = threading.Lock()

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        with self.lock:
            self.now += seconds


class Script:
    """Answers scripted by (method, path); what is asked is kept in `asked`."""

    def __init__(
        self, routes: dict[tuple[str, str], list[httpx.Response | Exception] | Handler]
    ) -> None:
        self.routes = routes
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        found = self.routes[(request.method, request.url.path)]
        if callable(found):
            return found(request)
        reply = found.pop(0) if len(found) > 1 else found[0]
        if isinstance(reply, Exception):
            raise reply
        return reply

    def bodies(self) -> list[Any]:
        """The JSON bodies that were sent."""
        return [msgspec.json.decode(request.content) for request in self.asked if request.content]


class SearchOnly:
    """POST /contacts/search over `times` (epoch ms): ranges, cursors, totals, and hooks for its vices.

    `spoil` may change a page (contacts, total) by the number of its request, starting at 1.
    """

    def __init__(self, times: list[int], *, ranges: str = "yes") -> None:
        self.rows = sorted((at, f"c{number:07d}") for number, at in enumerate(times))
        self.ranges = ranges
        self.requests = 0
        self.lock = threading.Lock()
        self.spoil: (
            Callable[
                [int, list[dict[str, Any]], int], tuple[list[dict[str, Any]], int] | httpx.Response
            ]
            | None
        ) = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        with self.lock:
            self.requests += 1
            number = self.requests
        body = msgspec.json.decode(request.content)
        low, high = 0, len(self.rows)
        if body.get("filters"):
            if self.ranges == "refused":
                return answer(
                    {
                        "statusCode": 422,
                        "message": ["Invalid Operator passed for field date_added"],
                    },
                    status=422,
                )
            if self.ranges == "yes":
                low, high = self._bounds(body["filters"][0]["value"])
        total = high - low
        if body.get("searchAfter"):
            low = max(low, bisect.bisect_right(self.rows, tuple(body["searchAfter"])))
        page = [
            {"id": key, "firstName": f"N{key}", "dateAdded": at, "searchAfter": [at, key]}
            for at, key in self.rows[low : min(high, low + body["pageLimit"])]
        ]
        if self.spoil:
            spoilt = self.spoil(number, page, total)
            if isinstance(spoilt, httpx.Response):
                return spoilt
            page, total = spoilt
        return answer({"contacts": page, "total": total, "traceId": "t1"})

    def _bounds(self, value: dict[str, str]) -> tuple[int, int]:
        def place(name: str, otherwise: int) -> int:
            if name not in value:
                return otherwise
            return bisect.bisect_left(
                self.rows, (int(datetime.fromisoformat(value[name]).timestamp() * 1000), "")
            )

        return place("gte", 0), place("lt", len(self.rows))


def connector(handler: Handler, **settings: Any) -> GhlConnector:
    """A connector on a fake, with a fake clock and a window that never binds."""
    clock = Clock()
    transport: Transport = httpx.MockTransport(handler)
    return GhlConnector(
        GhlSettings(location="loc1", url="http://ghl.invalid", **settings),
        auth=PrivateToken("pit-secret-0001"),
        budget=LocalBudget(Window(limit=1_000_000)),
        clock=clock,
        sleep=clock.sleep,
        jitter=lambda: 0.5,
        transport=transport,
    )
