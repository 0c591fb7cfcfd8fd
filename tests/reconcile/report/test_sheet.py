"""The spreadsheet: a sheet for each class, and decisions that are read back as they were made."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from reconcile.errors import ConfigError
from reconcile.report import decisions_from, write_document
from reconcile.report.sheet import DECISIONS, HEADS, sheet
from tests.builders_report import change_of, question_of, report_of

WORDS = [
    "Take the app's value: From the app",
    "Take GHL's value: From GHL",
    "Leave both as they are",
]


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A workbook with three questions and ten changes."""
    return sheet(report_of(10, holds=3), tmp_path / "report.xlsx")


def decide(path: Path, answers: dict[int, tuple[Any, Any]]) -> Path:
    """Fill in decision and reason by row, as a person does in Excel, and save."""
    book = openpyxl.load_workbook(path)
    for row, (decision, reason) in answers.items():
        book[DECISIONS].cell(row, 1).value = decision
        book[DECISIONS].cell(row, 2).value = reason
    book.save(path)
    book.close()
    return path


def test_every_class_has_a_sheet(written: Path) -> None:
    """Created, updated, deleted, tags, linked, what did not go as planned, left out, interrupted and decisions stand apart; the lists of choices are hidden."""
    book = openpyxl.load_workbook(written)
    assert book.sheetnames == [
        *(
            "Summary",
            "Statement",
            "Decisions",
            "Choices",
            "Created",
            "Updated",
            "Deleted",
            "Tags",
            "Linked",
            "Not as planned",
            "Left out",
            "Interrupted",
        )
    ]
    assert book["Choices"].sheet_state == "hidden"
    book.close()


def test_each_change_of_a_consent_has_a_row_with_its_ground(tmp_path: Path) -> None:
    """Where a run changes consents there is a sheet of them, and none where it changes none."""
    whole = report_of(1)
    change = dict.fromkeys(("op_id", "entity", "side", "label", "app_key", "ghl_key"), "x")
    change |= {"status": "done", "field": "sms", "before": "denied", "after": "allowed"}
    change |= {"means": "opted in", "ground": "Ada answered allow"}
    whole["consent"] = {"fields": ["sms"], "counts": {"opted in": 1}, "changes": [change]}
    book = openpyxl.load_workbook(sheet(whole, tmp_path / "report.xlsx"))
    heads, row = book["Consent"].iter_rows(values_only=True)
    told = dict(zip(heads, row, strict=True))
    assert (told["what"], told["before"], told["after"]) == ("opted in", "denied", "allowed")
    assert (told["because"], told["outcome"]) == ("Ada answered allow", "done")
    book.close()
    whole["consent"]["changes"] = []
    book = openpyxl.load_workbook(sheet(whole, tmp_path / "none.xlsx"))
    assert "Consent" not in book.sheetnames
    book.close()


def test_what_is_left_out_of_the_workbook_is_counted_in_it(tmp_path: Path) -> None:
    """Records that are not listed are counted below those that are; what a run that was killed had written has a sheet of its own."""
    whole = report_of(3)
    record = dict.fromkeys(("class", "entity", "side", "label", "key", "because"), "x")
    count = {"entity": "contact", "side": "app", "class": "x", "because": "x", "count": 20_001}
    whole["passed"] = {"counts": [count], "records": [record]}
    whole["interrupted"] = [{"run_id": "r8", "changes": [change_of(0), change_of(1)]}]
    book = openpyxl.load_workbook(sheet(whole, tmp_path / "report.xlsx"))
    *_, last = book["Left out"].iter_rows(values_only=True)
    assert last[0] == "… and 20,000 more records, which passed.parquet has"
    runs = [row[0] for row in book["Interrupted"].iter_rows(values_only=True)]
    assert set(runs) == {"run", "r8"}
    assert len(runs) > len(whole["interrupted"][0]["changes"])
    book.close()


def test_heads_are_frozen_and_filtered(written: Path) -> None:
    """Every sheet that people read keeps its head in view and can be filtered."""
    book = openpyxl.load_workbook(written)
    for name in book.sheetnames:
        if name != "Choices":
            assert book[name].freeze_panes == "A2"
            assert book[name].auto_filter.ref
    book.close()


