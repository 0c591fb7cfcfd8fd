"""Tells of tags that no contact of GHL has yet: new words in its dictionary, maybe slips."""

from __future__ import annotations

import json
from typing import Any

from reconcile.model import Entity, Side
from reconcile.stage.models import render
from reconcile.stage.stage import Stage
from reconcile.values.mapping import TAGS, Mapping

MOST = 200
"""Tags that are listed."""


def new_tags(stage: Stage, mapping: Mapping) -> list[dict[str, Any]]:
    """Each with how many contacts get it, those of the most first.

    None of a run that read a part of the contacts: it cannot tell.
    """
    owner = Entity.TAG.record
    if owner not in mapping or not mapping[owner].has_tags:
        return []
    snapshot = stage.snapshots.get((owner, Side.GHL))
    if snapshot is None or not snapshot.everybody:
        return []
    planned = stage.rows(render("report/new_tags"))
    known = _known(stage, mapping, owner) if planned else set()
    new = [(str(tag), int(str(count))) for tag, count in planned if tag not in known]
    return [{"tag": tag, "contacts": count} for tag, count in new[:MOST]]


def _known(stage: Stage, mapping: Mapping, owner: Entity) -> set[str]:
    """All tags of GHL's contacts, in the form in which they are compared."""
    mapped = mapping[owner]
    field = mapped.field(TAGS)
    (native,) = field.native(Side.GHL)
    column = f"r{mapped.native(Side.GHL).index(native)}"
    rows = stage.rows(f"SELECT DISTINCT {column} FROM raw_{owner}_ghl")
    cells = (field.cell([None if raw is None else str(raw)], Side.GHL) for (raw,) in rows)
    return {tag for cell in cells if cell for tag in json.loads(cell)}
