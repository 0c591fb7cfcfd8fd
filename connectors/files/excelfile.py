"""Excel workbooks: what a cell shows, as a plain value.

The workbook around it is kept when cells are written.
"""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time
from typing import Any

import openpyxl
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from connectors.files.encoding import is_damaged
from connectors.files.footer import Row, Sheet
from connectors.files.parts import BrokenFileError, Part, State, UnfitError, text_of, unix
from connectors.files.settings import FileSettings
from reconcile.ports import Json

_LONGEST = 32_767
"""Excel's own limit of characters in a cell; openpyxl would cut the text without a word."""
_ZEROS = re.compile("00+")
"""Number formats that fill up with leading zeros.

Those of postal codes and customer numbers do.
"""
_USUAL, _BIGGEST = 16 << 20, 512 << 20
"""Bytes, unpacked.

Up to the first a workbook is read however well it was packed. From the second on none is.
"""
_MOST_PACKED = 60
"""How many times its own size a workbook may unpack to; those that Excel writes come to 5 to 20."""
_OLE = b"\xd0\xcf\x11\xe0"
_ERRORS = ("#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NUM!", "#NULL!")
"""What Excel shows where a formula fails."""
_DAMAGE = (ValueError, KeyError, SyntaxError, zipfile.BadZipFile, EOFError, OverflowError)
"""What openpyxl raises in a sheet that is damaged; SyntaxError is its XML parser's."""


class ExcelSheet:
    """One sheet of one workbook.

    Raises BrokenFileError where there is no such sheet, or no header in it.
    """

    def __init__(self, content: bytes, name: str, settings: FileSettings) -> None:
        self._content = content
        self._name = name
        self._sheet = settings.sheet
        self._header = 0
        self.columns: tuple[str, ...] = ()
        if content.startswith(_OLE):
            what = f"{name} is an old .xls file, or locked with a password"
            raise BrokenFileError(what, "save it as .xlsx without a password")
        for at, cells in self._rows():
            names = [value for value, _ in cells]
            if at >= (settings.header or 1) and not _is_blank(names):
                self._header = at
                self.columns = self._columns(names)
                break
        else:
            raise BrokenFileError(
                f"{name} is empty", "the sheet needs a first row with the names of its columns"
            )
        self._footer = self._footer_of(settings)
        self.fixed = ""
        if self._footer:
            # openpyxl moves cells, and not the formulas that name them.
            self.fixed = "a footer stands below the rows of the workbook"

    def parts(self) -> Iterator[Part]:
        """Every row below the header; a bad one says why."""
        width = len(self.columns)
        for at, cells in self._rows():
            if self._footer and at >= self._footer:
                return
            shown = [value for value, _ in cells]
            formulas = [formula for _, formula in cells]
            if at <= self._header or (_is_blank(shown) and not any(formulas)):
                continue
            if not _is_blank(shown[width:]):
                yield Part(at, why=f"a value stands beyond the last of the {width} columns")
                continue
            missing = width - len(cells)
            shown = [*shown[:width], *[None] * missing]
            formulas = [*formulas[:width], *[False] * missing]
            pairs = zip(self.columns, formulas, strict=True)
            computed = frozenset(name for name, formula in pairs if formula)
            problems = map(_problem, shown, formulas)
            why = next(filter(None, problems), "")
            if why:
                yield Part(at, computed, why=why)
                continue
            texts = map(_text, shown)
            values: dict[str, Json] = dict(zip(self.columns, texts, strict=True))
            yield Part(at, computed, values)

    def fit(self, column: str, value: Json, part: Part | None) -> Json:
        """The text of a value."""
        text = unix(text_of(value))
        if is_damaged(text):
            raise UnfitError("it holds half a character, which no file can hold")
        if part is not None and part.raw and column in part.raw:
            raise UnfitError(
                "a formula computes it; take the formula out, or leave the field out of the mapping"
            )
        if len(text) > _LONGEST:
            raise UnfitError(
                f"it is longer than the {_LONGEST} characters that a cell of Excel holds"
            )
        if ILLEGAL_CHARACTERS_RE.search(text):
            raise UnfitError("it holds a control character that Excel does not take")
        return text or None

    def lists(self, column: str) -> bool:
        """A cell holds text."""
        return False

    def dump(self, parts: Sequence[Part]) -> bytes:
        """The workbook with changed cells written.

        New rows stand below the last one, and rows that are gone are taken out.
        """
        with self._open(values=False) as book:
            sheet = self._chosen(book)
            lines = [part.line for part in parts if part.state is not State.NEW]
            last = max([self._header, *lines])
            for part in parts:
                if part.state is State.CHANGED:
                    self._write(sheet, part.line, part)
                elif part.state is State.NEW:
                    last += 1
                    self._write(sheet, last, part)
            gone = [part.line for part in parts if part.state is State.GONE]
            for line in sorted(gone, reverse=True):  # from below: the rows after one move up
                sheet.delete_rows(line)
            out = io.BytesIO()
            book.save(out)
        return out.getvalue()

    # How it is done.

    @contextmanager
    def _open(self, *, values: bool, reading: bool = False) -> Iterator[Any]:
        try:
            with warnings.catch_warnings():
                # openpyxl warns of styles and extensions that it does not keep.
                warnings.simplefilter("ignore")
                within = zipfile.ZipFile(io.BytesIO(self._content)).infolist()
                self._check_size(sum(entry.file_size for entry in within))
                macros = any(entry.filename == "xl/vbaProject.bin" for entry in within)
                book = openpyxl.load_workbook(
                    io.BytesIO(self._content),
                    data_only=values,
                    read_only=reading,
                    keep_vba=macros and not reading,
                )
        except BrokenFileError:
            raise
        # openpyxl fails in dozens of ways on a damaged workbook.
        except Exception as error:  # noqa: BLE001
            what = f"{self._name} is not a workbook that can be read ({type(error).__name__})"
            raise BrokenFileError(what, "open it in Excel and save it as .xlsx") from None
        try:
            yield book
        finally:
            book.close()

    def _check_size(self, unpacked: int) -> None:
        """Raises BrokenFileError for a workbook that unpacks to too much.

        That is far more than what Excel packs, or more than a machine holds.
        """
        strange = unpacked > _MOST_PACKED * len(self._content)
        if unpacked > _BIGGEST or (unpacked > _USUAL and strange):
            what = f"{self._name} unpacks from {len(self._content):,} to {unpacked:,} bytes"
            raise BrokenFileError(
                what, "take out what is not needed: empty cells with a format, other sheets"
            )

    def _chosen(self, book: Any) -> Any:
        names = [sheet.title for sheet in book.worksheets]
        if self._sheet is not None and self._sheet not in names:
            what = f'{self._name} has no sheet "{self._sheet}"; it has {", ".join(names) or "none"}'
            raise BrokenFileError(what, "correct the sheet's name")
        if not names:
            raise BrokenFileError(f"{self._name} has no sheet with cells", "add one")
        return book[self._sheet or names[0]]

    def _rows(self) -> Iterator[tuple[int, list[tuple[Any, bool]]]]:
        """Each row's number, and its cells: the value, and whether a formula computes it."""
        with (
            self._open(values=True, reading=True) as shown,
            self._open(values=False, reading=True) as written,
        ):
            try:
                pairs = zip(
                    self._chosen(shown).iter_rows(), self._chosen(written).iter_rows(), strict=False
                )
                for at, (values, sources) in enumerate(pairs, start=1):
                    formulas = [cell.data_type == "f" for cell in sources]
                    yield at, list(zip(map(_shown, values), formulas, strict=False))
            except _DAMAGE as error:
                what = f"{self._name} is damaged ({type(error).__name__})"
                raise BrokenFileError(what, "open it in Excel and save it again") from None

    def _footer_of(self, settings: FileSettings) -> int:
        """The row with which the footer begins, 0 where there is none."""
        if settings.footer is None:
            return 0
        below: list[Row] = []
        for at, cells in self._rows():
            if at > self._header:
                # A formula without a stored result fills its cell, too.
                texts = [_text(value) or "=" * formula for value, formula in cells]
                below.append((at, texts))
        keys = [self.columns.index(key) for key in settings.keys if key in self.columns]
        return Sheet(below, keys, self._name, "row").footer_line(settings.footer)

    def _columns(self, cells: Sequence[Any]) -> tuple[str, ...]:
        names = [
            (_text(cell) or "").strip() or f"column {at}" for at, cell in enumerate(cells, start=1)
        ]
        while names and names[-1] == f"column {len(names)}" and cells[len(names) - 1] in (None, ""):
            names.pop()
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            what = f"{self._name}: {', '.join(twice)} stands more than once in the header"
            raise BrokenFileError(what, "give each column a name of its own")
        return tuple(names)

    def _write(self, sheet: Any, row: int, part: Part) -> None:
        for column, name in enumerate(self.columns, start=1):
            cell = sheet.cell(row, column)
            wanted = (part.values or {}).get(name)
            if cell.data_type != "f" and _text(_shown(cell)) != wanted:
                _set(cell, wanted)


