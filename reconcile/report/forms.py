"""The forms that the report's schema is put together from."""

from __future__ import annotations

from typing import Any

from reconcile.entities import RECORDS
from reconcile.model import Entity, Side

TEXT = {"type": "string"}
COUNT = {"type": "integer", "minimum": 0}
NUMBER = {"type": "integer"}
TRUTH = {"type": "boolean"}
SIDE = {"enum": [side.value for side in Side]}
ENTITY = {"enum": [entity.value for entity in Entity]}
RECORD = {"enum": [entity.value for entity in RECORDS]}
STATUS = ["planned", "done", "exists", "value_dropped", "rejected", "stale", "in_doubt", "skipped"]


def maybe(form: dict[str, Any]) -> dict[str, Any]:
    """A value, or null."""
    return {"anyOf": [form, {"type": "null"}]}


def object_of(about: str = "", **forms: dict[str, Any]) -> dict[str, Any]:
    """An object with exactly these members, each of a form."""
    description = {"description": about} if about else {}
    return {"type": "object", **description, "properties": forms, "required": list(forms)}


def list_of(form: dict[str, Any], about: str = "") -> dict[str, Any]:
    """A list of items of one form."""
    return {"type": "array", **({"description": about} if about else {}), "items": form}


def counts_by_name(about: str) -> dict[str, Any]:
    """A count by name."""
    return {"type": "object", "description": about, "additionalProperties": COUNT}
