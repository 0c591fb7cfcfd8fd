"""What a run's figures say to whoever is on duty.

Too much failed, the counts are not the usual ones, or all is well again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Literal

from reconcile.entities import Entity

if TYPE_CHECKING:
    from flows.config.form import AlertsForm

log = logging.getLogger("flows.outcome.alerts")

FAILED, DEVIATION, REFUSED, RECOVERED = "failed-share", "count-deviation", "refused", "recovered"

ENOUGH = 3
"""Earlier runs that it takes to know what is usual."""

NOTABLE = 50
"""Fewer writes than this are never unusual, nor is a gain of fewer records."""

MANY_TIMES = 5
"""How many times the most of the earlier runs a run's writes are unusual."""

_WRITES = ("creates", "updates", "deletes")


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing to tell: `name` is stable, `what` a sentence without a person's value."""

    name: str
    severity: Literal["warning", "error", "info"]
    what: str


def raised(
    now: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]], settings: AlertsForm
) -> list[Alert]:
    """The alerts of a run, from its summary and those of earlier runs (newest first).

    The same figures give the same alerts.
    """
    last = [run for run in earlier if run.get("run_id") != now.get("run_id")]
    alerts = [*_refused(now), *_failed(now, settings), *_deviations(now, last, settings)]
    if alerts or not last or now.get("state") != "settled":
        return alerts
    before = last[0].get("alerts")
    if before:
        names = ", ".join(sorted(set(before)))
        alerts.append(Alert(RECOVERED, "info", f"no alert any more; the run before had: {names}"))
    return alerts


def _refused(now: Mapping[str, Any]) -> Iterator[Alert]:
    if now.get("state") in ("refused", "failed"):
        yield Alert(
            REFUSED,
            "error",
            (
                f"the run {'was refused' if now['state'] == 'refused' else 'failed'}; "
                "nothing is reconciled until somebody looks at it"
            ),
        )


def _failed(now: Mapping[str, Any], settings: AlertsForm) -> Iterator[Alert]:
    failed = _total(now, ("failed",))
    tried = failed + _total(now, _WRITES)
    if failed and failed > tried * settings.failed_share:
        share = failed / tried
        yield Alert(
            FAILED,
            "error",
            (
                f"{failed} of {tried} writes failed ({share:.0%}; "
                f"the limit is {settings.failed_share:.0%})"
            ),
        )


def _deviations(
    now: Mapping[str, Any], last: Sequence[Mapping[str, Any]], settings: AlertsForm
) -> Iterator[Alert]:
    # A plan or an audit reads like any run; what a delta or an undo does is no measure of what is
    # usual.
    alike = [
        run for run in last if run.get("job") == now.get("job") and run.get("state") == "settled"
    ][: settings.runs]
    if len(alike) < ENOUGH:
        return
    for name, rows in sorted((now.get("rows") or {}).items()):
        known = [run["rows"][name] for run in alike if name in (run.get("rows") or {})]
        usual = median(known) if len(known) >= ENOUGH else 0
        # A small side grows by a large share with each record; what it loses is told all the same.
        if 0 <= rows - usual < NOTABLE:
            continue
        if usual and abs(rows - usual) > usual * settings.count_deviation:
            entity, _, side = name.partition(".")
            yield Alert(
                DEVIATION,
                "warning",
                f"{side} has {rows} {Entity(entity).plural}; "
                f"usual in the last {len(known)} runs: {usual:.0f}",
            )
    for name in _WRITES:
        count, most = _total(now, (name,)), max(_total(run, (name,)) for run in alike)
        if count >= NOTABLE and count > MANY_TIMES * most:
            yield Alert(
                DEVIATION,
                "warning",
                f"{count} {name}; the most in the last {len(alike)} runs: {most}",
            )


def _total(run: Mapping[str, Any], names: Iterable[str]) -> int:
    return sum(
        int(row.get(name) or 0) for row in (run.get("entities") or {}).values() for name in names
    )


def exit_code(alerts: Iterable[Alert]) -> int:
    """The least exit code that alerts ask for: 1 where something is unusual, 0 for good news."""
    return int(any(alert.severity != "info" for alert in alerts))


def log_level(alert: Alert) -> int:
    """The level of an alert's log event."""
    return {"error": logging.ERROR, "warning": logging.WARNING, "info": logging.INFO}[
        alert.severity
    ]


def log_all(pair: str, run_id: str, alerts: Iterable[Alert]) -> None:
    """One log event an alert."""
    for alert in alerts:
        log.log(
            log_level(alert),
            "alert",
            extra={"pair": pair, "run": run_id, "alert": alert.name, "what": alert.what},
        )
