"""Drafts all that a plan will say, as two tables: its operations and its questions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from collections.abc import Mapping as Map
from functools import partial
from typing import Any

from sqlalchemy import Row

from reconcile.compare import reused_keys
from reconcile.entities import SPECS
from reconcile.model import Entity, Hold, OpKind, Side
from reconcile.plan import moved_children, phases
from reconcile.plan.creates import draft_creates, placed
from reconcile.plan.plan import Group
from reconcile.plan.unique_values import make_room, take_turns
from reconcile.stage.models import render
from reconcile.stage.stage import Stage
from reconcile.values.jsonl import hold_from, hold_line
from reconcile.values.mapping import EntityMap, Mapping


def begin(stage: Stage) -> None:
    """Create the empty tables of a draft."""
    for table in ("operation", "hold", "passed", "looked"):
        stage.make(f"plan/{table}")


def draft(stage: Stage, mapped: EntityMap) -> None:
    """Add an entity's operations to `operation`, its questions to `hold`, the rest to `passed`."""
    entity = mapped.entity
    unsure, judged, absent = f"unsure_{entity}", f"judged_{entity}", f"absence_{entity}"
    released, matched = f"released_{entity}", f"found_{entity}"
    strayed = f"wide_{entity} WHERE strayed"
    some = stage.some(unsure, judged, absent, released, matched, strayed)
    stage.make("plan/unsure_now", entity=entity)
    stage.make("plan/wanted", entity=entity)
    stage.make("plan/made_again", entity=entity)
    if unsure in some:
        stage.make("plan/unsure", entity=entity)
    if released in some and entity.parent:
        _make_again(stage, mapped)
    if some & {released, matched}:
        stage.make("plan/forget", entity=entity, phases=phases)
        stage.make("plan/adopt", entity=entity, phases=phases)
    # Answers about records in doubt are in by now: they say which records are free to be created.
    steps: list[partial[None]] = []
    if judged in some:
        steps.append(partial(_draft_updates, mapped=mapped))
    steps += [partial(draft_creates, mapped=mapped, side=side) for side in Side]
    if absent in some:
        steps.append(partial(_draft_absences, mapped=mapped))
    stage.together(*steps)
    # What is asked about a difference already (`flapping`, `refused`) is not asked about twice.
    if some & {unsure, judged}:
        stage.make("plan/questions", entity=entity, consents=mapped.consents)
    if strayed in some:
        strays = moved_children if entity.parent else reused_keys
        strays.draft(stage, mapped)


def _make_again(stage: Stage, mapped: EntityMap) -> None:
    """Have what a merged contact leaves behind go before its survivor's is made again."""
    for side in Side:
        if mapped.create.allows(side):
            stage.make(
                "plan/made_again_now",
                entity=mapped.entity,
                side=side,
                other=side.other,
                fields=placed(mapped),
                phases=phases,
            )


def in_question(stage: Stage, mapped: EntityMap) -> set[str]:
    """The hold ids of all that a person is, or was, asked about and this run still finds so."""
    rows = stage.rows(render("plan/still_asked", entity=mapped.entity))
    return {str(hold_id) for (hold_id,) in rows}


def unread(stage: Stage, mapping: Mapping, questions: Iterable[Row[Any]]) -> set[str]:
    """Of these questions (rows of the ledger), those about what this run did not see.

    They are neither asked anew nor settled.
    """
    bodies = [(row.hold_id, json.loads(row.body)) for row in questions]
    unseen: set[str] = set()
    for mapped in mapping.entities:
        entity = mapped.entity
        rows = [_subject(hold_id, body) for hold_id, body in bodies if body["entity"] == entity]
        if not rows:
            continue
        stage.fill(f"asked_{entity}", _SUBJECT, [rows])
        snapshots = {side.value: stage.snapshots[entity, side] for side in Side}
        query = render("plan/unread", entity=entity, snapshots=snapshots)
        unseen |= {str(hold_id) for (hold_id,) in stage.rows(query)}
    return unseen


_SUBJECT = [(name, "VARCHAR") for name in ("hold_id", "subject", "side", "parent")]


