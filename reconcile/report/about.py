"""What a report needs to know of a run beside its stage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from reconcile.apply.settle import Settlement
from reconcile.apply.verify import Residual
from reconcile.entities import Shown
from reconcile.model import Entity, Operation, Outcome, Side, Snapshot
from reconcile.plan.limits import Breach
from reconcile.plan.plan import Plan
from reconcile.ports import Description, Usage
from reconcile.report.account import Approval, Began
from reconcile.report.agendas import Agendas

RunState = Literal["settled", "planned", "refused", "stopped", "failed", "audit"]


@dataclass(frozen=True, slots=True)
class About:
    """One run, seen from outside.

    `replan` is the plan made again after the run: what it still holds did not converge. `residuals`
    are writes that were read back and found different. `stopped` says why a run ended early,
    `refusal` why nothing was written, both for people. `notes_oldest` is the instant of the
    longest-ago look at any contact's notes. `history` lists `summary` of earlier documents, newest
    first. `opened` gives, by hold_id, the instant a question was first asked. `interrupted` gives
    the operations of earlier runs that were killed and that this one settled, by run: no report
    told of them. `recheck` is the pair's mode of looking before writing, which the estimate depends
    on. `nowhere` are the records that a partial run was told to look at and that nobody knows:
    entity, side, key. `breaches` are the limits that refused it. `agendas` are what is known of
    what is only shown, from this run or earlier ones. `steps` say when each step began, `approvals`
    what people approved. Instants are ISO 8601 in UTC.
    """

    run_id: str
    pair: str
    job: str
    started_at: str
    ended_at: str | None
    state: RunState
    plan: Plan | None = None
    replan: Plan | None = None
    residuals: Sequence[Residual] = ()
    usage: Mapping[Side, Usage] = field(default_factory=dict)
    snapshots: Mapping[tuple[Entity, Side], Snapshot] = field(default_factory=dict)
    described: Mapping[Side, Description] = field(default_factory=dict)
    settlement: Settlement | None = None
    looked_again: int = 0
    interrupted: Mapping[str, Callable[[], Iterable[tuple[Operation, Outcome]]]] = field(
        default_factory=dict
    )
    stopped: str = ""
    refusal: str = ""
    notes_oldest: str | None = None
    history: Sequence[Mapping[str, Any]] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    opened: Mapping[str, str] = field(default_factory=dict)
    recheck: str = "always"
    nowhere: Sequence[tuple[Entity, Side, str]] = ()
    breaches: Sequence[Breach] = ()
    agendas: Mapping[Shown, Agendas] = field(default_factory=dict)
    steps: Sequence[Began] = ()
    approvals: Sequence[Approval] = ()

    @property
    def wrote(self) -> bool:
        """Whether the run came to write; else the report says what would happen."""
        return self.state == "settled" or (
            self.state in ("stopped", "failed") and self.plan is not None
        )
