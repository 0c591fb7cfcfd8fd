"""What every request passes: route, faults, version, token, quota, scope, handler, answer."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import msgspec
from starlette.types import Receive, Scope, Send

from connectors.ghl.sandbox import routes
from connectors.ghl.sandbox.answers import (
    Answer,
    OAuthRefusal,
    Refusal,
    blocked,
    down,
    invalid,
    no_such_route,
)
from connectors.ghl.sandbox.call import Call
from connectors.ghl.sandbox.faults import Fault, FaultKind, bend_answer, bend_request, filters_on
from connectors.ghl.sandbox.nouns import Token
from connectors.ghl.sandbox.requestlog import RequestRecord
from connectors.ghl.sandbox.routes import Operation

if TYPE_CHECKING:
    from connectors.ghl.sandbox.sandbox import Sandbox

VERSIONS = ("v3", "2023-02-21", "2021-07-28", "2021-04-15", "legacy")
# The CDN refuses this client's default signature (docs/ghl.md#versions).
UNWELCOME_AGENTS = ("python-urllib",)
Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(slots=True)
class Request:
    """A request as it came in; header names in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    at: float = 0.0


@dataclass(slots=True)
class Passage:
    """How far a request has come: what is known of it, and its answer once there is one."""

    request: Request
    operation: Operation | None = None
    params: dict[str, str] = field(default_factory=dict)
    version: str = "v2"
    token: Token | None = None
    faults: dict[FaultKind, Fault] = field(default_factory=dict)
    headers: Headers = ()
    limited: bool = False
    reset: bool = False
    answer: Answer | None = None


