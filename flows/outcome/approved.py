"""Who stands behind what a run does.

The plan that somebody approved, the flags they gave, the answers it follows.
"""

from __future__ import annotations

from collections.abc import Iterator

from flows.run import BY_FLAG, Run
from reconcile.link.merges import BY_RULE
from reconcile.report.account import Approval


def approvals(run: Run) -> list[Approval]:
    """What people approved of this run, as far as it is known.

    Nobody approves a night inside its limits.
    """
    return [*_plan(run), *_limits(run), *_answers(run)]


def _plan(run: Run) -> Iterator[Approval]:
    options = run.options
    # A flow that waits for a person only where the plan is risky goes on by itself where it is not.
    if run.course.approved and options.by:
        parts = [f"only {part}" for part in options.only]
        yield Approval("plan", options.by, run.started_at, (run.course.approved, *parts))
    elif options.unseen:
        yield Approval("unseen", options.by, run.started_at, ("--yes",))


def _limits(run: Run) -> Iterator[Approval]:
    if run.options.flags:
        yield Approval("limits", run.options.by, run.started_at, tuple(sorted(run.options.flags)))


def _answers(run: Run) -> Iterator[Approval]:
    """The answers that the run had before it, by person."""
    if not run.stage.has("decision"):
        return
    query = 'SELECT "by", count(*), max("at") FROM decision GROUP BY "by" ORDER BY "by"'
    for by, count, at in run.stage.rows(query):
        name = str(by)
        # A rule of the pair file and a flag of this run answer questions, too; the flag is told as
        # one.
        if name != BY_RULE and not name.startswith(BY_FLAG):
            yield Approval("answers", name, str(at), (), int(str(count)))
