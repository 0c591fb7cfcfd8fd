"""plan, apply, run and audit: the commands that read both sides."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from flows.commands.options import (
    Allow,
    AtLeastOne,
    By,
    Engine,
    Full,
    Json,
    PairFile,
    Rebase,
    Verify,
)
from flows.commands.show import show
from flows.commands.who import account
from reconcile.errors import StateError

log = logging.getLogger("flows.commands.running")

if TYPE_CHECKING:
    from flows.commands.backtested import Format
    from flows.config import Pair
    from flows.outcome.tell import Told
    from flows.run import Options


def plan(
    *,
    pair: PairFile,
    json: Json = False,
    full: Full = False,
    allow: Allow = None,
    backtest: Annotated[
        int | None, AtLeastOne, Parameter(help="try the pair file on the last so many runs instead")
    ] = None,
    format: Annotated[  # noqa: A002 - the option's name
        Literal["terminal", "json", "markdown"] | None,
        Parameter(help="of a backtest: markdown is a comment for a pull request"),
    ] = None,
    masked: Annotated[
        bool, Parameter(negative="", help="of a backtest: without any person's values")
    ] = False,
    rebase: Rebase = False,
    print: Annotated[  # noqa: A002 - the option's name
        Literal["digest"] | None,
        Parameter(help="print this alone, for a script: what `apply` takes"),
    ] = None,
) -> int:
    """Read both sides, compare them with the baseline, and write the plan file.

    Nothing is written to either side.

    With --backtest N neither side is asked anything: the pair file is tried on what the last N runs
    archived, and what their plans would have been is compared with what they were.
    """
    from flows.config import load
    from flows.jobs.full import PLAN
    from flows.runner import run_job

    loaded = load(pair)
    if backtest is not None:
        form = format or ("json" if json else "terminal")
        return _backtest(loaded, backtest, form=form, masked=masked)
    if format or masked:
        what = "--format and --masked are for a backtest"
        raise StateError(what, remedy="add --backtest N, or leave them out", code="OPTIONS")
    result = run_job(loaded, PLAN, options=options_for("plan", allow, rebase=rebase))
    if print:
        sys.stdout.write(f"{result.document['provenance']['plan_digest']}\n")
        return result.exit_code
    return show(result, pair=pair, as_json=json, full=full, offer=True)


def options_for(
    job: str,
    names: Iterable[str] | None,
    *,
    by: str | None = None,
    rebase: bool = False,
    **more: Any,
) -> Options:
    """What a caller asks of a run, and who is behind the flags.

    --rebase is one of the names with an option of its own.
    """
    from flows.run import REBASE, Options

    flags = frozenset(names or ())
    if rebase:
        flags |= {REBASE}
    if flags and not by:  # what is let do needs somebody who let it
        by = account()
    return Options(job, flags, flags=flags, by=by or "", **more)


def _backtest(loaded: Pair, count: int, *, form: Format, masked: bool) -> int:
    from flows.commands.backtested import show as show_backtests
    from flows.jobs.backtest import backtests
    from reconcile.ledger.ledger import Ledger

    ledger = Ledger(loaded.ledger_url.get_secret_value(), loaded.name)
    try:
        differences = backtests(loaded, ledger, count)
        return show_backtests(loaded, differences, form=form, masked=masked)
    finally:
        ledger.close()


def audit(*, pair: PairFile, json: Json = False, full: Full = False) -> int:
    """Read both sides and report on their data; nothing is written to either side."""
    from flows.config import load
    from flows.jobs.audit import AUDIT
    from flows.runner import run_job

    return show(run_job(load(pair), AUDIT), pair=pair, as_json=json, full=full)


def run(
    *,
    pair: PairFile,
    json: Json = False,
    full: Full = False,
    allow: Allow = None,
    verify: Verify = None,
    max_minutes: float | None = None,
    engine: Engine = "prefect",
    rebase: Rebase = False,
    by: By = None,
) -> int:
    """Plan and apply unattended, inside the limits: the nightly job.

    Parameters
    ----------
    max_minutes
        stop cleanly after that time; the next run goes on
    """
    from flows.config import load, require_live

    require_live(load(pair))
    options = options_for(
        "nightly", allow, by=by, rebase=rebase, verify=verify, max_minutes=max_minutes
    )
    return show(through(engine, pair, options), pair=pair, as_json=json, full=full)


def through(engine: str, pair: Path, options: Options) -> Told:
    """Run the pair in that file through the engine of that name."""
    if engine == "prefect":
        # This command line tells what goes wrong itself; Prefect would print its traceback before.
        os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")
        from flows.orchestration.engine import FINISHED, run_pair
        from flows.orchestration.sealed import unsealed

        allowed, before = sorted(options.allowed), len(FINISHED)
        try:
            return unsealed(
                run_pair,
                str(pair),
                options.job,
                allowed,
                options.verify,
                options.max_minutes,
                options.by,
            )
        except Exception as error:
            if len(FINISHED) == before:
                raise
            # The work is done and told: what failed since is Prefect's own.
            log.warning(
                "Prefect does not know how the run ended", extra={"why": type(error).__name__}
            )
            return FINISHED[-1]
    from flows.config import load
    from flows.jobs.full import FULL
    from flows.runner import run_job

    return run_job(load(pair), FULL, options=options)


def apply(
    digest: str,
    /,
    *,
    pair: PairFile,
    json: Json = False,
    full: Full = False,
    allow: Allow = None,
    verify: Verify = None,
    only: Annotated[
        list[str] | None,
        Parameter(
            help=(
                "a part of it: words joined by dots, such as contact.update, "
                "ghl.low, or a record's key"
            )
        ),
    ] = None,
    canary: Annotated[
        int | None,
        AtLeastOne,
        Parameter(help="begin with so many writes of each kind, and show what GHL makes of them"),
    ] = None,
    canary_wait: Annotated[
        float, Parameter(validator=Number(gte=0), help="seconds to watch them for")
    ] = 60.0,
    rebase: Rebase = False,
    by: By = None,
) -> int:
    """Carry out the plan of that digest, exactly as it was shown.

    Records that changed since are left out, with the reason.

    With --only (several may be given) the rest of it is not carried out, and the next plan has it
    again.

    With --canary the run stops after the first few writes, and asks whether to go on; where nobody
    can be asked, the rest is left to the next plan.
    """
    from flows.commands.canaries import asking
    from flows.config import load, require_live
    from flows.jobs.approval import carry_out

    loaded = load(pair)
    require_live(loaded)
    parts = tuple(only or ())
    options = options_for(
        "apply", allow, by=by or account(), rebase=rebase, verify=verify, only=parts
    )
    if canary:
        options = replace(options, canary=asking(canary, canary_wait))
    return show(carry_out(loaded, digest, options), pair=pair, as_json=json, full=full)
