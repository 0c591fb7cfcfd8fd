"""Tells of each consent that a run changes, with its ground.

Whoever is asked why somebody was written to looks here.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from collections.abc import Mapping as Map
from typing import Any

from reconcile.model import Entity, OpKind
from reconcile.stage.stage import Stage
from reconcile.values.consent import ALLOWED, NOES
from reconcile.values.mapping import Mapping

_MEANS = ("opted in", "opted out", "new, no", "new, yes")
_NOT_DONE = ("rejected", "stale", "skipped", "exists")

MOST = 5_000
"""Changes that are listed, the opt-ins first."""


def consent(
    stage: Stage, mapping: Mapping, entries: Iterable[Map[str, Any]]
) -> dict[str, Any] | None:
    """What a plan does to consents; None where none is mapped."""
    mapped = {each.entity: each.consents for each in mapping.entities if each.consents}
    if not mapped:
        return None
    grounds = _grounds(stage)
    counts: Counter[str] = Counter()
    listed: dict[str, list[dict[str, Any]]] = {means: [] for means in _MEANS}
    for entry in entries:
        for part in _parts(mapped, entry):
            means = _means(entry, part)
            counts[means] += entry["status"] not in _NOT_DONE
            # Of a million new records, no list is made.
            if len(listed[means]) < MOST:
                listed[means].append(_change(entry, part, grounds))
    changes = [each for means in _MEANS for each in listed[means]]
    return {
        "fields": sorted({name for names in mapped.values() for name in names}),
        "counts": {means: count for means, count in counts.items() if count},
        "changes": changes[:MOST],
    }


def _parts(mapped: Map[Entity, tuple[str, ...]], entry: Map[str, Any]) -> Iterator[Map[str, Any]]:
    """The consents among what an operation changes."""
    if entry["kind"] == OpKind.DELETE:
        return
    consents = mapped.get(Entity(entry["entity"]), ())
    for part in entry["fields"]:
        if part["field"] in consents:
            yield part


def _grounds(stage: Stage) -> dict[tuple[str, str], str]:
    """Why a yes travels, by operation and field."""
    if not stage.has("planned"):
        return {}
    grounds = {}
    for op_id, by_field in stage.rows("SELECT op_id, grounds FROM planned WHERE grounds <> '{}'"):
        for name, ground in json.loads(str(by_field)).items():
            grounds[str(op_id), name] = ground
    return grounds


def _change(
    entry: Map[str, Any], part: Map[str, Any], grounds: Map[tuple[str, str], str]
) -> dict[str, Any]:
    ground = grounds.get((entry["op_id"], part["field"]), entry["because"])
    named = ("op_id", "entity", "side", "label", "app_key", "ghl_key", "status")
    return {
        **{name: entry[name] for name in named},
        "field": part["field"],
        "before": part["before"],
        "after": part["after"],
        "means": _means(entry, part),
        "ground": ground,
    }


def _means(entry: Map[str, Any], part: Map[str, Any]) -> str:
    if entry["kind"] == OpKind.CREATE:
        return "new, no" if part["after"] in NOES else "new, yes"
    if part["after"] == ALLOWED:
        return "opted in"
    return "opted out"
