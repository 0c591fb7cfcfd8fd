"""The figures at the head of a report's page.

Each is one of the totals, and leads to the records that it counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as Map
from typing import Any

from reconcile.entities import Entity
from reconcile.report.along import words
from reconcile.report.totals import COUNTED, DONE, mood, shown, totals_of, verb

_RECORDS = (
    ("creates", "creates", "create"),
    ("updates", "updates", "update"),
    ("deletes", "deletes", "delete"),
    ("links", "linked", "adopt"),
)
"""Figures of records.

Their names among the totals, among an entity's figures, and in the list's filter.
"""


def tiles(document: Map[str, Any]) -> Iterator[dict[str, Any]]:
    """The figures of the whole run, each with the records that it leads to.

    None of a run without a plan.
    """
    if document["state"] in ("failed", "stopped") and not document["applied"]:
        return
    counts = shown(document)
    records = {name: row for name, row in document["entities"].items() if name != "tag"}
    for name, column, kind in _RECORDS:
        # What was linked without a write is seldom of interest.
        if name == "links" and not counts[name]:
            continue
        detail = _detail(document, records, name, column)
        tile = _tile(counts[name], verb(document, name), detail)
        yield tile | _leads(counts[name], "#records", _chosen(document, f"kind={kind}"))
    if "tag" in document["entities"]:
        yield _tag_tile(document, counts)
    yield _other_tile(document, "questions", "holds", "to decide", "ask")
    yield _other_tile(document, "failed", "failed", "failed", "fail")


def _other_tile(
    document: Map[str, Any], name: str, column: str, label: str, tone: str
) -> dict[str, Any]:
    """The figure of what is asked or failed, which leads to the section that says more of it."""
    count = totals_of(document)[name]
    detail = _by_entity(document["entities"], column)
    section = {"questions": "#decisions", "failed": "#failures"}[name]
    return _tile(count, label, detail, tone=tone) | _leads(count, section, "")


def _chosen(document: Map[str, Any], filtered: str) -> str:
    """The filter of a figure: of a run that wrote, the records that it counts as written."""
    if document["applied"]:
        return f"{filtered}&status={','.join(DONE)}"
    return filtered


def _detail(
    document: Map[str, Any],
    records: Map[str, Any],
    name: str,
    column: str,
) -> str:
    """What a figure is made of; beside what was done, what was planned, where that was more."""
    parts = [_short(document, name), _by_entity(records, column)]
    if name == "updates":
        parts.append(_writes(document))
    if name == "deletes":
        state = "done" if document["applied"] else "planned"
        going = words(totals_of(document)["along"][state])
        parts.append(going and f"with {going}")
    return " · ".join(filter(None, parts))


def _writes(document: Map[str, Any]) -> str:
    """All writes, where they are more than the records: some record got several."""
    counts = shown(document)
    records = sum(counts[name] for name in COUNTED if name != "links")
    if counts["writes"] > records:
        return f"{counts['writes']:,} writes in all"
    return ""


def _short(document: Map[str, Any], *names: str) -> str:
    """Of how many: nothing where all that was planned was done, or nothing could be."""
    whole = totals_of(document)
    planned = sum(whole["planned"][name] for name in names)
    done = sum(whole["done"][name] for name in names)
    if not document["applied"] or done >= planned:
        return ""
    return f"of {planned:,} planned"


def _by_entity(
    rows: Map[str, Map[str, int]],
    column: str,
) -> str:
    counts = ((Entity(name), row[column]) for name, row in rows.items())
    return " · ".join(entity.counted(count) for entity, count in counts if count)


def _tag_tile(
    document: Map[str, Any],
    counts: Map[str, int],
) -> dict[str, Any]:
    """A contact that gets some tags and loses others has two changes."""
    added, removed = counts["tags_added"], counts["tags_removed"]
    contacts = Entity.TAG.record
    parts = [_short(document, "tags_added", "tags_removed")]
    if added:
        parts.append(f"added to {contacts.counted(added)}")
    if removed:
        parts.append(f"removed from {contacts.counted(removed)}")
    label = "tag changes"
    if not document["applied"]:
        label += f" {mood(document, 'made')}"
    tile = _tile(added + removed, label, " · ".join(filter(None, parts)))
    return tile | _leads(added + removed, "#records", _chosen(document, "entity=tag"))


def _tile(value: int, label: str, detail: str, *, tone: str = "done") -> dict[str, Any]:
    return {
        "value": value,
        "label": label,
        "detail": detail,
        "tone": tone if value else "none",
    }


def _leads(value: int, href: str, chosen: str) -> dict[str, str]:
    """Where a figure leads to; nowhere if it is nought."""
    if not value:
        return {"href": "#main", "filter": ""}
    return {"href": href, "filter": chosen}
