"""Run inside the tree of an earlier version: two nights of a small world, left in the folder that is named."""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
from pathlib import Path
from typing import Any

from reconcile.model import Entity, Side
from tests.builders import World

try:
    from tests.flows.nights import night
except ImportError:  # the very first versions had no nights in their tests

    def night(world: World) -> Any:
        """One run."""
        return world.run()


def main(folder: Path) -> None:
    """Leave ledger.db, sides.json and the newest run."""
    with World(limits={"max_first_creates": 100}) as world:
        _nights(world)
        rows = {
            side.value: {
                entity.value: [
                    [key, dict(record.fields), record.parent]
                    for key, record in sorted(world.sides[side].rows(entity).items())
                ]
                for entity in (Entity.CONTACT, Entity.TASK, Entity.NOTE)
            }
            for side in Side
        }
        folder.mkdir(parents=True)
        (folder / "sides.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
        newest = max((world.folder / "runs").glob("*"), key=lambda path: path.stat().st_mtime)
        shutil.copytree(newest, folder / "runs" / newest.name)
        world.ledger.close()
        with sqlite3.connect(world.folder / "ledger.db") as ledger:
            ledger.execute("PRAGMA journal_mode=DELETE")
            ledger.execute("VACUUM")
        shutil.copy(world.folder / "ledger.db", folder / "ledger.db")


def _nights(world: World) -> None:
    """Ann, Bob with a task and a note, and Dee are linked; then Ann changes, and of Dee both sides change the company."""
    app, ghl = world.app, world.ghl
    ann = app.put(
        Entity.CONTACT,
        {"first_name": "Ann", "email": "Ann@x.com", "phone": "(888) 555-1212", "tags": ["VIP"]},
    )
    bob = app.put(Entity.CONTACT, {"first_name": "Bob", "email": "bob@x.com"})
    dee = ghl.put(Entity.CONTACT, {"first_name": "Dee", "email": "dee@x.com", "company": "D"})
    due = {"title": "Call", "due": "2026-01-02T10:00:00Z", "completed": False}
    app.put(Entity.TASK, due, parent=bob)
    app.put(Entity.NOTE, {"body": "met at the fair"}, parent=bob)
    night(world)
    there = {
        str(record.fields["first_name"]): key for key, record in app.rows(Entity.CONTACT).items()
    }
    app.edit(Entity.CONTACT, ann, {"company": "ACME"})
    app.edit(Entity.CONTACT, there["Dee"], {"company": "From the app"})
    ghl.edit(Entity.CONTACT, dee, {"company": "From GHL"})
    night(world)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
