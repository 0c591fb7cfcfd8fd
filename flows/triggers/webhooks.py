"""Takes GHL's webhooks.

Verifies each, refuses old and repeated ones, and notes which contacts to look at next; never more
than a hint.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from flows.clock import moment
from flows.errors import reason
from reconcile.errors import ConfigError, Problem
from reconcile.ledger import deliveries
from reconcile.ledger.ledger import Ledger

log = logging.getLogger("flows.triggers.webhooks")

PUBLIC_KEY = "MCowBQYDK2VwAyEAi2HR1srL4o18O8BRa7gVJY7G7bupbN3H9AwJrHCDiOg="
"""GHL's key for X-GHL-Signature (docs/ghl.md#webhooks)."""

SIGNATURE = "X-GHL-Signature"

MAX_AGE = timedelta(days=4)
"""GHL repeats a failed delivery for up to three days (docs/ghl.md#webhooks).

What is older is a replay.
"""

AHEAD = timedelta(minutes=10)
"""How far a delivery may be dated ahead of our clock."""

LARGEST = 1_000_000
"""Bytes: a webhook is a few kilobytes."""

SLOWEST = 5.0
"""Seconds that a body may take."""

Notify = Callable[[str, list[str]], None]
"""Told the location and the contacts of each hint that was kept.

It is for whoever wants to start a delta at once.
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered: an HTTP status, whether a hint was kept, and why not."""

    status: int
    kept: bool = False
    why: str = ""


def key_of(text: str) -> Ed25519PublicKey:
    """An Ed25519 public key in base64 (SPKI). Raises ConfigError for anything else."""
    try:
        key = load_der_public_key(base64.b64decode(text, validate=True))
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PublicKey):
        what = "the public key is not an Ed25519 key in base64 (SPKI)"
        raise ConfigError([Problem("webhooks --key", what, "leave it out to use GHL's own")])
    return key


class Intake:
    """Takes deliveries for the locations whose ledgers it is given.

    `clock` gives the present moment, aware.
    """

    def __init__(
        self,
        ledgers: Mapping[str, Ledger],
        *,
        key: str = PUBLIC_KEY,
        notify: Notify | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._ledgers = ledgers
        self._key = key_of(key)
        self._notify = notify
        self._clock = clock

    def take(self, body: bytes, signature: str) -> Answer:
        """Judge one delivery and keep its hint. What is refused leaves no trace."""
        if not self._genuine(body, signature):
            return Answer(401, why=f"the {SIGNATURE} header does not sign this body")
        delivery = _parsed(body)
        if delivery is None:
            return Answer(
                400, why="a JSON object was expected, with webhookId, timestamp and locationId"
            )
        # Only now: whoever has no signature learns of no location whether it is looked after here.
        ledger = self._ledgers.get(delivery["locationId"])
        if ledger is None:
            return Answer(404, why="this location is not looked after here")
        now = self._clock()
        sent = _instant(delivery["timestamp"])
        if sent is None or not now - MAX_AGE <= sent <= now + AHEAD:
            return Answer(400, why="too old, or dated ahead")
        return self._keep(ledger, delivery, now)

    def _genuine(self, body: bytes, signature: str) -> bool:
        try:
            self._key.verify(base64.b64decode(signature, validate=True), body)
        except (InvalidSignature, ValueError):
            return False
        return True

    def _keep(self, ledger: Ledger, delivery: Mapping[str, Any], now: datetime) -> Answer:
        contacts = contacts_of(delivery)
        first = deliveries.take(
            ledger,
            delivery["webhookId"],
            contacts,
            at=moment(now),
            forget_before=moment(now - MAX_AGE - AHEAD),
        )
        if not first:
            return Answer(200, why="this delivery was taken before")
        log.info(
            "webhook",
            extra={"type": delivery.get("type"), "pair": ledger.pair, "contacts": len(contacts)},
        )
        if contacts and self._notify is not None:
            self._notify(delivery["locationId"], contacts)
        if not contacts:  # answered as taken all the same: else GHL sends it for three days
            return Answer(200, why="it names no contact")
        return Answer(200, kept=True)


def contacts_of(delivery: Mapping[str, Any]) -> list[str]:
    """The contacts that a webhook is about: itself, or the one it names.

    A TaskCreate may name none (docs/ghl.md#webhooks).
    """
    keys = [delivery.get("contactId")]
    if str(delivery.get("type") or "").startswith("Contact"):  # of others, `id` is their own
        keys.append(delivery.get("id"))
    named = [key for key in keys if isinstance(key, str) and key]
    return list(dict.fromkeys(named))


def _parsed(body: bytes) -> dict[str, Any] | None:
    try:
        delivery = json.loads(body)
        # Half a character is none that a database takes.
        json.dumps(delivery, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    if not isinstance(delivery, dict):
        return None
    ids = [delivery.get(name) for name in ("webhookId", "locationId")]
    whole = all(isinstance(each, str) and each for each in ids)
    if whole and "timestamp" in delivery:
        return delivery
    return None


def _instant(value: object) -> datetime | None:
    """A time as GHL may write it: ISO 8601, or milliseconds since the epoch."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1000, UTC)
        at = datetime.fromisoformat(str(value))
    except (ValueError, OverflowError, OSError):
        return None
    if at.tzinfo:
        return at
    return at.replace(tzinfo=UTC)


async def _whole(request: Request) -> bytes | None:
    """The body; None where it is larger than any webhook."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LARGEST:
            return None
    return body


def make_app(intake: Intake, *, slowest: float = SLOWEST) -> Starlette:
    """The ASGI app: POST / takes a webhook, GET /health answers 200.

    A body is waited for `slowest` seconds.
    """

    async def deliver(request: Request) -> JSONResponse:
        try:
            async with asyncio.timeout(slowest):
                body = await _whole(request)
        except TimeoutError:
            return JSONResponse({"kept": False, "why": "too slow"}, 408)
        except ClientDisconnect:
            return JSONResponse({"kept": False, "why": "gone"}, 400)
        if body is None:
            return JSONResponse({"kept": False, "why": "too large"}, 413)
        try:
            answer = await run_in_threadpool(intake.take, body, request.headers.get(SIGNATURE, ""))
        # One delivery stops no other; GHL repeats what is answered so. A traceback may hold values.
        except Exception as error:  # noqa: BLE001
            log.error("the delivery was not kept", extra={"why": reason(error)})  # noqa: TRY400
            answer = Answer(503, why="it could not be kept: send it again")
        return JSONResponse({"kept": answer.kept, "why": answer.why}, answer.status)

    async def health(_: Request) -> JSONResponse:
        return JSONResponse({"ok": True})

    return Starlette(routes=[Route("/", deliver, methods=["POST"]), Route("/health", health)])
