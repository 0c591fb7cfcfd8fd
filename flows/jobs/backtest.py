"""Tries a changed pair file on what the last runs saw.

No request, no write, no lease, and nothing of it is kept.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from flows.config import Pair
from flows.state.imprints import trusted
from flows.state.stores import runs_folder
from reconcile.errors import StateError
from reconcile.ledger import runs
from reconcile.ledger.ledger import Ledger
from reconcile.plan.limits import Limits
from reconcile.plan.references import with_directories
from reconcile.stage.archive import MANIFEST, TOLD, Archived
from reconcile.stage.stage import Stage
from reconcile.undo.backtest import Difference, backtest

WHOLE = ("nightly", "plan", "audit", "migrate")
"""Jobs whose runs read both sides whole."""


def backtests(pair: Pair, ledger: Ledger, count: int) -> Iterator[Difference]:
    """How the plans of the last `count` archived runs would have differed, newest first.

    Raises StateError where there is none.
    """
    number = 0
    for row in runs.runs(ledger, limit=10_000):
        if row.job not in WHOLE:
            continue
        folder = trusted(pair, ledger, runs_folder(pair) / row.run_id)
        if not (folder / MANIFEST).exists() or not (folder / "planned.parquet").exists():
            continue
        yield _one(pair, ledger, row.run_id, folder)
        number += 1
        if number == count:
            return
    if not number:
        raise StateError(
            "no earlier run left an archive to try the pair file on",
            remedy="make a plan or a run first",
            code="NO_ARCHIVE",
        )


def _one(pair: Pair, ledger: Ledger, run_id: str, folder: Path) -> Difference:
    with (
        tempfile.TemporaryDirectory(prefix="backtest-") as scratch,
        Archived(folder) as archived,
        Stage(Path(scratch), beside=[folder]) as stage,
    ):
        stage.expect(*folder.iterdir())
        then = archived.manifest
        located = pair.located(*(then.get(name) for name in TOLD))
        mapping = with_directories(located, ledger)
        return backtest(archived, mapping, stage, limits=Limits(**pair.limits), run_id=run_id)
