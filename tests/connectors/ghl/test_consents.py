"""A channel's "do not disturb" is read and written by itself, in both versions, and the other channels stay."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from connectors.contract.shapes import read_with_duckdb
from connectors.ghl.consents import INFO, members
from connectors.ghl.sandbox.dto import V2_CHANNELS, V3_CHANNELS
from connectors.ghl.shapes import record, shape_of
from reconcile.model import Entity, OpKind, Status
from reconcile.ports import Page, Proof, Write
from reconcile.stage.shaping import raw_rows
from tests.connectors.ghl.hosted import LOCATION, VERSIONS, Hosted, hosted, unlimited

C = Entity.CONTACT
NATIVE = {C: ("email", *INFO)}
OUTBOUND = tuple(name for name in INFO if name != "dnd.inbound")
HELD = {
    "SMS": {"status": "inactive", "message": "asked by phone", "code": "7"},
    "Email": {"status": "active", "message": "unsubscribed", "code": "42"},
    "Call": {"status": "permanent"},
}


def change(key: str, **statuses: str) -> Write:
    """The channels to set, by the ends of their names."""
    fields = {f"dnd.{name}": status for name, status in statuses.items()}
    return Write("u", OpKind.UPDATE, C, key, fields=fields)


def settings(host: Hosted, key: str) -> dict[str, Any]:
    """The channels that GHL holds."""
    return dict(host.sandbox.state.contacts[key].dnd_settings)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("replaces", [True, False], ids=["replaces", "merges"])
def test_one_channel_is_written_and_the_others_stay(version: str, replaces: bool) -> None:
    """Whatever GHL does with channels that are not sent: no other channel's no, and no message and code of it, is lost."""
    with hosted(unlimited(replaces_dnd=replaces), fields=NATIVE, version=version) as host:
        key = host.sandbox.seed_contact(LOCATION, email="a@x.com", dndSettings=HELD)
        (reply,) = host.connector.write([change(key, sms="active", whatsapp="active")])
        assert reply.status is Status.DONE
        assert reply.record is not None
        assert reply.record.fields["dnd.sms"] == "active"
        assert settings(host, key) == {
            **HELD,
            "SMS": {"status": "active", "message": "asked by phone", "code": "7"},
            "WhatsApp": {"status": "active"},
        }


@pytest.mark.parametrize("version", VERSIONS)
def test_a_no_for_good_is_lifted_by_no_write(version: str) -> None:
    """The connector itself refuses it, whatever a plan says, and passes a plain no over it as the one for good that it is."""
    with hosted(unlimited(replaces_dnd=False), fields=NATIVE, version=version) as host:
        key = host.sandbox.seed_contact(LOCATION, email="a@x.com", dndSettings=HELD)
        (reply,) = host.connector.write([change(key, call="inactive")])
        assert (reply.status, reply.code) == (Status.REJECTED, "PERMANENT")
        list(host.connector.write([change(key, call="active")]))
        assert settings(host, key) == HELD


@pytest.mark.parametrize("version", VERSIONS)
def test_a_new_contact_says_it_at_once(version: str) -> None:
    """A create carries the channels and the inbound one by this version's names."""
    with hosted(fields=NATIVE, version=version) as host:
        fields = dict.fromkeys(INFO, "active") | {"email": "a@x.com"}
        (reply,) = host.connector.write([Write("c", OpKind.CREATE, C, fields=fields)])
        assert reply.status is Status.DONE
        assert reply.key
        assert settings(host, reply.key) == {name: {"status": "active"} for name in V2_CHANNELS}
        read = host.connector.read(C, reply.key)
        assert read is not None
        assert {read.fields[name] for name in INFO} == {"active"}