class Gateway:
    """The ASGI endpoint in front of all operations."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._state = sandbox.state
        self._encode = msgspec.json.Encoder().encode

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = await _read(scope, receive)
        with self._state.lock:
            request.at = self._state.clock()
            passage = self._admit(request)
        delay = self._state.settings.latency_seconds
        slow = passage.faults.get("slow")
        if slow:
            delay += slow.seconds
        if delay > 0:
            await asyncio.sleep(delay)
        with self._state.lock:
            if passage.answer is None and not passage.reset:
                self._perform(passage)
            body = self._finish(passage)
        if passage.reset:
            _reset(scope)
            # The server must see that the connection is lost before it misses an answer.
            await asyncio.sleep(0)
            return
        await _send(send, passage, body)

    # -- before the handler

    def _admit(self, request: Request) -> Passage:
        passage = Passage(request)
        template = request.path
        route = routes.find(request.method, request.path)
        if route is not None:
            passage.operation, passage.params = route
            template = passage.operation.path
        passage.faults = self._sandbox.faults.striking(request.method, template, request.path)
        try:
            self._check(passage)
        except (Refusal, OAuthRefusal) as refusal:
            passage.answer = refusal.answer()
        return passage

    def _check(self, passage: Passage) -> None:
        """Every reason not to reach the handler, in the order in which they are met."""
        request, faults = passage.request, passage.faults
        agent = request.headers.get("user-agent", "").lower()
        if "cdn_block" in faults or agent.startswith(UNWELCOME_AGENTS):
            passage.answer = blocked()
            return
        if "reset_before" in faults:
            passage.reset = True
            return
        operation = passage.operation
        if operation is None:
            raise no_such_route(request.method, request.path)
        passage.version = _version(request, operation)
        if operation.access != "open":
            passage.token = self._token(request)
            self._count(passage, passage.token)
        if operation.only not in (None, passage.version):
            raise no_such_route(request.method, request.path)
        if passage.token is not None:
            _authorise(operation, passage.token, request.at)
        broken = faults.get("status")
        if broken:
            passage.answer = down(broken.status, broken.message)

    def _token(self, request: Request) -> Token:
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not secret:
            raise Refusal(401, "Invalid token: access token is invalid")
        token = self._state.store.table(Token).get(secret.strip())
        if token is None:
            raise Refusal(401, "Invalid JWT")
        return token

    def _count(self, passage: Passage, token: Token) -> None:
        limit = self._state.settings.limit(token.kind)  # type: ignore[arg-type]
        place, now = token.location_id or token.company_id or "-", passage.request.at
        admission = self._sandbox.quotas.admit(token.client, place, limit, now)
        passage.headers = admission.headers
        if admission.allowed and "rate_limited" not in passage.faults:
            return
        passage.limited = True
        if self._state.settings.retry_after:
            wait = self._sandbox.quotas.retry_after(token.client, place, limit, now)
            passage.headers = (*passage.headers, (b"retry-after", b"%d" % wait))
        raise Refusal(429, "Too Many Requests")

    # -- the handler

    def _perform(self, passage: Passage) -> None:
        operation, faults = passage.operation, passage.faults
        if operation is None:
            return
        try:
            call = self._call(passage)
            taken = bend_request(faults, call.body)
            refused = faults.get("refuse_filter")
            if refused and filters_on(call.body.get("filters"), refused.field):
                raise invalid(f"Invalid Operator passed for field {refused.field}")
            answer = operation.handler(call)
            bend_answer(faults, answer.body, taken)
            if "created_but_422" in faults and answer.status < 300:
                answer = invalid("Unprocessable").answer()
        except (Refusal, OAuthRefusal) as refusal:
            answer = refusal.answer()
        passage.answer = answer
        passage.reset = "reset_after" in faults

    def _call(self, passage: Passage) -> Call:
        request, faults = passage.request, passage.faults
        pairs = parse_qsl(request.query, keep_blank_values=True)
        lagging = faults.get("extra_lag")
        return Call(
            state=self._state,
            version=passage.version,
            token=passage.token,
            path=passage.params,
            query=dict(pairs),
            pairs=pairs,
            body=_body(request),
            extra_lag=lagging.seconds if lagging else 0.0,
        )

    # -- after the handler

    def _finish(self, passage: Passage) -> bytes:
        answer = passage.answer
        self._sandbox.log.append(_record(passage))
        if answer is None:
            return b""
        if answer.raw is not None:
            return answer.raw
        answer.body.setdefault("traceId", self._state.new_trace_id())
        body = self._encode(answer.body)
        if "malformed" in passage.faults:
            return body[: len(body) // 2]
        return body


def _version(request: Request, operation: Operation) -> str:
    """Raises Refusal 401 for a missing or unpublished version (docs/ghl.md#versions)."""
    wanted = request.headers.get("version")
    if wanted is None:
        if operation.access == "open":
            return "v2"
        raise Refusal(401, "version header was not found.")
    if wanted not in VERSIONS:
        raise Refusal(401, "version header is invalid")
    return "v3" if wanted == "v3" else "v2"


def _authorise(operation: Operation, token: Token, now: float) -> None:
    """Raises Refusal 401: expired, wrong kind of token, or lacking the scope."""
    if token.revoked or (token.expires is not None and token.expires <= now * 1000):
        raise Refusal(401, "Invalid token: access token is invalid")
    kind = "agency" if token.kind == "agency" else "location"
    if operation.access not in (kind, "both"):
        raise Refusal(401, "This authClass type is not allowed to access this scope.")
    if operation.scope is None or token.scopes is None:
        return
    if operation.scope not in token.scopes:
        raise Refusal(401, "The token is not authorized for this scope.")


def _body(request: Request) -> dict[str, Any]:
    if not request.body or request.method == "GET":
        return {}
    if "form-urlencoded" in request.headers.get("content-type", ""):
        return dict(parse_qsl(request.body.decode(errors="replace"), keep_blank_values=True))
    try:
        parsed = msgspec.json.decode(request.body)
    except msgspec.DecodeError as error:
        raise Refusal(400, f"Unexpected token in JSON: {error}") from error
    if not isinstance(parsed, dict):
        raise Refusal(400, "The body must be a JSON object")
    return parsed


def _record(passage: Passage) -> RequestRecord:
    request = passage.request
    status = 0
    if passage.answer is not None and not passage.reset:
        status = passage.answer.status
    record = RequestRecord(
        at=request.at,
        method=request.method,
        path=passage.operation.path if passage.operation else request.path,
        status=status,
        kind=None,
        client=None,
        location_id=None,
        limited=passage.limited,
        faults=tuple(passage.faults),
    )
    token = passage.token
    if token is None:
        return record
    return replace(record, kind=token.kind, client=token.client, location_id=token.location_id)


async def _read(scope: Scope, receive: Receive) -> Request:
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    return Request(
        scope["method"], scope["path"], scope["query_string"].decode("latin-1"), headers, body
    )


async def _send(send: Send, passage: Passage, body: bytes) -> None:
    answer = passage.answer
    if answer is None:
        return
    headers = [
        (b"content-type", answer.content_type.encode()),
        (b"content-length", b"%d" % len(body)),
        *passage.headers,
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _reset(scope: Scope) -> None:
    """Reset the TCP connection: with a linger time of zero, closing sends RST instead of FIN."""
    transport = scope.get("state", {}).get("transport")
    if transport is None:
        raise ConnectionResetError("the sandbox resets this connection")
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
