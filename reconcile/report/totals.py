"""The figures of a run as a whole, in one place: what was planned, what was done of it, what failed, what is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from collections.abc import Mapping as Map
from typing import Any

from reconcile.model import OpKind

COUNTED = ("creates", "updates", "deletes", "tags_added", "tags_removed", "links")
"""Records created, updated and deleted; contacts that got tags and that lost some; records linked without a write."""

WRITES = COUNTED[:-1]

_NAMES = {
    OpKind.CREATE: "creates",
    OpKind.UPDATE: "updates",
    OpKind.COMPLETE: "updates",
    OpKind.DELETE: "deletes",
    OpKind.ARCHIVE: "deletes",
    OpKind.ADD_TAGS: "tags_added",
    OpKind.REMOVE_TAGS: "tags_removed",
    OpKind.ADOPT: "links",
}
DONE = ("done", "value_dropped")
"""What became of an operation that was written."""

_VERBS = {
    "creates": "created",
    "updates": "updated",
    "deletes": "deleted",
    "links": "linked",
}


def totals(
    entries: Iterable[Map[str, Any]],
    entities: Map[str, Map[str, Any]],
) -> dict[str, Any]:
    """`planned` is what the plan would write, `done` what was written of it: nothing where the run did not come to write.

    `along` are the tasks and notes that go with deleted contacts, planned and done. What every surface shows of a whole
    run is read from here.
    """
    planned: Counter[str] = Counter()
    done: Counter[str] = Counter()
    along: dict[str, Counter[str]] = {"planned": Counter(), "done": Counter()}
    for entry in entries:
        name = _NAMES.get(OpKind(entry["kind"]))
        if name is None:
            continue
        planned[name] += 1
        along["planned"].update(entry.get("along") or {})
        if entry["status"] in DONE:
            done[name] += 1
            along["done"].update(entry.get("along") or {})
        # The side had the record already: nothing was created, and the two were linked.
        elif entry["status"] == "exists":
            done["links"] += 1
    return {
        "planned": _counts(planned),
        "done": _counts(done),
        "along": {name: dict(sorted(counted.items())) for name, counted in along.items()},
        "failed": _sum(entities, "failed"),
        "left": _sum(entities, "left"),
        "questions": _sum(entities, "holds"),
        "conflicts": _sum(entities, "conflicts"),
    }


def totals_of(document: Map[str, Any]) -> Map[str, Any]:
    """The totals of a report; those of an earlier version, which had none, are counted."""
    found: Map[str, Any] | None = document.get("totals")
    return found or totals(document["changes"], document["entities"])


def shown(document: Map[str, Any]) -> Map[str, int]:
    """The figures that a report is about: of what was done, or else of what would be."""
    counts: Map[str, int] = totals_of(document)["done" if document["applied"] else "planned"]
    return counts


def verb(document: Map[str, Any], name: str) -> str:
    """What creates, updates, deletes or links say of their records, as `mood` has it."""
    return mood(document, _VERBS[name])


def mood(document: Map[str, Any], done: str) -> str:
    """A participle as it is true: created; to be created, of a plan; would be created, of what was refused or only looked at."""
    if document["applied"]:
        return done
    return f"to be {done}" if document["state"] == "planned" else f"would be {done}"


def _counts(counted: Counter[str]) -> dict[str, int]:
    return {name: counted[name] for name in COUNTED} | {
        "writes": sum(counted[name] for name in WRITES)
    }


def _sum(
    entities: Map[str, Map[str, Any]],
    name: str,
) -> int:
    return sum(row[name] for row in entities.values())
