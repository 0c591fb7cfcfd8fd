"""Where the records of a sheet end and its footer begins.

Declared, and refused where the file does not end so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from connectors.files.parts import BrokenFileError

Row = tuple[int, Sequence[str]]
"""A line's number, and the text of its cells."""

_CUT_OFF = "make the export again if it was cut off, or correct footer"


@dataclass(frozen=True, slots=True)
class Sheet:
    """What is below a header: `rows`, and the places of the key's columns.

    It also says how the file and its rows are called.
    """

    rows: Iterable[Row]
    keys: Sequence[int]
    name: str
    word: str

    def footer_line(self, footer: int | str) -> int:
        """The line with which the footer begins.

        Raises BrokenFileError where the rows do not end as declared: what was cut off a file would
        look deleted, and a record taken for a footer too.
        """
        if isinstance(footer, int):
            return self._counted(footer)
        return self._begun(footer)

    def _counted(self, count: int) -> int:
        lines: list[tuple[int, int]] = []
        for line, cells in self.rows:
            filled = len(_filled(cells))
            if filled:
                lines.append((line, filled))
        wanted = f"{self.name} does not end with {count} {self.word}s of one cell"
        if len(lines) < count:
            raise BrokenFileError(f"{wanted}: it has {len(lines)} in all", _CUT_OFF)
        begins = len(lines) - count
        for line, filled in lines[begins:]:
            if filled > 1:
                what = f"{wanted}: {self.word} {line} fills several columns"
                raise BrokenFileError(what, _CUT_OFF)
        if begins:
            line, filled = lines[begins - 1]
            if filled == 1:
                what = (
                    f"{self.name}: {self.word} {line}, above the {count} of its "
                    "footer, fills one column too"
                )
                raise BrokenFileError(what, "correct footer, or the row if it is a record")
        return lines[begins][0]

    def _begun(self, text: str) -> int:
        begins: list[int] = []
        for line, cells in self.rows:
            if text in _filled(cells)[:1]:
                begins.append(line)
            elif begins and self._has_key(cells):
                what = f'{self.name}: {self.word} {line}, below "{text}", has a key'
                raise BrokenFileError(what, "put the record above the footer")
        if len(begins) == 1:
            return begins[0]
        where = "stands nowhere"
        if begins:
            where = f"stands in {self.word}s {', '.join(map(str, begins))}"
        what = f'{self.name}: "{text}", with which its footer begins, {where}'
        raise BrokenFileError(what, _CUT_OFF)

    def _has_key(self, cells: Sequence[str]) -> bool:
        key = [cells[at] for at in self.keys if at < len(cells)]
        return bool(_filled(key))


def _filled(cells: Sequence[str]) -> list[str]:
    """What stands in a row, without its blanks."""
    stripped = [cell.strip() for cell in cells]
    return [cell for cell in stripped if cell]
