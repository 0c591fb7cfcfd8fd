"""Whether the pair's last runs are well, for a monitor: they ended, they were not refused, nothing failed, and the last is not old."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from reconcile.runs import RunRow

CARRYING = frozenset({"nightly", "apply", "migrate", "delta", "run"})
"""The jobs that carry something; a plan or an audit proves nothing about the pair."""


@dataclass(frozen=True, slots=True)
class Health:
    """A pair's health: the run it is judged by, and every reason why it is not well."""

    well: bool
    run_id: str | None
    reasons: tuple[str, ...]

    @property
    def told(self) -> dict[str, Any]:
        """The same for machines."""
        return asdict(self)


def health(rows: Sequence[RunRow], *, at: str, max_age: timedelta) -> Health:
    """Judge by the newest run that carries something. `rows` are newest first; `at` is now, ISO 8601."""
    last = next((row for row in rows if row.job in CARRYING), None)
    if last is None:
        return Health(well=False, run_id=None, reasons=("this pair was never run",))
    reasons = []
    age = datetime.fromisoformat(at) - datetime.fromisoformat(last.started_at)
    if age > max_age:
        reasons.append(f"the last run began {age.total_seconds() / 3600:.0f} hours ago")
    if last.state in ("refused", "failed", "stopped"):
        reasons.append(f"the last run was {last.state}")
    if last.state in ("running", "planned", "applying") and not last.ended_at and age > max_age:
        reasons.append(f"it did not end: it is still {last.state}")
    failed = sum(int(entity.get("failed") or 0) for entity in last.summary.get("entities", {}).values())
    if failed:
        reasons.append(f"{failed} records failed")
    return Health(well=not reasons, run_id=last.run_id, reasons=tuple(reasons))
