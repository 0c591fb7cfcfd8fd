"""Keeps a run's changes, and those of a run that was killed, in a file.

A report of a million of them needs bounded memory.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Mapping as Map
from itertools import islice
from pathlib import Path
from typing import Any, overload

import msgspec

from reconcile.errors import StateError
from reconcile.report.schema import FORMAT

Change = dict[str, Any]

_BLOCK = 1 << 20
_BATCH = 1_000
_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Change)
_RUNS = b' "interrupted": [\n'
"""The line of a report.json below which each run has changes of its own.

They are two steps deeper than the report's.
"""
_OWN, _OF_A_RUN = 1, 3
"""How deep the two stand: at its depth, no other member is called so."""


class _File:
    """A file that is open to be read from, until nobody looks at it any more."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        weakref.finalize(self, os.close, descriptor)


class Changes(Sequence[Change]):
    """The changes of a report, gone through as often as wanted, a part of them in memory at a time.

    Equal to a list of the same.
    """

    def __init__(
        self,
        file: _File,
        lines: tuple[int, int],
        count: int,
        *,
        through: Callable[[Change], Change] | None = None,
    ) -> None:
        self._file = file
        self._start, self._end = lines
        self._count = count
        self._through = through

    @classmethod
    def of(cls, changes: Iterable[Change], folder: Path | None = None) -> Changes:
        """Keep these, in a file without a name that is gone when they are.

        `folder` is where there is room for it.
        """
        descriptor, name = tempfile.mkstemp(prefix="changes.", dir=folder)
        os.unlink(name)  # noqa: PTH108 - nobody else is to find it, also after a kill
        file, count, size, rest = _File(descriptor), 0, 0, iter(changes)
        while batch := list(islice(rest, _BATCH)):
            lines = _ENCODER.encode_lines(batch)
            _write(descriptor, lines)
            count, size = count + len(batch), size + len(lines)
        return cls(file, (0, size), count)

    def changed(self, through: Callable[[Change], Change]) -> Changes:
        """The same changes, each as `through` makes it of a copy whenever it is looked at."""
        before = self._through
        both = through if before is None else lambda change: through(before(change))
        return Changes(self._file, (self._start, self._end), self._count, through=both)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Change]:
        through = self._through
        for line in self._lines():
            change = _DECODER.decode(line)
            yield through(change) if through is not None else change

    def lines(self) -> Iterator[bytes]:
        """Each as JSON on one line, without an end."""
        if self._through is None:
            yield from self._lines()
        else:
            yield from map(_ENCODER.encode, self)

    def _lines(self) -> Iterator[bytes]:
        at, rest = self._start, b""
        while at < self._end:
            block = os.pread(self._file.descriptor, min(_BLOCK, self._end - at), at)
            if not block:
                raise OSError("the file with the run's changes was cut short while it was read")
            at += len(block)
            *whole, rest = (rest + block).split(b"\n")
            yield from map(_bare, whole)
        if rest:
            yield _bare(rest)

    @overload
    def __getitem__(self, place: int) -> Change: ...

    @overload
    def __getitem__(self, place: slice) -> list[Change]: ...

    def __getitem__(self, place: int | slice) -> Change | list[Change]:
        if isinstance(place, slice):
            start, stop, step = place.indices(self._count)
            if step > 0:
                return list(islice(self, start, stop, step))
            return list(self)[place]
        if not -self._count <= place < self._count:
            raise IndexError(place)
        return next(islice(self, place % self._count, None))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str | bytes):
            return NotImplemented
        if len(self) != len(other):
            return False
        return all(one == another for one, another in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment] # equal to lists, which have none

    def __copy__(self) -> Changes:
        return self

    def __deepcopy__(self, _: object) -> Changes:
        return self

    def __repr__(self) -> str:
        first = [repr(change) for change in self[:3]]
        if self._count > 3:
            first.append("…")
        return f"[{', '.join(first)}]"


def _bare(line: bytes) -> bytes:
    """A line without what stands around it in a list."""
    return line.strip().rstrip(b",")


