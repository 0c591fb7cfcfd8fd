"""Reports as pandas frames, for analysts: a row for each field that changed."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as Map
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconcile.errors import StateError
from reconcile.report.schema import FORMAT

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = (
    *(
        "run_id",
        "op_id",
        "entity",
        "kind",
        "side",
        "label",
        "under",
        "app_key",
        "ghl_key",
        "field",
        "before",
        "after",
        "stored",
    ),
    *("because", "status", "code", "detail", "trace_id"),
)


class Run:
    """One kept report. `document` is the whole of it; `changes` and `holds` are frames."""

    def __init__(self, document: Map[str, Any]) -> None:
        self.document = document

    @classmethod
    def load(cls, folder: Path) -> Run:
        """The run whose report.json lies in `folder`.

        Raises StateError where there is none, or one of another format.
        """
        return cls(load(folder))

    @property
    def changes(self) -> pd.DataFrame:
        """One row for each changed field of each operation.

        An operation without fields has one row without a field.
        """
        import pandas as pd

        return pd.DataFrame(list(_rows(self.document)), columns=list(_COLUMNS), dtype="object")

    @property
    def holds(self) -> pd.DataFrame:
        """One row for each question."""
        import pandas as pd

        flat = (
            {**hold, "choices": [option["choice"] for option in hold["options"]]}
            for hold in self.document["holds"]
        )
        return pd.DataFrame(
            [{name: value for name, value in hold.items() if name != "options"} for hold in flat]
        )


def load(folder: Path) -> dict[str, Any]:
    """The document in `folder`'s report.json."""
    import msgspec

    path = folder / "report.json"
    try:
        document = msgspec.json.decode(path.read_bytes())
    except (OSError, msgspec.DecodeError) as error:
        raise StateError(
            f"{path}: no report", remedy="name the folder of a run that has one"
        ) from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        found = document.get("format") if isinstance(document, dict) else None
        raise StateError(
            f"{path}: format {found!r}, expected {FORMAT}",
            remedy="make the report again with this version",
        )
    return document


def changes(folder: Path) -> pd.DataFrame:
    """The changes of the run in `folder`: see Run.changes."""
    return Run.load(folder).changes


def _rows(document: Map[str, Any]) -> Iterator[dict[str, Any]]:
    for entry in document["changes"]:
        record = {
            "run_id": document["run_id"],
            **{name: entry.get(name) for name in _COLUMNS if name in entry},
        }
        for part in entry["fields"] or [{}]:
            yield record | {name: part.get(name) for name in ("field", "before", "after", "stored")}
