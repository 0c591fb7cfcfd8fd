"""Packs records for the page: words once, each record one flat list, as many as a browser likes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as Map
from dataclasses import dataclass
from typing import Any

import msgspec

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
    beyond = _beyond(document)
    total = sum(many for tiers in counted.values() for many, _ in tiers) + beyond.total()
    budget = most
    while True:
        admitted = _admitted(counted, budget)
        left = {
            kind: sum(many for many, _ in tiers) - admitted[kind] for kind, tiers in counted.items()
        }
        data = _packed(document, admitted, beyond + Counter(left))
        if len(data) <= most * 1.2 or not any(admitted.values()):
            return Packed(total, sum(admitted.values()), data)
        budget //= 2  # texts full of what has to be escaped


def _safe(text: str) -> str:
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


# which of them ------------------------------------------------------------------------------------

Tiers = dict[Kind, list[tuple[int, int]]]
"""By kind, in their order, how many records each tier has and about how many bytes they take."""


def _counted(document: Map[str, Any]) -> Tiers:
    counted: Tiers = {}
    for kind, record in _records(document):
        tiers = counted.setdefault(kind, [])
        if not tiers or tiers[-1][0] == (
            _TIERS[len(tiers) - 1] if len(tiers) <= len(_TIERS) else _TIER
        ):
            tiers.append((0, 0))
        many, size = tiers[-1]
        tiers[-1] = (many + 1, size + _size(record))
    return counted


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
    texts = [
        record[name]
        for name in ("label", "under", "app_key", "ghl_key", "detail", "trace_id")
        if name in record
    ]
    for part in record.get("fields", ()):
        texts += (part["before"], part["after"], part.get("stored"), "," * 12)
    evidence = [record[name] for name in ("values", "records", "candidates") if name in record]
    return (
        _AROUND
        + sum(len(text.encode("utf-8", "replace")) for text in texts if text)
        + len(_ENCODER.encode(evidence))
    )


def _admitted(counted: Tiers, most: int) -> dict[Kind, int]:
    """How many records of each kind come in: the first of all kinds before the second of any."""
    tiers = [(place, kind) for kind, of_kind in counted.items() for place in range(len(of_kind))]
    admitted = dict.fromkeys(counted, 0)
    closed: set[Kind] = set()
    for place, kind in sorted(tiers, key=lambda tier: (tier[0], tier[1][4] not in FAILED)):
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
        of = (
            "change",
            entry["kind"],
            entry["entity"],
            entry["side"],
            entry["status"],
            entry["code"],
        )
        yield of, entry
    for hold in document["holds"]:
        yield ("question", hold["kind"], hold["entity"], hold["side"], "held", ""), hold
    for record in document["passed"]["records"]:
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
    rows = b",".join(row for part in ordered for row in part)
    head = b'{"words":' + _ENCODER.encode(list(words.places)) + b',"more":' + _ENCODER.encode(more)
    return _safe((head + b',"rows":[' + rows + b"]}").decode())


def _row(
    kind: Kind,
    record: Map[str, Any],
    words: _Words,
) -> tuple[int, Row]:
    """A record as a row, and its place: what went wrong, was done, was noted, was left."""
    if kind[0] == "change":
        dull = 0 if kind[4] in FAILED else 2 if kind[1] in LEDGER_ONLY else 1
        return dull, _change(record, words)
    return 3, _question(record, words) if kind[0] == "question" else _left_out(record, words)


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
        values = [
            words.place(f"{hold['field']} in the app"),
            shown.get("base_app"),
            shown.get("app"),
            0,
        ]
        values += [
            words.place(f"{hold['field']} in GHL"),
            shown.get("base_ghl"),
            shown.get("ghl"),
            0,
        ]
    for record in (*hold["records"], *hold["candidates"]):
        if not values or record in hold["candidates"]:
            text = " · ".join(str(value) for value in record["values"].values())
            where = words.place(
                f"{'GHL' if record['side'] == 'ghl' else 'the app'}: {record['key']}"
            )
            values += [where, None, text or record["label"], 0]
    heads: Sequence[str | None] = (
        *("question", hold["kind"], hold["entity"], hold["side"]),
        *(hold["because"], "held", hold["hold_id"]),
    )
    return [
        *map(words.place, heads),
        hold["label"],
        0,
        hold["app_key"] or 0,
        hold["ghl_key"] or 0,
        0,
        0,
        values,
    ]


def _left_out(record: Map[str, Any], words: _Words) -> Row:
    app = record["side"] == "app"
    heads = (
        "left out",
        record["class"],
        record["entity"],
        record["side"],
        record["because"],
        "left out",
        "",
    )
    keys = (record["key"] if app else 0, 0 if app else record["key"])
    return [*map(words.place, heads), record["label"], 0, *keys, 0, 0, []]
