"""Finds values that are taken back run after run, so that a person is asked instead."""

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
from reconcile.stage.models import render
from reconcile.stage.stage import Stage
from reconcile.stage.texts import text
from reconcile.values.mapping import TAGS, EntityMap
from reconcile.values.mapping import Mapping as PairMapping

DAYS = 30
"""How far back writes count: what is taken back less often than that is somebody's edit."""

_BATCH = 5_000
_WORDS = 40  # characters of a value in a sentence
_TAGGING = (OpKind.ADD_TAGS, OpKind.REMOVE_TAGS)

_Cells = tuple[Cell, Cell, Cell]
"""A value as it was, as it was sent, and as it was stored."""

Place = tuple[str, str, str | None]
"""link_id, field, and the tag where the field is a set."""


@dataclass(frozen=True, slots=True)
class Wrote:
    """A value that a run wrote: what its side held before, what was sent, and what it stored."""

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
    """The latest writes, oldest first, that their own side took back to what it held before.

    Later edits of the other side are no such thing, and neither is an `undo` run, nor a value that
    the side never kept.
    """
    if not writes or not _kept(writes[-1]):
        return []
    last = writes[-1]
    now, base = moved.now[last.side], moved.base[last.side]
    # A side that has not moved since it was last seen took nothing back.
    if now != last.before or now == base:
        return []
    chain = [last]
    for later, earlier in pairwise(reversed(writes)):
        # What a run sends to one side is what it saw on the other.
        seen = later.before if later.side is earlier.side else later.after
        if not _kept(earlier) or seen != earlier.before:
            break
        chain.append(earlier)
    return chain[::-1]


def _kept(write: Wrote) -> bool:
    """Whether a run brought a value to a side, and the side stored it."""
    return not write.undoing and write.stored != write.before


# what the journal says ----------------------------------------------------------------------------

_SWING = [
    ("entity", "VARCHAR"),
    ("link_id", "VARCHAR"),
    ("field", "VARCHAR"),
    ("item", "VARCHAR"),
    ("hold_id", "VARCHAR"),
    ("values_digest", "VARCHAR"),
    ("because", "VARCHAR"),
    ("times", "INTEGER"),
]


def find(stage: Stage, ledger: Ledger, mapping: PairMapping, *, times: int, since: str) -> None:
    """Create `swing`: the differences of this run whose last writes, two or more, were taken back.

    `times` of them are told. Writes count since `since` (an ISO 8601 instant), and an answer of a
    person's starts the count anew. With `times` 0 nothing is looked for.
    """
    rows: list[tuple[object, ...]] = []
    if times:
        answers = {decision.hold_id: decision for decision in ledger.decisions()}
        for mapped in mapping.entities:
            rows += _swings(stage, ledger, mapped, answers, times=times, since=since)
    stage.fill("swing", _SWING, [rows])


def _swings(
    stage: Stage,
    ledger: Ledger,
    mapped: EntityMap,
    answers: Mapping[str, Decision],
    *,
    times: int,
    since: str,
) -> Iterator[tuple[object, ...]]:
    """The rows of `swing` for one entity."""
    moved_by_place = _moved_since(stage, mapped, since=since)
    # The journal is long: it is asked about the links alone of which a value moved after a write.
    link_ids = sorted({link_id for link_id, _, _ in moved_by_place})
    for start in range(0, len(link_ids), _BATCH):
        batch = link_ids[start : start + _BATCH]
        written = history(ledger, mapped, batch, since=since)
        for place, writes in written.items():
            moved = moved_by_place.get(place)
            if moved is None:
                continue
            question = hold_name(mapped.entity, place)
            chain = _unanswered(taken_back(writes, moved), moved, answers.get(question))
            # Once is an edit like any other; only what is taken back again may be a habit.
            if len(chain) < 2:
                continue
            digest = _answered_for(chain, moved)
            because = _because(place, chain[-times:])
            yield (mapped.entity.value, *place, question, digest, because, len(chain))


def _moved_since(stage: Stage, mapped: EntityMap, *, since: str) -> dict[Place, Moved]:
    """The values that moved on a side after a run wrote to its record."""
    query = render("compare/back_and_forth", entity=mapped.entity, since=since)
    moved: dict[Place, Moved] = {}
    for link_id, field, item, *cells in stage.rows(query):
        app, ghl, base_app, base_ghl = map(text, cells)
        place = (str(link_id), str(field), text(item))
        now = {Side.APP: app, Side.GHL: ghl}
        moved[place] = Moved(now, base={Side.APP: base_app, Side.GHL: base_ghl})
    return moved


def _answered_for(chain: Sequence[Wrote], moved: Moved) -> str:
    """What an answer is given for: both values, and the last write: it is carried out once."""
    return fingerprint(moved.now[Side.APP], moved.now[Side.GHL], chain[-1].run_id)


def _unanswered(chain: list[Wrote], moved: Moved, answer: Decision | None) -> list[Wrote]:
    """The writes since a person's answer; all of them where it is the answer to just this."""
    if answer is None or not chain or answer.values_digest == _answered_for(chain, moved):
        return chain
    return [write for write in chain if write.at > answer.at]