def _subject(hold_id: str, body: Map[str, Any]) -> tuple[str, str, str | None, str | None]:
    """What a question is about, as `_SUBJECT`; `side` is set for a record without a link alone."""
    of_record = body["kind"] in ("ambiguous", "duplicate", "erased", "required")
    of_create = body["kind"] == "refused" and not body.get("field")
    side = str(body["side"]) if of_record or of_create else None
    return hold_id, body["subject"], side, body["values"].get("contact")


def _draft_absences(stage: Stage, mapped: EntityMap) -> None:
    stage.make(
        "plan/absences",
        entity=mapped.entity,
        phases=phases,
    )


def _draft_updates(stage: Stage, mapped: EntityMap) -> None:
    take_turns(stage, mapped)
    make_room(stage, mapped)
    completed = [field.name for field in mapped.fields if field.ghl == ("completed",)]
    stage.make(
        "plan/updates",
        entity=mapped.entity,
        fields=mapped.fields,
        sets=bool(mapped.sets),
        consents=mapped.consents,
        completed=next(iter(completed), ""),
        beside=_beside(mapped),
        phases=phases,
    )
    if mapped.has_tags:
        stage.make("plan/tags", entity=mapped.entity, phases=phases)


def _beside(mapped: EntityMap) -> list[tuple[str, str, int]]:
    """Of values that say something only together: each, with the other and the place of that."""
    ways = [*mapped.joint, *((whole, part) for part, whole in mapped.joint)]
    return [(name, other, mapped.place(other)) for name, other in ways]


def extend_owner(stage: Stage, entity: Entity) -> None:
    """Add the contacts that are to be created to `owner`: tasks and notes may hang on them."""
    stage.make("plan/due_owner", entity=entity)


def number(stage: Stage) -> None:
    """Make `operation` into `planned`: each operation in its place, with its op_id."""
    stage.make("plan/planned", kinds=list(SPECS))


def groups(stage: Stage) -> tuple[Group, ...]:
    """The planned operations by entity, side and kind."""
    same_tags: dict[tuple[object, ...], list[int]] = {}
    for side, kind, count in stage.rows(render("plan/same_tags")):
        same_tags.setdefault((side, kind), []).append(int(str(count)))
    planned = []
    for entity, side, kind, *counts in stage.rows(render("plan/groups")):
        deltas = same_tags.get((side, kind), []) if entity == "tag" else []
        count, risky, starting, opt_ins = (int(str(number)) for number in counts)
        group = Group(
            entity=Entity(str(entity)),
            side=Side(str(side)),
            kind=OpKind(str(kind)),
            count=count,
            risky=risky,
            starts_workflows=starting,
            opt_ins=opt_ins,
            deltas=tuple(deltas),
        )
        planned.append(group)
    return tuple(planned)


_PART = 5_000
"""Lines that are made at a time, at least."""


def lines(stage: Stage) -> Iterator[str]:
    """The lines of a plan file, as `reconcile.values.jsonl` writes them, but for the head."""
    last = stage.count("SELECT coalesce(max(seq), 0) FROM planned")
    # Sorted whole, the lines would need as much memory as the plan. Each part reads the whole plan.
    size = max(_PART, last // 50)
    parts = (render("plan/lines", start=start, stop=start + size) for start in range(0, last, size))
    for rows in stage.ahead(parts):
        yield from (str(text) for (text,) in rows)
    yield from map(hold_line, holds(stage))


_HOLD = (
    "hold_id",
    "kind",
    "entity",
    "subject",
    "because",
    "field",
    "side",
    "app_key",
    "ghl_key",
    "options",
    "values_digest",
)


def holds(stage: Stage) -> Iterator[Hold]:
    """The questions for a person, in a stable order."""
    columns = f'{", ".join(_HOLD)}, "values"::VARCHAR'
    order = "entity, kind, subject, field, hold_id"
    for batch in stage.stream(f"SELECT {columns} FROM hold ORDER BY {order}"):
        for *cells, shown in batch:
            named = zip(_HOLD, cells, strict=True)
            members = {name: cell for name, cell in named if cell is not None}
            values = json.loads(str(shown))
            yield hold_from(members | {"values": values})
