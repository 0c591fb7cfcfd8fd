"""The questions for a person, with what is needed to answer them, and what was left out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Mapping as Map
from datetime import datetime
from typing import Any

from reconcile.model import Entity, Hold, Side
from reconcile.plan import draft
from reconcile.report.about import About
from reconcile.report.asking import answer
from reconcile.report.labels import names, places, shown
from reconcile.report.labels import records as cells_of
from reconcile.stage.models import render
from reconcile.stage.stage import Stage
from reconcile.values.mapping import TAGS, EntityMap, Mapping

_MOST_LISTED = 20_000
_CANDIDATES = 6

_LEFT_OUT_COUNT = ("entity", "side", "class", "because", "count")
_LEFT_OUT = ("entity", "side", "key", "label", "class", "because")


def questions(stage: Stage, mapping: Mapping, about: About) -> list[dict[str, Any]]:
    """Every hold, oldest first, with labels, values, options, evidence and age."""
    holds = list(draft.holds(stage))
    entries = []
    for mapped in mapping.entities:
        mine = [hold for hold in holds if hold.entity is mapped.entity]
        children = [kind for kind in mapped.entity.children if kind in mapping]
        seen = _Records(stage, mapped, mine, children)
        owners = _owners(stage, mapping, mapped, seen)
        entries += [_question(mapped, hold, seen, about, owners) for hold in mine]
    return sorted(entries, key=lambda entry: entry["opened"] or about.started_at)


class _Records:
    """Cells and labels of all records that an entity's holds speak of, read once."""

    def __init__(
        self, stage: Stage, mapped: EntityMap, holds: Sequence[Hold], children: Iterable[Entity]
    ) -> None:
        keys: dict[Side, set[str]] = {side: set() for side in Side}
        for hold in holds:
            for side, key in _ends(hold):
                keys[side].add(key)
            # A candidate may be of either side: `candidate` finds out where its record is.
            for side in Side:
                keys[side].update(_candidates(hold))
        self.cells = {side: cells_of(stage, mapped, side, keys[side]) for side in Side}
        self.places = {side: places(stage, mapped, side, keys[side]) for side in Side}
        self.labels = {side: _labels(stage, mapped.entity, side, keys[side]) for side in Side}
        self.along = _along(stage, holds, children)

    def entry(self, side: Side, key: str) -> dict[str, Any]:
        """One record as evidence."""
        modified_at, under = self.places[side].get(key, (None, None))
        return {
            "side": side.value,
            "key": key,
            "label": self.labels[side].get(key, key),
            "values": self.cells[side].get(key, {}),
            "modified_at": modified_at,
            "under": under,
        }

    def candidate(self, hold: Hold, key: str) -> dict[str, Any]:
        """A candidate: on the other side, or, for a twin, on the same one."""
        side = hold.side or Side.APP
        if key in self.cells[side.other] or key not in self.cells[side]:
            side = side.other
        return self.entry(side, key)


def _owners(
    stage: Stage, mapping: Mapping, mapped: EntityMap, seen: _Records
) -> dict[tuple[str, str], str]:
    """What the contacts are called that the records hang on, by side and the contact's key."""
    owner = mapped.entity.parent
    owners: dict[tuple[str, str], str] = {}
    for side, found_at in seen.places.items():
        keys = [under for _, under in found_at.values() if under]
        if owner and keys:
            found = names(stage, mapping, owner, side, keys)
            owners |= {(side.value, key): label for key, label in found.items()}
    return owners


def _labels(stage: Stage, entity: Entity, side: Side, keys: Iterable[str]) -> dict[str, str]:
    """What the report calls these records."""
    query = f"SELECT key, label FROM name_{entity}_{side} WHERE list_contains(?::VARCHAR[], key)"
    return {str(key): str(label) for key, label in stage.rows(query, sorted(keys))}


def _along(
    stage: Stage, holds: Iterable[Hold], children: Iterable[Entity]
) -> dict[tuple[Side, str], dict[str, int]]:
    """How many tasks and notes go along with each record that an answer may delete.

    They are counted as far as this run read them.
    """
    counts: dict[tuple[Side, str], dict[str, int]] = {}
    deletions = {end for end in map(deletable, holds) if end}
    for side in Side:
        keys = sorted(key for where, key in deletions if where is side)
        if not keys:
            continue
        for child in children:
            query = (
                f"SELECT parent, count(*) FROM raw_{child}_{side} "
                "WHERE NOT deleted AND list_contains(?::VARCHAR[], parent) GROUP BY parent"
            )
            for key, count in stage.rows(query, keys):
                counts.setdefault((side, str(key)), {})[child.value] = int(str(count))
    return counts