def test_each_question_has_a_list_of_its_own_choices(written: Path) -> None:
    """The drop-down of a row refers to that question's choices."""
    book = openpyxl.load_workbook(written)
    lists = {
        str(each.sqref): each.formula1 for each in book[DECISIONS].data_validations.dataValidation
    }
    assert lists["A2"] == "Choices!$A$2:$C$2"
    assert [cell.value for cell in book["Choices"][2]] == WORDS
    assert [cell.value for cell in book[DECISIONS][1]] == list(HEADS)
    book.close()


def test_an_update_has_a_row_for_each_field(written: Path) -> None:
    """Field, before and after stand in columns of their own."""
    book = openpyxl.load_workbook(written)
    rows = list(book["Updated"].iter_rows(values_only=True))
    assert rows[1][6:9] == ("company", "Company 0 Ltd", "Company 0 of the North Ltd")
    book.close()


def test_a_value_is_never_a_formula(tmp_path: Path) -> None:
    """What a stranger typed into a form stays text in the spreadsheet."""
    whole = report_of(0)
    whole["changes"] = [
        change_of(
            0,
            label='=HYPERLINK("http://x.example")',
            fields=[{"field": "company", "before": "+1", "after": "=1+1"}],
        )
    ]
    book = openpyxl.load_workbook(sheet(whole, tmp_path / "report.xlsx"))
    row = book["Updated"][2]
    assert [cell.data_type for cell in row if cell.value is not None] == ["s"] * sum(
        cell.value is not None for cell in row
    )
    book.close()


def test_decisions_come_back(written: Path) -> None:
    """What was chosen and why is read back; rows left empty are left for later."""
    decide(written, {2: ("app", "she called"), 4: (" leave ", None)})
    place = "report.xlsx, sheet Decisions, row"
    assert decisions_from(written) == [
        (f"{0:020d}", "app", "she called", "d1", f"{place} 2"),
        (f"{2:020d}", "leave", "", "d1", f"{place} 4"),
    ]


def test_choices_are_said_in_words_and_read_back_as_choices(written: Path) -> None:
    """What the drop-down offers is taken, in whatever capitals; so is the choice's own short word."""
    decide(written, {2: (WORDS[1], ""), 3: ("LEAVE  both as they are", ""), 4: ("App", "")})
    assert [decided.choice for decided in decisions_from(written)] == ["ghl", "leave", "app"]


def candidate(key: str, label: str, **values: str) -> dict[str, Any]:
    return {"side": "ghl", "key": key, "label": label, "values": values}


def test_a_candidate_is_called_by_name_and_by_what_only_it_has(tmp_path: Path) -> None:
    """The one that has a value of the record in question is told by that; else by a value of its own; twins by their keys."""
    options = [
        {"choice": choice, "meaning": "m"}
        for choice in ("link:g1", "link:g2", "link:g3", "link:g4", "create", "ignore")
    ]
    hold = question_of(
        kind="ambiguous",
        options=options,
        values={"rule": "email"},
        records=[candidate("a1", "Ann Lee", email="ann@x.com", phone="+1555")],
        candidates=[
            candidate("g1", "Ann Lee", email="ann@x.com", phone="+1555"),
            candidate("g2", "Anne | Lee", email="ann@x.com", city="Rome"),
            candidate("g3", "Bo", email="ann@x.com"),
            candidate("g4", "Bo", email="ann@x.com"),
        ],
    )
    path = sheet(report_of(0, holds=0) | {"holds": [hold]}, tmp_path / "report.xlsx")
    book = openpyxl.load_workbook(path)
    said = [cell.value for cell in book["Choices"][2]]
    book.close()
    assert said == [
        "Link to Ann Lee, the one with this phone",
        "Link to Anne / Lee, the one with city Rome",
        "Link to Bo (g3)",
        "Link to Bo (g4)",
        "It is a record of its own",
        "Leave it out",
    ]
    for word, option in zip(said, options, strict=True):
        decide(path, {2: (word, "")})
        assert [each.choice for each in decisions_from(path)] == [option["choice"]]


