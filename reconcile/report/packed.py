"""Packs all changed, asked-about and left-out records for the page: words once in a dictionary, each record one flat list."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as Map
from typing import Any

import msgspec

from reconcile.plan import LEDGER_ONLY
from reconcile.report.changes import FAILED

_NOTHING = -1


class _Words:
    """Texts that recur, each once."""

    def __init__(self) -> None:
        self.places: dict[str, int] = {}

    def place(self, text: str | None) -> int:
        """Where a text stands; -1 for none."""
        if not text:
            return _NOTHING
        return self.places.setdefault(text, len(self.places))


def packed(document: Map[str, Any]) -> tuple[int, str]:
    """How many records there are, and the JSON of {words, rows} that may stand in a script element.

    A row is [type, kind, entity, side, because, status, code, label, under, app_key, ghl_key, detail, trace_id, values],
    the first seven as places in words; values is a flat list of (field, before, after, stored), field as a place.
    """
    words = _Words()
    rows = [*_changes(document, words), *_questions(document, words), *_left_out(document, words)]
    return len(rows), script_safe({"words": list(words.places), "rows": rows})


def script_safe(value: object) -> str:
    """JSON that may stand inside a script element, whatever texts it holds."""
    text = msgspec.json.encode(value).decode()
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _changes(document: Map[str, Any], words: _Words) -> Iterator[list[Any]]:
    place = words.place
    for entry in sorted(document["changes"], key=_dullness):
        values: list[Any] = []
        for part in entry["fields"]:
            values += (place(part["field"]), part["before"], part["after"], part.get("stored", 0))
        yield [
            place("change"),
            place(entry["kind"]),
            place(entry["entity"]),
            place(entry["side"]),
            place(entry["because"]),
            place(entry["status"]),
            place(entry["code"]),
            entry["label"],
            entry["under"] or 0,
            entry["app_key"] or 0,
            entry["ghl_key"] or 0,
            entry["detail"] or 0,
            entry["trace_id"] or 0,
            values,
        ]


def _dullness(entry: Map[str, Any]) -> int:
    """What went wrong comes first; what wrote to neither side last; else the order of the plan."""
    if entry["status"] in FAILED:
        return 0
    return 2 if entry["kind"] in LEDGER_ONLY else 1


def _questions(document: Map[str, Any], words: _Words) -> Iterator[list[Any]]:
    for hold in document["holds"]:
        shown = hold["values"]
        values: list[Any] = []
        if hold["field"] and ("app" in shown or "ghl" in shown):
            values = [words.place(f"{hold['field']} in the app"), shown.get("base_app"), shown.get("app"), 0]
            values += [words.place(f"{hold['field']} in GHL"), shown.get("base_ghl"), shown.get("ghl"), 0]
        for record in (*hold["records"], *hold["candidates"]):
            if not values or record in hold["candidates"]:
                told = " · ".join(str(value) for value in record["values"].values())
                values += [
                    words.place(f"{'GHL' if record['side'] == 'ghl' else 'the app'}: {record['key']}"),
                    None,
                    told or record["label"],
                    0,
                ]
        heads = ("question", hold["kind"], hold["entity"], hold["side"], hold["because"], "held", hold["hold_id"])
        yield [*map(words.place, heads), hold["label"], 0, hold["app_key"] or 0, hold["ghl_key"] or 0, 0, 0, values]


def _left_out(document: Map[str, Any], words: _Words) -> Iterator[list[Any]]:
    for record in document["passed"]["records"]:
        if record["class"] == "ambiguous":
            continue
        app = record["side"] == "app"
        heads = ("left out", record["class"], record["entity"], record["side"], record["because"], "left out", "")
        keys = (record["key"] if app else 0, 0 if app else record["key"])
        yield [*map(words.place, heads), record["label"], 0, *keys, 0, 0, []]
