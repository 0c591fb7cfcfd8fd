"""All files of one entity as they were read at one moment.

What they hold, and everything that speaks against them.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from connectors.files.csvfile import CsvSheet
from connectors.files.jsonlfile import JsonlSheet
from connectors.files.layout import Layout
from connectors.files.parts import BrokenFileError, Part, Sheet, State, text_of
from connectors.files.settings import FileFormat, FileSettings
from connectors.files.storage import File

QUARANTINED_MAX = 100


def sheet_of(
    form: FileFormat, content: bytes, name: str, settings: FileSettings, *, young: bool = False
) -> Sheet:
    """The content in its format; `young` where its writer may not be done with it.

    Raises BrokenFileError.
    """
    match form:
        case "csv":
            return CsvSheet(content, name, settings, young=young)
        case "jsonl":
            return JsonlSheet(content, name, settings)
        case "parquet":
            # DuckDB, which no command needs that only looks at the ledger
            from connectors.files.parquetfile import ParquetSheet

            return ParquetSheet(content, name, settings)
        case "excel":
            # numpy comes with openpyxl: a sixth of the start-up of any command, for those few who
            # have Excel
            from connectors.files.excelfile import ExcelSheet

            return ExcelSheet(content, name, settings)


@dataclass(slots=True)
class Volume:
    """One file: its content as it was read, and its parts once they are needed all at once."""

    name: str
    file: File
    sheet: Sheet
    word: str
    parts: list[Part] = field(default_factory=list)

    @property
    def label(self) -> str:
        """Its name without the folders."""
        return self.name.rpartition("/")[2]

    @property
    def is_dirty(self) -> bool:
        """Whether it is to be written."""
        return any(part.state is not State.KEPT for part in self.parts)

    def add(self, part: Part) -> None:
        """Put a new row below the last one, above what may stand there as a footer."""
        footers = (at for at, one in enumerate(self.parts) if one.is_footer)
        at = next(footers, len(self.parts))
        # A blank line above the footer parts it from the rows: it stays between them.
        while at < len(self.parts) and text_of(self.parts[at - 1].raw).isspace():
            at -= 1
        self.parts.insert(at, part)

    def check(self, layout: Layout, wanted: Sequence[str]) -> None:
        """Raises BrokenFileError where a declared column is missing.

        It names the nearest one that is there.
        """
        there = self.sheet.columns
        if there is None:
            return
        columns = [layout.part(name)[0] for name in wanted]
        missing = [
            name for name in dict.fromkeys([*layout.declared, *columns]) if name not in there
        ]
        if missing:
            hints = [
                near
                for name in missing
                for near in difflib.get_close_matches(name, there, n=1, cutoff=0.5)
            ]
            remedy = (
                f"there is {', '.join(dict.fromkeys(hints))}"
                if hints
                else "check the header and the delimiter"
            )
            what = f"{self.label} has no column {', '.join(missing)} among its {len(there)}"
            raise BrokenFileError(what, f"correct the mapping or the file: {remedy}")


@dataclass(slots=True)
class Survey:
    """What a first reading of everything tells: keys that stand twice, and what cannot be read."""

    lines: dict[str, list[str]] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)
    quarantined: list[str] = field(default_factory=list)
    unread: int = 0

    def bad(self, why: str) -> None:
        """Something that cannot be read, in one sentence."""
        self.unread += 1
        if self.unread <= QUARANTINED_MAX:
            self.quarantined.append(why)

    @property
    def doubles(self) -> set[str]:
        """The keys that stand more than once: which row is meant, nobody knows."""
        return set(self.lines)

    def close(self) -> None:
        """Say of each double key where it stands."""
        for key, places in self.lines.items():
            self.bad(f"the key {key} stands more than once: {', '.join(places)}")


def surveyed(volumes: Sequence[Volume], layout: Layout) -> Survey:
    """Read everything once. Raises BrokenFileError where a file cannot be read on."""
    survey = Survey()
    for volume in volumes:
        for part in volume.sheet.parts():
            if why := part.why or (layout.fault(part.values) if part.values else ""):
                survey.bad(f"{volume.label} {volume.word} {part.line}: {why}")
            elif part.values is not None:
                key = layout.key_of(part.values)
                if key in survey.keys and layout.settings.keys:
                    survey.lines.setdefault(key, [])
                survey.keys.add(key)
    if survey.lines:
        for volume, part in records(volumes, layout):
            if (key := layout.key_of(part.values or {})) in survey.lines:
                survey.lines[key].append(f"{volume.label} {volume.word} {part.line}")
    survey.close()
    return survey


def records(volumes: Sequence[Volume], layout: Layout) -> Iterator[tuple[Volume, Part]]:
    """Every row that is a record, double keys included.

    In a file without a key, rows that are one word for word are one.
    """
    rows: set[str] = set()
    for volume in volumes:
        for part in volume.parts or volume.sheet.parts():
            if (
                part.values is not None
                and part.state is not State.GONE
                and not layout.fault(part.values)
                and (layout.settings.keys or _is_new(layout.key_of(part.values), rows))
            ):
                yield volume, part


def _is_new(key: str, keys: set[str]) -> bool:
    new = key not in keys
    keys.add(key)
    return new


@dataclass(slots=True)
class Shelf:
    """The files of an entity with every part in memory, and where each key stands."""

    layout: Layout
    volumes: list[Volume]
    index: dict[str, tuple[Volume, Part]] = field(default_factory=dict)
    doubles: set[str] = field(default_factory=set)

    def load(self) -> None:
        """Take in the parts of every volume, and find the keys again."""
        self.index.clear()
        self.doubles.clear()
        for volume in self.volumes:
            volume.parts = volume.parts or list(volume.sheet.parts())
        for volume, part in records(self.volumes, self.layout):
            key = self.layout.key_of(part.values or {})
            if key in self.index:
                self.doubles.add(key)
            self.index[key] = (volume, part)

    def find(self, key: str) -> tuple[Volume, Part] | None:
        """Where a key stands; None where it does not, or more than once."""
        if key in self.doubles:
            return None
        return self.index.get(key)