def test_the_summary_is_one_page_on_paper(written: Path) -> None:
    """It is fitted to one page; the other sheets to the paper's width, with their heads on each page."""
    book = openpyxl.load_workbook(written)
    for name in book.sheetnames:
        setup = book[name].page_setup
        if name != "Choices":
            assert (setup.orientation, int(setup.fitToWidth or 1)) == ("landscape", 1)
            assert book[name].print_title_rows == "$1:$1"
    assert int(book["Summary"].page_setup.fitToHeight or 1) == 1
    assert book["Updated"].page_setup.fitToHeight == 0
    book.close()


def test_a_sheet_without_its_size_is_read(written: Path) -> None:
    """Some programs leave the size of a sheet out, and blank rows in: what was decided is read all the same."""
    decide(written, {2: ("app", "she called")})
    book = openpyxl.load_workbook(written)
    book["Decisions"].insert_rows(3)
    book.save(written)
    with zipfile.ZipFile(written) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(written, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, re.sub(rb"<dimension[^>]*/>", b"", content))
    assert [decided.choice for decided in decisions_from(written)] == ["app"]


def test_a_decision_that_is_no_choice_is_named_with_its_row(written: Path) -> None:
    """All wrong decisions are told at once, each with its row and what could be chosen."""
    decide(written, {2: ("both", ""), 3: ("yes", "")})
    with pytest.raises(ConfigError) as told:
        decisions_from(written)
    assert len(told.value.problems) == 2
    assert (
        f"report.xlsx, sheet Decisions, row 2: 'both' is not a choice here; expected {' or '.join(WORDS)}"
        in str(told.value)
    )


def test_a_question_answered_twice_is_refused(written: Path) -> None:
    """Two answers to one question are a mistake, not a choice."""
    book = openpyxl.load_workbook(written)
    for row in (2, 3):
        book[DECISIONS].cell(row, 1).value = "app"
        book[DECISIONS].cell(row, HEADS.index("hold_id") + 1).value = "same"
    book.save(written)
    book.close()
    with pytest.raises(ConfigError, match="answered in row 2 too"):
        decisions_from(written)


def test_a_decision_without_its_question_is_refused(written: Path) -> None:
    """A row whose hold_id was cleared cannot be assigned."""
    decide(written, {2: ("app", "")})
    book = openpyxl.load_workbook(written)
    book[DECISIONS].cell(2, HEADS.index("hold_id") + 1).value = None
    book.save(written)
    book.close()
    with pytest.raises(ConfigError, match="without a hold_id"):
        decisions_from(written)


@pytest.mark.parametrize(
    ("content", "problem"), [(None, "no such file"), (b"not a workbook", "not an Excel workbook")]
)
def test_a_file_that_is_none_is_named(tmp_path: Path, content: bytes | None, problem: str) -> None:
    """A missing file, or one of another kind, is said to be so."""
    path = tmp_path / "mine.xlsx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=problem):
        decisions_from(path)


def test_another_workbook_is_refused(tmp_path: Path) -> None:
    """A workbook without the sheet, or without its columns, is not taken for a report."""
    book = openpyxl.Workbook()
    book.save(tmp_path / "a.xlsx")
    with pytest.raises(ConfigError, match="no sheet named Decisions"):
        decisions_from(tmp_path / "a.xlsx")
    book.create_sheet(DECISIONS).append(["decision"])
    book.save(tmp_path / "b.xlsx")
    book.close()
    with pytest.raises(ConfigError, match="no column named hold_id, reason, values_digest"):
        decisions_from(tmp_path / "b.xlsx")


def test_a_long_list_of_candidates_is_a_list_too(tmp_path: Path) -> None:
    """Choices longer than the 255 characters that Excel takes in a rule are chosen from all the same."""
    options = [{"choice": f"link:{'x' * 20}{number}", "meaning": "linked"} for number in range(20)]
    path = sheet(
        report_of(0, holds=0) | {"holds": [question_of(kind="ambiguous", options=options)]},
        tmp_path / "report.xlsx",
    )
    decide(path, {2: (options[19]["choice"], "")})
    assert decisions_from(path)[0].choice == options[19]["choice"]


def test_all_forms_are_written_whole(tmp_path: Path) -> None:
    """Four files, and no partial one beside them."""
    paths = write_document(report_of(), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "report.html",
        "report.json",
        "report.md",
        "report.xlsx",
    ]
    assert sorted(paths) == ["html", "json", "md", "xlsx"]
