"""Packs records for the page: words once, each record one flat list, as many as a browser likes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from collections.abc import Mapping as Map
from dataclasses import dataclass
from itertools import chain
from typing import Any

import msgspec

from reconcile.model import Side
from reconcile.plan.plan import LEDGER_ONLY
from reconcile.report.changes import FAILED

_NOTHING = -1
_MOST_BYTES = 10_000_000
"""Of records in a page, which is then under 12 MB: some 50,000 usual changes."""
_TIERS, _TIER = (1, 9, 90), 500
"""Records of a kind that come in, or stay out, together.

The very first is by itself, as even ten may be too long.
"""
_ASKED = "ambiguous"  # the class of records that are left out, and that a question is about
_TEXTS = ("label", "under", "app_key", "ghl_key", "detail", "trace_id")
_AROUND = 60  # bytes of a record beside its texts
_ENCODER = msgspec.json.Encoder()

Row = list[Any]

Kind = tuple[str, str, str, str | None, str, str]
"""(type, kind, entity, side, status, code): what the page's filters tell apart.

A question's code is its id, and counts as none.
"""


@dataclass(frozen=True, slots=True)
class Packed:
    """`data` is the JSON of {words, rows, more} that may stand in a script element.

    `total` counts the records there are, `shown` those in `data`, which are the first of each kind.
    A row is [type, kind, entity, side, because, status, code, label, under, app_key, ghl_key,
    detail, trace_id, values], the first seven as places in words; values is a flat list of (field,
    before, after, stored), field as a place. `more` says how many of which kind are not among the
    rows: [type, kind, entity, side, status, code, count].
    """

    total: int
    shown: int
    data: str


class _Words:
    """Texts that recur, each once."""

    def __init__(self) -> None:
        self.places: dict[str, int] = {}

    def place(self, text: str | None) -> int:
        """Where a text stands; -1 for none."""
        if not text:
            return _NOTHING
        return self.places.setdefault(text, len(self.places))


def packed(
    document: Map[str, Any],
    *,
    most: int = _MOST_BYTES,
) -> Packed:
    """The records of a document for its page, in at most about `most` bytes."""
    counted = _counted(document)
    of_kind = Counter({kind: sum(many for many, _ in tiers) for kind, tiers in counted.items()})
    beyond = _beyond(document)
    total = of_kind.total() + beyond.total()
    budget = most
    while True:
        admitted = _admitted(counted, budget)
        left = beyond + (of_kind - Counter(admitted))
        data = _packed(document, admitted, left)
        if len(data) <= most * 1.2 or not any(admitted.values()):
            return Packed(total, sum(admitted.values()), data)
        # Texts full of what has to be escaped take more than was counted.
        budget //= 2


def _safe(text: str) -> str:
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


# which of them ------------------------------------------------------------------------------------

Tiers = dict[Kind, list[tuple[int, int]]]
"""By kind, in their order, how many records each tier has and about how many bytes they take."""


def _counted(document: Map[str, Any]) -> Tiers:
    counted: Tiers = {}
    for kind, record in _records(document):
        tiers = counted.setdefault(kind, [])
        if not tiers or tiers[-1][0] == _most_in_tier(len(tiers)):
            tiers.append((0, 0))
        many, size = tiers[-1]
        tiers[-1] = (many + 1, size + _size(record))
    return counted


def _most_in_tier(number: int) -> int:
    """How many records the tier of that number holds, from 1."""
    return _TIERS[number - 1] if number <= len(_TIERS) else _TIER


def _beyond(document: Map[str, Any]) -> Counter[Kind]:
    """The records that were left out and that the document itself only counts."""
    beyond: Counter[Kind] = Counter()
    for each in document["passed"]["counts"]:
        beyond[_of_left_out(each)] += each["count"]
    beyond.subtract(_of_left_out(each) for each in document["passed"]["records"])
    return Counter({kind: many for kind, many in beyond.items() if many > 0 and kind[1] != _ASKED})


def _of_left_out(record: Map[str, Any]) -> Kind:
    return ("left out", record["class"], record["entity"], record["side"], "left out", "")


def _size(record: Map[str, Any]) -> int:
    """About how many bytes a record takes in the page."""
    texts = [record.get(name) for name in _TEXTS]
    for part in record.get("fields", ()):
        texts += (part["before"], part["after"], part.get("stored"), "," * 12)
    evidence = [record[name] for name in ("values", "records", "candidates") if name in record]
    size = _AROUND + len(_ENCODER.encode(evidence))
    for text in filter(None, texts):
        size += len(text.encode("utf-8", "replace"))
    return size


def _admitted(counted: Tiers, most: int) -> dict[Kind, int]:
    """How many records of each kind come in: the first of all kinds before the second of any."""
    tiers = [(place, kind) for kind, of_kind in counted.items() for place in range(len(of_kind))]
    # What went wrong is what somebody opens the page for: of each round it comes first.
    tiers.sort(key=lambda tier: (tier[0], _status(tier[1]) not in FAILED))
    admitted = dict.fromkeys(counted, 0)
    closed: set[Kind] = set()
    for place, kind in tiers:
        many, size = counted[kind][place]
        if size > most:
            closed.add(kind)
        if kind not in closed:
            admitted[kind] += many
            most -= size
    return admitted


def _records(document: Map[str, Any]) -> Iterator[tuple[Kind, Map[str, Any]]]:
    """Each record with its kind, as often as they are looked through in the same order."""
    for entry in document["changes"]:
        named, where = (entry["kind"], entry["entity"]), entry["side"]
        yield ("change", *named, where, entry["status"], entry["code"]), entry
    for hold in document["holds"]:
        yield ("question", hold["kind"], hold["entity"], hold["side"], "held", ""), hold
    for record in document["passed"]["records"]:
        # A question is asked about it, and is listed already.
        if record["class"] != _ASKED:
            yield _of_left_out(record), record


# as what ------------------------------------------------------------------------------------------


def _packed(
    document: Map[str, Any],
    admitted: Map[Kind, int],
    left: Map[Kind, int],
) -> str:
    words, seen = _Words(), Counter[Kind]()
    ordered: tuple[list[bytes], ...] = ([], [], [], [])
    for kind, record in _records(document):
        seen[kind] += 1
        if seen[kind] <= admitted[kind]:
            place, row = _row(kind, record, words)
            ordered[place].append(_ENCODER.encode(row))
    more = [[*map(words.place, kind), many] for kind, many in left.items()]
    # The words come last: only now all are known.
    members = {
        "words": _ENCODER.encode(list(words.places)),
        "more": _ENCODER.encode(more),
        "rows": b"[" + b",".join(chain.from_iterable(ordered)) + b"]",
    }
    texts = [f'"{name}":{text.decode()}' for name, text in members.items()]
    return _safe("{" + ",".join(texts) + "}")


def _status(kind: Kind) -> str:
    _, _, _, _, status, _ = kind
    return status


def _row(kind: Kind, record: Map[str, Any], words: _Words) -> tuple[int, Row]:
    """A record as a row, and its place: what went wrong, was done, was noted, was left."""
    match kind:
        case "question", *_:
            return 3, _question(record, words)
        case "left out", *_:
            return 3, _left_out(record, words)
        case _, _, _, _, status, _ if status in FAILED:
            return 0, _change(record, words)
        case _, operation, *_ if operation in LEDGER_ONLY:
            return 2, _change(record, words)
    return 1, _change(record, words)


def _change(entry: Map[str, Any], words: _Words) -> Row:
    place = words.place
    values: list[Any] = []
    for part in entry["fields"]:
        values += (place(part["field"]), part["before"], part["after"], part.get("stored", 0))
    heads = (entry[name] for name in ("kind", "entity", "side", "because", "status", "code"))
    rest = (entry[name] or 0 for name in ("under", "app_key", "ghl_key", "detail", "trace_id"))
    return [place("change"), *map(place, heads), entry["label"], *rest, values]


def _question(hold: Map[str, Any], words: _Words) -> Row:
    shown = hold["values"]
    values: list[Any] = []
    if hold["field"] and ("app" in shown or "ghl" in shown):
        for side in Side:
            where = words.place(f"{hold['field']} in {side.label}")
            values += (where, shown.get(f"base_{side}"), shown.get(side.value), 0)
    for record in (*hold["records"], *hold["candidates"]):
        # Beside two values, or a first record, only candidates are told: the question names both.
        if values and record not in hold["candidates"]:
            continue
        text = " · ".join(str(value) for value in record["values"].values())
        where = words.place(f"{Side(record['side']).label}: {record['key']}")
        values += (where, None, text or record["label"], 0)
    heads = ("question", hold["kind"], hold["entity"], hold["side"])
    rest = (hold["because"], "held", hold["hold_id"])
    keys = (hold["app_key"] or 0, hold["ghl_key"] or 0)
    return [*map(words.place, (*heads, *rest)), hold["label"], 0, *keys, 0, 0, values]


def _left_out(record: Map[str, Any], words: _Words) -> Row:
    heads = ("left out", record["class"], record["entity"], record["side"])
    rest = (record["because"], "left out", "")
    keys = {"app": 0, "ghl": 0} | {record["side"]: record["key"]}
    places = map(words.place, (*heads, *rest))
    return [*places, record["label"], 0, keys["app"], keys["ghl"], 0, 0, []]
