"""The columns of every frame, with their dtypes: a frame without rows has them, too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

TEXT, COUNT, TRUTH, NUMBER = "string", "Int64", "boolean", "Float64"
MOMENT = "datetime64[ms, UTC]"
LIST = "object"
"""A Python list in each row."""

_ENDS = {"app_key": TEXT, "ghl_key": TEXT}

ENTRIES = {
    **dict.fromkeys(("run_id", "op_id", "entity", "kind", "side", "label", "under"), TEXT),
    **_ENDS,
    **dict.fromkeys(("because", "risk"), TEXT),
    "starts_workflows": TRUTH,
    **dict.fromkeys(("status", "code", "detail", "trace_id"), TEXT),
}
CHANGES = dict.fromkeys(
    ("run_id", "op_id", "entity", "side", "field", "before", "after", "stored"), TEXT
)
STATEMENT = {
    **dict.fromkeys(("run_id", "entity", "side"), TEXT),
    **dict.fromkeys(
        ("rows", "created", "met", "unread", "adjusted", "linked", "unexplained"), COUNT
    ),
}
VALUES = {
    **dict.fromkeys(("run_id", "entity", "field", "class", "because", "label"), TEXT),
    **_ENDS,
    **dict.fromkeys(("app", "ghl"), TEXT),
}
AGREEMENT = {**dict.fromkeys(("run_id", "entity", "class"), TEXT), "values": COUNT}
QUESTIONS = {
    **dict.fromkeys(("run_id", "hold_id", "kind", "entity", "field", "side", "label"), TEXT),
    **_ENDS,
    **dict.fromkeys(("because", "app", "ghl", "base_app", "base_ghl"), TEXT),
    "choices": LIST,
    "opened": MOMENT,
    "age_days": COUNT,
}
RUNS = {
    **dict.fromkeys(("run_id", "job", "state"), TEXT),
    **dict.fromkeys(("started_at", "ended_at"), MOMENT),
    "plan_digest": TEXT,
    **dict.fromkeys(("planned_writes", "done_writes", "failed", "left", "questions"), COUNT),
}

Row = Mapping[str, Any]


def frame(rows: Iterable[Row], columns: Mapping[str, str]) -> pd.DataFrame:
    """A frame of these columns with these dtypes; what a row does not have is missing in it."""
    import pandas as pd

    table = pd.DataFrame(
        [{name: row.get(name) for name in columns} for row in rows], columns=list(columns)
    )
    for name, kind in columns.items():
        if kind == MOMENT:
            table[name] = pd.to_datetime(table[name], utc=True, format="ISO8601")
    return table.astype(dict(columns))
