"""The figures of a run by entity: done, asked, failed, cost against estimate, left to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from collections.abc import Mapping as Map
from typing import Any

from reconcile.model import Entity, OpKind, Side
from reconcile.plan.plan import LEDGER_ONLY, Estimate, Plan, estimate
from reconcile.ports import Usage
from reconcile.report.about import About
from reconcile.report.changes import FAILED
from reconcile.report.statement import EntityStatement, Statement
from reconcile.report.tally import NAMES, Records, Sieve
from reconcile.values.mapping import Mapping

_COLUMN = {"tags_added": "creates", "tags_removed": "deletes", "links": "linked"}
"""Where the figures of an entity call what was done by another name than those of the run."""

_COUNTED = ("creates", "updates", "deletes", "linked", "forgotten")
_HARD = ("rejected", "in_doubt", "skipped")
_WRITING = frozenset(
    {
        "create",
        "update",
        "delete",
        "complete",
        "upsert",
        "add",
        "remove",
        "rename",
        "tags",
        "business",
    }
)


def entities(
    mapping: Mapping,
    about: About,
    state: Statement,
    entries: Iterable[Map[str, Any]],
    holds: Iterable[Map[str, Any]],
    repeated: Sieve,
) -> dict[str, dict[str, Any]]:
    """Figures of each mapped entity, and of tags.

    For tags, creates are contacts that got tags, deletes those that lost some.
    """
    counted: dict[str, Counter[str]] = {entity.value: Counter() for entity in listed(mapping)}
    records = Records(repeated)
    for entry in entries:
        row = counted[entry["entity"]]
        if entry["status"] == "exists":
            row["linked"] += 1
        elif entry["status"] in ("done", "planned", "value_dropped"):
            name = NAMES[OpKind(entry["kind"])]
            row[_COLUMN.get(name, name)] += records.new(entry)
        if entry["status"] in FAILED:
            # A value that was dropped is a write that was made.
            row["undone"] += entry["status"] != "value_dropped"
            ended_as = "failed" if _failed(entry, about) else "left"
            row[ended_as] += 1
    for hold in holds:
        row = counted[_asked_of(mapping, hold)]
        row["holds"] += 1
        row["conflicts"] += hold["kind"] == "conflict"
    for each in state.entities:
        counted[each.entity]["left"] += _left(each.app.aside, each.ghl.aside) + _unread(each)
    return {name: _figures(Entity(name), row, about) for name, row in counted.items()}


def _failed(entry: Map[str, Any], about: About) -> bool:
    """Whether a write failed; what a stopped run did not reach is left for the next one."""
    reached = not (about.state == "stopped" and entry["status"] == "skipped")
    return entry["status"] in _HARD and reached


def listed(mapping: Mapping) -> tuple[Entity, ...]:
    """The mapped entities, with tags after contacts where contacts have tags."""
    entities: list[Entity] = []
    for mapped in mapping.entities:
        entities.append(mapped.entity)
        if mapped.has_tags:
            entities.append(Entity.TAG)
    return tuple(dict.fromkeys(entities))


def _asked_of(mapping: Mapping, hold: Map[str, Any]) -> str:
    """The entity that a question is counted with: of one tag, the tags."""
    field = hold["field"] or ""
    if field.startswith("tags: ") and Entity.TAG in listed(mapping):
        return Entity.TAG.value
    return str(hold["entity"])


def _left(*sides: Map[str, int]) -> int:
    """Rows without a counterpart until a person corrects them, or the other side is read whole."""
    return sum(aside.get(name, 0) for aside in sides for name in ("unsyncable", "not_checked"))


def _unread(each: EntityStatement) -> int:
    """Linked pairs of which this run did not read both ends: whether they agree is not known."""
    return max(
        side.classes.get("not_checked", 0) - side.aside.get("not_checked", 0) for side in each.sides
    )


def _figures(
    entity: Entity,
    row: Counter[str],
    about: About,
) -> dict[str, Any]:
    return {
        **{name: row[name] for name in (*_COUNTED, "conflicts", "holds", "failed", "left")},
        "requests": requests_of(entity, about.usage),
        "estimate": estimated(entity, about),
        "residual_operations": residual(entity, row, about),
    }


def requests_of(entity: Entity, usage: Map[Side, Usage]) -> int | None:
    """Requests spent on an entity, on the sides that count them by endpoint.

    None where none does.
    """
    counting = [each.by_endpoint for each in usage.values() if each.by_endpoint]
    if not counting:
        return None
    requests = 0
    for counts in counting:
        requests += sum(many for endpoint, many in counts.items() if _concerns(endpoint) is entity)
    return requests


def _concerns(endpoint: str) -> Entity | None:
    """The entity that an endpoint is about: contacts.search, contacts/tags.add."""
    words = endpoint.replace("/", ".").rstrip("s").split(".")
    if "tag" in words or "tags" in words:
        return Entity.TAG
    named = words[0].rstrip("s")
    return next((entity for entity in Entity if entity.value == named), None)


def estimated(entity: Entity, about: About) -> int:
    """Requests that the plan's operations of an entity were estimated to cost, on both sides."""
    if about.plan is None:
        return 0
    groups = [group for group in about.plan.groups if group.entity is entity]
    return sum(
        estimate(groups, side, described, Usage(), recheck=about.recheck).requests
        for side, described in about.described.items()
    )