@pytest.mark.parametrize("version", VERSIONS)
def test_inbound_is_apart(version: str) -> None:
    """It is written by itself, and where search carries it, read in bulk like the others."""
    with hosted(
        unlimited(inbound_in_search=True, lag_seconds=0.0), fields=NATIVE, version=version
    ) as host:
        key = host.sandbox.seed_contact(LOCATION, email="a@x.com", dndSettings=HELD)
        list(host.connector.write([change(key, inbound="active")]))
        assert settings(host, key) == HELD
        pages = [p for p in host.connector.extract(C) if not isinstance(p, Proof)]
        assert b'"inboundDndSettings":{"all":{"status":"active"}}' in pages[0].lines


def test_a_no_that_comes_between_read_and_write_stays() -> None:
    """Another channel's yes, as it was read, is not sent along: somebody may have written STOP meanwhile."""
    held = {"SMS": {"status": "inactive"}, "Email": {"status": "active"}}
    body = members({"dnd.call": "active"}, "2021-07-28", {"dndSettings": held}, whole=True)
    assert body == {"dndSettings": {"Email": {"status": "active"}, "Call": {"status": "active"}}}
    with hosted(unlimited(replaces_dnd=False), fields=NATIVE) as host:
        key = host.sandbox.seed_contact(LOCATION, email="a@x.com", dndSettings=held)
        host.connector.api.call(
            "contact.update", {"contact": key}, body={"dndSettings": {"SMS": {"status": "active"}}}
        )
        host.connector.api.call("contact.update", {"contact": key}, body=body)
        assert settings(host, key)["SMS"] == {"status": "active"}


def test_part_of_the_channels_is_sent_where_the_pair_file_says_so() -> None:
    """With `dnd_writes = "part"` the other channels are not sent: where GHL keeps them, nothing can be set back to what it was."""
    told = unlimited(replaces_dnd=True)
    with hosted(told, fields=NATIVE, dnd_writes="part") as host:
        key = host.sandbox.seed_contact(LOCATION, email="a@x.com", dndSettings=HELD)
        list(host.connector.write([change(key, sms="active")]))
        assert set(settings(host, key)) == {"SMS", "Call"}


def _told(version: str, says: dict[str, Any]) -> dict[str, Any]:
    keys = dict(zip(V2_CHANNELS, V3_CHANNELS, strict=True)) if version == "v3" else {}
    settings = {keys.get(name, name): entry for name, entry in says["settings"].items()}
    return {"id": "c1", "dnd": says.get("dnd"), "dndSettings": settings}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("says", "wanted"),
    [
        ({"settings": {"SMS": {"status": "active"}}, "dnd": False}, "active"),
        ({"settings": {"SMS": {"status": "inactive"}}, "dnd": False}, "inactive"),
        ({"settings": {"SMS": {"status": "inactive"}}, "dnd": True}, "true"),
        ({"settings": {"SMS": {"status": "permanent"}}, "dnd": True}, "permanent"),
        ({"settings": {}, "dnd": True}, "true"),
        ({"settings": {}, "dnd": False}, None),
    ],
    ids=["a channel's no", "a yes", "a no to all", "a no for good", "a no to all alone", "nothing"],
)
def test_what_says_no_most_is_read(
    version: str, says: dict[str, Any], wanted: str | None, tmp_path: Path
) -> None:
    """A no for good before one to all channels before the channel's own word; in Python and in DuckDB."""
    shape = shape_of(C, ("dnd.sms",), {})
    found = _told(version, says)
    assert record(found, shape).fields["dnd.sms"] == (wanted == "true" or wanted)
    page = Page((json.dumps(found) + "\n").encode(), 1)
    assert read_with_duckdb(shape, [page], tmp_path)[0]["dnd.sms"] == (wanted == "true" or wanted)
    spool = tmp_path / "spool.jsonl"
    spool.write_bytes(page.lines)
    with duckdb.connect() as sql:
        assert sql.execute(
            f"SELECT r0 FROM ({raw_rows(spool, ['dnd.sms'], shape)})"
        ).fetchall() == [(wanted,)]
