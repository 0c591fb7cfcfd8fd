"""The jobs beside the nightly run as Prefect flows, and the nightly run with a person's word.

What deployments are made of.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

# It settles Prefect's settings before Prefect is imported.
from flows.orchestration.engine import as_task, ended, publish  # isort: skip

from prefect import flow, pause_flow_run
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.client.schemas.objects import State
from prefect.input import RunInput
from prefect.states import Completed
from pydantic import Field

from flows.config import Pair, load, require_live
from flows.jobs.approval import Proposal, carry_out, propose
from flows.jobs.audit import AUDIT
from flows.jobs.delta import Delta
from flows.jobs.legs import Moved, begun
from flows.jobs.legs import migrate as move_all
from flows.jobs.migrate import ALLOWED, Migrate, Mode, Move, To, shaped
from flows.orchestration.artifacts import Watched, called, key_of, let_go, rename, tables
from flows.orchestration.ghosts import shortly
from flows.orchestration.sealed import sealed
from flows.outcome.cutover import markdown
from flows.outcome.tell import Told
from flows.run import Options
from flows.runner import run_job
from flows.scope import Sought


class Approval(RunInput):
    """A person's answer to a plan that waits."""

    approve: bool = False
    allow: list[str] = Field(default=[], description="limits that the plan may go over, by name")
    reason: str = ""
    by: str = Field(default="", description="your name, for the report")


_SOMEBODY = "somebody in Prefect"
"""Who approved, where the form was sent without a name: Prefect itself knows no accounts."""

HOOKS: dict[str, Any] = {"on_crashed": [let_go], "on_cancellation": [let_go]}


@flow(name="delta-pair", persist_result=False, validate_parameters=False, **HOOKS)
@sealed
def delta_pair(pair: str, sought: Sought, allow: list[str] | None = None, by: str = "") -> Told:
    """A delta of the pair in that file, told to the caller."""
    loaded = _live(pair)
    allowed = frozenset(allow or ())
    options = Options("delta", allowed, flags=allowed, by=by)
    result = run_job(loaded, Delta(sought=sought), Watched(as_task, loaded), options=options)
    tell(loaded, result)
    return result


@flow(name="migrate-pair", persist_result=False, validate_parameters=False, **HOOKS)
@sealed
def migrate_pair(pair: str, move: Move, approved: str | None = None, by: str = "") -> Moved:
    """A migration of the pair in that file, told to the caller."""
    loaded = _live(pair)
    moved = move_all(loaded, move, Watched(as_task, loaded), approved=approved, by=by)
    tell(loaded, moved.result)
    create_markdown_artifact(
        markdown(moved.report), key=key_of("cutover", loaded), description=f"{loaded.name}: cutover"
    )
    return moved


@flow(name="delta", persist_result=False, **HOOKS)
@sealed
def delta(
    pair: str,
    app: list[str] | None = None,
    ghl: list[str] | None = None,
    app_tasks: list[str] | None = None,
    ghl_tasks: list[str] | None = None,
    app_notes: list[str] | None = None,
) -> State[Any]:
    """Carry over what changed since the last look, or what is named.

    Args:
        pair: path of the pair file, on the worker
        app: keys of contacts in the app that changed
        ghl: ids of contacts in GHL that changed
        app_tasks: keys of tasks in the app
        ghl_tasks: ids of tasks in GHL
        app_notes: keys of notes in the app
    """
    sought = Sought(*(tuple(keys or ()) for keys in (app, ghl, app_tasks, ghl_tasks, app_notes)))
    return ended(delta_pair.fn(pair, sought))


@flow(name="audit", persist_result=False, **HOOKS)
@sealed
def audit(pair: str) -> State[Any]:
    """Read both sides and report on their data; nothing is written to either.

    Args:
        pair: path of the pair file, on the worker
    """
    loaded = load(Path(pair))
    result = run_job(loaded, AUDIT, as_task)
    tell(loaded, result)
    return Completed(message=called(loaded.name, result.document))


