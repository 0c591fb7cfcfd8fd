"""What a run tells of itself.

Where its time went, step by step, and which person approved what it did.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Mapping as Map
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from reconcile.report.verdict import many

SLOW_SECONDS = 0.1
"""What takes less is not shown to people; report.json has it."""

_UNNAMED = "somebody who gave no name"


@dataclass(frozen=True, slots=True)
class Began:
    """A step began: what people call it, and when, as ISO 8601 in UTC."""

    says: str
    at: str


@dataclass(frozen=True, slots=True)
class Approval:
    """What a person let a run do.

    `names` are the digest of the plan and the parts of it, the limits, or the flag; of answers, how
    many count in this run. `at` is ISO 8601 in UTC, of answers that of the last one.
    """

    what: Literal["plan", "unseen", "limits", "answers"]
    by: str
    at: str
    names: tuple[str, ...] = ()
    count: int = 0


def times(steps: Sequence[Began], started_at: str, ended_at: str | None) -> list[dict[str, Any]]:
    """How long each step took, in the order in which they first began; together, all of the run.

    A step lasts until the next one begins. What comes before the first one is the first one's own.
    """
    if not steps or ended_at is None:
        return []
    moments = [started_at, *(step.at for step in steps[1:]), ended_at]
    lasted: dict[str, float] = {}
    for step, begin, end in zip(steps, moments, moments[1:], strict=False):
        lasted[step.says] = lasted.get(step.says, 0.0) + _between(begin, end)
    return [{"says": says, "seconds": round(seconds, 3)} for says, seconds in lasted.items()]


def _between(begin: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()


def approvals(given: Sequence[Approval]) -> list[dict[str, Any]]:
    """The approvals as a report has them."""
    return [asdict(each) | {"names": list(each.names)} for each in given]


def slow(document: Map[str, Any]) -> Iterator[tuple[str, str]]:
    """The steps that took long enough to be shown, with how long.

    A report of an earlier version has none.
    """
    for each in document.get("times", ()):
        if each["seconds"] >= SLOW_SECONDS:
            yield each["says"], f"{each['seconds']:,.1f} s"


def approved(document: Map[str, Any]) -> Iterator[str]:
    """Who approved what, a sentence each."""
    for each in document.get("approvals", ()):
        names = ", ".join(each["names"])
        by = each["by"] or _UNNAMED
        match each["what"]:
            case "plan":
                yield f"Approved by {by}: plan {names}"
            case "unseen":
                yield f"Approved by {by} without a look at the plan: {names}"
            case "limits":
                yield f"Allowed by {by}: {names}"
            case _:
                yield f"Follows {many(each['count'], 'answer')} of {by}"