def residual(entity: Entity, row: Counter[str], about: About) -> int:
    """Operations still to do: those of the plan made again, or all that was not written."""
    if about.replan is not None:
        return sum(group.count for group in about.replan.groups if group.entity is entity)
    if not about.wrote:
        if about.plan is None:
            return 0
        return writes_of(about.plan, entity)
    return row["undone"] + sum(1 for each in about.residuals if each.entity is entity)


def writes_of(plan: Plan, entity: Entity) -> int:
    """Operations of a plan on an entity that send something."""
    return sum(
        group.count
        for group in plan.groups
        if group.entity is entity and group.kind not in LEDGER_ONLY
    )


def requested(usage: Map[str, Map[str, Any]]) -> int:
    """All requests of a run, on the sides that count them against a quota."""
    return sum(used["requests"] for used in usage.values() if used["metered"])


def usage(about: About) -> dict[str, dict[str, Any]]:
    """What each side cost: requests for reading and for writing, beside the estimate."""
    return {side.value: _side(about, side, each) for side, each in sorted(about.usage.items())}


def _told_apart(used: Usage) -> tuple[int | None, int | None]:
    """Requests for writing and for reading; None where a side does not count them by endpoint."""
    if not used.by_endpoint:
        return None, None
    writing = used.looks  # the estimate of the writes includes them
    for endpoint, requests in used.by_endpoint.items():
        _, _, action = endpoint.rpartition(".")
        if action in _WRITING:
            writing += requests
    return writing, used.requests - writing


def _side(about: About, side: Side, used: Usage) -> dict[str, Any]:
    writing, reading = _told_apart(used)
    # A side that the plan does not write to is estimated at nothing, in the same words.
    expected = Estimate()
    if about.plan is not None:
        expected = about.plan.estimates.get(side, expected)
    return {
        "requests": used.requests,
        "writing": writing,
        "reading": reading,
        "estimate": expected.requests,
        "estimate_by_kind": dict(sorted(expected.by_kind.items())),
        "estimate_says": expected.says,
        "metered": bool(used.window or used.remaining_today is not None or used.by_endpoint),
        "remaining_today": used.remaining_today,
        "window": list(used.window) if used.window else None,
        "answers_429": used.answers_429,
        "looks": used.looks,
        "longest_look": round(used.longest_look, 3),
        "by_endpoint": dict(sorted(used.by_endpoint.items())),
    }
