"""The charts of a report over its runs.

What was done in each, what was planned and not done, what was asked, failed and cost.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Mapping as Map
from typing import Any

from reconcile.report.charts import Part, columns

_TRENDS = (
    (
        "Changes a run",
        (
            ("creates", "created", "tone-create"),
            ("updates", "updated", "tone-done"),
            ("deletes", "deleted", "tone-delete"),
            ("tags", "tag changes", "tone-tags"),
            ("due", "planned, not written", "tone-due"),
        ),
    ),
    ("Questions open", (("questions", "open", "tone-ask"),)),
    ("Failures", (("failed", "failed", "tone-fail"), ("left", "left", "tone-aside"))),
    ("Requests", (("requests", "requests", "tone-done"),)),
)


def trends(document: Map[str, Any]) -> Iterator[dict[str, Any]]:
    """A chart for each kind of figure.

    Runs of an earlier version, which had no totals, are left out.
    """
    runs = [run for run in document["trends"] if run.get("totals")]
    if len(runs) < 2:
        return
    since = str(runs[0]["started_at"])[:10]
    for title, figures in _TRENDS:
        drawn: list[tuple[str, list[Part]]] = []
        sums: list[int] = []
        for run in runs:
            parts = list(_parts(run, figures))
            drawn.append((_run_name(run), parts))
            sums.append(sum(part.value for part in parts))
        svg = columns(drawn, title=f"{title}, over {len(runs)} runs")
        if svg:
            yield {
                "title": title,
                "svg": svg,
                "first": since,
                "says": f"this run {sums[-1]:,} · most {max(sums):,}",
                "legend": list(_keys(drawn)),
            }


def _parts(
    run: Map[str, Any],
    figures: Sequence[tuple[str, str, str]],
) -> Iterator[Part]:
    for name, label, style in figures:
        yield Part(label, _trend(run, name), style)


def _run_name(run: Map[str, Any]) -> str:
    """When a run began, and what became of it where it did not go to its end."""
    began = str(run["started_at"])[:16].replace("T", " ")
    if run["state"] == "settled":
        return began
    return f"{began}, {run['state']}"


def _keys(drawn: Sequence[tuple[str, Sequence[Part]]]) -> Iterator[dict[str, str]]:
    """The legend of a chart of several figures: those that are anywhere in it."""
    seen: dict[str, str] = {}
    for _, parts in drawn:
        if len(parts) < 2:
            return
        seen |= {part.label: part.style for part in parts if part.value}
    for part in drawn[0][1]:
        if part.label in seen:
            yield {
                "label": part.label,
                "style": part.style,
            }


def _trend(run: Map[str, Any], name: str) -> int:
    """One figure of a run; what was planned and not done is apart from what was done."""
    whole = run["totals"]
    done = whole["done"]
    count = whole.get(name, 0)
    if name in done:
        count = done[name]
    elif name == "tags":
        count = done["tags_added"] + done["tags_removed"]
    elif name == "due":
        count = max(0, whole["planned"]["writes"] - done["writes"])
    elif name == "requests":
        count = run.get("requests") or 0
    return int(count)
