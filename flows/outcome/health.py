"""Whether the pair's last runs are well, for a monitor.

They ended, they were not refused, nothing failed, and the last is not old.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from reconcile.ledger.runs import RunRow

CARRYING = frozenset({"nightly", "apply", "migrate", "delta", "run"})
"""The jobs that carry something.

An audit proves nothing about the pair, nor does a plan that nobody applied.
"""

_APPLIED = frozenset({"applying", "settled", "stopped", "recovered", "refused"})
"""What the run of a plan becomes once somebody applies it."""


@dataclass(frozen=True, slots=True)
class Health:
    """A pair's health: the run it is judged by, and every reason why it is not well."""

    well: bool
    run_id: str | None
    reasons: tuple[str, ...]

    @property
    def document(self) -> dict[str, Any]:
        """The same for machines."""
        return asdict(self)


def health(rows: Sequence[RunRow], *, at: str, max_age: timedelta) -> Health:
    """Judge by the newest whole run, and by the newest delta where that is newer still.

    Both have to be well.

    `rows` are newest first; `at` is now, ISO 8601. Deltas alone, all of them younger than
    `max_age`, say nothing of whole runs.
    """
    begun = [row for row in rows if _carries(row)]
    if not begun:
        return Health(well=False, run_id=None, reasons=("this pair was never run",))
    # What is under way says nothing yet: the run before it is judged, so that one that is killed
    # each night is seen.
    carried = [row for row in begun if not (_open(row) and _age(row, at) <= max_age)]
    if not carried:
        return Health(well=True, run_id=begun[0].run_id, reasons=())
    whole = next((row for row in carried if row.job != "delta"), None)
    named = {
        "the last run": whole,
        "the last delta": carried[0] if carried[0] is not whole else None,
    }
    troubles = [
        (row, said)
        for name, row in named.items()
        if row
        for said in _troubles(row, name, at, max_age)
    ]
    if whole is None and _age(rows[-1], at) > max_age:
        troubles.append(
            (
                carried[0],
                f"only deltas began in the last {_hours(_age(rows[-1], at))} hours, no whole run",
            )
        )
    judged = troubles[0][0] if troubles else carried[0]
    reasons = tuple(said for _, said in troubles)
    return Health(well=not troubles, run_id=judged.run_id, reasons=reasons)


def _carries(row: RunRow) -> bool:
    """Whether a run carries a plan out, or is about to.

    Not one whose plan waits for a person's word.
    """
    if row.job == "plan":
        return row.state in _APPLIED
    return row.job in CARRYING and not (row.state == "planned" and row.ended_at)


def _troubles(row: RunRow, name: str, at: str, max_age: timedelta) -> Iterator[str]:
    old = _age(row, at) > max_age
    if old:
        yield f"{name} began {_hours(_age(row, at))} hours ago"
    if row.state in ("refused", "failed", "stopped"):
        yield f"{name} was {row.state}"
    if _open(row) and old:
        yield f"it did not end: it is still {row.state}"
    failed = sum(
        int(entity.get("failed") or 0) for entity in row.summary.get("entities", {}).values()
    )
    if failed:
        yield f"{failed} records failed"


def _open(row: RunRow) -> bool:
    return row.state in ("running", "planned", "applying")


def _age(row: RunRow, at: str) -> timedelta:
    return datetime.fromisoformat(at) - datetime.fromisoformat(row.started_at)


def _hours(age: timedelta) -> str:
    return f"{age.total_seconds() / 3600:.0f}"
