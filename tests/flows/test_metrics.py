"""A run's figures for monitors: those of the report, whole in their file, and without a person's value."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from flows.jobs.delta import Delta
from flows.outcome.metrics import PREFIX, Gauge, text, write
from flows.run import Run
from flows.runner import carry_out
from reconcile.model import Entity
from tests.builders import World
from tests.flows.nights import night, opened

SAMPLE = re.compile(r'^(\w+)\{((?:\w+="(?:[^"\\]|\\.)*",?)+)\} (\S+)$')


def read(path: Path) -> dict[str, dict[str, float]]:
    """The samples of a file by name and labels, each line held to the text format."""
    found: dict[str, dict[str, float]] = {}
    for line in path.read_text().splitlines():
        if line.startswith("#"):
            assert line.split()[1] in ("HELP", "TYPE")
            continue
        sample = SAMPLE.match(line)
        assert sample, line
        found.setdefault(sample[1].removeprefix(PREFIX), {})[sample[2]] = float(sample[3])
    return found


def writing(path: Path) -> Any:
    """A run whose pair names that file."""

    def with_file(run: Run) -> None:
        pair: Any = run.pair
        pair.metrics = path

    return with_file


def test_the_file_has_the_reports_own_figures(tmp_path: Path) -> None:
    """Values by class, writes, questions, requests and steps are those of report.json; nobody's address is among them."""
    path = tmp_path / "made" / "acme.prom"
    with World(limits={"max_first_creates": 100}) as world:
        world.app.put(Entity.CONTACT, {"first_name": "Ann", "email": "ann@x.com"})
        told = night(world, during=writing(path))
    found, whole = read(path), told.document
    pair = 'pair="p",job="nightly"'
    assert found["last_run_exit_code"] == {pair: told.exit_code}
    (account,) = [each for each in whole["values"]["entities"] if each["entity"] == "contact"]
    assert {
        f'{pair},entity="contact",class="{name}"': count
        for name, count in account["classes"].items()
    }.items() <= found["values"].items()
    assert found["writes"][f'{pair},entity="contact",kind="creates"'] == 1
    assert found["requests"][f'{pair},side="ghl"'] == whole["usage"]["ghl"]["requests"]
    assert sum(found["step_seconds"].values()) == pytest.approx(
        sum(step["seconds"] for step in whole["times"])
    )
    assert "ann@x.com" not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_delta_has_a_file_of_its_own(tmp_path: Path) -> None:
    """The nightly figures stay while deltas come and go; a plan writes none."""
    path = tmp_path / "acme.prom"
    with World() as world:
        night(world, during=writing(path))
        nightly = path.read_text()
        with opened(world, "delta") as run:
            writing(path)(run)
            carry_out(run, Delta())
        night(world, during=writing(tmp_path / "other.prom"))
    assert path.read_text() == nightly
    assert 'job="delta"' in (tmp_path / "acme-delta.prom").read_text()


def test_a_file_that_cannot_be_written_changes_no_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The run ends as it would have; the log says why."""
    (tmp_path / "file").write_text("")
    with World() as world:
        told = night(world, during=writing(tmp_path / "file" / "acme.prom"))
    assert told.exit_code == 0
    assert "the metrics were not written" in caplog.text


def test_labels_are_escaped_and_the_file_is_replaced_whole(tmp_path: Path) -> None:
    """Quotes, backslashes and line ends in a label stay one label; nothing is left beside the file."""
    path = tmp_path / "x.prom"
    write([Gauge("one", "what it is", (({"step": 'a"b\\c\nd'}, 1.5),))], path)
    assert path.read_text().splitlines()[-1] == r'ghl_reconcile_one{step="a\"b\\c\nd"} 1.5'
    assert [file.name for file in tmp_path.iterdir()] == ["x.prom"]


def test_gauges_reach_a_provider_that_is_set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """With OpenTelemetry's SDK in the process each figure is set with its labels; without it nothing is asked of it."""
    from opentelemetry import metrics

    from flows.outcome.metrics import publish

    seen: list[tuple[str, float, dict[str, str]]] = []

    class Meter:
        def create_gauge(self, name: str, *, description: str) -> Any:
            assert description

            class Set:
                def set(self, value: float, labels: dict[str, str]) -> None:
                    seen.append((name, value, labels))

            return Set()

    monkeypatch.setattr(metrics, "get_meter", lambda name: Meter())
    gauge = Gauge("one", "what it is", (({"pair": "p"}, 2.0),))
    publish([gauge])
    assert seen == []
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.metrics", ModuleType("sdk"))
    publish([gauge])
    assert seen == [("ghl_reconcile_one", 2.0, {"pair": "p"})]
    assert text([gauge]).splitlines()[1] == "# TYPE ghl_reconcile_one gauge"
