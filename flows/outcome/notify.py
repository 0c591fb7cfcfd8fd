"""Tells people outside of the job what changed.

Something went wrong, all is well again, or questions have waited for a week.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from flows.outcome.alerts import RECOVERED, Alert

if TYPE_CHECKING:
    from flows.run import Run

log = logging.getLogger("flows.outcome.notify")

WEEK = timedelta(days=7)
"""How long after a digest of the open questions the next one comes."""

SECONDS = 30.0
"""How long all receivers of a notice may take together. The run does not wait longer."""

DIGESTED = "digested"
"""What the summary of a run says that sent the digest of the open questions."""

Tone = Literal["info", "success", "warning", "failure"]
"""Apprise's kinds of notification: services show them by colour."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What receivers are told: figures and names of the job, never a person's value."""

    title: str
    lines: tuple[str, ...]
    tone: Tone

    @property
    def text(self) -> str:
        """The body, a line each."""
        return "\n".join(self.lines)


def news(pair: str, raised: Sequence[Alert], last: Mapping[str, Any] | None) -> Notice | None:
    """What is new against the run before: alerts that it did not have, or that all is well again.

    The same trouble night after night is told once. `last` is that run's summary.
    """
    known = set((last or {}).get("alerts") or ())
    fresh = [alert for alert in raised if alert.name not in known]
    if not fresh:
        return None
    if all(alert.name == RECOVERED for alert in fresh):
        return Notice(f"{pair}: no alert any more", (fresh[0].what,), "success")
    worst: Tone = "warning"
    if any(each.severity == "error" for each in fresh):
        worst = "failure"
    # A title is read on a phone: of the first alert, what stands before its figures.
    title = fresh[0].what.partition(" (")[0].partition(";")[0]
    if len(fresh) > 1:
        title += f", and {len(fresh) - 1} more"
    return Notice(f"{pair}: {title}", tuple(alert.what for alert in fresh), worst)


def digest(pair: str, opened: Sequence[tuple[str, str, str]], at: str) -> Notice | None:
    """The open questions: how many of each kind, and how old the oldest is.

    `opened` has kind, entity and first night of each; `at` is now, ISO 8601.
    """
    if not opened:
        return None
    counts = Counter((entity, kind) for kind, entity, _ in opened)
    oldest = min(datetime.fromisoformat(first) for _, _, first in opened)
    days = (datetime.fromisoformat(at) - oldest).days
    waiting = "1 question waits" if len(opened) == 1 else f"{len(opened)} questions wait"
    age = "1 day" if days == 1 else f"{days} days"
    lines = [f"{count} of {entity}: {kind}" for (entity, kind), count in counts.most_common()]
    lines.append(f"The oldest is {age} old.")
    lines.append("Answer them with: ghl-reconcile review")
    return Notice(f"{pair}: {waiting}", tuple(lines), "info")


def send(urls: Sequence[str], notice: Notice, *, seconds: float = SECONDS) -> tuple[int, ...]:
    """Give a notice to each receiver at once.

    Returns the places, from 1, of those that did not take it within `seconds`. Raises nothing:
    a receiver that is dead or slow is no reason for a run to fail.
    """
    taken: set[int] = set()
    threads = [
        threading.Thread(target=_give, args=(place, receiver, notice, taken), daemon=True)
        for place, receiver in enumerate(map(understood, urls), start=1)
        if receiver is not None
    ]
    until = time.monotonic() + seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    return tuple(place for place in range(1, len(urls) + 1) if place not in taken)


def _give(place: int, receiver: Any, notice: Notice, taken: set[int]) -> None:
    try:
        sent = receiver.notify(title=notice.title, body=notice.text, notify_type=notice.tone)
    except Exception as error:  # noqa: BLE001 - whatever a service's client raises
        log.debug("a receiver failed", extra={"place": place, "why": type(error).__name__})
        return
    if sent:
        taken.add(place)


def understood(url: str) -> Any | None:
    """Apprise's receiver at a URL; None where no service that it knows has such a URL."""
    import apprise

    # It writes addresses and answers of services into its log, and these are secrets.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    receiver = apprise.Apprise()
    try:
        known = receiver.add(url)
    except Exception as error:  # noqa: BLE001 - whatever a service's client raises
        log.debug("a receiver's URL is wrong", extra={"why": type(error).__name__})
        return None
    return receiver if known else None


def tell_of(
    run: Run, raised: Sequence[Alert], last: Mapping[str, Any] | None, *, digested: str | None
) -> bool:
    """Tell the pair's receivers what a run gives reason for.

    `digested` is when the last digest went out. Returns whether this run sent one.
    """
    changed = news(run.pair.name, raised, last)
    if changed:
        _tell(run, changed)
    now = run.clock()
    if not run.pair.alerts.digest or (digested and _younger(digested, now, WEEK)):
        return False
    weekly = digest(run.pair.name, _opened(run), now)
    if weekly:
        _tell(run, weekly)
    return weekly is not None


def _opened(run: Run) -> list[tuple[str, str, str]]:
    holds = [(json.loads(row.body), row.first_seen) for row in run.ledger.holds()]
    return [(body["kind"], body["entity"], first) for body, first in holds]


def tell_ended(run: Run, error: Exception) -> None:
    """Tell that an error ended a run while it wrote."""
    if run.pair.alerts.notify:
        title = f"{run.pair.name}: an error ended the run while it wrote"
        _tell(run, Notice(title, (f"{type(error).__name__}; the next run recovers it",), "failure"))


def _tell(run: Run, notice: Notice) -> None:
    lines = [*notice.lines, f"Run: {run.run_id}"]
    if run.pair.report_url:
        lines.append(run.pair.report_url.replace("{run}", run.run_id))
    whole = Notice(notice.title, tuple(lines), notice.tone)
    urls = [each.get_secret_value() for each in run.pair.alerts.notify]
    for place in send(urls, whole):
        log.warning(
            "a receiver took no notice",
            extra={"pair": run.pair.name, "run": run.run_id, "setting": f"notify[{place}]"},
        )


def _younger(then: str, now: str, than: timedelta) -> bool:
    return datetime.fromisoformat(now) - datetime.fromisoformat(then) < than