def _is_blank(values: Sequence[Any]) -> bool:
    return all(value in (None, "") for value in values)


def _problem(value: Any, computed: bool) -> str:  # noqa: FBT001 - mapped over cells
    if computed and value is None:
        return "a formula has no stored result; open the workbook in Excel and save it"
    if isinstance(value, str) and value in _ERRORS:
        return f"a cell shows the error {value}"
    return ""


def _shown(cell: Any) -> Any:
    """A cell's value; a whole number that is shown with leading zeros is the text that has them."""
    return _filled(cell.value, cell)


def _filled(value: Any, cell: Any) -> Any:
    """What the cell would show of a value."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    whole = value == value // 1
    if not whole or not _ZEROS.fullmatch(cell.number_format or ""):
        return value
    digits = str(abs(int(value))).zfill(len(cell.number_format))
    return f"-{digits}" if value < 0 else digits


def _text(value: Any) -> str | None:
    """A cell's value as text.

    Whole numbers without a point, dates as ISO 8601, without a time where it is midnight.
    """
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        return repr(value)
    if isinstance(value, datetime):
        if value.time() == time():
            return value.date().isoformat()
        return value.isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value)


def _set(cell: Any, wanted: Json) -> None:
    """Write as the kind of value that stood there, where that says the same.

    Else it is written as text, which Excel cannot reinterpret.
    """
    if wanted is None:
        cell.value = None
        return
    text = text_of(wanted)
    typed = _alike(cell, text)
    if typed is not None:
        cell.value = typed
        return
    cell.value = text
    cell.data_type = "s"
    cell.number_format = "@"


def _alike(cell: Any, text: str) -> Any:
    value = cell.value
    try:
        typed: Any
        if isinstance(value, bool):
            typed = {"true": True, "false": False}.get(text)
        elif isinstance(value, int | float):
            typed = int(text) if text.lstrip("-").isdecimal() else float(text)
        elif isinstance(value, datetime):
            typed = datetime.fromisoformat(text)
        else:
            return None
    except (ValueError, OverflowError):
        return None
    says_the_same = typed is not None and _text(_filled(typed, cell)) == text
    return typed if says_the_same else None
