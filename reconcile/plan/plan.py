"""The plan as a whole: what it was made from, what it will do, and what it will cost."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from reconcile.model import Entity, OpKind, Side
from reconcile.ports import Description, Usage

LEDGER_ONLY = frozenset({OpKind.ADOPT, OpKind.FORGET})
"""Operations that send nothing to either side."""

VALUES = frozenset({OpKind.UPDATE, OpKind.COMPLETE, OpKind.ARCHIVE, OpKind.DELETE})
"""Operations that take the place of a value: somebody may have changed it since it was read.

A create has no record that anybody could have changed, and tags are sent as what is added and
removed, not as the set.
"""


@dataclass(frozen=True, slots=True)
class Group:
    """Operations of one kind on one side.

    `opt_ins` are those that loosen a consent. For tags, `deltas` lists how many contacts need each
    identical change.
    """

    entity: Entity
    side: Side
    kind: OpKind
    count: int
    risky: int = 0
    starts_workflows: int = 0
    opt_ins: int = 0
    deltas: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a plan costs on one side: requests by kind of operation, seconds at least, and nights.

    `seconds` is what the window allows, `nights` what the daily quota does.
    """

    requests: int = 0
    by_kind: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    nights: int = 0

    @property
    def says(self) -> str:
        """The estimate in words."""
        if not self.requests:
            return "no requests"
        fits = "fits tonight" if self.nights <= 1 else f"takes {self.nights} nights"
        return f"{self.requests} requests, at least {self.seconds:.0f} s, {fits}"


@dataclass(frozen=True, slots=True)
class Plan:
    """The head of a plan; its operations and holds stand in the plan file, one a line.

    `digest` names the plan file's content; a person approves that. `generation` is the ledger's
    when the plan was made.
    """

    run_id: str
    pair: str
    generation: int
    config_digest: str
    snapshots: Mapping[str, str]
    groups: tuple[Group, ...] = ()
    holds: Mapping[str, int] = field(default_factory=dict)
    estimates: Mapping[str, Estimate] = field(default_factory=dict)
    digest: str = ""

    @property
    def operations(self) -> int:
        """How many operations there are."""
        return sum(group.count for group in self.groups)

    @property
    def writes(self) -> int:
        """How many of them write to a side."""
        return sum(group.count for group in self.groups if group.kind not in LEDGER_ONLY)

    def count(self, entity: Entity, *kinds: OpKind, side: Side | None = None) -> int:
        """How many operations of these kinds there are."""
        alike = [each for each in self.groups if each.entity is entity and each.kind in kinds]
        return sum(group.count for group in alike if side in (None, group.side))


def estimate(
    groups: Iterable[Group], side: Side, described: Description, usage: Usage, *, recheck: str
) -> Estimate:
    """What these groups cost on `side`, against what remains of today's quota there."""
    by_kind: dict[str, int] = {}
    for group in groups:
        if group.side is not side or group.kind in LEDGER_ONLY:
            continue
        cost = _cost(group, described)
        by_kind[group.kind] = by_kind.get(group.kind, 0) + cost
        # A look costs a request as the write does; a side whose writes are free reads for nothing.
        looks = {"always": group.count, "risky": group.risky}.get(recheck, 0)
        if cost and looks and group.kind in VALUES:
            by_kind["recheck"] = by_kind.get("recheck", 0) + looks
    requests = sum(by_kind.values())
    return Estimate(requests, by_kind, _seconds(requests, usage), _nights(requests, usage))


def _cost(group: Group, described: Description) -> int:
    """How many requests a group takes; where tags go in bulk, each identical change shares some."""
    cost = math.ceil(group.count * described.costs.get(group.kind, 0.0))
    if cost and described.bulk_tags and group.deltas:
        return sum(math.ceil(contacts / described.bulk_tags) for contacts in group.deltas)
    return cost


def _seconds(requests: int, usage: Usage) -> float:
    """How long so many requests take at least: the first window's are free."""
    if usage.window is None:
        return 0.0
    window, seconds = usage.window
    if not window:
        return 0.0
    return max(0.0, math.ceil(requests / window) - 1) * seconds


def _nights(requests: int, usage: Usage) -> int:
    """How many days' quotas, each less the reserve for others, so many requests take."""
    left = usage.remaining_today
    if left is None or not requests:
        return int(requests > 0)
    today = max(0, left - usage.reserved)
    a_day = max(1, (usage.daily or left) - usage.reserved)
    later = max(0, requests - today)
    return 1 + math.ceil(later / a_day)
