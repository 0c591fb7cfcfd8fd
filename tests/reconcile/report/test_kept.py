"""A report of any size: its changes lie in a file, are gone through a part at a time, and are written and read as a stream."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from reconcile.report import kept, write_document
from reconcile.report.kept import Changes
from reconcile.report.mask import masked
from reconcile.report.packed import packed
from tests.builders_report import change_of, dumped, report_of

MOST = 60_000
"""Kilobytes that telling of 40,000 changes may take; as Python objects they alone take 100 MB, and their JSON 30 MB."""


def made(many: int) -> Iterator[dict[str, Any]]:
    """Changes that exist one at a time."""
    return (change_of(number) for number in range(many))


def test_changes_in_a_file_are_as_a_list_of_them() -> None:
    """Length, order, places, parts, equality and truth are those of a list; two walks at once do not disturb one another."""
    listed, found = list(made(2_500)), Changes.of(made(2_500))
    assert len(found) == 2_500
    assert found == listed
    assert listed == found
    assert found != listed[1:]
    assert (found[0], found[-1], found[1_700]) == (listed[0], listed[-1], listed[1_700])
    assert (found[5:9], found[::-1][0], found[-2:]) == (listed[5:9], listed[-1], listed[-2:])
    assert [one == other for one, other in zip(found, found, strict=True)] == [True] * 2_500
    assert not Changes.of([])
    assert copy.deepcopy(found) == listed
    with pytest.raises(IndexError):
        found[2_500]


def test_values_of_any_text_survive() -> None:
    """Line ends, commas, quotes and signs of other scripts at the end of a value change nothing."""
    odd = [
        change_of(0, label=label, detail=label)
        for label in ("a\nb,", ' "},', "\u2028é\x00", "},\n  {", "")
    ]
    assert list(Changes.of(odd)) == odd


def test_a_masked_view_leaves_the_changes_as_they_are() -> None:
    """Masking goes over a copy of each change as it is looked at."""
    whole = report_of(3)
    whole["changes"] = Changes.of(whole["changes"])
    shown = masked(whole)
    assert shown["changes"][0]["label"] != whole["changes"][0]["label"]
    assert list(whole["changes"]) == report_of(3)["changes"]
    assert shown == masked(report_of(3))


def test_json_is_the_same_from_a_file_and_from_a_list() -> None:
    """Equal documents give equal texts, a change on a line, and the text says what the document says."""
    whole = report_of(700, holds=3)
    streamed = dumped({**whole, "changes": Changes.of(whole["changes"])})
    assert streamed == dumped(whole)
    assert json.loads(streamed) == whole
    assert sum(line.startswith('  {"op_id"') for line in streamed.splitlines()) == 700
    assert json.loads(dumped(report_of(0))) == report_of(0)
    assert dumped({**report_of(0), "changes": Changes.of([])}) == dumped(report_of(0))


def test_a_report_is_read_with_its_changes_left_in_the_file(tmp_path: Path) -> None:
    """What was written is read, the changes as they are looked at; also one of an earlier version, and one without changes."""
    whole = report_of(50, holds=1)
    path = write_document(whole, tmp_path)["json"]
    found = kept.read(path)
    assert isinstance(found["changes"], Changes)
    assert found == whole
    assert list(found) == list(whole)
    older = tmp_path / "older.json"
    older.write_bytes(msgspec.json.format(msgspec.json.encode(whole), indent=1) + b"\n")
    assert kept.read(older) == whole
    killed = {"interrupted": [{"run_id": f"r{n}", "changes": [*made(n)]} for n in (0, 3, 1)]}
    found = kept.read(write_document({**whole, **killed}, tmp_path)["json"])
    assert all(isinstance(run["changes"], Changes) for run in found["interrupted"])
    assert found == {**whole, **killed}
    none = write_document(report_of(0), tmp_path)["json"]
    assert kept.read(none) == report_of(0)
    none.write_text("[", encoding="utf-8")
    with pytest.raises(msgspec.MsgspecError):
        kept.read(none)


_TELLING = """
import sys
from pathlib import Path
from reconcile.report import kept, markdown, write_document
from reconcile.report.changes import failures
from tests.builders_report import change_of, report_of

def most():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))

def tell(many, folder):
    whole = report_of(0)
    whole["changes"] = kept.Changes.of((change_of(number) for number in range(many)), folder)
    whole["failures"] = failures(whole["changes"])
    whole["interrupted"] = [{"run_id": "killed", "changes": whole["changes"]}]
    return write_document(whole, folder)

folder = Path(sys.argv[1])
tell(1_000, folder)
before = most()
paths = tell(40_000, folder)
whole = kept.read(paths["json"])
for changes in (whole["changes"], whole["interrupted"][0]["changes"]):
    assert sum(1 for _ in changes) == 40_000
print(most() - before)
"""


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(),
    reason="nothing tells here how much memory a process had",
)
def test_a_report_of_forty_thousand_changes_is_written_in_little_memory(tmp_path: Path) -> None:
    """All four files are made, and JSON read back, in less memory than a list of the changes alone would take."""
    command = [sys.executable, "-c", _TELLING, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[3])  # noqa: S603 - the text above
    assert done.returncode == 0, done.stderr
    kilobytes = int(done.stdout)
    assert kilobytes < MOST, kilobytes
    assert list(tmp_path.glob("changes.*")) == []


def test_the_page_carries_the_first_of_each_kind_and_counts_the_rest() -> None:
    """Where not all records go into a page, each kind has its first there, failures before the rest, and the others are counted."""
    whole = report_of(5_000, holds=20)
    all_of = packed(whole)
    part = packed(whole, most=200_000)
    assert (all_of.total, all_of.shown) == (part.total, 5_021)
    data = json.loads(part.data)
    assert len(data["rows"]) == part.shown < part.total
    assert sum(row[-1] for row in data["more"]) == part.total - part.shown
    assert len(part.data) < 240_000
    statuses = [data["words"][row[5]] for row in data["rows"]]
    assert statuses[:10] == ["rejected"] * 10
    assert _kinds(data) == _kinds(json.loads(all_of.data))
    assert json.loads(all_of.data)["more"] == []


def _kinds(data: dict[str, Any]) -> set[tuple[str, ...]]:
    """Type, kind, entity and outcome of what a page carries."""
    return {tuple(data["words"][row[at]] for at in (0, 1, 2, 5)) for row in data["rows"]}


def test_a_page_of_long_texts_stays_small() -> None:
    """Notes of 50,000 characters that all have to be escaped do not make the page larger than it may be."""
    long = [
        change_of(4, fields=[{"field": "body", "before": "<" * 50_000, "after": None}])
        for _ in range(300)
    ]
    found = packed({**report_of(0), "changes": long}, most=1_000_000)
    assert len(found.data) <= 1_200_000
    assert (found.total, found.shown > 0) == (302, True)