def deletable(hold: Hold) -> tuple[Side, str] | None:
    """The side and key of the record that the answer `delete` deletes.

    None where that is no answer.
    """
    side = hold.side
    if side is None or "delete" not in hold.options:
        return None
    key = hold.app_key if side is Side.APP else hold.ghl_key
    return (side, key) if key else None


def _ends(hold: Hold) -> list[tuple[Side, str]]:
    """The records that a question is about, by side and key."""
    keys = ((Side.APP, hold.app_key), (Side.GHL, hold.ghl_key))
    return [(side, key) for side, key in keys if key]


def _candidates(hold: Hold) -> list[str]:
    """The first keys that could be the counterpart."""
    listed = hold.values.get("candidates")
    if not isinstance(listed, list):
        return []
    return [str(key) for key in listed[:_CANDIDATES]]


def _question(
    mapped: EntityMap,
    hold: Hold,
    seen: _Records,
    about: About,
    owners: Map[tuple[str, str], str],
) -> dict[str, Any]:
    opened = about.opened.get(hold.hold_id, about.started_at)
    ends = [seen.entry(side, key) for side, key in _ends(hold)]
    candidates = [seen.candidate(hold, key) for key in _candidates(hold)]
    # By its name on either side; a record without one is called by its key.
    named = next((end["label"] for end in ends if end["label"] != end["key"]), hold.subject)
    # A task may be called as many others are: whose it is tells them apart.
    owner = next(filter(None, (owners.get((end["side"], end["under"])) for end in ends)), None)
    if owner:
        named += f" of {owner}"
    along: dict[str, int] = {}
    deleted = deletable(hold)
    if deleted:
        along = seen.along.get(deleted, {})
    meanings = [(option, answer(hold.kind, option).does) for option in hold.options]
    return {
        "hold_id": hold.hold_id,
        "kind": hold.kind,
        "entity": hold.entity.value,
        "label": named,
        "field": hold.field,
        "side": hold.side and hold.side.value,
        "app_key": hold.app_key,
        "ghl_key": hold.ghl_key,
        "because": hold.because,
        "values": _values(mapped, hold),
        "records": ends,
        "candidates": candidates,
        "along": along,
        "options": [{"choice": choice, "meaning": meaning} for choice, meaning in meanings],
        "values_digest": hold.values_digest,
        "opened": opened,
        "age_days": _days(opened, about.started_at),
    }


def _values(mapped: EntityMap, hold: Hold) -> dict[str, Any]:
    """base_app, base_ghl, app and ghl of a conflict as people read them.

    What was kept, for a deletion.
    """
    # Of one element of a set ("tags: vip") the sides hold that element, not the set.
    name, element, _ = (hold.field or "").partition(": ")
    known = {each.name: each for each in mapped.fields if each.name != TAGS}
    field = None if element else known.get(name)
    sides = ("base_app", "base_ghl", "app", "ghl")
    values: dict[str, Any] = {}
    for key, value in sorted(hold.values.items()):
        if key in sides:
            values[key] = shown(field, None if value is None else str(value))
        elif key != "candidates":
            values[key] = _plain(mapped, value)
    return values


def _plain(mapped: EntityMap, value: object) -> object:
    if not isinstance(value, Map):
        return value
    known = {field.name: field for field in mapped.fields}
    cells = {str(name): cell for name, cell in sorted(value.items()) if cell is not None}
    return {name: shown(known.get(name), cell) for name, cell in cells.items()}


def _days(since: str, until: str) -> int:
    try:
        waited = datetime.fromisoformat(until) - datetime.fromisoformat(since)
    except (ValueError, TypeError):
        return 0
    return max(0, waited.days)


def left_out(stage: Stage, mapping: Mapping) -> dict[str, list[dict[str, Any]]]:
    """Records without a counterpart that nothing is done about.

    `counts` are by reason; of the `records` as many as are worth listing.
    """
    counts = stage.rows(render("report/left_out_count"))
    entities = [mapped.entity for mapped in mapping.entities]
    records = stage.rows(render("report/left_out", entities=entities, most=_MOST_LISTED))
    return {
        "counts": [dict(zip(_LEFT_OUT_COUNT, row, strict=True)) for row in counts],
        "records": [dict(zip(_LEFT_OUT, row, strict=True)) for row in records],
    }
