"""What sqlfluff has to know of the models: the filters and functions that `reconcile.stage.models` gives them."""

from __future__ import annotations

from reconcile.entities import SPECS, Entity
from reconcile.stage.models import hold_id, link_id
from reconcile.stage.quoting import literal, quoted

SQLFLUFF_JINJA_FILTERS = {"literal": literal, "quoted": quoted}

entity = Entity.NOTE
entities = [Entity.CONTACT, Entity.NOTE]
kinds = list(SPECS)
sets = [Entity.TAG]

__all__ = [
    "SQLFLUFF_JINJA_FILTERS",
    "entities",
    "entity",
    "hold_id",
    "kinds",
    "link_id",
    "sets",
]
