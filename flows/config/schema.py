"""The JSON Schema of a pair file, for editors, from the same form that checks it."""

from __future__ import annotations

import json
from typing import Any

from flows.config.form import PairForm

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """The schema as a JSON object; docs/pair.schema.json holds the same."""
    return {"$schema": DIALECT, **PairForm.model_json_schema(by_alias=True)}


def schema_text() -> str:
    """The schema as docs/pair.schema.json holds it."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
