"""How a fleet's pairs stand this morning: what the ledgers and the stores hold of each."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from flows.config import Pair, load
from flows.outcome.fleet import WORDS
from flows.outcome.health import CARRYING, health
from flows.state.stores import runs_folder
from reconcile.errors import ConfigError, ReconcileError
from reconcile.ledger import runs
from reconcile.ledger.ledger import Ledger
from reconcile.ledger.runs import RunRow

TREND = 7
"""So many of the last whole runs are shown beside one another."""

OLD = timedelta(hours=26)
"""A pair whose last whole run is older missed its night."""

_LOOKED_AT = 100
_AGES = ((1, "today"), (7, "this week"), (30, "this month"))


@dataclass(frozen=True, slots=True)
class Standing:
    """A pair this morning.

    `code` is as an exit code: of its last whole run, or 3 where it never ran or cannot be read.
    `trend` has the codes of the last runs, oldest first. `ages` counts the open questions by how
    long they wait. `remaining` is what was left of GHL's requests of the day, by that run's report.
    """

    pair: str
    code: int
    reasons: tuple[str, ...] = ()
    run_id: str = ""
    began: str = ""
    trend: tuple[int, ...] = ()
    ages: Mapping[str, int] | None = None
    oldest_days: int = 0
    written: int = 0
    remaining: int | None = None
    report: str = ""

    @property
    def questions(self) -> int:
        """How many questions are open."""
        return sum((self.ages or {}).values())

    @property
    def word(self) -> str:
        """The code in words."""
        return WORDS[self.code]


def standings(files: Sequence[Path], *, at: str) -> list[Standing]:
    """How each pair stands at a moment (ISO 8601), worst first, then by its oldest question.

    Nothing is asked of either side. What cannot be read is told as the pair's, and stops no other.
    """
    results = [_standing(file, at) for file in files]
    return sorted(results, key=lambda one: (-one.code, -one.oldest_days, one.pair))


def _standing(file: Path, at: str) -> Standing:
    try:
        pair = load(file)
        url = sa.make_url(pair.ledger_url.get_secret_value())
        if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
            return Standing(pair.name, 3, ("this pair was never run",))
        with closing(Ledger(pair.ledger_url.get_secret_value(), pair.name)) as ledger:
            return _read(pair, ledger, at)
    except ConfigError as error:
        lines = [f"{problem.where}: {problem.what}" for problem in error.problems]
        return Standing(file.stem, 3, tuple(lines))
    except (ReconcileError, OSError, sa.exc.SQLAlchemyError) as error:
        said = str(error) if isinstance(error, ReconcileError) else type(error).__name__
        return Standing(file.stem, 3, (said,))


def _read(pair: Pair, ledger: Ledger, at: str) -> Standing:
    rows = runs.runs(ledger, limit=_LOOKED_AT)
    whole = [row for row in rows if row.job in CARRYING and row.job != runs.DELTA and row.ended_at]
    ages = [_days(row.first_seen, at) for row in ledger.holds()]
    judged = health(rows, at=at, max_age=OLD)
    base = Standing(
        pair=pair.name,
        code=3,
        reasons=judged.reasons,
        ages=dict(Counter(map(_age, sorted(ages)))),
        oldest_days=max(ages, default=0),
    )
    if not whole:
        return base
    last, codes = whole[0], [_code(row) for row in whole]
    code, reasons = codes[0], judged.reasons
    if code is None:
        code, reasons = 1, (*reasons, "an earlier version ran it, which kept no result")
    elif judged.reasons:
        code = max(code, 2)
    return replace(
        base,
        code=code,
        reasons=reasons,
        run_id=last.run_id,
        began=last.started_at,
        trend=tuple(code for code in reversed(codes[:TREND]) if code is not None),
        written=_total(last, "done", "writes"),
        remaining=_remaining(pair, last),
        report=_link(pair, last.run_id),
    )


def _code(row: RunRow) -> int | None:
    """The exit code that a run ended with; None where the ledger does not say it."""
    if row.state == "failed":
        return 3
    code = row.summary.get("exit_code")
    return code if code in WORDS else None


def _total(row: RunRow, *path: str) -> int:
    value: Any = row.summary.get("totals") or {}
    for step in path:
        value = value.get(step) or 0 if isinstance(value, dict) else 0
    return int(value) if isinstance(value, int) else 0


def _days(first: str, at: str) -> int:
    return max(0, (datetime.fromisoformat(at) - datetime.fromisoformat(first)).days)


def _age(days: int) -> str:
    return next((words for below, words in _AGES if days < below), "longer")


def _remaining(pair: Pair, row: RunRow) -> int | None:
    """GHL's requests that were left of the day, by the run's report, where this disk has it."""
    path = runs_folder(pair) / row.run_id / "report.json"
    try:
        value = json.loads(path.read_text(encoding="utf-8"))["usage"]["ghl"]["remaining_today"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return value if isinstance(value, int) else None


def _link(pair: Pair, run_id: str) -> str:
    """Where a browser finds the run's report: the pair's `report_url`, or this disk's file."""
    if pair.report_url:
        return pair.report_url.replace("{run}", run_id)
    page = runs_folder(pair) / run_id / "report.html"
    return page.absolute().as_uri() if page.exists() else ""
