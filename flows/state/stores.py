"""Copies what a run leaves behind to the pair's store, and brings it back.

It does so where that is an object store, for whoever asks.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fsspec

from flows.config.pair import Pair
from reconcile.errors import StateError, to_open
from reconcile.stage.archive import MANIFEST

if TYPE_CHECKING:
    from flows.config import Pair

log = logging.getLogger("flows.state.stores")

KEPT = ("*.parquet", "plan.jsonl", "undo.json", "report.*", "cutover.*", MANIFEST)
"""Snapshots, plan, outcomes and reports; last what says that the archive is whole."""

STAGE = "stage.duckdb"


def keep(pair: Pair, folder: Path, *, stage: bool = False) -> list[str]:
    """Copy a run's files under the store, by run id; returns where they went.

    Nothing where the store is a folder.

    `stage` takes the stage along, for a plan that somebody may approve elsewhere. A store that does
    not answer is logged: what the run did is in the ledger, and its files are still on this disk.
    """
    if not _is_away(pair):
        return []
    put: list[str] = []
    try:
        system, target = _place(pair, folder.name)
        system.makedirs(target, exist_ok=True)
        patterns = (STAGE, *KEPT) if stage else KEPT
        for pattern in patterns:
            for path in sorted(folder.glob(pattern)):
                system.put_file(str(path), f"{target}/{path.name}")
                put.append(f"{target}/{path.name}")
    except Exception as error:  # noqa: BLE001 - each store has errors of its own
        log.warning(
            "not kept", extra={"store": pair.store.partition("://")[0], "why": type(error).__name__}
        )
    return put


def replace(pair: Pair, folder: Path) -> None:
    """Put a run's files in place of those that the store keeps of it, where it is elsewhere.

    Raises StateError where the store does not answer.
    """
    if not _is_away(pair):
        return
    try:
        system, target = _place(pair, folder.name)
        if not system.exists(target):
            return
        there = {Path(path).name: path for path in map(str, system.ls(target, detail=False))}
        here = {path.name: path for path in folder.iterdir() if path.name in there}
        for name, path in sorted(here.items()):
            system.put_file(str(path), f"{target}/{name}")
        for name in sorted(there.keys() - here.keys()):
            system.rm(there[name])
    except Exception as error:  # each store has errors of its own
        raise _silent(pair, error) from error


def certify(pair: Pair, path: Path, text: str) -> None:
    """Write a file beside the runs, into the store as well where that is elsewhere."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    if _is_away(pair):
        try:
            system, runs = _place(pair, "")
            system.put_file(str(path), f"{runs.rstrip('/').removesuffix('/runs')}/{path.name}")
        except Exception as error:  # each store has errors of its own
            raise _silent(pair, error) from error


def _silent(pair: Pair, error: Exception) -> StateError:
    if isinstance(error, StateError):  # it says already why, and what to do
        return error
    return StateError(
        f"the store ({pair.store.partition('://')[0]}) does not answer: {type(error).__name__}",
        remedy="check the pair file's `store` and this machine's rights to it",
    )


def brought(pair: Pair, folder: Path) -> Path:
    """A run's folder on this disk.

    What the store keeps of the run is added where this disk has not all of it.

    Nothing that is here is replaced. Raises StateError where the store does not answer: that is no
    run without an archive.
    """
    if not _is_away(pair) or (folder / MANIFEST).exists():
        return folder
    try:
        system, source = _place(pair, folder.name)
        files = system.ls(source, detail=False) if system.exists(source) else []
        missing = [path for path in map(str, files) if not (folder / Path(path).name).exists()]
        _fetch(system, missing, folder)
    except Exception as error:  # each store has errors of its own
        raise _silent(pair, error) from error
    return folder


def stored(pair: Pair) -> set[str]:
    """The runs that the store keeps files of. None where the store is a folder.

    Raises StateError where the store does not answer.
    """
    if not _is_away(pair):
        return set()
    try:
        system, target = _place(pair, "")
        paths = []
        if system.exists(target):
            paths = system.ls(target, detail=False)
    except Exception as error:  # each store has errors of its own
        raise _silent(pair, error) from error
    return {Path(path.rstrip("/")).name for path in paths}


def forget(pair: Pair, runs: Sequence[str]) -> None:
    """Remove the files of these runs from the store. Nothing where the store is a folder.

    Raises StateError where the store does not answer.
    """
    if not _is_away(pair):
        return
    try:
        for name in runs:
            system, target = _place(pair, name)
            if system.exists(target):
                system.rm(target, recursive=True)
    except Exception as error:  # each store has errors of its own
        raise _silent(pair, error) from error


def _is_away(pair: Pair) -> bool:
    return "://" in pair.store


def opened(url: str) -> tuple[Any, str]:
    """The file system of a store, and the path in it.

    Raises StateError where nothing that opens such a URL is installed.
    """
    try:
        # Other workers put runs there, too: a listing that this process remembers hides them.
        system, root = fsspec.core.url_to_fs(url, use_listings_cache=False)
    except (ImportError, ValueError) as error:
        scheme = url.partition("://")[0]
        raise StateError(
            f"a store at {scheme}:// cannot be opened ({type(error).__name__})",
            remedy=to_open(scheme),
        ) from None
    return system, str(root)


def _place(pair: Pair, run_id: str) -> tuple[Any, str]:
    system, root = opened(pair.store)
    return system, f"{root.rstrip('/')}/runs/{run_id}"


def _fetch(system: Any, files: Sequence[str], folder: Path) -> None:
    """Bring files into a folder, each whole or not at all.

    What says that all are there comes last.
    """
    manifest_last = sorted(files, key=lambda path: (Path(path).name == MANIFEST, path))
    for path in manifest_last:
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / f".{Path(path).name}.partial"
        system.get_file(path, str(partial))
        partial.replace(folder / Path(path).name)


def runs_folder(pair: Pair) -> Path:
    """Where a pair's runs are worked on.

    In its store when that is a folder, else beside the pair file.
    """
    if _is_away(pair):
        return pair.path.parent / ".ghl-reconcile" / pair.name / "runs"
    return Path(pair.store) / "runs"


def links_folder(folder: Path) -> Path:
    """Where copies of the links lie between runs, from the folder of one."""
    return folder.parent.parent / "links"
