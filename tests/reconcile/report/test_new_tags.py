"""Tags that a plan brings to GHL and that no contact has there yet."""

from __future__ import annotations

import io
from pathlib import Path

from flows.commands.show import tell_run
from flows.terminal import Console
from reconcile.model import Entity, Side
from reconcile.report.document import document
from tests.builders import World
from tests.builders_world import seen


def test_tags_that_are_new_in_ghl_are_named_before_they_are_made(tmp_path: Path) -> None:
    """With how many contacts get them: those of a contact that did not change count as known, in whatever spelling."""
    with World() as world:
        world.ghl.put(Entity.CONTACT, {"email": "zoe@x.com", "tags": ["Known"]})
        world.run()
        for name in ("ann", "bob"):
            fields = {"email": f"{name}@x.com", "tags": ["known", "Fresh"]}
            world.app.put(Entity.CONTACT, fields)
        (zoe,) = [key for key, row in world.cells(Side.APP).items() if row["email"] == "zoe@x.com"]
        world.app.edit(Entity.CONTACT, zoe, {"tags": ["known", "vip"]})
        with seen(world, apply=False) as found:
            planned = document(found.stage, found.run.mapping, found.about)
        assert planned["quality"]["new_tags"] == [
            {"tag": "fresh", "contacts": 2},
            {"tag": "vip", "contacts": 1},
        ]
        told = io.StringIO()
        tell_run(Console(file=told, width=200), planned, pair=tmp_path)
        assert "Tags that no contact in GHL had before: “fresh” (2), “vip” (1)." in told.getvalue()
        with seen(world) as found:
            document(found.stage, found.run.mapping, found.about)
        with seen(world, apply=False) as found:
            again = document(found.stage, found.run.mapping, found.about)
        assert again["quality"]["new_tags"] == []
