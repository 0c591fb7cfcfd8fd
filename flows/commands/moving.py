"""delta and migrate: the commands beside the nightly run that write to both sides."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from rich.text import Text

from flows.commands.options import Allow, By, Engine, Full, Json, PairFile
from flows.commands.printed import print_json
from flows.commands.running import options_for
from flows.commands.show import show, tell_command, tell_run
from flows.commands.who import account
from flows.config import Pair, load, require_live
from flows.jobs.legs import Moved, begun
from flows.jobs.migrate import Mode, Move, To
from flows.outcome.tell import Told
from flows.run import Options
from flows.scope import Sought
from flows.terminal import Console

Keys = list[str] | None


def delta(
    *,
    pair: PairFile,
    app: Annotated[
        Keys, Parameter(help="a contact's key in the app; may be repeated, as may the others")
    ] = None,
    ghl: Annotated[Keys, Parameter(help="a contact's id in GHL")] = None,
    app_task: Annotated[Keys, Parameter(help="a task's key in the app")] = None,
    ghl_task: Annotated[Keys, Parameter(help="a task's id in GHL")] = None,
    app_note: Annotated[Keys, Parameter(help="a note's key in the app")] = None,
    allow: Allow = None,
    json: Json = False,
    full: Full = False,
    engine: Engine = "local",
    by: By = None,
) -> int:
    """Carry over only what changed since the last look, or what is named.

    A contact with its tags, tasks and notes.

    Deletions wait for a full run. Without Prefect by default, so that a trigger's work is done
    before Prefect would start.
    """
    loaded = load(pair)
    require_live(loaded)
    sought = Sought(*(tuple(keys or ()) for keys in (app, ghl, app_task, ghl_task, app_note)))
    options = options_for("delta", allow, by=by)
    return show(_delta(engine, loaded, sought, options), pair=pair, as_json=json, full=full)


def _delta(engine: str, loaded: Pair, sought: Sought, options: Options) -> Told:
    if engine == "prefect":
        from flows.orchestration.jobs import delta_pair
        from flows.orchestration.sealed import unsealed

        allowed = sorted(options.allowed)
        result: Told = unsealed(delta_pair, str(loaded.path), sought, allow=allowed, by=options.by)
        return result
    from flows.jobs.delta import Delta
    from flows.runner import run_job

    return run_job(loaded, Delta(sought=sought), options=options)


def migrate(
    *,
    pair: PairFile,
    to: Annotated[To, Parameter(help="on which side records are created")] = "ghl",
    mode: Annotated[
        Mode, Parameter(help="whether what is there already is looked for, and linked")
    ] = "match-then-create",
    approve: Annotated[
        str | None, Parameter(help="the digest of the plan that was looked at")
    ] = None,
    yes: Annotated[
        bool, Parameter(negative="", help="carry it out without looking at the plan first")
    ] = False,
    wait: Annotated[
        bool, Parameter(help="when the day's quota is spent, wait and go on; else call again")
    ] = False,
    json: Json = False,
    full: Full = False,
    engine: Literal["prefect", "local"] = "local",
    by: By = None,
) -> int:
    """Load one side into the other, once.

    The first call shows the plan; --approve DIGEST, or --yes, carries it out.

    It may take days: the same command again goes on where the quota, a signal or a crash ended it,
    until the cutover report says that it is complete.
    """
    loaded = load(pair)
    require_live(loaded)
    move = Move(to, mode, wait)
    if not (yes or approve or begun(loaded, move)):
        return _propose(loaded, move, pair=pair, as_json=json, full=full)
    approver = by or ""
    if (yes or approve) and not by:  # whoever calls again to go on approves nothing anew
        approver = account()
    moved = _through(engine, loaded, move, approved=approve, by=approver)
    return _tell(moved, pair=pair, as_json=json)


def _through(engine: str, loaded: Pair, move: Move, *, approved: str | None, by: str) -> Moved:
    if engine == "prefect":
        from flows.orchestration.jobs import migrate_pair
        from flows.orchestration.sealed import unsealed

        moved: Moved = unsealed(migrate_pair, str(loaded.path), move, approved=approved, by=by)
        return moved
    from flows.jobs.legs import migrate as carry_out

    return carry_out(loaded, move, approved=approved, by=by)


def _propose(loaded: Pair, move: Move, *, pair: Path, as_json: bool, full: bool) -> int:
    from flows.jobs.legs import propose

    result = propose(loaded, move)
    code = show(result, pair=pair, as_json=as_json, full=full)
    if not as_json:
        digest = result.document["provenance"]["plan_digest"]
        words = ("migrate", "--to", move.to, "--mode", move.mode, "--approve", digest)
        tell_command(Console(), "Nothing was written. To carry it out:", *words, pair=pair)
    return code


def _tell(moved: Moved, *, pair: Path, as_json: bool) -> int:
    """The cutover report.

    The exit code is 0 where the migration is complete, 1 where it goes on or something is left.

    The last run's own report is not told: after the last write it has nothing more to do, and says
    so.
    """
    from flows.outcome.cutover import facts, headline, markdown

    if as_json:
        document = {"complete": moved.complete, "legs": moved.legs, "cutover": facts(moved.report)}
        print_json(document)
    else:
        console = Console()
        style = "bold green" if moved.complete else "bold yellow"
        console.print(Text(headline(moved.report), style=style))
        report = moved.result.document
        if report["failures"] or report["stopped"]:
            tell_run(console, report, pair=pair)
        console.print(markdown(moved.report), highlight=False, markup=False)
        place = f"Cutover report: {moved.report.paths['html']}"
        console.print(place, highlight=False, markup=False, soft_wrap=True)
    if moved.complete:
        return moved.result.exit_code
    return max(moved.result.exit_code, 1)
