"""What stands between the job and GHL's look-alike.

It counts requests, lets things happen at one of them, and bends answers.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

Happening = Callable[[], bool | None]
"""What happens at a request; True: not yet, it is tried again at the next one."""
Bend = Callable[[str, str, dict[str, Any]], "tuple[int, dict[str, Any]] | None"]
"""(method, path, the request's body) -> an answer in the sandbox's place, or None."""
Show = Callable[[str, dict[str, Any]], None]
"""(path, an answer's body): changes it in place."""


@dataclass
class Wire:
    """An ASGI app around the sandbox's.

    `at_request` and `at_write` are what happens before the n-th of a night.
    """

    app: ASGIApp
    requests: int = 0
    writes: int = 0
    at_request: dict[int, list[Happening]] = field(default_factory=dict)
    at_write: dict[int, list[Happening]] = field(default_factory=dict)
    refuse: list[Bend] = field(default_factory=list)
    change: list[Bend] = field(default_factory=list)
    show: list[Show] = field(default_factory=list)
    looked: set[str] = field(default_factory=set)
    """The contacts that were read by id, and whose write was not answered since.

    The job may be between its look and its write, or a write on its way: several go at once.
    """
    troubles: list[BaseException] = field(default_factory=list)
    """What went wrong in a happening: a fault of the rehearsal's own."""

    def recount(self) -> None:
        """Begin a run: nothing is going to happen in it."""
        self.requests = self.writes = 0
        self.looked.clear()
        for planned in (self.at_request, self.at_write):
            planned.clear()

    def calm(self) -> None:
        """Begin a night: GHL answers as it is."""
        self.recount()
        for bent in (self.refuse, self.change, self.show):
            bent.clear()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on."""
        if scope["type"] != "http" or scope["path"].startswith("/_sandbox"):
            await self.app(scope, receive, send)
            return
        method, path = scope["method"], scope["path"]
        self.requests += 1
        self._happen(self.at_request, self.requests)
        writes = method != "GET" and not path.endswith("/search")
        if writes:
            self.writes += 1
            self._happen(self.at_write, self.writes)
        contact = _contact(path)
        if method == "GET" and contact:
            self.looked.add(contact)
        try:
            await self._answered(scope, receive, send)
        finally:
            if writes:
                self.looked.discard(contact)

    async def _answered(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not (self.refuse or self.change or self.show):
            await self.app(scope, receive, send)
            return
        await self._bent(scope, receive, send)

    def _happen(self, planned: dict[int, list[Happening]], at: int) -> None:
        for happening in planned.pop(at, []):
            try:
                if happening():
                    planned.setdefault(at + 1, []).append(happening)
            except Exception as error:  # noqa: BLE001 - told at the end of the night
                self.troubles.append(error)

    async def _bent(self, scope: Scope, receive: Receive, send: Send) -> None:
        method, path = scope["method"], scope["path"]
        raw = await _whole(receive)
        body = json.loads(raw) if raw.startswith(b"{") else {}
        for refuse in self.refuse:
            if (refused := refuse(method, path, body)) is not None:
                await _answer(send, *refused)
                return
        for change in self.change:
            change(method, path, body)
        sent = json.dumps(body).encode() if raw.startswith(b"{") else raw

        async def replay() -> Message:
            return {"type": "http.request", "body": sent, "more_body": False}

        await self.app(
            scope,
            replay,
            self._shown(path, send) if self.show else send,
        )

    def _shown(self, path: str, send: Send) -> Send:
        start: list[Message] = []

        async def bent(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.append(message)
                return
            raw = message.get("body", b"")
            try:
                body = json.loads(raw)
            except ValueError:
                body = None
            if isinstance(body, dict):
                for show in self.show:
                    show(path, body)
                raw = json.dumps(body).encode()
            head = start[0]
            kept = [(name, value) for name, value in head["headers"] if name != b"content-length"]
            head["headers"] = [*kept, (b"content-length", b"%d" % len(raw))]
            await send(head)
            await send({**message, "body": raw})

        return bent


def _contact(path: str) -> str:
    """The contact that a request is about, and not only its tags or its tasks."""
    parts = path.strip("/").split("/")
    return parts[1] if parts[0] == "contacts" and len(parts) == 2 else ""


async def _whole(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


async def _answer(send: Send, status: int, body: dict[str, Any]) -> None:
    raw = json.dumps(body).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(raw))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": raw})
