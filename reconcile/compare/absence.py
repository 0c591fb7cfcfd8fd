"""Links that lost an end: what a missing record may mean, and what is done about it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from reconcile.model import Entity, Side
from reconcile.stage.models import render
from reconcile.stage.stage import Stage
from reconcile.stage.texts import text
from reconcile.values.mapping import EntityMap
from reconcile.values.policy import OnDelete

ASKED_BEFORE = "asked about before"
"""What the question says of a deletion whose doubt nothing shows any more."""


def note_unproven(stage: Stage, entity: Entity, side: Side, keys: Iterable[str]) -> None:
    """Note records that seem to be gone, though the side, asked by key, did not say so."""
    stage.make("compare/unproven", entity=entity)
    for key in sorted(keys):
        stage.rows(f"INSERT INTO unproven_{entity} (side, key) VALUES (?, ?)", side.value, key)


def judge_absences(
    stage: Stage,
    mapped: EntityMap,
    *,
    children: Sequence[EntityMap] = (),
    referring: Sequence[tuple[Entity, int, int | None]] = (),
) -> None:
    """Create `absence_e`, one row for each link that lost an end.

    Nothing is concluded on the word of one absence alone. `children` are what hangs on a contact:
    one that was added or changed where the contact is still there is a change of the contact. So
    is one of those `referring` to a record by the value at that place, a contact to its company:
    by its key, or by its name, which has a place as well.
    """
    entity = mapped.entity
    stage.make("compare/absence", entity=entity)
    stage.make("compare/unproven", entity=entity)
    lost_an_end = "NOT (app_state = 'present' AND ghl_state = 'present')"
    if not stage.some(f"moved_{entity} WHERE {lost_an_end}"):
        return
    stage.make(
        "compare/absence_now",
        entity=entity,
        children=[each.entity for each in children],
        referring=referring,
        fields=mapped.fields,
        policy={side.value: mapped.delete.get(side, OnDelete.HOLD) for side in Side},
        absent_runs=mapped.absent_runs,
        asked_before=ASKED_BEFORE,
    )
    # Of a span of days all in it was read, and nothing outside it: what is missing may be there.
    for side in Side:
        snapshot = stage.snapshots[entity, side]
        if snapshot.spanned and snapshot.complete:
            stage.make("compare/absences_outside", entity=entity, side=side)


def leave(stage: Stage, mapped: EntityMap) -> None:
    """Conclude nothing from what is missing: only a part of both sides was read."""
    stage.make("compare/absences_left", entity=mapped.entity)


def unconfirmed(
    stage: Stage, mapped: EntityMap, side: Side, *, most: int
) -> list[tuple[str, str | None]]:
    """(key, parent key) of missing records on `side` that something would be done about.

    They are confirmed by a read by key. Where there are more than `most`, none are: a limit refuses
    the run anyway, and to read them all would cost the quota.
    """
    entity = mapped.entity
    query = render("compare/unconfirmed", entity=entity, side=side)
    rows = stage.rows(query)
    if len(rows) > most:
        return []
    return [(str(key), text(parent)) for key, parent in rows]
