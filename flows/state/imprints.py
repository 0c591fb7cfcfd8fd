"""Keeps in the ledger what the files of a run were when the run left them.

So a plan, stage, archive or report that somebody made is not believed.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from flows.state.stores import STAGE, brought
from reconcile.errors import StateError
from reconcile.ledger import schema
from reconcile.ledger.ledger import Ledger
from reconcile.stage.archive import MANIFEST

if TYPE_CHECKING:
    from flows.config import Pair

KEPT = ("*.parquet", "plan.jsonl", "undo.json", "report.json", MANIFEST)
"""What is read again of a run.

Its page and spreadsheet are for people, who may write into the latter.
"""

_WHOLE = (*KEPT, f"{STAGE}*")
"""The same with the stage, from which an approved plan is carried out.

A log beside it would be read, too.
"""

TABLE = schema.imprint


def take(ledger: Ledger, folder: Path, *, stage: bool = False) -> None:
    """Note what each file of a run is now, in place of what was noted before.

    `stage` notes the stage as well.

    The whole of each file counts: of a plan also its estimates, which its own digest leaves out.
    """
    seen = {name: _digest(folder / name) for name in _files(folder, stage=stage)}
    with ledger.transaction() as connection:
        connection.execute(sa.delete(TABLE).where(TABLE.c.run_id == folder.name))
        body = json.dumps(seen, sort_keys=True)
        connection.execute(sa.insert(TABLE).values(run_id=folder.name, pair=ledger.pair, body=body))


def drop(ledger: Ledger, run_id: str) -> None:
    """Forget it where the files are about to change.

    A run that is killed meanwhile leaves what nobody could note.
    """
    with ledger.transaction() as connection:
        connection.execute(sa.delete(TABLE).where(TABLE.c.run_id == run_id))


def noted(ledger: Ledger) -> set[str]:
    """The runs of which it is noted what they left."""
    query = sa.select(TABLE.c.run_id).where(ledger.owns(TABLE))
    with ledger.engine.connect() as connection:
        return set(connection.execute(query).scalars())


def check(ledger: Ledger, folder: Path, *names: str, stage: bool = False) -> Path:
    """The folder itself.

    Raises StateError where a file in it (of these names, or any) is not what the run left.

    With `stage` everything has to be noted and there: that is how an approved plan is carried out.
    Else a run of which nothing is noted is believed, since an earlier version left it or it was
    killed, and what was pruned is not missed.
    """
    noted = _noted(ledger, folder.name)
    if noted is None:
        if stage:
            raise StateError(
                (
                    f"the ledger has not noted what run {folder.name} left: "
                    "an earlier version made it, or it was killed"
                ),
                remedy="make the plan again",
                code="NO_IMPRINT",
            )
        return folder
    there = set(_files(folder, stage=stage))
    due = set(noted)
    if not stage:
        due.discard(STAGE)
        if not there:  # pruned, or on another disk
            return folder
    # What was added counts as much as what is missing: whatever is there may be read.
    looked_at = there | due
    if names:
        looked_at &= set(names)
    for name in sorted(looked_at):
        if name not in there or noted.get(name) != _digest(folder / name):
            raise _forged(folder.name, name)
    return folder


def trusted(pair: Pair, ledger: Ledger, folder: Path, *names: str) -> Path:
    """A run's folder on this disk, brought from the store where it has to be.

    It is looked at like `check`.

    Where another worker went on with the run, what lies here is from before: then the store is
    asked once more, beside it.
    """
    try:
        return check(ledger, brought(pair, folder), *names)
    except StateError as error:
        if error.code != "FORGED" or "://" not in pair.store:
            raise
    return check(ledger, brought(pair, folder.parent / ".again" / folder.name), *names)


def renew(ledger: Ledger, folder: Path) -> None:
    """Note a plan that still waits once more.

    Whoever opened it to carry it out, and did not, wrote into its stage.
    """
    if _noted(ledger, folder.name) is not None:
        take(ledger, folder, stage=(folder / STAGE).exists())


def _noted(ledger: Ledger, run_id: str) -> dict[str, str] | None:
    query = sa.select(TABLE.c.body).where(TABLE.c.run_id == run_id, ledger.owns(TABLE))
    with ledger.engine.connect() as connection:
        body = connection.execute(query).scalar_one_or_none()
    if body is None:
        return None
    noted: dict[str, str] = json.loads(body)
    return noted


def _files(folder: Path, *, stage: bool) -> list[str]:
    names: set[str] = set()
    for pattern in _WHOLE if stage else KEPT:
        names |= {path.name for path in folder.glob(pattern) if path.is_file()}
    return sorted(names)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _forged(run_id: str, name: str) -> StateError:
    return StateError(
        (
            f"{name} of run {run_id} is not what the run left: it was changed, "
            "added or taken away since"
        ),
        remedy="look at who can write to the store; put it back from a backup, or make a plan anew",
        code="FORGED",
    )