@flow(name="migrate", persist_result=False, **HOOKS)
@sealed
def migrate(
    pair: str,
    to: To = "ghl",
    mode: Mode = "match-then-create",
    approved: str | None = None,
    wait: bool = False,  # noqa: FBT001, FBT002 - a field of Prefect's form
    ask: bool = True,  # noqa: FBT001, FBT002
) -> State[Any]:
    """Load one side into the other, once.

    It may take days of quota, and goes on when it is started again.

    Args:
        pair: path of the pair file, on the worker
        to: on which side records are created
        mode: whether what is there already is looked for and linked
        approved: digest of the plan that was looked at
        wait: when the day's quota is spent, wait and go on
        ask: pause with the plan until a person resumes the run; not with `approved`
    """
    move = Move(to, mode, wait)
    loaded, by = _live(pair), ""
    if ask and approved is None and not begun(loaded, move):
        job = Migrate(move=move, writes=False)
        proposal = propose(shaped(loaded, move), job, as_task, allowed=ALLOWED)
        answer = _asked(loaded, proposal, hours=72)
        if not answer.approve:
            return _declined(loaded, answer)
        approved, by = proposal.plan.digest, answer.by or _SOMEBODY
    moved = migrate_pair.fn(pair, move, approved, by)
    return ended(moved.result)


@flow(name="nightly-approved", persist_result=False, **HOOKS)
@sealed
def nightly_approved(
    pair: str,
    ask: Literal["risky", "always"] = "risky",
    hours: float = 24.0,
    verify: Literal["full", "written", "none"] | None = None,
) -> State[Any]:
    """The nightly run, with a pause for a person's approval where it needs one.

    It pauses where its plan deletes, overwrites, or goes over a limit.

    While it waits the pair is not locked; where another run settled meanwhile, the approved plan is
    refused as stale.

    Args:
        pair: path of the pair file, on the worker
        ask: pause for risky plans only, or always
        hours: how long to wait for the answer
        verify: how far to prove that the run converged
    """
    loaded = _live(pair)
    proposal = propose(loaded, do=as_task)
    answer = Approval(approve=True)
    if proposal.asks or ask == "always":
        answer = _asked(loaded, proposal, hours=hours)
        answer.by = answer.by or _SOMEBODY
    if not answer.approve:
        return _declined(loaded, answer)
    allowed = frozenset(answer.allow)
    options = Options("nightly", allowed, verify, flags=allowed, by=answer.by)
    result = carry_out(loaded, proposal.plan.digest, options, Watched(as_task, loaded))
    tell(loaded, result)
    return ended(result)


def _asked(pair: Pair, proposal: Proposal, *, hours: float) -> Approval:
    """Pause with the plan as artifacts until somebody answers in Prefect's form."""
    digest = proposal.plan.digest
    create_table_artifact(
        proposal.table, key=key_of("plan", pair), description=f"{pair.name}: plan {digest}"
    )
    words = [
        f"Plan `{digest}` of {pair.name} waits for an answer.",
        proposal.refusal and f"```\n{proposal.refusal}\n```",
    ]
    create_markdown_artifact("\n\n".join(filter(None, words)), key=key_of("question", pair))
    form = Approval.with_initial_data(description=f"Plan {digest}: see the artifacts of this run.")
    return pause_flow_run(wait_for_input=form, timeout=int(hours * 3600), poll_interval=5)


def _declined(pair: Pair, answer: Approval) -> State[Any]:
    """A plan that nobody wants is no failure. The reason is not repeated: it may name a person."""
    by = answer.by or _SOMEBODY
    return Completed(message=f"{pair.name}: the plan was declined by {by}; nothing was written")


def tell(pair: Pair, result: Told) -> None:
    """The statement, tables and the way to the report, as artifacts without a person's values."""
    shortly(
        lambda: publish(pair, result),
        lambda: tables(pair, result),
        lambda: rename(pair, result),
    )


def _live(pair: str) -> Pair:
    loaded = load(Path(pair))
    require_live(loaded)
    return loaded
