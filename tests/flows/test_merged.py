"""A merge as GHL's users make it, between the demo's database and the sandbox over HTTP."""

from __future__ import annotations

from pathlib import Path

from flows.demo.pairfile import LOCATION
from tests.flows.acme import Acme


def test_p6_a_merge_in_ghl_deletes_nobody(tmp_path: Path) -> None:
    """With mirrored deletions, the loser's person, todos and remarks stay in the app, in one question, night after night."""
    acme = Acme.made(tmp_path / "acme", contacts=44)
    text = acme.pair.read_text(encoding="utf-8")
    acme.pair.write_text(
        text.replace(
            'delete = { ghl = "mirror", app = "hold" }',
            'delete = { ghl = "mirror", app = "mirror" }',
        )
    )
    acme.run(verify="none")
    with acme.served() as served:
        sandbox = served.sandbox
        whole = [one for one in sandbox.contacts(LOCATION) if one["email"]]
        busy = {task["contactId"] for task in sandbox.tasks(LOCATION)} & {
            one["id"] for one in whole
        }
        loser = next(one["id"] for one in whole if one["id"] in busy)
        master = next(one["id"] for one in whole if one["id"] != loser)
        before = acme.state(sandbox)
        asked = {hold.hold_id for hold in acme.run(pair=served.pair, verify="none").holds}
        sandbox.merge_contacts(master, loser)
        for _ in range(3):
            night = acme.run(pair=served.pair, verify="none")
            assert not [op for op in night.operations if op.kind in ("create", "delete", "archive")]
        merged = [hold for hold in night.holds if hold.hold_id not in asked]
        assert [(hold.kind, hold.options, hold.values["survivor"]) for hold in merged] == [
            ("delete", ("keep", "delete"), master)
        ]
        question = next(
            q for q in night.told.document["holds"] if q["hold_id"] == merged[0].hold_id
        )
        assert [record["key"] for record in question["candidates"]] == [master]
        after = acme.state(sandbox)
    for part in ("app people", "app todos", "app remarks"):
        assert sum(after[part].values()) == sum(before[part].values())
