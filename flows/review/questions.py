"""What is asked, as people need to see it.

The ledger's holds with the evidence that the run which asked put into its report.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from reconcile.ledger.ledger import Ledger
from reconcile.model import Side
from reconcile.values.names import checked


@dataclass(frozen=True, slots=True)
class Shown:
    """One record as evidence: its canonical values by field, blanks left out.

    `modified_at` is when its side says that it was last changed, `under` the key of its contact.
    """

    side: Side
    key: str
    label: str
    values: Mapping[str, str]
    modified_at: str | None = None
    under: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What was decided, by whom, when, and why."""

    choice: str
    by: str
    at: str
    reason: str


@dataclass(frozen=True, slots=True)
class Question:
    """One open hold. `values` are those of the hold: base_app, base_ghl, app, ghl; rule; gone.

    `records` are what it is about, `candidates` what one of them may be; both are empty where the
    report of the run that asked is gone. `along`: how many tasks and notes go with it where the
    answer is `delete`.
    """

    hold_id: str
    kind: str
    entity: str
    label: str
    because: str
    asked_at: str
    age_days: int
    digest: str
    field: str | None
    side: Side | None
    app_key: str | None
    ghl_key: str | None
    run_id: str
    options: tuple[str, ...]
    values: Mapping[str, Any]
    records: tuple[Shown, ...]
    candidates: tuple[Shown, ...]
    along: Mapping[str, int]
    answer: Answer | None

    @property
    def field_name(self) -> str:
        """The field that it is about, without the element of a set.

        Empty where it is about a whole record.
        """
        return (self.field or "").partition(": ")[0]

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that any of its records has a value in: the contested one first."""
        named = sorted(
            {name for shown in (*self.records, *self.candidates) for name in shown.values}
        )
        return tuple(sorted(named, key=lambda name: name != self.field))


def _as_it_is(folder: Path) -> Path:
    return folder


class Evidence:
    """What the runs' reports say of each hold, read once per run.

    `report.json` lies in the run's folder and never changes.

    The report is taken rather than the raw rows, since it has the values as they were compared,
    under their field names.
    """

    def __init__(self, runs_folder: Path, *, bring: Callable[[Path], Path] = _as_it_is) -> None:
        self._folder = runs_folder
        self._bring = bring
        self._known: dict[str, dict[str, dict[str, Any]]] = {}

    def of(self, run_id: str, hold_id: str, digest: str) -> Mapping[str, Any]:
        """The report's entry for a hold.

        Empty where there is none, or where it is about other values.
        """
        if run_id not in self._known:
            entries = _read(self._bring(self._folder / checked(run_id)) / "report.json")
            if entries is None:
                return {}
            self._known[run_id] = entries
        entry = self._known[run_id].get(hold_id, {})
        if entry.get("values_digest") == digest:
            return entry
        return {}


def _read(path: Path) -> dict[str, dict[str, Any]] | None:
    from reconcile.report import kept

    try:
        report = kept.read(path)
    except (OSError, msgspec.MsgspecError):
        return None
    return {str(entry.get("hold_id")): entry for entry in report.get("holds", ())}


def questions(ledger: Ledger, evidence: Evidence, *, now: str) -> list[Question]:
    """Every open hold, oldest first, answered or not."""
    return [_question(row, evidence, now) for row in ledger.holds()]


def _question(row: Any, evidence: Evidence, now: str) -> Question:
    body = json.loads(row.body)
    entry = evidence.of(row.last_run, row.hold_id, row.values_digest)
    decided = row.decision is not None
    return Question(
        hold_id=row.hold_id,
        kind=body["kind"],
        entity=body["entity"],
        label=str(
            entry.get("label") or body.get("app_key") or body.get("ghl_key") or body["subject"]
        ),
        because=body["because"],
        asked_at=row.first_seen,
        age_days=_days(row.first_seen, now),
        digest=row.values_digest,
        field=body.get("field"),
        side=Side(body["side"]) if body.get("side") else None,
        app_key=body.get("app_key"),
        ghl_key=body.get("ghl_key"),
        run_id=row.last_run,
        options=tuple(body.get("options", ())),
        values=entry.get("values") or body.get("values", {}),
        records=tuple(_shown(entry.get("records", ()))),
        candidates=tuple(_shown(entry.get("candidates", ()))),
        along=entry.get("along", {}),
        answer=Answer(row.decision, row.decided_by or "", row.decided_at or "", row.reason or "")
        if decided
        else None,
    )


def _shown(entries: Iterable[Mapping[str, Any]]) -> Iterable[Shown]:
    for entry in entries:
        values = {
            str(name): str(value) for name, value in entry["values"].items() if value is not None
        }
        names = (str(entry["key"]), str(entry["label"]))
        more = (entry.get("modified_at"), entry.get("under"))
        yield Shown(Side(entry["side"]), *names, values, *more)


def _days(since: str, until: str) -> int:
    return max(0, (datetime.fromisoformat(until) - datetime.fromisoformat(since)).days)
