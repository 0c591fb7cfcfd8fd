"""Where the table lies in a sheet that nobody has described.

Below which title, above which footer.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from connectors.files.csvfile import DELIMITERS
from connectors.files.encoding import encoding_of
from connectors.files.parts import BrokenFileError
from flows.init.words import TOTALS, words

_SEPARATOR = "sep="
"""What Excel's first line begins with where it names the delimiter."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is not blank: its number, how many cells it has, and what stands in them."""

    at: int
    width: int
    filled: Sequence[str]
    is_first_filled: bool

    @classmethod
    def of(cls, at: int, cells: Sequence[str]) -> Line:
        """The line of these cells."""
        stripped = [cell.strip() for cell in cells]
        filled = [cell for cell in stripped if cell]
        return cls(at, len(cells), filled, bool(cells and stripped[0]))


@dataclass(frozen=True, slots=True)
class Bounds:
    """The line of the header, None where it is the first.

    The footer follows, as a pair file says it.
    """

    header: int | None = None
    footer: int | str | None = None


def csv_lines(content: bytes, name: str) -> list[Line]:
    """The lines of a CSV file.

    Its delimiter is the one that gives most of them the same number of cells.
    """
    encoding = encoding_of(content, None, name)
    text = "".join(encoding.lines(content))
    first = text.partition("\n")[0].strip().lower()
    if first.startswith(_SEPARATOR) and len(first) == len(_SEPARATOR) + 1:
        return _parted(text, first[-1])[1:]
    candidates = [_parted(text, delimiter) for delimiter in DELIMITERS]
    return max(candidates, key=_regularity)


def _parted(text: str, delimiter: str) -> list[Line]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    lines: list[Line] = []
    begun = 1
    try:
        for cells in reader:
            if any(cells):
                lines.append(Line.of(begun, cells))
            begun = reader.line_num + 1
    except csv.Error:
        return lines
    return lines


def _regularity(lines: Sequence[Line]) -> tuple[int, int]:
    """How many cells stand in lines of the usual width, and that width."""
    width = _usual_width(lines)
    count = sum(1 for line in lines if line.width == width)
    return count * width, width


def _usual_width(lines: Sequence[Line]) -> int:
    widths = Counter(line.width for line in lines if line.width > 1)
    usual = widths.most_common(1)
    if not usual:
        return 1
    return usual[0][0]


def excel_lines(content: bytes) -> list[Line]:
    """The rows of a workbook's first sheet. Raises BrokenFileError where it is none."""
    import openpyxl

    try:
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True)
    # openpyxl fails in dozens of ways on a damaged workbook.
    except Exception as error:  # noqa: BLE001
        what = f"it is not a workbook ({type(error).__name__})"
        raise BrokenFileError(what, "open it in Excel and save it as .xlsx") from None
    lines = []
    for at, row in enumerate(book.worksheets[0].iter_rows(values_only=True), start=1):
        line = Line.of(at, ["" if cell is None else str(cell) for cell in row])
        if line.filled:
            lines.append(line)
    book.close()
    return lines


def bounds_of(lines: Sequence[Line]) -> Bounds:
    """Where the table begins and ends.

    Its header fills most of its width, and what stands around it does not.
    """
    width = _usual_width(lines)
    for at, line in enumerate(lines):
        if line.width == width and len(line.filled) >= max(2, 0.6 * width):
            header = line.at if at else None
            return Bounds(header, _footer(lines[at + 1 :]))
    return Bounds()


def _footer(lines: Sequence[Line]) -> int | str | None:
    """The lines at the end that fill one cell, or a total.

    A blank line or their form parts them from the records.
    """
    if not lines:
        return None
    count = 0
    for line in reversed(lines):
        if len(line.filled) > 1 or not line.is_first_filled:
            break
        count += 1
    if count and (lines[-1].width == 1 or _is_parted(lines, count)):
        return count
    total = lines[-1].filled[0]
    if len(lines[-1].filled) > 1 and TOTALS.intersection(words(total)):
        return total
    return None


def _is_parted(lines: Sequence[Line], count: int) -> bool:
    """Whether a blank line stands above the last ones."""
    if len(lines) <= count:
        return False
    above = lines[-count - 1]
    return lines[-count].at > above.at + 1
