"""The whole report as one document: equal states give equal ones, but for name and times."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Mapping as Map
from dataclasses import asdict
from datetime import datetime
from typing import Any

from reconcile.apply.verify import Residual
from reconcile.entities import Shown
from reconcile.model import Operation, Outcome, Side, Snapshot
from reconcile.plan.plan import LEDGER_ONLY, Group
from reconcile.report import figures
from reconcile.report.about import About
from reconcile.report.account import approvals, times
from reconcile.report.agendas import Agendas, content
from reconcile.report.along import added, alongs
from reconcile.report.changes import changes, failures
from reconcile.report.classes import BY_NAME, CARRIED, CLASSES, EQUAL, VALUE_CLASSES, legend
from reconcile.report.consent import consent
from reconcile.report.entries import entry
from reconcile.report.figures import requested
from reconcile.report.kept import Changes
from reconcile.report.labels import make_labels
from reconcile.report.quality import quality
from reconcile.report.questions import left_out, questions
from reconcile.report.schema import FORMAT
from reconcile.report.statement import (
    Account,
    EntityStatement,
    Identity,
    Statement,
    planned,
    statement,
)
from reconcile.report.tally import Sieve
from reconcile.report.totals import totals
from reconcile.report.values import ValueAccount, agree, listed, value_accounts
from reconcile.report.verdict import verdict
from reconcile.stage.stage import Stage
from reconcile.values.mapping import Mapping

_TRENDS = 30  # earlier runs shown
_OF_A_RUN = ("run_id", "job", "state", "started_at", "totals", "entities")
_NEWER = ("totals", "requests")


def document(
    stage: Stage,
    mapping: Mapping,
    about: About,
) -> dict[str, Any]:
    """The report of a run, in the form that docs/report.schema.json describes.

    A run that never came to a plan has its head, its costs and its reason, and nothing else.
    """
    reached = planned(stage)
    state = statement(stage, mapping, applied=about.wrote, looked_again=about.looked_again)
    entries = Changes.of((), stage.folder)
    repeated = Sieve()
    holds: list[dict[str, Any]] = []
    if reached:
        make_labels(stage, mapping)
        entries = Changes.of(repeated.watched(_entries(stage, mapping, about)), stage.folder)
        holds = questions(stage, mapping, about)
    accounts = value_accounts(stage, mapping.entities, state, residuals=about.residuals)
    entities = figures.entities(mapping, about, state, entries, holds, repeated)
    passed: dict[str, Any] = {"counts": [], "records": []}
    findings: dict[str, Any] = {}
    if reached:
        passed = left_out(stage, mapping)
        findings = quality(stage, mapping, about)
    whole = _head(about) | {
        "totals": totals(entries, entities, repeated),
        "limits": [asdict(breach) for breach in about.breaches],
        "entities": entities,
        "statement": _statement(state),
        "values": _values(stage, mapping, accounts, applied=about.wrote),
        "holds": holds,
        "failures": failures(entries),
        "passed": passed,
        "quality": findings,
        **{kind.plural: _shown(stage, mapping, about, kind) for kind in Shown},
        "usage": figures.usage(about),
        "certificate": _certificate(about),
        "provenance": _provenance(mapping, about),
        **_consent(stage, mapping, entries),
        "changes": entries,
        "interrupted": _interrupted(stage, mapping, about),
    }
    whole["verdict"] = verdict(whole)
    whole["trends"] = _trends(about, whole)
    return whole


def _shown(stage: Stage, mapping: Mapping, about: About, kind: Shown) -> dict[str, Any]:
    agendas = about.agendas.get(kind) or Agendas(about.started_at)
    return content(stage, mapping, kind, agendas)


def _consent(stage: Stage, mapping: Mapping, entries: Changes) -> dict[str, Any]:
    consents = consent(stage, mapping, entries)
    if consents is None:
        return {}
    return {"consent": consents}


def _entries(
    stage: Stage,
    mapping: Mapping,
    about: About,
) -> Iterator[dict[str, Any]]:
    """Each change, with what goes along with it."""
    each_change = changes(stage, mapping, applied=about.wrote)
    return added(each_change, alongs(stage, mapping))


def _head(about: About) -> dict[str, Any]:
    nowhere = []
    for entity, side, key in about.nowhere:
        nowhere.append({"entity": entity.value, "side": side.value, "key": key})
    return {
        "format": FORMAT,
        "run_id": about.run_id,
        "pair": about.pair,
        "job": about.job,
        "state": about.state,
        "applied": about.wrote,
        "started_at": about.started_at,
        "ended_at": about.ended_at,
        "seconds": _seconds(about.started_at, about.ended_at),
        "times": times(about.steps, about.started_at, about.ended_at),
        "approvals": approvals(about.approvals),
        "refusal": about.refusal,
        "stopped": about.stopped,
        "nowhere": nowhere,
    }


def _seconds(start: str, end: str | None) -> float | None:
    if end is None:
        return None
    duration = datetime.fromisoformat(end) - datetime.fromisoformat(start)
    return round(duration.total_seconds(), 1)


def _interrupted(stage: Stage, mapping: Mapping, about: About) -> list[dict[str, Any]]:
    """What runs that were killed had written: their own reports never came.

    As far as the pair file still maps it.
    """
    runs = []
    for name, entries in sorted(about.interrupted.items()):
        written = Changes.of(_written(mapping, entries()), stage.folder)
        runs.append({"run_id": name, "changes": written})
    return runs


def _written(
    mapping: Mapping, entries: Iterable[tuple[Operation, Outcome]]
) -> Iterator[dict[str, Any]]:
    for operation, outcome in entries:
        if operation.entity.record in mapping and operation.kind not in LEDGER_ONLY:
            yield entry(mapping, operation, outcome, applied=True)


def _values(
    stage: Stage, mapping: Mapping, accounts: Sequence[ValueAccount], *, applied: bool
) -> dict[str, Any]:
    """The value statement, and the values that are not agreed, or apart by rule."""
    apart = [each.name for each in VALUE_CLASSES if each.name not in (EQUAL, CARRIED)]
    shown: list[dict[str, Any]] = []
    if accounts:
        shown.extend(listed(stage, mapping.entities, classes=apart))
    return {
        "agree": agree(accounts),
        "classes": legend(VALUE_CLASSES, applied=applied),
        "entities": [_value_account(each) for each in accounts],
        "listed": shown,
    }


def _value_account(each: ValueAccount) -> dict[str, Any]:
    return {
        "entity": each.entity.value,
        "fields": each.fields,
        "total": each.total,
        "apart": each.apart,
        "classes": {name: many for name, many in each.classes.items() if many},
        "by_field": {name: dict(counted) for name, counted in each.by_field.items()},
        "identities": [_identity(identity) for identity in each.identities],
    }


def _statement(state: Statement) -> dict[str, Any]:
    return {
        "applied": state.applied,
        "clean": state.clean,
        "unexplained": state.unexplained,
        "classes": legend(CLASSES, applied=state.applied),
        "entities": [_entity(each) for each in state.entities],
        "broken": [_identity(each) for each in state.broken],
    }


def _entity(each: EntityStatement) -> dict[str, Any]:
    return {
        "entity": each.entity.value,
        "linked": each.linked,
        "unexplained": each.unexplained,
        "sides": [_account(account) for account in each.sides],
        "identities": [_identity(identity) for identity in each.identities],
    }


def _account(account: Account) -> dict[str, Any]:
    order = [name for name in BY_NAME if name in account.classes]
    # A class that has no place in the order is a fault, and shown so that it is seen.
    order += sorted(set(account.classes) - set(BY_NAME))
    return {
        "side": account.side.value,
        "read": account.read,
        "corrected": account.corrected,
        "rows": account.rows,
        "classes": {name: account.classes[name] for name in order},
        "aside": {name: account.aside[name] for name in order if name in account.aside},
        "created": account.created,
        "met": account.met,
        "unread": account.unread,
        "adjusted": account.adjusted,
        "unexplained": account.unexplained,
        "unexplained_keys": list(account.unexplained_keys),
    }


def _identity(identity: Identity) -> dict[str, Any]:
    return {
        "says": identity.says,
        "left": identity.left,
        "right": identity.right,
        "holds": identity.holds,
    }


def _certificate(about: About) -> dict[str, Any]:
    """What proves that the run did what it says.

    `mode` none where nothing was written or nothing was read again.
    """
    in_order = sorted(about.residuals, key=lambda each: (each.entity, each.key or "", each.op_id))
    residuals = [_residual(each) for each in in_order]
    proof: dict[str, Any] = {
        "mode": "none",
        "residual_operations": len(residuals),
        "residual_holds": None,
        "groups": [],
        "residuals": residuals,
    }
    replan = about.replan
    if replan is not None:
        proof["mode"] = "replanned"
        proof["residual_operations"] = replan.operations
        proof["residual_holds"] = sum(replan.holds.values())
        proof["groups"] = [_group(each) for each in replan.groups]
    elif about.wrote and not about.stopped:
        proof["mode"] = "read_back"
    return proof


def _residual(each: Residual) -> dict[str, Any]:
    return {
        "op_id": each.op_id,
        "entity": each.entity.value,
        "key": each.key,
        "fields": list(each.fields),
        "because": each.because,
    }


def _group(group: Group) -> dict[str, Any]:
    return {
        "entity": group.entity.value,
        "side": group.side.value,
        "kind": group.kind.value,
        "count": group.count,
    }


def _provenance(mapping: Mapping, about: About) -> dict[str, Any]:
    plan, settlement = about.plan, about.settlement
    described = [(side, about.described[side]) for side in Side if side in about.described]
    return {
        "plan_digest": plan and plan.digest,
        "config_digest": plan and plan.config_digest,
        "mapping_digest": mapping.digest,
        "generation_before": plan and plan.generation,
        "generation_after": settlement and settlement.generation,
        "identities": {side.value: each.identity for side, each in described},
        "snapshots": [_snapshot(each) for _, each in sorted(about.snapshots.items())],
        "looked_again": about.looked_again,
        "recovered": len(about.interrupted),
        "versions": dict(sorted(about.versions.items())),
    }


def _snapshot(each: Snapshot) -> dict[str, Any]:
    return {
        "entity": each.entity.value,
        "side": each.side.value,
        "rows": each.rows,
        "reported_total": each.reported_total,
        "complete": each.complete,
        "partial": each.partial,
        "as_of": each.as_of or None,
        "not_read": each.not_read,
        "why_incomplete": each.why_incomplete,
        "quarantined": list(each.quarantined),
        "fingerprint": each.fingerprint,
        "taken_at": each.taken_at,
    }


def _trends(
    about: About,
    whole: Map[str, Any],
) -> list[dict[str, Any]]:
    """Earlier runs and this one, oldest first: the figures of each."""
    now = {name: whole[name] for name in _OF_A_RUN} | {"requests": requested(whole["usage"])}
    others = [run for run in about.history if run.get("run_id") != about.run_id]
    earlier = [run for run in others if run.get("entities")]
    runs = [now, *earlier[:_TRENDS]]
    return [_trend(run) for run in reversed(runs)]


def _trend(run: Map[str, Any]) -> dict[str, Any]:
    """A run as the charts take it; `totals` and `requests` only where its own report had them."""
    known = (*_OF_A_RUN, "requests")
    trend = {name: run.get(name) for name in known if name not in _NEWER or name in run}
    return trend | {"entities": {name: dict(row) for name, row in run["entities"].items()}}