def hold_name(entity: Entity, place: Place) -> str:
    """The hold_id of the question about a value that goes back and forth."""
    # The recipe of `hold_id` in reconcile/stage/models.py: an answer finds its question by it.
    link_id, field, item = place
    recipe = "\x1f".join(("flapping", entity.value, link_id, field, item or ""))
    return hashlib.md5(recipe.encode(), usedforsecurity=False).hexdigest()[:20]


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
            ledger.owns(run),
            journal.c.link_id.in_(link_ids),
            journal.c.begun_at >= since,
            journal.c.status == Status.DONE.value,
        )
        .order_by(journal.c.begun_at, journal.c.op_id)
    )
    sets = {each.name for each in mapped.sets}
    writes: dict[Place, list[Wrote]] = {}
    with ledger.engine.connect() as connection:
        for row in connection.execute(query):
            operation = json.loads(row.operation)
            record = Entity(operation["entity"]).record
            # A create replaced nothing that could be there again.
            if record is not mapped.entity or operation["kind"] == OpKind.CREATE:
                continue
            stored = json.loads(row.outcome).get("after") or {}
            for place, write in _values(row, operation, stored, sets):
                writes.setdefault(place, []).append(write)
    return writes


def _values(
    row: Any, operation: Mapping[str, Any], stored: Mapping[str, Cell], sets: Collection[str]
) -> Iterator[tuple[Place, Wrote]]:
    """Each value that an operation wrote, with its place."""
    link_id, side = operation["link_id"], Side(operation["side"])
    undoing = row.job == "undo"
    for name, item, cells in _changes(operation, stored, sets):
        yield (link_id, name, item), Wrote(row.run_id, row.begun_at, side, *cells, undoing)


def _changes(
    operation: Mapping[str, Any], stored: Mapping[str, Cell], sets: Collection[str]
) -> Iterator[tuple[str, str | None, _Cells]]:
    """(field, item, cells) of each value that an operation changed."""
    before, after = operation.get("before", {}), operation.get("after", {})
    if operation["kind"] in _TAGGING:
        adds = operation["kind"] == OpKind.ADD_TAGS
        for tag, cells in _tags(after, stored, adds=adds):
            yield TAGS, tag, cells
        return
    for name, cell in after.items():
        whole = (before.get(name), cell, stored.get(name, cell))
        if name in sets:
            for item, cells in _moved_items(whole):
                yield name, item, cells
        else:
            yield name, None, whole


def _tags(
    after: Mapping[str, Cell], stored: Mapping[str, Cell], *, adds: bool
) -> Iterator[tuple[str, _Cells]]:
    """Each tag that was added or removed."""
    there = json.loads(stored.get(TAGS) or "[]")
    for tag in json.loads(after[TAGS] or "[]"):
        was, sent = (None, tag) if adds else (tag, None)
        # A side that did not say what it stores is taken to store what was sent.
        now = sent
        if TAGS in stored:
            now = tag if tag in there else None
        yield tag, (was, sent, now)


def _moved_items(whole: _Cells) -> Iterator[tuple[str, _Cells]]:
    """Each element that a write of a whole set changed."""
    was, sent, stored = (set(json.loads(cell or "[]")) for cell in whole)
    for item in sorted(was ^ sent):
        before = item if item in was else None
        after = item if item in sent else None
        now = item if item in stored else None
        yield item, (before, after, now)


def _because(place: Place, chain: Iterable[Wrote]) -> str:
    _, _, item = place
    events = "; ".join(_event(item, write) for write in chain)
    return (
        f"goes back and forth: {events}; so it is not written again. Stop what takes it back, or "
        "change the field's rule in the pair file (flow, drift); an answer is carried out once, "
        "and the count starts anew"
    )


def _event(item: str | None, write: Wrote) -> str:
    """What a run wrote and what became of it, as a part of a sentence."""
    run, side = f"run {write.run_id}", write.side.label
    if item is None:
        before, after = _shown(write.before), _shown(write.after)
        return f"{run} wrote {after} in {side}, which went back to {before}"
    if write.after:
        return f"{run} added {_shown(item)} in {side}, where it was taken out again"
    return f"{run} took out {_shown(item)} in {side}, where it was added again"


def _shown(cell: Cell) -> str:
    """A value in a sentence: short, on one line; the masked report knows it by “ and ”."""
    if cell is None:
        return "a blank"
    bare = cell.replace("“", '"').replace("”", '"')
    words = " ".join(bare.split())
    if len(words) > _WORDS:
        words = words[: _WORDS - 1] + "…"
    return f"“{words}”"


# what the plan makes of it ------------------------------------------------------------------------


def hold(stage: Stage, mapped: EntityMap, *, times: int) -> None:
    """Ask, in `judged_e` and `hold`, about what was taken back after each of `times` writes."""
    if not times or not stage.some("swing"):
        return
    owners = [(field.name, field.rule.flow.owner) for field in mapped.fields]
    owned = [(name, owner) for name, owner in owners if owner]
    stage.make("compare/swung", entity=mapped.entity, owned=owned, times=times)
    stage.make("compare/swung_now", entity=mapped.entity)
