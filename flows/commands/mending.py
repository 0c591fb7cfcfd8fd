"""undo and prune: the commands that take a run back, and that clear away what old runs left."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Annotated, Any

from cyclopts import Parameter
from rich.text import Text

from flows.commands.options import Allow, By, Json, PairFile
from flows.commands.printed import print_json
from flows.commands.running import options_for
from flows.commands.show import show
from flows.commands.who import account
from flows.terminal import Console

Yes = Annotated[
    bool,
    Parameter(name=["--yes", "-y"], negative="", help="carry it out at once, inside the limits"),
]

_MOST = 20


def undo(
    run_id: str,
    /,
    *,
    pair: PairFile,
    yes: Yes = False,
    json: Json = False,
    allow: Allow = None,
    by: By = None,
) -> int:
    """Take a run back, on both sides.

    It restores what the run overwrote, deletes what it created, and creates again what it deleted.

    Shows the plan, what stays as it is because it changed since, and what nothing brings back;
    `apply DIGEST` carries it out.
    """
    from flows.config import load, require_live
    from flows.jobs.undo import Undo
    from flows.runner import run_job
    from flows.steps.undo import require
    from reconcile.ledger.ledger import Ledger

    loaded = load(pair)
    if yes:
        require_live(loaded)
        by = by or account()
    options = options_for("undo", allow, by=by, unseen=yes)
    # Before the run is opened: a misspelt name would leave a failed run in the history.
    with closing(Ledger(loaded.ledger_url.get_secret_value(), loaded.name)) as ledger:
        require(ledger, run_id)
    result = run_job(loaded, Undo(of=run_id, writes=yes), options=options)
    code = show(result, pair=pair, as_json=json, offer=not yes)
    if not json:
        tell_undo(Console(file=sys.stdout), result.document["undo"])
    return code


def tell_undo(console: Console, undo: Mapping[str, Any]) -> None:
    """What an undo leaves alone, and what nothing brings back."""
    left = [f"{e['entity']} {e['key']} in {e['side']}: {e['because']}" for e in undo["left"]]
    _list(console, "Stays as it is:", left)
    _list(console, "Cannot come back:", undo["lost"])


def _list(console: Console, title: str, lines: Sequence[str]) -> None:
    if not lines:
        return
    console.print(Text(f"\n{title}", style="bold"))
    for line in lines[:_MOST]:
        console.print(Text(f"  {line}"))
    if len(lines) > _MOST:
        console.print(Text(f"  … and {len(lines) - _MOST:,} more in the report", style="dim"))


def prune(*, pair: PairFile, yes: Yes = False, json: Json = False) -> int:
    """Remove the files of runs that the pair file's [keep] does not keep.

    The stages of settled runs are removed, too.

    Kept in any case: the newest settled run, runs with open questions, and runs that are not
    finished. Without --yes it only says what it would remove.
    """
    from dataclasses import asdict

    from flows.clock import now
    from flows.config import load
    from flows.state.pruning import Keep
    from flows.state.pruning import prune as remove
    from flows.state.stores import forget, runs_folder, stored
    from reconcile.ledger.ledger import Ledger

    loaded = load(pair)
    ledger = Ledger(loaded.ledger_url.get_secret_value(), loaded.name)
    try:
        keep = Keep(loaded.keep.runs, loaded.keep.days)
        away = stored(loaded)
        pruned = remove(ledger, runs_folder(loaded), keep, now=now(), really=yes, away=away)
        if yes:
            forget(loaded, sorted(away.intersection(pruned.runs)))
    finally:
        ledger.close()
    if json:
        print_json({**asdict(pruned), "removed": yes})
        return 0
    did = "Removed" if yes else "Would remove"
    size = f"{pruned.bytes / 1e6:,.1f} MB"
    print(
        f"{did} the files of {len(pruned.runs):,} runs and the stages of "
        f"{len(pruned.stages):,} others: {size}"
    )
    return 0
