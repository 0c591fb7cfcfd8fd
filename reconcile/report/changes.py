"""What the plan did or would do: one entry for each operation, with what became of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from collections.abc import Mapping as Map
from dataclasses import dataclass, field
from typing import Any

import msgspec

from reconcile.model import Cell, Entity, OpKind
from reconcile.report.labels import shown
from reconcile.report.remedies import remedy
from reconcile.stage.models import render
from reconcile.stage.stage import Stage
from reconcile.values.mapping import TAGS, EntityMap, Mapping

FAILED = ("rejected", "in_doubt", "stale", "skipped", "value_dropped")
"""What became of an operation that is not as planned."""

_EXAMPLES = 50
_CAUSES = 20
_NAMED = 5
_OWN = re.compile(r"'[^']*'|“[^”]*”|[^\s]*\d[^\s]*")
_SHOWN = ("op_id", "entity", "kind", "side", "label", "detail", "trace_id")
_BATCH = 2_000
_DECODER = msgspec.json.Decoder(dict[str, Any])

_PARTS, _LEAST = 20, 5_000
"""In how many parts the plan is gone through, and how many operations a part has at least.

Joined and sorted whole, the rows of a million operations do not fit beside the plan.
"""


def changes(stage: Stage, mapping: Mapping, *, applied: bool) -> Iterator[dict[str, Any]]:
    """Every operation in plan order; `status` is "planned" for all where nothing was applied."""
    entities = [mapped.entity for mapped in mapping.entities]
    query = render("report/changes", entities=entities)
    last = stage.count("SELECT coalesce(max(seq), 0) FROM planned")
    size = max(_LEAST, last // _PARTS)
    for start in range(0, last, size):
        stage.make("report/change_part", start=start, stop=start + size)
        for batch in stage.stream(query, batch=_BATCH):
            for row in batch:
                yield _change(mapping, row, applied=applied)
    stage.drop("change_part")


_COLUMNS = (
    *("op_id", "entity", "kind", "side", "label", "under", "app_key", "ghl_key"),
    *("before", "after", "because", "status"),
    *("code", "detail", "trace_id", "outcome", "risk", "starts_workflows"),
)
"""The columns of `models/changes.sql`."""


def _change(mapping: Mapping, row: tuple[object, ...], *, applied: bool) -> dict[str, Any]:
    entry: dict[str, Any] = dict(zip(_COLUMNS, row, strict=True))
    before, after = _cells(entry.pop("before")), _cells(entry.pop("after"))
    outcome = _cells(entry.pop("outcome"))
    stored = outcome.get("after") or {}
    # What is removed stands in `after`, as in the request: shown, it is what was there before.
    if entry["kind"] == OpKind.REMOVE_TAGS:
        before, after = after, {TAGS: None}
    if after:
        # What only has to stand as it was, is no part of the change.
        before = {name: cell for name, cell in before.items() if name in after}
    entry["fields"] = _fields(mapping[Entity(entry["entity"]).record], before, after, stored)
    if not applied:
        entry["status"] = "planned"
    elif entry["status"] == "skipped" and not entry["code"]:
        entry["code"] = "NOT_SENT"
    return entry


def _cells(text: str | None) -> dict[str, Any]:
    if not text:
        return {}
    return _DECODER.decode(text)


def _fields(
    mapped: EntityMap, before: Map[str, Cell], after: Map[str, Cell], stored: Map[str, Any]
) -> list[dict[str, Cell]]:
    """What differs, in the mapping's order; then what the mapping no longer knows."""
    known = {each.name: each for each in mapped.fields if each.name in before or each.name in after}
    parts: list[dict[str, Cell]] = []
    for name in dict.fromkeys([*known, *after]):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        mapping = known.get(name)
        part: dict[str, Cell] = {
            "field": name,
            "before": shown(mapping, old),
            "after": shown(mapping, new),
        }
        if name in stored and stored[name] != new:
            part["stored"] = shown(mapping, stored[name])
        parts.append(part)
    return parts


@dataclass(slots=True)
class _Cause:
    """Why writes of one kind failed, with the first record as an example of the others."""

    first: dict[str, Any]
    count: int = 0
    records: list[str] = field(default_factory=list)

    def add(self, entry: dict[str, Any]) -> None:
        self.count += 1
        if len(self.records) < _NAMED:
            self.records.append(str(entry["label"]))

    def document(self) -> dict[str, Any]:
        about = {name: self.first[name] for name in ("entity", "kind", "side")}
        because = self.first["detail"]
        return {**about, "because": because, "count": self.count, "records": self.records}


@dataclass(slots=True)
class _Failures:
    """The failed operations of one code: all are counted, and the first ones are shown."""

    count: int = 0
    causes: dict[tuple[str, ...], _Cause] = field(default_factory=dict)
    examples: list[dict[str, Any]] = field(default_factory=list)

    def add(self, entry: dict[str, Any]) -> None:
        self.count += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.append({name: entry[name] for name in _SHOWN})
        # What a side says of a record may hold its key or its value: the same cause otherwise.
        said = _OWN.sub("…", str(entry["detail"]))
        cause = (entry["entity"], entry["kind"], entry["side"], said)
        if cause in self.causes or len(self.causes) < _CAUSES:
            self.causes.setdefault(cause, _Cause(entry)).add(entry)


def failures(entries: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Failed operations by code, the most frequent first, with meaning, remedy and causes.

    A cause that many records share is told once, with how many and the first of them.
    """
    groups: dict[str, _Failures] = {}
    for entry in entries:
        if entry["status"] in FAILED:
            code = str(entry["code"] or entry["status"].upper())
            groups.setdefault(code, _Failures()).add(entry)
    by_frequency = sorted(groups.items(), key=lambda item: (-item[1].count, item[0]))
    return [_group(code, group) for code, group in by_frequency]


def _group(code: str, group: _Failures) -> dict[str, Any]:
    causes = sorted(group.causes.values(), key=lambda cause: -cause.count)
    return {
        "code": code,
        **remedy(code)._asdict(),
        "count": group.count,
        "causes": [cause.document() for cause in causes],
        "examples": group.examples,
    }
