"""Finds records that went back to an older state, as a restored backup does, and asks."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from collections.abc import Mapping as Map
from itertools import product

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from reconcile.compare import flapping
from reconcile.ledger import schema
from reconcile.ledger.ledger import Decision, Ledger
from reconcile.link.identity import match_rules
from reconcile.model import Entity, Side
from reconcile.stage.models import render
from reconcile.stage.quoting import literal
from reconcile.stage.stage import Stage
from reconcile.values.mapping import EntityMap, Mapping

SLACK = 60
"""Seconds by which a record may seem older than it was seen: servers keep time no better."""

UNDONE = "undone by a restored backup"
"""How a link is marked whose record was missing where others went back; `absence` reads it."""

WENT_BACK = "record went back to an older state, as a restored backup does"
"""What every question about such a record says: by that it is known again the next night."""

_PHRASES = (WENT_BACK, "other records went back to an older state", UNDONE)
"""What questions say that a restored backup raised."""

_BATCH = 5_000

_REWOUND = [(name, "VARCHAR") for name in ("entity", "side", "link_id")]


def is_asked_for(because: str) -> bool:
    """Whether a question is asked because something went back."""
    return any(phrase in because for phrase in _PHRASES)


def find(stage: Stage, mapping: Mapping) -> None:
    """Create `rewound`: records that are older than they were seen, and hold something else.

    What is missing on such a side is no deletion in this run: it becomes a question, in
    `absence_e`, and stands in `missed_e`.
    """
    entities = [mapped.entity for mapped in mapping.entities]
    went_back = []
    for entity, side in product(entities, Side):
        if stage.some(f"wide_{entity} WHERE {side}_back"):
            went_back.append((entity, side))
    stage.make("compare/rewound", went_back=went_back)
    # A record that is missing beside others that went back was made since the backup, or deleted.
    rewound = bool(went_back) and bool(stage.some("rewound"))
    for mapped in mapping.entities:
        if rewound:
            stage.make("compare/missed", entity=mapped.entity)
            stage.make("compare/missed_asked", entity=mapped.entity)
        else:
            stage.drop(f"missed_{mapped.entity}")


def find_edited(stage: Stage, ledger: Ledger, mapping: Mapping, *, since: str) -> None:
    """Create `edited_back`, and add to `rewound`, the records with an older value.

    It is a value that this job saw replaced since then.

    Only beside others of their side that went back: elsewhere, an old value that is there again is
    somebody's edit.
    """
    sides = [side for side in Side if stage.some(f"rewound WHERE side = '{side}'")]
    edited = []
    for side, mapped in product(sides, mapping.entities):
        older = sorted(_older(stage, ledger, mapped, side, since=since))
        edited += [(mapped.entity.value, side.value, link_id) for link_id in older]
    stage.fill("edited_back", _REWOUND, [edited])
    stage.make("compare/rewound_edited")


def recall(
    stage: Stage, mapping: Mapping, *, edited: str | None, parted: str | None, questions: str | None
) -> None:
    """Recall what an archived run knew of records that went back.

    It makes what `find_edited`, `find_unanswered` and `find_parted` made of the ledger.

    Each is SQL for the rows, None where that run left none.
    """
    if edited:
        stage.run(f"CREATE OR REPLACE TABLE edited_back AS FROM {edited}")
        stage.make("compare/rewound_edited")
    if questions:
        stage.run(f"CREATE OR REPLACE TABLE in_question AS FROM {questions}")
        # An archive of an earlier version does not say which were about doubtful deletions.
        stage.run("ALTER TABLE in_question ADD COLUMN IF NOT EXISTS doubted BOOLEAN")
    find_unanswered(stage, mapping)
    if parted:
        stage.run(f"CREATE OR REPLACE TABLE parted AS FROM {parted}")


def find_unanswered(stage: Stage, mapping: Mapping) -> None:
    """Add to `rewound` the records about which the question of a night before is still open.

    Whatever else somebody typed into them since: a question ends with an answer, or with another
    value.
    """
    if not stage.some("in_question WHERE went_back"):
        return
    for mapped in mapping.entities:
        for side in Side:
            stage.make("compare/still_back", entity=mapped.entity, side=side)


def find_parted(stage: Stage, ledger: Ledger, mapping: Mapping) -> None:
    """Load into `parted` (entity, app_key, ghl_key) the pairs of contacts that were linked once.

    Only where something went back, or is still asked about for that: `ask_about_creates` reads it.
    """
    people = [mapped.entity for mapped in mapping.people()]
    if not people or not stage.some("rewound", "in_question WHERE went_back"):
        return
    columns = [(name, "VARCHAR") for name in ("entity", "app_key", "ghl_key")]
    rows = [(entity.value, *keys) for entity in people for keys in ledger.parted(entity)]
    stage.fill("parted", columns, [rows])


def ask_about_creates(stage: Stage, mapped: EntityMap) -> None:
    """Ask, in `unsure_e`, about contacts that would be made beside a row that may hold them.

    A row that went back shows a person as he was, whoever has its key in the ledger by now.
    """
    free = [f"free_{mapped.entity}_{side}" for side in Side]
    if not mapped.entity.spec.person or not stage.has("parted") or not stage.some(*free):
        return
    stage.make(
        "compare/parted_again",
        entity=mapped.entity,
        rules=match_rules(mapped),
        phrase=f"a {WENT_BACK}",
        other={side.value: side.other.value for side in Side},
    )


def _older(stage: Stage, ledger: Ledger, mapped: EntityMap, side: Side, *, since: str) -> set[str]:
    """The links whose end on a side holds a value again that a write of this job replaced."""
    query = render("compare/edited_since", entity=mapped.entity, side=side)
    moved = {}
    for link_id, field, item, cell in stage.rows(query):
        moved[str(link_id), str(field), item] = cell
    link_ids = sorted({link_id for link_id, _, _ in moved})
    older = set()
    for start in range(0, len(link_ids), _BATCH):
        batch = link_ids[start : start + _BATCH]
        written = flapping.history(ledger, mapped, batch, since=since)
        for place, writes in written.items():
            replaced = {write.before for write in writes}
            if place in moved and moved[place] in replaced:
                link_id, _, _ = place
                older.add(link_id)
    return older


def begin(stage: Stage) -> None:
    """Create `held_back`, empty: the records whose older state a person is asked about."""
    stage.make("compare/held_back")


def ask(stage: Stage, mapped: EntityMap) -> None:
    """Ask, in `judged_e`, about each value that a record went back to and would be carried across.

    An answer is carried out. Nothing is written into a record that went back before all of it is
    answered: our write would be the time of its last change.
    """
    if stage.some(f"rewound WHERE entity = {literal(mapped.entity)}"):
        stage.make("compare/asked_back", entity=mapped.entity)
        stage.make("compare/asked_back_now", entity=mapped.entity, phrase=WENT_BACK)


def counts(stage: Stage, mapping: Mapping) -> Map[Side, tuple[int, int]]:
    """How many records of a side went back and are asked about now, and how many are missing there.

    What an earlier run asked about was let through then, and counts no more.
    """
    if not stage.has("held_back"):
        return {}
    by_side: dict[Side, tuple[int, int]] = {}
    new = "link_id NOT IN (SELECT subject FROM in_question WHERE went_back)"
    for side in Side:
        older = stage.count(f"SELECT count(*) FROM held_back WHERE side = '{side}' AND {new}")
        if older:
            missing = sum(_missing(stage, mapped.entity, side) for mapped in mapping.entities)
            by_side[side] = (older, missing)
    return by_side


def _missing(stage: Stage, entity: Entity, side: Side) -> int:
    """How many records are missing on a side that went back and are not answered for."""
    if not stage.has(f"missed_{entity}"):
        return 0
    unanswered = f"gone = '{side}' AND choice IS NULL"
    return stage.count(f"SELECT count(*) FROM missed_{entity} WHERE {unanswered}")


def answers(
    stage: Stage, mapping: Mapping, sides: Collection[Side], *, by: str, at: str
) -> list[Decision]:
    """What a person says with "bring it back", as answers to every question about these sides.

    For all that went back the other side is right, and what is missing is made again. A value that
    is blank on the other side, or that was changed there as well, stays a question.
    """
    decisions = []
    for mapped, side in product(mapping.entities, sides):
        for choice, query in _queries(stage, mapped, side):
            rows = stage.rows(query)
            decisions += [Decision(str(name), choice, str(of), by, at, "") for name, of in rows]
    return decisions


def _queries(stage: Stage, mapped: EntityMap, side: Side) -> Iterator[tuple[str, str]]:
    """(choice, query for what it answers)."""
    entity, other = mapped.entity, side.other
    yield other.value, render("compare/went_back", entity=entity, side=side, other=other)
    if stage.has(f"missed_{entity}"):
        yield "restore", render("compare/lost_since", entity=entity, side=side)


def mark(stage: Stage, ledger: Ledger, connection: Connection, entity: Entity) -> None:
    """Mark the links that lost an end where others went back: the loss stays a question."""
    if not stage.has(f"missed_{entity}"):
        return
    link = schema.link
    mine = (
        ledger.owns(link),
        link.c.entity == entity.value,
        link.c.link_id == sa.bindparam("named"),
    )
    update = sa.update(link).where(*mine).values(how=UNDONE)
    missed = f"absence_{entity} SEMI JOIN missed_{entity} USING (link_id)"
    for batch in stage.stream(f"SELECT link_id FROM {missed} WHERE action = 'hold'"):
        connection.execute(update, [{"named": link_id} for (link_id,) in batch])
