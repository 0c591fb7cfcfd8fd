"""Webhooks: only genuine, recent, first deliveries leave a hint, and the hint leads the next look."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from flows.triggers.webhooks import (
    LARGEST,
    MAX_AGE,
    PUBLIC_KEY,
    SIGNATURE,
    Intake,
    key_of,
    make_app,
)
from reconcile.errors import ConfigError
from reconcile.ledger import hints
from reconcile.ledger.ledger import Ledger
from tests.builders import empty_ledger

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Desk:
    """An intake for one location with a key of the test's own."""

    def __init__(self, ledger: Ledger) -> None:
        self.private = Ed25519PrivateKey.generate()
        public = self.private.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )
        self.now = NOW
        self.ledger = ledger
        self.told: list[tuple[str, list[str]]] = []
        self.intake = Intake(
            {"loc1": ledger},
            key=base64.b64encode(public).decode(),
            notify=lambda location, contacts: self.told.append((location, contacts)),
            clock=lambda: self.now,
        )
        self.app = make_app(self.intake)

    def body(self, **members: Any) -> bytes:
        plain = {"type": "ContactUpdate", "locationId": "loc1", "id": "c1", "webhookId": "w1"}
        return json.dumps(plain | {"timestamp": self.now.isoformat()} | members).encode()

    def send(self, body: bytes, signature: str | None = None) -> tuple[int, bool]:
        signed = (
            base64.b64encode(self.private.sign(body)).decode() if signature is None else signature
        )
        answer = asyncio.run(self._post(body, {SIGNATURE: signed}))
        return answer.status_code, answer.json()["kept"]

    async def _post(self, body: bytes, headers: dict[str, str]) -> httpx.Response:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app), base_url="http://intake"
        ) as client:
            return await client.post("/", content=body, headers=headers)

    def hints(self) -> list[str]:
        return hints.hinted(self.ledger)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    (tmp_path / "ledger.db").write_bytes(empty_ledger())
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}", "acme")
    yield Desk(ledger)
    ledger.close()


def test_a_genuine_delivery_leaves_a_hint(desk: Desk) -> None:
    """A signed webhook about a contact marks that contact to be looked at next, and is announced."""
    assert desk.send(desk.body()) == (200, True)
    assert desk.hints() == ["c1"]
    assert desk.told == [("loc1", ["c1"])]


def test_a_note_and_a_task_name_their_contact(desk: Desk) -> None:
    """NoteCreate and TaskComplete hint at their contact; a TaskCreate without one is taken and hints at nothing."""
    assert desk.send(desk.body(type="NoteCreate", id="n1", contactId="c2", webhookId="w2")) == (
        200,
        True,
    )
    assert desk.send(desk.body(type="TaskComplete", id="t1", contactId="c3", webhookId="w3")) == (
        200,
        True,
    )
    assert desk.send(desk.body(type="TaskCreate", id="t2", webhookId="w4")) == (200, False)
    assert desk.hints() == ["c2", "c3"]


@pytest.mark.parametrize("signature", ["", "not base64!", base64.b64encode(b"x" * 64).decode()])
def test_a_wrong_signature_is_refused(desk: Desk, signature: str) -> None:
    """Without the right signature over the very bytes nothing is kept."""
    assert desk.send(desk.body(), signature) == (401, False)
    assert desk.hints() == []


def test_a_changed_body_is_refused(desk: Desk) -> None:
    """The signature is over the raw body: one changed byte, and it is refused."""
    body = desk.body()
    signed = base64.b64encode(desk.private.sign(body)).decode()
    assert desk.send(body.replace(b"c1", b"c9"), signed) == (401, False)
    assert desk.send(body + b" ", signed) == (401, False)
    assert desk.hints() == []


def test_a_repetition_counts_once(desk: Desk) -> None:
    """The same delivery again is answered 200, so that GHL stops, and leaves no second hint; also after a restart."""
    body = desk.body()
    assert desk.send(body) == (200, True)
    with desk.ledger.transaction() as connection:
        hints.checked(desk.ledger, connection, ["c1"], at="2026-11-23T12:30:00.000Z")
    desk.now += timedelta(hours=1)
    assert desk.send(body) == (200, False)
    assert desk.hints() == []
    assert len(desk.told) == 1


