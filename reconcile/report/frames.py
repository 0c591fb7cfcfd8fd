"""Reports as pandas frames, for analysts.

Runs, changes, values and questions, which `run_id` joins.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Mapping as Map
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconcile.errors import StateError
from reconcile.report.schema import FORMAT
from reconcile.report.totals import totals_of

if TYPE_CHECKING:
    import pandas as pd

CHANGES = (
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


_OF_A_RUN = (
    "run_id",
    "pair",
    "job",
    "state",
    "applied",
    "started_at",
    "ended_at",
    "seconds",
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

        return pd.DataFrame(
            list(rows_of_changes(self.document)), columns=list(CHANGES), dtype="object"
        )

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

    @property
    def values(self) -> pd.DataFrame:
        """One row for each value that is not equal on both sides, or not known to be.

        It has the value's class and says why.
        """
        import pandas as pd

        listed = self.document["values"]["listed"]
        return pd.DataFrame([{"run_id": self.document["run_id"], **each} for each in listed])


class Runs:
    """The kept reports of a pair, oldest first, as four tables that `run_id` joins."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self.kept = runs

    @classmethod
    def load(cls, folder: Path) -> Runs:
        """The runs in a pair's folder of runs (STORE/runs).

        One without a report, or of another format, is left out.
        """
        runs: list[Run] = []
        for each in sorted(folder.iterdir()):
            with suppress(StateError):
                runs.append(Run.load(each))
        return cls(runs)

    @property
    def runs(self) -> pd.DataFrame:
        """One row for each run.

        What it was, and its totals, such as planned_creates, done_creates, failed, questions.
        """
        import pandas as pd

        return pd.DataFrame([summary_of(each.document) for each in self.kept])

    @property
    def changes(self) -> pd.DataFrame:
        """The changes of all runs, as in Run.changes."""
        return _together([each.changes for each in self.kept])

    @property
    def values(self) -> pd.DataFrame:
        """The values of all runs, as in Run.values."""
        return _together([each.values for each in self.kept])

    @property
    def questions(self) -> pd.DataFrame:
        """The questions of all runs, as in Run.holds, with the run that had them."""
        named = [each.holds.assign(run_id=each.document["run_id"]) for each in self.kept]
        return _together(named)


def _together(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """One frame of several; an empty one has no say in what the columns are."""
    import pandas as pd

    filled = [frame for frame in frames if len(frame)]
    if not filled:
        return frames[0] if frames else pd.DataFrame()
    return pd.concat(filled, ignore_index=True)


def summary_of(document: Map[str, Any]) -> dict[str, Any]:
    """A report as one flat row."""
    row = {name: document[name] for name in _OF_A_RUN}
    whole = totals_of(document)
    row |= {name: count for name, count in whole.items() if isinstance(count, int)}
    for state in ("planned", "done"):
        counts = whole[state]
        row |= {f"{state}_{name}": count for name, count in counts.items()}
    return row


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
        actual = document.get("format") if isinstance(document, dict) else None
        raise StateError(
            f"{path}: format {actual!r}, expected {FORMAT}",
            remedy="make the report again with this version",
        )
    return document


def changes(folder: Path) -> pd.DataFrame:
    """The changes of the run in `folder`: see Run.changes."""
    return Run.load(folder).changes


def rows_of_changes(document: Map[str, Any]) -> Iterator[dict[str, Any]]:
    """One row for each changed field of each operation, in the columns CHANGES."""
    for entry in document["changes"]:
        record = {
            "run_id": document["run_id"],
            **{name: entry.get(name) for name in CHANGES if name in entry},
        }
        for part in entry["fields"] or [{}]:
            yield record | {name: part.get(name) for name in ("field", "before", "after", "stored")}
