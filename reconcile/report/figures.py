"""The figures of a run by entity: done, asked, failed, cost against estimate, left to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from collections.abc import Mapping as Map
from typing import Any

from reconcile.model import Entity, OpKind, Side
from reconcile.plan.plan import LEDGER_ONLY, Plan, estimate
from reconcile.ports import Usage
from reconcile.report.about import About
from reconcile.report.changes import FAILED
from reconcile.report.statement import EntityStatement, Statement
from reconcile.report.tally import NAMES, Records
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
) -> dict[str, dict[str, Any]]:
    """Figures of each mapped entity, and of tags.

    For tags, creates are contacts that got tags, deletes those that lost some.
    """
    counted: dict[str, Counter[str]] = {entity.value: Counter() for entity in listed(mapping)}
    records = Records()
    for entry in entries:
        row = counted[entry["entity"]]
        if entry["status"] == "exists":
            row["linked"] += 1
        elif entry["status"] in ("done", "planned", "value_dropped"):
            name = NAMES[OpKind(entry["kind"])]
            row[_COLUMN.get(name, name)] += records.new(entry)
        if entry["status"] in FAILED:
            row["undone"] += entry["status"] != "value_dropped"
            row["failed" if _failed(entry, about) else "left"] += 1
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
        entities += [mapped.entity, *([Entity.TAG] if mapped.has_tags else [])]
    return tuple(dict.fromkeys(entities))


def _asked_of(mapping: Mapping, hold: Map[str, Any]) -> str:
    about_tag = (hold["field"] or "").startswith("tags: ") and Entity.TAG in listed(mapping)
    return Entity.TAG.value if about_tag else str(hold["entity"])


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
    return sum(
        many
        for counts in counting
        for endpoint, many in counts.items()
        if _concerns(endpoint) is entity
    )


def _concerns(endpoint: str) -> Entity | None:
    words = endpoint.replace("/", ".").rstrip("s").split(".")
    if "tag" in words or "tags" in words:
        return Entity.TAG
    return next((entity for entity in Entity if entity.value == words[0].rstrip("s")), None)


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
        return writes_of(about.plan, entity) if about.plan is not None else 0
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


def _side(
    about: About,
    side: Side,
    used: Usage,
) -> dict[str, Any]:
    writing = sum(
        many
        for endpoint, many in used.by_endpoint.items()
        if endpoint.rpartition(".")[2] in _WRITING and not endpoint.endswith("list")
    )
    writing += used.looks  # the estimate of the writes includes them
    expected = about.plan.estimates.get(side) if about.plan is not None else None
    return {
        "requests": used.requests,
        "writing": writing if used.by_endpoint else None,
        "reading": used.requests - writing if used.by_endpoint else None,
        "estimate": expected.requests if expected else 0,
        "estimate_by_kind": dict(sorted(expected.by_kind.items())) if expected else {},
        "estimate_says": expected.says if expected else "no requests",
        "metered": bool(used.window or used.remaining_today is not None or used.by_endpoint),
        "remaining_today": used.remaining_today,
        "window": list(used.window) if used.window else None,
        "answers_429": used.answers_429,
        "looks": used.looks,
        "longest_look": round(used.longest_look, 3),
        "by_endpoint": dict(sorted(used.by_endpoint.items())),
    }