@pytest.mark.parametrize(
    "stamp",
    [
        (NOW - MAX_AGE - timedelta(seconds=1)).isoformat(),
        (NOW + timedelta(hours=1)).isoformat(),
        int((NOW - timedelta(days=30)).timestamp() * 1000),
        "yesterday",
        None,
        10**30,
    ],
)
def test_an_old_delivery_is_refused(desk: Desk, stamp: object) -> None:
    """What is older than GHL repeats, dated ahead, or not dated is refused, however genuine."""
    assert desk.send(desk.body(timestamp=stamp)) == (400, False)
    assert desk.hints() == []


def test_an_old_delivery_cannot_wait_until_it_is_forgotten(desk: Desk) -> None:
    """A delivery is remembered for as long as its age would let it pass."""
    body = desk.body()
    assert desk.send(body) == (200, True)
    desk.now += MAX_AGE
    desk.send(desk.body(webhookId="w2"))
    assert desk.send(body) == (200, False)
    desk.now += timedelta(seconds=1)
    assert desk.send(body) == (400, False)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"webhookId": 5, "locationId": "loc1", "timestamp": 1}', b"\xff"]
)
def test_what_is_no_webhook_is_refused(desk: Desk, body: bytes) -> None:
    """A signed body that is not a webhook is answered 400."""
    assert desk.send(body) == (400, False)


def test_another_location_is_refused(desk: Desk) -> None:
    """A webhook of a location without a pair here is answered 404."""
    assert desk.send(desk.body(locationId="loc2")) == (404, False)


def test_a_huge_body_is_refused(desk: Desk) -> None:
    """A body of more than a megabyte is not read to its end."""
    assert desk.send(b"x" * (LARGEST + 1)) == (413, False)


def test_key() -> None:
    """GHL's own key loads; what is no Ed25519 key is refused with a remedy."""
    assert key_of(PUBLIC_KEY).public_bytes_raw().hex().startswith("8b61d1d6")
    with pytest.raises(ConfigError, match="Ed25519"):
        key_of("AAAA")


@pytest.mark.parametrize(
    "body",
    [
        *(b"[" * 100_000, b'{"a":' * 50_000, b"1" * 5_000, b"\xff\xfe", b"null"),
        b'{"webhookId": "\\ud83d", "locationId": "loc1", "timestamp": 1}',
        b'{"webhookId": "w", "locationId": "loc1", "timestamp": 1e400}',
        b'{"webhookId": "w", "locationId": "loc1", "timestamp": NaN}',
    ],
)
def test_a_signed_body_of_any_kind_is_answered(desk: Desk, body: bytes) -> None:
    """Deep, huge or broken JSON is refused with 400, and the next delivery is taken."""
    assert desk.send(body) == (400, False)
    assert desk.send(desk.body()) == (200, True)


def test_a_ledger_that_cannot_be_written_is_told_without_its_values(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """GHL is asked to send it again, and the log holds no value of the statement."""

    def full(*_: object, **__: object) -> None:
        raise sa.exc.OperationalError(
            "INSERT", {"key": "c1-Zqx"}, Exception("database or disk is full")
        )

    monkeypatch.setattr("reconcile.ledger.deliveries.take", full)
    assert desk.send(desk.body(id="c1-Zqx")) == (503, False)
    assert "Zqx" not in caplog.text + "".join(str(vars(record)) for record in caplog.records)


def test_a_slow_body_is_not_waited_for(desk: Desk) -> None:
    """A sender that stops in mid-body is answered 408; none of it is kept."""
    app = make_app(desk.intake, slowest=0.01)

    async def never() -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "headers": [],
        "query_string": b"",
        "app": app,
    }
    asyncio.run(app(scope, never, send))  # type: ignore[arg-type]
    assert sent[0]["status"] == 408
