"""Finds values that are taken back run after run, so that a person is asked instead of the same write being made once more."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import sqlalchemy as sa

from reconcile.ledger import schema
from reconcile.ledger.ledger import Decision, Ledger
from reconcile.model import Cell, Entity, OpKind, Side, Status, fingerprint
from reconcile.stage.quoting import literal
from reconcile.stage.stage import Stage
from reconcile.values.mapping import TAGS, EntityMap
from reconcile.values.mapping import Mapping as PairMapping

DAYS = 30
"""How far back writes count: what is taken back less often than that is somebody's edit."""

_BATCH = 5_000
_WORDS = 40  # characters of a value in a sentence
_TAGGING = (OpKind.ADD_TAGS, OpKind.REMOVE_TAGS)

Place = tuple[str, str, str | None]
"""link_id, field, and the tag where the field is a set."""


@dataclass(frozen=True, slots=True)
class Wrote:
    """One value that a run wrote: what its side held before, what was sent, and what the side then said it stores."""

    run_id: str
    at: str
    side: Side
    before: Cell
    after: Cell
    stored: Cell
    undoing: bool = False


@dataclass(frozen=True, slots=True)
class Moved:
    """A value as it stands: what each side shows, and last showed."""

    now: Mapping[Side, Cell]
    base: Mapping[Side, Cell]


def taken_back(writes: Sequence[Wrote], moved: Moved) -> list[Wrote]:
    """The latest writes, oldest first, each of which its own side took back: it went from what was written to what it held before.

    Later edits of the other side are no such thing, and neither is an `undo` run, nor a value that the side never kept.
    """
    if not writes or not _kept(writes[-1]):
        return []
    last = writes[-1]
    if moved.now[last.side] != last.before or moved.now[last.side] == moved.base[last.side]:
        return []
    found = [last]
    for later, earlier in pairwise(reversed(writes)):
        # What a run sends to one side is what it saw on the other.
        seen = later.before if later.side is earlier.side else later.after
        if not _kept(earlier) or seen != earlier.before:
            break
        found.append(earlier)
    return found[::-1]


def _kept(write: Wrote) -> bool:
    return not write.undoing and write.stored != write.before


# what the journal says ------------------------------------------------------------------------------------------------

_MOVED = """
SELECT d.link_id, d.field, d.item, d.app, d.ghl, d.base_app, d.base_ghl FROM delta_{e} d JOIN wide_{e} w USING (link_id)
WHERE NOT w.fresh AND ((d.app IS DISTINCT FROM d.base_app AND w.app_written >= {since})
    OR (d.ghl IS DISTINCT FROM d.base_ghl AND w.ghl_written >= {since}))
ORDER BY ALL
"""

_SWING = [
    (name, "VARCHAR")
    for name in ("entity", "link_id", "field", "item", "hold_id", "values_digest", "because")
]


def find(stage: Stage, ledger: Ledger, mapping: PairMapping, *, times: int, since: str) -> None:
    """Create `swing`: the differences of this run whose last writes, two or more, were taken back; `times` of them are told.

    Only the journal of links is asked that a side changed after it was written to since then (an ISO 8601 instant). An
    answer of a person's starts the count anew. With `times` 0 nothing is looked for.
    """
    answered = {decision.hold_id: decision for decision in ledger.decisions()} if times else {}
    rows = (
        row
        for mapped in (mapping.entities if times else ())
        for row in _swings(stage, ledger, mapped, answered, times=times, since=since)
    )
    stage.fill("swing", [*_SWING, ("times", "INTEGER")], [list(rows)])


def _swings(
    stage: Stage,
    ledger: Ledger,
    mapped: EntityMap,
    answered: Mapping[str, Decision],
    *,
    times: int,
    since: str,
) -> Iterator[tuple[object, ...]]:
    found: dict[Place, Moved] = {}
    for link_id, field, item, *cells in stage.rows(
        _MOVED.format(e=mapped.entity, since=literal(since))
    ):
        app, ghl, base_app, base_ghl = (None if cell is None else str(cell) for cell in cells)
        place = (str(link_id), str(field), None if item is None else str(item))
        found[place] = Moved(
            {Side.APP: app, Side.GHL: ghl}, {Side.APP: base_app, Side.GHL: base_ghl}
        )
    names = sorted({link_id for link_id, _, _ in found})
    for start in range(0, len(names), _BATCH):
        written = history(ledger, mapped, names[start : start + _BATCH], since=since)
        for place, writes in written.items():
            if place in found:
                name = hold_name(mapped.entity, place)
                chain = _unanswered(
                    taken_back(writes, found[place]), found[place], answered.get(name)
                )
                if len(chain) > 1:
                    digest = _asked(chain, found[place])
                    yield (
                        mapped.entity.value,
                        *place,
                        name,
                        digest,
                        _because(place, chain[-times:]),
                        len(chain),
                    )


