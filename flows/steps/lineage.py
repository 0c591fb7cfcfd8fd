"""Keeps beside the archive how far the ledger had come.

So an empty or an older ledger is noticed before it is believed.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec

from flows.run import REBASE, Run
from flows.state.stores import opened, runs_folder, stored
from reconcile.errors import Refused, StateError
from reconcile.ledger import runs
from reconcile.report import kept

log = logging.getLogger("flows.steps.lineage")

_LOOKED = 20  # of the newest runs in a store without a mark


@dataclass(frozen=True, slots=True)
class Mark:
    """The run that last began to write or settled, and the ledger's generation then."""

    run_id: str
    generation: int


def check(run: Run) -> None:
    """Raises Refused where the store knows a run that the ledger does not.

    It lets a caller pass who chose to start from here.

    A store that does not answer proves nothing: that is logged, and the run goes on.
    """
    known, generation = _marked(run), run.ledger.state().generation
    if known is None:
        return
    # The generation alone would not tell: a restored ledger may have gone on by itself since.
    knows_the_run = runs.find(run.ledger, run_id=known.run_id) is not None
    if generation >= known.generation and knows_the_run:
        return
    if REBASE in run.options.allowed:
        log.warning("rebased", extra={"store_knows": known.run_id, "generation": generation})
        return
    if not generation:
        raise Refused(
            (
                f"the ledger knows nothing of this pair, though its store has run {known.run_id}: "
                "this would be a first run, in which people who were deleted on one side come "
                "back, and values that differ are asked about"
            ),
            remedy=(
                "put a backup back with `ledger restore FILE`, or name the ledger that the pair "
                "had; to start anew all the same: `run --rebase`"
            ),
            code="LEDGER_LOST",
        )
    raise Refused(
        (
            f"the ledger is older than the store, which has run {known.run_id}: "
            "what runs did since would look like edits of people, and records that no match rule "
            "knows could be made twice"
        ),
        remedy=(
            "put a newer backup back with `ledger restore FILE`; "
            "to go on from what both sides hold now all the same: `run --rebase`"
        ),
        code="LEDGER_OLDER",
    )


def mark(run: Run) -> None:
    """Note how far the ledger has come: before a run writes, and once it is settled."""
    reached = Mark(run.run_id, run.ledger.state().generation)
    try:
        system, path = _place(run)
        system.makedirs(path.rpartition("/")[0], exist_ok=True)
        system.pipe_file(path, json.dumps({"pair": run.pair.name, **asdict(reached)}).encode())
    except Exception as error:  # noqa: BLE001 - each store has errors of its own
        log.warning("the store was not told of the run", extra={"why": type(error).__name__})


def _place(run: Run) -> tuple[Any, str]:
    """Where the mark lies: a file of the pair's own, since pairs may share a store."""
    store = run.pair.store
    if "://" not in store:
        store = str(Path(store).resolve())
    system, root = opened(store)
    return system, f"{root.rstrip('/')}/ledger-{run.pair.name}.json"


def _marked(run: Run) -> Mark | None:
    try:
        system, path = _place(run)
        if system.exists(path):
            said: Mapping[str, Any] = json.loads(system.cat_file(path))
            return Mark(str(said["run_id"]), int(said["generation"]))
    except StateError:
        raise  # nothing is installed that opens it: said before anything is written
    except Exception as error:  # noqa: BLE001 - each store has errors of its own
        log.warning(
            "the store was not asked how far the ledger had come",
            extra={"why": type(error).__name__},
        )
        return None
    if run.ledger.state().generation:
        return None
    return _settled(run)


class _Provenance(msgspec.Struct):
    generation_after: int | None = None


class _Report(msgspec.Struct):
    """What of a run's report says whose it is, and whether it settled."""

    pair: str
    run_id: str
    state: str
    provenance: _Provenance


def _settled(run: Run) -> Mark | None:
    """The newest settled run of this pair in a store without a mark.

    An earlier version left the store so.
    """
    from flows.state.stores import brought

    folder = runs_folder(run.pair)
    names = {path.name for path in folder.glob("*")}
    try:
        newest_first = sorted(names | stored(run.pair), reverse=True)
        for name in newest_first[:_LOOKED]:
            report = brought(run.pair, folder / name) / "report.json"
            if name == run.run_id or not report.exists():
                continue
            document = msgspec.convert(kept.read(report), _Report)
            if document.pair == run.pair.name and document.state in ("settled", "stopped"):
                return Mark(document.run_id, document.provenance.generation_after or 1)
    except (msgspec.MsgspecError, OSError, StateError) as error:
        log.warning("the store was not asked for earlier runs", extra={"why": type(error).__name__})
    return None
