"""What strangers can hand to the job, each as a function that takes bytes and must end as the product says it ends."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from connectors.ghl.lines import join, listed, with_parent
from flows.config import load
from flows.triggers.webhooks import Intake
from reconcile.errors import ConfigError, ConnectorError, StateError
from reconcile.ledger.ledger import Ledger
from reconcile.model import Side
from reconcile.plan import planfile
from reconcile.values.codecs import CODECS, codec_named
from reconcile.values.jsonl import hold_line, operation_json
from tests.builders import hold_of, operation_of, plan_of

Take = Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class Target:
    """Good inputs to begin with, and what is done with an input. `take` raises only where the product is wrong."""

    seeds: Sequence[bytes]
    take: Take


def _expect(holds: bool, error: Exception) -> None:
    if not holds:
        raise AssertionError(f"an error that does not say enough: {error}") from error


@contextmanager
def codecs(_: Path) -> Iterator[Target]:
    """Any text in a field ends as a cell that reads as itself, or as a fault, on both sides, in every codec."""
    made = {
        name: codec_named(name, region="US", timezone="Europe/Berlin", choices={"open": "false"})
        for name in CODECS
    }

    def take(raw: bytes) -> None:
        text = raw.decode("utf-8", "replace")
        for name, codec in made.items():
            for side in Side:
                cell = codec.decode([text], side)
                assert cell != "", name
                assert cell is None or codec.reread(cell, side) == cell, name
                codec.fault(cell)
                codec.encode(cell, side, 1)

    seeds = [
        b"ann@example.com",
        "łukasz@exämple.fr".encode(),
        b"(888) 555-1212 ext 7",
        b"2024-02-29T10:00:00+02:00",
        b"29.02.2024",
        b"1.234,56",
        b'["a", "b"]',
        b"a;b, c",
        b"<p>met her <b>at</b> the fair &amp; more</p><br>",
        b"yes",
        b"open",
    ]
    yield Target(seeds, take)


@contextmanager
def webhooks(folder: Path) -> Iterator[Target]:
    """Whatever is signed ends as an answer; what is not an answer of 200 leaves no trace in the ledger."""
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    now = datetime(2026, 1, 2, tzinfo=UTC)
    ledger = Ledger(f"sqlite:///{folder}/ledger.db", "p")
    intake = Intake({"loc": ledger}, key=base64.b64encode(public).decode(), clock=lambda: now)

    def take(raw: bytes) -> None:
        answer = intake.take(raw, base64.b64encode(key.sign(raw)).decode())
        assert answer.status in (200, 400, 404), answer
        unsigned = intake.take(raw, base64.b64encode(raw[:64]).decode())
        assert unsigned.status == 401

    body = {
        "type": "ContactUpdate",
        "locationId": "loc",
        "webhookId": "w1",
        "timestamp": "2026-01-02T00:00:00.000Z",
        "id": "c1",
        "tags": ["a"],
    }
    seeds = [
        json.dumps(body).encode(),
        json.dumps(body | {"type": "TaskCreate", "contactId": "c2", "id": "t"}).encode(),
        json.dumps(body | {"timestamp": 1_767_312_000_000}).encode(),
    ]
    yield Target(seeds, take)
    ledger.close()


@contextmanager
def pair_files(folder: Path) -> Iterator[Target]:
    """Any file ends as a pair, or as a list of problems that each say what to do."""
    path = folder / "pair.toml"

    def take(raw: bytes) -> None:
        path.write_bytes(raw)
        try:
            load(path, environ={"T": "pit-1", "U": "sqlite:///app.db"})
        except ConfigError as error:
            _expect(bool(error.problems) and all(each.remedy for each in error.problems), error)

    yield Target([_PAIR, _PAIR_OF_FILES, _PAIR_OF_AN_API], take)


_PAIR = b"""
pair = "acme"
region = "US"
timezone = "Europe/Berlin"
[app]
url = "env:U"
[app.contact]
table = "people"
modified_at = "updated_at"
tags = { column = "labels", form = "delimited", delimiter = ";" }
[app.task]
table = "todos"
parent = "person_id"
[ghl]
url = "sandbox:ghl.db"
location = "loc1"
notes_budget = 50
[contact]
match = ["email", ["last_name", "postal_code"]]
delete = { ghl = "mirror", app = "hold" }
exclude = [{ field = "company", equals = "ACME" }]
[contact.fields]
email = "email"
phone = { ghl = "phone", blank = "clear", conflict = "newest" }
last_name = { ghl = "lastName" }
postal_code = "postalCode"
company = { ghl = "companyName", flow = "app->ghl" }
labels = "tags"
[task.fields]
what = { ghl = "title", required = true }
state = { ghl = "completed", choices = { open = false, done = true } }
[limits]
max_deletes = 10
[apply]
max_minutes = 30
"""

_PAIR_OF_FILES = b"""
pair = "files"
[app.contact]
path = "people-*.csv"
key = "id"
[app]
connector = "files"
folder = "data"
[ghl]
token = "env:T"
location = "loc1"
[contact.fields]
name = { ghl = ["firstName", "lastName"], codec = "name" }
"""

_PAIR_OF_AN_API = b"""
pair = "api"
[app]
connector = "rest"
url = "https://api.example.com/v1"
auth = { kind = "bearer", token = "env:T" }
[app.contact]
path = "/people"
items = "data"
params = { limit = 100 }
page = { kind = "cursor", param = "after", next = "paging.next" }
[ghl]
token = "env:T"
location = "loc1"
[contact.fields]
email = "email"
"""


@contextmanager
def plan_files(folder: Path) -> Iterator[Target]:
    """Any file ends as a plan with its lines, or as a StateError that names the file and the line."""
    path = folder / "plan.jsonl"
    plan = planfile.write(
        folder / "seed.jsonl",
        plan_of(),
        [operation_json(operation_of()), hold_line(hold_of())],
    )
    assert plan.digest
    seed = (folder / "seed.jsonl").read_bytes()

    def take(raw: bytes) -> None:
        path.write_bytes(raw)
        for reading in (planfile.read, planfile.digest, planfile.operations, planfile.holds):
            try:
                read = reading(path)
                if isinstance(read, Iterator):
                    list(read)
            except StateError as error:
                _expect("plan.jsonl" in str(error), error)

    yield Target([seed], take)


@contextmanager
def json_pages(_: Path) -> Iterator[Target]:
    """Any body of GHL's ends as rows whose lines are JSON, one each, or as a ConnectorError."""

    def take(raw: bytes) -> None:
        for member in ("contacts", "tasks", "notes"):
            with suppress(ConnectorError):
                rows = listed(raw, member)
                for line in join(with_parent(row, "c1") for row in rows).splitlines():
                    json.loads(line)

    contact = {"id": "c1", "email": "a@x.com", "searchAfter": [1, "c1"], "customFields": []}
    seeds = [
        json.dumps({"contacts": [contact, contact | {"id": "c2"}], "total": 2}).encode(),
        json.dumps({"tasks": [{"id": "t", "contactId": None, "title": "x"}]}, indent=1).encode(),
        json.dumps({"notes": [{"id": "n", "body": "<p>é</p>"}]}).encode(),
    ]
    yield Target(seeds, take)


TARGETS = {
    "codecs": codecs,
    "webhooks": webhooks,
    "pair files": pair_files,
    "plan files": plan_files,
    "JSON pages": json_pages,
}