def _write(descriptor: int, lines: bytes) -> None:
    rest = memoryview(lines)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def texts(document: Map[str, Any]) -> Iterator[str]:
    """The document as JSON, part by part: members in its order, each change on a line.

    Equal documents give equal texts.
    """
    opening = "{"
    for name, value in document.items():
        yield f'{opening}\n "{name}": '
        opening = ","
        if name == "changes" and len(value):
            yield from _listed(value, _OWN)
        elif name == "interrupted" and value:
            yield from _runs(value)
        else:
            plain = [*value] if isinstance(value, Changes) else value
            text = msgspec.json.format(msgspec.json.encode(plain), indent=1).decode()
            yield text.replace("\n", "\n ")
    yield "\n}\n" if document else "{}\n"


def _runs(runs: Sequence[Map[str, Any]]) -> Iterator[str]:
    opening = "["
    for run in runs:
        name = _ENCODER.encode(run["run_id"]).decode()
        yield f'{opening}\n  {{\n   "run_id": {name},\n   "changes": '
        opening = ","
        yield from _listed(run["changes"], _OF_A_RUN)
        yield "\n  }"
    yield "\n ]"


def _listed(changes: Sequence[Change], depth: int) -> Iterator[str]:
    lines = changes.lines() if isinstance(changes, Changes) else map(_ENCODER.encode, changes)
    margin, before = " " * depth, ""
    yield "["
    for line in lines:
        yield f"{before}\n{margin} {line.decode()}"
        before = ","
    yield f"\n{margin}]"


class _Lists:
    """Finds the lists of changes among the lines of a report.json.

    Where each begins and ends, and how many it has.
    """

    def __init__(self) -> None:
        self.found: dict[int, list[tuple[int, int, int]]] = {_OWN: [], _OF_A_RUN: []}
        self.strange = False
        """Whether a list has a change on several lines."""
        self._depth = _OWN
        self._start = self._count = 0

    def take(self, line: bytes, at: int) -> bool:
        """Look at a line, whose end is at `at`. Whether it is a change."""
        if not self._start:
            self._outside(line, at)
            return False
        margin = b" " * self._depth
        if line in (margin + b"],\n", margin + b"]\n"):
            self.found[self._depth].append((self._start, at - len(line), self._count))
            self._start = self._count = 0
            return False
        whole = line.startswith(margin + b' {"') and line.endswith((b"},\n", b"}\n"))
        self.strange = self.strange or not whole
        self._count += 1
        return True

    def _outside(self, line: bytes, at: int) -> None:
        if line == b" " * self._depth + b'"changes": [\n':
            self._start = at
        elif line == _RUNS:
            self._depth = _OF_A_RUN
        elif line in (b" ],\n", b" ]\n"):
            self._depth = _OWN


def read(path: Path) -> dict[str, Any]:
    """The document in a report.json, its changes left in the file until they are looked at.

    Raises OSError where there is no such file, msgspec.MsgspecError where it holds no JSON object.
    One of an earlier version, with a change on several lines, is read whole.
    """
    file = _File(os.open(path, os.O_RDONLY))
    lists, around, at = _Lists(), bytearray(), 0
    with open(file.descriptor, "rb", closefd=False) as text:
        for line in text:
            at += len(line)
            if not lists.take(line, at):
                around += line
            if lists.strange:
                return _DECODER.decode(path.read_bytes())
    document = _DECODER.decode(bytes(around))
    for start, end, count in lists.found[_OWN]:
        document["changes"] = Changes(file, (start, end), count)
    # An empty list of an earlier version stands on one line, and is none of these: then none was
    # found at all.
    for run, (start, end, count) in zip(
        document.get("interrupted", ()), lists.found[_OF_A_RUN], strict=False
    ):
        run["changes"] = Changes(file, (start, end), count)
    return document


def of_today(path: Path) -> dict[str, Any]:
    """The same, of a report that this version can show.

    Raises StateError with REPORT_FORMAT for one of another format, and what `read` raises.
    """
    document = read(path)
    written_as = document.get("format")
    if written_as != FORMAT:
        raise StateError(
            f"the report of run {path.parent.name} is of format {written_as!r}, "
            f"and this version shows {FORMAT}",
            remedy=f"open the page that was made of it then: {path.with_suffix('.html')}",
            code="REPORT_FORMAT",
        )
    return document
