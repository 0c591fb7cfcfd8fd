"""Fills a ledger with what both sides held the day before, as if the job had settled it."""

from __future__ import annotations

import shutil
from pathlib import Path

from benchmarks.world import TAKEN_AT, World, mapping
from reconcile.ledger import runs
from reconcile.ledger.ledger import Ledger, PairState
from reconcile.link.cells import make_cells
from reconcile.link.link import keep_base
from reconcile.model import Entity, Side
from reconcile.stage.quoting import literal
from reconcile.stage.stage import Stage

NAMES = (
    "entity", "link_id", "app_key", "ghl_key", "how", "since_run", "app_digest", "ghl_digest", "app_cells", "ghl_cells",
    "app_modified", "ghl_modified", "app_absent", "ghl_absent", "codecs",
)  # fmt: skip


def open_ledger(folder: Path) -> Ledger:
    """The benchmark's ledger in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    return Ledger(f"sqlite:///{folder / 'ledger.db'}", "bench")


def remember(world: World) -> None:
    """Link every contact of the base, with digests and values as they were."""
    ledger, contacts = open_ledger(world.folder), mapping()[Entity.CONTACT]
    folder = world.folder / "seed"
    with Stage(folder, memory_limit="4GB", beside=[world.folder]) as stage:
        for side in Side:
            world.stage(stage, side, f"base_{side}")
            make_cells(stage, contacts, side)
        stage.run(f"ATTACH {literal(str(world.folder / 'wide.duckdb'))} AS wide (READ_ONLY)")
        named = list(enumerate((field.name for field in contacts.fields), start=1))
        cells = {
            side: f"json_object({', '.join(f'{literal(name)}, {side}.cells[{at}]' for at, name in named)})"
            for side in Side
        }
        rows = (
            f"SELECT 'contact', md5('contact' || chr(31) || 'app' || chr(31) || app.key)[1:20], app.key, ghl.key, 'email', 'seed', "
            f"app.digest, ghl.digest, {cells[Side.APP]}::VARCHAR, {cells[Side.GHL]}::VARCHAR, app.modified_at, ghl.modified_at, 0, 0, {literal(contacts.codecs)} "
            "FROM wide.base b JOIN cell_contact_app app ON app.key = b.app_id JOIN cell_contact_ghl ghl ON ghl.key = b.ghl_id"
        )
        runs.start(ledger, "seed", "nightly", at=TAKEN_AT)
        with ledger.transaction() as connection:
            ledger.insert_links(connection, NAMES, stage.stream(rows))
            runs.mark_within(connection, "seed", state="settled", generation=0)
            ledger.advance(
                connection,
                PairState(1, None, None, mapping().digest, stage.digest_kind, mapping().codecs),
            )
        keep_base(stage, ledger, [Entity.CONTACT], world.folder / "links")
    ledger.close()
    shutil.rmtree(folder)
