"""Copies what a run leaves behind to the pair's store where that is an object store, so that a worker's own disk may be lost."""

from __future__ import annotations

import logging
from pathlib import Path

import fsspec

from flows.config.pair import Pair

log = logging.getLogger("flows.keeping")

KEPT = ("*.parquet", "plan.jsonl", "report.*", "cutover.*")
"""Snapshots, plan, outcomes and reports; the stage itself is thrown away with the disk."""


def keep(pair: Pair, folder: Path) -> list[str]:
    """Copy a run's files under the store, by run id; returns where they went. Nothing where the store is a folder.

    A store that does not answer is logged: what the run did is in the ledger, and its files are still on this disk.
    """
    if "://" not in pair.store:
        return []
    put: list[str] = []
    try:
        system, root = fsspec.core.url_to_fs(pair.store)
        target = f"{root.rstrip('/')}/runs/{folder.name}"
        system.makedirs(target, exist_ok=True)
        for path in sorted(found for pattern in KEPT for found in folder.glob(pattern)):
            system.put_file(str(path), f"{target}/{path.name}")
            put.append(f"{target}/{path.name}")
    except Exception as error:  # noqa: BLE001 - each store has errors of its own
        log.warning("not kept", extra={"store": pair.store.partition("://")[0], "why": type(error).__name__})
    return put


def fetch(pair: Pair, folder: Path) -> bool:
    """Bring a run's files back from the store to its folder on this disk; whether there were any."""
    if "://" not in pair.store:
        return False
    system, root = fsspec.core.url_to_fs(pair.store)
    source = f"{root.rstrip('/')}/runs/{folder.name}"
    if not system.exists(source):
        return False
    folder.mkdir(parents=True, exist_ok=True)
    for path in system.ls(source, detail=False):
        system.get_file(path, str(folder / Path(path).name))
    return True
