"""Delimited text, in which every value is the text that stands there.

Every row keeps the bytes it had, and every bad row its line.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from connectors.files.encoding import Encoding, encoding_of, is_damaged
from connectors.files.footer import Sheet
from connectors.files.parts import BrokenFileError, Part, State, UnfitError, text_of
from connectors.files.settings import FileSettings
from reconcile.ports import Json

DELIMITERS = (",", ";", "\t", "|")
# A note may carry a whole e-mail; the csv module's own limit is 128 KiB, for the whole process.
csv.field_size_limit(64 * 1024 * 1024)


class _Tape:
    """Lines as the csv module takes them, remembered until the record that they make is known."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._taken: list[str] = []
        self.line = 0

    def __iter__(self) -> _Tape:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.line += 1
        self._taken.append(line)
        return line

    def take(self) -> str:
        """The lines since the last time, as they stand in the file."""
        raw, self._taken = "".join(self._taken), []
        return raw


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    raw: str
    cells: list[str] = field(default_factory=list)
    why: str = ""


class CsvSheet:
    """One CSV file. Raises BrokenFileError where it has no header that can be read.

    A last row without a line end may be cut off within its last value. It is taken as a row where
    the file has not been changed for a while, since many programs leave that line end out; in a
    `young` file it is not.
    """

    def __init__(
        self, content: bytes, name: str, settings: FileSettings, *, young: bool = False
    ) -> None:
        self._content = content
        self._young = young
        self._name = name
        if not content.strip(b"\x00\xef\xbb\xbf\xfe\xff \r\n\t"):
            raise BrokenFileError(
                f"{name} is empty", "it needs a first line with the names of its columns"
            )
        self._encoding = encoding_of(content, settings.encoding, name)
        self._above, self._delimiter = self._begin(settings)
        header = next((row for row in self._rows() if any(row.cells) or row.why), None)
        if header is None:
            header = _Row(0, "", why="there is none")
        if header.why:
            raise BrokenFileError(
                f"{name}: the header cannot be read: {header.why}",
                "correct the first line, or header",
            )
        self._header = header
        self.columns = self._columns(header.cells)
        self._footer = self._footer_of(settings)
        self.fixed = ""

    @property
    def encoding(self) -> Encoding:
        """How its text is coded."""
        return self._encoding

    @property
    def delimiter(self) -> str:
        """What stands between its columns."""
        return self._delimiter

    def parts(self) -> Iterator[Part]:
        """Every row; a bad one says why."""
        for row in self._rows():
            footer = 0 < self._footer <= row.line
            blank = not row.why and not any(row.cells)
            if footer or blank or row.line <= self._header.line:
                yield Part(row.line, row.raw, is_footer=footer)
                continue
            why = self._fault(row)
            if why:
                yield Part(row.line, row.raw, why=why)
                continue
            cells = [cell or None for cell in row.cells]
            values: dict[str, Json] = dict(zip(self.columns, cells, strict=True))
            yield Part(row.line, row.raw, values)

    def fit(self, column: str, value: Json, part: Part | None) -> Json:
        """The text of a value."""
        text = text_of(value)
        if "\x00" in text or is_damaged(text):
            raise UnfitError("it holds a character that no text file can hold")
        if not self._encoding.can_hold(text):
            raise UnfitError(
                f"it holds letters that {self._encoding.name} does not have; "
                f"save {self._name} as UTF-8"
            )
        return text or None

    def lists(self, column: str) -> bool:
        """A cell holds text."""
        return False

    def dump(self, parts: Sequence[Part]) -> bytes:
        """The file, each line with its end.

        What is kept is as it stood. The rest is in the style of its neighbours.
        """
        lines = []
        for part in parts:
            if part.state is State.GONE:
                continue
            line = part.raw if part.state is State.KEPT else self._text(part)
            if line and not line.endswith(("\n", "\r")):
                line += self._end(self._header.raw)
            lines.append(line or "")
        return self._encoding.mark + self._encoding.bytes_of("".join(lines))

    # How it is done.

    def _begin(self, settings: FileSettings) -> tuple[int, str]:
        """How many lines stand above the header, and the delimiter.

        Declared, in Excel's "sep=;", or the one that fits.
        """
        first = next(self._encoding.lines(self._content), "")
        named = first.lower().startswith("sep=") and len(first.strip("\r\n")) == 5
        above = settings.header - 1 if settings.header else int(named)
        if above < 0:
            what = f"{self._name}: header is counted from 1, found {settings.header}"
            raise BrokenFileError(what, "declare the line with the names of the columns")
        if settings.delimiter is None:
            return above, first[4] if named else self._fitting(settings, above)
        if len(settings.delimiter) != 1 or settings.delimiter in '"\r\n':
            what = f"{self._name}: a delimiter is one character, not a quote or a line break"
            raise BrokenFileError(what, 'declare one such as ";"')
        return above, settings.delimiter

    def _fitting(self, settings: FileSettings, above: int) -> str:
        headers = {}
        for delimiter in DELIMITERS:
            lines = islice(self._encoding.lines(self._content), above, None)
            reader = csv.reader(lines, delimiter=delimiter)
            try:
                header = next((row for row in reader if any(row)), [])
            except csv.Error:
                continue
            headers[delimiter] = [cell.strip() for cell in header]
        # The key is surer than the number of columns: a header may hold commas within a name.
        keys = set(settings.keys)
        with_key = {
            delimiter: names for delimiter, names in headers.items() if keys and keys <= set(names)
        }
        fitting = with_key or headers
        return max(fitting, key=lambda delimiter: len(fitting[delimiter]), default=",")

    def _footer_of(self, settings: FileSettings) -> int:
        """The line with which the footer begins, 0 where there is none."""
        if settings.footer is None:
            return 0
        first = self._header.line + 1
        below = [(row.line, row.cells) for row in self._rows() if row.line >= first]
        keys = [self.columns.index(key) for key in settings.keys if key in self.columns]
        return Sheet(below, keys, self._name, "line").footer_line(settings.footer)

    def _rows(self) -> Iterator[_Row]:
        tape = _Tape(self._encoding.lines(self._content))
        for line in range(1, self._above + 1):
            if next(tape, None) is None:
                return
            yield _Row(line, tape.take())
        reader = csv.reader(tape, delimiter=self._delimiter, strict=True)
        while True:
            line, why = tape.line + 1, ""
            cells: list[str] = []
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                why = _said(str(error), line, tape.line)
            raw = tape.take()
            yield _Row(line, raw, cells, why or self._damage(raw))

    def _fault(self, row: _Row) -> str:
        """Why a row cannot be taken as it stands."""
        if row.why or len(row.cells) != len(self.columns):
            return row.why or f"expected {len(self.columns)} columns, found {len(row.cells)}"
        if self._young and not row.raw.endswith(("\n", "\r")):
            return (
                "it has no line end and the file has just been changed: "
                "it may not be written to its end yet"
            )
        return ""

    def _damage(self, raw: str) -> str:
        if is_damaged(raw):
            return f"it holds bytes that are not {self._encoding.name}"
        if "\x00" in raw:
            return "it holds a zero byte"
        return ""

    def _columns(self, cells: Sequence[str]) -> tuple[str, ...]:
        names = [cell.strip() or f"column {at}" for at, cell in enumerate(cells, start=1)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            what = f"{self._name}: {', '.join(twice)} stands more than once in the header"
            raise BrokenFileError(what, "give each column a name of its own")
        return tuple(names)

    def _text(self, part: Part) -> str:
        """A row's line.

        Cells that were not written to stand as they stood. A new row is in the style of the header.
        """
        pattern = self._header.raw if part.raw is None else str(part.raw)
        end = self._end(pattern)
        stood = self._cells(pattern.removesuffix(end))
        if len(stood) != len(self.columns):  # a name in the header may hold the delimiter
            stood = [""] * len(self.columns)
            verbatim = False
        else:
            verbatim = part.raw is not None
        values = part.values or {}
        cells = []
        for name, old in zip(self.columns, stood, strict=True):
            if verbatim and name not in part.touched:
                cells.append(old)
            else:
                text = text_of(values.get(name))
                cells.append(self._cell(text, quoted=old.startswith('"')))
        return self._delimiter.join(cells) + end

    def _cells(self, body: str) -> list[str]:
        """The cells of a row as they stand, with their quotes."""
        cells, begun, quoted = [], 0, False
        for at, letter in enumerate(body):
            if letter == '"':
                quoted = not quoted
            elif letter == self._delimiter and not quoted:
                cells.append(body[begun:at])
                begun = at + 1
        return [*cells, body[begun:]]

    def _cell(self, text: str, *, quoted: bool) -> str:
        special = any(letter in text for letter in (self._delimiter, '"', "\r", "\n"))
        # A blank alone on its line would be no row at all.
        if quoted or special or (not text and len(self.columns) == 1):
            return '"' + text.replace('"', '""') + '"'
        return text

    def _end(self, row: str) -> str:
        for end in ("\r\n", "\n", "\r"):
            if row.endswith(end):
                return end
        header = self._header.raw
        if row != header and header.endswith(("\n", "\r")):
            return self._end(header)
        return "\n"


def _said(error: str, first: int, last: int) -> str:
    span = ""
    if last > first:
        span = f" (up to line {last})"
    if "unexpected end" in error:
        return f"a quote is opened and never closed{span}"
    if "expected after" in error:
        return f"a quote stands in the middle of a value, or one is not closed{span}"
    return f"{error}{span}"
