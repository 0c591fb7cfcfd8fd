"""What the plan did or would do, one entry an operation: the record's name, both keys, each field before and after, and the outcome."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from collections.abc import Mapping as Map
from typing import Any

import msgspec

from reconcile.model import Cell, Entity, OpKind
from reconcile.report.labels import record_entity, shown
from reconcile.report.remedies import remedy
from reconcile.stage.stage import Stage
from reconcile.values.mapping import TAGS, EntityMap, Mapping

FAILED = ("rejected", "in_doubt", "stale", "skipped", "value_dropped")
"""What became of an operation that is not as planned."""

_EXAMPLES = 50
_BATCH = 2_000
_DECODER = msgspec.json.Decoder(dict[str, Any])

_PARTS, _LEAST = 20, 5_000
"""In how many parts the plan is gone through, and how many operations a part has at least: joined and sorted whole, the rows of
a million operations do not fit beside the plan."""

_PART = """
CREATE OR REPLACE TABLE told_part AS
SELECT p.seq, p.op_id, p.entity, p.kind, p.side, p.key, p.source_key, p.parent, p.before::VARCHAR AS before, p.after::VARCHAR AS after,
    p.because, p.risk, p.starts_workflows, f.of_entity, f.made_key, f.fate, coalesce(o.code, '') AS code,
    coalesce(o.detail, '') AS detail, o.trace_id, CASE WHEN o.code = 'VALUE_DROPPED' THEN o.outcome END AS outcome
FROM (FROM planned WHERE seq > {start} AND seq <= {end}) p
JOIN (SELECT op_id, entity AS of_entity, made_key, fate FROM fate WHERE seq > {start} AND seq <= {end}) f USING (op_id)
LEFT JOIN outcome o USING (op_id)
"""

_QUERY = """
WITH named AS ({names}), contact AS ({contacts})
SELECT p.op_id, p.entity, p.kind, p.side, coalesce(n.label, p.key, p.source_key) AS label, u.label AS under,
    CASE p.side WHEN 'app' THEN coalesce(p.key, p.made_key) ELSE p.source_key END AS app_key,
    CASE p.side WHEN 'ghl' THEN coalesce(p.key, p.made_key) ELSE p.source_key END AS ghl_key,
    p.before, p.after, p.because, p.fate, p.code, p.detail, p.trace_id, p.outcome, p.risk, p.starts_workflows
FROM told_part p
LEFT JOIN named n ON n.entity = p.of_entity AND n.app_key IS NOT DISTINCT FROM (CASE p.side WHEN 'app' THEN p.key ELSE p.source_key END)
    AND n.ghl_key IS NOT DISTINCT FROM (CASE p.side WHEN 'ghl' THEN p.key ELSE p.source_key END)
LEFT JOIN contact u ON u.link_id = p.parent
ORDER BY p.seq
"""

_NAMES = """
SELECT DISTINCT ON (app_key, ghl_key) '{e}' AS entity, o.app_key, o.ghl_key, coalesce(a.label, g.label) AS label
FROM (SELECT DISTINCT CASE side WHEN 'app' THEN key ELSE source_key END AS app_key, CASE side WHEN 'ghl' THEN key ELSE source_key END AS ghl_key
      FROM told_part WHERE of_entity = '{e}') o
LEFT JOIN name_{e}_app a ON a.key = o.app_key LEFT JOIN name_{e}_ghl g ON g.key = o.ghl_key
"""

_CONTACTS = """
SELECT o.link_id, any_value(coalesce(a.label, g.label)) AS label
FROM (FROM owner SEMI JOIN (SELECT parent FROM told_part) p ON p.parent = owner.link_id) o
LEFT JOIN name_contact_app a ON a.key = o.app_key LEFT JOIN name_contact_ghl g ON g.key = o.ghl_key GROUP BY o.link_id
"""

_NOBODY = "SELECT NULL::VARCHAR AS link_id, NULL::VARCHAR AS label WHERE false"


def changes(stage: Stage, mapping: Mapping, *, applied: bool) -> Iterator[dict[str, Any]]:
    """Every operation in plan order; `status` is "planned" for all where nothing was applied."""
    names = " UNION ALL ".join(f"({_NAMES.format(e=mapped.entity)})" for mapped in mapping.entities)
    contacts = _CONTACTS if Entity.CONTACT in mapping else _NOBODY
    query = _QUERY.format(names=names, contacts=contacts)
    last = stage.count("SELECT coalesce(max(seq), 0) FROM planned")
    size = max(_LEAST, last // _PARTS)
    for start in range(0, last, size):
        stage.run(_PART.format(start=start, end=start + size))
        for batch in stage.stream(query, batch=_BATCH):
            for row in batch:
                yield _change(mapping, row, applied=applied)
    stage.drop("told_part")


_COLUMNS = (
    *(
        "op_id",
        "entity",
        "kind",
        "side",
        "label",
        "under",
        "app_key",
        "ghl_key",
        "before",
        "after",
        "because",
        "status",
    ),
    *("code", "detail", "trace_id", "outcome", "risk", "starts_workflows"),
)


def _change(mapping: Mapping, row: tuple[object, ...], *, applied: bool) -> dict[str, Any]:
    entry: dict[str, Any] = dict(zip(_COLUMNS, row, strict=True))
    before, after = _cells(entry.pop("before")), _cells(entry.pop("after"))
    outcome = entry.pop("outcome")
    stored = _cells(outcome).get("after") or {} if outcome else {}
    if entry["kind"] == OpKind.REMOVE_TAGS:
        before, after = after, {TAGS: None}
    entry["fields"] = _fields(
        mapping[record_entity(Entity(entry["entity"]))], before, after, stored
    )
    if not applied:
        entry["status"] = "planned"
    elif entry["status"] == "skipped" and not entry["code"]:
        entry["code"] = "NOT_SENT"
    return entry


def _cells(text: str | None) -> dict[str, Any]:
    return _DECODER.decode(text) if text else {}


def _fields(
    mapped: EntityMap, before: Map[str, Cell], after: Map[str, Cell], stored: Map[str, Any]
) -> list[dict[str, Cell]]:
    """What differs, in the mapping's order; then what the mapping no longer knows."""
    known = {
        field.name: field for field in mapped.fields if field.name in before or field.name in after
    }
    parts: list[dict[str, Cell]] = []
    for name in [*known, *(name for name in after if name not in known)]:
        old, new = before.get(name), after.get(name)
        if old != new:
            field = known.get(name)
            part: dict[str, Cell] = {
                "field": name,
                "before": shown(field, old),
                "after": shown(field, new),
            }
            if name in stored and stored[name] != new:
                part["stored"] = shown(field, stored[name])
            parts.append(part)
    return parts


def failures(entries: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Failed operations grouped by code, the most frequent first, each group with its meaning, its remedy and examples."""
    counted: Counter[str] = Counter()
    examples: dict[str, list[dict[str, Any]]] = {}
    for entry in entries:
        if entry["status"] in FAILED:
            code = str(entry["code"] or entry["status"].upper())
            counted[code] += 1
            if counted[code] <= _EXAMPLES:
                examples.setdefault(code, []).append(entry)
    return [
        {
            "code": code,
            **remedy(code)._asdict(),
            "count": many,
            "examples": [
                {
                    name: entry[name]
                    for name in ("op_id", "entity", "kind", "side", "label", "detail", "trace_id")
                }
                for entry in examples[code]
            ],
        }
        for code, many in sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    ]
