"""The fault matrix: whatever GHL's side does wrong, at whatever request, a run ends right or stops with a named error."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from connectors.ghl.sandbox import Fault
from connectors.ghl.sandbox.faults import FaultKind
from flows.demo import edits
from reconcile.errors import ReconcileError
from reconcile.model import OpKind
from tests.flows.acme import Acme, Night, State
from tests.long_forms import SOAK

READS = (
    ("POST", "/contacts/search"),
    ("POST", "/locations/*/tasks/search"),
    ("GET", "/contacts/*/notes"),
)
WRITES = (
    ("POST", "/contacts/"),
    ("PUT", "/contacts/*"),
    ("DELETE", "/contacts/*"),
    ("POST", "/contacts/*/tasks"),
    ("PUT", "/contacts/*/tasks/*/completed"),
    ("POST", "/contacts/*/notes"),
    ("POST", "/contacts/*/tags"),
)
ANYWHERE: tuple[FaultKind, ...] = (
    "rate_limited",
    "status",
    "reset_before",
    "cdn_block",
    "slow",
    "malformed",
)
READING: tuple[FaultKind, ...] = (
    "truncated_page",
    "wrong_total",
    "stuck_cursor",
    "repeated_ids",
    "refuse_filter",
)
WRITING: tuple[FaultKind, ...] = ("reset_after", "created_but_422", "extra_lag")
PLACES = ("first", "middle", "last")

MATRIX = [
    *((kind, at, place) for kind in (*ANYWHERE, *READING) for at in READS for place in PLACES),
    *((kind, at, place) for kind in (*ANYWHERE, *WRITING) for at in WRITES for place in PLACES),
]
SAMPLE = [
    ("malformed", READS[0], "first"),
    ("cdn_block", READS[2], "last"),
    ("created_but_422", WRITES[0], "first"),
    ("reset_after", WRITES[5], "first"),
]


@dataclass(frozen=True, slots=True)
class Stand:
    """A world after a first night and a day of edits, kept to be put back, and what an undisturbed night makes of it."""

    acme: Acme
    kept: Path
    undisturbed: Night
    end: State
    asked: dict[tuple[str, str], int]


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """The world, its undisturbed night, and how often each kind of request is sent in it."""
    folder = tmp_path_factory.mktemp("faults")
    acme = Acme.made(folder / "acme", contacts=44)
    acme.run(verify="none")
    edits(acme.folder, acme.pair)
    shutil.copytree(acme.folder, folder / "kept")
    with acme.served() as served:
        watched = {
            at: Fault("slow", method=at[0], path=at[1], probability=0.0) for at in (*READS, *WRITES)
        }
        served.sandbox.arm(*watched.values())
        night = acme.run(pair=served.pair, verify="none")
        asked = dict(
            zip(watched, (told["seen"] for told in served.sandbox.faults.report()), strict=True)
        )
        end = acme.state(served.sandbox)
    yield Stand(acme, folder / "kept", night, end, asked)
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("kind", "at", "place"), MATRIX if SOAK else SAMPLE, ids=lambda part: str(part)
)
def test_a_fault_of_ghl_loses_and_doubles_nothing(
    stand: Stand, kind: FaultKind, at: tuple[str, str], place: str
) -> None:
    """With one faulty answer a run plans no other delete than without it, and the next run ends as if nothing had been."""
    asked = stand.asked[at]
    assert asked, f"the world sends no {at}: the matrix would prove nothing"
    numbers = {"first": 1, "middle": (asked + 1) // 2, "last": asked}
    nth = numbers[place]
    if place != next(name for name, number in numbers.items() if number == nth):
        pytest.skip("the same request as an earlier place")
    stand.acme.replaced_by(stand.kept)
    with stand.acme.served() as served:
        served.sandbox.arm(
            Fault(kind, method=at[0], path=at[1], nth=nth, seconds=0.2, field="dateAdded")
        )
        first = _night(stand, served.pair)
        struck = served.sandbox.faults.report()[0]["struck"]
        served.sandbox.faults.clear()
        again = stand.acme.run(pair=served.pair, verify="full")
        end = stand.acme.state(served.sandbox)
    assert struck or kind == "refuse_filter"
    if isinstance(first, ReconcileError):
        assert first.code
        assert first.remedy
    else:
        assert _deletes(first) <= _deletes(stand.undisturbed)
    assert end == stand.end
    assert again.residual == 0


def _night(stand: Stand, pair: Path) -> Night | ReconcileError:
    """The disturbed night, or the error of the tree that it stopped with."""
    try:
        return stand.acme.run(pair=pair, verify="none")
    except ReconcileError as error:
        return error


def _deletes(night: Night) -> set[tuple[str, str, str | None]]:
    gone = (OpKind.DELETE, OpKind.ARCHIVE)
    return {(o.entity.value, o.side.value, o.key) for o in night.operations if o.kind in gone}