def _asked(chain: Sequence[Wrote], moved: Moved) -> str:
    """What an answer is given for: both sides' values, and the last write, so that it is carried out just once."""
    return fingerprint(moved.now[Side.APP], moved.now[Side.GHL], chain[-1].run_id)


def _unanswered(chain: list[Wrote], moved: Moved, answer: Decision | None) -> list[Wrote]:
    """The writes since a person's answer; all of them where it is the answer to just this."""
    if answer is None or not chain or answer.values_digest == _asked(chain, moved):
        return chain
    return [write for write in chain if write.at > answer.at]


def hold_name(entity: Entity, place: Place) -> str:
    """The hold_id of the question about a value that goes back and forth."""
    parts = ("flapping", entity.value, place[0], place[1], place[2] or "")
    return hashlib.md5("\x1f".join(parts).encode(), usedforsecurity=False).hexdigest()[:20]


def history(
    ledger: Ledger, mapped: EntityMap, link_ids: Sequence[str], *, since: str
) -> dict[Place, list[Wrote]]:
    """Every value that runs wrote to these links since then, oldest first."""
    journal, run = schema.journal, schema.run
    query = (
        sa.select(
            journal.c.run_id, journal.c.begun_at, journal.c.operation, journal.c.outcome, run.c.job
        )
        .join(run, run.c.run_id == journal.c.run_id)
        .where(
            run.c.pair == ledger.pair, journal.c.link_id.in_(link_ids), journal.c.begun_at >= since
        )
        .where(journal.c.status == Status.DONE.value)
        .order_by(journal.c.begun_at, journal.c.op_id)
    )
    sets = {each.name for each in mapped.sets}
    found: dict[Place, list[Wrote]] = {}
    with ledger.engine.connect() as connection:
        for row in connection.execute(query):
            operation, outcome = json.loads(row.operation), json.loads(row.outcome)
            about = (
                Entity.CONTACT.value
                if operation["entity"] == Entity.TAG.value
                else operation["entity"]
            )
            if about == mapped.entity.value and operation["kind"] != OpKind.CREATE:
                for place, write in _values(row, operation, outcome.get("after") or {}, sets):
                    found.setdefault(place, []).append(write)
    return found


def _values(
    row: Any, operation: Mapping[str, Any], stored: Mapping[str, Cell], sets: Collection[str]
) -> Iterator[tuple[Place, Wrote]]:
    link_id, side, undoing = operation["link_id"], Side(operation["side"]), row.job == "undo"
    before, after = operation.get("before", {}), operation.get("after", {})
    if operation["kind"] not in _TAGGING:
        for name, cell in after.items():
            cells = (before.get(name), cell, stored.get(name, cell))
            if name not in sets:
                yield (link_id, name, None), Wrote(row.run_id, row.begun_at, side, *cells, undoing)
                continue
            for item, was, sent, kept in _moved_items(*cells):
                yield (
                    (link_id, name, item),
                    Wrote(row.run_id, row.begun_at, side, was, sent, kept, undoing),
                )
        return
    adds = operation["kind"] == OpKind.ADD_TAGS
    held = json.loads(stored[TAGS] or "[]") if TAGS in stored else None
    for item in json.loads(after[TAGS] or "[]"):
        was, sent = (None, item) if adds else (item, None)
        kept = sent if held is None else item if item in held else None
        yield (link_id, TAGS, item), Wrote(row.run_id, row.begun_at, side, was, sent, kept, undoing)


def _moved_items(*cells: Cell) -> Iterator[tuple[str, Cell, Cell, Cell]]:
    """Each element that a write of a whole set changed: as it was, as it was sent, and as it was kept."""
    was, sent, kept = (set(json.loads(cell or "[]")) for cell in cells)
    for item in sorted(was ^ sent):
        there = [item if item in whole else None for whole in (was, sent, kept)]
        yield item, there[0], there[1], there[2]


