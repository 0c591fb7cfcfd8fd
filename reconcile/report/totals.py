"""The figures of a run as a whole, in one place.

What was planned, what was done of it, what failed, what is asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from collections.abc import Mapping as Map
from typing import Any

from reconcile.model import OpKind
from reconcile.plan.plan import LEDGER_ONLY
from reconcile.report.tally import NAMES, Records, Sieve

COUNTED = ("creates", "updates", "deletes", "tags_added", "tags_removed", "links")
"""Records created, updated and deleted; contacts that got tags and that lost some.

Records linked without a write are there, too.
"""

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
    repeated: Sieve,
) -> dict[str, Any]:
    """`planned` is what the plan would write, `done` what was written of it.

    It is nothing where the run did not come to write.

    Both count records, each once; `writes` beside them counts operations. `along` are the tasks and
    notes that go with deleted contacts, planned and done. What every surface shows of a whole run
    is read from here.
    """
    planned, done = _Count(repeated), _Count(repeated)
    for entry in entries:
        if OpKind(entry["kind"]) is OpKind.FORGET:
            continue
        planned.add(entry)
        if entry["status"] in DONE:
            done.add(entry)
        # The side had the record already: nothing was created, and the two were linked.
        elif entry["status"] == "exists":
            done.records["links"] += 1
    return {
        "planned": planned.figures,
        "done": done.figures,
        "along": {"planned": planned.along, "done": done.along},
        "failed": _sum(entities, "failed"),
        "left": _sum(entities, "left"),
        "questions": _sum(entities, "holds"),
        "conflicts": _sum(entities, "conflicts"),
    }


def totals_of(document: Map[str, Any]) -> Map[str, Any]:
    """The totals of a report; those of an earlier version, which had none, are counted."""
    own: Map[str, Any] | None = document.get("totals")
    if own:
        return own
    entries = document["changes"]
    return totals(entries, document["entities"], Sieve.of(entries))


def shown(document: Map[str, Any]) -> Map[str, int]:
    """The figures that a report is about: of what was done, or else of what would be."""
    counts: Map[str, int] = totals_of(document)["done" if document["applied"] else "planned"]
    return counts


def verb(document: Map[str, Any], name: str) -> str:
    """What creates, updates, deletes or links say of their records, as `mood` has it."""
    return mood(document, _VERBS[name])


def mood(document: Map[str, Any], done: str) -> str:
    """A participle as it is true: created, to be created, or would be created.

    The second is of a plan, the third of what was refused or only looked at.
    """
    if document["applied"]:
        return done
    if document["state"] == "planned":
        return f"to be {done}"
    return f"would be {done}"


class _Count:
    """What is planned, or done.

    Records by what happens to them, the writes that it takes, and what goes along.
    """

    def __init__(self, repeated: Sieve) -> None:
        self.records: Counter[str] = Counter()
        self._known = Records(repeated)
        self._writes = 0
        self._along: Counter[str] = Counter()

    def add(self, entry: Map[str, Any]) -> None:
        """Count an operation."""
        kind = OpKind(entry["kind"])
        self.records[NAMES[kind]] += self._known.new(entry)
        self._writes += kind not in LEDGER_ONLY
        self._along.update(entry.get("along") or {})

    @property
    def figures(self) -> dict[str, int]:
        """The counts by name."""
        return {name: self.records[name] for name in COUNTED} | {"writes": self._writes}

    @property
    def along(self) -> dict[str, int]:
        """What goes along with deletions, by kind."""
        return dict(sorted(self._along.items()))


def _sum(
    entities: Map[str, Map[str, Any]],
    name: str,
) -> int:
    return sum(row[name] for row in entities.values())
