"""The rows of a sheet: byte for byte what the library would have written, and never mark-up."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

import openpyxl
import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from reconcile.report.grid import Grid

VALUES = st.one_of(
    st.none(),
    st.integers(-(10**12), 10**12),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8).filter(
        lambda text: not text.startswith("<r>")
    ),
    st.sampled_from(
        ["", " a", "b\n", "_x0041_", "\x00\x07\x0b", "\ufffe", "<&>", '"', "x\ny", "\r"]
    ),
)
ROWS = st.lists(st.lists(VALUES, min_size=28, max_size=28), max_size=3)
WAYS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}


def filled(path: Path, rows: list[list[object]], *, columns: int) -> Path:
    """A workbook of one sheet made with Grid, with no head."""
    empty = path.with_name("empty.xlsx")
    with Grid() as grid:
        with xlsxwriter.Workbook(str(empty), WAYS) as book:
            made = book.add_worksheet("Rows")
            made.write_string(0, 0, "head")
            assert grid.add(made, rows, columns=columns) == len(rows)
        grid.fill(empty, path)
    return path


def by_library(path: Path, rows: list[list[object]]) -> Path:
    """The same workbook as XlsxWriter alone writes it."""
    with xlsxwriter.Workbook(str(path), WAYS) as book:
        made = book.add_worksheet("Rows")
        made.write_string(0, 0, "head")
        for number, row in enumerate(rows, start=1):
            for column, value in enumerate(row):
                if isinstance(value, int | float):
                    made.write_number(number, column, value)
                elif value is not None and value != "":
                    made.write_string(number, column, str(value))
    return path


def sheet_rows(path: Path) -> bytes:
    with ZipFile(path) as archive:
        whole = archive.read("xl/worksheets/sheet1.xml")
    return whole[whole.index(b"<sheetData>") :]


@settings(deadline=None, max_examples=60)
@given(ROWS)
def test_rows_are_what_the_library_writes(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[object]]
) -> None:
    """Numbers, texts, white space, control characters and escapes: the same bytes."""
    folder = tmp_path_factory.mktemp("grid")
    ours, theirs = (
        filled(folder / "ours.xlsx", rows, columns=28),
        by_library(folder / "theirs.xlsx", rows),
    )
    assert sheet_rows(ours) == sheet_rows(theirs)


def test_what_looks_like_mark_up_stays_text(tmp_path: Path) -> None:
    """A text between <r> and </r>, which the library would put in as it is, comes back as it was typed."""
    typed = "<r><t>bold</t></r>"
    book = openpyxl.load_workbook(filled(tmp_path / "a.xlsx", [[typed]], columns=1))
    assert book["Rows"]["A2"].value == typed
    book.close()


def test_a_long_text_is_cut_to_what_a_cell_holds(tmp_path: Path) -> None:
    """Excel counts UTF-16 units: a text of emoji is cut at half as many, never within one, and says so; half a one is shown as ?."""
    book = openpyxl.load_workbook(
        filled(tmp_path / "a.xlsx", [["\U0001f600" * 40_000, "a\ud83d"]], columns=2)
    )
    assert book["Rows"]["A2"].value == "\U0001f600" * 15_999 + "…"
    assert book["Rows"]["B2"].value == "a?"
    book.close()


def test_rows_that_a_sheet_has_no_room_for_are_counted_below(tmp_path: Path) -> None:
    """The last row says how many more there are, and where; where all fit, there is no such row."""
    rows = [[number, "x"] for number in range(5)]
    empty, path = tmp_path / "empty.xlsx", tmp_path / "a.xlsx"
    with Grid() as grid:
        with xlsxwriter.Workbook(str(empty), WAYS) as book:
            for name, most in (("Cut", 3), ("Whole", 5)):
                made = book.add_worksheet(name)
                made.write_string(0, 0, "head")
                grid.add(made, iter(rows), columns=2, most=most)
        grid.fill(empty, path)
    book = openpyxl.load_workbook(path)
    cut, whole = ([row[0].value for row in book[name]] for name in ("Cut", "Whole"))
    said = "… and 2 more rows, for which a sheet has no room: report.json has them all"
    assert cut == ["head", 0, 1, 2, said]
    assert whole == ["head", 0, 1, 2, 3, 4]
    book.close()


def test_the_extent_covers_the_rows(tmp_path: Path) -> None:
    """A reader that believes the sheet's stated extent sees every row."""
    book = openpyxl.load_workbook(
        filled(tmp_path / "a.xlsx", [["x", None, 3]] * 5, columns=3), read_only=True
    )
    assert list(book["Rows"].iter_rows(min_row=2, values_only=True)) == [("x", None, 3)] * 5
    book.close()