def _because(place: Place, chain: Iterable[Wrote]) -> str:
    told = "; ".join(_told(place[2], write) for write in chain)
    return (
        f"goes back and forth: {told}; so it is not written again. Stop what takes it back, or change the field's rule "
        "in the pair file (flow, drift); an answer is carried out once, and the count starts anew"
    )


def _told(item: str | None, write: Wrote) -> str:
    if item is None:
        return f"run {write.run_id} wrote {_shown(write.after)} in {write.side.label}, which went back to {_shown(write.before)}"
    did, undid = ("added", "was taken out") if write.after else ("took out", "was added")
    return f"run {write.run_id} {did} {_shown(item)} in {write.side.label}, where it {undid} again"


def _shown(cell: Cell) -> str:
    """A value as part of a sentence: short, on one line, between “ and ”, which the masked report knows it by."""
    if cell is None:
        return "a blank"
    words = " ".join(cell.replace("“", '"').replace("”", '"').split())
    return f"“{words if len(words) <= _WORDS else words[: _WORDS - 1] + '…'}”"


# what the plan makes of it --------------------------------------------------------------------------------------------

_SWUNG = """
CREATE OR REPLACE TABLE swung AS
WITH asked AS (
    SELECT j.link_id, j.field, j.item, s.hold_id, s.values_digest, s.because, list_filter({options}, lambda o: CASE o
        WHEN 'app' THEN j.app_fault IS NULL AND NOT (j.required AND j.item IS NULL AND j.app IS NULL)
        WHEN 'ghl' THEN j.ghl_fault IS NULL AND NOT (j.required AND j.item IS NULL AND j.ghl IS NULL) ELSE true END) AS options
    FROM judged_{e} j JOIN swing s ON s.entity = {entity} AND s.link_id = j.link_id AND s.field = j.field
        AND s.item IS NOT DISTINCT FROM j.item
    WHERE j.action = 'agree' AND s.times >= {times}
)
SELECT a.*, d.choice, d."by", d.reason FROM asked a
LEFT JOIN decision d ON d.hold_id = a.hold_id AND d.values_digest = a.values_digest AND list_contains(a.options, d.choice);
UPDATE judged_{e} j SET hold_id = s.hold_id, values_digest = s.values_digest,
    action = CASE WHEN s.choice IS NULL THEN 'flapping' WHEN s.choice = 'leave' THEN 'leave' ELSE 'agree' END,
    winner = CASE WHEN s.choice <> 'leave' THEN s.choice END, fault = NULL,
    value = CASE s.choice WHEN 'app' THEN j.app WHEN 'ghl' THEN j.ghl END,
    because = CASE WHEN s.choice IS NULL THEN s.because ELSE 'decided by ' || s."by" || coalesce(': ' || nullif(s.reason, ''), '') END
FROM swung s WHERE s.link_id = j.link_id AND s.field = j.field AND s.item IS NOT DISTINCT FROM j.item;
INSERT INTO hold
SELECT j.hold_id, 'flapping', {entity}, j.link_id, CASE WHEN j.item IS NULL THEN j.field ELSE j.field || ': ' || j.item END, NULL,
    w.app_key, w.ghl_key, j.because, s.options, json_object('base_app', j.base_app, 'base_ghl', j.base_ghl, 'app', j.app, 'ghl', j.ghl), j.values_digest
FROM judged_{e} j JOIN swung s ON s.hold_id = j.hold_id JOIN wide_{e} w ON w.link_id = j.link_id WHERE j.action = 'flapping';
"""


def hold(stage: Stage, mapped: EntityMap, *, times: int) -> None:
    """Ask, in `judged_e` and `hold`, about whatever would be written once more after `times` writes that were taken back.

    A person's answer counts for the write it was asked about: it is carried out once. A one-way field offers its owner alone.
    """
    if times and stage.some("swing"):
        owned = ((f.name, f.rule.flow.owner) for f in mapped.fields)
        cases = "".join(
            f"WHEN {literal(name)} THEN ['{owner}', 'leave'] " for name, owner in owned if owner
        )
        options = (
            f"CASE j.field {cases}ELSE ['app', 'ghl', 'leave'] END"
            if cases
            else "['app', 'ghl', 'leave']"
        )
        stage.run(
            _SWUNG.format(
                e=mapped.entity, entity=literal(mapped.entity), options=options, times=times
            )
        )
