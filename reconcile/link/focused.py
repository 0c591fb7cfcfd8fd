"""What a partial run asks of the stage.

Whose records changed, whose tasks were named, and what was looked at.
"""

from __future__ import annotations

from collections.abc import Collection

from reconcile.entities import OWNER
from reconcile.model import Entity, Side
from reconcile.stage.models import render
from reconcile.stage.stage import Stage
from reconcile.stage.texts import text
from reconcile.values.mapping import Mapping


def changed(stage: Stage, entity: Entity, side: Side) -> set[str]:
    """Keys of contacts whose own staged row, task or note is not as it was last settled."""
    return _keys(stage, "link/focus_changed", entity=entity, side=side)


def owners(stage: Stage, entity: Entity, side: Side, keys: Collection[str]) -> dict[str, str]:
    """The contacts, as the ledger knows them, of those of these tasks or notes that are linked.

    By their own keys.
    """
    query = render("link/focus_owners", entity=entity, side=side, keys=keys)
    return {str(key): str(owner) for key, owner in stage.rows(query)}


def staged_owners(stage: Stage, entity: Entity, side: Side) -> dict[str, str]:
    """The contact of each staged task or note that has one, also where it is deleted."""
    query = f"SELECT key, parent FROM raw_{entity}_{side} WHERE parent IS NOT NULL"
    return {str(key): str(owner) for key, owner in stage.rows(query)}


def shown(stage: Stage, entity: Entity, side: Side) -> set[str]:
    """Keys of the staged records that their side has still."""
    rows = stage.rows(f"SELECT key FROM raw_{entity}_{side} WHERE NOT deleted")
    return {str(key) for (key,) in rows}


def earlier(stage: Stage, side: Side, since: str) -> set[str]:
    """Keys of the staged contacts whose own date is before that instant."""
    return _keys(stage, "link/focus_earlier", entity=OWNER, side=side, since=since)


def far_ends(stage: Stage, side: Side, keys: Collection[str]) -> dict[str, str | None]:
    """The key on the other side of each of these contacts; None where no link knows it."""
    rows = [(side.value, key) for key in sorted(keys)]
    stage.fill("focus", [("side", "VARCHAR"), ("key", "VARCHAR")], [rows])
    query = render("link/focus_far_ends", entity=OWNER, side=side, other=side.other)
    return {str(key): text(far) for key, far in stage.rows(query)}


def parents(stage: Stage, side: Side) -> tuple[str, ...]:
    """Keys of the staged contacts that are on both sides, in order.

    Those that are about to be created across are among them.
    """
    query = render("link/focus_parents", entity=OWNER, side=side)
    return tuple(str(key) for (key,) in stage.rows(query))


def subjects(stage: Stage, mapping: Mapping) -> set[str]:
    """What was looked at from both sides.

    Ids of links, and keys of records that were looked for across.
    """
    ids: set[str] = set()
    for mapped in mapping.entities:
        ids |= _keys(stage, "link/focus_subjects", entity=mapped.entity)
    return ids


def _keys(stage: Stage, model: str, **context: object) -> set[str]:
    return {str(key) for (key,) in stage.rows(render(model, **context))}
