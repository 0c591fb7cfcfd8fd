"""Reports as pandas frames."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconcile.errors import StateError
from reconcile.report import Run, Runs, changes, write_document
from tests.builders_report import report_of


def test_a_row_for_each_changed_field(tmp_path: Path) -> None:
    """The changes of a run are one table that analysts can group and filter."""
    write_document(report_of(5), tmp_path)
    frame = changes(tmp_path)
    assert list(frame.loc[frame.kind == "update", "field"]) == [
        "company",
        "city",
        "company",
        "city",
    ]
    assert set(frame.run_id) == {"r9"}
    assert frame.loc[0, "after"] == "Company 0 of the North Ltd"


def test_questions_are_a_frame_too(tmp_path: Path) -> None:
    """Every question has a row with its choices."""
    write_document(report_of(0, holds=2), tmp_path)
    frame = Run.load(tmp_path).holds
    assert list(frame.choices) == [["app", "ghl", "leave"]] * 2


def test_a_run_without_changes_has_an_empty_frame(tmp_path: Path) -> None:
    """The columns are there although there is no row."""
    write_document(report_of(0), tmp_path)
    assert list(changes(tmp_path).columns[:3]) == ["run_id", "op_id", "entity"]


@pytest.mark.parametrize("text", [None, "{", '{"format": 99}', "[]"])
def test_a_folder_without_a_report_is_named(tmp_path: Path, text: str | None) -> None:
    """No report, a broken one, or one of another format is said to be so."""
    if text is not None:
        (tmp_path / "report.json").write_text(text, encoding="utf-8")
    with pytest.raises(StateError, match=r"report\.json"):
        changes(tmp_path)


def test_all_runs_are_four_tables_that_join(tmp_path: Path) -> None:
    """Runs, changes, values and questions of a pair's kept reports join by the run; what has no report is left out."""
    for number, name in enumerate(("r1", "r2")):
        write_document(report_of(5 + number, holds=number, run_id=name), tmp_path / name)
    (tmp_path / "killed").mkdir()
    kept = Runs.load(tmp_path)
    runs, changes = kept.runs, kept.changes
    assert list(runs["run_id"]) == ["r1", "r2"]
    assert list(kept.questions["run_id"]) == ["r2"]
    written = changes[changes["status"] == "done"].groupby("run_id")["op_id"].nunique()
    joined = runs.set_index("run_id").join(written)
    assert list(joined["done_writes"]) == list(joined["op_id"]) == [5, 6]
    assert set(kept.values["run_id"]) <= {"r1", "r2"}
